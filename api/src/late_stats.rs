//! What the store holds, for whoever asks often: counting it looks at every entity.

use std::time::{Duration, Instant};

use kubemonitor_store::{Stats, Store};
use parking_lot::Mutex;

/// How much longer a count holds than it took: counting takes a twentieth of a processor at most.
const HOLDS_TIMES: u32 = 20;

/// The last count.
#[derive(Debug, Default)]
pub(crate) struct LateStats(Mutex<Option<Count>>);

#[derive(Clone, Copy, Debug)]
struct Count {
    stats: Stats,
    holds_until: Instant,
}

impl LateStats {
    /// What the store holds, or held a moment ago. Who comes while somebody counts waits for that
    /// count. Not to be called where others wait for the thread.
    pub(crate) fn of(&self, store: &Store) -> Stats {
        let mut last = self.0.lock();
        if let Some(count) = last.filter(|count| Instant::now() < count.holds_until) {
            return count.stats;
        }
        let began = Instant::now();
        let stats = store.stats();
        let took: Duration = began.elapsed();
        *last = Some(Count { stats, holds_until: Instant::now() + took * HOLDS_TIMES });
        stats
    }
}
