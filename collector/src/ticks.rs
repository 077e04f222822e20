//! When to sample: on multiples of the interval on the wall clock, so that all nodes' samples of
//! one tick are of the same moment.

use std::time::Duration;

use kubemonitor_model::{Interval, UnixMillis};

use crate::clock::{UnixMicros, since_boot};

/// A moment by both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// By the wall clock.
    pub(crate) wall: UnixMicros,
    /// Since boot, whatever the wall clock does.
    pub(crate) since_boot: Duration,
}

impl Now {
    /// This moment.
    pub(crate) fn read() -> Self {
        Self { wall: UnixMicros::now(), since_boot: since_boot() }
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
    interval: Duration,
    /// The tick waited for, in microseconds of the wall clock.
    next_us: i64,
    /// When the last tick was taken, or the first one waited for, since boot.
    last: Duration,
    /// How long after that the next one may come at the earliest.
    rest: Duration,
}

/// Whoever sleeps for longer would notice late that the wall clock was set forward.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

impl Ticks {
    /// Ticks from `now` on.
    pub(crate) fn every(interval: Interval, now: Now) -> Self {
        let interval = interval.duration();
        let next_us = passed(now.wall, interval) + micros(interval);
        Self { interval, next_us, last: now.since_boot, rest: Duration::ZERO }
    }

    /// What to do at `now`. Whoever comes late gets the newest tick that has passed; those missed
    /// before it are left out, since several samples at once would say nothing that one does not.
    ///
    /// However the wall clock is set, at least half an interval passes from one tick to the next
    /// (rates over less would be noise), and no more than two.
    pub(crate) fn poll(&mut self, now: Now) -> Due {
        let waited = now.since_boot.saturating_sub(self.last);
        let passed = passed(now.wall, self.interval);
        let following = passed + micros(self.interval);
        if now.wall.0 >= self.next_us && waited < self.rest {
            // Set forward right after a tick.
            self.next_us = following;
        }
        let ahead =
            Duration::from_micros(self.next_us.saturating_sub(now.wall.0).max(0).unsigned_abs());
        // How long to wait at most. A clock that was set back by little is waited for, so that no tick
        // comes twice; by more than an interval, its new time holds.
        let patience = if ahead > self.interval { self.interval } else { self.interval * 2 };
        let wait = ahead.min(patience.saturating_sub(waited));
        if wait.is_zero() {
            self.next_us = following;
            self.taken(now.since_boot);
            Due::Now(UnixMillis(passed / 1000))
        } else {
            Due::In(wait.min(LONGEST_SLEEP))
        }
    }

    /// The sample of the tick was taken by then. Said of one that took its time, so that the next one
    /// comes no sooner after it.
    pub(crate) fn taken(&mut self, since_boot: Duration) {
        self.last = since_boot;
        self.rest = self.interval / 2;
    }
}

/// The newest tick that the wall clock has passed, in microseconds.
fn passed(wall: UnixMicros, interval: Duration) -> i64 {
    wall.0 - wall.0.rem_euclid(micros(interval))
}

fn micros(interval: Duration) -> i64 {
    i64::try_from(interval.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod rates;
#[cfg(test)]
mod tests;
