//! Pods, and how they are found.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use kubemonitor_model::{EntityId, UnixMillis};
use slab::Slab;

use super::listings::Epoch;
use crate::{
    ContainerMeta, PodMeta,
    index::{Index, Slot},
};

/// Every pod that is answerable for, present or ended.
#[derive(Debug, Default)]
pub(crate) struct Pods {
    entries: Slab<Entry>,
    /// By both UIDs.
    by_uid: Index,
    by_name: Index,
    by_container: Index,
    by_owner: Index,
    /// Those that have ended, the earliest first.
    ended: BTreeSet<(UnixMillis, Slot)>,
    /// Those that are known from pushed samples only, and when the last came.
    pushed: HashMap<Slot, UnixMillis>,
}

#[derive(Debug)]
struct Entry {
    pod: Arc<PodMeta>,
    epoch: Epoch,
}

impl Pods {
    pub(crate) fn get(&self, slot: Slot) -> Option<&Arc<PodMeta>> {
        Some(&self.entries.get(slot as usize)?.pod)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &Arc<PodMeta>)> {
        self.entries.iter().map(|(place, entry)| (narrow(place), &entry.pod))
    }

    /// The pod with this UID, in its cgroup or in the API. Mirror pods of one static pod share the
    /// first: the present one answers, else the newest.
    pub(crate) fn with_uid(&self, uid: &EntityId) -> Option<Slot> {
        let found = self.matching(&self.by_uid, uid, |pod| pod.uid == *uid || pod.api_uid == *uid);
        current(found)
    }

    pub(crate) fn with_api_uid(&self, uid: &EntityId) -> Option<Slot> {
        let (slot, _) = self.matching(&self.by_uid, uid, |pod| pod.api_uid == *uid).next()?;
        Some(slot)
    }

    /// The pod this name stands for now: the present one, else the newest.
    pub(crate) fn called(&self, namespace: &str, name: &str) -> Option<Slot> {
        current(self.named(name).filter(|(_, pod)| pod.namespace.as_ref() == namespace))
    }

    /// All pods of this name, in whatever namespace, past ones too.
    pub(crate) fn named<'a>(
        &'a self,
        name: &'a str,
    ) -> impl Iterator<Item = (Slot, &'a Arc<PodMeta>)> {
        self.matching(&self.by_name, name, move |pod| pod.name.as_ref() == name)
    }

    pub(crate) fn with_container(&self, id: &EntityId) -> Option<Slot> {
        let (slot, _) =
            self.matching(&self.by_container, id, |pod| pod.container(id).is_some()).next()?;
        Some(slot)
    }

    /// The pods that the owner with this UID made.
    pub(crate) fn made_by<'a>(
        &'a self,
        owner: &'a EntityId,
    ) -> impl Iterator<Item = (Slot, &'a Arc<PodMeta>)> {
        self.matching(&self.by_owner, owner, move |pod| {
            pod.owner.as_ref().is_some_and(|made_by| made_by.uid == *owner)
        })
    }

    fn matching<'a, K: std::hash::Hash + ?Sized>(
        &'a self,
        index: &'a Index,
        key: &'a K,
        matches: impl Fn(&PodMeta) -> bool,
    ) -> impl Iterator<Item = (Slot, &'a Arc<PodMeta>)> {
        index
            .candidates(key)
            .filter_map(|slot| Some((slot, self.get(slot)?)))
            .filter(move |(_, pod)| matches(pod))
    }

    pub(crate) fn insert(&mut self, pod: &Arc<PodMeta>, epoch: Epoch) -> Slot {
        let slot = narrow(self.entries.insert(Entry { pod: Arc::clone(pod), epoch }));
        self.link(slot, pod);
        slot
    }

    /// Puts a newer state in the place of an older one, which is handed back.
    pub(crate) fn replace(
        &mut self,
        slot: Slot,
        pod: &Arc<PodMeta>,
        epoch: Epoch,
    ) -> Option<Arc<PodMeta>> {
        let entry = self.entries.get_mut(slot as usize)?;
        entry.epoch = epoch;
        let before = std::mem::replace(&mut entry.pod, Arc::clone(pod));
        self.unlink(slot, &before);
        self.link(slot, pod);
        Some(before)
    }

    /// The pod was seen, as it is known.
    pub(crate) fn touch(&mut self, slot: Slot, epoch: Epoch) {
        if let Some(entry) = self.entries.get_mut(slot as usize) {
            entry.epoch = epoch;
        }
    }

    pub(crate) fn remove(&mut self, slot: Slot) -> Option<Arc<PodMeta>> {
        let entry = self.entries.try_remove(slot as usize)?;
        self.unlink(slot, &entry.pod);
        self.pushed.remove(&slot);
        Some(entry.pod)
    }

    /// Present pods that the complete list with this number did not name.
    pub(crate) fn unlisted(&self, listed: Epoch) -> Vec<Slot> {
        self.entries
            .iter()
            .map(|(place, entry)| (narrow(place), entry))
            .filter(|(slot, entry)| entry.epoch < listed && !self.pushed.contains_key(slot))
            .filter(|(_, entry)| entry.pod.ended_at.is_none())
            .map(|(slot, _)| slot)
            .collect()
    }

    pub(crate) fn note_pushed(&mut self, slot: Slot, at: UnixMillis) {
        self.pushed.insert(slot, at);
    }

    pub(crate) fn is_pushed(&self, slot: Slot) -> bool {
        self.pushed.contains_key(&slot)
    }

    /// Pods that ended, or were last pushed, before this moment.
    pub(crate) fn past(&self, moment: UnixMillis) -> Vec<Slot> {
        let ended = self.ended.range(..(moment, 0)).map(|&(_, slot)| slot);
        let silent = self.pushed.iter().filter(|&(_, &at)| at < moment).map(|(&slot, _)| slot);
        let slots: BTreeSet<Slot> = ended.chain(silent).collect();
        slots.into_iter().collect()
    }

    fn link(&mut self, slot: Slot, pod: &PodMeta) {
        self.by_uid.insert(&pod.uid, slot);
        if pod.api_uid != pod.uid {
            self.by_uid.insert(&pod.api_uid, slot);
        }
        self.by_name.insert(pod.name.as_ref(), slot);
        for id in pod.containers.iter().flat_map(ContainerMeta::ids) {
            self.by_container.insert(id, slot);
        }
        if let Some(owner) = &pod.owner {
            self.by_owner.insert(&owner.uid, slot);
        }
        if let Some(at) = pod.ended_at {
            self.ended.insert((at, slot));
        }
    }

    fn unlink(&mut self, slot: Slot, pod: &PodMeta) {
        self.by_uid.remove(&pod.uid, slot);
        if pod.api_uid != pod.uid {
            self.by_uid.remove(&pod.api_uid, slot);
        }
        self.by_name.remove(pod.name.as_ref(), slot);
        for id in pod.containers.iter().flat_map(ContainerMeta::ids) {
            self.by_container.remove(id, slot);
        }
        if let Some(owner) = &pod.owner {
            self.by_owner.remove(&owner.uid, slot);
        }
        if let Some(at) = pod.ended_at {
            self.ended.remove(&(at, slot));
        }
    }
}

/// Of several pods that one name or UID stood for, the one it stands for now.
fn current<'a>(pods: impl Iterator<Item = (Slot, &'a Arc<PodMeta>)>) -> Option<Slot> {
    let (slot, _) = pods
        .max_by_key(|(slot, pod)| (pod.ended_at.is_none(), pod.ended_at, pod.created_at, *slot))?;
    Some(slot)
}

fn narrow(place: usize) -> Slot {
    Slot::try_from(place).expect("4 billion pods fit no memory")
}
