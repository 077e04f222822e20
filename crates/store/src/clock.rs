//! When a node's ticks were truly read.

use std::collections::VecDeque;

use kubemonitor_model::UnixMillis;

/// A node's ticks and how long after each one the values were read. One table serves all the
/// node's entities: they are read within the same few milliseconds.
#[derive(Debug, Default)]
pub(crate) struct ReadTimes {
    /// In order of time.
    ticks: VecDeque<(UnixMillis, u32)>,
}

impl ReadTimes {
    /// Notes a tick; `false` when it is known already.
    pub(crate) fn note(&mut self, at: UnixMillis, delay_us: u64) -> bool {
        let delay_us = u32::try_from(delay_us).unwrap_or(u32::MAX);
        match self.ticks.binary_search_by_key(&at, |tick| tick.0) {
            Ok(_) => false,
            Err(place) => {
                self.ticks.insert(place, (at, delay_us));
                true
            }
        }
    }

    /// Whether a tick at that time was noted.
    pub(crate) fn knows(&self, at: UnixMillis) -> bool {
        self.ticks.binary_search_by_key(&at, |tick| tick.0).is_ok()
    }

    /// True time between two rows, in microseconds; 0 when it would not be positive.
    pub(crate) fn elapsed_us(&self, from: UnixMillis, to: UnixMillis) -> u64 {
        let nominal = to.since(from).saturating_mul(1000);
        let elapsed = nominal + self.delay_us(to) - self.delay_us(from);
        u64::try_from(elapsed).unwrap_or(0)
    }

    /// The ticks not before `from`, with their delays in microseconds.
    pub(crate) fn since(&self, from: UnixMillis) -> Vec<(UnixMillis, u32)> {
        let start = self.ticks.partition_point(|tick| tick.0 < from);
        self.ticks.range(start..).copied().collect()
    }

    /// Forgets ticks before `horizon`.
    pub(crate) fn drop_before(&mut self, horizon: UnixMillis) {
        while self.ticks.front().is_some_and(|tick| tick.0 < horizon) {
            self.ticks.pop_front();
        }
    }

    /// Forgets ticks after `end`. Gives the last one before.
    pub(crate) fn drop_after(&mut self, end: UnixMillis) -> Option<UnixMillis> {
        while self.ticks.back().is_some_and(|tick| tick.0 > end) {
            self.ticks.pop_back();
        }
        self.ticks.back().map(|tick| tick.0)
    }

    /// How many ticks are known.
    pub(crate) fn ticks(&self) -> usize {
        self.ticks.len()
    }

    /// Memory the table takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.ticks.capacity() * size_of::<(UnixMillis, u32)>()
    }

    /// A row that no tick brought (somebody pushed it) was read when it says.
    fn delay_us(&self, at: UnixMillis) -> i64 {
        // Nearly all that is asked is of the two newest.
        if let Some((_, delay_us)) = self.ticks.iter().rev().take(2).find(|tick| tick.0 == at) {
            return i64::from(*delay_us);
        }
        let place = self.ticks.binary_search_by_key(&at, |tick| tick.0);
        place.map_or(0, |place| i64::from(self.ticks[place].1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elapsed_time_is_the_time_between_the_reads() {
        let mut times = ReadTimes::default();
        assert!(times.note(UnixMillis(5000), 300));
        assert!(times.note(UnixMillis(10_000), 2_300));
        assert!(!times.note(UnixMillis(5000), 1));
        assert_eq!(times.elapsed_us(UnixMillis(5000), UnixMillis(10_000)), 5_002_000);
        assert_eq!(times.elapsed_us(UnixMillis(4000), UnixMillis(5000)), 1_000_300);
        assert_eq!(times.elapsed_us(UnixMillis(10_000), UnixMillis(5000)), 0);
    }

    #[test]
    fn late_ticks_find_their_place() {
        let mut times = ReadTimes::default();
        for at in [5000, 15_000, 10_000] {
            assert!(times.note(UnixMillis(at), 0));
        }
        times.drop_before(UnixMillis(10_000));
        assert!(!times.knows(UnixMillis(5000)));
        assert!(times.knows(UnixMillis(10_000)) && times.knows(UnixMillis(15_000)));
    }
}
