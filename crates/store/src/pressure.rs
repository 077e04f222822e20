//! What is done when memory is short.

use kubemonitor_model::UnixMillis;

use crate::{Store, node::Registry as _, parallel, sync::thread};

/// Steps in which the oldest samples go, until enough have gone.
const STEPS: i64 = 16;

impl Store {
    /// New entities may take so many bytes from now on, until somebody looks again how large the
    /// process is. Those that are held are measured on.
    pub fn set_room(&self, bytes: usize) {
        self.members.admission().set_room(bytes);
    }

    /// Whether a new entity may be begun.
    pub fn has_room(&self) -> bool {
        self.members.admission().has_room()
    }

    /// Memory that entities, samples and sums take, in bytes. Looks at all of them.
    pub fn bytes(&self) -> usize {
        let stats = self.stats();
        stats.bytes + stats.sums_bytes
    }

    /// Lets the oldest samples go, as they were measured, and the oldest sums, until no more than so
    /// many bytes are held or of each entity the newest sample is left. What is on disk stays there.
    /// Gives what is held then.
    pub fn shed(&self, most_bytes: usize) -> usize {
        let nodes = self.all_nodes();
        let oldest = nodes.iter().filter_map(|node| node.held_since()).min();
        let newest = nodes.iter().map(|node| node.heard_at()).max();
        let Some((oldest, newest)) = oldest.zip(newest) else { return self.bytes() };
        let mut held = usize::MAX;
        for step in 1..=STEPS {
            let part = newest.since(oldest) / STEPS * step;
            let horizon = if step == STEPS { newest } else { UnixMillis(oldest.0 + part) };
            let of_nodes = parallel::mapped(nodes.clone(), |node| {
                let held = node.release_before(horizon, &self.members);
                if let Some(disk) = self.members.disk() {
                    disk.make_room();
                }
                thread::yield_now();
                held
            });
            self.members.release_before(horizon);
            held = of_nodes.into_iter().sum::<usize>() + self.members.memory_bytes();
            if held <= most_bytes {
                break;
            }
        }
        held
    }
}
