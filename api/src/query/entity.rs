//! What every answer is about: something with a newest sample and samples before.

use std::{borrow::Cow, sync::Arc};

use kubemonitor_model::{EntityId, EntityKind, NodeName, UnixMillis};
use kubemonitor_store::{NodeView, Resolution, Sample, SeriesView, TimeRange};
use serde::Serialize;

use super::{Listed, Span, steps};
use crate::{
    model::{Reading, Windowed},
    monitor::{Monitor, millis},
};

/// Something that was found and can be shown. It says where the figures are and not what they are:
/// of a large list all are held until the last one is written.
pub(crate) trait Entity: Listed + Clone + Send + Sized + 'static {
    /// What tells it from others, as JSON.
    type Identity: Serialize;
    /// What it is at one moment, as JSON.
    type Sample: Serialize + Send;

    /// Its newest sample; `None` where nothing is left of it by now.
    fn newest(self, monitor: &Monitor) -> Option<Self::Sample>;

    /// Its samples in a span, read while they are written.
    fn over<'a>(
        self,
        span: &'a Span,
        monitor: &'a Monitor,
    ) -> Windowed<Self::Identity, impl Iterator<Item = Self::Sample>>;
}

/// Where the store has the rows of something.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The node that measured it.
    pub(crate) node: Arc<NodeName>,
    /// What it is.
    pub(crate) kind: EntityKind,
    /// Who it is on that node.
    pub(crate) id: EntityId,
}

/// The identity as text.
pub(crate) fn text_of(id: &EntityId) -> Cow<'_, str> {
    match id {
        EntityId::Text(text) => Cow::Borrowed(text),
        _ => Cow::Owned(id.to_string()),
    }
}

/// Rows, or buckets of longer history, that are read at a time: 300 KB.
const READ_AT_ONCE: usize = 512;

impl Source {
    /// Lets `read` look at it, if it is there.
    pub(crate) fn look<R>(
        &self,
        monitor: &Monitor,
        read: impl FnOnce(SeriesView<'_>) -> R,
    ) -> Option<R> {
        let look = |view: &NodeView<'_>| Some(read(view.find(self.kind, &self.id)?));
        monitor.store.node(&self.node, look).flatten()
    }

    /// What was read last.
    pub(crate) fn newest(&self, monitor: &Monitor) -> Option<Reading> {
        self.look(monitor, |series| series.latest().into())
    }

    /// When something was read last.
    pub(crate) fn newest_at(&self, monitor: &Monitor) -> Option<UnixMillis> {
        self.look(monitor, |series| series.last_at())
    }

    /// What was read in a span, oldest first; beyond the retention in the coarser steps that are
    /// kept for longer.
    pub(crate) fn readings<'a>(
        self,
        span: &'a Span,
        monitor: &'a Monitor,
    ) -> impl Iterator<Item = Reading> + use<'a> {
        let resolution = monitor.store.resolution(span.range.from, span.asked_at);
        let range = match resolution {
            Resolution::Full => span.range,
            // There is nothing beyond, and looking for it takes time.
            _ => TimeRange {
                from: span.range.from.max(span.asked_at.minus(millis(monitor.reach))),
                to: span.range.to.min(span.asked_at),
            },
        };
        let parts = Parts { source: self, span, monitor, resolution, left: Some(range) };
        steps::readings(parts.flatten(), span)
    }
}

/// The samples of a span, some at a time.
struct Parts<'a> {
    source: Source,
    span: &'a Span,
    monitor: &'a Monitor,
    resolution: Resolution,
    left: Option<TimeRange>,
}

impl Iterator for Parts<'_> {
    type Item = Vec<Sample>;

    fn next(&mut self) -> Option<Vec<Sample>> {
        let range = self.left.take().filter(|range| range.from <= range.to)?;
        let Some(step_ms) = self.resolution.step_ms() else { return self.read_memory(range) };
        let buckets = i64::try_from(READ_AT_ONCE).unwrap_or(i64::MAX);
        let to = UnixMillis(range.from.0.saturating_add(step_ms * buckets)).min(range.to);
        let Source { node, kind, id } = &self.source;
        let part = TimeRange { from: range.from, to };
        let history = self.monitor.store.history_in(node, *kind, id, part, self.resolution);
        self.left = Some(TimeRange { from: UnixMillis(to.0 + 1), ..range });
        Some(self.span.gauges.of_history(history))
    }
}

impl Parts<'_> {
    fn read_memory(&mut self, range: TimeRange) -> Option<Vec<Sample>> {
        let (samples, rest) =
            self.source.look(self.monitor, |series| series.window_part(range, READ_AT_ONCE))?;
        self.left = rest;
        Some(samples)
    }
}

/// Pairs each reading with what is said of its entity: `now` with the newest one there is, `past`
/// with all others.
pub(crate) fn with_facts<R, F: Clone>(
    readings: impl Iterator<Item = R>,
    reaches_newest: bool,
    now: F,
    past: F,
) -> impl Iterator<Item = (R, F)> {
    let mut readings = readings.peekable();
    std::iter::from_fn(move || {
        let reading = readings.next()?;
        let is_newest = reaches_newest && readings.peek().is_none();
        let facts = if is_newest { now.clone() } else { past.clone() };
        Some((reading, facts))
    })
}
