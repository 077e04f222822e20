//! Remembers verdicts for a short while, and never many.

use std::{collections::HashMap, hash::Hash, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long a verdict holds: as long as in Kubernetes' own extension servers. Who loses a right keeps
/// it for so long.
const HOLDS: Duration = Duration::from_secs(10);
/// Verdicts that are remembered at a time.
const ROOM: usize = 1024;

/// Verdicts by what they are about.
#[derive(Debug)]
pub(super) struct Cache<K, V>(Mutex<HashMap<K, Entry<V>>>);

#[derive(Debug)]
struct Entry<V> {
    until: Instant,
    verdict: V,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    /// The verdict, if it still holds.
    pub(super) fn get(&self, key: &K) -> Option<V> {
        let entries = self.0.lock();
        let entry = entries.get(key).filter(|entry| entry.until > Instant::now())?;
        Some(entry.verdict.clone())
    }

    /// Remembers a verdict. Where there is no room, older ones are forgotten.
    pub(super) fn put(&self, key: K, verdict: V) {
        let now = Instant::now();
        let mut entries = self.0.lock();
        if entries.len() >= ROOM {
            entries.retain(|_, entry| entry.until > now);
        }
        if entries.len() >= ROOM {
            entries.clear();
        }
        entries.insert(key, Entry { until: now + HOLDS, verdict });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_verdict_holds_for_ten_seconds() {
        let cache = Cache::default();
        cache.put("may", true);
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(cache.get(&"may"), Some(true));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(cache.get(&"may"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_ask_few_are_remembered() {
        let cache = Cache::default();
        for number in 0..10 * ROOM {
            cache.put(number, ());
            assert!(cache.0.lock().len() <= ROOM);
            assert_eq!(cache.get(&number), Some(()));
        }
    }
}
