//! The handle everybody shares.

use std::{collections::HashSet, sync::Arc};

use kubemonitor_model::{EntityId, UnixMillis};
use parking_lot::RwLock;

use crate::{
    Changes, Kind, NamespaceMeta, NodeMeta, NotSynced, Observation, PodMeta, PodSums, WorkloadKey,
    WorkloadMeta, index::Slot, state::State,
};

/// The picture of the cluster. Cloning gives another handle on the same picture.
///
/// Pods that are gone stay in every answer, marked by [`PodMeta::ended_at`], until
/// [`forget_ended_before`](Self::forget_ended_before) drops them. Lists come in no particular order.
#[derive(Clone, Debug)]
pub struct Inventory(Arc<RwLock<State>>);

/// A pod as somebody else's collector names it when it pushes a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedPod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The node it runs on, where told.
    pub node: Option<String>,
    /// The deployment it belongs to, where told.
    pub deployment: Option<String>,
}

impl Inventory {
    /// An inventory that no cluster fills: it knows what is pushed, and is ready at once.
    pub fn without_cluster() -> Self {
        Self(Arc::new(RwLock::new(State::without_cluster())))
    }

    /// An inventory that waits for every kind to be listed.
    pub fn of_cluster() -> Self {
        Self(Arc::new(RwLock::new(State::of_cluster())))
    }

    /// Takes in a piece of news, learnt at this moment.
    pub fn observe(&self, observation: Observation, at: UnixMillis) {
        self.0.write().observe(observation, at);
    }

    /// Takes in what was known of a pod before a restart. It is there until the first complete list
    /// does not name it. To be called before the cluster is followed.
    pub fn recall(&self, pod: PodMeta) {
        self.0.write().recall(pod);
    }

    /// The pod that a pushed sample would belong to, whether or not it is known: nothing is kept of it.
    pub fn pushed_as(&self, pod: &PushedPod) -> Arc<PodMeta> {
        self.0.read().pushed_as(pod)
    }

    /// The pod that a pushed sample belongs to: the one Kubernetes knows by that name, else one
    /// that is kept for as long as samples of it come.
    pub fn record_pushed(&self, pod: &PushedPod, at: UnixMillis) -> Arc<PodMeta> {
        self.0.write().record_pushed(pod, at)
    }

    /// Drops what ended before this moment, and pushed pods that were last heard of before it.
    pub fn forget_ended_before(&self, moment: UnixMillis) {
        self.0.write().forget_ended_before(moment);
    }

    /// Whether everything essential has been listed; else what has not.
    pub fn ready(&self) -> Result<(), Vec<NotSynced>> {
        let missing = self.0.read().listings.missing();
        if missing.is_empty() { Ok(()) } else { Err(missing) }
    }

    /// Whether what is known of pods is what Kubernetes says at present. Not so without a cluster,
    /// before the first complete list, and while the Kubernetes API is away.
    pub fn is_current(&self) -> bool {
        self.0.read().listings.is_current(Kind::Pods)
    }

    /// News of pods, beginning with all that are known.
    pub fn subscribe(&self) -> Changes {
        let mut state = self.0.write();
        let State { pods, subscribers, .. } = &mut *state;
        subscribers.add(self.clone(), pods.iter().map(|(slot, _)| slot))
    }

    /// The pod with this UID, be it the one its cgroup carries or the one the API knows.
    pub fn pod_by_uid(&self, uid: &EntityId) -> Option<Arc<PodMeta>> {
        let state = self.0.read();
        state.pods.get(state.pods.with_uid(uid)?).cloned()
    }

    /// The pod that has, or had, a container with this ID; [`PodMeta::container`] picks it.
    pub fn pod_by_container(&self, id: &EntityId) -> Option<Arc<PodMeta>> {
        let state = self.0.read();
        state.pods.get(state.pods.with_container(id)?).cloned()
    }

    /// The pod this name stands for now: the present one, else the newest of those that ended.
    pub fn pod(&self, namespace: &str, name: &str) -> Option<Arc<PodMeta>> {
        let state = self.0.read();
        state.pods.get(state.pods.called(namespace, name)?).cloned()
    }

    /// All pods of this name, in whatever namespace, past ones too.
    pub fn pods_named(&self, name: &str) -> Vec<Arc<PodMeta>> {
        self.0.read().pods.named(name).map(|(_, pod)| Arc::clone(pod)).collect()
    }

    /// All pods.
    pub fn pods(&self) -> Vec<Arc<PodMeta>> {
        self.0.read().pods.iter().map(|(_, pod)| Arc::clone(pod)).collect()
    }

    /// The pods of a namespace.
    pub fn pods_in(&self, namespace: &str) -> Vec<Arc<PodMeta>> {
        let state = self.0.read();
        collect(&state, state.groups.slots_in(namespace))
    }

    /// The pods of a workload.
    pub fn pods_of(&self, workload: &WorkloadKey) -> Vec<Arc<PodMeta>> {
        let state = self.0.read();
        collect(&state, state.groups.slots_of(workload))
    }

    /// The pods that are, or were, bound to a node.
    pub fn pods_on(&self, node: &str) -> Vec<Arc<PodMeta>> {
        let state = self.0.read();
        collect(&state, state.groups.slots_on(node))
    }

    /// The pods that are bound to no node.
    pub fn pods_unbound(&self) -> Vec<Arc<PodMeta>> {
        let state = self.0.read();
        let unbound = state.pods.iter().filter(|(_, pod)| pod.node.is_none());
        unbound.map(|(_, pod)| Arc::clone(pod)).collect()
    }

    /// The nodes that present pods of a namespace are bound to, those left out that have run to
    /// their end.
    pub fn nodes_in(&self, namespace: &str) -> HashSet<Arc<str>> {
        let state = self.0.read();
        nodes(&state, state.groups.slots_in(namespace))
    }

    /// The nodes that present pods of a workload are bound to, as [`nodes_in`](Self::nodes_in).
    pub fn nodes_of(&self, workload: &WorkloadKey) -> HashSet<Arc<str>> {
        let state = self.0.read();
        nodes(&state, state.groups.slots_of(workload))
    }

    /// A namespace, with its sums.
    pub fn namespace(&self, name: &str) -> Option<NamespaceMeta> {
        self.0.read().groups.namespace(name)
    }

    /// All namespaces: those the API told of, and those that only pods name.
    pub fn namespaces(&self) -> Vec<NamespaceMeta> {
        self.0.read().groups.namespaces().collect()
    }

    /// A workload, with its sums.
    pub fn workload(&self, key: &WorkloadKey) -> Option<WorkloadMeta> {
        self.0.read().groups.workload(key)
    }

    /// The workloads of a namespace, those without pods too.
    pub fn workloads(&self, namespace: &str) -> Vec<WorkloadMeta> {
        self.0.read().groups.workloads_in(namespace).collect()
    }

    /// A node as the API tells of it.
    pub fn node(&self, name: &str) -> Option<Arc<NodeMeta>> {
        self.0.read().groups.node(name).cloned()
    }

    /// All nodes the API told of.
    pub fn nodes(&self) -> Vec<Arc<NodeMeta>> {
        self.0.read().groups.nodes().cloned().collect()
    }

    /// How many nodes the API told of, those that left lately included.
    pub fn node_count(&self) -> usize {
        self.0.read().groups.nodes().count()
    }

    /// Sums over the pods of a node; all 0 and absent when it has none.
    pub fn sums_on(&self, node: &str) -> PodSums {
        self.0.read().groups.sums_on(node)
    }

    pub(crate) fn pods_at(&self, slots: impl IntoIterator<Item = Slot>) -> Vec<Arc<PodMeta>> {
        collect(&self.0.read(), slots.into_iter())
    }
}

fn collect(state: &State, slots: impl Iterator<Item = Slot>) -> Vec<Arc<PodMeta>> {
    slots.filter_map(|slot| state.pods.get(slot).cloned()).collect()
}

fn nodes(state: &State, slots: impl Iterator<Item = Slot>) -> HashSet<Arc<str>> {
    let pods = slots.filter_map(|slot| state.pods.get(slot));
    let mut nodes = HashSet::new();
    for node in pods.filter(|pod| pod.occupies_node()).filter_map(|pod| pod.node.as_ref()) {
        if !nodes.contains(node) {
            nodes.insert(Arc::clone(node));
        }
    }
    nodes
}

#[cfg(test)]
mod tests;
