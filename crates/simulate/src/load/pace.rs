//! When frames are sent.

use std::time::Duration;

use kubemonitor_model::{Interval, UnixMillis};

use crate::clock::{now, tick_before};

/// When frames are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// One tick after the other as fast as the server takes them; the last one is now.
    Unpaced,
    /// On the clock's ticks, each node's frame some time into the tick, up to this long; as long as
    /// the server asks for, as collectors do, where nothing is said.
    Clock(Option<Duration>),
}

impl Pace {
    /// The first tick.
    pub(super) fn start(self, interval: Interval, ticks: u32) -> UnixMillis {
        let newest = tick_before(now(), interval);
        let ahead = match self {
            Self::Clock(_) => 1,
            Self::Unpaced => 1 - i64::from(ticks),
        };
        UnixMillis(newest.0 + ahead * interval.millis().cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpaced_ticks_end_now_and_those_of_the_clock_begin_soon() {
        let interval = Interval::default();
        let start = Pace::Unpaced.start(interval, 12);
        let past = now().since(start);
        assert!((55_000..60_100).contains(&past), "{past} ms");
        assert_eq!(start.0 % 5000, 0);
        let ahead = Pace::Clock(Some(Duration::ZERO)).start(interval, 12).since(now());
        assert!((-100..=5000).contains(&ahead), "{ahead} ms");
    }
}
