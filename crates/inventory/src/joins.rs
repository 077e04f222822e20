//! Telling others where pods belong.

use std::{
    collections::HashSet,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{Inventory, PodMeta, index::Slot};

/// Pods whose place has become known or has changed: a new one, one whose node or workload is known
/// now, one that ended. Nothing is lost, and what a slow reader has not taken yet is bounded by the
/// number of pods: of each, only its newest state is told.
#[derive(Debug)]
pub struct Joins {
    inventory: Inventory,
    pending: Arc<Pending>,
}

/// Pods one subscriber has not been told of.
#[derive(Debug, Default)]
struct Pending {
    slots: Mutex<HashSet<Slot>>,
    arrived: Notify,
}

impl Joins {
    /// What has changed since the last call; waits until there is something.
    ///
    /// Dropping the future before it is ready loses nothing.
    pub async fn next(&mut self) -> Vec<Arc<PodMeta>> {
        loop {
            let pods = self.drain();
            if !pods.is_empty() {
                return pods;
            }
            self.pending.arrived.notified().await;
        }
    }

    /// What has changed since the last call, be it nothing.
    pub fn drain(&mut self) -> Vec<Arc<PodMeta>> {
        let slots = std::mem::take(&mut *self.pending.slots.lock());
        self.inventory.pods_at(slots)
    }
}

/// Everybody who wants to be told.
#[derive(Debug, Default)]
pub(crate) struct Subscribers(Vec<Weak<Pending>>);

impl Subscribers {
    /// A new subscriber, who begins with the pods there are.
    pub(crate) fn add(
        &mut self,
        inventory: Inventory,
        present: impl Iterator<Item = Slot>,
    ) -> Joins {
        let pending = Arc::new(Pending::default());
        pending.slots.lock().extend(present);
        self.0.retain(|subscriber| subscriber.strong_count() > 0);
        self.0.push(Arc::downgrade(&pending));
        Joins { inventory, pending }
    }

    pub(crate) fn tell(&self, slot: Slot) {
        for pending in self.0.iter().filter_map(Weak::upgrade) {
            if pending.slots.lock().insert(slot) {
                pending.arrived.notify_one();
            }
        }
    }
}
