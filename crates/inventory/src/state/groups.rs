//! Who belongs together: the pods of a node, a namespace, a workload, and their sums.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use kubemonitor_model::{EntityId, UnixMillis};

use super::listings::Epoch;
use crate::{
    NamespaceMeta, NodeMeta, Object, PodMeta, PodSums, WorkloadKey, WorkloadMeta, index::Slot,
    resources::PodTally,
};

/// All nodes, namespaces and workloads: those the API told of, and those that only pods name.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    nodes: HashMap<Arc<str>, Node>,
    namespaces: HashMap<Arc<str>, Namespace>,
    workloads: HashMap<Arc<WorkloadKey>, Workload>,
}

/// Pods that have something in common. Ended ones are members, but no part of the sums.
#[derive(Debug, Default)]
struct Members {
    slots: BTreeSet<Slot>,
    tally: PodTally,
}

#[derive(Debug, Default)]
struct Node {
    members: Members,
    meta: Option<(Arc<NodeMeta>, Epoch)>,
}

#[derive(Debug, Default)]
struct Namespace {
    members: Members,
    workloads: BTreeSet<Arc<WorkloadKey>>,
    life: Option<Life>,
}

#[derive(Debug, Default)]
struct Workload {
    members: Members,
    life: Option<Life>,
}

/// What the API told of an object that matters by name only.
#[derive(Debug)]
struct Life {
    uid: EntityId,
    created_at: Option<UnixMillis>,
    ended_at: Option<UnixMillis>,
    epoch: Epoch,
}

impl Members {
    fn add(&mut self, slot: Slot, pod: &PodMeta) {
        if self.slots.insert(slot) {
            self.tally.add(pod);
        }
    }

    /// Takes out a pod in the very state in which it was added.
    fn remove(&mut self, slot: Slot, pod: &PodMeta) {
        if self.slots.remove(&slot) {
            self.tally.remove(pod);
        }
    }
}

impl Life {
    fn of(object: &Object, epoch: Epoch) -> Self {
        Self { uid: object.uid.clone(), created_at: object.created_at, ended_at: None, epoch }
    }
}

/// Membership.
impl Groups {
    pub(crate) fn add(&mut self, slot: Slot, pod: &PodMeta) {
        if let Some(node) = &pod.node {
            self.nodes.entry(Arc::clone(node)).or_default().members.add(slot, pod);
        }
        let namespace = self.namespaces.entry(Arc::clone(&pod.namespace)).or_default();
        namespace.members.add(slot, pod);
        if let Some(key) = &pod.workload {
            self.workload_mut(key).members.add(slot, pod);
        }
    }

    /// Takes a pod out, in the very state in which it was added, and what is left of nobody.
    pub(crate) fn remove(&mut self, slot: Slot, pod: &PodMeta) {
        if let Some(name) = &pod.node
            && let Some(node) = self.nodes.get_mut(name)
        {
            node.members.remove(slot, pod);
            if node.is_void() {
                self.nodes.remove(name);
            }
        }
        if let Some(key) = &pod.workload
            && let Some(workload) = self.workloads.get_mut(key)
        {
            workload.members.remove(slot, pod);
            self.drop_workload_if_void(key);
        }
        if let Some(namespace) = self.namespaces.get_mut(&pod.namespace) {
            namespace.members.remove(slot, pod);
            self.drop_namespace_if_void(&pod.namespace);
        }
    }

    fn workload_mut(&mut self, key: &Arc<WorkloadKey>) -> &mut Workload {
        self.workloads.entry(Arc::clone(key)).or_insert_with(|| {
            let namespace = self.namespaces.entry(Arc::clone(&key.namespace)).or_default();
            namespace.workloads.insert(Arc::clone(key));
            Workload::default()
        })
    }

    fn drop_workload_if_void(&mut self, key: &WorkloadKey) {
        if self.workloads.get(key).is_some_and(Workload::is_void) {
            self.workloads.remove(key);
            if let Some(namespace) = self.namespaces.get_mut(&key.namespace) {
                namespace.workloads.remove(key);
                self.drop_namespace_if_void(&key.namespace);
            }
        }
    }

    fn drop_namespace_if_void(&mut self, name: &str) {
        if self.namespaces.get(name).is_some_and(Namespace::is_void) {
            self.namespaces.remove(name);
        }
    }
}

impl Node {
    fn is_void(&self) -> bool {
        self.members.slots.is_empty() && self.meta.is_none()
    }
}

impl Namespace {
    fn is_void(&self) -> bool {
        self.members.slots.is_empty() && self.workloads.is_empty() && self.life.is_none()
    }
}

impl Workload {
    fn is_void(&self) -> bool {
        self.members.slots.is_empty() && self.life.is_none()
    }
}

/// What the API tells of nodes, namespaces and workloads themselves.
impl Groups {
    pub(crate) fn put_node(&mut self, node: NodeMeta, epoch: Epoch) {
        let name = Arc::clone(&node.name);
        self.nodes.entry(name).or_default().meta = Some((Arc::new(node), epoch));
    }

    pub(crate) fn end_node(&mut self, name: &str, at: UnixMillis) {
        if let Some(Node { meta: Some((meta, _)), .. }) = self.nodes.get_mut(name) {
            Arc::make_mut(meta).ended_at.get_or_insert(at);
        }
    }

    pub(crate) fn end_unlisted_nodes(&mut self, listed: Epoch, at: UnixMillis) {
        for node in self.nodes.values_mut() {
            if let Some((meta, epoch)) = &mut node.meta
                && *epoch < listed
            {
                Arc::make_mut(meta).ended_at.get_or_insert(at);
            }
        }
    }

    pub(crate) fn put_namespace(&mut self, object: &Object, epoch: Epoch) {
        let namespace = self.namespaces.entry(Arc::clone(&object.name)).or_default();
        namespace.life = Some(Life::of(object, epoch));
    }

    pub(crate) fn end_namespace(&mut self, name: &str, at: UnixMillis) {
        if let Some(Namespace { life: Some(life), .. }) = self.namespaces.get_mut(name) {
            life.ended_at.get_or_insert(at);
        }
    }

    pub(crate) fn end_unlisted_namespaces(&mut self, listed: Epoch, at: UnixMillis) {
        for life in self.namespaces.values_mut().filter_map(|namespace| namespace.life.as_mut()) {
            if life.epoch < listed {
                life.ended_at.get_or_insert(at);
            }
        }
    }

    pub(crate) fn put_workload(&mut self, key: &Arc<WorkloadKey>, object: &Object, epoch: Epoch) {
        self.workload_mut(key).life = Some(Life::of(object, epoch));
    }

    /// Ends the workload, unless its name stands for a later object by now.
    pub(crate) fn end_workload(&mut self, key: &WorkloadKey, uid: &EntityId, at: UnixMillis) {
        if let Some(Workload { life: Some(life), .. }) = self.workloads.get_mut(key)
            && life.uid == *uid
        {
            life.ended_at.get_or_insert(at);
        }
    }

    /// The object turned out to stand for its owner: it is no workload of its own.
    pub(crate) fn disown_workload(&mut self, key: &WorkloadKey, uid: &EntityId) {
        if let Some(workload) = self.workloads.get_mut(key)
            && workload.life.as_ref().is_some_and(|life| life.uid == *uid)
        {
            workload.life = None;
            self.drop_workload_if_void(key);
        }
    }

    /// Drops nodes, namespaces and workloads that ended before this moment. Their pods stay under
    /// their names for as long as they are known.
    pub(crate) fn forget_ended_before(&mut self, moment: UnixMillis) {
        let past = |ended_at: Option<UnixMillis>| ended_at.is_some_and(|at| at < moment);
        self.nodes.retain(|_, node| {
            node.meta.take_if(|(meta, _)| past(meta.ended_at));
            !node.is_void()
        });
        self.workloads.retain(|key, workload| {
            workload.life.take_if(|life| past(life.ended_at));
            if workload.is_void()
                && let Some(namespace) = self.namespaces.get_mut(&key.namespace)
            {
                namespace.workloads.remove(key);
            }
            !workload.is_void()
        });
        self.namespaces.retain(|_, namespace| {
            namespace.life.take_if(|life| past(life.ended_at));
            !namespace.is_void()
        });
    }
}

/// Reading.
impl Groups {
    pub(crate) fn node(&self, name: &str) -> Option<&Arc<NodeMeta>> {
        self.nodes.get(name)?.meta.as_ref().map(|(meta, _)| meta)
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Arc<NodeMeta>> {
        self.nodes.values().filter_map(|node| node.meta.as_ref()).map(|(meta, _)| meta)
    }

    pub(crate) fn sums_on(&self, node: &str) -> PodSums {
        self.nodes.get(node).map(|node| node.members.tally.sums()).unwrap_or_default()
    }

    pub(crate) fn slots_on(&self, node: &str) -> impl Iterator<Item = Slot> {
        self.nodes.get(node).into_iter().flat_map(|node| node.members.slots.iter().copied())
    }

    pub(crate) fn namespace(&self, name: &str) -> Option<NamespaceMeta> {
        let (name, namespace) = self.namespaces.get_key_value(name)?;
        Some(namespace.meta(name))
    }

    pub(crate) fn namespaces(&self) -> impl Iterator<Item = NamespaceMeta> {
        self.namespaces.iter().map(|(name, namespace)| namespace.meta(name))
    }

    pub(crate) fn slots_in(&self, namespace: &str) -> impl Iterator<Item = Slot> {
        let namespace = self.namespaces.get(namespace);
        namespace.into_iter().flat_map(|namespace| namespace.members.slots.iter().copied())
    }

    pub(crate) fn workload(&self, key: &WorkloadKey) -> Option<WorkloadMeta> {
        let (key, workload) = self.workloads.get_key_value(key)?;
        Some(workload.meta(key))
    }

    /// The workload's key as it is shared by all its pods.
    pub(crate) fn shared_key(&self, key: &WorkloadKey) -> Option<&Arc<WorkloadKey>> {
        self.workloads.get_key_value(key).map(|(key, _)| key)
    }

    pub(crate) fn workloads_in(&self, namespace: &str) -> impl Iterator<Item = WorkloadMeta> {
        let namespace = self.namespaces.get(namespace);
        let keys = namespace.into_iter().flat_map(|namespace| namespace.workloads.iter());
        keys.filter_map(|key| Some(self.workloads.get(key)?.meta(key)))
    }

    pub(crate) fn slots_of(&self, key: &WorkloadKey) -> impl Iterator<Item = Slot> {
        let workload = self.workloads.get(key);
        workload.into_iter().flat_map(|workload| workload.members.slots.iter().copied())
    }
}

impl Namespace {
    fn meta(&self, name: &Arc<str>) -> NamespaceMeta {
        NamespaceMeta {
            name: Arc::clone(name),
            created_at: self.life.as_ref().and_then(|life| life.created_at),
            ended_at: self.life.as_ref().and_then(|life| life.ended_at),
            pods: self.members.tally.sums(),
        }
    }
}

impl Workload {
    fn meta(&self, key: &Arc<WorkloadKey>) -> WorkloadMeta {
        WorkloadMeta {
            key: Arc::clone(key),
            created_at: self.life.as_ref().and_then(|life| life.created_at),
            ended_at: self.life.as_ref().and_then(|life| life.ended_at),
            pods: self.members.tally.sums(),
        }
    }
}
