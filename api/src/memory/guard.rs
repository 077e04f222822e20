//! Keeps the process within its memory: first nothing new is taken in, then what is oldest leaves.

use std::{
    fs, io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use kubemonitor_store::Store;
use rustix::param::page_size;

use crate::monitor::Shared;

/// How often the process's size is looked at. Between two looks, what new entities take is reckoned.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long after samples were let go the process's size is believed again: what was freed goes back
/// to the system a while later.
const LOOKS_AFTER_SHEDDING: u32 = 30;
/// Thousandths of the limit up to which new entities are taken.
const OPEN_UP_TO: u64 = 900;
/// Thousandths of the limit that are aimed at when samples are let go.
const SHED_TO: u64 = 930;

/// What is known of the process's memory.
#[derive(Debug)]
pub(crate) struct Guard {
    limit_bytes: Option<u64>,
    is_full: AtomicBool,
    shed_bytes: AtomicU64,
    shed_times: AtomicU64,
}

/// How a process's memory is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemoryStatus {
    /// How much it may be; `None` for as much as there is.
    pub(crate) limit_bytes: Option<u64>,
    /// How much it is.
    pub(crate) resident_bytes: u64,
    /// New entities are not taken.
    pub(crate) is_full: bool,
    /// What samples took that were let go before their time.
    pub(crate) shed_bytes: u64,
    /// How often that happened.
    pub(crate) shed_times: u64,
}

impl Guard {
    /// A guard of so many bytes.
    pub(crate) fn new(limit_bytes: Option<u64>) -> Self {
        Self {
            limit_bytes,
            is_full: AtomicBool::new(false),
            shed_bytes: AtomicU64::new(0),
            shed_times: AtomicU64::new(0),
        }
    }

    /// How it is doing.
    pub(crate) fn status(&self) -> MemoryStatus {
        MemoryStatus {
            limit_bytes: self.limit_bytes,
            resident_bytes: resident_bytes().unwrap_or(0),
            is_full: self.is_full.load(Ordering::Relaxed),
            shed_bytes: self.shed_bytes.load(Ordering::Relaxed),
            shed_times: self.shed_times.load(Ordering::Relaxed),
        }
    }

    /// What is wrong at present, for people.
    pub(crate) fn problem(&self) -> Option<String> {
        let limit = self.limit_bytes.filter(|_| self.is_full.load(Ordering::Relaxed))? >> 20;
        Some(format!(
            "memory is full: of the {limit} MiB of --memory-limit more than nine tenths are in use, \
             so that no new entities are taken and the oldest samples may leave before their time; \
             give it more, or shorten --retention"
        ))
    }

    /// Looks at the process's size again and again, on a thread of its own, for as long as there is a
    /// server.
    pub(crate) fn watch(monitor: &Shared) -> io::Result<()> {
        let Some(limit) = monitor.guard.limit_bytes else { return Ok(()) };
        let monitor = Arc::downgrade(monitor);
        let watch = move || {
            let mut shedding = Shedding::default();
            while let Some(monitor) = monitor.upgrade() {
                if let Some(resident) = resident_bytes() {
                    monitor.guard.look(&monitor.store, resident, limit, &mut shedding);
                }
                drop(monitor);
                thread::sleep(LOOK_EVERY);
            }
        };
        thread::Builder::new().name("memory".to_owned()).spawn(watch).map(drop)
    }

    fn look(&self, store: &Store, resident: u64, limit: u64, shedding: &mut Shedding) {
        let open_up_to = thousandths(limit, OPEN_UP_TO);
        let room = open_up_to.saturating_sub(resident);
        store.set_room(usize::try_from(room).unwrap_or(usize::MAX));
        let is_full = room == 0;
        if self.is_full.swap(is_full, Ordering::Relaxed) != is_full {
            let (resident_mib, limit_mib) = (resident >> 20, limit >> 20);
            if is_full {
                tracing::warn!(
                    resident_mib,
                    limit_mib,
                    "memory is full: no new entities are taken"
                );
            } else {
                tracing::info!(resident_mib, limit_mib, "new entities are taken again");
            }
        }
        if shedding.is_due(resident, limit) {
            self.shed(store, resident, limit, shedding);
        }
    }

    fn shed(&self, store: &Store, resident: u64, limit: u64, shedding: &mut Shedding) {
        let held = store.bytes() as u64;
        let too_much = resident.saturating_sub(thousandths(limit, SHED_TO));
        let most = usize::try_from(held.saturating_sub(too_much)).unwrap_or(usize::MAX);
        let left = store.shed(most) as u64;
        let freed = held.saturating_sub(left);
        shedding.done(resident, freed);
        self.shed_bytes.fetch_add(freed, Ordering::Relaxed);
        self.shed_times.fetch_add(1, Ordering::Relaxed);
        let (freed_mib, left_mib, limit_mib) = (freed >> 20, left >> 20, limit >> 20);
        if freed > 0 {
            tracing::warn!(
                freed_mib,
                left_mib,
                limit_mib,
                "memory is short: the oldest samples have left before their time"
            );
        }
    }
}

/// When samples were let go last, and what for.
#[derive(Debug, Default)]
struct Shedding {
    /// Looks to come before the process's size is believed.
    waits: u32,
    /// Its size when samples were let go last. What was freed need not go back to the system: as long
    /// as the process does not grow, new samples live in it.
    enough_at: Option<u64>,
}

impl Shedding {
    /// Whether samples have to go now.
    fn is_due(&mut self, resident: u64, limit: u64) -> bool {
        if self.waits > 0 {
            self.waits -= 1;
            return false;
        }
        if resident <= thousandths(limit, SHED_TO) {
            self.enough_at = None;
        }
        resident > limit && self.enough_at.is_none_or(|enough| resident > enough)
    }

    fn done(&mut self, resident: u64, freed: u64) {
        self.waits = LOOKS_AFTER_SHEDDING;
        // An eighth of what was freed may be lost between what stays.
        self.enough_at = Some(resident + freed / 8);
    }
}

fn thousandths(bytes: u64, share: u64) -> u64 {
    bytes / 1000 * share
}

/// What of the process is in RAM, in bytes, as `/proc/self/statm` has it.
fn resident_bytes() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 1000 << 20;

    #[test]
    fn near_the_limit_no_new_entities_are_taken() {
        let (guard, store) =
            (Guard::new(Some(LIMIT)), Store::new(kubemonitor_store::Settings::default()));
        let mut shedding = Shedding::default();
        for (resident, is_full) in
            [(LIMIT / 2, false), (LIMIT / 100 * 95, true), (LIMIT / 2, false)]
        {
            guard.look(&store, resident, LIMIT, &mut shedding);
            assert_eq!(guard.status().is_full, is_full);
            assert_eq!(guard.problem().is_some(), is_full);
        }
        assert_eq!(guard.status().shed_times, 0);
    }

    #[test]
    fn beyond_the_limit_samples_go_until_the_process_grows_no_more() {
        let mut shedding = Shedding::default();
        assert!(!shedding.is_due(LIMIT, LIMIT));
        assert!(shedding.is_due(LIMIT + 1, LIMIT));
        shedding.done(LIMIT + 1, 80 << 20);
        for _ in 0..LOOKS_AFTER_SHEDDING {
            assert!(!shedding.is_due(2 * LIMIT, LIMIT), "it is not believed yet");
        }
        assert!(!shedding.is_due(LIMIT + (5 << 20), LIMIT), "what was freed may be used");
        assert!(shedding.is_due(LIMIT + (11 << 20), LIMIT));
    }

    #[test]
    fn this_process_has_a_size() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 1 << 20));
    }
}
