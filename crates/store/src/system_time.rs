//! The time of this process: one [`SeenTime`] over the clocks of the system, whoever asks.

use std::{
    sync::LazyLock,
    time::{SystemTime, UNIX_EPOCH},
};

use kubemonitor_model::UnixMillis;
use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};

use crate::seen_time::{ClockFault, Clocks, SeenTime};

static SEEN: LazyLock<Mutex<SeenTime>> = LazyLock::new(|| Mutex::new(SeenTime::begin(read())));

/// What time it is, as it was seen to pass: a jump of the wall clock is not believed at once.
pub fn now() -> UnixMillis {
    SEEN.lock().now(read())
}

/// What time it is for what is deleted for its age.
pub fn retention_now() -> UnixMillis {
    SEEN.lock().for_retention(read())
}

/// Notes that a tick came that is the newest of its collector.
pub fn heard(tick: UnixMillis) {
    SEEN.lock().heard(tick, read());
}

/// Notes how old the newest is that the data directory has.
pub fn found_data(newest: UnixMillis) {
    SEEN.lock().found_data(newest, read());
}

/// What is not right with this machine's clock, if anything is not.
pub fn clock_fault() -> Option<ClockFault> {
    SEEN.lock().fault()
}

fn read() -> Clocks {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let steady = clock_gettime(ClockId::Boottime);
    Clocks {
        wall: UnixMillis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)),
        steady_ms: steady.tv_sec.saturating_mul(1000).saturating_add(steady.tv_nsec / 1_000_000),
    }
}
