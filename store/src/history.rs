//! Reads that reach back further than memory does.

use kubemonitor_model::{EntityId, EntityKind, NodeName, UnixMillis};

use crate::{
    Store,
    chunk::Chunks,
    codec::Point,
    disk::{DiskError, Level},
    millis,
    node::Registry as _,
    sample::{Counted, Rates, Sample, TimeRange},
    series::row_of,
};

/// How fine the samples of a [`History`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// As they were measured.
    Full,
    /// Buckets of one minute.
    Minutes,
    /// Buckets of a quarter of an hour.
    Quarters,
}

/// Samples of one entity, all of one resolution.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// How fine they are.
    pub resolution: Resolution,
    /// Oldest first. Of a bucket: its end, means of gauges, counters as they were at its end.
    pub samples: Vec<Sample>,
}

impl Store {
    /// The samples of an entity in a range, in the finest resolution that reaches back to its
    /// beginning. What is not on disk yet is rolled here, so that one resolution covers the whole.
    pub fn history(
        &self,
        node: &NodeName,
        kind: EntityKind,
        id: &EntityId,
        range: TimeRange,
        now: UnixMillis,
    ) -> Result<History, DiskError> {
        let Some(level) = self.level_for(range.from, now) else {
            let window = |view: &crate::NodeView<'_>| Some(view.find(kind, id)?.window(range));
            let samples = self.node(node, window).flatten().unwrap_or_default();
            return Ok(History { resolution: Resolution::Full, samples });
        };
        let resolution = match level {
            Level::Minutes => Resolution::Minutes,
            Level::Quarters => Resolution::Quarters,
        };
        // One bucket more, so that the first one asked for has a rate.
        let from = range.from.minus(level.step_ms());
        let mut points = self.archived(level, node, kind, id, TimeRange { from, ..range })?;
        let archived_to = points.last().map_or(from, |point| point.at);
        let fresh = TimeRange { from: UnixMillis(archived_to.0 + 1), to: range.to };
        points.extend(
            self.node(node, |view| Some(view.find(kind, id)?.rolled(fresh, level.step_ms())))
                .flatten()
                .unwrap_or_default(),
        );
        Ok(History { resolution, samples: samples(kind, &points, range) })
    }

    /// The nodes that have history, also those that are gone.
    pub fn remembered_nodes(&self) -> Vec<NodeName> {
        let mut nodes = self.nodes();
        if let Some(disk) = self.members.disk() {
            nodes.extend(Level::ALL.iter().flat_map(|&level| disk.archive(level).nodes()));
        }
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// The finest rolled level that reaches back to `from`; `None` when memory does.
    fn level_for(&self, from: UnixMillis, now: UnixMillis) -> Option<Level> {
        self.members.disk()?;
        let age = now.since(from);
        if age <= millis(self.settings.retention) {
            None
        } else if age <= millis(self.settings.retention_minutes) {
            Some(Level::Minutes)
        } else {
            Some(Level::Quarters)
        }
    }

    fn archived(
        &self,
        level: Level,
        node: &NodeName,
        kind: EntityKind,
        id: &EntityId,
        range: TimeRange,
    ) -> Result<Vec<Point>, DiskError> {
        let mut chunks = Chunks::default();
        if let Some(disk) = self.members.disk() {
            disk.archive(level).read(node, range.from, range.to, |block| {
                let mut series = block.series.into_iter();
                if let Some(found) = series.find(|s| s.kind == kind && s.id == *id) {
                    chunks.restore(found.chunks);
                }
            })?;
        }
        let mut points = Vec::new();
        chunks.read(kind, range.from, range.to, |point| {
            if range.contains(point.at) {
                points.push(point.clone());
            }
        });
        Ok(points)
    }
}

fn samples(kind: EntityKind, points: &[Point], range: TimeRange) -> Vec<Sample> {
    let mut before: Option<(UnixMillis, Counted)> = None;
    let mut samples = Vec::new();
    for point in points {
        let counted = Counted::at(kind, point);
        let rates = before.as_ref().map_or_else(Rates::default, |(at, before)| {
            let elapsed_us = u64::try_from(point.at.since(*at) * 1000).unwrap_or(0);
            Rates::between(before, &counted, elapsed_us)
        });
        before = Some((point.at, counted));
        if range.contains(point.at) {
            samples.push(Sample { at: point.at, row: row_of(kind, point), rates });
        }
    }
    samples
}
