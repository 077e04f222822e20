//! Moments as JSON shows them.

use std::fmt;

use jiff::{civil::DateTime, fmt::temporal::DateTimeParser, tz::Offset};
use kubemonitor_model::UnixMillis;
use serde::{Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type},
};

/// A moment: RFC 3339, UTC, with milliseconds and `Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timestamp(pub(crate) UnixMillis);

impl Timestamp {
    /// The moment of all examples.
    pub(super) const EXAMPLE: Self = Self(UnixMillis(1_769_860_805_000));
}

static PARSER: DateTimeParser = DateTimeParser::new();

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339, UTC, with milliseconds."))
            .examples(["2026-01-31T12:00:05.000Z"])
            .into()
    }
}

impl ToSchema for Timestamp {}

/// Reads RFC 3339 with any fraction of a second; without a zone it means UTC.
pub(crate) fn parse(text: &str) -> Option<UnixMillis> {
    let moment = PARSER.parse_timestamp(text).ok().or_else(|| {
        let civil: DateTime = PARSER.parse_datetime(text).ok()?;
        Offset::UTC.to_timestamp(civil).ok()
    })?;
    Some(UnixMillis(moment.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_milliseconds_and_z() {
        let moment = Timestamp(UnixMillis(1_700_000_000_000));
        assert_eq!(moment.to_string(), "2023-11-14T22:13:20.000Z");
    }

    #[test]
    fn zones_and_microseconds_are_read_and_no_zone_means_utc() {
        for text in [
            "2023-11-14T22:13:20Z",
            "2023-11-14T22:13:20.000400+00:00",
            "2023-11-15T07:13:20+09:00",
            "2023-11-14T22:13:20.000999",
            "2023-11-14 22:13:20",
        ] {
            assert_eq!(parse(text), Some(UnixMillis(1_700_000_000_000)), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in ["", "soon", "2023-13-01T00:00:00Z", "1700000000", "22:13"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
