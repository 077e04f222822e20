//! Namespaces, and what they share with workloads: sums over pods.

use std::sync::Arc;

use kubemonitor_inventory::PodSums;
use kubemonitor_model::{Metric, UnixMillis};
use kubemonitor_store::{GroupSample, Traffic};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Disk, Network, Reading, Timestamp, mebibytes, reading::sum_of_known, rounded};
use crate::query::SortBy;

/// Which namespace.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct NamespaceIdentity {
    /// Its name.
    pub(crate) namespace: Arc<str>,
}

/// A namespace at one moment: the sum over its pods, or what was pushed of it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(example = json!(NamespaceSample::example()))]
pub(crate) struct NamespaceSample {
    /// When it was measured.
    pub(crate) timestamp: Timestamp,
    #[serde(flatten)]
    identity: NamespaceIdentity,
    #[serde(flatten)]
    usage: GroupUsage,
}

/// What is said of a group of pods besides what they used. All of it is known of the present only, and
/// null in older samples than the newest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct GroupFacts {
    /// What the pods there are claim.
    pub(crate) claims: PodSums,
    /// How much of the group was heard of; `None` of the past.
    pub(crate) coverage: Option<Coverage>,
}

/// How much of a group of pods was heard of lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Coverage {
    /// Nodes its pods are on.
    pub(crate) nodes: u64,
    /// Those of them that were heard of lately.
    pub(crate) reporting: u64,
    /// What is shown is from before all of them fell silent.
    pub(crate) stale: bool,
}

/// What pods use together.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct GroupUsage {
    /// Pods that were measured: those that the figures are sums over. 0 where Kubernetes says that none
    /// runs.
    pod_count: Option<u64>,
    /// Nodes that its pods are on; null in older samples than the newest.
    nodes_total: Option<u64>,
    /// Those of them that were heard of lately; null in older samples than the newest. Where they are
    /// fewer, the sums are not of all pods: a node that fell silent is left out of them a minute later.
    nodes_reporting: Option<u64>,
    /// None of its nodes reports: the figures are the last that were measured, as of `timestamp`. Null
    /// in older samples than the newest.
    stale: Option<bool>,
    /// CPU in use, in thousandths of a CPU.
    cpu_millicores: Option<f64>,
    /// CPU reserved by the pods there are, in thousandths of a CPU; null without any request, and
    /// in older samples than the newest.
    cpu_request_millicores: Option<u64>,
    /// CPU the pods may use, as far as limited, in thousandths of a CPU; null without any limit,
    /// and in older samples than the newest.
    cpu_limit_millicores: Option<u64>,
    /// Memory in use (working sets), in MiB.
    memory_used_mb: Option<f64>,
    /// Memory in use (working sets), in bytes.
    memory_used_bytes: Option<u64>,
    /// Memory reserved by the pods there are, in bytes; null without any request, and in older
    /// samples than the newest.
    memory_request_bytes: Option<u64>,
    /// Memory the pods may use, as far as limited, in bytes; null without any limit, and in older
    /// samples than the newest.
    memory_limit_bytes: Option<u64>,
    #[serde(flatten)]
    disk: Disk,
    #[serde(flatten)]
    network: Network,
}

/// A group at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum GroupReading {
    /// The sum over its pods.
    Sum(GroupSample),
    /// What somebody pushed of the whole.
    Pushed(Box<Reading>),
    /// It is known, and none of its pods was measured.
    Empty(UnixMillis),
}

impl GroupReading {
    /// The sum over no pods, where it is known that there are none: 0, and what was counted until now.
    pub(crate) fn of_nobody(at: UnixMillis, last: Option<&GroupSample>) -> Self {
        let none = |metric: Metric| Traffic {
            total_bytes: last.and_then(|last| last.traffic(metric)?.total_bytes).or(Some(0)),
            bytes_per_second: Some(0.0),
        };
        Self::Sum(GroupSample {
            at,
            pods: 0,
            cpu_nanocores: Some(0),
            memory_working_set_bytes: Some(0),
            traffic: GroupSample::TRAFFIC.map(none),
        })
    }

    /// The moment.
    pub(crate) fn at(&self) -> UnixMillis {
        match self {
            Self::Sum(sum) => sum.at,
            Self::Pushed(reading) => reading.at,
            Self::Empty(at) => *at,
        }
    }

    /// How much it has of what a list is sorted by.
    pub(crate) fn rank(&self, sort: SortBy) -> Option<f64> {
        let sum = match self {
            Self::Sum(sum) => sum,
            Self::Pushed(reading) => return reading.rank(sort),
            Self::Empty(_) => return None,
        };
        let rate = |metric| sum.traffic(metric)?.bytes_per_second;
        match sort {
            SortBy::Name => None,
            SortBy::Cpu => sum.cpu_nanocores.map(|nanocores| nanocores as f64 / 1e6),
            SortBy::Memory => sum.memory_working_set_bytes.map(|bytes| bytes as f64),
            SortBy::Network => {
                sum_of_known(rate(Metric::NetworkRxBytes), rate(Metric::NetworkTxBytes))
            }
            SortBy::Disk => sum_of_known(rate(Metric::DiskReadBytes), rate(Metric::DiskWriteBytes)),
        }
    }
}

impl GroupUsage {
    /// What was read, and what else is said of the group.
    pub(super) fn new(reading: &GroupReading, facts: &GroupFacts) -> Self {
        let GroupFacts { claims, coverage } = facts;
        let usage = match reading {
            GroupReading::Sum(sum) => Self::summed(sum),
            GroupReading::Pushed(reading) => Self::pushed(reading),
            GroupReading::Empty(_) => Self::unknown(),
        };
        Self {
            nodes_total: coverage.map(|coverage| coverage.nodes),
            nodes_reporting: coverage.map(|coverage| coverage.reporting),
            stale: coverage.map(|coverage| coverage.stale),
            cpu_request_millicores: claims.requests.cpu_millicores,
            cpu_limit_millicores: claims.limits.cpu_millicores,
            memory_request_bytes: claims.requests.memory_bytes,
            memory_limit_bytes: claims.limits.memory_bytes,
            ..usage
        }
    }

    fn unknown() -> Self {
        Self {
            pod_count: None,
            nodes_total: None,
            nodes_reporting: None,
            stale: None,
            cpu_millicores: None,
            cpu_request_millicores: None,
            cpu_limit_millicores: None,
            memory_used_mb: None,
            memory_used_bytes: None,
            memory_request_bytes: None,
            memory_limit_bytes: None,
            disk: Disk::default(),
            network: Network::default(),
        }
    }

    fn summed(sum: &GroupSample) -> Self {
        let total = |metric| sum.traffic(metric).and_then(|traffic| traffic.total_bytes);
        let rate =
            |metric| sum.traffic(metric).and_then(|traffic| traffic.bytes_per_second).map(rounded);
        Self {
            pod_count: Some(sum.pods.into()),
            cpu_millicores: sum.cpu_nanocores.map(|nanocores| rounded(nanocores as f64 / 1e6)),
            memory_used_mb: sum.memory_working_set_bytes.map(mebibytes),
            memory_used_bytes: sum.memory_working_set_bytes,
            disk: Disk {
                disk_read_bytes: total(Metric::DiskReadBytes),
                disk_write_bytes: total(Metric::DiskWriteBytes),
                disk_read_bytes_per_second: rate(Metric::DiskReadBytes),
                disk_write_bytes_per_second: rate(Metric::DiskWriteBytes),
            },
            network: Network {
                network_rx_bytes: total(Metric::NetworkRxBytes),
                network_tx_bytes: total(Metric::NetworkTxBytes),
                network_rx_bytes_per_second: rate(Metric::NetworkRxBytes),
                network_tx_bytes_per_second: rate(Metric::NetworkTxBytes),
            },
            ..Self::unknown()
        }
    }

    fn pushed(reading: &Reading) -> Self {
        let used = reading.memory_used_bytes();
        Self {
            cpu_millicores: reading.cpu_millicores().map(rounded),
            memory_used_mb: used.map(mebibytes),
            memory_used_bytes: used,
            disk: Disk::of(reading),
            network: Network::of(reading),
            ..Self::unknown()
        }
    }

    pub(super) fn example() -> Self {
        Self {
            pod_count: Some(3),
            nodes_total: Some(2),
            nodes_reporting: Some(2),
            stale: Some(false),
            cpu_millicores: Some(37.035),
            cpu_request_millicores: Some(300),
            cpu_limit_millicores: Some(1500),
            memory_used_mb: Some(144.75),
            memory_used_bytes: Some(151_781_376),
            memory_request_bytes: Some(402_653_184),
            memory_limit_bytes: Some(805_306_368),
            disk: Disk::example(),
            network: Network::example(),
        }
    }
}

impl NamespaceSample {
    /// What was read of a namespace, and what else is said of it.
    pub(crate) fn new(
        identity: NamespaceIdentity,
        reading: &GroupReading,
        facts: &GroupFacts,
    ) -> Self {
        let usage = GroupUsage::new(reading, facts);
        Self { timestamp: Timestamp(reading.at()), identity, usage }
    }

    fn example() -> Self {
        let identity = NamespaceIdentity { namespace: "shop".into() };
        Self { timestamp: Timestamp::EXAMPLE, identity, usage: GroupUsage::example() }
    }
}
