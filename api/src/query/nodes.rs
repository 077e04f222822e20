//! Finding nodes.

use std::{borrow::Cow, sync::Arc};

use kubemonitor_model::{EntityId, EntityKind, NodeName};
use kubemonitor_store::{NodeView, SeriesView};

use super::{
    Listed, Selection, SortBy, Span,
    entity::{Entity, Source, with_facts},
    presence::{Knowledge, Sight, runs},
};
use crate::{
    errors::ApiError,
    model::{NodeFacts, NodeIdentity, NodeSample, Reading, Windowed},
    monitor::{Monitor, is_nowhere, now},
};

/// A node that was found.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    name: Arc<NodeName>,
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
pub(crate) fn nodes(monitor: &Monitor, selection: &mut Selection<Node>) {
    let sort = selection.sorted_by();
    selection.extend(monitor.nodes().into_iter().map(|name| Node::new(monitor, name, sort)));
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
        let mut node = Self { name: Arc::new(name), rank: None };
        if sort != SortBy::Name {
            let rank = |view: &NodeView<'_>| {
                let series = view.find(EntityKind::Node, &node.source().id)?;
                // What is stale has no place in an order by present use.
                Reading::rank_of(&series, sort).filter(|_| !Sight::new(view).is_silent)
            };
            node.rank = monitor.store.node(&node.name, rank).flatten();
        }
        node
    }

    fn source(&self) -> Source {
        let id = EntityId::parse(self.name.as_str());
        Source { node: Arc::clone(&self.name), kind: EntityKind::Node, id }
    }

    /// What there is to say of it now, and its newest reading.
    fn present(&self, monitor: &Monitor) -> (NodeFacts, Reading) {
        let source = self.source();
        let measured = monitor.store.node(&self.name, |view| look(view, &source.id));
        let meta = monitor.inventory.node(self.name.as_str());
        let counts = match (&meta, Knowledge::of_pods(monitor)) {
            (Some(_), Knowledge::Current) => Some(claimed(monitor, self.name.as_str())),
            _ => measured.as_ref().map(|measured| (measured.pods, measured.containers)),
        };
        let facts = NodeFacts {
            identity: NodeIdentity { node_name: self.name.to_string() },
            pod_count: counts.map(|(pods, _)| pods),
            container_count: counts.map(|(_, containers)| containers),
            ready: meta.and_then(|meta| meta.ready),
            stale: Some(measured.as_ref().is_none_or(|measured| measured.is_silent)),
            clock_skew_ms: measured.as_ref().and_then(|measured| measured.clock_skew_ms),
            conflicting_frames: measured.as_ref().map(|measured| measured.conflicting_frames),
        };
        let newest = measured.and_then(|measured| measured.newest);
        (facts, newest.unwrap_or_else(|| Reading::empty(EntityKind::Node, now())))
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
    fn key(&self, part: usize) -> Cow<'_, str> {
        Cow::Borrowed(if part == 0 { self.name.as_str() } else { "" })
    }

    fn rank(&self) -> Option<f64> {
        self.rank
    }
}

impl Entity for Node {
    type Identity = NodeIdentity;
    type Sample = NodeSample;

    fn newest(self, monitor: &Monitor) -> Option<NodeSample> {
        let (facts, newest) = self.present(monitor);
        Some(NodeSample::new(facts, &newest))
    }

    fn over<'a>(
        self,
        span: &'a Span,
        monitor: &'a Monitor,
    ) -> Windowed<NodeIdentity, impl Iterator<Item = NodeSample>> {
        let (facts, newest) = self.present(monitor);
        let (identity, past) = (facts.identity.clone(), facts.past());
        let readings = self.source().readings(span, monitor);
        let samples = with_facts(readings, span.range.to >= newest.at, facts, past)
            .map(|(reading, facts)| NodeSample::new(facts, &reading));
        Windowed::new(identity, samples)
    }
}
