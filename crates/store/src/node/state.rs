//! What a node knows of its entities.

use std::sync::Arc;

use hashbrown::HashMap;
use kubemonitor_model::{EntityId, EntityKind, EntityRow, NodeName, Tick, UnixMillis};
use rustc_hash::FxBuildHasher;

use super::{LEAST_AHEAD_MS, Node, Registry};
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
    pub(super) newest_frame: (u64, u64),
    /// Rows after this that blocks on disk have are from a clock that was wrong.
    pub(super) wrong_after: Option<UnixMillis>,
    pub(super) interval_ms: u32,
    pub(super) heard_at: UnixMillis,
    /// It was read back and nobody has looked at it since.
    pub(super) is_recovered: bool,
    /// Silence counts from here where it was read back: nobody could be heard while the server was away.
    pub(super) listening_since: UnixMillis,
    /// Entries since the last block; begins somewhere, so that nodes do not write theirs at once.
    pub(super) unsealed: u32,
    /// When the next block is due at the latest; spread, so that nodes do not write theirs at once.
    pub(super) seal_due: Option<UnixMillis>,
    /// The same for rolled rows.
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

impl State {
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
        let horizon =
            self.newest_tick.map_or(at, |newest| newest.max(at)).minus(registry.retention_ms());
        let kind = entity.row.kind();
        let index = self.place_of(place, kind, &entity.id);
        let moment = Moment { at, step_ms, now, horizon, read_times: &self.read_times };
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

    /// The tick was measured after the newest one although it is older, and the newest one is ahead
    /// of the server's clock: the node's clock was wrong and has been put right.
    pub(super) fn was_set_back(&self, tick: &Tick, late_limit_ms: i64, now: UnixMillis) -> bool {
        let slack_ms = i64::from(self.interval_ms).max(LEAST_AHEAD_MS);
        let Some(newest) = self.newest_tick else { return false };
        let is_ahead = newest.since(now) > slack_ms && tick.at < newest;
        let (instance, sequence) = self.newest_frame;
        let is_later = tick.instance == instance && tick.sequence > sequence;
        is_ahead && (is_later || newest.since(tick.at) > late_limit_ms)
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
