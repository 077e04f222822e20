//! Wall-clock time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kubemonitor_model::{Interval, UnixMillis};

/// The wall clock's time.
pub(crate) fn now() -> UnixMillis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// How long it is until `moment`; nothing when it has passed.
pub(crate) fn until(moment: UnixMillis) -> Duration {
    Duration::from_millis(u64::try_from(moment.since(now())).unwrap_or(0))
}

/// The newest tick at or before `moment`.
pub(crate) fn tick_before(moment: UnixMillis, interval: Interval) -> UnixMillis {
    moment.minus(moment.0.rem_euclid(interval.millis().cast_signed()))
}
