//! A node's way to the disk and back: blocks, rolled rows, entries of the journal.

use std::{hash::BuildHasher, sync::Arc};

use kubemonitor_model::{EntityKind, NodeName, UnixMillis};
use rustc_hash::FxBuildHasher;

use super::{Node, Registry, State, state::NEW_SERIES_BYTES};
use crate::{
    disk::{Block, Bodies, Chain, EncodedBlock, Level, RolledBlock},
    sample::TimeRange,
    series::Series,
};

/// Entries in the journal after which a node's chunks are closed together and written to disk as a
/// block: four minutes of ticks. What came since is what a restart after a crash takes in again, and
/// it needs three times the room in the journal; but each chunk begins with a row written in full.
const SEAL_AFTER: u32 = 48;
/// Time after which that happens where entries are few.
const SEAL_EVERY_MS: i64 = 300_000;
/// Time after which rows are rolled: a quarter of an hour at a time.
const ROLL_EVERY_MS: i64 = 900_000;

impl Node {
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
    pub(crate) fn restore(
        self: &Arc<Self>,
        block: Block,
        bodies: &Arc<Bodies>,
        registry: &impl Registry,
    ) {
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
            state.come_to(Some(tick), registry);
        }
        for time in block.read_times {
            state.read_times.note(time);
        }
        let mut at = 0;
        for (place, stored) in block.series.into_iter().enumerate() {
            let index = match state.place_of(place, stored.kind, &stored.id) {
                Some(index) => index,
                None if registry.admit(NEW_SERIES_BYTES).is_err() => {
                    at += stored.chunks.iter().map(|chunk| chunk.length).sum::<u32>();
                    continue;
                }
                None => {
                    state.series.push(Series::restored(&stored));
                    let index = state.series.len() - 1;
                    if stored.kind == EntityKind::Pod {
                        let groups = registry.groups_of(&stored.id, self);
                        state.series[index].set_groups(groups, &state.read_times);
                    }
                    state.index.insert((stored.kind, stored.id.clone()), index);
                    state.remember_place(place, index);
                    index
                }
            };
            at = state.series[index].restore(stored, bodies, at);
        }
        state.restored_last = Some((Arc::clone(bodies), at));
    }

    /// Finds the newest rows after all blocks were restored;
    /// rolled history goes on after `rolled_until`.
    pub(crate) fn settle(&self, rolled_until: [Option<UnixMillis>; 2]) {
        let mut guard = self.state.lock();
        guard.rolled_until = rolled_until;
        if let Some((bodies, length)) = guard.restored_last.take() {
            bodies.fetch(length);
        }
        let State { series, read_times, .. } = &mut *guard;
        for series in series {
            series.settle(read_times);
        }
        guard.refresh_usages(&self.peaks);
    }

    pub(super) fn seal_if_due(&self, state: &mut State, now: UnixMillis, registry: &impl Registry) {
        if registry.disk().is_none() {
            return;
        }
        let spread = FxBuildHasher.hash_one(&self.name) >> 34;
        if state.seal_due.is_none() {
            state.unsealed = u32::try_from(spread % u64::from(SEAL_AFTER)).unwrap_or(0);
        }
        let spread = i64::try_from(spread).unwrap_or(0);
        let first = |every: i64| UnixMillis(now.0 + every / 3 + spread % (every * 2 / 3));
        // Due far in the future: the clock was set back since.
        let is_far = |due: &mut UnixMillis, every: i64| due.since(now) > every;
        state.seal_due.take_if(|due| is_far(due, SEAL_EVERY_MS));
        state.roll_due.take_if(|due| is_far(due, ROLL_EVERY_MS));
        let due = *state.seal_due.get_or_insert_with(|| first(SEAL_EVERY_MS));
        if now >= due || state.unsealed >= SEAL_AFTER {
            self.seal_now(state, now, registry);
        }
        // What was read back after a long time is about to go: the files it is in will be dropped.
        let newest = state.newest_tick.unwrap_or(now);
        let is_old = now.since(newest) > registry.retention_ms() / 2;
        let roll_due = || if is_old { now } else { first(ROLL_EVERY_MS) };
        if now >= *state.roll_due.get_or_insert_with(roll_due) {
            self.roll_now(state, now, registry);
        }
    }

    pub(super) fn seal_now(&self, state: &mut State, now: UnixMillis, registry: &impl Registry) {
        let Some(disk) = registry.disk() else { return };
        state.seal_due = Some(UnixMillis(now.0 + SEAL_EVERY_MS));
        state.unsealed = 0;
        state.chain.begin_anew();
        let series: Vec<_> = state.series.iter_mut().filter_map(Series::close).collect();
        let chunks = series.iter().flat_map(|series| &series.chunks);
        let Some(first) = chunks.map(|chunk| chunk.first).min() else { return };
        let block = Block {
            node: self.name.to_string(),
            sequence: disk.next_sequence() - 1,
            newest_tick: state.newest_tick,
            newest_frame: state.newest_frame,
            wrong_after: state.wrong_after.take(),
            interval_ms: state.interval_ms,
            heard_at: state.heard_at,
            read_times: state.read_times.since(first),
            series,
        };
        match block.encode() {
            Ok(block) => {
                let number = state.blocks;
                state.blocks = number.wrapping_add(1);
                state.series.iter_mut().fold(0, |at, series| series.leave(number, at));
                state.leaving.push((number, disk.queue_block(block)));
            }
            Err(error) => tracing::error!(node = %self.name, %error, "a block is not kept"),
        }
        state.unsealed_since = None;
    }

    fn roll_now(&self, state: &mut State, now: UnixMillis, registry: &impl Registry) {
        let Some(disk) = registry.disk() else { return };
        state.roll_due = Some(UnixMillis(now.0 + ROLL_EVERY_MS));
        for level in Level::ALL {
            if let Some(rolled) = state.roll(level, &self.name, registry) {
                disk.queue_rolled(rolled);
            }
        }
    }
}

impl State {
    /// Lets go of what blocks have that are on the disk by now.
    pub(super) fn shelve(&mut self) {
        let Self { leaving, series, .. } = self;
        leaving.retain(|(number, shelving)| {
            if let Some(bodies) = shelving.get() {
                for series in series.iter_mut() {
                    series.shelve(*number, bodies);
                }
                return false;
            }
            // Where nobody else knows of it, the block was let go before it could be written: what it
            // has goes into the next one.
            let is_lost = Arc::strong_count(shelving) == 1;
            if is_lost {
                for series in series.iter_mut() {
                    series.stay(*number);
                }
            }
            !is_lost
        });
    }

    /// Rolls the buckets that are complete: late rows cannot reach them any more.
    pub(super) fn roll(
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
            newest_frame: None,
            wrong_after: None,
            interval_ms: self.interval_ms,
            heard_at: self.heard_at,
            read_times: self.read_times.of_buckets(range, step_ms),
            series,
        };
        match block.encode() {
            Ok(EncodedBlock { record: block, .. }) => Some(RolledBlock {
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
    pub(super) fn journal(
        &mut self,
        now: UnixMillis,
        registry: &impl Registry,
        entry: impl FnOnce(&mut Chain) -> Vec<u8>,
    ) -> Option<u64> {
        self.unsealed_since.get_or_insert(now);
        self.unsealed += 1;
        Some(registry.disk()?.queue_entry(entry(&mut self.chain)))
    }
}
