//! CPU and memory of a cgroup.

use kubemonitor_inventory::Resources;
use kubemonitor_model::Metric;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Reading, mebibytes, rounded};

/// CPU and memory of what runs in a cgroup: a pod, a container, a systemd service.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Usage {
    /// CPU in use, in thousandths of a CPU.
    pub(crate) cpu_millicores: Option<f64>,
    /// CPU it may use, in thousandths of a CPU; null without a limit.
    pub(crate) cpu_limit_millicores: Option<u64>,
    /// Share of the CFS periods in which it was throttled; null where none has passed.
    pub(crate) cpu_throttled_percent: Option<f64>,
    /// Memory in use (the working set), in MiB.
    pub(crate) memory_used_mb: Option<f64>,
    /// Memory in use (the working set), in bytes.
    pub(crate) memory_used_bytes: Option<u64>,
    /// Anonymous memory, in bytes.
    pub(crate) memory_rss_bytes: Option<u64>,
    /// Memory it may use, in bytes; null without a limit.
    pub(crate) memory_limit_bytes: Option<u64>,
    /// Processes killed for want of memory.
    pub(crate) oom_kills: Option<u64>,
}

impl Usage {
    /// What was read, with the limits that were `declared` where the kernel's are not known.
    pub(super) fn of(reading: &Reading, declared: Resources) -> Self {
        let used = reading.memory_used_bytes();
        Self {
            cpu_millicores: reading.cpu_millicores().map(rounded),
            cpu_limit_millicores: reading.value(Metric::CpuLimit).or(declared.cpu_millicores),
            cpu_throttled_percent: reading.cpu_throttled_percent().map(rounded),
            memory_used_mb: used.map(mebibytes),
            memory_used_bytes: used,
            memory_rss_bytes: reading.value(Metric::MemoryRss),
            memory_limit_bytes: reading.value(Metric::MemoryLimit).or(declared.memory_bytes),
            oom_kills: reading.value(Metric::OomKills),
        }
    }

    pub(super) fn example() -> Self {
        Self {
            cpu_millicores: Some(12.345),
            cpu_limit_millicores: Some(500),
            cpu_throttled_percent: Some(0.0),
            memory_used_mb: Some(48.25),
            memory_used_bytes: Some(50_593_792),
            memory_rss_bytes: Some(41_943_040),
            memory_limit_bytes: Some(268_435_456),
            oom_kills: Some(0),
        }
    }
}
