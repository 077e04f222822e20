//! What a node knows of its entities.

use std::sync::Arc;

use hashbrown::HashMap;
use kubemonitor_model::{EntityId, EntityKind, EntityRow, NodeName, Tick, UnixMillis};
use rustc_hash::FxBuildHasher;

use super::{Came, GONE_AFTER_MS, Node, Registry, STALE_TICKS, skew::Skew};
use crate::{
    admission::Refusal,
    clock::ReadTimes,
    disk::{Bodies, Chain, Shelving},
    series::{Moment, Series, Taken},
    usage::{Peaks, PodUsages},
};

/// Rows pushed without an interval are held as if they came at this one.
const PUSHED_STEP_MS: u32 = 5000;

/// What a new entity takes before it has a history, with its places in tables and what is known of it
/// beside its samples; without its name.
pub(super) const NEW_SERIES_BYTES: usize = 3000;

/// What an identity takes beside its own place.
pub(super) fn text_bytes(id: &EntityId) -> usize {
    if let EntityId::Text(text) = id { text.len() } else { 0 }
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) series: Vec<Series>,
    pub(super) index: HashMap<(EntityKind, EntityId), usize, FxBuildHasher>,
    /// Where the rows of the last tick, or of a block read back, went: the next one mostly has the same.
    pub(super) order: Vec<usize>,
    /// How the node's entries in the journal go on.
    pub(super) chain: Chain,
    /// What the pods use, as of the newest tick.
    pub(super) usages: PodUsages,
    pub(super) read_times: ReadTimes,
    /// The newest tick, if any collector of ours sends from this node.
    pub(super) newest_tick: Option<UnixMillis>,
    /// The collector's instance and its frame's number at the newest tick.
    pub(super) newest_frame: Option<(u64, u64)>,
    /// The newest tick's time by its collector's clock; `None` where that is not known any more.
    pub(super) newest_own_at: Option<UnixMillis>,
    /// How far the collector's clock is off.
    pub(super) skew: Skew,
    /// Frames of other collectors that say they are of this node.
    pub(super) conflicts: Conflicts,
    /// Whether anything has come since the start of this process.
    pub(super) awaited: Awaited,
    /// Rows after this that blocks on disk have are from clocks that were wrong.
    pub(super) wrong_after: Option<UnixMillis>,
    pub(super) interval_ms: u32,
    /// How long before the tick that is taken in its collector's previous one was read: what is newborn
    /// was born since then.
    pub(super) since_previous_ms: u32,
    pub(super) heard_at: UnixMillis,
    /// Entries since the last block; begins somewhere, so that nodes do not write theirs at once.
    pub(super) unsealed: u32,
    /// When the next block is due at the latest; spread, so that nodes do not write theirs at once.
    pub(super) seal_due: Option<UnixMillis>,
    /// When the next rolled rows are due at the latest.
    pub(super) roll_due: Option<UnixMillis>,
    /// The block that was read back last, and how long its chunks are together.
    pub(super) restored_last: Option<(Arc<Bodies>, u32)>,
    /// How many blocks were handed to the disk.
    pub(super) blocks: u32,
    /// Those of them that are not on it as far as is known, by number.
    pub(super) leaving: Vec<(u32, Shelving)>,
    /// When the oldest thing came that no block has.
    pub(super) unsealed_since: Option<UnixMillis>,
    /// The last buckets that were rolled, by level.
    pub(super) rolled_until: [Option<UnixMillis>; 2],
    /// It is not in the store any more.
    pub(super) retired: bool,
}

/// Frames that were refused because another collector sends for their node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conflicts {
    /// How many, since the start.
    pub frames: u64,
    /// When the last one came.
    pub last_at: Option<UnixMillis>,
}

/// Whether a node that was read back has sent since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Awaited {
    /// It has, or it was not read back.
    #[default]
    No,
    /// It has not, and nobody has told the time yet.
    Unswept,
    /// It has not since this first sweep.
    Since(UnixMillis),
}

impl Conflicts {
    pub(super) fn note(&mut self, now: UnixMillis) {
        self.frames += 1;
        self.last_at = Some(now);
    }
}

impl State {
    /// Notes that the node's collector sends.
    pub(super) fn hear(&mut self, tick: &Tick, came: Came) {
        self.heard_at = came.now;
        if came.stood_at.is_some() {
            return;
        }
        self.awaited = Awaited::No;
        let newest = self.newest_frame;
        if newest.is_none_or(|(instance, _)| instance != tick.instance) {
            self.skew.begin_anew();
        }
        let is_newer = |(instance, sequence)| instance != tick.instance || tick.sequence > sequence;
        if newest.is_none_or(is_newer) {
            self.skew.note(tick.at, super::placing::interval_ms(tick), came.now);
        }
    }

    /// How long nothing has come, or not since the start of this process.
    pub(super) fn silent_ms(&mut self, now: UnixMillis) -> i64 {
        // Heard in the future: the clock was set back since.
        self.heard_at = self.heard_at.min(now);
        if self.awaited == Awaited::Unswept {
            self.awaited = Awaited::Since(now);
        }
        match self.awaited {
            Awaited::Since(start) => now.since(start.max(self.heard_at)),
            Awaited::No | Awaited::Unswept => now.since(self.heard_at),
        }
    }

    /// Silence after which its entities no longer count as there.
    pub(super) fn gone_after_ms(&self) -> i64 {
        GONE_AFTER_MS.max(STALE_TICKS * i64::from(self.interval_ms))
    }

    /// Since when silence counts where nothing has come since the start: nobody could be heard before.
    pub(super) fn awaited_since(&self) -> UnixMillis {
        match self.awaited {
            Awaited::Since(start) => start,
            Awaited::No | Awaited::Unswept => UnixMillis::default(),
        }
    }

    /// Memory it takes beside that of its series.
    pub(super) fn memory_bytes(&self) -> usize {
        self.read_times.memory_bytes()
            + self.usages.memory_bytes()
            + self.chain.memory_bytes()
            + self.order.capacity() * size_of::<usize>()
            + self.index.capacity() * size_of::<((EntityKind, EntityId), usize)>()
    }

    /// Takes a row in, unless it would begin a series and may not.
    #[expect(clippy::too_many_arguments, reason = "one call of two; a struct would name the same")]
    pub(super) fn take_row(
        &mut self,
        place: usize,
        entity: &EntityRow,
        parent: impl FnOnce() -> Option<EntityId>,
        at: UnixMillis,
        now: UnixMillis,
        registry: &impl Registry,
        node: &Arc<Node>,
    ) -> Result<(usize, Taken), Refusal> {
        let step_ms = if self.interval_ms == 0 { PUSHED_STEP_MS } else { self.interval_ms };
        let newest = self.newest_tick.map_or(at, |newest| newest.max(at));
        let horizon = newest.min(registry.passed()).minus(registry.retention_ms());
        let kind = entity.row.kind();
        let index = self.place_of(place, kind, &entity.id);
        let birth_step_ms = self.since_previous_ms;
        let moment =
            Moment { at, step_ms, birth_step_ms, now, horizon, read_times: &self.read_times };
        if let Some(index) = index {
            return Ok((index, self.series[index].take(&entity.row, moment)));
        }
        registry.admit(NEW_SERIES_BYTES + 4 * text_bytes(&entity.id))?;
        let mut series = Series::begin(entity, parent(), moment);
        if kind == EntityKind::Pod {
            series.set_groups(registry.groups_of(&entity.id, node), &self.read_times);
        }
        let index = self.series.len();
        self.series.push(series);
        self.index.insert((kind, entity.id.clone()), index);
        self.remember_place(place, index);
        Ok((index, Taken::Newest))
    }

    /// How long before a tick its collector's previous one was read, in milliseconds; the interval
    /// where that one did not come.
    pub(super) fn read_since_previous_ms(&self, tick: &Tick, at: UnixMillis) -> u32 {
        let previous = tick.sequence.checked_sub(1).map(|sequence| (tick.instance, sequence));
        let newest = self.newest_tick.filter(|_| self.newest_frame == previous);
        let elapsed_us = newest.map_or(0, |newest| self.read_times.elapsed_us(newest, at));
        match u32::try_from(elapsed_us / 1000) {
            Ok(0) | Err(_) => self.interval_ms,
            Ok(ms) => ms,
        }
    }

    /// Its newest tick is this one now.
    pub(super) fn come_to(&mut self, tick: Option<UnixMillis>, registry: &impl Registry) {
        registry.moved(self.newest_tick, tick);
        self.newest_tick = tick;
    }

    /// Notes anew what the pods use.
    pub(super) fn refresh_usages(&mut self, peaks: &Peaks) {
        self.usages.refresh(&self.series);
        peaks.note(&self.usages);
    }

    /// The series of an entity, looked for first where the last tick, or block, had one in that place.
    pub(super) fn place_of(
        &mut self,
        place: usize,
        kind: EntityKind,
        id: &EntityId,
    ) -> Option<usize> {
        if let Some(&index) = self.order.get(place)
            && let Some(series) = self.series.get(index)
            && series.kind == kind
            && series.id == *id
        {
            return Some(index);
        }
        let index = *self.index.get(&(kind, id.clone()))?;
        self.remember_place(place, index);
        Some(index)
    }

    pub(super) fn remember_place(&mut self, place: usize, index: usize) {
        if place == usize::MAX {
            return;
        }
        if self.order.len() <= place {
            self.order.resize(place + 1, usize::MAX);
        }
        self.order[place] = index;
    }

    /// What the newest tick does not have is gone.
    pub(super) fn end_all_but(&mut self, at: UnixMillis) {
        for series in &mut self.series {
            if series.last_at() != at && !series.pushed {
                series.set_live(false);
            }
        }
    }

    pub(super) fn silent_since(&self, horizon: UnixMillis) -> Vec<(EntityKind, EntityId)> {
        let silent = self.series.iter().filter(|series| series.heard_at < horizon);
        silent.map(|series| (series.kind, series.id.clone())).collect()
    }

    /// Forgets series.
    pub(super) fn forget(
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
