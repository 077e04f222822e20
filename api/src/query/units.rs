//! Finding what runs outside Kubernetes.

use kubemonitor_model::{EntityId, EntityKind, NodeName, UnixMillis};

use super::{
    Listed, SortBy, Span, When,
    entity::{Entity, Source},
};
use crate::{
    errors::ApiError,
    model::{Reading, UnitIdentity, UnitSample, Windowed},
    monitor::Monitor,
};

/// A unit that was found.
#[derive(Debug)]
pub(crate) struct Unit {
    source: Source,
    identity: UnitIdentity,
    newest: Reading,
    rank: Option<f64>,
}

/// The units of every node.
pub(crate) fn units(monitor: &Monitor, when: When, sort: SortBy) -> Vec<Unit> {
    monitor.store.nodes().iter().flat_map(|node| units_on(monitor, node, when, sort)).collect()
}

/// The units of a node. Without a span those that run; with one, those that were there in it.
pub(crate) fn units_on(monitor: &Monitor, node: &NodeName, when: When, sort: SortBy) -> Vec<Unit> {
    let is_there = |live: bool, first_at: UnixMillis, last_at: UnixMillis| match when {
        When::Newest => live,
        When::Span(Span { range, .. }) => first_at <= range.to && last_at >= range.from,
    };
    let seen = monitor.store.node(node, |view| {
        view.series(EntityKind::Unit)
            .filter(|series| is_there(series.live(), series.first_at(), series.last_at()))
            .map(|series| (series.id().clone(), series.latest().into()))
            .collect::<Vec<_>>()
    });
    let seen = seen.unwrap_or_default().into_iter();
    seen.map(|(id, newest)| Unit::new(node, id, newest, sort)).collect()
}

/// The unit of this name, be it one that runs no more.
pub(crate) fn unit(monitor: &Monitor, node: &NodeName, name: &str) -> Result<Unit, ApiError> {
    let id = EntityId::parse(name);
    let newest = monitor.store.node(node, |view| {
        view.find(EntityKind::Unit, &id).map(|series| Reading::from(series.latest()))
    });
    let newest = newest.flatten().ok_or_else(|| ApiError::unknown("unit", name))?;
    Ok(Unit::new(node, id, newest, SortBy::Name))
}

impl Unit {
    fn new(node: &NodeName, id: EntityId, newest: Reading, sort: SortBy) -> Self {
        Self {
            identity: UnitIdentity { node_name: node.to_string(), unit_name: id.to_string() },
            source: Source { node: node.clone(), kind: EntityKind::Unit, id },
            rank: newest.rank(sort),
            newest,
        }
    }
}

impl Listed for Unit {
    fn key(&self) -> [&str; 3] {
        [&self.identity.unit_name, &self.identity.node_name, ""]
    }

    fn rank(&self) -> Option<f64> {
        self.rank
    }
}

impl Entity for Unit {
    type Identity = UnitIdentity;
    type Sample = UnitSample;

    fn newest(self) -> UnitSample {
        UnitSample::new(self.identity, &self.newest)
    }

    fn over(self, span: &Span, monitor: &Monitor) -> Windowed<UnitIdentity, UnitSample> {
        let readings = self.source.readings(span, monitor).into_iter();
        let samples =
            readings.map(|reading| UnitSample::new(self.identity.clone(), &reading)).collect();
        Windowed { identity: self.identity, samples }
    }
}
