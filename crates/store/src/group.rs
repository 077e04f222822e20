//! Sums over pods, kept as samples arrive.
//!
//! Each group has a grid of slots, one per tick. A pod's sample counts in every slot from the one
//! after its previous sample to its own, so that a tick that was lost leaves no dip. Everything is
//! integer addition, which late data and changes of membership undo exactly.

use std::{collections::VecDeque, sync::Arc};

use hashbrown::HashSet;
use kubemonitor_model::{EntityId, EntityKind, Metric, UnixMillis};
use parking_lot::Mutex;
use rustc_hash::FxBuildHasher;

use crate::{
    codec::Point,
    disk::Level,
    group_rollup::RolledSum,
    registry::Passed,
    sample::{Counted, GroupSample, Rates, TimeRange, Traffic},
};

/// Slots that a sample may fill besides its own. Two ticks that were lost leave no dip; a pod that was
/// silent for longer was not measured in between, and a value there would be made up.
const MAX_GAP: i64 = 3;

/// What one sample of a pod adds to its groups.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    /// The sample's time.
    pub(crate) at: UnixMillis,
    cpu_nanocores: Option<u64>,
    memory_bytes: Option<u64>,
    /// Thousandths of bytes per second: integers, so that taking away is exact.
    traffic_milli: [Option<u64>; 4],
}

impl Share {
    /// The share of a row with its rates.
    pub(crate) fn of(kind: EntityKind, point: &Point, rates: &Rates) -> Self {
        let gauge = |metric| point.column(kind.column(metric)?);
        let per_second = |metric, scale: u128| {
            let increase = u128::from(rates.increase(metric)?);
            u64::try_from(increase * scale / u128::from(rates.elapsed_us(metric))).ok()
        };
        Self {
            at: point.at,
            cpu_nanocores: gauge(Metric::CpuUsageRate)
                .or_else(|| per_second(Metric::CpuUsage, 1_000_000)),
            memory_bytes: gauge(Metric::MemoryWorkingSet),
            traffic_milli: GroupSample::TRAFFIC.map(|metric| per_second(metric, 1_000_000_000)),
        }
    }
}

/// One sample of a pod, and where it comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// The sample before, if there is one.
    pub(crate) from: Option<(UnixMillis, Counted)>,
    /// What the sample adds.
    pub(crate) share: Share,
    /// Its counters.
    pub(crate) counted: Counted,
}

/// A sum of 96 bits, which no terms that there can be exceed, that knows whether it has any. What is
/// added can be taken away again exactly; a sum that 64 bits cannot say is not known.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    low: u64,
    high: u32,
    /// How many terms there are, modulo 2^32: a sum of so many is not 0 either.
    terms: u32,
}

impl Sum {
    fn add(&mut self, term: Option<u64>) {
        if let Some(term) = term {
            self.add_all(Self { low: term, high: 0, terms: 1 });
        }
    }

    fn subtract(&mut self, term: Option<u64>) {
        if let Some(term) = term {
            self.subtract_all(Self { low: term, high: 0, terms: 1 });
        }
    }

    fn add_all(&mut self, other: Self) {
        let (low, carry) = self.low.overflowing_add(other.low);
        self.low = low;
        self.high = self.high.wrapping_add(other.high).wrapping_add(u32::from(carry));
        self.terms = self.terms.wrapping_add(other.terms);
    }

    fn subtract_all(&mut self, other: Self) {
        let (low, borrow) = self.low.overflowing_sub(other.low);
        self.low = low;
        self.high = self.high.wrapping_sub(other.high).wrapping_sub(u32::from(borrow));
        self.terms = self.terms.wrapping_sub(other.terms);
    }

    /// The sum over `members`: of none it is 0, of some that are all unknown it is not known.
    fn over(self, members: u32) -> Option<u64> {
        if members == 0 { Some(0) } else { self.known() }
    }

    /// The sum over all there ever was.
    fn known(self) -> Option<u64> {
        let has_terms = self.terms > 0 || self.low > 0;
        (has_terms && self.high == 0).then_some(self.low)
    }
}

/// Shares of some members, added up.
#[derive(Clone, Copy, Debug, Default)]
struct Shares {
    pods: u32,
    cpu_nanocores: Sum,
    memory_bytes: Sum,
    traffic_milli: [Sum; 4],
}

impl Shares {
    fn add(&mut self, share: &Share) {
        self.pods += 1;
        self.cpu_nanocores.add(share.cpu_nanocores);
        self.memory_bytes.add(share.memory_bytes);
        for (sum, &term) in self.traffic_milli.iter_mut().zip(&share.traffic_milli) {
            sum.add(term);
        }
    }

    fn subtract(&mut self, share: &Share) {
        self.pods = self.pods.saturating_sub(1);
        self.cpu_nanocores.subtract(share.cpu_nanocores);
        self.memory_bytes.subtract(share.memory_bytes);
        for (sum, &term) in self.traffic_milli.iter_mut().zip(&share.traffic_milli) {
            sum.subtract(term);
        }
    }

    fn sample(&self, at: UnixMillis, totals: &[Sum; 4]) -> GroupSample {
        let traffic = |place: usize| Traffic {
            total_bytes: totals[place].known(),
            bytes_per_second: self.traffic_milli[place]
                .over(self.pods)
                .map(|milli| milli as f64 / 1000.0),
        };
        GroupSample {
            at,
            pods: self.pods,
            cpu_nanocores: self.cpu_nanocores.over(self.pods),
            memory_working_set_bytes: self.memory_bytes.over(self.pods),
            traffic: [traffic(0), traffic(1), traffic(2), traffic(3)],
        }
    }
}

/// One tick of a group.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    at: i64,
    shares: Shares,
    /// What the members' byte counters grew by.
    grown: [Sum; 4],
}

#[derive(Debug)]
struct State {
    step_ms: i64,
    retention_ms: i64,
    passed: Arc<Passed>,
    keeps_slots: bool,
    /// Members there are now.
    newest: Shares,
    newest_at: Option<UnixMillis>,
    /// What members' byte counters have counted, those of gone members included.
    totals: [Sum; 4],
    /// The part of it before the first slot.
    base: [Sum; 4],
    /// In order of time; only ticks that have members.
    slots: VecDeque<Slot>,
}

/// How the sums of earlier ticks are had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupHistory {
    /// Slots are kept as samples arrive: reading costs nothing, keeping about 100 KiB an hour. For
    /// groups that are few and large (namespaces).
    Kept,
    /// Members' samples are added up when somebody asks: keeping costs nothing. For groups that are
    /// many and small (workloads).
    Summed,
}

/// A namespace, a workload: whatever its key stands for.
#[derive(Debug)]
pub(crate) struct Group {
    history: GroupHistory,
    members: Mutex<HashSet<EntityId, FxBuildHasher>>,
    state: Mutex<State>,
    rolling: Mutex<Rolling>,
}

/// How far a group's sums were rolled to disk.
#[derive(Debug, Default)]
struct Rolling {
    due: Option<UnixMillis>,
    /// The last bucket of each level.
    last: [Option<RolledSum>; 2],
}

/// How often sums are rolled.
const ROLL_EVERY_MS: i64 = 900_000;

impl Group {
    /// A group without members, whose slots are `step_ms` apart.
    pub(crate) fn new(
        history: GroupHistory,
        step_ms: u32,
        retention_ms: i64,
        passed: Arc<Passed>,
    ) -> Self {
        let state = State {
            step_ms: i64::from(step_ms.max(1)),
            retention_ms,
            passed,
            keeps_slots: history == GroupHistory::Kept,
            newest: Shares::default(),
            newest_at: None,
            totals: [Sum::default(); 4],
            base: [Sum::default(); 4],
            slots: VecDeque::new(),
        };
        Self {
            history,
            members: Mutex::default(),
            state: Mutex::new(state),
            rolling: Mutex::default(),
        }
    }

    /// A group like this one without history, to be filled with [`Group::count`] and read once.
    pub(crate) fn scratch(&self) -> Self {
        let state = self.state.lock();
        let step_ms = u32::try_from(state.step_ms).unwrap_or(u32::MAX);
        let passed = Arc::clone(&state.passed);
        let scratch = Self::new(GroupHistory::Kept, step_ms, state.retention_ms, passed);
        scratch.state.lock().base = state.totals;
        drop(state);
        scratch
    }

    pub(crate) fn history(&self) -> GroupHistory {
        self.history
    }

    /// Whether it is time to roll its sums; `spread` keeps groups from doing so all at once.
    pub(crate) fn is_due(&self, now: UnixMillis, spread: u64) -> bool {
        let mut rolling = self.rolling.lock();
        let spread_ms = i64::try_from(spread % ROLL_EVERY_MS.unsigned_abs()).unwrap_or(0);
        // Due far in the future: the clock was set back since.
        rolling.due.take_if(|due| due.since(now) > ROLL_EVERY_MS);
        let due = *rolling.due.get_or_insert(UnixMillis(now.0 + spread_ms));
        if now >= due {
            rolling.due = Some(UnixMillis(now.0 + ROLL_EVERY_MS));
        }
        now >= due
    }

    /// It is time now.
    pub(crate) fn hurry(&self) {
        self.rolling.lock().due = Some(UnixMillis(i64::MIN));
    }

    /// The last bucket that was rolled since the start.
    pub(crate) fn last_rolled(&self, level: Level) -> Option<RolledSum> {
        self.rolling.lock().last[level as usize]
    }

    pub(crate) fn note_rolled(&self, level: Level, sum: RolledSum) {
        self.rolling.lock().last[level as usize] = Some(sum);
    }

    pub(crate) fn enter(&self, member: &EntityId) {
        self.members.lock().insert(member.clone());
    }

    pub(crate) fn leave(&self, member: &EntityId) {
        self.members.lock().remove(member);
    }

    pub(crate) fn members(&self) -> Vec<EntityId> {
        self.members.lock().iter().cloned().collect()
    }

    /// A member's newest sample changed, it came or it went.
    pub(crate) fn advance(&self, before: Option<&Share>, after: Option<&Share>) {
        self.state.lock().advance(before, after);
    }

    /// A member's newest sample changed, and the new one counts in its slots.
    pub(crate) fn advance_by(&self, before: Option<&Share>, after: Option<&Share>, step: &Step) {
        let mut state = self.state.lock();
        state.advance(before, after);
        state.count(step);
    }

    /// Counts a sample in its slots.
    pub(crate) fn count(&self, step: &Step) {
        self.state.lock().count(step);
    }

    /// Takes back what [`Group::count`] did.
    pub(crate) fn uncount(&self, step: &Step) {
        self.state.lock().apply(step, Shares::subtract, Sum::subtract);
    }

    /// Counts `steps` in place of `replaced`: a late sample came in between.
    pub(crate) fn revise(&self, replaced: &Step, steps: &[Step]) {
        let mut state = self.state.lock();
        state.apply(replaced, Shares::subtract, Sum::subtract);
        for step in steps {
            state.apply(step, Shares::add, Sum::add);
        }
    }

    /// Lets the sums before a moment go.
    pub(crate) fn release_before(&self, horizon: UnixMillis) {
        let mut state = self.state.lock();
        state.fold_before(horizon.0);
        state.slots.shrink_to_fit();
    }

    /// Memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let members = self.members.lock().capacity() * size_of::<EntityId>();
        size_of::<Self>() + members + self.state.lock().slots.capacity() * size_of::<Slot>()
    }

    /// The sum over the members there are now; `None` while none was ever measured.
    pub(crate) fn latest(&self) -> Option<GroupSample> {
        let state = self.state.lock();
        let newest_at = state.newest_at?;
        Some(state.newest.sample(newest_at, &state.totals))
    }

    /// Of a [`Group::scratch`] that was filled: makes its totals end where the group's do.
    pub(crate) fn align_totals(&self) {
        let mut state = self.state.lock();
        let State { base, totals, .. } = &mut *state;
        for (base, total) in base.iter_mut().zip(totals) {
            let (end, counted) = (*base, *total);
            base.subtract_all(counted);
            *total = end;
        }
    }

    /// The sums at the ticks of a range, oldest first.
    pub(crate) fn window(&self, range: TimeRange) -> Vec<GroupSample> {
        let state = self.state.lock();
        // From the newest back: what is asked for mostly is the end of what there is.
        let mut totals = state.totals;
        let before = state.slots.partition_point(|slot| slot.at < range.from.0);
        let mut samples = Vec::with_capacity(state.slots.len() - before);
        for slot in state.slots.iter().rev().take_while(|slot| slot.at >= range.from.0) {
            if slot.shares.pods > 0 && range.contains(UnixMillis(slot.at)) {
                samples.push(slot.shares.sample(UnixMillis(slot.at), &totals));
            }
            for (total, grown) in totals.iter_mut().zip(&slot.grown) {
                total.subtract_all(*grown);
            }
        }
        drop(state);
        samples.reverse();
        samples
    }
}

impl State {
    fn advance(&mut self, before: Option<&Share>, after: Option<&Share>) {
        if let Some(before) = before {
            self.newest.subtract(before);
        }
        if let Some(after) = after {
            self.newest.add(after);
            self.newest_at = self.newest_at.max(Some(after.at));
        }
    }

    fn count(&mut self, step: &Step) {
        self.newest_at = self.newest_at.max(Some(step.share.at));
        self.apply(step, Shares::add, Sum::add);
    }

    /// The slot a time belongs to: the next grid point.
    fn slot_time(&self, at: UnixMillis) -> i64 {
        at.0.div_euclid(self.step_ms) * self.step_ms
            + if at.0.rem_euclid(self.step_ms) == 0 { 0 } else { self.step_ms }
    }

    /// Counts a sample, or takes it back: in every slot after the sample before, and what counters
    /// grew by (all they have, for a first sample) in its own.
    fn apply(
        &mut self,
        step: &Step,
        change: fn(&mut Shares, &Share),
        change_total: fn(&mut Sum, Option<u64>),
    ) {
        let before = step.from.as_ref().map(|from| &from.1);
        let grown = GroupSample::TRAFFIC.map(|metric| step.counted.grown(before, metric));
        for (sum, grown) in self.totals.iter_mut().zip(grown) {
            change_total(sum, grown);
        }
        if !self.keeps_slots {
            return;
        }
        let end = self.slot_time(step.share.at);
        let mut start = step.from.map_or(end, |from| self.slot_time(from.0) + self.step_ms);
        if (end - start) / self.step_ms >= MAX_GAP {
            start = end;
        }
        let mut at = start;
        while at <= end {
            if let Some(slot) = self.slot(at) {
                change(&mut slot.shares, &step.share);
            }
            at += self.step_ms;
        }
        let in_slot = match self.slot(end) {
            Some(slot) => &mut slot.grown,
            None => &mut self.base,
        };
        for (sum, grown) in in_slot.iter_mut().zip(grown) {
            change_total(sum, grown);
        }
    }

    /// The slot at a grid point, made if need be; `None` when it lies before what is kept.
    fn slot(&mut self, at: i64) -> Option<&mut Slot> {
        let passed = self.passed.get().0;
        if let Some(newest) = self.slots.back()
            && at < newest.at.min(passed).saturating_sub(self.retention_ms)
        {
            return None;
        }
        let place = match self.slots.back() {
            Some(newest) if newest.at == at => self.slots.len() - 1,
            Some(newest) if newest.at > at => {
                match self.slots.binary_search_by_key(&at, |slot| slot.at) {
                    Ok(place) => place,
                    Err(place) => {
                        self.slots.insert(place, Slot { at, ..Slot::default() });
                        place
                    }
                }
            }
            _ => {
                self.slots.push_back(Slot { at, ..Slot::default() });
                self.fold_before(at.min(passed).saturating_sub(self.retention_ms));
                self.slots.len() - 1
            }
        };
        self.slots.get_mut(place)
    }

    /// Lets slots before `horizon` go; what their members' counters grew by stays.
    fn fold_before(&mut self, horizon: i64) {
        while let Some(old) = self.slots.front().filter(|slot| slot.at < horizon).copied() {
            for (sum, grown) in self.base.iter_mut().zip(old.grown) {
                sum.add_all(grown);
            }
            self.slots.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_beyond_64_bits_is_not_known_and_comes_back() {
        let mut sum = Sum::default();
        assert_eq!((sum.known(), sum.over(0), sum.over(1)), (None, Some(0), None));
        sum.add(Some(u64::MAX));
        assert_eq!(sum.known(), Some(u64::MAX));
        sum.add(Some(5));
        assert_eq!((sum.known(), sum.over(2)), (None, None));
        sum.subtract(Some(u64::MAX));
        assert_eq!(sum.known(), Some(5));
        sum.subtract(Some(5));
        assert_eq!(sum.known(), None);
        sum.add(Some(0));
        assert_eq!(sum.known(), Some(0));
    }
}
