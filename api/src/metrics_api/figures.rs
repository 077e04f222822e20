//! From the store and the inventory to objects.
//!
//! What is not known whole is left out: a node or pod whose collector is silent, one with a container
//! that has not been measured twice yet. An autoscaler then knows that it does not know; a pod without
//! one of its containers would look idle.

use std::{collections::HashMap, sync::Arc};

use kubemonitor_inventory::{ContainerMeta, NodeMeta, PodMeta};
use kubemonitor_model::{EntityId, EntityKind, NodeName, UnixMillis};
use kubemonitor_store::{NodeView, SeriesView};

use super::{
    objects::{ContainerMetrics, NodeMetrics, ObjectMeta, PodMetrics, Time},
    window::Recent,
};
use crate::monitor::{Monitor, now};

/// What these nodes used, by name.
pub(super) fn of_nodes(monitor: &Monitor, nodes: &[Arc<NodeMeta>]) -> Vec<NodeMetrics> {
    let mut figures: Vec<NodeMetrics> =
        nodes.iter().filter_map(|node| of_node(monitor, node)).collect();
    figures.sort_unstable_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    figures
}

/// What these pods used, by namespace and name.
pub(super) fn of_pods(monitor: &Monitor, pods: Vec<Arc<PodMeta>>) -> Vec<PodMetrics> {
    let mut by_node: HashMap<NodeName, Vec<Arc<PodMeta>>> = HashMap::new();
    for pod in pods.into_iter().filter(|pod| pod.is_running()) {
        if let Some(node) = monitor.store.locate(&pod.uid) {
            by_node.entry(node).or_default().push(pod);
        }
    }
    let at = now();
    let mut figures = Vec::new();
    for (node, pods) in by_node {
        let of_node = |view: &NodeView<'_>| {
            figures.extend(pods.iter().filter_map(|pod| of_pod(view, pod, at)));
        };
        monitor.store.node(&node, of_node);
    }
    let key = |pod: &PodMetrics| (pod.metadata.namespace.clone(), pod.metadata.name.clone());
    figures.sort_unstable_by_key(key);
    figures
}

fn of_node(monitor: &Monitor, node: &NodeMeta) -> Option<NodeMetrics> {
    let name: NodeName = node.name.parse().ok()?;
    let id = EntityId::parse(&node.name);
    let recent = monitor.store.node(&name, |view| recent(view, EntityKind::Node, &id))??;
    let (usage, window) = recent.since(recent.begins())?;
    let metadata = ObjectMeta {
        name: Arc::clone(&node.name),
        namespace: None,
        creation_timestamp: Time(now()),
        labels: node.labels.clone(),
    };
    Some(NodeMetrics { metadata, timestamp: Time(recent.ends()), window, usage })
}

fn of_pod(view: &NodeView<'_>, pod: &PodMeta, at: UnixMillis) -> Option<PodMetrics> {
    let measured = |container: &ContainerMeta| {
        let recent = recent(view, EntityKind::Container, container.id.as_ref()?)?;
        Some((Arc::clone(&container.name), recent))
    };
    let running = pod.containers.iter().filter(|container| container.running);
    let containers: Vec<_> = running.map(measured).collect::<Option<_>>()?;
    // Over the time in which all of them ran.
    let from = containers.iter().map(|(_, recent)| recent.begins()).max()?;
    let mut whole = None;
    let used = containers.iter().map(|(name, recent)| {
        let (usage, window) = recent.since(from)?;
        whole = Some((Time(recent.ends()), window));
        Some(ContainerMetrics { name: Arc::clone(name), usage })
    });
    let containers: Vec<ContainerMetrics> = used.collect::<Option<_>>()?;
    let (timestamp, window) = whole?;
    let metadata = ObjectMeta {
        name: Arc::clone(&pod.name),
        namespace: Some(Arc::clone(&pod.namespace)),
        creation_timestamp: Time(at),
        labels: pod.labels.clone(),
    };
    Some(PodMetrics { metadata, timestamp, window, containers })
}

/// The ticks of something that is there and was measured twice.
fn recent(view: &NodeView<'_>, kind: EntityKind, id: &EntityId) -> Option<Recent> {
    let series = view.find(kind, id).filter(SeriesView::live)?;
    Recent::of(&series)
}
