//! Time as it was seen to pass, whatever one reading of the wall clock says.
//!
//! A wall clock may be wrong for seconds (a host that boots, a hypervisor, a time server gone mad), and
//! what goes by age would be deleted for good. So it is believed in steps of a few seconds only. A
//! jump is believed once it has lasted for ten minutes and what collectors measure has moved with it,
//! or at once where collectors had that time before already: then it was this clock that was wrong.

use std::collections::VecDeque;

use kubemonitor_model::UnixMillis;

/// A step of the wall clock that is believed at once.
pub(crate) const SMALL_STEP_MS: i64 = 10_000;
/// How far what collectors say may be off to count as the same time: frames are under way for a while.
const AGREES_MS: i64 = 30_000;
/// How long a jump lasts before it can be believed.
const LASTS_MS: i64 = 600_000;
/// How long what was heard of a collector counts.
const HEARD_MS: i64 = 120_000;
/// Of how many ticks the times are remembered.
const HEARD: usize = 64;

/// What this machine's clocks say at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// The wall clock, which may jump.
    pub wall: UnixMillis,
    /// Milliseconds since some moment, by a clock that never jumps and goes on while the machine sleeps.
    pub steady_ms: i64,
}

/// Something that is not right with the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockFault {
    /// The wall clock has jumped, and is not believed yet.
    Jumped {
        /// How far, in milliseconds; negative where it went back.
        by_ms: i64,
    },
    /// At the start the wall clock was far beyond the newest data: nothing is deleted for its age until
    /// that has shown to be true.
    FarFromData {
        /// How far, in milliseconds.
        by_ms: i64,
    },
}

/// Tells what time it is from clocks that may be wrong. Times are kept as what a clock is ahead of the
/// steady one.
#[derive(Debug)]
pub struct SeenTime {
    offset_ms: i64,
    doubt: Option<Doubt>,
    held: Option<Held>,
    /// The ticks that came last.
    heard: VecDeque<Heard>,
}

/// A jump that is not believed.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    offset_ms: i64,
    since_ms: i64,
}

/// What goes by age goes by the newest data until the time is sure.
#[derive(Clone, Copy, Debug)]
struct Held {
    offset_ms: i64,
    since_ms: i64,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    offset_ms: i64,
    at_ms: i64,
}

impl SeenTime {
    /// Begins with what the wall clock says.
    pub fn begin(clocks: Clocks) -> Self {
        let offset_ms = clocks.wall.0 - clocks.steady_ms;
        Self { offset_ms, doubt: None, held: None, heard: VecDeque::with_capacity(HEARD) }
    }

    /// Data was found whose newest is of that time. Where the wall clock is far beyond, either this
    /// machine was off for long, or its clock is wrong. Where it is behind, it is not believed yet:
    /// that time has passed already.
    pub fn found_data(&mut self, newest: UnixMillis, clocks: Clocks) {
        let offset_ms = newest.0.saturating_sub(clocks.steady_ms);
        let since_ms = clocks.steady_ms;
        let beyond_ms = self.offset_ms.saturating_sub(offset_ms);
        if beyond_ms > LASTS_MS {
            self.held = Some(Held { offset_ms, since_ms });
        } else if beyond_ms < -SMALL_STEP_MS {
            tracing::warn!(
                by_ms = beyond_ms,
                "the clock is behind the newest data, and not believed"
            );
            self.doubt = Some(Doubt { offset_ms: self.offset_ms, since_ms });
            self.offset_ms = offset_ms;
        }
    }

    /// A tick of that time came, which is the newest of its collector.
    pub fn heard(&mut self, tick: UnixMillis, clocks: Clocks) {
        if self.heard.len() == HEARD {
            self.heard.pop_front();
        }
        let at_ms = clocks.steady_ms;
        self.heard.push_back(Heard { offset_ms: tick.0.saturating_sub(at_ms), at_ms });
    }

    /// What time it is.
    pub fn now(&mut self, clocks: Clocks) -> UnixMillis {
        let offset_ms = clocks.wall.0.saturating_sub(clocks.steady_ms);
        let by_ms = offset_ms.saturating_sub(self.offset_ms);
        if by_ms.abs() <= SMALL_STEP_MS {
            self.offset_ms = offset_ms;
            if self.doubt.take().is_some() {
                tracing::info!("the clock says again what the time was seen to be");
            }
        } else {
            self.weigh(offset_ms, by_ms, clocks);
        }
        UnixMillis(clocks.steady_ms.saturating_add(self.offset_ms))
    }

    /// What time it is for what is deleted for its age: never later than it surely is.
    pub fn for_retention(&mut self, clocks: Clocks) -> UnixMillis {
        let now = self.now(clocks);
        let Some(held) = self.held else { return now };
        let lasts = clocks.steady_ms - held.since_ms >= LASTS_MS;
        if lasts && self.agrees(self.offset_ms, held.since_ms, clocks) {
            self.held = None;
            return now;
        }
        now.min(UnixMillis(clocks.steady_ms.saturating_add(held.offset_ms)))
    }

    /// What is not right, if anything is not.
    pub fn fault(&self) -> Option<ClockFault> {
        let jumped = self.doubt.map(|doubt| ClockFault::Jumped {
            by_ms: doubt.offset_ms.saturating_sub(self.offset_ms),
        });
        let far = self.held.map(|held| ClockFault::FarFromData {
            by_ms: self.offset_ms.saturating_sub(held.offset_ms),
        });
        jumped.or(far)
    }

    /// Whether a jump of the wall clock is to be believed.
    fn weigh(&mut self, offset_ms: i64, by_ms: i64, clocks: Clocks) {
        let is_known = |doubt: &Doubt| (doubt.offset_ms - offset_ms).abs() <= SMALL_STEP_MS;
        let since_ms = if let Some(doubt) = self.doubt.filter(is_known) {
            doubt.since_ms
        } else {
            // Before the jump, collectors had this time and not the one that was believed here.
            let ever = i64::MIN;
            if self.doubt.is_none()
                && self.agrees(offset_ms, ever, clocks)
                && !self.agrees(self.offset_ms, ever, clocks)
            {
                return self.believe(offset_ms, by_ms);
            }
            tracing::warn!(
                by_ms,
                "the clock has jumped; until that has lasted and collectors' ticks have moved with \
                 it, time goes on as it was seen to pass, and nothing is deleted for it"
            );
            clocks.steady_ms
        };
        self.doubt = Some(Doubt { offset_ms, since_ms });
        if clocks.steady_ms - since_ms >= LASTS_MS && self.agrees(offset_ms, since_ms, clocks) {
            self.believe(offset_ms, by_ms);
        }
    }

    fn believe(&mut self, offset_ms: i64, by_ms: i64) {
        tracing::warn!(by_ms, "the clock's jump is believed: collectors' ticks agree with it");
        (self.offset_ms, self.doubt) = (offset_ms, None);
    }

    /// Whether the ticks that came lately, after a moment, have that time: most of them.
    fn agrees(&self, offset_ms: i64, since_ms: i64, clocks: Clocks) -> bool {
        let after_ms = since_ms.max(clocks.steady_ms - HEARD_MS);
        let lately = || self.heard.iter().filter(|heard| heard.at_ms >= after_ms);
        let agree = lately().filter(|heard| (heard.offset_ms - offset_ms).abs() <= AGREES_MS);
        let (agree, all) = (agree.count(), lately().count());
        agree > 0 && agree * 2 > all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_700_000_000_000;
    const HOUR: i64 = 3_600_000;
    const MINUTE: i64 = 60_000;

    /// A machine whose wall clock is off, and collectors whose clocks are off too.
    struct Machine {
        steady_ms: i64,
        wall_off: i64,
        ticks_off: i64,
        time: SeenTime,
    }

    impl Machine {
        fn new() -> Self {
            let time = SeenTime::begin(Clocks { wall: UnixMillis(START), steady_ms: 0 });
            Self { steady_ms: 0, wall_off: 0, ticks_off: 0, time }
        }

        fn clocks(&self) -> Clocks {
            let wall = UnixMillis(START + self.steady_ms + self.wall_off);
            Clocks { wall, steady_ms: self.steady_ms }
        }

        /// Lets time pass. Gives how far off what is believed is, and the same for retention.
        fn passes(&mut self, ms: i64) -> (i64, i64) {
            let end = self.steady_ms + ms;
            let mut off = (0, 0);
            while self.steady_ms < end {
                self.steady_ms = (self.steady_ms + 5000).min(end);
                let (clocks, truth) = (self.clocks(), UnixMillis(START + self.steady_ms));
                off = (
                    self.time.now(clocks).since(truth),
                    self.time.for_retention(clocks).since(truth),
                );
                self.time.heard(UnixMillis(truth.0 + self.ticks_off), clocks);
            }
            off
        }
    }

    #[test]
    fn a_clock_that_is_wrong_for_minutes_changes_nothing() {
        for by in [-40 * 24 * HOUR, -HOUR, -MINUTE, MINUTE, 2 * HOUR, 40 * 24 * HOUR] {
            for all in [false, true] {
                let mut machine = Machine::new();
                machine.passes(HOUR);
                (machine.wall_off, machine.ticks_off) = (by, if all { by } else { 0 });
                assert_eq!(machine.passes(9 * MINUTE), (0, 0));
                assert_eq!(machine.time.fault(), Some(ClockFault::Jumped { by_ms: by }));
                (machine.wall_off, machine.ticks_off) = (0, 0);
                assert_eq!(machine.passes(5000), (0, 0));
                assert_eq!(machine.time.fault(), None);
            }
        }
    }

    #[test]
    fn a_jump_is_believed_when_it_lasts_and_collectors_move_with_it() {
        let mut machine = Machine::new();
        machine.passes(HOUR);
        machine.wall_off = 2 * HOUR;
        assert_eq!(machine.passes(5 * HOUR), (0, 0), "nobody else has that time");
        machine.ticks_off = 2 * HOUR;
        assert_eq!(machine.passes(11 * MINUTE), (2 * HOUR, 2 * HOUR));
    }

    #[test]
    fn a_clock_that_was_wrong_from_the_start_is_believed_when_it_is_put_right() {
        for wrong in [-HOUR, 2 * HOUR] {
            let mut machine = Machine::new();
            machine.ticks_off = -wrong;
            machine.passes(MINUTE);
            machine.wall_off = -wrong;
            assert_eq!(machine.passes(5000), (-wrong, -wrong));
        }
    }

    #[test]
    fn a_start_before_the_newest_data_begins_there() {
        let newest = UnixMillis(START + HOUR);
        let mut machine = Machine::new();
        // Collectors are right, and so will this clock be in a minute.
        machine.ticks_off = HOUR + MINUTE;
        machine.time.found_data(newest, machine.clocks());
        assert_eq!(machine.passes(MINUTE), (HOUR, HOUR));
        machine.wall_off = HOUR + MINUTE;
        assert_eq!(machine.passes(5000), (HOUR + MINUTE, HOUR + MINUTE));
        // It is the data that is from the future.
        let mut machine = Machine::new();
        machine.time.found_data(newest, machine.clocks());
        assert_eq!(machine.passes(9 * MINUTE), (HOUR, HOUR));
        assert_eq!(machine.passes(2 * MINUTE), (0, 0));
    }

    #[test]
    fn small_steps_are_followed() {
        let mut machine = Machine::new();
        machine.wall_off = -4000;
        assert_eq!(machine.passes(5000), (-4000, -4000));
        machine.wall_off = 4000;
        assert_eq!(machine.passes(5000), (4000, 4000));
    }

    #[test]
    fn after_a_start_far_beyond_the_data_nothing_ages_until_that_is_sure() {
        let mut machine = Machine::new();
        machine.time.found_data(UnixMillis(START - 40 * 24 * HOUR), machine.clocks());
        assert_eq!(machine.passes(HOUR).0, 0);
        // Collectors agreed all the time.
        assert_eq!(machine.time.fault(), None);
        let mut machine = Machine::new();
        machine.ticks_off = -40 * 24 * HOUR;
        machine.time.found_data(UnixMillis(START - 40 * 24 * HOUR), machine.clocks());
        assert_eq!(machine.passes(HOUR), (0, -40 * 24 * HOUR), "it is this clock that is wrong");
    }
}
