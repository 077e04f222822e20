//! Finding nodes.

use kubemonitor_model::{EntityId, EntityKind, NodeName};
use kubemonitor_store::{NodeView, SeriesView};

use super::{
    Listed, SortBy, Span,
    entity::{Entity, Source, with_facts},
    presence::{Knowledge, Sight, runs},
};
use crate::{
    errors::ApiError,
    model::{NodeFacts, NodeIdentity, NodeSample, Reading, Windowed},
    monitor::{Monitor, is_nowhere, now},
};

/// A node that was found.
#[derive(Debug)]
pub(crate) struct Node {
    source: Source,
    facts: NodeFacts,
    newest: Reading,
    rank: Option<f64>,
}

/// What the store says of a node.
struct Measured {
    newest: Option<Reading>,
    is_silent: bool,
    clock_skew_ms: Option<i64>,
    conflicting_frames: u64,
    /// Pods and containers that were there when it was heard of last.
    pods: u64,
    containers: u64,
}

/// Every node: those that were measured, and those Kubernetes knows.
pub(crate) fn nodes(monitor: &Monitor, sort: SortBy) -> Vec<Node> {
    monitor.nodes().into_iter().map(|name| Node::new(monitor, name, sort)).collect()
}

/// The node of this name.
pub(crate) fn node(monitor: &Monitor, name: &str) -> Result<Node, ApiError> {
    let name = known(monitor, name)?;
    Ok(Node::new(monitor, name, SortBy::Name))
}

/// The name of a node that is known.
pub(crate) fn known(monitor: &Monitor, name: &str) -> Result<NodeName, ApiError> {
    let unknown = || ApiError::unknown("node", name);
    let node: NodeName = name.parse().map_err(|_| unknown())?;
    let measured = !is_nowhere(&node) && monitor.store.node(&node, |_| ()).is_some();
    if measured || monitor.inventory.node(name).is_some() { Ok(node) } else { Err(unknown()) }
}

impl Node {
    fn new(monitor: &Monitor, name: NodeName, sort: SortBy) -> Self {
        let source =
            Source { kind: EntityKind::Node, id: EntityId::parse(name.as_str()), node: name };
        let measured = monitor.store.node(&source.node, |view| look(view, &source.id));
        let meta = monitor.inventory.node(source.node.as_str());
        let counts = match (&meta, Knowledge::of_pods(monitor)) {
            (Some(_), Knowledge::Current) => Some(claimed(monitor, source.node.as_str())),
            _ => measured.as_ref().map(|measured| (measured.pods, measured.containers)),
        };
        let stale = measured.as_ref().is_none_or(|measured| measured.is_silent);
        let facts = NodeFacts {
            identity: NodeIdentity { node_name: source.node.to_string() },
            pod_count: counts.map(|(pods, _)| pods),
            container_count: counts.map(|(_, containers)| containers),
            ready: meta.and_then(|meta| meta.ready),
            stale: Some(stale),
            clock_skew_ms: measured.as_ref().and_then(|measured| measured.clock_skew_ms),
            conflicting_frames: measured.as_ref().map(|measured| measured.conflicting_frames),
        };
        let newest = measured.and_then(|measured| measured.newest);
        let newest = newest.unwrap_or_else(|| Reading::empty(EntityKind::Node, now()));
        let rank = newest.rank(sort).filter(|_| !stale);
        Self { source, facts, newest, rank }
    }
}

fn look(view: &NodeView<'_>, id: &EntityId) -> Measured {
    let sight = Sight::new(view);
    let there = |series: &SeriesView<'_>| sight.is_in_newest(series);
    let count = |kind| view.series(kind).filter(there).count() as u64;
    Measured {
        newest: view.find(EntityKind::Node, id).map(|series| series.latest().into()),
        is_silent: sight.is_silent,
        clock_skew_ms: view.clock_skew_ms(),
        conflicting_frames: view.conflicts().frames,
        pods: count(EntityKind::Pod),
        containers: count(EntityKind::Container),
    }
}

/// Pods and containers that run on a node, as Kubernetes has it: it knows sandboxes from
/// containers.
fn claimed(monitor: &Monitor, node: &str) -> (u64, u64) {
    let pods = monitor.inventory.pods_on(node);
    let running = pods.iter().filter(|pod| runs(pod));
    running.fold((0, 0), |(pods, containers), pod| {
        let running = pod.containers.iter().filter(|container| container.running).count();
        (pods + 1, containers + running as u64)
    })
}

impl Listed for Node {
    fn key(&self) -> [&str; 3] {
        [self.source.node.as_str(), "", ""]
    }

    fn rank(&self) -> Option<f64> {
        self.rank
    }
}

impl Entity for Node {
    type Identity = NodeIdentity;
    type Sample = NodeSample;

    fn newest(self) -> NodeSample {
        NodeSample::new(self.facts, &self.newest)
    }

    fn over(self, span: &Span, monitor: &Monitor) -> Windowed<NodeIdentity, NodeSample> {
        let readings = self.source.readings(span, monitor);
        let identity = self.facts.identity.clone();
        let past = self.facts.past();
        let reaches_newest = span.range.to >= self.newest.at;
        let samples = with_facts(readings, reaches_newest, self.facts, &past)
            .map(|(reading, facts)| NodeSample::new(facts, &reading))
            .collect();
        Windowed { identity, samples }
    }
}
