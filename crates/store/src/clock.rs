//! When a node's ticks were truly read.

use std::collections::VecDeque;

use kubemonitor_model::UnixMillis;
use serde::{Deserialize, Serialize};

/// A node's ticks and how long after each one the values were read. One table serves all the
/// node's entities: they are read within the same few milliseconds.
#[derive(Debug, Default)]
pub(crate) struct ReadTimes {
    /// In order of time.
    ticks: VecDeque<ReadTick>,
}

/// A tick that was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReadTick {
    /// Where it stands in the node's history.
    pub(crate) at: UnixMillis,
    /// How many microseconds after it the values were read.
    pub(crate) delay_us: u32,
    /// The frame it came in, see [`frame_tag`].
    pub(crate) frame: u32,
}

impl ReadTick {
    pub(crate) fn new(at: UnixMillis, delay_us: u64, frame: u32) -> Self {
        Self { at, delay_us: u32::try_from(delay_us).unwrap_or(u32::MAX), frame }
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

impl ReadTimes {
    /// Notes a tick; `false` when it is known already.
    pub(crate) fn note(&mut self, tick: ReadTick) -> bool {
        match self.ticks.binary_search_by_key(&tick.at, |tick| tick.at) {
            Ok(_) => false,
            Err(place) => {
                self.ticks.insert(place, tick);
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
        self.ticks.binary_search_by_key(&at, |tick| tick.at).is_ok()
    }

    /// The last tick up to a moment, and the first one after it.
    pub(crate) fn around(&self, at: UnixMillis) -> (Option<UnixMillis>, Option<UnixMillis>) {
        let next = self.ticks.partition_point(|tick| tick.at <= at);
        let tick = |place: usize| self.ticks.get(place).map(|tick| tick.at);
        (next.checked_sub(1).and_then(tick), tick(next))
    }

    /// True time between two rows, in microseconds; 0 when it would not be positive.
    pub(crate) fn elapsed_us(&self, from: UnixMillis, to: UnixMillis) -> u64 {
        let nominal = to.since(from).saturating_mul(1000);
        let elapsed = nominal + self.delay_us(to) - self.delay_us(from);
        u64::try_from(elapsed).unwrap_or(0)
    }

    /// The ticks not before `from`, with their delays in microseconds.
    pub(crate) fn since(&self, from: UnixMillis) -> Vec<ReadTick> {
        let start = self.ticks.partition_point(|tick| tick.at < from);
        self.ticks.range(start..).copied().collect()
    }

    /// Forgets ticks before `horizon`.
    pub(crate) fn drop_before(&mut self, horizon: UnixMillis) {
        while self.ticks.front().is_some_and(|tick| tick.at < horizon) {
            self.ticks.pop_front();
        }
    }

    /// Forgets ticks after `end`. Gives the last one before.
    pub(crate) fn drop_after(&mut self, end: UnixMillis) -> Option<UnixMillis> {
        while self.ticks.back().is_some_and(|tick| tick.at > end) {
            self.ticks.pop_back();
        }
        self.ticks.back().map(|tick| tick.at)
    }

    /// Memory the table takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.ticks.capacity() * size_of::<ReadTick>()
    }

    /// A row that no tick brought (somebody pushed it) was read when it says.
    fn delay_us(&self, at: UnixMillis) -> i64 {
        // Nearly all that is asked is of the two newest.
        if let Some(tick) = self.ticks.iter().rev().take(2).find(|tick| tick.at == at) {
            return i64::from(tick.delay_us);
        }
        let place = self.ticks.binary_search_by_key(&at, |tick| tick.at);
        place.map_or(0, |place| i64::from(self.ticks[place].delay_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(at: i64, delay_us: u64) -> ReadTick {
        ReadTick::new(UnixMillis(at), delay_us, 0)
    }

    #[test]
    fn frames_are_told_from_each_other() {
        let mut times = ReadTimes::default();
        for sequence in 0..1000 {
            let at = UnixMillis(sequence * 5000);
            times.note(ReadTick::new(at, 0, frame_tag(7, sequence.unsigned_abs())));
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
        assert!(times.note(tick(5000, 300)));
        assert!(times.note(tick(10_000, 2_300)));
        assert!(!times.note(tick(5000, 1)));
        assert_eq!(times.elapsed_us(UnixMillis(5000), UnixMillis(10_000)), 5_002_000);
        assert_eq!(times.elapsed_us(UnixMillis(4000), UnixMillis(5000)), 1_000_300);
        assert_eq!(times.elapsed_us(UnixMillis(10_000), UnixMillis(5000)), 0);
    }

    #[test]
    fn late_ticks_find_their_place() {
        let mut times = ReadTimes::default();
        for at in [5000, 15_000, 10_000] {
            assert!(times.note(tick(at, 0)));
        }
        times.drop_before(UnixMillis(10_000));
        assert!(!times.knows(UnixMillis(5000)));
        assert!(times.knows(UnixMillis(10_000)) && times.knows(UnixMillis(15_000)));
    }
}
