//! Looks at a node and its series, all of one moment.

use kubemonitor_model::{EntityId, EntityKind, NodeName, QosClass, UnixMillis};

use super::{Conflicts, PUSHED_GONE_AFTER_MS, STALE_TICKS, State, state::Awaited};
use crate::{
    clock::{ReadTime, ReadTimes},
    rollup::Rolled,
    sample::{Sample, TimeRange},
    series::Series,
};

/// A look at one node, all of one moment.
pub struct NodeView<'a> {
    pub(super) name: &'a NodeName,
    pub(super) state: &'a State,
}

impl<'a> NodeView<'a> {
    /// The node's name.
    pub fn name(&self) -> &'a NodeName {
        self.name
    }

    /// The newest tick of its collector; the epoch when it has none.
    pub fn last_tick(&self) -> UnixMillis {
        self.state.newest_tick.unwrap_or_default()
    }

    /// The time between two ticks of its collector; 0 when it has none.
    pub fn interval_ms(&self) -> u32 {
        self.state.interval_ms
    }

    /// Nothing was heard of it for more than three intervals, by the server's clock.
    pub fn stale(&self, now: UnixMillis) -> bool {
        let interval_ms = i64::from(self.state.interval_ms.max(1000));
        let limit = if self.state.interval_ms == 0 {
            PUSHED_GONE_AFTER_MS
        } else {
            STALE_TICKS * interval_ms
        };
        let pushed = self.state.series.iter().filter(|series| series.pushed);
        let heard_at = pushed.map(|s| s.heard_at).max().unwrap_or_default();
        now.since(self.state.heard_at.max(heard_at)) > limit
    }

    /// When the buckets of a range were read.
    pub(crate) fn bucket_times(&self, range: TimeRange, step_ms: i64) -> Vec<ReadTime> {
        self.state.read_times.of_buckets(range, step_ms)
    }

    /// How far its collector's clock is ahead of the server's, in milliseconds; negative where it is
    /// behind, or where frames are under way for that long. `None` until one came.
    pub fn clock_skew_ms(&self) -> Option<i64> {
        self.state.skew.ahead_ms()
    }

    /// Frames that were refused because another collector sends for this node.
    pub fn conflicts(&self) -> Conflicts {
        self.state.conflicts
    }

    /// It is known from the data directory and has sent nothing since the start of this process: what
    /// is live here was when it last sent.
    pub fn is_awaited(&self) -> bool {
        self.state.awaited != Awaited::No
    }

    /// All series of a kind, ended ones included while they are retained.
    pub fn series(&self, kind: EntityKind) -> impl Iterator<Item = SeriesView<'a>> {
        let times = &self.state.read_times;
        let series = self.state.series.iter().filter(move |series| series.kind == kind);
        series.map(move |series| SeriesView { series, times })
    }

    /// One series.
    pub fn find(&self, kind: EntityKind, id: &EntityId) -> Option<SeriesView<'a>> {
        let index = *self.state.index.get(&(kind, id.clone()))?;
        Some(SeriesView { series: &self.state.series[index], times: &self.state.read_times })
    }
}

/// A look at one entity.
#[derive(Clone, Copy)]
pub struct SeriesView<'a> {
    series: &'a Series,
    times: &'a ReadTimes,
}

impl<'a> SeriesView<'a> {
    /// Who it is.
    pub fn id(&self) -> &'a EntityId {
        &self.series.id
    }

    /// What it is.
    pub fn kind(&self) -> EntityKind {
        self.series.kind
    }

    /// The pod a container belongs to.
    pub fn parent(&self) -> Option<&'a EntityId> {
        self.series.parent.as_ref()
    }

    /// The QoS class, where the cgroup told.
    pub fn qos(&self) -> Option<QosClass> {
        self.series.qos
    }

    /// It was in its node's newest tick (or pushed lately), and the node was heard of lately.
    pub fn live(&self) -> bool {
        self.series.live()
    }

    /// The time of its first row.
    pub fn first_at(&self) -> UnixMillis {
        self.series.first_at
    }

    /// The time of its newest row.
    pub fn last_at(&self) -> UnixMillis {
        self.series.last_at()
    }

    /// The newest sample.
    pub fn latest(&self) -> Sample {
        self.series.latest()
    }

    /// The newest row's value of a metric, without the rest.
    pub fn value(&self, metric: kubemonitor_model::Metric) -> Option<u64> {
        self.series.value(metric)
    }

    /// Some of the samples of a range, oldest first, with the rest of the range if there may be more:
    /// about so many at a time, in turns of which none is long.
    pub fn window_part(&self, range: TimeRange, about: usize) -> (Vec<Sample>, Option<TimeRange>) {
        self.series.window_part(range, about, self.times)
    }

    /// The rows of a range, rolled into buckets.
    pub(crate) fn rolled(&self, range: TimeRange, step_ms: i64) -> Rolled {
        self.series.roll(range, step_ms)
    }

    /// The samples of a range, oldest first.
    pub fn window(&self, range: TimeRange) -> Vec<Sample> {
        self.series.window(range, self.times)
    }
}
