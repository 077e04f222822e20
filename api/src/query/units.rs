//! Finding what runs outside Kubernetes.

use std::{borrow::Cow, sync::Arc};

use kubemonitor_model::{EntityId, EntityKind, NodeName, UnixMillis};

use super::{
    Listed, Selection, Span, When,
    entity::{Entity, Source, text_of},
};
use crate::{
    errors::ApiError,
    model::{Reading, UnitIdentity, UnitSample, Windowed},
    monitor::Monitor,
};

/// A unit that was found.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    source: Source,
    rank: Option<f64>,
}

/// The units of every node.
pub(crate) fn units(monitor: &Monitor, when: When, selection: &mut Selection<Unit>) {
    for node in monitor.store.nodes() {
        units_on(monitor, node, when, selection);
    }
}

/// The units of a node. Without a span those that run; with one, those that were there in it.
pub(crate) fn units_on(
    monitor: &Monitor,
    node: NodeName,
    when: When,
    selection: &mut Selection<Unit>,
) {
    let sort = selection.sorted_by();
    let is_there = |live: bool, first_at: UnixMillis, last_at: UnixMillis| match when {
        When::Newest => live,
        When::Span(Span { range, .. }) => first_at <= range.to && last_at >= range.from,
    };
    let node = Arc::new(node);
    let there = monitor.store.node(&node, |view| {
        let units = view.series(EntityKind::Unit);
        units
            .filter(|series| is_there(series.live(), series.first_at(), series.last_at()))
            .map(|series| Unit {
                source: source(&node, series.id().clone()),
                rank: Reading::rank_of(&series, sort),
            })
            .collect::<Vec<_>>()
    });
    selection.extend(there.into_iter().flatten());
}

/// The unit of this name, be it one that runs no more.
pub(crate) fn unit(monitor: &Monitor, node: NodeName, name: &str) -> Result<Unit, ApiError> {
    let unit = Unit { source: source(&Arc::new(node), EntityId::parse(name)), rank: None };
    match unit.source.newest_at(monitor) {
        Some(_) => Ok(unit),
        None => Err(ApiError::unknown("unit", name)),
    }
}

fn source(node: &Arc<NodeName>, id: EntityId) -> Source {
    Source { node: Arc::clone(node), kind: EntityKind::Unit, id }
}

impl Unit {
    fn identity(&self) -> UnitIdentity {
        let Source { node, id, .. } = &self.source;
        UnitIdentity { node_name: node.to_string(), unit_name: id.to_string() }
    }
}

impl Listed for Unit {
    fn key(&self, part: usize) -> Cow<'_, str> {
        match part {
            0 => text_of(&self.source.id),
            1 => Cow::Borrowed(self.source.node.as_str()),
            _ => Cow::Borrowed(""),
        }
    }

    fn rank(&self) -> Option<f64> {
        self.rank
    }
}

impl Entity for Unit {
    type Identity = UnitIdentity;
    type Sample = UnitSample;

    fn newest(self, monitor: &Monitor) -> Option<UnitSample> {
        let newest = self.source.newest(monitor)?;
        Some(UnitSample::new(self.identity(), &newest))
    }

    fn over<'a>(
        self,
        span: &'a Span,
        monitor: &'a Monitor,
    ) -> Windowed<UnitIdentity, impl Iterator<Item = UnitSample>> {
        let identity = self.identity();
        let of_samples = identity.clone();
        let readings = self.source.readings(span, monitor);
        let samples = readings.map(move |reading| UnitSample::new(of_samples.clone(), &reading));
        Windowed::new(identity, samples)
    }
}
