//! How rows become bytes while they are appended.
//!
//! A row is written as what differs from the row before it:
//!
//! ```text
//! row      := count << 2 | 1                 up to 63 rows on time in which nothing changed
//!           | header [irregular] delta*      header = varint((changed ^ before) << 2 | irregular)
//! irregular:= flags [time] [presence] [restarts]
//! ```
//!
//! `changed` are the columns that are not what was expected of them, `before` those of the last row
//! that had any: what works changes the same columns again and again, and takes one byte to say so.
//! `time` is there when the row is not exactly one step after the one before (zigzag of the
//! difference, in ms), `presence` when columns came or went (bitmap of those), `restarts` when
//! counters started anew (bitmap of those). One delta follows for each changed column. Most cgroups
//! idle, memory moves by pages and kernels count CPU time in microseconds on v2: an idle row costs
//! 1/63 of a byte, and deltas that are multiples of their unit's grain are divided by it.
//!
//! Some columns follow from others ([`Expectations`]): kernel time is what of the CPU time is not user
//! time, and memory that was taken is anonymous memory in use, mostly. What is written of them is
//! how far off that is. It takes a fifth off what a row costs.

use kubemonitor_model::{EntityKind, MAX_COLUMNS, Metric, MetricKind, Unit, UnixMillis};

/// A point in the stream: the row that the next one is written against.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) at: UnixMillis,
    /// Columns that are present.
    pub(crate) present: u64,
    /// Counter columns that started anew at this row.
    pub(crate) restarted: u64,
    /// Values in column order. An absent column keeps what it last was.
    pub(crate) values: Box<[u64]>,
}

impl Point {
    /// Where a stream begins, so that its first row falls on `first` without a time token.
    pub(crate) fn origin(kind: EntityKind, first: UnixMillis, step_ms: u32) -> Self {
        Self {
            at: first.minus(i64::from(step_ms)),
            present: 0,
            restarted: 0,
            values: vec![0; kind.metrics().len()].into(),
        }
    }

    /// Starts over, as [`Point::origin`] would.
    pub(crate) fn rewind(&mut self, first: UnixMillis, step_ms: u32) {
        self.at = first.minus(i64::from(step_ms));
        self.present = 0;
        self.restarted = 0;
    }

    /// Becomes what another point of the same kind is, without taking memory.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        (self.at, self.present, self.restarted) = (other.at, other.present, other.restarted);
        self.values.copy_from_slice(&other.values);
    }

    /// The value in a column; `None` where it is absent.
    pub(crate) fn column(&self, column: usize) -> Option<u64> {
        (self.present >> column & 1 == 1).then(|| self.values[column])
    }

    /// The row as something to append.
    pub(crate) fn as_next(&self) -> Next<'_> {
        let Self { at, present, restarted, ref values } = *self;
        Next { at, present, restarted, values }
    }

    /// Becomes the next row, which differs in these columns.
    fn move_to(&mut self, next: Next<'_>, mut columns: u64) {
        self.at = next.at;
        self.present = next.present;
        self.restarted = next.restarted;
        while columns != 0 {
            let column = columns.trailing_zeros() as usize;
            columns &= columns - 1;
            self.values[column] = next.values[column];
        }
    }

    fn clear(&mut self, mut columns: u64) {
        while columns != 0 {
            if let Some(value) = self.values.get_mut(columns.trailing_zeros() as usize) {
                *value = 0;
            }
            columns &= columns - 1;
        }
    }
}

/// The places in which two rows of one kind differ.
pub(crate) fn different(one: &[u64], other: &[u64]) -> u64 {
    let places = one.iter().zip(other).enumerate();
    places.fold(0, |differ, (place, (one, other))| differ | u64::from(one != other) << place)
}

/// What a column's new value is written against. A column that comes back counts from 0: what it
/// was before it went may lie in rows that came late, which the appending side has not seen.
fn base(last: &Point, returned: u64, column: usize) -> u64 {
    if returned >> column & 1 == 1 { 0 } else { last.values.get(column).copied().unwrap_or(0) }
}

/// How the columns of one kind are coded.
#[derive(Clone, Copy)]
pub(crate) struct Coding {
    /// Counters only grow: their deltas need no sign.
    counters: u64,
    /// Per column, what deltas are usually multiples of; 1 where nothing is known.
    grains: [u16; MAX_COLUMNS],
    expectations: Expectations,
}

/// Which columns follow from which. All that a column follows from come before it.
#[derive(Clone, Copy, Default)]
struct Expectations {
    cpu: u64,
    cpu_user: u64,
    cpu_system: u64,
    memory: u64,
    working_set: u64,
    rss: u64,
    file: u64,
    /// Those that follow from others.
    all: u64,
}

/// What the columns that others follow from grew by in a row, as far as it was gone through.
#[derive(Clone, Copy, Default)]
struct Grown {
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
    fn growth(&self, column: u64, grown: &Grown) -> i64 {
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

    fn note(&self, column: u64, from: u64, to: u64, grown: &mut Grown) {
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

    fn encode_delta(&self, column: usize, from: u64, to: u64, out: &mut Vec<u8>) {
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

    fn decode_delta(&self, column: usize, from: u64, input: &mut Input<'_>) -> Option<u64> {
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

const TIME: u8 = 1;
const PRESENCE: u8 = 2;
const RESTARTS: u8 = 4;

/// Appends rows to a buffer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Encoder {
    /// The buffer ends in an idle run.
    idle: bool,
    /// The columns that changed in the last row that had any.
    before: u64,
}

/// The two lowest bits of a row's first byte.
const FORM: u8 = 0b11;
/// A row on time with the columns it had.
const REGULAR: u8 = 0;
/// Rows in which nothing changed; the other bits count them.
const IDLE: u8 = 1;
/// A row with flags behind the header.
const IRREGULAR: u8 = 2;
/// What one byte of idle rows counts up to.
const MAX_IDLE: u8 = 63;
/// Columns in the first byte of a header.
const HEADER_COLUMNS: u32 = 5;

impl Encoder {
    /// Appends `next`, which comes after `last`, and moves `last` there.
    pub(crate) fn append(
        &mut self,
        coding: &Coding,
        step_ms: u32,
        last: &mut Point,
        next: Next<'_>,
        out: &mut Vec<u8>,
    ) {
        let returned = next.present & !last.present;
        let differs = (different(&last.values, next.values) | returned) & next.present;
        let (mut changed, mut grown) = (0_u64, Grown::default());
        let mut expected = [0; MAX_COLUMNS];
        // Of all others nothing is expected but what they are.
        let mut columns = if differs == 0 { 0 } else { differs | coding.expectations.all };
        columns &= next.present;
        while columns != 0 {
            let column = columns.trailing_zeros() as usize;
            let bit = 1 << column;
            columns &= columns - 1;
            let (from, to) = (base(last, returned, column), next.values[column]);
            let mut awaited = from;
            if returned & bit == 0 {
                let growth = coding.expectations.growth(bit, &grown);
                awaited = from.wrapping_add_signed(growth);
                coding.expectations.note(bit, from, to, &mut grown);
            }
            expected[column] = awaited;
            changed |= if to == awaited { 0 } else { bit };
        }
        let late_ms = next.at.since(last.at) - i64::from(step_ms);
        let flag = |raised, flag| if raised { flag } else { 0 };
        let irregular = flag(late_ms != 0, TIME)
            | flag(next.present != last.present, PRESENCE)
            | flag(next.restarted != 0, RESTARTS);

        debug_assert!(
            changed != 0 || differs & !returned == 0,
            "what others follow from follows from none"
        );
        if changed == 0 && irregular == 0 {
            self.append_idle(out);
        } else {
            self.idle = false;
            let form = if irregular == 0 { REGULAR } else { IRREGULAR };
            put_header(out, changed ^ self.before, form);
            if changed != 0 && irregular & PRESENCE == 0 {
                self.before = changed;
            }
            if irregular != 0 {
                out.push(irregular);
                if irregular & TIME != 0 {
                    put_varint(out, zigzag(late_ms));
                }
                if irregular & PRESENCE != 0 {
                    put_varint(out, next.present ^ last.present);
                }
                if irregular & RESTARTS != 0 {
                    put_varint(out, next.restarted);
                }
            }
            while changed != 0 {
                let column = changed.trailing_zeros() as usize;
                changed &= changed - 1;
                coding.encode_delta(column, expected[column], next.values[column], out);
            }
        }
        last.move_to(next, differs);
    }

    fn append_idle(&mut self, out: &mut Vec<u8>) {
        match out.last_mut().filter(|run| self.idle && **run >> 2 < MAX_IDLE) {
            Some(run) => *run += 1 << 2,
            None => out.push(1 << 2 | IDLE),
        }
        self.idle = true;
    }
}

/// A row to append.
#[derive(Clone, Copy)]
pub(crate) struct Next<'a> {
    pub(crate) at: UnixMillis,
    pub(crate) present: u64,
    pub(crate) restarted: u64,
    pub(crate) values: &'a [u64],
}

/// Reads rows back, in order.
pub(crate) struct Decoder<'a> {
    coding: &'static Coding,
    step_ms: u32,
    idle_left: u8,
    /// The columns that changed in the last row that had any.
    before: u64,
    input: Input<'a>,
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(kind: EntityKind, step_ms: u32, bytes: &'a [u8]) -> Self {
        Self { coding: Coding::of(kind), step_ms, idle_left: 0, before: 0, input: Input(bytes) }
    }

    /// Moves `point` to the next row; `None` after the last one (or where bytes are broken).
    pub(crate) fn advance(&mut self, point: &mut Point) -> Option<()> {
        if self.idle_left == 0 {
            if self.input.0.is_empty() {
                return None;
            }
            let first = self.input.byte()?;
            match first & FORM {
                IDLE => self.idle_left = first >> 2,
                REGULAR | IRREGULAR => {
                    let changed = self.input.columns(first)? ^ self.before;
                    return self.changed_row(point, changed, first & FORM == IRREGULAR);
                }
                _ => return None,
            }
        }
        self.idle_left = self.idle_left.checked_sub(1)?;
        point.at = after(point.at, self.step_ms, 0);
        point.restarted = 0;
        Some(())
    }

    fn changed_row(&mut self, point: &mut Point, changed: u64, irregular: bool) -> Option<()> {
        let (mut late_ms, mut returned, mut came_or_went) = (0, 0, false);
        point.restarted = 0;
        if irregular {
            let flags = self.input.byte()?;
            if flags & TIME != 0 {
                late_ms = unzigzag(self.input.varint()?);
            }
            if flags & PRESENCE != 0 {
                came_or_went = true;
                let present = point.present ^ self.input.varint()?;
                returned = present & !point.present;
                point.present = present;
            }
            if flags & RESTARTS != 0 {
                point.restarted = self.input.varint()?;
            }
        }
        if changed != 0 && !came_or_went {
            self.before = changed;
        }
        point.clear(returned & !changed);
        let expectations = &self.coding.expectations;
        let mut grown = Grown::default();
        let mut columns = changed | (expectations.all & point.present & !returned);
        while columns != 0 {
            let column = columns.trailing_zeros() as usize;
            let bit = 1 << column;
            columns &= columns - 1;
            let from = base(point, returned, column);
            let mut value = from;
            if returned & bit == 0 {
                value = from.wrapping_add_signed(expectations.growth(bit, &grown));
            }
            if changed & bit != 0 {
                value = self.coding.decode_delta(column, value, &mut self.input)?;
            }
            if returned & bit == 0 {
                expectations.note(bit, from, value, &mut grown);
            }
            *point.values.get_mut(column)? = value;
        }
        point.at = after(point.at, self.step_ms, late_ms);
        Some(())
    }
}

fn after(at: UnixMillis, step_ms: u32, late_ms: i64) -> UnixMillis {
    UnixMillis(at.0.saturating_add(i64::from(step_ms)).saturating_add(late_ms))
}

/// Bytes still to be read.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// The columns of a header, which can take 66 bits with its form: the first byte has five of
    /// them, a varint the rest.
    fn columns(&mut self, first: u8) -> Option<u64> {
        let low = u64::from(first >> 2 & 0x1f);
        let high = if first < 0x80 { 0 } else { self.varint()? };
        Some(low | high << HEADER_COLUMNS)
    }
}

fn put_header(out: &mut Vec<u8>, columns: u64, form: u8) {
    #[expect(clippy::cast_possible_truncation, reason = "masked to five bits")]
    let first = ((columns & 0x1f) << 2) as u8 | form;
    let high = columns >> HEADER_COLUMNS;
    if high == 0 {
        out.push(first);
    } else {
        out.push(first | 0x80);
        put_varint(out, high);
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        #[expect(clippy::cast_possible_truncation, reason = "the low seven bits are meant")]
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 0x80")]
    out.push(value as u8);
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

fn unzigzag(code: u64) -> i64 {
    (code >> 1).cast_signed() ^ -(code & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KIND: EntityKind = EntityKind::Container;

    fn written(rows: &[(i64, u64, u64, Vec<u64>)]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut last = Point::origin(KIND, UnixMillis(rows[0].0), 5000);
        let mut encoder = Encoder::default();
        for (at, present, restarted, values) in rows {
            let next =
                Next { at: UnixMillis(*at), present: *present, restarted: *restarted, values };
            encoder.append(Coding::of(KIND), 5000, &mut last, next, &mut out);
        }
        out
    }

    #[test]
    fn an_idle_hour_costs_a_handful_of_bytes() {
        let values = vec![12_345_678; KIND.metrics().len()];
        let rows: Vec<_> =
            (0..720).map(|i| (i * 5000, u64::MAX >> 40, 0, values.clone())).collect();
        let first = written(&rows[..1]).len();
        assert!(written(&rows).len() - first <= 12);
    }

    #[test]
    fn page_sized_steps_and_microseconds_are_divided() {
        let columns = KIND.metrics().len();
        let mut one = vec![0; columns];
        let mut two = vec![0; columns];
        let memory = KIND.column(kubemonitor_model::Metric::MemoryUsage).unwrap();
        one[memory] = 1 << 30;
        two[memory] = (1 << 30) + 20 * 4096;
        let rows = [(0, 1 << memory, 0, one), (5000, 1 << memory, 0, two)];
        assert_eq!(written(&rows).len() - written(&rows[..1]).len(), 2);
    }

    #[test]
    fn what_follows_from_others_costs_nothing() {
        let set = |values: &[(Metric, u64)]| {
            let mut row = vec![0; KIND.metrics().len()];
            let mut present = 0;
            for &(metric, value) in values {
                let column = KIND.column(metric).unwrap();
                row[column] = value;
                present |= 1 << column;
            }
            (present, row)
        };
        let usage = |cpu_us: u64, pages: u64| {
            set(&[
                (Metric::CpuUsage, cpu_us * 1000),
                (Metric::CpuUser, cpu_us * 700),
                (Metric::CpuSystem, cpu_us * 300),
                (Metric::MemoryUsage, pages * 4096),
                (Metric::MemoryWorkingSet, pages * 4096),
                (Metric::MemoryRss, pages * 4096),
                (Metric::MemoryFile, 0),
            ])
        };
        let rows: Vec<_> = (0..4)
            .map(|i: u64| {
                let (present, values) = usage(1000 + i * 10, 500 + i);
                (i.cast_signed() * 5000, present, 0, values)
            })
            .collect();
        // A header, CPU time, user time and memory in use; the other four columns follow.
        assert_eq!(written(&rows).len() - written(&rows[..3]).len(), 4);
    }

    proptest! {
        #[test]
        fn what_was_appended_is_read_back(
            rows in prop::collection::vec(
                (0i64..20_000, any::<u64>(), prop_oneof![Just(0), any::<u64>()],
                 prop::collection::vec(prop_oneof![Just(7u64), any::<u64>(), 0u64..100_000], 24)),
                1..40,
            ),
            steady in any::<bool>(),
        ) {
            let columns = KIND.metrics().len();
            let mask = (1u64 << columns) - 1;
            let mut at = 1_000_000;
            let rows: Vec<_> = rows.into_iter().map(|(gap, present, restarted, mut values)| {
                at += if steady { 5000 } else { gap + 1 };
                values.resize(columns, 3);
                (at, present & mask, restarted & mask, values)
            }).collect();
            let bytes = written(&rows);
            let mut point = Point::origin(KIND, UnixMillis(rows[0].0), 5000);
            let mut decoder = Decoder::new(KIND, 5000, &bytes);
            for (at, present, restarted, values) in &rows {
                prop_assert!(decoder.advance(&mut point).is_some());
                prop_assert_eq!((point.at.0, point.present, point.restarted), (*at, *present, *restarted));
                for (column, value) in values.iter().enumerate() {
                    if present >> column & 1 == 1 {
                        prop_assert_eq!(point.values[column], *value);
                    }
                }
            }
            prop_assert!(decoder.advance(&mut point).is_none());
        }

        #[test]
        fn broken_bytes_end_the_stream_and_nothing_else(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut point = Point::origin(KIND, UnixMillis(0), 5000);
            let mut decoder = Decoder::new(KIND, 5000, &bytes);
            let mut rows = 0;
            while decoder.advance(&mut point).is_some() { rows += 1; }
            prop_assert!(rows <= bytes.len() * 63);
        }
    }
}
