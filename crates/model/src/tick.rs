//! What one node measured at one moment.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use crate::{EntityId, QosClass, Row};

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// The moment `millis` earlier.
    #[must_use]
    pub fn minus(self, millis: i64) -> Self {
        Self(self.0.saturating_sub(millis))
    }

    /// Milliseconds from `earlier` to here; negative when it is later.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// As RFC 3339 has it, in UTC: `2026-01-31T12:00:05.000Z`. What lies beyond the years 0 to 9999, which
/// it cannot write, is shown as milliseconds.
impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const YEARS: RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;
        const DAY_MS: i64 = 86_400_000;
        if !YEARS.contains(&self.0) {
            return write!(f, "{} ms after 1970", self.0);
        }
        let (day, millis) = (self.0.div_euclid(DAY_MS), self.0.rem_euclid(DAY_MS));
        // Years that begin in March have their leap day at their end, and every 400 of them have
        // 146,097 days; counted from 0000-03-01, 719,468 days before 1970.
        let days = day + 719_468;
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
        let year_of_era = (day_of_era - leap_days) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let (seconds, millis) = (millis / 1000, millis % 1000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// Readable wherever it lands: in logs, in errors, in failed assertions.
impl fmt::Debug for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What names of nodes, pods, namespaces and workloads are made of, for refusals of others.
/// Kubernetes allows less, host names and units a bit more. Labels and images are not limited so.
pub const NAME_RULE: &str = "names are ASCII, as in Kubernetes: 1 to 253 letters, digits, `-`, `.` and \
     other printable characters, but no space and no `/`";

/// The name of a node: 1 to 253 bytes of printable ASCII without `/`, what Kubernetes and host names
/// allow and a bit more.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeName(Box<str>);

/// A text that cannot name a node.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` cannot name a node: {NAME_RULE}")]
pub struct NameError(String);

impl NodeName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let printable = text.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
        if printable && (1..=253).contains(&text.len()) {
            Ok(Self(text.into()))
        } else {
            Err(NameError(text.chars().take(300).collect()))
        }
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One entity of a tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityRow {
    /// Who it is; of a node, its name again.
    pub id: EntityId,
    /// The pod a container belongs to: its place in [`Tick::rows`], always an earlier one.
    pub parent: Option<u32>,
    /// The QoS class of a pod, where its cgroup told.
    pub qos: Option<QosClass>,
    /// The entity did not exist at this collector's previous tick: its counters have counted from
    /// 0 since then, so that all of them is this tick's increase.
    pub newborn: bool,
    /// What was measured.
    pub row: Row,
}

/// Everything one node measured at one tick: what a frame carries and the store takes in, at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// Who measured.
    pub node: NodeName,
    /// Chosen at random when a collector starts: tells a retried frame from a restarted collector.
    pub instance: u64,
    /// Counts the frames of that instance.
    pub sequence: u64,
    /// The aligned moment all nodes share.
    pub at: UnixMillis,
    /// How long after `at` the values were read, in microseconds; rates use the true time.
    pub read_delay_us: u64,
    /// The time between two ticks of this collector, in milliseconds.
    pub interval_ms: u64,
    /// The entities, the node first, each pod before its containers.
    pub rows: Vec<EntityRow>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_as_rfc_3339_has_them() {
        for (millis, shown) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_769_860_805_123, "2026-01-31T12:00:05.123Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (i64::MAX, "9223372036854775807 ms after 1970"),
        ] {
            assert_eq!(UnixMillis(millis).to_string(), shown);
        }
    }

    #[test]
    fn node_names_are_what_hosts_are_called() {
        for good in ["lab-v2", "ip-10-0-0-1.ec2.internal", "WORKER_7", "a"] {
            assert_eq!(good.parse::<NodeName>().map(|n| n.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "a/b", "tab\there", "é", &"x".repeat(254)] {
            assert!(bad.parse::<NodeName>().is_err());
        }
    }
}
