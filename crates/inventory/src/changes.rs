//! Telling others what has changed of pods.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{Inventory, PodMeta, index::Slot};

/// News of pods. Nothing is lost, and what a slow reader has not taken yet is bounded by the number
/// of pods: of each, only its newest state is told.
#[derive(Debug)]
pub struct Changes {
    inventory: Inventory,
    pending: Arc<Pending>,
}

/// Pods of which there is news, as they are now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Those whose place has become known or has changed: a new one, one whose node or workload is
    /// known now, one that ended.
    pub moved: Vec<Arc<PodMeta>>,
    /// Those that are where they were, in another phase, with other containers or other labels.
    pub updated: Vec<Arc<PodMeta>>,
}

/// What there is to tell of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum News {
    /// It changed where it is.
    Updated,
    /// It is elsewhere, or counts elsewhere.
    Moved,
}

/// Pods one subscriber has not been told of.
#[derive(Debug, Default)]
struct Pending {
    slots: Mutex<HashMap<Slot, News>>,
    arrived: Notify,
}

impl Changes {
    /// What has changed since the last call; waits until there is something.
    ///
    /// Dropping the future before it is ready loses nothing.
    pub async fn next(&mut self) -> Changed {
        loop {
            let changed = self.drain();
            if changed != Changed::default() {
                return changed;
            }
            self.pending.arrived.notified().await;
        }
    }

    /// What has changed since the last call, be it nothing.
    pub fn drain(&mut self) -> Changed {
        let slots = std::mem::take(&mut *self.pending.slots.lock());
        let of = |wanted: News| {
            slots.iter().filter(move |(_, news)| **news == wanted).map(|(slot, _)| *slot)
        };
        Changed {
            moved: self.inventory.pods_at(of(News::Moved)),
            updated: self.inventory.pods_at(of(News::Updated)),
        }
    }
}

impl News {
    /// What there is to tell of a pod that was in one state and is in another.
    pub(crate) fn between(before: Option<&PodMeta>, now: &PodMeta) -> Option<Self> {
        let Some(before) = before else { return Some(Self::Moved) };
        let is_where_it_was = (&before.node, &before.workload, before.ended_at)
            == (&now.node, &now.workload, now.ended_at);
        if !is_where_it_was {
            return Some(Self::Moved);
        }
        (!before.is_recorded_like(now)).then_some(Self::Updated)
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
    ) -> Changes {
        let pending = Arc::new(Pending::default());
        pending.slots.lock().extend(present.map(|slot| (slot, News::Moved)));
        self.0.retain(|subscriber| subscriber.strong_count() > 0);
        self.0.push(Arc::downgrade(&pending));
        Changes { inventory, pending }
    }

    pub(crate) fn tell(&self, slot: Slot, news: News) {
        for pending in self.0.iter().filter_map(Weak::upgrade) {
            let mut slots = pending.slots.lock();
            let told = slots.entry(slot).or_insert(news);
            *told = news.max(*told);
            drop(slots);
            pending.arrived.notify_one();
        }
    }
}
