//! The picture itself, behind the inventory's lock.

mod groups;
mod listings;
mod owners;
mod pods;

use std::sync::Arc;

use kubemonitor_model::{EntityId, UnixMillis};

use crate::{
    ContainerMeta, Kind, Object, Observation, PodMeta, PushedPod, WorkloadKey, WorkloadKind,
    changes::{News, Subscribers},
    index::Slot,
};
use groups::Groups;
use listings::Listings;
use owners::{Owners, Place};
use pods::Pods;

/// IDs of earlier runs kept of a container: more than one that crashes all the time, and is started
/// again every five minutes in the end, can have in an hour.
const PREVIOUS_IDS: usize = 16;

/// Everything known of the cluster.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) pods: Pods,
    pub(crate) groups: Groups,
    pub(crate) listings: Listings,
    pub(crate) subscribers: Subscribers,
    owners: Owners,
}

impl State {
    pub(crate) fn without_cluster() -> Self {
        Self::new(Listings::idle())
    }

    pub(crate) fn of_cluster() -> Self {
        Self::new(Listings::awaited())
    }

    fn new(listings: Listings) -> Self {
        Self {
            pods: Pods::default(),
            groups: Groups::default(),
            owners: Owners::default(),
            subscribers: Subscribers::default(),
            listings,
        }
    }

    pub(crate) fn observe(&mut self, observation: Observation, at: UnixMillis) {
        match observation {
            Observation::ListingBegins(kind) => self.listings.begin(kind),
            Observation::ListingEnds(kind) => self.end_unlisted(kind, at),
            Observation::Refused(kind) => self.refuse(kind),
            Observation::Interrupted(kind) => self.listings.interrupt(kind),
            Observation::Resumed(kind) => self.listings.resume(kind),
            Observation::Pod(pod) => self.put_pod(pod, at),
            Observation::PodGone(uid) => {
                if let Some(slot) = self.pods.with_api_uid(&uid) {
                    self.end_pod(slot, at);
                }
            }
            Observation::Node(node) => {
                self.groups.put_node(node, self.listings.epoch(Kind::Nodes));
            }
            Observation::NodeGone(name) => self.groups.end_node(&name, at),
            Observation::Namespace(object) => {
                self.groups.put_namespace(&object, self.listings.epoch(Kind::Namespaces));
            }
            Observation::NamespaceGone(name) => self.groups.end_namespace(&name, at),
            Observation::Owner(kind, object) => self.put_owner(&kind, &object),
            Observation::OwnerGone(uid) => self.end_owner(&uid, at),
        }
    }

    /// A list is complete: what it did not name went away while nobody was watching.
    fn end_unlisted(&mut self, kind: Kind, at: UnixMillis) {
        let listed = self.listings.end(kind);
        match kind {
            Kind::Pods => {
                for slot in self.pods.unlisted(listed) {
                    self.end_pod(slot, at);
                }
            }
            Kind::Nodes => self.groups.end_unlisted_nodes(listed, at),
            Kind::Namespaces => self.groups.end_unlisted_namespaces(listed, at),
            _ => {
                for uid in self.owners.unlisted(kind, listed) {
                    self.end_owner(&uid, at);
                }
            }
        }
    }

    /// Pods that wait for owners of this kind wait no longer.
    fn refuse(&mut self, kind: Kind) {
        self.listings.refuse(kind);
        let waiting: Vec<Slot> = self
            .pods
            .iter()
            .filter(|(_, pod)| pod.workload.is_none())
            .map(|(slot, _)| slot)
            .collect();
        for slot in waiting {
            self.place_again(slot);
        }
    }

    /// A pod of earlier times, unless news of it has come already.
    pub(crate) fn recall(&mut self, pod: PodMeta) {
        if self.pods.with_api_uid(&pod.api_uid).is_none() {
            self.store(None, pod);
        }
    }

    fn put_pod(&mut self, mut pod: PodMeta, at: UnixMillis) {
        let slot = self.pods.with_api_uid(&pod.api_uid);
        let before = slot.and_then(|slot| self.pods.get(slot)).cloned();
        if let Some(before) = &before {
            carry_container_ids(before, &mut pod);
        } else if let Some(namesake) = self.pods.called(&pod.namespace, &pod.name) {
            // A name is one pod at a time: the API has let go of the other already.
            self.end_pod(namesake, at);
        }
        pod.workload = self.place(&pod).or_else(|| {
            // Its owner may be gone by now, but it is what made it.
            before.filter(|before| before.owner == pod.owner)?.workload.clone()
        });
        self.store(slot, pod);
    }

    fn place(&self, pod: &PodMeta) -> Option<Arc<WorkloadKey>> {
        match self.owners.place(pod, |kind| self.listings.is_expected(kind)) {
            Place::Known(key) => Some(self.shared(key)),
            Place::AwaitsOwner => None,
        }
    }

    fn shared(&self, key: WorkloadKey) -> Arc<WorkloadKey> {
        self.groups.shared_key(&key).cloned().unwrap_or_else(|| Arc::new(key))
    }

    /// What the pod's owner is has become known or has changed.
    fn place_again(&mut self, slot: Slot) {
        let Some(pod) = self.pods.get(slot) else { return };
        let workload = self.place(pod);
        if workload.is_some() && workload != pod.workload {
            let pod = PodMeta { workload, ..PodMeta::clone(pod) };
            self.store(Some(slot), pod);
        }
    }

    fn end_pod(&mut self, slot: Slot, at: UnixMillis) {
        if let Some(pod) = self.pods.get(slot)
            && pod.ended_at.is_none()
        {
            let pod = PodMeta { ended_at: Some(at), ..PodMeta::clone(pod) };
            self.store(Some(slot), pod);
        }
    }

    fn store(&mut self, slot: Option<Slot>, pod: PodMeta) -> (Slot, Arc<PodMeta>) {
        let epoch = self.listings.epoch(Kind::Pods);
        let known = slot.and_then(|slot| Some((slot, Arc::clone(self.pods.get(slot)?))));
        // Most of what a second list says is known.
        if let Some((slot, known)) = known.filter(|(_, known)| **known == pod) {
            self.pods.touch(slot, epoch);
            return (slot, known);
        }
        let pod = Arc::new(pod);
        let (slot, before) = match slot {
            Some(slot) => (slot, self.pods.replace(slot, &pod, epoch)),
            None => (self.pods.insert(&pod, epoch), None),
        };
        if let Some(before) = &before {
            self.groups.remove(slot, before);
        }
        self.groups.add(slot, &pod);
        if let Some(news) = News::between(before.as_deref(), &pod) {
            self.subscribers.tell(slot, news);
        }
        (slot, pod)
    }

    fn put_owner(&mut self, kind: &WorkloadKind, object: &Object) {
        let Some(watched) = owners::watched_kind(kind) else { return };
        let epoch = self.listings.epoch(watched);
        let own = owners::own_key(kind, object);
        let top = self.shared(owners::top_of(kind, object));
        if *top == own {
            self.groups.put_workload(&top, object, epoch);
        } else {
            self.groups.disown_workload(&own, &object.uid);
        }
        let before = self.owners.put(object.uid.clone(), watched, Arc::clone(&top), epoch);
        if before.is_none_or(|before| before != top) {
            let slots: Vec<Slot> = self.pods.made_by(&object.uid).map(|(slot, _)| slot).collect();
            for slot in slots {
                self.place_again(slot);
            }
        }
    }

    fn end_owner(&mut self, uid: &EntityId, at: UnixMillis) {
        if let Some(top) = self.owners.remove(uid) {
            self.groups.end_workload(&top, uid, at);
        }
    }

    /// The pod that a pushed sample would belong to.
    pub(crate) fn pushed_as(&self, pushed: &PushedPod) -> Arc<PodMeta> {
        self.told(pushed).cloned().unwrap_or_else(|| Arc::new(self.pushed_pod(pushed)))
    }

    /// The pod that Kubernetes knows by the name of a pushed one.
    fn told(&self, pushed: &PushedPod) -> Option<&Arc<PodMeta>> {
        let slot = self.pods.called(&pushed.namespace, &pushed.name)?;
        self.pods.get(slot).filter(|_| !self.pods.is_pushed(slot))
    }

    /// The pod that a pushed sample belongs to.
    pub(crate) fn record_pushed(&mut self, pushed: &PushedPod, at: UnixMillis) -> Arc<PodMeta> {
        if let Some(pod) = self.told(pushed) {
            return Arc::clone(pod);
        }
        let slot = self.pods.called(&pushed.namespace, &pushed.name);
        let pod = self.pushed_pod(pushed);
        let (slot, pod) = self.store(slot, pod);
        self.pods.note_pushed(slot, at);
        pod
    }

    fn pushed_pod(&self, pushed: &PushedPod) -> PodMeta {
        let namespace: Arc<str> = pushed.namespace.as_str().into();
        let uid = EntityId::Text(format!("{}/{}", pushed.namespace, pushed.name).into());
        let workload = pushed
            .deployment
            .as_deref()
            .map(|name| self.shared(WorkloadKey::new(&namespace, WorkloadKind::Deployment, name)));
        PodMeta {
            uid: uid.clone(),
            api_uid: uid,
            namespace,
            name: pushed.name.as_str().into(),
            node: pushed.node.as_deref().map(Into::into),
            phase: None,
            ready: None,
            reason: None,
            qos: None,
            owner: None,
            workload,
            labels: None,
            host_network: None,
            created_at: None,
            ended_at: None,
            containers: Box::default(),
            requests: crate::Resources::default(),
            limits: crate::Resources::default(),
            restarts: None,
        }
    }

    pub(crate) fn forget_ended_before(&mut self, moment: UnixMillis) {
        for slot in self.pods.past(moment) {
            if let Some(pod) = self.pods.remove(slot) {
                self.groups.remove(slot, &pod);
            }
        }
        self.groups.forget_ended_before(moment);
    }
}

/// Adds the IDs that the API no longer tells, so that samples of earlier runs keep their names.
fn carry_container_ids(before: &PodMeta, pod: &mut PodMeta) {
    for container in &mut pod.containers {
        let earlier = before.containers.iter().find(|earlier| earlier.name == container.name);
        if let Some(earlier) = earlier {
            container.previous_ids = previous_ids(earlier, container);
        }
    }
}

fn previous_ids(earlier: &ContainerMeta, container: &ContainerMeta) -> Box<[EntityId]> {
    let mut ids: Vec<EntityId> = Vec::new();
    let told = earlier.previous_ids.iter().chain(&earlier.id).chain(&container.previous_ids);
    for id in told {
        if Some(id) != container.id.as_ref() && !ids.contains(id) {
            ids.push(id.clone());
        }
    }
    ids.drain(..ids.len().saturating_sub(PREVIOUS_IDS));
    ids.into()
}
