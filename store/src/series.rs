//! The history of one entity.

use std::sync::Arc;

use kubemonitor_model::{
    EntityId, EntityKind, EntityRow, MAX_COLUMNS, Metric, QosClass, Row, UnixMillis,
};

use crate::{
    chunk::Chunks,
    clock::ReadTimes,
    codec::{self, Next, Point},
    disk::{Bodies, Restart, StoredChunk, StoredSeries},
    group::{Group, Share, Step},
    rollup::{Rolled, Roller},
    sample::{Counted, GroupSample, Rates, Sample, TimeRange},
};

/// One entity: who it is, its newest row, and the compressed rows before.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) kind: EntityKind,
    pub(crate) id: EntityId,
    pub(crate) parent: Option<EntityId>,
    pub(crate) qos: Option<QosClass>,
    pub(crate) first_at: UnixMillis,
    /// The server's clock when something was last heard of it.
    pub(crate) heard_at: UnixMillis,
    /// Somebody else's collector pushes it: no tick of ours says when it is gone.
    pub(crate) pushed: bool,
    /// It is there, as far as its node's newest tick or a recent push tells.
    live: bool,
    /// The groups its samples count in.
    groups: Vec<Arc<Group>>,
    /// The time before its first row in which it was born and counted all that row has; 0 when it
    /// is older than that.
    birth_step_ms: u32,
    last: Point,
    rates: Rates,
    restarts: Vec<Restart>,
    chunks: Chunks,
}

/// When and how a row was measured.
#[derive(Clone, Copy)]
pub(crate) struct Moment<'a> {
    pub(crate) at: UnixMillis,
    pub(crate) step_ms: u32,
    /// The server's clock.
    pub(crate) now: UnixMillis,
    /// Rows of chunks that ended before this are dropped.
    pub(crate) horizon: UnixMillis,
    pub(crate) read_times: &'a ReadTimes,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is the newest now.
    Newest,
    /// It was late and found its place.
    Late,
    /// There was one at that time.
    Duplicate,
}

impl Series {
    /// A series that begins with `entity`'s row.
    pub(crate) fn begin(entity: &EntityRow, parent: Option<EntityId>, moment: Moment<'_>) -> Self {
        let kind = entity.row.kind();
        let mut series = Self {
            kind,
            id: entity.id.clone(),
            parent,
            qos: entity.qos,
            first_at: moment.at,
            heard_at: moment.now,
            pushed: false,
            live: false,
            groups: Vec::new(),
            birth_step_ms: if entity.newborn { moment.step_ms } else { 0 },
            last: Point::origin(kind, moment.at, moment.step_ms),
            rates: Rates::default(),
            restarts: Vec::new(),
            chunks: Chunks::default(),
        };
        series.write(&entity.row, 0, moment);
        series.rates = series.first_rates(&series.last);
        series
    }

    /// The time of the newest row.
    pub(crate) fn last_at(&self) -> UnixMillis {
        self.last.at
    }

    /// Whether the entity is still there.
    pub(crate) fn live(&self) -> bool {
        self.live
    }

    /// Takes a row in, wherever its time puts it.
    pub(crate) fn take(&mut self, row: &Row, moment: Moment<'_>) -> Taken {
        self.heard_at = self.heard_at.max(moment.now);
        if moment.at == self.last.at {
            return Taken::Duplicate;
        }
        if moment.at < self.last.at {
            return self.insert(row, moment);
        }
        let restarted = self.unwrap_restarts(row, moment.at);
        let (from, in_sums) = ((self.last.at, self.counted()), self.counted_share());
        self.write(row, restarted, moment);
        let counted = self.counted();
        let elapsed_us = moment.read_times.elapsed_us(from.0, moment.at);
        self.rates = Rates::between(&from.1, &counted, elapsed_us);
        if !self.groups.is_empty() {
            let share = Share::of(self.kind, &self.last, &self.rates);
            let step = Step { from: Some(from), share, counted };
            for group in &self.groups {
                group.advance_by(in_sums.as_ref(), self.live.then_some(&share), &step);
            }
        }
        Taken::Newest
    }

    /// The entity is there, or no longer: its groups' newest sums count it, or not.
    pub(crate) fn set_live(&mut self, live: bool) {
        if self.live != live {
            let before = self.counted_share();
            self.live = live;
            let after = self.counted_share();
            for group in &self.groups {
                group.advance(before.as_ref(), after.as_ref());
            }
        }
    }

    /// Forgets the rows after `end`: they are from a clock that was wrong. Says whether any are left.
    pub(crate) fn forget_after(&mut self, end: UnixMillis, read_times: &ReadTimes) -> bool {
        if self.last.at <= end {
            return true;
        }
        self.set_live(false);
        let wrong = TimeRange { from: UnixMillis(end.0 + 1), to: UnixMillis(i64::MAX) };
        for group in &self.groups {
            self.replay(wrong, read_times, |step| group.uncount(step));
        }
        self.chunks.drop_after(self.kind, end);
        self.restarts.retain(|restart| restart.at <= end);
        self.settle(read_times);
        self.chunks.last().is_some()
    }

    /// Drops the rows after `end` that earlier blocks brought; what is left is settled later.
    pub(crate) fn unrestore_after(&mut self, end: UnixMillis) {
        self.chunks.drop_after(self.kind, end);
    }

    /// Makes the whole history count in `groups`, and no longer where it did before.
    pub(crate) fn set_groups(&mut self, groups: Vec<Arc<Group>>, read_times: &ReadTimes) {
        let is_in = |list: &[Arc<Group>], group| list.iter().any(|other| Arc::ptr_eq(other, group));
        // Not `counted_share`: before its first groups it counts nowhere, and from now on it does.
        let share = self.live.then(|| Share::of(self.kind, &self.last, &self.rates));
        for left in self.groups.iter().filter(|group| !is_in(&groups, group)) {
            left.advance(share.as_ref(), None);
            self.replay(TimeRange::ALL, read_times, |step| left.uncount(step));
        }
        for entered in groups.iter().filter(|group| !is_in(&self.groups, group)) {
            entered.advance(None, share.as_ref());
            self.replay(TimeRange::ALL, read_times, |step| entered.count(step));
        }
        self.groups = groups;
    }

    /// Closes its chunk, and gives what no block on disk has yet, if anything.
    pub(crate) fn close(&mut self) -> Option<StoredSeries> {
        let chunks = self.chunks.close();
        (!chunks.is_empty()).then(|| self.stored(chunks))
    }

    /// What [`Series::close`] gave is in the node's block of this number, so far into its bodies.
    /// Gives where the next series' chunks are.
    pub(crate) fn leave(&mut self, block: u32, at: u32) -> u32 {
        self.chunks.leave(block, at)
    }

    /// The block of this number will never be on the disk.
    pub(crate) fn stay(&mut self, block: u32) {
        self.chunks.stay(block);
    }

    /// The block of this number is on the disk.
    pub(crate) fn shelve(&mut self, block: u32, bodies: &Bodies) {
        self.chunks.shelve(block, bodies);
    }

    /// Its rows in a range, rolled; `None` when there are none.
    pub(crate) fn rolled(&self, range: TimeRange, step_ms: i64) -> Option<StoredSeries> {
        let Rolled { means, lows, highs } = self.roll(range, step_ms);
        let packed = |rows: Vec<Point>| {
            let mut chunks = Chunks::default();
            let mut last = Point::origin(self.kind, self.first_at, 0);
            for row in &rows {
                let step_ms = u32::try_from(step_ms).unwrap_or(u32::MAX);
                chunks.append(self.kind, step_ms, &mut last, row.as_next());
            }
            chunks.close()
        };
        (!means.is_empty()).then(|| StoredSeries {
            lows: packed(lows),
            highs: packed(highs),
            ..self.stored(packed(means))
        })
    }

    /// Its rows in a range, rolled.
    pub(crate) fn roll(&self, range: TimeRange, step_ms: i64) -> Rolled {
        let mut roller = Roller::new(self.kind, step_ms);
        self.chunks.read(self.kind, range.from, range.to, |point| {
            if range.contains(point.at) {
                roller.add(point);
            }
        });
        roller.finish()
    }

    fn stored(&self, chunks: Vec<StoredChunk>) -> StoredSeries {
        StoredSeries {
            kind: self.kind,
            id: self.id.clone(),
            parent: self.parent.clone(),
            qos: self.qos,
            first_at: self.first_at,
            birth_step_ms: self.birth_step_ms,
            heard_at: self.heard_at,
            pushed: self.pushed,
            restarts: self.restarts.clone(),
            chunks,
            lows: Vec::new(),
            highs: Vec::new(),
        }
    }

    /// A series read back from disk; its rows come with [`Series::restore`].
    pub(crate) fn restored(stored: &StoredSeries) -> Self {
        Self {
            kind: stored.kind,
            id: stored.id.clone(),
            parent: stored.parent.clone(),
            qos: stored.qos,
            first_at: stored.first_at,
            heard_at: stored.heard_at,
            pushed: stored.pushed,
            live: false,
            groups: Vec::new(),
            birth_step_ms: stored.birth_step_ms,
            last: Point::origin(stored.kind, stored.first_at, 0),
            rates: Rates::default(),
            restarts: Vec::new(),
            chunks: Chunks::default(),
        }
    }

    /// Takes the rows of a later block in; they stay on the disk, so far into the bodies. Gives where
    /// the next series' are.
    pub(crate) fn restore(&mut self, stored: StoredSeries, bodies: &Bodies, at: u32) -> u32 {
        self.heard_at = stored.heard_at;
        self.pushed = stored.pushed;
        self.restarts = stored.restarts;
        self.chunks.restore_shelved(&stored.chunks, bodies, at)
    }

    /// After all blocks: finds the newest row and its rates.
    pub(crate) fn settle(&mut self, read_times: &ReadTimes) {
        let Some(last_at) = self.chunks.last() else { return };
        let (before, last) = self.neighbours(last_at);
        let Some(last) = last else { return };
        self.rates = match &before {
            Some(before) => {
                let elapsed_us = read_times.elapsed_us(before.at, last.at);
                let from = Counted::at(self.kind, before);
                Rates::between(&from, &Counted::at(self.kind, &last), elapsed_us)
            }
            None => self.first_rates(&last),
        };
        self.last = last;
    }

    /// The newest sample.
    pub(crate) fn latest(&self) -> Sample {
        Sample { at: self.last.at, row: row_of(self.kind, &self.last), rates: self.rates }
    }

    /// The newest row's value of a metric.
    pub(crate) fn value(&self, metric: Metric) -> Option<u64> {
        self.last.column(self.kind.column(metric)?)
    }

    /// The rates of the newest row.
    pub(crate) fn rates(&self) -> &Rates {
        &self.rates
    }

    /// The samples of a range, oldest first.
    pub(crate) fn window(&self, range: TimeRange, read_times: &ReadTimes) -> Vec<Sample> {
        let mut samples = Vec::new();
        let mut before: Option<(UnixMillis, Counted)> = None;
        self.chunks.read(self.kind, range.from, range.to, |point| {
            let counted = Counted::at(self.kind, point);
            if range.contains(point.at) {
                let rates = match &before {
                    Some((at, before)) => {
                        Rates::between(before, &counted, read_times.elapsed_us(*at, point.at))
                    }
                    None => self.first_rates(point),
                };
                samples.push(Sample { at: point.at, row: row_of(self.kind, point), rates });
            }
            before = Some((point.at, counted));
        });
        samples
    }

    /// Values in the newest row.
    pub(crate) fn width(&self) -> usize {
        self.last.present.count_ones() as usize
    }

    /// Rows held.
    pub(crate) fn rows(&self) -> usize {
        self.chunks.iter().map(crate::chunk::Chunk::rows).sum()
    }

    /// Memory the series takes, beside its place in a table.
    pub(crate) fn memory_bytes(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(crate::chunk::Chunk::memory_bytes).sum();
        size_of::<Self>() + size_of_val(&*self.last.values) + chunks
    }

    /// The rates of a row that has none before it: known only since birth.
    fn first_rates(&self, point: &Point) -> Rates {
        if point.at != self.first_at {
            return Rates::default();
        }
        let elapsed_us = u64::from(self.birth_step_ms) * 1000;
        Rates::between(&Counted::BIRTH, &Counted::at(self.kind, point), elapsed_us)
    }

    fn counted(&self) -> Counted {
        Counted::at(self.kind, &self.last)
    }

    /// What the groups' newest sums hold of it.
    fn counted_share(&self) -> Option<Share> {
        let in_sums = self.live && !self.groups.is_empty();
        in_sums.then(|| Share::of(self.kind, &self.last, &self.rates))
    }

    /// Appends `row` with what makes up for restarts.
    fn write(&mut self, row: &Row, restarted: u64, moment: Moment<'_>) {
        let mut made_up = [0; MAX_COLUMNS];
        let values = if self.restarts.is_empty() {
            row.values()
        } else {
            let values = &mut made_up[..row.values().len()];
            values.copy_from_slice(row.values());
            for restart in &self.restarts {
                if let Some(value) = values.get_mut(usize::from(restart.column)) {
                    *value = value.wrapping_add(restart.added);
                }
            }
            values
        };
        let next = Next { at: moment.at, present: row.present(), restarted, values };
        if self.chunks.append(self.kind, moment.step_ms, &mut self.last, next) {
            self.chunks.drop_before(moment.horizon);
            self.forget_old_restarts();
        }
    }

    /// Notes the counters that fell: they started anew. Gives their columns.
    fn unwrap_restarts(&mut self, row: &Row, at: UnixMillis) -> u64 {
        let mut restarted = 0;
        let mut columns = row.present() & self.kind.counter_columns();
        if self.restarts.is_empty() {
            columns &= codec::different(&self.last.values, row.values());
        }
        while columns != 0 {
            let column = columns.trailing_zeros() as usize;
            columns &= columns - 1;
            let shown = row.values()[column].wrapping_add(self.added(column, at));
            // An absent column keeps its last value, so a counter that comes back lower is seen.
            let fallen_by = self.last.values[column].saturating_sub(shown);
            if fallen_by > 0 {
                restarted |= 1 << column;
                let column = u8::try_from(column).expect("a row has at most 64 columns");
                self.restarts.push(Restart { at, column, added: fallen_by });
            }
        }
        restarted
    }

    /// What makes up for the restarts of a counter up to `at`.
    fn added(&self, column: usize, at: UnixMillis) -> u64 {
        let restarts = self.restarts.iter();
        let earlier = restarts.filter(|r| usize::from(r.column) == column && r.at <= at);
        earlier.fold(0, |sum, restart| sum.wrapping_add(restart.added))
    }

    /// Restarts before all that is held count alike for every row: one entry a column is enough.
    fn forget_old_restarts(&mut self) {
        let Some(first) = self.chunks.iter().next().map(crate::chunk::Chunk::first) else { return };
        let (old, mut kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.restarts).into_iter().partition(|restart| restart.at < first);
        for restart in old {
            match kept
                .iter_mut()
                .find(|k| k.column == restart.column && k.at == UnixMillis(i64::MIN))
            {
                Some(sum) => sum.added = sum.added.wrapping_add(restart.added),
                None => kept.push(Restart { at: UnixMillis(i64::MIN), ..restart }),
            }
        }
        self.restarts = kept;
    }

    /// Puts a late row where it belongs.
    fn insert(&mut self, row: &Row, moment: Moment<'_>) -> Taken {
        let (before, after) = self.neighbours(moment.at);
        if after.as_ref().is_none_or(|after| after.at == moment.at) {
            return Taken::Duplicate;
        }
        let mut late = Point::origin(self.kind, moment.at, 0);
        late.present = row.present();
        for (column, value) in late.values.iter_mut().enumerate() {
            let is_counter = self.kind.counter_columns() >> column & 1 == 1;
            *value = row.values()[column];
            if is_counter {
                let shown = value.wrapping_add(self.added(column, moment.at));
                // What it last was, also where the row before lacks it.
                let floor = before.as_ref().map_or(0, |p| p.values[column]);
                let ceiling = after.as_ref().and_then(|p| p.column(column)).unwrap_or(u64::MAX);
                // Between two rows a counter cannot have been outside what they say.
                let is_present = late.present >> column & 1 == 1;
                *value = if is_present { shown.min(ceiling).max(floor) } else { floor };
            }
        }
        // Where the row after lacks a counter, a later one counts from this row.
        let counters = GroupSample::counters(self.kind) & late.present;
        let reaches_on = after.as_ref().is_some_and(|after| counters & !after.present != 0);
        let rest = TimeRange { from: moment.at, to: UnixMillis(i64::MAX) };
        if reaches_on {
            for group in &self.groups {
                self.replay(rest, moment.read_times, |step| group.uncount(step));
            }
        }
        if !self.chunks.insert(self.kind, &late) {
            return Taken::Duplicate;
        }
        self.remember_counters(&late);
        if let Some(after) = after {
            if !reaches_on {
                self.revise(before.as_ref(), &late, &after, moment.read_times);
            }
            if after.at == self.last.at {
                self.measure_newest_from(&late, moment.read_times);
            }
        }
        if moment.at < self.first_at {
            self.first_at = moment.at;
            self.birth_step_ms = 0;
        }
        if reaches_on {
            for group in &self.groups {
                self.replay(rest, moment.read_times, |step| group.count(step));
            }
        }
        Taken::Late
    }

    /// The newest row's rates count from a row that came late.
    fn measure_newest_from(&mut self, late: &Point, read_times: &ReadTimes) {
        let before = self.counted_share();
        let elapsed_us = read_times.elapsed_us(late.at, self.last.at);
        self.rates = Rates::between(&Counted::at(self.kind, late), &self.counted(), elapsed_us);
        let after = self.counted_share();
        for group in &self.groups {
            group.advance(before.as_ref(), after.as_ref());
        }
    }

    /// Counters that the newest row lacks may be known from a late one.
    fn remember_counters(&mut self, late: &Point) {
        let mut columns = late.present & !self.last.present & self.kind.counter_columns();
        while columns != 0 {
            let column = columns.trailing_zeros() as usize;
            columns &= columns - 1;
            self.last.values[column] = self.last.values[column].max(late.values[column]);
        }
    }

    /// The rows around a time: the last before it, the first not before it.
    fn neighbours(&self, at: UnixMillis) -> (Option<Point>, Option<Point>) {
        let (mut before, mut after): (Option<Point>, Option<Point>) = (None, None);
        let counters = GroupSample::counters(self.kind);
        self.chunks.read_counting(self.kind, counters, at, UnixMillis(i64::MAX), |point| {
            if point.at < at {
                before.get_or_insert_with(|| Point::origin(self.kind, at, 0)).copy_from(point);
            } else if after.is_none() {
                after = Some(point.clone());
            }
        });
        (before, after)
    }

    /// Tells rates and groups that `late` now lies between `before` and `after`.
    fn revise(&mut self, before: Option<&Point>, late: &Point, after: &Point, times: &ReadTimes) {
        let kind = self.kind;
        let step = |from: Option<&Point>, to: &Point| {
            let counted = Counted::at(kind, to);
            let rates = match from {
                Some(from) => {
                    let elapsed_us = times.elapsed_us(from.at, to.at);
                    Rates::between(&Counted::at(kind, from), &counted, elapsed_us)
                }
                None => self.first_rates(to),
            };
            Step {
                from: from.map(|from| (from.at, Counted::at(kind, from))),
                share: Share::of(kind, to, &rates),
                counted,
            }
        };
        let replaced = step(before, after);
        // A row before the first one of all has no rates, and takes the birth from that one.
        let mut first = step(before, late);
        if before.is_none() {
            first.share = Share::of(kind, late, &Rates::default());
        }
        let second = step(Some(late), after);
        for group in &self.groups {
            group.revise(&replaced, &[first, second]);
        }
    }

    /// Visits the rows of a range as groups take them.
    pub(crate) fn replay(
        &self,
        range: TimeRange,
        read_times: &ReadTimes,
        mut visit: impl FnMut(&Step),
    ) {
        let mut from: Option<(UnixMillis, Counted)> = None;
        let counters = GroupSample::counters(self.kind);
        self.chunks.read_counting(self.kind, counters, range.from, range.to, |point| {
            let counted = Counted::at(self.kind, point);
            if range.contains(point.at) {
                let rates = match &from {
                    Some((at, before)) => {
                        Rates::between(before, &counted, read_times.elapsed_us(*at, point.at))
                    }
                    None => self.first_rates(point),
                };
                visit(&Step { from, share: Share::of(self.kind, point, &rates), counted });
            }
            from = Some((point.at, counted));
        });
    }
}

pub(crate) fn row_of(kind: EntityKind, point: &Point) -> Row {
    let mut row = Row::new(kind);
    let mut columns = point.present;
    while columns != 0 {
        let column = columns.trailing_zeros() as usize;
        columns &= columns - 1;
        row.set_column(column, point.values.get(column).copied());
    }
    row
}
