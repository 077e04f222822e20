//! What time it is: on the wall clock, which all nodes share and anybody may set, and on a clock of
//! this boot that nobody sets.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use kubemonitor_model::UnixMillis;
use rustix::time::{ClockId, clock_gettime};

/// Microseconds since the Unix epoch: how late a tick is read matters below the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UnixMicros(pub(crate) i64);

impl UnixMicros {
    /// The wall clock's time.
    pub(crate) fn now() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(micros(since_epoch))
    }

    /// Microseconds from `earlier` to here; negative where the wall clock was behind it.
    pub(crate) fn since(self, earlier: UnixMillis) -> i64 {
        self.0.saturating_sub(earlier.0.saturating_mul(1000))
    }
}

/// Time since boot, sleep included. It passes evenly whatever happens to the wall clock, and goes on
/// from one process to the next.
pub(crate) fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Tells the time of reads: the wall clock as it was when this began, carried on by the time since
/// boot. Two of its times are as far apart as they truly were, also where the wall clock was set
/// between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SteadyClock {
    /// When the machine booted, by the wall clock as it was; in whole seconds, so that another
    /// process of the same boot comes to the same figure if the wall clock was not set meanwhile.
    booted_s: i64,
    id: u32,
}

impl SteadyClock {
    /// The clock of a process that begins now. Machines without a clock of their own boot at the same
    /// wall time again and again: the identity of the boot tells them apart.
    pub(crate) fn start(wall: UnixMicros, since_boot: Duration, boot_id: Option<&[u8]>) -> Self {
        let boot_us = wall.0.saturating_sub(micros(since_boot));
        let booted_s = boot_us.saturating_add(500_000).div_euclid(1_000_000);
        let mut hasher = DefaultHasher::new();
        (booted_s, boot_id).hash(&mut hasher);
        let [a, b, c, d, ..] = hasher.finish().to_be_bytes();
        Self { booted_s, id: u32::from_be_bytes([a, b, c, d]) }
    }

    /// What names it: times of clocks with one name may be compared.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// The time it shows when so much time has passed since boot.
    pub(crate) fn at(&self, since_boot: Duration) -> UnixMicros {
        UnixMicros(self.booted_s.saturating_mul(1_000_000).saturating_add(micros(since_boot)))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: Option<&[u8]> = Some(b"6a1d2c3b");

    fn clock(wall_us: i64, since_boot_us: u64) -> SteadyClock {
        SteadyClock::start(UnixMicros(wall_us), Duration::from_micros(since_boot_us), BOOT)
    }

    #[test]
    fn a_time_before_the_tick_is_negative() {
        assert_eq!(UnixMicros(5_000_250).since(UnixMillis(5_000)), 250);
        assert_eq!(UnixMicros(4_999_000).since(UnixMillis(5_000)), -1_000);
    }

    #[test]
    fn it_begins_within_half_a_second_of_the_wall_clock() {
        for wall_us in [0, 1, 499_999, 500_000, 1_700_000_000_123_456] {
            let since_boot = Duration::from_micros(77_300_001);
            let shown = clock(wall_us, 77_300_001).at(since_boot);
            assert!((shown.0 - wall_us).abs() <= 500_000, "{shown:?}");
        }
    }

    #[test]
    fn processes_of_one_boot_share_it_unless_the_wall_clock_was_set_between_them() {
        let first = clock(1_700_000_000_000_000, 50_000_000);
        // A minute later, read a little late.
        let second = clock(1_700_000_060_000_030, 110_000_000);
        assert_eq!(first, second);
        assert_ne!(first.id(), clock(1_700_003_660_000_000, 110_000_000).id());
        assert_ne!(first.id(), clock(1_700_000_057_000_000, 110_000_000).id());
    }

    #[test]
    fn boots_at_the_same_wall_time_are_told_apart() {
        let start = |boot_id| SteadyClock::start(UnixMicros(9), Duration::ZERO, boot_id);
        assert_ne!(start(Some(b"one")).id(), start(Some(b"two")).id());
    }

    #[test]
    fn the_time_since_boot_passes() {
        let before = since_boot();
        std::thread::sleep(Duration::from_millis(2));
        assert!(since_boot() >= before + Duration::from_millis(2));
    }
}
