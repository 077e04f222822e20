//! Which samples: the newest, or those of a span, one by one or in steps.

use std::{str::FromStr, time::Duration};

use kubemonitor_model::UnixMillis;
use kubemonitor_store::TimeRange;
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, OneOfBuilder, RefOr, Schema, SchemaFormat, Type},
};

use super::{
    gauges::Gauges,
    params::{Params, Question, documented},
};
use crate::{errors::ApiError, model::timestamp};

/// The parameters of time, as they were typed.
#[derive(Debug, Default, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TimeParams {
    /// The samples of the last so many seconds, such as 60, oldest first. More than is retained gives what
    /// there is. Without this or one of `start`, `end` and `step`: the newest sample.
    #[param(minimum = 1)]
    window: Option<u32>,
    /// The first moment, RFC 3339 (`2026-01-31T12:00:00Z`) or Unix seconds; the start of what is
    /// retained where left out.
    #[param(value_type = Option<Moment>, inline)]
    start: Option<Moment>,
    /// The last moment, in the same form; now where left out.
    #[param(value_type = Option<Moment>, inline)]
    end: Option<Moment>,
    /// Seconds that become one sample each: means of gauges, rates of counters over the step. The
    /// timestamp is the step's start.
    #[param(minimum = 1)]
    step: Option<u32>,
    /// What gauges show of a step, and of the minutes and quarters of an hour that are kept beyond
    /// the retention: `mean` (the default), `min` or `max`.
    #[param(value_type = Option<Gauges>, inline)]
    gauges: Option<Gauges>,
}

impl Question for TimeParams {
    fn read(params: &mut Params) -> Result<Self, ApiError> {
        Ok(Self {
            window: params.positive("window")?,
            start: params.parsed("start")?,
            end: params.parsed("end")?,
            step: params.positive("step")?,
            gauges: params.parsed("gauges")?,
        })
    }

    fn names() -> Vec<String> {
        documented::<Self>()
    }
}

/// A moment as parameters have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(UnixMillis);

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const REMEDY: &str = "give RFC 3339 (`2026-01-31T12:00:00Z`) or seconds since 1970";
        /// The last second of the year 9999, the last one RFC 3339 can write.
        const LAST: f64 = 253_402_300_799.0;
        if let Some(moment) = timestamp::parse(text) {
            return Ok(Self(moment));
        }
        let seconds: f64 = text.parse().map_err(|_| REMEDY)?;
        if !(0.0..=LAST).contains(&seconds) {
            return Err(REMEDY);
        }
        #[expect(clippy::cast_possible_truncation, reason = "LAST fits")]
        Ok(Self(UnixMillis((seconds * 1000.0) as i64)))
    }
}

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .item(
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))),
            )
            .item(
                ObjectBuilder::new()
                    .schema_type(Type::Integer)
                    .minimum(Some(0))
                    .maximum(Some(253_402_300_799_i64)),
            )
            .into()
    }
}

impl ToSchema for Moment {}

/// The parameters of time, as they are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// The newest sample of each entity.
    Newest,
    /// Every sample of a span.
    Span(Span),
}

/// A span of time, in steps perhaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The span.
    pub(crate) range: TimeRange,
    /// Milliseconds that become one sample; `None` for the samples as they are.
    pub(crate) step: Option<i64>,
    /// What gauges show where several samples are shown as one.
    pub(crate) gauges: Gauges,
    /// When it was asked for: what is retained is reckoned from here.
    pub(crate) asked_at: UnixMillis,
}

impl TimeParams {
    /// What is meant at the moment `now`, with so much retained.
    pub(crate) fn meant(&self, now: UnixMillis, retention: Duration) -> When {
        let Self { window, start, end, step, gauges } = *self;
        if window.is_none() && start.is_none() && end.is_none() && step.is_none() {
            return When::Newest;
        }
        let to = end.map_or(now, |Moment(end)| end);
        let retained = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let reach = window.map_or(retained, |seconds| i64::from(seconds) * 1000);
        let from = match start {
            // Both given: both hold.
            Some(Moment(start)) if window.is_some() => start.max(to.minus(reach)),
            Some(Moment(start)) => start,
            None => to.minus(reach),
        };
        // Between two moments lies the same, whichever is named first.
        let range = TimeRange { from: from.min(to), to: to.max(from) };
        let step = step.map(|seconds| i64::from(seconds) * 1000);
        let gauges = gauges.unwrap_or_default();
        When::Span(Span { range, step, gauges, asked_at: now })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::params::tests::ask;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn meant(query: &str) -> Result<When, ApiError> {
        Ok(ask::<TimeParams>(query)?.meant(NOW, Duration::from_secs(3600)))
    }

    fn span(from_ms_ago: i64, to_ms_ago: i64, step: Option<i64>) -> When {
        let range = TimeRange { from: NOW.minus(from_ms_ago), to: NOW.minus(to_ms_ago) };
        When::Span(Span { range, step, gauges: Gauges::Mean, asked_at: NOW })
    }

    #[test]
    fn without_parameters_the_newest_is_meant() {
        assert_eq!(meant("").unwrap(), When::Newest);
        assert_eq!(meant("gauges=max").unwrap(), When::Newest);
    }

    #[test]
    fn spans_are_given_by_length_or_by_their_ends() {
        for (query, expected) in [
            ("window=60", span(60_000, 0, None)),
            ("window=4294967295", span(4_294_967_295_000, 0, None)),
            ("start=1699999990", span(10_000, 0, None)),
            ("start=2023-11-14T22:13:10Z&end=1699999995", span(10_000, 5_000, None)),
            ("start=1699999995&end=1699999990", span(10_000, 5_000, None)),
            ("end=1699999990", span(3_610_000, 10_000, None)),
            ("window=5&end=1699999990", span(15_000, 10_000, None)),
            ("window=5&start=1699999990", span(5_000, 0, None)),
            ("step=15", span(3_600_000, 0, Some(15_000))),
        ] {
            assert_eq!(meant(query).unwrap(), expected, "{query}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for query in [
            "window=0",
            "window=-5",
            "window=1.5",
            "window=",
            "window=4294967296",
            "step=0",
            "start=yesterday",
            "end=-1",
            "end=1e300",
            "end=NaN",
            "gauges=median",
            "gauges=",
        ] {
            assert!(meant(query).is_err(), "{query}");
        }
    }
}
