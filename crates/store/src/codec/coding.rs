//! How the columns of each kind are written: what is expected of them, and how far off they are.

use kubemonitor_model::{EntityKind, MAX_COLUMNS, Metric, MetricKind, Unit};

use super::bytes::{Input, put_varint, unzigzag, zigzag};

/// How the columns of one kind are coded.
#[derive(Clone, Copy)]
pub(crate) struct Coding {
    /// Counters only grow: their deltas need no sign.
    counters: u64,
    /// Per column, what deltas are usually multiples of; 1 where nothing is known.
    grains: [u16; MAX_COLUMNS],
    pub(super) expectations: Expectations,
}

/// Which columns follow from which. All that a column follows from come before it.
#[derive(Clone, Copy, Default)]
pub(super) struct Expectations {
    cpu: u64,
    cpu_user: u64,
    cpu_system: u64,
    memory: u64,
    working_set: u64,
    rss: u64,
    file: u64,
    /// Those that follow from others.
    pub(super) all: u64,
}

/// What the columns that others follow from grew by in a row, as far as it was gone through.
#[derive(Clone, Copy, Default)]
pub(super) struct Grown {
    cpu: i64,
    cpu_user: i64,
    memory: i64,
    rss: i64,
}

impl Expectations {
    fn of(kind: EntityKind) -> Self {
        let bit = |metric| kind.column(metric).map_or(0, |column| 1 << column);
        let mut known = Self {
            cpu: bit(Metric::CpuUsage),
            cpu_user: bit(Metric::CpuUser),
            cpu_system: bit(Metric::CpuSystem),
            memory: bit(Metric::MemoryUsage),
            working_set: bit(Metric::MemoryWorkingSet),
            rss: bit(Metric::MemoryRss),
            file: bit(Metric::MemoryFile),
            all: 0,
        };
        // A node's times are of all its CPUs, in hundredths of a second: nothing follows there.
        if kind != EntityKind::Node {
            known.all = known.cpu_system | known.working_set | known.rss | known.file;
        }
        known
    }

    /// What a column is expected to grow by.
    pub(super) fn growth(&self, column: u64, grown: &Grown) -> i64 {
        match self.all & column {
            0 => 0,
            // Version 1 of cgroups counts CPU time in nanoseconds and its parts in hundredths of a
            // second: there they do not follow.
            bit if bit == self.cpu_system && grown.cpu % 1000 == 0 => {
                grown.cpu.wrapping_sub(grown.cpu_user)
            }
            bit if bit == self.working_set || bit == self.rss => grown.memory,
            bit if bit == self.file => grown.memory.wrapping_sub(grown.rss),
            _ => 0,
        }
    }

    pub(super) fn note(&self, column: u64, from: u64, to: u64, grown: &mut Grown) {
        let growth = to.wrapping_sub(from).cast_signed();
        if column == self.cpu {
            grown.cpu = growth;
        } else if column == self.cpu_user {
            grown.cpu_user = growth;
        } else if column == self.memory {
            grown.memory = growth;
        } else if column == self.rss {
            grown.rss = growth;
        }
    }
}

impl Coding {
    pub(crate) fn of(kind: EntityKind) -> &'static Self {
        static CODINGS: std::sync::LazyLock<[Coding; 6]> =
            std::sync::LazyLock::new(|| EntityKind::ALL.map(Coding::new));
        &CODINGS[kind as usize]
    }

    fn new(kind: EntityKind) -> Self {
        let mut grains = [1; MAX_COLUMNS];
        for (grain, metric) in grains.iter_mut().zip(kind.metrics()) {
            *grain = match (metric.unit(), metric.kind()) {
                (Unit::Bytes, MetricKind::Gauge) => 4096,
                (Unit::Nanoseconds, _) => 1000,
                _ => 1,
            };
        }
        let expectations = Expectations::of(kind);
        // How far something is off an expectation has a sign.
        let counters = kind.counter_columns() & !expectations.all;
        Self { counters, grains, expectations }
    }

    pub(super) fn encode_delta(&self, column: usize, from: u64, to: u64, out: &mut Vec<u8>) {
        let difference = to.wrapping_sub(from);
        let is_counter = self.counters >> column & 1 == 1;
        let grain = u64::from(self.grains[column]);
        if grain == 1 {
            let code = if is_counter { difference } else { zigzag(difference.cast_signed()) };
            return put_varint(out, code);
        }
        // The lowest bit says whether the delta was divided by the grain. A code without room for
        // it (half of what 64 bits can say) is written as 0, which no change has, and in full.
        let divided = if is_counter {
            difference.is_multiple_of(grain).then(|| difference / grain)
        } else {
            let signed = difference.cast_signed();
            let grain = grain.cast_signed();
            (signed % grain == 0).then(|| zigzag(signed / grain))
        };
        let whole = if is_counter { difference } else { zigzag(difference.cast_signed()) };
        match divided {
            Some(code) => put_varint(out, code << 1 | 1),
            None if whole >> 63 == 0 => put_varint(out, whole << 1),
            None => {
                out.push(0);
                out.extend_from_slice(&to.to_le_bytes());
            }
        }
    }

    pub(super) fn decode_delta(
        &self,
        column: usize,
        from: u64,
        input: &mut Input<'_>,
    ) -> Option<u64> {
        let is_counter = self.counters >> column & 1 == 1;
        let grain = u64::from(self.grains[column]);
        let code = input.varint()?;
        let signless = |code: u64| if is_counter { code } else { unzigzag(code).cast_unsigned() };
        if grain == 1 {
            return Some(from.wrapping_add(signless(code)));
        }
        match (code, code & 1) {
            (0, _) => input.array().map(u64::from_le_bytes),
            (_, 1) => Some(from.wrapping_add(signless(code >> 1).wrapping_mul(grain))),
            _ => Some(from.wrapping_add(signless(code >> 1))),
        }
    }
}
