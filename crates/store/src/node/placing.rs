//! Where a tick belongs in its node's history, whatever its collector's clock says.
//!
//! A collector counts its frames, and that count cannot jump: of two frames of one collector, the one
//! with the greater number was measured later. A tick whose own time agrees with that, and is not
//! ahead of the server's clock, stands where it says. One whose time contradicts it comes from a clock
//! that is wrong or was set, and stands as many intervals behind the newest tick as it was counted.
//! Where the ticks before turn out to be ahead, the next ones follow closely until time has caught up.

use kubemonitor_model::{Tick, UnixMillis};

use super::{NotTaken, State};
use crate::{clock::frame_tag, seen_time::SMALL_STEP_MS};

/// How far ahead of the server's clock a tick may be, whatever the interval is: clocks are never quite
/// the same, and nobody should be ahead for longer than a person waits.
const LEAST_AHEAD_MS: i64 = 2000;
const MOST_AHEAD_MS: i64 = 120_000;
/// A first tick that is older than this says nothing of when it was measured: clocks begin in 1970.
const OLDEST_MS: i64 = 400 * 24 * 3_600_000;
/// What is ahead by less is caught up with.
const MOST_CAUGHT_UP_MS: i64 = 120_000;
/// What part of an interval lies between ticks while time catches up with those before.
const CATCHING_UP: i64 = 8;
/// Intervals of silence after which another collector may go on for a node.
const SILENT_INTERVALS: i64 = 2;

/// Where a tick belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// At this time.
    At(UnixMillis),
    /// It is there already.
    Duplicate,
}

/// The interval of a tick in milliseconds, as far as it can be.
pub(super) fn interval_ms(tick: &Tick) -> i64 {
    i64::try_from(tick.interval_ms).unwrap_or(i64::MAX).clamp(1, 3_600_000)
}

fn after(at: UnixMillis, ms: i128) -> UnixMillis {
    let ms = i64::try_from(ms).unwrap_or(if ms > 0 { i64::MAX } else { i64::MIN });
    UnixMillis(at.0.saturating_add(ms))
}

/// How far ahead of the server's clock a tick may be: two intervals, within bounds.
fn ahead_ms(interval_ms: i64) -> i64 {
    (2 * interval_ms).clamp(LEAST_AHEAD_MS, MOST_AHEAD_MS)
}

impl State {
    /// Where a tick belongs that came now.
    pub(super) fn place(
        &self,
        tick: &Tick,
        late_limit_ms: i64,
        now: UnixMillis,
    ) -> Result<Placed, NotTaken> {
        let step_ms = interval_ms(tick);
        let latest = UnixMillis(now.0.saturating_add(ahead_ms(step_ms)));
        let on_grid = UnixMillis(now.0.div_euclid(step_ms) * step_ms);
        let too_early =
            || NotTaken::TooEarly { ahead_ms: tick.at.since(now), limit_ms: ahead_ms(step_ms) };
        let Some((newest, (instance, sequence))) = self.newest_tick.zip(self.newest_frame) else {
            let is_plausible = tick.at <= latest && now.since(tick.at) <= OLDEST_MS;
            return Ok(Placed::At(if is_plausible { tick.at } else { on_grid }));
        };
        let in_order = |expected: UnixMillis| {
            let is_timely = tick.at.since(now).abs() <= ahead_ms(step_ms);
            if tick.at > newest && tick.at <= latest {
                Ok(Placed::At(tick.at))
            } else if is_timely || newest > latest {
                // The clocks are right, and the ticks before are ahead: time catches up with them.
                Ok(Placed::At(after(newest, i128::from((step_ms / CATCHING_UP).max(1)))))
            } else if expected <= latest {
                Ok(Placed::At(expected))
            } else {
                Err(too_early())
            }
        };
        let counted = i128::from(tick.sequence) - i128::from(sequence);
        let expected = after(newest, counted * i128::from(step_ms));
        if tick.instance == instance && counted > 0 {
            // A clock that is merely off still tells how much time has passed.
            let passed_ms = self.newest_own_at.map_or(0, |own_at| tick.at.since(own_at));
            let passed = after(newest, i128::from(passed_ms));
            let is_plausible = passed > newest && passed <= latest;
            return in_order(if is_plausible { passed } else { expected });
        }
        if self.read_times.of_frame(frame_tag(tick.instance, tick.sequence)).is_some() {
            return Ok(Placed::Duplicate);
        }
        if tick.instance != instance {
            let silent_ms = now.since(self.heard_at);
            if (0..=SILENT_INTERVALS * i64::from(self.interval_ms)).contains(&silent_ms) {
                return Err(NotTaken::Conflict);
            }
            return in_order(on_grid.max(after(newest, i128::from(step_ms))));
        }
        // It was overtaken: by frames that were measured later.
        let free = |at: &UnixMillis| *at < newest && !self.read_times.knows(*at);
        let at = [tick.at, expected].into_iter().find(free).ok_or(NotTaken::Taken)?;
        if newest.since(at) > late_limit_ms {
            return Err(NotTaken::TooLate { behind_ms: newest.since(at), limit_ms: late_limit_ms });
        }
        Ok(Placed::At(at))
    }

    /// The newest ticks were taken in while the server's clock was ahead for so long that it was
    /// believed, and it has been put right. That leaves a gap between what was measured before and what
    /// is ahead, as long as it is ahead. Without one it may be this clock that is behind: nothing goes.
    pub(super) fn is_ahead(&self, now: UnixMillis) -> bool {
        let step_ms = i64::from(self.interval_ms.max(1));
        let slack_ms = ahead_ms(step_ms) + SMALL_STEP_MS;
        let ahead_ms = self.newest_tick.map_or(0, |newest| newest.since(now));
        let (Some(before), Some(next)) = self.read_times.around(now) else { return false };
        ahead_ms > MOST_CAUGHT_UP_MS && (next.since(before) - ahead_ms).abs() <= slack_ms + step_ms
    }
}
