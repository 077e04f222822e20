//! Everything one node measures, behind one lock: a tick goes in, and is seen, as a whole.

mod placing;
mod saving;
mod skew;
mod state;
mod view;

use std::sync::Arc;

use kubemonitor_model::{EntityId, EntityKind, NodeName, Tick, UnixMillis};
use parking_lot::Mutex;

use self::{
    placing::Placed,
    state::{Awaited, State},
};
pub use self::{
    state::Conflicts,
    view::{NodeView, SeriesView},
};
use crate::{
    admission::Refusal,
    clock::ReadTime,
    disk::{self, Disk},
    group::Group,
    sample::TimeRange,
    series::{Series, Taken},
    usage::{Peaks, Usage},
};

/// Ticks without a frame after which a node is stale.
const STALE_TICKS: i64 = 3;
/// Ticks of a node that may never send again.
const PASSING_TICKS: usize = 2;
/// Silence after which a node's entities no longer count as there; of longer intervals, that of a stale node.
const GONE_AFTER_MS: i64 = 60_000;
/// Silence after which what others push no longer counts as there: their intervals are not known.
const PUSHED_GONE_AFTER_MS: i64 = 300_000;

/// What the store asks of the registry around a node while a tick goes in.
pub(crate) trait Registry {
    /// Has one more series begun, which takes about so many bytes, unless it may not.
    fn admit(&self, bytes: usize) -> Result<(), Refusal>;
    /// So many series of a node are gone, those of `pods` among them.
    fn forget(&self, node: &NodeName, series: usize, pods: &[EntityId]);
    /// The groups a pod counts in, noting that `node` measures it.
    fn groups_of(&self, pod: &EntityId, node: &Arc<Node>) -> Vec<Arc<Group>>;
    /// A node's newest tick is another now.
    fn moved(&self, from: Option<UnixMillis>, to: Option<UnixMillis>);
    /// How long rows are kept.
    fn retention_ms(&self) -> i64;
    /// What time it surely is at least, for what is deleted for its age.
    fn passed(&self) -> UnixMillis;
    /// How far behind the newest row another may be.
    fn late_limit_ms(&self) -> i64;
    /// Where they are kept beside memory.
    fn disk(&self) -> Option<&Disk>;
}

/// What became of a tick's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) samples: u64,
    pub(crate) late_samples: u64,
    pub(crate) duplicate: bool,
    pub(crate) refused_series: u64,
    /// Why the last of them was refused.
    pub(crate) refusal: Option<Refusal>,
    /// The entry's place in the journal.
    pub(crate) sequence: Option<u64>,
}

/// A node and all its series.
#[derive(Debug)]
pub(crate) struct Node {
    name: NodeName,
    /// What its busiest pods use, for readers who want no lock.
    peaks: Peaks,
    state: Mutex<State>,
}

impl Node {
    pub(crate) fn new(name: NodeName) -> Self {
        Self { name, peaks: Peaks::default(), state: Mutex::default() }
    }

    pub(crate) fn name(&self) -> &NodeName {
        &self.name
    }

    /// Takes a tick in, which came as this frame.
    pub(crate) fn take(
        self: &Arc<Self>,
        tick: &Tick,
        frame: &[u8],
        came: Came,
        registry: &impl Registry,
    ) -> Result<Outcome, NotTaken> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let now = came.now;
        if state.retired {
            return Err(NotTaken::Retired);
        }
        if state.is_ahead(now) {
            self.forget_after(state, now, registry);
        }
        let placed = match came.stood_at {
            Some(at) if state.read_times.knows(at) => Placed::Duplicate,
            Some(at) => Placed::At(at),
            None => state.place(tick, registry.late_limit_ms(), now).inspect_err(|why| {
                if matches!(why, NotTaken::Conflict) {
                    state.conflicts.note(now);
                }
            })?,
        };
        state.hear(tick, came);
        let Placed::At(at) = placed else {
            return Ok(Outcome { duplicate: true, ..Outcome::default() });
        };
        let is_newest = state.newest_tick.is_none_or(|newest| at > newest);
        self.seal_if_due(state, now, registry);
        state.read_times.note(ReadTime::of(tick).told_from(at));
        state.interval_ms = u32::try_from(placing::interval_ms(tick)).unwrap_or(5000);
        state.since_previous_ms = state.read_since_previous_ms(tick, at);
        let mut outcome = Outcome::default();
        for (place, entity) in tick.rows.iter().enumerate() {
            let parent = || tick.rows.get(entity.parent? as usize).map(|pod| pod.id.clone());
            let found = state.take_row(place, entity, parent, at, now, registry, self);
            let (index, taken) = match found {
                Ok(found) => found,
                Err(refusal) => {
                    outcome.refused_series += 1;
                    outcome.refusal = Some(refusal);
                    continue;
                }
            };
            let samples = u64::from(entity.row.present().count_ones());
            match taken {
                Taken::Newest => outcome.samples += samples,
                Taken::Late => outcome.late_samples += samples,
                Taken::Duplicate => {}
            }
            if is_newest {
                state.series[index].set_live(true);
            }
        }
        if is_newest {
            state.come_to(Some(at), registry);
            state.newest_frame = Some((tick.instance, tick.sequence));
            state.newest_own_at = Some(tick.at);
            state.end_all_but(at);
        }
        state.refresh_usages(&self.peaks);
        outcome.sequence = state.journal(now, registry, |chain| chain.encode(tick, at, frame, now));
        Ok(outcome)
    }

    /// Forgets what clocks that were ahead have left after `end`.
    fn forget_after(&self, state: &mut State, end: UnixMillis, registry: &impl Registry) {
        tracing::warn!(node = %self.name, ahead_ms = state.newest_tick.map(|newest| newest.since(end)),
            "the server's clock was set back; what was measured while it was ahead is dropped");
        let State { series, read_times, .. } = state;
        let empty: Vec<_> = series
            .iter_mut()
            .filter_map(|series| {
                let is_left = series.pushed || series.forget_after(end, read_times);
                (!is_left).then(|| (series.kind, series.id.clone()))
            })
            .collect();
        let newest = state.read_times.drop_after(end);
        state.come_to(newest, registry);
        state.newest_own_at = None;
        // What the blocks on disk have is to be taken back soon.
        state.seal_due = state.seal_due.map(|due| due.min(end));
        state.wrong_after = Some(state.wrong_after.map_or(end, |before| before.min(end)));
        for until in state.rolled_until.iter_mut().flatten() {
            *until = (*until).min(end);
        }
        state.forget(&empty, &self.name, registry);
    }

    /// Takes the one row of a tick in that somebody pushed.
    pub(crate) fn push(
        self: &Arc<Self>,
        tick: &Tick,
        now: UnixMillis,
        registry: &impl Registry,
    ) -> Result<Outcome, NotTaken> {
        let Some(entity) = tick.rows.first() else { return Ok(Outcome::default()) };
        let at = tick.at;
        let mut guard = self.state.lock();
        let state = &mut *guard;
        if state.retired {
            return Err(NotTaken::Retired);
        }
        self.seal_if_due(state, now, registry);
        let known = state.place_of(usize::MAX, entity.row.kind(), &entity.id);
        let newest = known.filter(|&index| {
            let series = &state.series[index];
            series.pushed && series.last_at() == at
        });
        if let Some(index) = newest {
            // Sent anew, it replaces what was sent first.
            state.series[index].forget_newest(&state.read_times);
        }
        let found = state.take_row(usize::MAX, entity, || None, at, now, registry, self);
        let (index, taken) = match found {
            Ok(found) => found,
            Err(refusal) => {
                let refusal = Some(refusal);
                return Ok(Outcome { refused_series: 1, refusal, ..Outcome::default() });
            }
        };
        let series = &mut state.series[index];
        series.pushed = true;
        series.set_live(true);
        if entity.row.kind() == EntityKind::Pod {
            state.refresh_usages(&self.peaks);
        }
        if taken == Taken::Duplicate {
            return Ok(Outcome { duplicate: true, ..Outcome::default() });
        }
        let samples = u64::from(entity.row.present().count_ones());
        let sequence = state.journal(now, registry, |_| disk::encode_pushed(tick, now));
        Ok(match taken {
            Taken::Late => Outcome { late_samples: samples, sequence, ..Outcome::default() },
            _ => Outcome { samples, sequence, ..Outcome::default() },
        })
    }

    /// What its busiest pods use.
    pub(crate) fn peaks(&self) -> &Peaks {
        &self.peaks
    }

    /// Its pods that use so much of something or more, and how much.
    pub(crate) fn pods_using(
        &self,
        usage: Usage,
        least: f64,
        mut visit: impl FnMut(f64, &EntityId),
    ) {
        let state = self.state.lock();
        for (used, index) in state.usages.at_least(usage, least) {
            if let Some(series) = state.series.get(index) {
                visit(used, &series.id);
            }
        }
    }

    /// Ends it when nothing is left of it: nobody can put anything in any more. Says whether it has.
    pub(crate) fn retire(&self, registry: &impl Registry) -> bool {
        let mut state = self.state.lock();
        state.retired = state.series.is_empty();
        if state.retired {
            state.come_to(None, registry);
        }
        state.retired
    }

    /// Makes a pod's samples count in the groups that are noted for it. Which those are is asked
    /// under the node's lock: of two that note others at a time, the second may be here first.
    pub(crate) fn join(self: &Arc<Self>, pod: &EntityId, registry: &impl Registry) {
        let mut state = self.state.lock();
        let State { series, index, read_times, .. } = &mut *state;
        if let Some(&index) = index.get(&(EntityKind::Pod, pod.clone())) {
            series[index].set_groups(registry.groups_of(pod, self), read_times);
        }
    }

    /// When its collector's newest tick was.
    pub(crate) fn newest_tick(&self) -> Option<UnixMillis> {
        self.state.lock().newest_tick
    }

    /// The time of a pod's newest row here.
    pub(crate) fn measured_last(&self, pod: &EntityId) -> Option<UnixMillis> {
        let state = self.state.lock();
        let &index = state.index.get(&(EntityKind::Pod, pod.clone()))?;
        Some(state.series[index].last_at())
    }

    /// Counts a pod's samples of a range in a group.
    pub(crate) fn recount(&self, pod: &EntityId, range: TimeRange, group: &Group) {
        let state = self.state.lock();
        if let Some(&index) = state.index.get(&(EntityKind::Pod, pod.clone())) {
            state.series[index].replay(range, &state.read_times, |step| group.count(step));
        }
    }

    /// Nothing has come since it was read back.
    pub(crate) fn is_awaited(&self) -> bool {
        self.state.lock().awaited != Awaited::No
    }

    /// Makes it wait for a first frame after a start. What was there in the newest tick shows as it
    /// was then, for as long as any node that falls silent does.
    pub(crate) fn await_first(&self) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        state.awaited = Awaited::Unswept;
        let newest = state.newest_tick;
        for series in &mut state.series {
            series.set_live(series.pushed || newest == Some(series.last_at()));
        }
        state.refresh_usages(&self.peaks);
    }

    /// Ends what was not heard of for long, drops what is past the retention. Says what is left.
    pub(crate) fn sweep(&self, now: UnixMillis, registry: &impl Registry) -> Swept {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let gone_after_ms = state.gone_after_ms();
        let silent = state.silent_ms(now) > gone_after_ms;
        let since = state.awaited_since();
        for series in &mut state.series {
            let gone = if series.pushed {
                now.since(series.heard_at.max(since)) > PUSHED_GONE_AFTER_MS
            } else {
                silent
            };
            if gone {
                series.set_live(false);
            }
        }
        self.seal_if_due(state, now, registry);
        state.shelve();
        let passed = registry.passed().min(now);
        let silent = state.silent_since(passed.minus(registry.retention_ms()));
        state.forget(&silent, &self.name, registry);
        if let Some(newest) = state.newest_tick {
            state.read_times.drop_before(newest.min(passed).minus(2 * registry.retention_ms()));
        }
        state.refresh_usages(&self.peaks);
        let is_silent = now.since(state.heard_at) > gone_after_ms;
        if state.series.is_empty() {
            Swept::Empty
        } else if is_silent || state.read_times.ticks() <= PASSING_TICKS {
            Swept::Held
        } else {
            Swept::Steady
        }
    }

    /// Whether it sent a tick or two a minute ago or earlier and nothing else, and nobody pushes.
    pub(crate) fn came_by(&self, now: UnixMillis) -> bool {
        let state = self.state.lock();
        state.read_times.ticks() <= PASSING_TICKS
            && now.since(state.heard_at) > state.gone_after_ms()
            && !state.series.iter().any(|series| series.pushed)
    }

    /// Forgets all there is.
    pub(crate) fn forget_all(&self, registry: &impl Registry) {
        let mut state = self.state.lock();
        let all: Vec<_> =
            state.series.iter().map(|series| (series.kind, series.id.clone())).collect();
        state.forget(&all, &self.name, registry);
    }

    /// How much there is.
    pub(crate) fn held(&self) -> Held {
        let state = self.state.lock();
        let mut held = Held { series: state.series.len(), ..Held::default() };
        held.bytes = size_of::<Self>()
            + state.memory_bytes()
            + state.series.capacity() * size_of::<Series>();
        for series in &state.series {
            held.rows += series.rows();
            held.samples += series.rows() * series.width();
            held.bytes += series.memory_bytes();
        }
        held
    }

    /// Lets the samples before a moment go, but for the newest of each entity. Those that are to be on
    /// the disk go there first. Gives what is left, in bytes.
    pub(crate) fn release_before(&self, horizon: UnixMillis, registry: &impl Registry) -> usize {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        self.seal_now(state, state.heard_at, registry);
        for series in &mut state.series {
            series.release_before(horizon);
        }
        state.read_times.drop_before(horizon);
        drop(guard);
        self.held().bytes
    }

    /// The server's clock when something was last heard of it.
    pub(crate) fn heard_at(&self) -> UnixMillis {
        let state = self.state.lock();
        let of_series = state.series.iter().map(|series| series.heard_at).max();
        state.heard_at.max(of_series.unwrap_or_default())
    }

    /// When the oldest sample was measured that is in memory.
    pub(crate) fn held_since(&self) -> Option<UnixMillis> {
        let state = self.state.lock();
        state.series.iter().filter_map(Series::held_since).min()
    }

    /// Lets `read` look at everything at once.
    pub(crate) fn view<R>(&self, read: impl FnOnce(&NodeView<'_>) -> R) -> R {
        let state = self.state.lock();
        read(&NodeView { name: &self.name, state: &state })
    }
}

/// How a tick came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Came {
    /// The server's clock.
    pub(crate) now: UnixMillis,
    /// Where in the node's history it stood, when it is read back from the journal.
    pub(crate) stood_at: Option<UnixMillis>,
}

/// What is left of a node that was swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Swept {
    /// Nothing.
    Empty,
    /// Something of a node that is silent, or that has sent a tick or two.
    Held,
    /// A node that sends.
    Steady,
}

/// Why a node took nothing in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// The tick is older than the late limit allows.
    TooLate { behind_ms: i64, limit_ms: i64 },
    /// It is ahead of the server's clock, and more came than time has passed.
    TooEarly { ahead_ms: i64, limit_ms: i64 },
    /// Its collector has measured another tick of that time.
    Taken,
    /// Another collector sends for this node.
    Conflict,
    /// The node is being forgotten; there is another of its name, or will be.
    Retired,
}

/// How much a node holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    pub(crate) series: usize,
    pub(crate) rows: usize,
    pub(crate) samples: usize,
    pub(crate) bytes: usize,
}
