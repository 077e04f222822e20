//! How far a collector's clock is off the server's.

use kubemonitor_model::UnixMillis;

/// How many ticks are compared.
const COMPARED: usize = 8;

/// What ticks were ahead of the server's clock when they came, of the last ones.
///
/// A frame that waited in its collector's outbox says nothing of clocks. It comes in a burst with
/// others, so only the last one of each burst counts; and of those, the one that was under way for
/// the shortest time.
#[derive(Debug, Default)]
pub(super) struct Skew {
    last: Option<Compared>,
    before: [Option<i32>; COMPARED],
    next: u8,
}

#[derive(Clone, Copy, Debug)]
struct Compared {
    ahead_ms: i32,
    came_at: UnixMillis,
}

impl Skew {
    /// Notes a frame that has the highest number of its collector so far.
    pub(super) fn note(&mut self, tick: UnixMillis, interval_ms: i64, now: UnixMillis) {
        let ahead_ms = tick.since(now).clamp(i64::from(i32::MIN), i64::from(i32::MAX));
        let ahead_ms = i32::try_from(ahead_ms).unwrap_or(0);
        if let Some(last) = self.last
            && now.since(last.came_at) >= interval_ms / 2
        {
            self.before[usize::from(self.next) % COMPARED] = Some(last.ahead_ms);
            self.next = self.next.wrapping_add(1);
        }
        self.last = Some(Compared { ahead_ms, came_at: now });
    }

    /// What is known of another collector counts no more.
    pub(super) fn begin_anew(&mut self) {
        *self = Self::default();
    }

    /// How far the clock is ahead; negative where it is behind, or where frames take that long.
    pub(super) fn ahead_ms(&self) -> Option<i64> {
        let last = self.last?.ahead_ms;
        // A clock that was set shows at once: two ticks that agree with each other count more than
        // older ones that do not.
        let newest = usize::from(self.next.wrapping_sub(1)) % COMPARED;
        let before = self.before[newest];
        let agree = |other: i32| (i64::from(other) - i64::from(last)).abs() <= 5000;
        match before {
            Some(before) if agree(before) => {
                let agreeing = self.before.iter().flatten().copied().filter(|&other| agree(other));
                agreeing.chain([last]).max().map(i64::from)
            }
            Some(before) => Some(i64::from(before.max(last))),
            None => Some(i64::from(last)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(frames: impl IntoIterator<Item = (i64, i64)>) -> Option<i64> {
        let mut skew = Skew::default();
        for (tick, now) in frames {
            skew.note(UnixMillis(tick), 5000, UnixMillis(now));
        }
        skew.ahead_ms()
    }

    #[test]
    fn the_shortest_way_tells_how_far_a_clock_is_off() {
        assert_eq!(after([]), None);
        let delays = [30, 900, 12, 4000, 40, 500, 60];
        for off in [-300_000, 0, 300_000] {
            let frames = (0..).zip(delays).map(|(n, delay)| (n * 5000 + off, n * 5000 + delay));
            assert_eq!(after(frames), Some(off - 12));
        }
    }

    #[test]
    fn frames_from_an_outbox_are_no_skew() {
        // An hour without the server, then all of it within four seconds, then on time again.
        let outage = (0..720).map(|n| (n * 5000, 3_600_000 + n * 5));
        let after_it = (720..724).map(|n| (n * 5000, n * 5000 + 20));
        assert_eq!(after(outage.chain(after_it)), Some(-20));
    }

    #[test]
    fn a_clock_that_was_set_shows_within_two_ticks() {
        let wrong = (0..20).map(|n| (n * 5000 + 300_000, n * 5000 + 20));
        let right = (20..23).map(|n| (n * 5000, n * 5000 + 20));
        assert_eq!(after(wrong.chain(right)), Some(-20));
    }
}
