//! From the store and the inventory to objects.
//!
//! What is not known whole is left out: a node or pod whose collector is silent, one with a container
//! that has not been measured twice yet. An autoscaler then knows that it does not know; a pod without
//! one of its containers would look idle. A container that is started again is no reason to leave its
//! pod out: until the new run has been measured, the run before stands for it, for a short while.

use std::{collections::HashMap, sync::Arc};

use kubemonitor_inventory::{ContainerMeta, ContainerRole, NodeMeta, PodMeta};
use kubemonitor_model::{EntityId, EntityKind, NodeName, UnixMillis};
use kubemonitor_store::{NodeView, SeriesView};

use super::{
    objects::{ContainerMetrics, NodeMetrics, ObjectMeta, PodMetrics, Time, Window},
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

/// How long the last run of a container stands for it while the next one is not measured.
const STANDS_FOR_MS: i64 = 60_000;

fn of_pod(view: &NodeView<'_>, pod: &PodMeta, at: UnixMillis) -> Option<PodMetrics> {
    // Where its pod is not there, a container is not being started again.
    let is_there = view.find(EntityKind::Pod, &pod.uid).is_some_and(|pod| pod.live());
    let before = |container| last_run(view, container).filter(|_| is_there).map(Run::Before);
    let mut runs = Vec::new();
    for container in pod.containers.iter().filter(|container| is_to_run(container)) {
        let present = container.id.as_ref().and_then(|id| recent(view, EntityKind::Container, id));
        match present.map(Run::Present).or_else(|| before(container)) {
            Some(run) => runs.push((&container.name, run)),
            None if container.running => return None,
            // It waits for its turn, and used nothing lately.
            None => {}
        }
    }
    // Over the time in which all that are there ran.
    let from = runs.iter().filter_map(|(_, run)| run.present_from()).max();
    let mut containers = Vec::new();
    let mut whole: Option<(UnixMillis, Window)> = None;
    for (name, run) in &runs {
        let (recent, from) = match run {
            Run::Present(recent) => (recent, from?),
            Run::Before(recent) => (recent, recent.begins()),
        };
        let (usage, window) = recent.since(from)?;
        if whole.is_none_or(|(newest, _)| recent.ends() >= newest) {
            whole = Some((recent.ends(), window));
        }
        containers.push(ContainerMetrics { name: Arc::clone(name), usage });
    }
    let (ends, window) = whole?;
    let metadata = ObjectMeta {
        name: Arc::clone(&pod.name),
        namespace: Some(Arc::clone(&pod.namespace)),
        creation_timestamp: Time(at),
        labels: pod.labels.clone().unwrap_or_default(),
    };
    Some(PodMetrics { metadata, timestamp: Time(ends), window, containers })
}

/// What a container used, and when.
enum Run {
    /// It is there.
    Present(Recent),
    /// It ended a moment ago, and the next one has not been measured.
    Before(Recent),
}

impl Run {
    /// The first tick of one that is there.
    fn present_from(&self) -> Option<UnixMillis> {
        match self {
            Self::Present(recent) => Some(recent.begins()),
            Self::Before(_) => None,
        }
    }
}

/// Whether a container runs, or did and is to run again.
fn is_to_run(container: &ContainerMeta) -> bool {
    let goes_on = matches!(container.role, ContainerRole::App | ContainerRole::Sidecar);
    container.running || (goes_on && container.ids().next().is_some())
}

/// The newest of a container's runs that ended a moment ago.
fn last_run(view: &NodeView<'_>, container: &ContainerMeta) -> Option<Recent> {
    let runs = container.ids().filter_map(|id| view.find(EntityKind::Container, id));
    let newest = runs.filter(|run| !run.live()).max_by_key(SeriesView::last_at)?;
    let is_of_late = view.last_tick().since(newest.last_at()) <= STANDS_FOR_MS;
    Recent::of(&newest).filter(|_| is_of_late)
}

/// The ticks of something that is there and was measured twice.
fn recent(view: &NodeView<'_>, kind: EntityKind, id: &EntityId) -> Option<Recent> {
    let series = view.find(kind, id).filter(SeriesView::live)?;
    Recent::of(&series)
}
