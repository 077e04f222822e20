//! Rows that come late.

use kubemonitor_model::{Row, UnixMillis};

use super::{Moment, Series, Taken};
use crate::{
    clock::ReadTimes,
    codec::Point,
    group::{Share, Step},
    sample::{Counted, GroupSample, Rates, TimeRange},
};

impl Series {
    /// Puts a late row where it belongs.
    pub(super) fn insert(&mut self, row: &Row, moment: Moment<'_>) -> Taken {
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
                let shown = value.saturating_add(self.added(column, moment.at));
                // What it last was, also where the row before lacks it.
                let floor = before.as_ref().map_or(0, |p| p.values[column]);
                let ceiling = after.as_ref().and_then(|p| p.column(column)).unwrap_or(u64::MAX);
                let is_present = late.present >> column & 1 == 1;
                if is_present && (floor..=ceiling).contains(&shown) {
                    *value = shown;
                } else {
                    // Between two rows a counter cannot have been outside what they say: a clock that
                    // was set put the row here, and nothing is known of that time.
                    late.present &= !(1 << column);
                    *value = floor;
                }
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
        self.ever_present |= late.present;
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
    pub(super) fn neighbours(&self, at: UnixMillis) -> (Option<Point>, Option<Point>) {
        let (mut before, mut after): (Option<Point>, Option<Point>) = (None, None);
        let counters = self.counters_in_groups();
        let to = self.chunks.end_of_chunk_with(at);
        self.chunks.read_counting(self.kind, counters, at, to, |point| {
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
}
