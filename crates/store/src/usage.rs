//! What each pod of a node uses at present, packed: finding the busiest of a large cluster looks at
//! all pods, and would otherwise wait for memory most of the time.

// Not the model's: a peak is a hint, and what it leads to is read under the node's lock.
use std::sync::atomic::{AtomicU64, Ordering};

use kubemonitor_model::{EntityId, EntityKind, Metric, NodeName};

use crate::{Store, series::Series};

/// What pods can be compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// CPU in use.
    Cpu,
    /// The working set.
    Memory,
    /// Bytes received and sent per second.
    Network,
    /// Bytes read and written per second.
    Disk,
}

/// The pods that use most of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Busiest {
    /// Where they are and who; in no order.
    pub pods: Vec<(NodeName, EntityId)>,
    /// There are no others of which it is known.
    pub is_all: bool,
}

/// A pod that is there. What is not known is NaN.
#[derive(Clone, Copy, Debug)]
struct PodUsage {
    index: u32,
    used: [f64; 4],
}

/// What the pods of a node use.
#[derive(Debug, Default)]
pub(crate) struct PodUsages(Vec<PodUsage>);

impl PodUsages {
    /// Notes anew what the pods among `series` use.
    pub(crate) fn refresh(&mut self, series: &[Series]) {
        self.0.clear();
        let pods = (0..).zip(series).filter(|(_, s)| s.kind == EntityKind::Pod && s.live());
        self.0.extend(pods.map(|(index, series)| PodUsage { index, used: used(series) }));
    }

    /// How much the pods use that use so much or more, and the places of their series.
    pub(crate) fn at_least(
        &self,
        usage: Usage,
        least: f64,
    ) -> impl Iterator<Item = (f64, usize)> + '_ {
        let used = self.0.iter().map(move |pod| (pod.used[usage as usize], pod.index as usize));
        used.filter(move |(used, _)| *used >= least)
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.0.capacity() * size_of::<PodUsage>()
    }
}

/// What the busiest pods of a node use, read without its lock: nodes none of whose pods can be among
/// the busiest of the cluster need not be visited. What is not known is NaN.
#[derive(Debug)]
pub(crate) struct Peaks([AtomicU64; 4]);

impl Default for Peaks {
    fn default() -> Self {
        Self([0; 4].map(|_: u64| AtomicU64::new(f64::NAN.to_bits())))
    }
}

impl Peaks {
    /// Notes the most that any pod uses.
    pub(crate) fn note(&self, usages: &PodUsages) {
        for (place, peak) in self.0.iter().enumerate() {
            let most = usages.0.iter().map(|pod| pod.used[place]).fold(f64::NAN, f64::max);
            peak.store(most.to_bits(), Ordering::Relaxed);
        }
    }

    fn of(&self, usage: Usage) -> f64 {
        f64::from_bits(self.0[usage as usize].load(Ordering::Relaxed))
    }
}

fn used(series: &Series) -> [f64; 4] {
    let rates = series.rates();
    let rate = |metric| rates.per_second(metric);
    let both = |one, other| match (rate(one), rate(other)) {
        (None, None) => None,
        (one, other) => Some(one.unwrap_or(0.0) + other.unwrap_or(0.0)),
    };
    let cpu = match series.value(Metric::CpuUsageRate) {
        Some(nanocores) => Some(nanocores as f64),
        None => rate(Metric::CpuUsage),
    };
    [
        cpu,
        series.value(Metric::MemoryWorkingSet).map(|bytes| bytes as f64),
        both(Metric::NetworkRxBytes, Metric::NetworkTxBytes),
        both(Metric::DiskReadBytes, Metric::DiskWriteBytes),
    ]
    .map(|used| used.unwrap_or(f64::NAN))
}

impl Store {
    /// The `count` pods that use most of something, and those that use as much as the last of them.
    /// Ticks that arrive meanwhile may or may not count.
    pub fn busiest_pods(&self, usage: Usage, count: usize) -> Busiest {
        let nodes = self.all_nodes();
        let mut peaks: Vec<_> = nodes.iter().map(|node| node.peaks().of(usage)).collect();
        peaks.retain(|peak| !peak.is_nan());
        // So many nodes have a pod each that uses this much: no pod below is among the first.
        let bound = nth_largest(&mut peaks, count);
        let mut candidates = Vec::new();
        for node in nodes.iter().filter(|node| node.peaks().of(usage) >= bound) {
            node.pods_using(usage, bound, |used, pod| candidates.push((used, node, pod.clone())));
        }
        let is_all = bound == f64::NEG_INFINITY && candidates.len() <= count;
        let mut used: Vec<_> = candidates.iter().map(|(used, ..)| *used).collect();
        let least = nth_largest(&mut used, count);
        let chosen = candidates.into_iter().filter(|(used, ..)| *used >= least);
        Busiest { pods: chosen.map(|(_, node, pod)| (node.name().clone(), pod)).collect(), is_all }
    }
}

/// The smallest of the `count` largest; less than all of them when there are not that many.
fn nth_largest(values: &mut [f64], count: usize) -> f64 {
    if values.len() <= count || count == 0 {
        return f64::NEG_INFINITY;
    }
    *values.select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a)).1
}
