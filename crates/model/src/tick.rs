//! What one node measured at one moment.

use std::{fmt, str::FromStr};

use crate::{EntityId, QosClass, Row};

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
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

/// The name of a node: 1 to 253 bytes of printable ASCII without `/`, what Kubernetes and host names
/// allow and a bit more.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeName(Box<str>);

/// A text that cannot name a node.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` cannot name a node: 1 to 253 printable ASCII characters without `/`")]
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
    /// Chosen when a collector starts: tells a retried frame from a restarted collector. The upper
    /// half names the collector's [steady clock](Self::clock), the lower half is random.
    pub instance: u64,
    /// Counts the frames of that instance.
    pub sequence: u64,
    /// The aligned moment all nodes share.
    pub at: UnixMillis,
    /// How long after `at` the values were read, in microseconds, by the collector's steady clock:
    /// the wall clock as it was when the collector started, carried on by the time since boot. It is
    /// off by half a second at most, and by what the wall clock was set by since. Between two ticks
    /// of one clock all that cancels out.
    pub read_delay_us: i64,
    /// The time between two ticks of this collector, in milliseconds.
    pub interval_ms: u64,
    /// The entities, the node first, each pod before its containers.
    pub rows: Vec<EntityRow>,
}

impl Tick {
    /// The steady clock that [`read_delay_us`](Self::read_delay_us) goes by. The time between two
    /// ticks is known only where they have one clock: collectors of one boot share it, unless the
    /// wall clock was set between their starts.
    pub fn clock(&self) -> u32 {
        let [a, b, c, d, ..] = self.instance.to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
