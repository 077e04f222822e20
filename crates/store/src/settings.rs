//! How much is kept, and for how long.

use std::time::Duration;

/// How much the store keeps.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long rows are kept as they were measured. With a data directory at least
    /// [`Settings::SHORTEST_ROLLED`]: what is rolled from must still be there.
    pub retention: Duration,
    /// How long minutes are kept, with a data directory.
    pub retention_minutes: Duration,
    /// How long quarters of an hour are kept, with a data directory.
    pub retention_quarters: Duration,
    /// How much older than its node's newest tick one may be that comes out of order.
    pub late_limit: Duration,
    /// Entities that can be held at a time.
    pub max_series: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(3600),
            retention_minutes: Duration::from_secs(24 * 3600),
            retention_quarters: Duration::from_secs(30 * 24 * 3600),
            late_limit: Duration::from_secs(600),
            max_series: 2_000_000,
        }
    }
}

impl Settings {
    /// Rows are rolled when late ones can no longer change them, a quarter of an hour at a time,
    /// about every quarter of an hour.
    pub const SHORTEST_ROLLED: Duration = Duration::from_secs(50 * 60);
}
