//! Everything one node measures, behind one lock: a tick goes in, and is seen, as a whole.

use std::{hash::BuildHasher, sync::Arc};

use hashbrown::HashMap;
use kubemonitor_model::{EntityId, EntityKind, EntityRow, NodeName, QosClass, Tick, UnixMillis};
use parking_lot::Mutex;
use rustc_hash::FxBuildHasher;

use crate::{
    clock::ReadTimes,
    disk::{self, Block, Chain, Disk, Level, RolledBlock},
    group::Group,
    rollup::Rolled,
    sample::{Sample, TimeRange},
    series::{Moment, Series, Taken},
    sync::atomic::{AtomicI64, Ordering},
    usage::PodUsages,
};

/// How far a node's clock may be ahead of the server's without being wrong.
const LEAST_AHEAD_MS: i64 = 15_000;
/// Ticks without a frame after which a node is stale.
const STALE_TICKS: i64 = 3;
/// Silence after which a node's entities no longer count as there.
const GONE_AFTER_MS: i64 = 60_000;
/// The same for what others push: their intervals are not known.
const PUSHED_GONE_AFTER_MS: i64 = 300_000;
/// Time after which a node's chunks are closed together and written to disk as a block.
const SEAL_EVERY_MS: i64 = 900_000;
/// Rows pushed without an interval are held as if they came at this one.
const PUSHED_STEP_MS: u32 = 5000;

/// What the store asks of the registry around a node while a tick goes in.
pub(crate) trait Registry {
    /// Whether one more series may be begun.
    fn admit(&self) -> bool;
    /// So many series of a node are gone, those of `pods` among them.
    fn forget(&self, node: &NodeName, series: usize, pods: &[EntityId]);
    /// The groups a pod counts in, noting that `node` measures it.
    fn groups_of(&self, pod: &EntityId, node: &Arc<Node>) -> Vec<Arc<Group>>;
    /// How long rows are kept.
    fn retention_ms(&self) -> i64;
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
    /// The entry's place in the journal.
    pub(crate) sequence: Option<u64>,
}

/// A node and all its series.
#[derive(Debug)]
pub(crate) struct Node {
    name: NodeName,
    /// Milliseconds of the newest tick, for readers who want no lock.
    newest_tick: AtomicI64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    series: Vec<Series>,
    index: HashMap<(EntityKind, EntityId), usize, FxBuildHasher>,
    /// Where the rows of the last tick went: the next one mostly has the same.
    order: Vec<usize>,
    /// How the node's entries in the journal go on.
    chain: Chain,
    /// What the pods use, as of the newest tick.
    usages: PodUsages,
    read_times: ReadTimes,
    newest_tick: UnixMillis,
    /// The collector's instance and its frame's number at the newest tick.
    newest_frame: (u64, u64),
    /// Rows after this that blocks on disk have are from a clock that was wrong.
    wrong_after: Option<UnixMillis>,
    interval_ms: u32,
    heard_at: UnixMillis,
    /// When the next block is due; spread, so that nodes do not write theirs at once.
    seal_due: Option<UnixMillis>,
    /// When the oldest thing came that no block has.
    unsealed_since: Option<UnixMillis>,
    /// The last buckets that were rolled, by level.
    rolled_until: [Option<UnixMillis>; 2],
}

impl Node {
    pub(crate) fn new(name: NodeName) -> Self {
        Self { name, newest_tick: AtomicI64::new(i64::MIN), state: Mutex::default() }
    }

    pub(crate) fn name(&self) -> &NodeName {
        &self.name
    }

    /// The newest tick, if any collector of ours sends from this node.
    pub(crate) fn newest_tick(&self) -> Option<UnixMillis> {
        let millis = self.newest_tick.load(Ordering::Relaxed);
        (millis != i64::MIN).then_some(UnixMillis(millis))
    }

    /// Takes a tick in.
    pub(crate) fn take(
        self: &Arc<Self>,
        tick: &Tick,
        late_limit_ms: i64,
        now: UnixMillis,
        registry: &impl Registry,
    ) -> Result<Outcome, TooLate> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        if state.was_set_back(tick, registry.late_limit_ms(), now) {
            self.forget_after(state, tick.at.max(now), registry);
        }
        let is_newest = tick.at > state.newest_tick || self.newest_tick().is_none();
        if state.read_times.knows(tick.at) {
            state.heard_at = state.heard_at.max(now);
            return Ok(Outcome { duplicate: true, ..Outcome::default() });
        }
        if !is_newest && state.newest_tick.since(tick.at) > late_limit_ms {
            return Err(TooLate { newest: state.newest_tick });
        }
        self.seal_if_due(state, now, registry);
        state.read_times.note(tick.at, tick.read_delay_us);
        state.heard_at = state.heard_at.max(now);
        state.interval_ms = u32::try_from(tick.interval_ms.clamp(1, 3_600_000)).unwrap_or(5000);
        let mut outcome = Outcome::default();
        for (place, entity) in tick.rows.iter().enumerate() {
            let parent = || tick.rows.get(entity.parent? as usize).map(|pod| pod.id.clone());
            let found = state.take_row(place, entity, parent, tick.at, now, registry, self);
            let Some((index, taken)) = found else {
                outcome.refused_series += 1;
                continue;
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
            state.newest_tick = tick.at;
            state.newest_frame = (tick.instance, tick.sequence);
            self.newest_tick.store(tick.at.0, Ordering::Relaxed);
            state.end_all_but(tick.at);
        }
        state.usages.refresh(&state.series);
        outcome.sequence = state.journal(now, registry, |chain| chain.encode(tick, now));
        Ok(outcome)
    }

    /// Forgets what a clock that was ahead has left after `end`.
    fn forget_after(&self, state: &mut State, end: UnixMillis, registry: &impl Registry) {
        tracing::warn!(node = %self.name, ahead_ms = state.newest_tick.since(end),
            "the node's clock was set back; what it measured ahead of time is dropped");
        let State { series, read_times, .. } = state;
        let empty: Vec<_> = series
            .iter_mut()
            .filter_map(|series| {
                let is_left = series.pushed || series.forget_after(end, read_times);
                (!is_left).then(|| (series.kind, series.id.clone()))
            })
            .collect();
        state.newest_tick = state.read_times.drop_after(end).unwrap_or_default();
        self.newest_tick.store(state.newest_tick.0, Ordering::Relaxed);
        state.newest_frame = (0, 0);
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
    ) -> Outcome {
        let (Some(entity), at) = (tick.rows.first(), tick.at) else { return Outcome::default() };
        let mut guard = self.state.lock();
        let state = &mut *guard;
        self.seal_if_due(state, now, registry);
        let found = state.take_row(usize::MAX, entity, || None, at, now, registry, self);
        let Some((index, taken)) = found else {
            return Outcome { refused_series: 1, ..Outcome::default() };
        };
        let series = &mut state.series[index];
        series.pushed = true;
        series.set_live(true);
        if entity.row.kind() == EntityKind::Pod {
            state.usages.refresh(&state.series);
        }
        let samples = u64::from(entity.row.present().count_ones());
        let sequence = state.journal(now, registry, |_| disk::encode_pushed(tick, now));
        match taken {
            Taken::Newest => Outcome { samples, sequence, ..Outcome::default() },
            Taken::Late => Outcome { late_samples: samples, sequence, ..Outcome::default() },
            Taken::Duplicate => Outcome { duplicate: true, ..Outcome::default() },
        }
    }

    /// Closes all chunks and hands what no block has yet to the disk.
    pub(crate) fn seal(&self, now: UnixMillis, registry: &impl Registry) {
        self.seal_now(&mut self.state.lock(), now, registry);
    }

    /// When the oldest thing came that is not in a block.
    pub(crate) fn unsealed_since(&self) -> Option<UnixMillis> {
        self.state.lock().unsealed_since
    }

    /// Takes a block in that was read back. Blocks come in the order they were written, and after
    /// the last one comes [`Node::settle`].
    pub(crate) fn restore(self: &Arc<Self>, block: Block, registry: &impl Registry) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        state.interval_ms = block.interval_ms;
        state.heard_at = block.heard_at;
        state.newest_frame = block.newest_frame;
        if let Some(end) = block.wrong_after {
            state.series.iter_mut().for_each(|series| series.unrestore_after(end));
            state.read_times.drop_after(end);
        }
        if let Some(tick) = block.newest_tick {
            state.newest_tick = tick;
            self.newest_tick.store(tick.0, Ordering::Relaxed);
        }
        for (at, delay_us) in block.read_times {
            state.read_times.note(at, u64::from(delay_us));
        }
        for stored in block.series {
            let key = (stored.kind, stored.id.clone());
            let index = match state.index.get(&key) {
                Some(&index) => index,
                None if !registry.admit() => continue,
                None => {
                    state.series.push(Series::restored(&stored));
                    let index = state.series.len() - 1;
                    if stored.kind == EntityKind::Pod {
                        let groups = registry.groups_of(&stored.id, self);
                        state.series[index].set_groups(groups, &state.read_times);
                    }
                    state.index.insert(key, index);
                    index
                }
            };
            state.series[index].restore(stored);
        }
    }

    /// Finds the newest rows after all blocks were restored; rolled history goes on after
    /// `rolled_until`.
    pub(crate) fn settle(&self, rolled_until: [Option<UnixMillis>; 2]) {
        let mut guard = self.state.lock();
        guard.rolled_until = rolled_until;
        let State { series, read_times, .. } = &mut *guard;
        for series in series {
            series.settle(read_times);
        }
    }

    /// Lets `look` see what the pods use, and the series they are of.
    pub(crate) fn look_at_usages(&self, look: impl FnOnce(&PodUsages, &[Series])) {
        let state = self.state.lock();
        look(&state.usages, &state.series);
    }

    fn seal_if_due(&self, state: &mut State, now: UnixMillis, registry: &impl Registry) {
        if registry.disk().is_none() {
            return;
        }
        let due = *state.seal_due.get_or_insert_with(|| {
            let spread = i64::try_from(FxBuildHasher.hash_one(&self.name) >> 34).unwrap_or(0);
            UnixMillis(now.0 + SEAL_EVERY_MS / 3 + spread % (SEAL_EVERY_MS * 2 / 3))
        });
        if now >= due {
            self.seal_now(state, now, registry);
        }
    }

    fn seal_now(&self, state: &mut State, now: UnixMillis, registry: &impl Registry) {
        let Some(disk) = registry.disk() else { return };
        state.seal_due = Some(UnixMillis(now.0 + SEAL_EVERY_MS));
        state.chain.begin_anew();
        let series: Vec<_> = state.series.iter_mut().filter_map(Series::close).collect();
        let chunks = series.iter().flat_map(|series| &series.chunks);
        let Some(first) = chunks.map(|chunk| chunk.first).min() else { return };
        let block = Block {
            node: self.name.to_string(),
            sequence: disk.next_sequence() - 1,
            newest_tick: self.newest_tick(),
            newest_frame: state.newest_frame,
            wrong_after: state.wrong_after.take(),
            interval_ms: state.interval_ms,
            heard_at: state.heard_at,
            read_times: state.read_times.since(first),
            series,
        };
        match block.encode() {
            Ok(block) => disk.queue_block(block),
            Err(error) => tracing::error!(node = %self.name, %error, "a block is not kept"),
        }
        state.unsealed_since = None;
        for level in Level::ALL {
            if let Some(rolled) = state.roll(level, &self.name, registry) {
                disk.queue_rolled(rolled);
            }
        }
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

    /// Ends what was not heard of for long, drops what is past the retention. Says whether
    /// anything is left.
    pub(crate) fn sweep(&self, now: UnixMillis, registry: &impl Registry) -> bool {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let silent = now.since(state.heard_at) > GONE_AFTER_MS;
        for series in &mut state.series {
            let gone = if series.pushed {
                now.since(series.heard_at) > PUSHED_GONE_AFTER_MS
            } else {
                silent
            };
            if gone {
                series.set_live(false);
            }
        }
        self.seal_if_due(state, now, registry);
        let silent = state.silent_since(now.minus(registry.retention_ms()));
        state.forget(&silent, &self.name, registry);
        state.read_times.drop_before(state.newest_tick.minus(2 * registry.retention_ms()));
        state.usages.refresh(&state.series);
        !state.series.is_empty()
    }

    /// How much there is.
    pub(crate) fn held(&self) -> Held {
        let state = self.state.lock();
        let mut held = Held { series: state.series.len(), ..Held::default() };
        held.bytes = state.read_times.memory_bytes()
            + state.usages.memory_bytes()
            + state.chain.memory_bytes();
        for series in &state.series {
            held.rows += series.rows();
            held.samples += series.rows() * series.width();
            held.bytes += series.memory_bytes();
        }
        held
    }

    /// Lets `read` look at everything at once.
    pub(crate) fn view<R>(&self, read: impl FnOnce(&NodeView<'_>) -> R) -> R {
        let state = self.state.lock();
        read(&NodeView { name: &self.name, state: &state })
    }
}

/// A tick older than the late limit allows.
#[derive(Debug)]
pub(crate) struct TooLate {
    pub(crate) newest: UnixMillis,
}

impl State {
    /// Takes a row in; `None` when it would begin a series and may not.
    #[expect(clippy::too_many_arguments, reason = "one call of two; a struct would name the same")]
    fn take_row(
        &mut self,
        place: usize,
        entity: &EntityRow,
        parent: impl FnOnce() -> Option<EntityId>,
        at: UnixMillis,
        now: UnixMillis,
        registry: &impl Registry,
        node: &Arc<Node>,
    ) -> Option<(usize, Taken)> {
        let step_ms = if self.interval_ms == 0 { PUSHED_STEP_MS } else { self.interval_ms };
        let horizon = self.newest_tick.max(at).minus(registry.retention_ms());
        let index = self.place_of(place, entity);
        let moment = Moment { at, step_ms, now, horizon, read_times: &self.read_times };
        if let Some(index) = index {
            return Some((index, self.series[index].take(&entity.row, moment)));
        }
        if !registry.admit() {
            return None;
        }
        let kind = entity.row.kind();
        let mut series = Series::begin(entity, parent(), moment);
        if kind == EntityKind::Pod {
            series.set_groups(registry.groups_of(&entity.id, node), &self.read_times);
        }
        let index = self.series.len();
        self.series.push(series);
        self.index.insert((kind, entity.id.clone()), index);
        self.remember_place(place, index);
        Some((index, Taken::Newest))
    }

    /// Rolls the buckets that are complete: late rows cannot reach them any more.
    fn roll(
        &mut self,
        level: Level,
        name: &NodeName,
        registry: &impl Registry,
    ) -> Option<RolledBlock> {
        let step_ms = level.step_ms();
        let newest = self.series.iter().map(Series::last_at).max()?;
        let settled = newest.minus(registry.late_limit_ms());
        let to = UnixMillis(settled.0.div_euclid(step_ms) * step_ms);
        let from = self.rolled_until[level as usize].unwrap_or(UnixMillis(i64::MIN));
        if to <= from {
            return None;
        }
        self.rolled_until[level as usize] = Some(to);
        let range = TimeRange { from: UnixMillis(from.0.saturating_add(1)), to };
        let series =
            self.series.iter().filter_map(|s| s.rolled(range, step_ms)).collect::<Vec<_>>();
        let first = series.iter().flat_map(|s| &s.chunks).map(|chunk| chunk.first).min()?;
        let block = Block {
            node: name.to_string(),
            sequence: 0,
            newest_tick: None,
            newest_frame: (0, 0),
            wrong_after: None,
            interval_ms: self.interval_ms,
            heard_at: self.heard_at,
            read_times: Vec::new(),
            series,
        };
        match block.encode() {
            Ok(block) => Some(RolledBlock {
                level,
                name: name.as_str().into(),
                from: from.max(first.minus(step_ms)),
                to,
                block,
            }),
            Err(error) => {
                tracing::error!(node = %name, %error, "rolled rows are not kept");
                None
            }
        }
    }

    /// Notes that something came, in the journal if there is one.
    fn journal(
        &mut self,
        now: UnixMillis,
        registry: &impl Registry,
        entry: impl FnOnce(&mut Chain) -> Vec<u8>,
    ) -> Option<u64> {
        self.unsealed_since.get_or_insert(now);
        Some(registry.disk()?.queue_entry(entry(&mut self.chain)))
    }

    /// The series of a row, tried first where the last tick had it.
    fn place_of(&mut self, place: usize, entity: &EntityRow) -> Option<usize> {
        let kind = entity.row.kind();
        if let Some(&index) = self.order.get(place)
            && let Some(series) = self.series.get(index)
            && series.kind == kind
            && series.id == entity.id
        {
            return Some(index);
        }
        let index = *self.index.get(&(kind, entity.id.clone()))?;
        self.remember_place(place, index);
        Some(index)
    }

    fn remember_place(&mut self, place: usize, index: usize) {
        if place == usize::MAX {
            return;
        }
        if self.order.len() <= place {
            self.order.resize(place + 1, usize::MAX);
        }
        self.order[place] = index;
    }

    /// What the newest tick does not have is gone.
    fn end_all_but(&mut self, at: UnixMillis) {
        for series in &mut self.series {
            if series.last_at() != at && !series.pushed {
                series.set_live(false);
            }
        }
    }

    /// The tick was measured after the newest one although it is older, and the newest one is ahead
    /// of the server's clock: the node's clock was wrong and has been put right.
    fn was_set_back(&self, tick: &Tick, late_limit_ms: i64, now: UnixMillis) -> bool {
        let slack_ms = i64::from(self.interval_ms).max(LEAST_AHEAD_MS);
        let is_ahead = self.newest_tick.since(now) > slack_ms && tick.at < self.newest_tick;
        let (instance, sequence) = self.newest_frame;
        let is_later = tick.instance == instance && tick.sequence > sequence;
        is_ahead && (is_later || self.newest_tick.since(tick.at) > late_limit_ms)
    }

    fn silent_since(&self, horizon: UnixMillis) -> Vec<(EntityKind, EntityId)> {
        let silent = self.series.iter().filter(|series| series.heard_at < horizon);
        silent.map(|series| (series.kind, series.id.clone())).collect()
    }

    /// Forgets series.
    fn forget(
        &mut self,
        keys: &[(EntityKind, EntityId)],
        node: &NodeName,
        registry: &impl Registry,
    ) {
        for key in keys {
            let Some(index) = self.index.remove(key) else { continue };
            self.series.swap_remove(index).set_live(false);
            if let Some(moved) = self.series.get(index) {
                self.index.insert((moved.kind, moved.id.clone()), index);
            }
        }
        if !keys.is_empty() {
            let pods = keys.iter().filter(|(kind, _)| *kind == EntityKind::Pod);
            registry.forget(node, keys.len(), &pods.map(|(_, id)| id.clone()).collect::<Vec<_>>());
        }
    }
}

/// A look at one node, all of one moment.
pub struct NodeView<'a> {
    name: &'a NodeName,
    state: &'a State,
}

impl<'a> NodeView<'a> {
    /// The node's name.
    pub fn name(&self) -> &'a NodeName {
        self.name
    }

    /// The newest tick of its collector; the epoch when it has none.
    pub fn last_tick(&self) -> UnixMillis {
        self.state.newest_tick
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

/// How much a node holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    pub(crate) series: usize,
    pub(crate) rows: usize,
    pub(crate) samples: usize,
    pub(crate) bytes: usize,
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

    /// The rows of a range, rolled into buckets.
    pub(crate) fn rolled(&self, range: TimeRange, step_ms: i64) -> Rolled {
        self.series.roll(range, step_ms)
    }

    /// The samples of a range, oldest first.
    pub fn window(&self, range: TimeRange) -> Vec<Sample> {
        self.series.window(range, self.times)
    }
}
