//! What each pod of a node uses at present, packed: finding the busiest of a large cluster looks at
//! all pods, and would otherwise wait for memory most of the time.

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

    /// The pods that use so much or more.
    fn at_least<'a>(
        &'a self,
        usage: Usage,
        least: f64,
        series: &'a [Series],
    ) -> impl Iterator<Item = &'a EntityId> {
        let enough = self.0.iter().filter(move |pod| pod.used[usage as usize] >= least);
        enough.filter_map(|pod| Some(&series.get(pod.index as usize)?.id))
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.0.capacity() * size_of::<PodUsage>()
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
        let mut used = Vec::new();
        for node in &nodes {
            node.look_at_usages(|usages, _| {
                let known = usages.0.iter().map(|pod| pod.used[usage as usize]);
                used.extend(known.filter(|used| !used.is_nan()));
            });
        }
        let is_all = used.len() <= count;
        let least = if is_all || count == 0 {
            f64::NEG_INFINITY
        } else {
            *used.select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a)).1
        };
        let mut pods = Vec::new();
        for node in &nodes {
            node.look_at_usages(|usages, series| {
                let chosen = usages.at_least(usage, least, series);
                pods.extend(chosen.map(|id| (node.name().clone(), id.clone())));
            });
        }
        Busiest { pods, is_all }
    }
}
