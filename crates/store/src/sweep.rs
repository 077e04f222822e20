//! Tidying up over all nodes, every few seconds.

use std::sync::{Arc, atomic::Ordering};

use kubemonitor_model::{NodeName, UnixMillis};

use crate::{
    Store, disk, millis,
    node::{Node, Registry as _, Swept},
    sync::thread,
};

/// Yield after this many nodes: sweeping 5,000 in one go held a processor for 100 ms.
const SWEPT_AT_ONCE: usize = 16;

/// When a sweep takes place.
#[derive(Clone, Copy, Debug)]
pub struct SweepTime {
    /// What time it is.
    pub now: UnixMillis,
    /// What time it surely is at least: by this goes what is deleted for its age.
    pub passed: UnixMillis,
}

impl From<UnixMillis> for SweepTime {
    fn from(now: UnixMillis) -> Self {
        Self { now, passed: now }
    }
}

impl Store {
    /// Ends what has fallen silent and drops what is past the retention. To be called every few
    /// seconds.
    pub fn sweep(&self, time: impl Into<SweepTime>) {
        let SweepTime { now, passed } = time.into();
        self.members.pass(passed);
        let nodes = self.all_nodes();
        let horizons = self.members.disk().map(|disk| {
            let oldest = nodes.iter().filter_map(|node| node.unsealed_since()).min();
            let horizons = disk::Horizons {
                journal: match oldest {
                    None => now,
                    // It came while the clock was ahead: when that was is not known any more.
                    Some(oldest) if oldest > now => UnixMillis(i64::MIN),
                    Some(oldest) => oldest,
                },
                blocks: passed.minus(millis(self.settings.retention)),
                rolled: [self.settings.retention_minutes, self.settings.retention_quarters]
                    .map(|retention| passed.minus(millis(retention))),
            };
            (disk, horizons)
        });
        let (mut empty, mut steady) = (Vec::new(), 0);
        for (place, node) in nodes.iter().enumerate() {
            if place % SWEPT_AT_ONCE == SWEPT_AT_ONCE - 1 {
                thread::yield_now();
            }
            match node.sweep(now, &self.members) {
                Swept::Empty => empty.push(node),
                Swept::Steady => steady += 1,
                Swept::Held => {}
            }
        }
        self.steady_nodes.store(steady, Ordering::Relaxed);
        if !empty.is_empty() {
            let mut nodes = self.nodes.write();
            for node in empty {
                // Somebody may have sent between the two locks.
                if node.retire(&self.members) {
                    nodes.remove(node.name());
                }
            }
        }
        self.roll_groups(now);
        // Not before what is past the retention was rolled.
        if let Some((disk, horizons)) = horizons {
            disk.retire(horizons);
        }
        self.members.forget_empty_groups();
    }

    /// Forgets the nodes that have sent a tick or two, were silent for a minute since and are strange:
    /// whoever can send frames can make names up.
    pub fn forget_strangers(&self, now: UnixMillis, is_strange: impl Fn(&NodeName) -> bool) {
        let strange = |node: &Arc<Node>| node.came_by(now) && is_strange(node.name());
        let strangers: Vec<_> = self.all_nodes().into_iter().filter(strange).collect();
        if strangers.is_empty() {
            return;
        }
        let mut nodes = self.nodes.write();
        for node in strangers {
            node.forget_all(&self.members);
            if node.retire(&self.members) {
                nodes.remove(node.name());
            }
        }
    }
}
