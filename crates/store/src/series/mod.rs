//! The history of one entity.

mod late;
mod restarts;
mod saved;

use std::sync::Arc;

use kubemonitor_model::{
    EntityId, EntityKind, EntityRow, MAX_COLUMNS, Metric, QosClass, Row, UnixMillis,
};

use crate::{
    chunk::Chunks,
    clock::ReadTimes,
    codec::{Next, Point},
    disk::Restart,
    group::{Group, Share, Step},
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
    /// Columns that any row has had: what none had need not be looked for.
    ever_present: u64,
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
    /// How long before the row what is newborn in it was not there yet, in milliseconds.
    pub(crate) birth_step_ms: u32,
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
            ever_present: 0,
            groups: Vec::new(),
            birth_step_ms: if entity.newborn { moment.birth_step_ms } else { 0 },
            last: Point::origin(kind, moment.at, moment.step_ms),
            rates: Rates::default(),
            restarts: Vec::new(),
            chunks: Chunks::default(),
        };
        series.begin_anew(&entity.row, moment);
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
        self.heard_at = moment.now;
        if self.is_empty() {
            self.begin_anew(row, moment);
            return Taken::Newest;
        }
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

    /// Forgets the newest row; another one of its time replaces it.
    pub(crate) fn forget_newest(&mut self, read_times: &ReadTimes) {
        self.forget_after(UnixMillis(self.last.at.0 - 1), read_times);
    }

    fn is_empty(&self) -> bool {
        self.chunks.last().is_none()
    }

    /// Takes the first row in, of a series that has lost all it had.
    fn begin_anew(&mut self, row: &Row, moment: Moment<'_>) {
        self.first_at = moment.at;
        self.last = Point::origin(self.kind, moment.at, moment.step_ms);
        self.write(row, 0, moment);
        self.rates = self.first_rates(&self.last);
        for group in &self.groups {
            self.replay(TimeRange::ALL, moment.read_times, |step| group.count(step));
        }
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
        self.chunks.rows()
    }

    /// Memory the series takes beside itself, with the second copy of its name in an index.
    pub(crate) fn memory_bytes(&self) -> usize {
        let text = |id: &EntityId| if let EntityId::Text(text) = id { text.len() } else { 0 };
        let names = 2 * text(&self.id) + self.parent.as_ref().map_or(0, text);
        let restarts = self.restarts.capacity() * size_of::<Restart>();
        let groups = self.groups.capacity() * size_of::<Arc<Group>>();
        size_of_val(&*self.last.values) + self.chunks.memory_bytes() + names + restarts + groups
    }

    /// Lets the rows before a moment go, but for the newest one.
    pub(crate) fn release_before(&mut self, horizon: UnixMillis) {
        self.chunks.release_before(self.kind, horizon);
        self.forget_old_restarts();
    }

    /// The time of the oldest row.
    pub(crate) fn held_since(&self) -> Option<UnixMillis> {
        self.chunks.first()
    }

    /// Some of the samples of a range, oldest first, with the rest of the range if there may be more:
    /// about so many at a time.
    pub(crate) fn window_part(
        &self,
        range: TimeRange,
        about: usize,
        read_times: &ReadTimes,
    ) -> (Vec<Sample>, Option<TimeRange>) {
        let end = self.chunks.end_of_part(range.from, about).filter(|end| *end < range.to);
        let part = TimeRange { to: end.unwrap_or(range.to), ..range };
        let rest = end.map(|end| TimeRange { from: UnixMillis(end.0.saturating_add(1)), ..range });
        (self.window(part, read_times), rest)
    }

    /// The rates of a row that has none before it: known only since birth.
    fn first_rates(&self, point: &Point) -> Rates {
        if point.at != self.first_at {
            return Rates::default();
        }
        let elapsed_us = u64::from(self.birth_step_ms) * 1000;
        Rates::between(&Counted::BIRTH, &Counted::at(self.kind, point), elapsed_us)
    }

    /// The counters that its groups add up and that it has ever had.
    fn counters_in_groups(&self) -> u64 {
        GroupSample::counters(self.kind) & self.ever_present
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
                    *value = value.saturating_add(restart.added);
                }
            }
            values
        };
        self.ever_present |= row.present();
        let next = Next { at: moment.at, present: row.present(), restarted, values };
        if self.chunks.append(self.kind, moment.step_ms, &mut self.last, next) {
            self.chunks.drop_before(moment.horizon);
            self.forget_old_restarts();
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
        let counters = self.counters_in_groups();
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
