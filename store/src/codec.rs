//! How rows become bytes while they are appended.
//!
//! A row is written as what differs from the row before it:
//!
//! ```text
//! row      := 0x00 count                     `count` rows on time in which nothing changed
//!           | header [irregular] delta*      header = varint(changed columns << 1 | irregular)
//! irregular:= flags [time] [presence] [restarts]
//! ```
//!
//! `time` is there when the row is not exactly one step after the one before (zigzag of the
//! difference, in ms), `presence` when columns came or went (bitmap of those), `restarts` when
//! counters started anew (bitmap of those). One delta follows for each changed column. Most cgroups
//! idle, memory moves by pages and kernels count CPU time in microseconds on v2: an idle row costs
//! 1/255 of two bytes, and deltas that are multiples of their unit's grain are divided by it.

use kubemonitor_model::{EntityKind, MAX_COLUMNS, MetricKind, Unit, UnixMillis};

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

    /// The value in a column; `None` where it is absent.
    pub(crate) fn column(&self, column: usize) -> Option<u64> {
        (self.present >> column & 1 == 1).then(|| self.values[column])
    }

    /// The row as something to append.
    pub(crate) fn as_next(&self) -> Next<'_> {
        let Self { at, present, restarted, ref values } = *self;
        Next { at, present, restarted, values }
    }

    fn move_to(&mut self, next: Next<'_>) {
        self.at = next.at;
        self.present = next.present;
        self.restarted = next.restarted;
        let mut columns = next.present;
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
        Self { counters: kind.counter_columns(), grains }
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
    /// Where the count of the idle run at the end of the buffer is, if it ends in one.
    idle_run: Option<usize>,
}

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
        let mut changed = 0;
        let mut columns = next.present;
        while columns != 0 {
            let column = columns.trailing_zeros() as usize;
            columns &= columns - 1;
            let from = base(last, returned, column);
            changed |= u64::from(next.values[column] != from) << column;
        }
        let late_ms = next.at.since(last.at) - i64::from(step_ms);
        let flag = |raised, flag| if raised { flag } else { 0 };
        let irregular = flag(late_ms != 0, TIME)
            | flag(next.present != last.present, PRESENCE)
            | flag(next.restarted != 0, RESTARTS);

        if changed == 0 && irregular == 0 {
            self.append_idle(out);
        } else {
            self.idle_run = None;
            put_header(out, changed, irregular != 0);
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
                let from = base(last, returned, column);
                coding.encode_delta(column, from, next.values[column], out);
            }
        }
        last.move_to(next);
    }

    fn append_idle(&mut self, out: &mut Vec<u8>) {
        match self.idle_run {
            Some(place) if out[place] < u8::MAX => out[place] += 1,
            _ => {
                out.push(0);
                self.idle_run = Some(out.len());
                out.push(1);
            }
        }
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
    input: Input<'a>,
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(kind: EntityKind, step_ms: u32, bytes: &'a [u8]) -> Self {
        Self { coding: Coding::of(kind), step_ms, idle_left: 0, input: Input(bytes) }
    }

    /// Moves `point` to the next row; `None` after the last one (or where bytes are broken).
    pub(crate) fn advance(&mut self, point: &mut Point) -> Option<()> {
        if self.idle_left == 0 {
            if self.input.0.is_empty() {
                return None;
            }
            let (changed, irregular) = self.input.header()?;
            if changed != 0 || irregular {
                return self.changed_row(point, changed, irregular);
            }
            self.idle_left = self.input.byte()?;
        }
        self.idle_left = self.idle_left.checked_sub(1)?;
        point.at = after(point.at, self.step_ms, 0);
        point.restarted = 0;
        Some(())
    }

    fn changed_row(&mut self, point: &mut Point, changed: u64, irregular: bool) -> Option<()> {
        let (mut late_ms, mut returned) = (0, 0);
        point.restarted = 0;
        if irregular {
            let flags = self.input.byte()?;
            if flags & TIME != 0 {
                late_ms = unzigzag(self.input.varint()?);
            }
            if flags & PRESENCE != 0 {
                let present = point.present ^ self.input.varint()?;
                returned = present & !point.present;
                point.present = present;
            }
            if flags & RESTARTS != 0 {
                point.restarted = self.input.varint()?;
            }
        }
        point.clear(returned & !changed);
        let mut columns = changed;
        while columns != 0 {
            let column = columns.trailing_zeros() as usize;
            columns &= columns - 1;
            let from = base(point, returned, column);
            let value = self.coding.decode_delta(column, from, &mut self.input)?;
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

    /// `changed << 1 | irregular`, which can take 65 bits: the first byte carries the flag and six
    /// columns, a varint the rest.
    fn header(&mut self) -> Option<(u64, bool)> {
        let first = self.byte()?;
        let low = u64::from(first >> 1 & 0x3f);
        let high = if first < 0x80 { 0 } else { self.varint()? };
        Some((low | high << 6, first & 1 == 1))
    }
}

fn put_header(out: &mut Vec<u8>, changed: u64, irregular: bool) {
    #[expect(clippy::cast_possible_truncation, reason = "masked to six bits")]
    let first = ((changed & 0x3f) << 1) as u8 | u8::from(irregular);
    if changed >> 6 == 0 {
        out.push(first);
    } else {
        out.push(first | 0x80);
        put_varint(out, changed >> 6);
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
        assert!(written(&rows).len() - first <= 6);
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
            prop_assert!(rows <= bytes.len() * 255);
        }
    }
}
