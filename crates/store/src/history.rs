//! Reads that reach back further than memory does.

use kubemonitor_model::{EntityId, EntityKind, NodeName, Row, UnixMillis};

use crate::{
    Store,
    chunk::Chunks,
    clock::ReadTimes,
    codec::Point,
    disk::{Block, Damage, Disk, DiskError, Level, RolledBlock},
    group::Group,
    group_rollup::{self, GroupExtents, RolledSum},
    millis,
    node::Registry as _,
    rollup::Rolled,
    sample::{Counted, GroupKey, GroupSample, Rates, Sample, TimeRange},
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
    /// Of each bucket between what its gauges were; nothing at full resolution.
    pub extremes: Vec<Extremes>,
}

/// Between what the gauges of a bucket were. Counters are absent.
#[derive(Clone, Debug, PartialEq)]
pub struct Extremes {
    /// At their lowest.
    pub low: Row,
    /// At their highest.
    pub high: Row,
}

/// Sums of a group, all of one resolution.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupPast {
    /// How fine they are.
    pub resolution: Resolution,
    /// Oldest first. Of a bucket: its end, means of sums, totals as they were at its end.
    pub samples: Vec<GroupSample>,
    /// Of each bucket between what its sums were; nothing at full resolution.
    pub extents: Vec<GroupExtents>,
}

/// Rows rolled into buckets, of each its mean, low and high.
#[derive(Default)]
struct Buckets {
    means: Chunks,
    lows: Chunks,
    highs: Chunks,
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
    ) -> History {
        self.history_in(node, kind, id, range, self.resolution(range.from, now))
    }

    /// The finest resolution that reaches back to a moment.
    pub fn resolution(&self, from: UnixMillis, now: UnixMillis) -> Resolution {
        self.level_for(from, now).map_or(Resolution::Full, Resolution::from)
    }

    /// The samples of an entity in a range, in a resolution. A long range can be read in parts.
    pub fn history_in(
        &self,
        node: &NodeName,
        kind: EntityKind,
        id: &EntityId,
        range: TimeRange,
        resolution: Resolution,
    ) -> History {
        let Some(level) = resolution.level() else {
            let window = |view: &crate::NodeView<'_>| Some(view.find(kind, id)?.window(range));
            let samples = self.node(node, window).flatten().unwrap_or_default();
            return History { resolution: Resolution::Full, samples, extremes: Vec::new() };
        };
        // One bucket more, so that the first one asked for has a rate.
        let from = range.from.minus(level.step_ms());
        let mut times = ReadTimes::default();
        let archived = TimeRange { from, ..range };
        let mut rolled = self.archived(level, node, kind, id, archived, &mut times);
        let archived_to = rolled.means.last().map_or(from, |point| point.at);
        let fresh = TimeRange { from: UnixMillis(archived_to.0 + 1), to: range.to };
        let fresh = self.node(node, |view| {
            for time in view.bucket_times(fresh, level.step_ms()) {
                times.note(time);
            }
            Some(view.find(kind, id)?.rolled(fresh, level.step_ms()))
        });
        if let Some(fresh) = fresh.flatten() {
            rolled.means.extend(fresh.means);
            rolled.lows.extend(fresh.lows);
            rolled.highs.extend(fresh.highs);
        }
        let extremes =
            rolled.lows.iter().zip(&rolled.highs).filter(|(low, _)| range.contains(low.at));
        History {
            resolution: level.into(),
            extremes: extremes
                .map(|(low, high)| Extremes { low: row_of(kind, low), high: row_of(kind, high) })
                .collect(),
            samples: samples(kind, &rolled.means, range, &times),
        }
    }

    /// A group's sums in a range, in the finest resolution that reaches back to its beginning, also
    /// of a group whose pods are all gone.
    pub fn group_history(&self, key: &str, range: TimeRange, now: UnixMillis) -> GroupPast {
        let Some((level, disk)) = self.level_for(range.from, now).zip(self.members.disk()) else {
            let samples = self.group_window(key, range);
            return GroupPast { resolution: Resolution::Full, samples, extents: Vec::new() };
        };
        let mut sums = archived_sums(disk, level, key, range);
        if let Some(group) = self.members.group(key) {
            let before = match sums.last() {
                Some(last) => Some(*last),
                // What is asked for is younger than all that is archived.
                None => last_archived_sum(disk, level, key),
            };
            sums.extend(self.fresh_sums(&group, level, before.as_ref(), range.to));
        }
        sums.retain(|sum| range.contains(sum.end));
        let (samples, extents) = sums.iter().map(RolledSum::sample).unzip();
        GroupPast { resolution: level.into(), samples, extents }
    }

    /// What is known to be damaged of what an answer over a range is read from, asked for now: it may
    /// lack that.
    pub fn damage_within(&self, range: TimeRange, now: UnixMillis) -> Option<Damage> {
        self.members.disk()?.damage_within(range, self.level_for(range.from, now))
    }

    /// Hands the buckets of groups that late rows cannot reach any more to the disk.
    pub(crate) fn roll_groups(&self, now: UnixMillis) {
        let Some(disk) = self.members.disk() else { return };
        let settled = self.complete_until().min(now).minus(millis(self.settings.late_limit));
        for (key, group) in self.members.groups_to_roll(now) {
            for level in Level::ALL {
                let step_ms = level.step_ms();
                let to = UnixMillis(settled.0.div_euclid(step_ms) * step_ms);
                if let Err(error) = self.roll_group(disk, &key, &group, level, to) {
                    tracing::error!(group = &*key, %error, "sums are not kept");
                }
            }
        }
    }

    fn roll_group(
        &self,
        disk: &Disk,
        key: &GroupKey,
        group: &Group,
        level: Level,
        to: UnixMillis,
    ) -> Result<(), DiskError> {
        let before = match group.last_rolled(level) {
            Some(before) => Some(before),
            None => last_archived_sum(disk, level, key),
        };
        if before.as_ref().is_some_and(|before| before.end >= to) {
            return Ok(());
        }
        let sums = self.fresh_sums(group, level, before.as_ref(), to);
        let (Some(first), Some(last)) = (sums.first(), sums.last()) else { return Ok(()) };
        let from = before.map_or(first.end.minus(level.step_ms()), |before| before.end);
        let (block, to) = (group_rollup::encode(&sums)?, last.end);
        disk.queue_rolled(RolledBlock { level, name: (&**key).into(), from, to, block });
        group.note_rolled(level, *last);
        Ok(())
    }

    /// The buckets after those that are archived, up to `to`.
    fn fresh_sums(
        &self,
        group: &Group,
        level: Level,
        before: Option<&RolledSum>,
        to: UnixMillis,
    ) -> Vec<RolledSum> {
        // A while before, so that there is a slot that tells how far the totals had come.
        const BEFORE_MS: i64 = 300_000;
        let from = before.map_or(UnixMillis(i64::MIN), |before| before.end.minus(BEFORE_MS));
        let slots = self.sums_of(group, TimeRange { from, to });
        group_rollup::rolled(&slots, level.step_ms(), before)
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
        times: &mut ReadTimes,
    ) -> Rolled {
        let mut buckets = Buckets::default();
        if let Some(disk) = self.members.disk() {
            disk.archive(level).read(node.as_str(), range.from, range.to, |block| {
                let block = Block::decode(block)?;
                for time in block.read_times {
                    times.note(time);
                }
                let mut series = block.series.into_iter();
                if let Some(found) = series.find(|s| s.kind == kind && s.id == *id) {
                    buckets.means.restore(found.chunks);
                    buckets.lows.restore(found.lows);
                    buckets.highs.restore(found.highs);
                }
                Ok(())
            });
        }
        let points = |chunks: &Chunks| {
            let mut points = Vec::new();
            chunks.read(kind, range.from, range.to, |point| {
                if range.contains(point.at) {
                    points.push(point.clone());
                }
            });
            points
        };
        let Buckets { means, lows, highs } = &buckets;
        Rolled { means: points(means), lows: points(lows), highs: points(highs) }
    }
}

impl Resolution {
    /// The length of a bucket; `None` at full resolution.
    pub fn step_ms(self) -> Option<i64> {
        self.level().map(Level::step_ms)
    }

    fn level(self) -> Option<Level> {
        match self {
            Self::Full => None,
            Self::Minutes => Some(Level::Minutes),
            Self::Quarters => Some(Level::Quarters),
        }
    }
}

impl From<Level> for Resolution {
    fn from(level: Level) -> Self {
        match level {
            Level::Minutes => Self::Minutes,
            Level::Quarters => Self::Quarters,
        }
    }
}

fn archived_sums(disk: &Disk, level: Level, key: &str, range: TimeRange) -> Vec<RolledSum> {
    let mut sums: Vec<RolledSum> = Vec::new();
    disk.archive(level).read(key, range.from, range.to, |block| {
        for sum in group_rollup::decode(block)? {
            // A block that was written twice says the same twice.
            if sums.last().is_none_or(|last| last.end < sum.end) {
                sums.push(sum);
            }
        }
        Ok(())
    });
    sums
}

fn last_archived_sum(disk: &Disk, level: Level, key: &str) -> Option<RolledSum> {
    let until = disk.archive(level).rolled_until(key)?;
    archived_sums(disk, level, key, TimeRange { from: until, to: until }).pop()
}

fn samples(kind: EntityKind, points: &[Point], range: TimeRange, times: &ReadTimes) -> Vec<Sample> {
    let mut before: Option<(UnixMillis, Counted)> = None;
    let mut samples = Vec::new();
    for point in points {
        let counted = Counted::at(kind, point);
        let rates = before.as_ref().map_or_else(Rates::default, |(at, before)| {
            Rates::between(before, &counted, times.elapsed_us(*at, point.at))
        });
        before = Some((point.at, counted));
        if range.contains(point.at) {
            samples.push(Sample { at: point.at, row: row_of(kind, point), rates });
        }
    }
    samples
}
