//! When to sample: on multiples of the interval on the wall clock, so that all nodes' samples of
//! one tick are of the same moment.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kubemonitor_model::{Interval, UnixMillis};

/// Microseconds since the Unix epoch: how late a tick is read matters below the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UnixMicros(pub(crate) i64);

impl UnixMicros {
    /// The wall clock's time.
    pub(crate) fn now() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }

    /// How long ago `earlier` was, in microseconds; 0 if the clock says it is still to come.
    pub(crate) fn since(self, earlier: UnixMillis) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0.saturating_mul(1000))).unwrap_or(0)
    }
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Sleep, then ask again.
    In(Duration),
    /// Sample, for this tick.
    Now(UnixMillis),
}

/// The ticks of one collector.
#[derive(Debug)]
pub(crate) struct Ticks {
    interval_us: i64,
    /// The tick waited for.
    next_us: Option<i64>,
}

impl Ticks {
    pub(crate) fn every(interval: Interval) -> Self {
        let interval_us = i64::try_from(interval.duration().as_micros()).unwrap_or(i64::MAX);
        Self { interval_us, next_us: None }
    }

    /// What to do at `now`. Whoever comes late gets the newest tick that has passed; those missed
    /// before it are left out, since several samples at once would say nothing that one does not.
    pub(crate) fn poll(&mut self, now: UnixMicros) -> Due {
        let passed = now.0 - now.0.rem_euclid(self.interval_us);
        let following = passed + self.interval_us;
        let next = match self.next_us {
            // A clock set back by little: wait for it, so that no tick comes twice. By more than
            // an interval: its new time holds.
            Some(next) if next - now.0 <= 2 * self.interval_us => next,
            _ => following,
        };
        if now.0 < next {
            self.next_us = Some(next);
            Due::In(Duration::from_micros(next.abs_diff(now.0)))
        } else {
            self.next_us = Some(following);
            Due::Now(UnixMillis(passed / 1000))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ticks every 5 s, and what they say at one time of the clock after another, in ms.
    fn poll(times: &[i64]) -> Vec<Due> {
        let mut ticks = Ticks::every(Interval::default());
        times.iter().map(|ms| ticks.poll(UnixMicros(ms * 1000))).collect()
    }

    fn wait(millis: u64) -> Due {
        Due::In(Duration::from_millis(millis))
    }

    fn tick(millis: i64) -> Due {
        Due::Now(UnixMillis(millis))
    }

    #[test]
    fn ticks_are_multiples_of_the_interval() {
        assert_eq!(
            poll(&[12_345, 15_001, 15_002, 20_000]),
            [wait(2_655), tick(15_000), wait(4_998), tick(20_000)]
        );
    }

    #[test]
    fn whoever_wakes_early_waits_on() {
        assert_eq!(poll(&[12_000, 14_999, 15_000]), [wait(3_000), wait(1), tick(15_000)]);
    }

    #[test]
    fn what_was_missed_is_left_out_and_does_not_bunch() {
        assert_eq!(
            poll(&[12_000, 33_000, 33_001, 35_000]),
            [wait(3_000), tick(30_000), wait(1_999), tick(35_000)]
        );
    }

    #[test]
    fn a_clock_set_forward_goes_on_at_once() {
        assert_eq!(
            poll(&[12_000, 15_000, 3_600_001, 3_600_002]),
            [wait(3_000), tick(15_000), tick(3_600_000), wait(4_998)]
        );
    }

    #[test]
    fn a_clock_set_back_a_little_repeats_no_tick() {
        assert_eq!(
            poll(&[12_000, 15_001, 14_990, 15_010, 20_000]),
            [wait(3_000), tick(15_000), wait(5_010), wait(4_990), tick(20_000)]
        );
    }

    #[test]
    fn a_clock_set_back_far_is_believed() {
        assert_eq!(
            poll(&[3_600_000, 3_605_000, 12_000, 15_000]),
            [wait(5_000), tick(3_605_000), wait(3_000), tick(15_000)]
        );
    }

    #[test]
    fn a_read_before_its_tick_is_not_early() {
        assert_eq!(UnixMicros(5_000_250).since(UnixMillis(5_000)), 250);
        assert_eq!(UnixMicros(4_999_000).since(UnixMillis(5_000)), 0);
    }
}
