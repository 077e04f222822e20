//! What every answer is about: something with a newest sample and samples before.

use kubemonitor_model::{EntityId, EntityKind, NodeName};
use serde::Serialize;

use super::{Listed, Span, steps};
use crate::{
    model::{Reading, Windowed},
    monitor::Monitor,
};

/// Something that was found and can be shown.
pub(crate) trait Entity: Listed + Send + Sized + 'static {
    /// What tells it from others, as JSON.
    type Identity: Serialize;
    /// What it is at one moment, as JSON.
    type Sample: Serialize + Send;

    /// Its newest sample.
    fn newest(self) -> Self::Sample;

    /// Its samples in a span.
    fn over(self, span: &Span, monitor: &Monitor) -> Windowed<Self::Identity, Self::Sample>;
}

/// Where the store has the rows of something.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The node that measured it.
    pub(crate) node: NodeName,
    /// What it is.
    pub(crate) kind: EntityKind,
    /// Who it is on that node.
    pub(crate) id: EntityId,
}

impl Source {
    /// What was read in a span, oldest first; beyond the retention in the coarser steps that are
    /// kept for longer.
    pub(crate) fn readings(&self, span: &Span, monitor: &Monitor) -> Vec<Reading> {
        let Self { node, kind, id } = self;
        let history = monitor.store.history(node, *kind, id, span.range, span.asked_at);
        steps::readings(span.gauges.of_history(history), span)
    }
}

/// Pairs each reading with what is said of its entity: `now` with the newest one there is, `past`
/// with all others.
pub(crate) fn with_facts<R, F: Clone>(
    readings: Vec<R>,
    reaches_newest: bool,
    now: F,
    past: &F,
) -> impl Iterator<Item = (R, F)> {
    let newest = readings.len().checked_sub(1).filter(|_| reaches_newest);
    let facts = move |place| if Some(place) == newest { now.clone() } else { past.clone() };
    readings.into_iter().enumerate().map(move |(place, reading)| (reading, facts(place)))
}
