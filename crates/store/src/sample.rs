//! What a reader gets: values with the rates that lead to them.

use kubemonitor_model::{EntityKind, Metric, Row, UnixMillis};

use crate::codec::Point;

/// The counters whose rates people ask for; only theirs are kept beside the newest sample.
pub const RATED: [Metric; 7] = [
    Metric::CpuUsage,
    Metric::DiskReadBytes,
    Metric::DiskWriteBytes,
    Metric::NetworkRxBytes,
    Metric::NetworkTxBytes,
    Metric::CpuPeriods,
    Metric::CpuThrottledPeriods,
];

/// An entity at one tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The tick.
    pub at: UnixMillis,
    /// Gauges as measured. Counters as the kernel had them when the entity was first seen, plus
    /// every increase since: they never fall, also where the kernel's counter started anew.
    pub row: Row,
    /// What happened since the sample before.
    pub rates: Rates,
}

/// The [`RATED`] counters at one row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    values: [Option<u64>; RATED.len()],
    /// What they last were, also where they are absent now; 0 where they never were.
    last_known: [u64; RATED.len()],
    /// Which of them started anew at this row.
    restarted: [bool; RATED.len()],
    /// How much later than its tick says the cgroup was read, and the network.
    read_offsets_us: [u64; 2],
}

impl Counted {
    /// What `point` has of them.
    pub(crate) fn at(kind: EntityKind, point: &Point) -> Self {
        let columns = RATED.map(|metric| kind.column(metric));
        Self {
            values: columns.map(|column| point.column(column?)),
            last_known: columns.map(|column| column.map_or(0, |column| point.values[column])),
            restarted: columns
                .map(|column| column.is_some_and(|column| point.restarted >> column & 1 == 1)),
            read_offsets_us: [Metric::ReadOffset, Metric::NetworkReadOffset].map(|metric| {
                kind.column(metric).and_then(|column| point.column(column)).unwrap_or(0)
            }),
        }
    }

    /// Before an entity's birth nothing was counted.
    pub(crate) const BIRTH: Self = Self {
        values: [Some(0); RATED.len()],
        last_known: [0; RATED.len()],
        restarted: [false; RATED.len()],
        read_offsets_us: [0; 2],
    };

    /// How far a counter has come since it was last known; all it has counted when it never was.
    pub(crate) fn grown(&self, previous: Option<&Self>, metric: Metric) -> Option<u64> {
        let place = RATED.iter().position(|&rated| rated == metric)?;
        let before = previous.map_or(0, |previous| previous.last_known[place]);
        Some(self.values[place]?.saturating_sub(before))
    }
}

/// Increases of the [`RATED`] counters over the true time between two samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    elapsed_us: u64,
    /// Between the two reads of the network it was so much longer.
    network_longer_us: i32,
    /// Which of the increases are known, as a bitmap.
    known: u8,
    increases: [u64; RATED.len()],
}

impl Rates {
    /// What grew from `previous` to `next`, whose ticks were read `elapsed_us` after one another; 0
    /// where that is not known. Not known where a counter started anew.
    pub(crate) fn between(previous: &Counted, next: &Counted, elapsed_us: u64) -> Self {
        let between = |place: usize| {
            let elapsed = elapsed_us.saturating_add(next.read_offsets_us[place]);
            elapsed.saturating_sub(previous.read_offsets_us[place])
        };
        let (cgroup_us, network_us) = (between(0), between(1));
        if elapsed_us == 0 || cgroup_us == 0 || network_us == 0 {
            return Self::default();
        }
        let longer_us = network_us.cast_signed().saturating_sub(cgroup_us.cast_signed());
        let mut rates = Self {
            elapsed_us: cgroup_us,
            network_longer_us: i32::try_from(longer_us).unwrap_or(0),
            ..Self::default()
        };
        for place in 0..RATED.len() {
            let pair = previous.values[place].zip(next.values[place]);
            let increase = pair.and_then(|(from, to)| to.checked_sub(from));
            if let Some(increase) = increase.filter(|_| !next.restarted[place]) {
                rates.known |= 1 << place;
                rates.increases[place] = increase;
            }
        }
        rates
    }

    /// True microseconds between the two samples of a metric; 0 where that is not known, as for a
    /// first sample.
    pub fn elapsed_us(&self, metric: Metric) -> u64 {
        let is_network = matches!(metric, Metric::NetworkRxBytes | Metric::NetworkTxBytes);
        let longer_us = if is_network { self.network_longer_us } else { 0 };
        self.elapsed_us.saturating_add_signed(i64::from(longer_us))
    }

    /// How much a [`RATED`] counter grew since the sample before. `None` for the first sample, where
    /// the counter started anew, or where either sample lacks it.
    pub fn increase(&self, metric: Metric) -> Option<u64> {
        let place = RATED.iter().position(|&rated| rated == metric)?;
        (self.known >> place & 1 == 1).then(|| self.increases[place])
    }

    /// The increase per second of true time.
    pub fn per_second(&self, metric: Metric) -> Option<f64> {
        Some(self.increase(metric)? as f64 * 1e6 / self.elapsed_us(metric) as f64)
    }
}

/// A sum over the members of a group (a namespace, a workload) at one tick.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GroupSample {
    /// The tick.
    pub at: UnixMillis,
    /// Members that were measured at this tick.
    pub pods: u32,
    /// CPU in use; `None` while no member has two samples.
    pub cpu_nanocores: Option<u64>,
    /// Sum of working sets; `None` where no member's is known.
    pub memory_working_set_bytes: Option<u64>,
    /// Disk and network.
    pub traffic: [Traffic; 4],
}

/// One of the four byte counters of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traffic {
    /// Bytes of all members, gone ones included; never falls. `None` where no member's is known.
    pub total_bytes: Option<u64>,
    /// Sum of the members' rates.
    pub bytes_per_second: Option<f64>,
}

impl GroupSample {
    /// The counters in [`GroupSample::traffic`], in order.
    pub const TRAFFIC: [Metric; 4] = [
        Metric::DiskReadBytes,
        Metric::DiskWriteBytes,
        Metric::NetworkRxBytes,
        Metric::NetworkTxBytes,
    ];

    /// Those of a kind's columns that are added up in groups over time.
    pub(crate) fn counters(kind: EntityKind) -> u64 {
        let is_summed = kind == EntityKind::Pod;
        let columns = Self::TRAFFIC.iter().filter_map(|&metric| kind.column(metric));
        columns.filter(|_| is_summed).fold(0, |mask, column| mask | 1 << column)
    }

    /// One of the four byte counters.
    pub fn traffic(&self, metric: Metric) -> Option<Traffic> {
        let place = Self::TRAFFIC.iter().position(|&m| m == metric)?;
        Some(self.traffic[place])
    }
}

/// A span of time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// The first moment.
    pub from: UnixMillis,
    /// The last moment.
    pub to: UnixMillis,
}

impl TimeRange {
    /// All there is.
    pub const ALL: Self = Self { from: UnixMillis(i64::MIN), to: UnixMillis(i64::MAX) };

    /// Whether a moment lies in it.
    pub fn contains(&self, at: UnixMillis) -> bool {
        (self.from..=self.to).contains(&at)
    }
}

/// Identity of a group, chosen by whoever assigns members.
pub type GroupKey = std::sync::Arc<str>;
