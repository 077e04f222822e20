//! Nodes.

use kubemonitor_model::Metric;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Disk, Network, Reading, Timestamp, mebibytes, rounded};

/// Which node.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct NodeIdentity {
    /// The node's name.
    pub(crate) node_name: String,
}

/// What is said of a node besides its measurements. All but the name is known of the present only,
/// and null in older samples.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct NodeFacts {
    /// Who it is.
    #[serde(flatten)]
    pub(crate) identity: NodeIdentity,
    /// Pods that run on it.
    pub(crate) pod_count: Option<u64>,
    /// Containers that run on it, those of the pods' sandboxes left out where Kubernetes tells.
    pub(crate) container_count: Option<u64>,
    /// Whether Kubernetes says that it can take pods; null without a cluster.
    pub(crate) ready: Option<bool>,
    /// Nothing was heard of it for more than three intervals: what is said of it is what was measured
    /// last, as of `timestamp`.
    pub(crate) stale: Option<bool>,
    /// How far its clock is ahead of the server's, in milliseconds; negative where it is behind, or
    /// where frames are under way for that long. Null until a frame came since the server's start.
    pub(crate) clock_skew_ms: Option<i64>,
    /// Frames that were refused because another collector sends for this node, since the server's
    /// start.
    pub(crate) conflicting_frames: Option<u64>,
}

/// A node at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(example = json!(NodeSample::example()))]
pub(crate) struct NodeSample {
    /// When it was measured.
    pub(crate) timestamp: Timestamp,
    #[serde(flatten)]
    facts: NodeFacts,
    /// CPU in use, in percent of the node's capacity: 0 to 100.
    cpu_usage_percent: Option<f64>,
    /// CPU in use, in thousandths of a CPU.
    cpu_millicores: Option<f64>,
    /// Online CPUs, times 1000.
    cpu_capacity_millicores: Option<u64>,
    /// Memory in use (total minus available), in MiB.
    memory_used_mb: Option<f64>,
    /// Memory in use (total minus available), in bytes.
    memory_used_bytes: Option<u64>,
    /// Memory the kernel manages, in bytes.
    memory_total_bytes: Option<u64>,
    /// Memory new work can have without swapping, in bytes.
    memory_available_bytes: Option<u64>,
    /// Memory in use as kubelet counts it: usage without inactive file pages, in bytes.
    memory_working_set_bytes: Option<u64>,
    #[serde(flatten)]
    disk: Disk,
    #[serde(flatten)]
    network: Network,
    /// Load average over one minute.
    load1: Option<f64>,
    /// Load average over five minutes.
    load5: Option<f64>,
    /// Load average over fifteen minutes.
    load15: Option<f64>,
    /// Entities (units before containers before pods) that the node has and its frame had no room for.
    entities_left_out: Option<u64>,
}

impl NodeFacts {
    /// What of it holds for samples older than the newest.
    #[must_use]
    pub(crate) fn past(&self) -> Self {
        let identity = self.identity.clone();
        Self {
            identity,
            pod_count: None,
            container_count: None,
            ready: None,
            stale: None,
            clock_skew_ms: None,
            conflicting_frames: None,
        }
    }
}

impl NodeSample {
    /// What was read of a node, and what else is said of it.
    pub(crate) fn new(facts: NodeFacts, reading: &Reading) -> Self {
        let millicores = reading.cpu_millicores();
        let capacity = reading.value(Metric::CpuCapacity).filter(|&capacity| capacity > 0);
        let used = reading.memory_used_bytes();
        let load = |metric| reading.value(metric).map(|thousandths| thousandths as f64 / 1000.0);
        Self {
            timestamp: Timestamp(reading.at),
            facts,
            // Two clocks measure the use and the time it took: 100.02 % is none the less 100 %.
            cpu_usage_percent: millicores
                .zip(capacity)
                .map(|(used, of)| rounded(100.0 * used / of as f64).min(100.0)),
            cpu_millicores: millicores.map(rounded),
            cpu_capacity_millicores: capacity,
            memory_used_mb: used.map(mebibytes),
            memory_used_bytes: used,
            memory_total_bytes: reading.value(Metric::MemoryTotal),
            memory_available_bytes: reading.value(Metric::MemoryAvailable),
            memory_working_set_bytes: reading.value(Metric::MemoryWorkingSet),
            disk: Disk::of(reading),
            network: Network::of(reading),
            load1: load(Metric::Load1),
            load5: load(Metric::Load5),
            load15: load(Metric::Load15),
            entities_left_out: reading.value(Metric::EntitiesLeftOut),
        }
    }

    fn example() -> Self {
        Self {
            timestamp: Timestamp::EXAMPLE,
            facts: NodeFacts {
                identity: NodeIdentity { node_name: "worker-1".into() },
                pod_count: Some(23),
                container_count: Some(31),
                ready: Some(true),
                stale: Some(false),
                clock_skew_ms: Some(-12),
                conflicting_frames: Some(0),
            },
            cpu_usage_percent: Some(12.5),
            cpu_millicores: Some(500.0),
            cpu_capacity_millicores: Some(4000),
            memory_used_mb: Some(3072.0),
            memory_used_bytes: Some(3_221_225_472),
            memory_total_bytes: Some(8_589_934_592),
            memory_available_bytes: Some(5_368_709_120),
            memory_working_set_bytes: Some(3_355_443_200),
            disk: Disk::example(),
            network: Network::example(),
            load1: Some(0.42),
            load5: Some(0.38),
            load15: Some(0.31),
            entities_left_out: Some(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use kubemonitor_model::{EntityKind, Row, UnixMillis};
    use kubemonitor_store::RATED;

    use super::*;

    fn facts() -> NodeFacts {
        NodeSample::example().facts
    }

    fn reading(values: &[(Metric, u64)], cpu_ns_per_second: Option<f64>) -> Reading {
        let mut row = Row::new(EntityKind::Node);
        for &(metric, value) in values {
            row.set(metric, Some(value));
        }
        let rates = RATED.map(|metric| cpu_ns_per_second.filter(|_| metric == Metric::CpuUsage));
        Reading::new(UnixMillis(0), row, rates)
    }

    #[test]
    fn cpu_is_shown_as_millicores_and_as_a_share_of_the_capacity() {
        let half_of_four = reading(&[(Metric::CpuCapacity, 4000)], Some(2e9));
        let sample = NodeSample::new(facts(), &half_of_four);
        assert_eq!(sample.cpu_millicores, Some(2000.0));
        assert_eq!(sample.cpu_usage_percent, Some(50.0));
        let over = reading(&[(Metric::CpuCapacity, 4000)], Some(4.001e9));
        assert_eq!(NodeSample::new(facts(), &over).cpu_usage_percent, Some(100.0));
    }

    #[test]
    fn memory_in_use_is_what_is_not_available() {
        let memory = [
            (Metric::MemoryTotal, 8 << 30),
            (Metric::MemoryAvailable, 5 << 30),
            (Metric::MemoryWorkingSet, 1 << 30),
        ];
        let sample = NodeSample::new(facts(), &reading(&memory, None));
        assert_eq!(sample.memory_used_bytes, Some(3 << 30));
        assert_eq!(sample.memory_used_mb, Some(3072.0));
        assert_eq!(sample.memory_working_set_bytes, Some(1 << 30));
    }

    #[test]
    fn what_is_not_known_is_null_and_there() {
        let sample = NodeSample::new(facts().past(), &reading(&[], None));
        let json = serde_json::to_value(sample).unwrap();
        let fields = json.as_object().unwrap();
        assert_eq!(fields.len(), 28);
        let known: Vec<&String> =
            fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name).collect();
        assert_eq!(known, ["timestamp", "node_name"]);
    }
}
