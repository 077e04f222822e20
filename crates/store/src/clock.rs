//! When a node's ticks were truly read.

use std::collections::VecDeque;

use kubemonitor_model::{Tick, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::{rollup::bucket_end, sample::TimeRange};

/// When one tick was read, by the clock of its collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReadTime {
    /// The tick.
    pub(crate) at: UnixMillis,
    /// Which clock; times of two clocks tell nothing together.
    clock: u32,
    /// How long after the tick, by that clock.
    delay_us: i64,
}

impl ReadTime {
    /// What a tick says.
    pub(crate) fn of(tick: &Tick) -> Self {
        Self { at: tick.at, clock: tick.clock(), delay_us: tick.read_delay_us }
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
        u64::try_from(elapsed).ok().filter(|&us| us > 0 && self.clock == earlier.clock)
    }
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
    base: u32,
    /// Beyond the base's.
    delay_us: i32,
}

/// A clock, and about how far it is from the ticks: a wall clock that is set by more than half an
/// hour begins another.
#[derive(Clone, Copy, Debug)]
struct Base {
    clock: u32,
    delay_us: i64,
}

/// Bases that may be there before those that nothing refers to are looked for.
const USUAL_BASES: usize = 8;

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

    /// Whether a tick at that time was noted.
    pub(crate) fn knows(&self, at: UnixMillis) -> bool {
        self.find(at).is_some()
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
        while self.ticks.front().is_some_and(|tick| tick.at < horizon) {
            self.ticks.pop_front();
        }
        self.drop_unused_bases();
    }

    /// Forgets ticks after `end`. Gives the last one before.
    pub(crate) fn drop_after(&mut self, end: UnixMillis) -> Option<UnixMillis> {
        while self.ticks.back().is_some_and(|tick| tick.at > end) {
            self.ticks.pop_back();
        }
        self.drop_unused_bases();
        self.ticks.back().map(|tick| tick.at)
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
        let from = |base: &Base| {
            let fits = i32::try_from(time.delay_us.saturating_sub(base.delay_us)).ok();
            fits.filter(|_| base.clock == time.clock)
        };
        let bases = self.bases.iter().enumerate().rev();
        let fitting = bases.filter_map(|(place, base)| Some((place, from(base)?))).next();
        let (base, delay_us) = fitting.unwrap_or_else(|| {
            self.bases.push(Base { clock: time.clock, delay_us: time.delay_us });
            (self.bases.len() - 1, 0)
        });
        let base = u32::try_from(base).expect("there are no more bases than ticks");
        Packed { at: time.at, base, delay_us }
    }

    fn unpacked(&self, tick: Packed) -> ReadTime {
        let Base { clock, delay_us } = self.bases[tick.base as usize];
        let delay_us = delay_us.saturating_add(i64::from(tick.delay_us));
        ReadTime { at: tick.at, clock, delay_us }
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

    const MINUTE_US: i64 = 60_000_000;

    fn time(at: i64, delay_us: i64) -> ReadTime {
        ReadTime { at: UnixMillis(at), clock: 7, delay_us }
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
        // Half a minute and two hours ahead, and an hour behind, 5 s after one another.
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
        times.note(ReadTime { clock: 8, ..time(10_000, 0) });
        assert_eq!(times.elapsed_us(UnixMillis(5000), UnixMillis(10_000)), 0);
    }

    #[test]
    fn a_bucket_was_read_when_its_last_tick_was() {
        let mut times = ReadTimes::default();
        for at in [5000, 55_000, 60_000, 65_000, 118_000] {
            times.note(time(at, 300));
        }
        let buckets = times.of_buckets(TimeRange { from: UnixMillis(1), ..TimeRange::ALL }, 60_000);
        assert_eq!(buckets, [time(60_000, 300), time(120_000, 300 - 2_000_000)]);
        buckets.iter().for_each(|&bucket| assert!(times.note(bucket) || bucket.at.0 == 60_000));
        assert_eq!(times.elapsed_us(UnixMillis(60_000), UnixMillis(120_000)), 58_000_000);
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
            .map(|number: i64| ReadTime {
                at: UnixMillis(number * 5000),
                clock: u32::try_from(number / 10).unwrap(),
                delay_us: (number % 10) * 45 * MINUTE_US - i64::from(number == 7) * (i64::MAX / 2),
            })
            .collect();
        noted.iter().for_each(|&time| assert!(times.note(time)));
        assert_eq!(times.since(UnixMillis(i64::MIN)), noted);
        times.drop_before(UnixMillis(990 * 5000));
        assert_eq!(times.since(UnixMillis(i64::MIN)), noted[990..]);
        assert!(times.bases.len() <= 10, "{}", times.bases.len());
    }
}
