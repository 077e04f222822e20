//! When a node's ticks were truly read, and which frames they came in.

use std::collections::VecDeque;

use kubemonitor_model::{Tick, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::{rollup::bucket_end, sample::TimeRange};

/// When one tick was read, by the clock of its collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReadTime {
    /// Where the tick stands in the node's history.
    pub(crate) at: UnixMillis,
    /// Which clock; times of two clocks tell nothing together. `None` where it was not kept.
    clock: Option<u32>,
    /// How long after `at`, by that clock.
    delay_us: i64,
    /// The frame it came in, see [`frame_tag`].
    frame: u32,
}

impl ReadTime {
    /// What a tick says.
    pub(crate) fn of(tick: &Tick) -> Self {
        Self {
            at: tick.at,
            clock: Some(tick.clock()),
            delay_us: tick.read_delay_us,
            frame: frame_tag(tick.instance, tick.sequence),
        }
    }

    /// The moment of the read, told by how long it was after `at`.
    pub(crate) fn told_from(self, at: UnixMillis) -> Self {
        let earlier_us = self.at.since(at).saturating_mul(1000);
        Self { at, delay_us: self.delay_us.saturating_add(earlier_us), ..self }
    }

    /// Microseconds from `earlier` to this read; `None` where that is not known or not positive.
    fn since(self, earlier: Self) -> Option<u64> {
        let nominal = self.at.since(earlier.at).saturating_mul(1000);
        let elapsed = nominal.saturating_add(self.delay_us.saturating_sub(earlier.delay_us));
        let is_known = self.clock.is_some() && self.clock == earlier.clock;
        u64::try_from(elapsed).ok().filter(|&us| us > 0 && is_known)
    }
}

/// Tells a collector's frame from others by few enough bits to keep for each tick: of a thousand
/// frames that come out of order, one in four million would be taken for another.
pub(crate) fn frame_tag(instance: u64, sequence: u64) -> u32 {
    let mixed = (instance ^ sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ mixed >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    u32::try_from(mixed >> 32).unwrap_or(u32::MAX)
}

/// The read times of a node's ticks. One table serves all the node's entities: they are read within
/// few milliseconds, and those that are not say how much later.
#[derive(Debug, Default)]
pub(crate) struct ReadTimes {
    /// In order of time.
    ticks: VecDeque<Packed>,
    /// What the packed ones refer to: nearly always one.
    bases: Vec<Base>,
}

/// A read time in 16 bytes: there is one for each tick of each node.
#[derive(Clone, Copy, Debug)]
struct Packed {
    at: UnixMillis,
    frame: u32,
    base: u8,
    /// Beyond the base's, 24 bits with a sign.
    delay_us: [u8; 3],
}

/// A clock, and about how far it is from the ticks: a wall clock that is set by more than
/// [`MOST_DELAY_US`] begins another.
#[derive(Clone, Copy, Debug)]
struct Base {
    clock: Option<u32>,
    delay_us: i64,
}

/// Bases that may be there before those that nothing refers to are looked for.
const USUAL_BASES: usize = 8;

/// Bases that are kept. Who changes its clock more often than that within the retention is told no
/// rates for what comes then.
const MOST_BASES: u8 = u8::MAX;

/// How far a delay may be from its base's.
const MOST_DELAY_US: i64 = (1 << 23) - 1;

impl ReadTimes {
    /// Notes a tick; `false` when one of that time is known already.
    pub(crate) fn note(&mut self, time: ReadTime) -> bool {
        match self.ticks.binary_search_by_key(&time.at, |tick| tick.at) {
            Ok(_) => false,
            Err(place) => {
                let packed = self.packed(time);
                self.ticks.insert(place, packed);
                true
            }
        }
    }

    /// When the tick is that came in a frame. Frames that come again come soon.
    pub(crate) fn of_frame(&self, frame: u32) -> Option<UnixMillis> {
        self.ticks.iter().rev().find(|tick| tick.frame == frame).map(|tick| tick.at)
    }

    /// Whether a tick at that time was noted.
    pub(crate) fn knows(&self, at: UnixMillis) -> bool {
        self.find(at).is_some()
    }

    /// The last tick up to a moment, and the first one after it.
    pub(crate) fn around(&self, at: UnixMillis) -> (Option<UnixMillis>, Option<UnixMillis>) {
        let next = self.ticks.partition_point(|tick| tick.at <= at);
        let tick = |place: usize| self.ticks.get(place).map(|tick| tick.at);
        (next.checked_sub(1).and_then(tick), tick(next))
    }

    /// True time between two rows, in microseconds; 0 when it is not known or would not be positive.
    pub(crate) fn elapsed_us(&self, from: UnixMillis, to: UnixMillis) -> u64 {
        match (self.find(from), self.find(to)) {
            (Some(from), Some(to)) => to.since(from).unwrap_or(0),
            // A row that no tick brought (somebody pushed it) was read when it says.
            _ => u64::try_from(to.since(from).saturating_mul(1000)).unwrap_or(0),
        }
    }

    /// The ticks not before `from`.
    pub(crate) fn since(&self, from: UnixMillis) -> Vec<ReadTime> {
        let start = self.ticks.partition_point(|tick| tick.at < from);
        self.ticks.range(start..).map(|&tick| self.unpacked(tick)).collect()
    }

    /// When each bucket's last tick in a range was read, told from the end of its bucket.
    pub(crate) fn of_buckets(&self, range: TimeRange, step_ms: i64) -> Vec<ReadTime> {
        let first = self.ticks.partition_point(|tick| tick.at < range.from);
        let ticks = self.ticks.range(first..).take_while(|tick| tick.at <= range.to);
        let mut times: Vec<ReadTime> = Vec::new();
        for &tick in ticks {
            let time = self.unpacked(tick).told_from(bucket_end(tick.at, step_ms));
            times.pop_if(|last| last.at == time.at);
            times.push(time);
        }
        times
    }

    /// Forgets ticks before `horizon`.
    pub(crate) fn drop_before(&mut self, horizon: UnixMillis) {
        let before = self.ticks.len();
        while self.ticks.front().is_some_and(|tick| tick.at < horizon) {
            self.ticks.pop_front();
        }
        if self.ticks.len() < before {
            self.drop_unused_bases();
        }
    }

    /// Forgets ticks after `end`. Gives the last one before.
    pub(crate) fn drop_after(&mut self, end: UnixMillis) -> Option<UnixMillis> {
        while self.ticks.back().is_some_and(|tick| tick.at > end) {
            self.ticks.pop_back();
        }
        self.drop_unused_bases();
        self.ticks.back().map(|tick| tick.at)
    }

    /// How many ticks are known.
    pub(crate) fn ticks(&self) -> usize {
        self.ticks.len()
    }

    /// Memory the table takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.ticks.capacity() * size_of::<Packed>() + self.bases.capacity() * size_of::<Base>()
    }

    fn find(&self, at: UnixMillis) -> Option<ReadTime> {
        // Nearly all that is asked is of the two newest.
        let newest = self.ticks.iter().rev().take(2).find(|tick| tick.at == at);
        let found = newest.or_else(|| {
            let place = self.ticks.binary_search_by_key(&at, |tick| tick.at).ok()?;
            self.ticks.get(place)
        });
        found.map(|&tick| self.unpacked(tick))
    }

    fn packed(&mut self, time: ReadTime) -> Packed {
        let beyond = |base: &Base| {
            let beyond = time.delay_us.saturating_sub(base.delay_us);
            let fits = base.clock == time.clock && beyond.saturating_abs() <= MOST_DELAY_US;
            fits.then_some(beyond)
        };
        let bases = (0..MOST_BASES).zip(&self.bases);
        // The newest one of those that fit, as it nearly always does.
        let fitting = bases.rev().find_map(|(place, base)| Some((place, beyond(base)?)));
        let (base, beyond) = fitting.unwrap_or_else(|| {
            let place = u8::try_from(self.bases.len()).unwrap_or(MOST_BASES);
            if place < MOST_BASES {
                self.bases.push(Base { clock: time.clock, delay_us: time.delay_us });
            }
            (place, 0)
        });
        let [a, b, c, ..] = beyond.to_le_bytes();
        Packed { at: time.at, frame: time.frame, base, delay_us: [a, b, c] }
    }

    fn unpacked(&self, tick: Packed) -> ReadTime {
        let Packed { at, frame, base, delay_us: [a, b, c] } = tick;
        let unknown = Base { clock: None, delay_us: 0 };
        let Base { clock, delay_us } = *self.bases.get(usize::from(base)).unwrap_or(&unknown);
        let beyond = i64::from(i32::from_le_bytes([0, a, b, c]) >> 8);
        ReadTime { at, clock, delay_us: delay_us.saturating_add(beyond), frame }
    }

    fn drop_unused_bases(&mut self) {
        if self.bases.len() <= USUAL_BASES {
            return;
        }
        let times = self.since(UnixMillis(i64::MIN));
        self.bases.clear();
        self.ticks.clear();
        for time in times {
            let packed = self.packed(time);
            self.ticks.push_back(packed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(at: i64, delay_us: i64) -> ReadTime {
        ReadTime { at: UnixMillis(at), clock: Some(7), delay_us, frame: 0 }
    }

    #[test]
    fn frames_are_told_from_each_other() {
        let mut times = ReadTimes::default();
        for sequence in 0..1000_i64 {
            let frame = frame_tag(7, sequence.unsigned_abs());
            times.note(ReadTime { frame, ..time(sequence * 5000, 0) });
        }
        for sequence in 0..1000 {
            let at = UnixMillis(sequence * 5000);
            assert_eq!(times.of_frame(frame_tag(7, sequence.unsigned_abs())), Some(at));
            assert_eq!(times.of_frame(frame_tag(8, sequence.unsigned_abs())), None);
        }
    }

    #[test]
    fn elapsed_time_is_the_time_between_the_reads() {
        let mut times = ReadTimes::default();
        assert!(times.note(time(5000, 300)));
        assert!(times.note(time(10_000, 2_300)));
        assert!(!times.note(time(5000, 1)));
        assert_eq!(times.elapsed_us(UnixMillis(5000), UnixMillis(10_000)), 5_002_000);
        assert_eq!(times.elapsed_us(UnixMillis(10_000), UnixMillis(5000)), 0);
    }

    #[test]
    fn rows_that_no_tick_brought_were_read_when_they_say() {
        let mut times = ReadTimes::default();
        times.note(time(5000, 300));
        assert_eq!(times.elapsed_us(UnixMillis(4000), UnixMillis(5000)), 1_000_000);
        assert_eq!(times.elapsed_us(UnixMillis(1000), UnixMillis(4000)), 3_000_000);
    }

    #[test]
    fn a_wall_clock_that_is_set_changes_nothing() {
        // By half a minute, by two hours and back by an hour, 5 s after one another.
        for set_by_ms in [30_000, 7_200_000, -3_600_000] {
            let mut times = ReadTimes::default();
            times.note(time(10_000_000, 400));
            times.note(time(10_005_000 + set_by_ms, 500 - set_by_ms * 1000));
            let [first, second] = [10_000_000, 10_005_000 + set_by_ms].map(UnixMillis);
            assert_eq!(times.elapsed_us(first, second), 5_000_100);
            // Where it was set back, the later read is the earlier tick.
            assert_eq!(times.elapsed_us(second, first), 0);
        }
    }

    #[test]
    fn between_two_clocks_nothing_is_known() {
        let mut times = ReadTimes::default();
        times.note(time(5000, 0));
        times.note(ReadTime { clock: Some(8), ..time(10_000, 0) });
        assert_eq!(times.elapsed_us(UnixMillis(5000), UnixMillis(10_000)), 0);
    }

    #[test]
    fn where_a_tick_stands_does_not_matter() {
        let mut times = ReadTimes::default();
        times.note(time(5000, 300));
        times.note(time(3_605_000, 400).told_from(UnixMillis(10_000)));
        assert_eq!(times.elapsed_us(UnixMillis(5000), UnixMillis(10_000)), 3_600_000_100);
    }

    #[test]
    fn a_bucket_was_read_when_its_last_tick_was() {
        let mut times = ReadTimes::default();
        for at in [5000, 55_000, 60_000, 65_000, 118_000] {
            times.note(time(at, 300));
        }
        let buckets = times.of_buckets(TimeRange { from: UnixMillis(1), ..TimeRange::ALL }, 60_000);
        assert_eq!(buckets, [time(60_000, 300), time(120_000, 300 - 2_000_000)]);
    }

    #[test]
    fn late_ticks_find_their_place() {
        let mut times = ReadTimes::default();
        for at in [5000, 15_000, 10_000] {
            assert!(times.note(time(at, 0)));
        }
        times.drop_before(UnixMillis(10_000));
        assert!(!times.knows(UnixMillis(5000)));
        assert!(times.knows(UnixMillis(10_000)) && times.knows(UnixMillis(15_000)));
    }

    #[test]
    fn what_is_saved_is_what_was_noted_and_clocks_are_forgotten_with_their_ticks() {
        let mut times = ReadTimes::default();
        let noted: Vec<ReadTime> = (0..1000)
            .map(|number: i64| {
                let far = if number == 7 { i64::MIN } else { 0 };
                let clock = u32::try_from(number / 50).ok();
                let delay_us = number % 2 * 3_600_000_000 - number % 3 * 1_700_000 + far;
                ReadTime { clock, ..time(number * 5000, delay_us) }
            })
            .collect();
        for &time in &noted {
            assert!(times.note(time));
        }
        assert_eq!(times.since(UnixMillis(i64::MIN)), noted);
        times.drop_before(UnixMillis(990 * 5000));
        assert_eq!(times.since(UnixMillis(i64::MIN)), noted[990..]);
        assert!(times.bases.len() <= 4, "{}", times.bases.len());
    }

    #[test]
    fn who_has_a_new_clock_at_each_tick_takes_no_more_memory_and_gets_no_rates() {
        let mut times = ReadTimes::default();
        for number in 0..2000 {
            let clock = u32::try_from(number / 2).ok();
            times.note(ReadTime { clock, ..time(number * 5000, 0) });
        }
        assert_eq!(times.bases.len(), usize::from(MOST_BASES));
        let elapsed =
            |tick: i64| times.elapsed_us(UnixMillis(tick * 5000), UnixMillis((tick + 1) * 5000));
        assert_eq!([elapsed(0), elapsed(1), elapsed(1000)], [5_000_000, 0, 0]);
    }
}
