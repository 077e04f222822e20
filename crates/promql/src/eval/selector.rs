//! The newest sample of each series at each step.

use super::{Column, Evaluator};
use crate::{
    QueryError, Samples, Selection,
    absent::is_present,
    plan::{At, Selector, Shift},
};

impl Evaluator<'_> {
    /// The newest samples at each step, none older than the lookback.
    pub(super) fn newest(&self, selector: &Selector) -> Result<Vec<Column>, QueryError> {
        self.look_back(selector, |_, value| value)
    }

    /// The times (Unix s) of the newest samples.
    pub(crate) fn newest_times(&self, selector: &Selector) -> Result<Vec<Column>, QueryError> {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds fit 53 bits")]
        self.look_back(selector, |at_ms, _| at_ms as f64 / 1000.0)
    }

    fn look_back(
        &self,
        selector: &Selector,
        show: impl Fn(i64, f64) -> f64,
    ) -> Result<Vec<Column>, QueryError> {
        let ends = self.shifted(selector.shift);
        let lookback_ms = self.context.lookback_ms;
        let series = self.select(selector, lookback_ms, "")?;
        let mut columns = Vec::with_capacity(series.len());
        for Samples { labels, times, values } in series {
            let mut column = self.empty_values()?;
            let mut next = 0;
            for (into, end) in column.iter_mut().zip(&ends) {
                next = advance(&times, next, *end);
                let Some(newest) = next.checked_sub(1) else { continue };
                let (at, value) = (times[newest], values[newest]);
                if at > end.saturating_sub(lookback_ms) && is_present(value) {
                    *into = show(at, value);
                }
            }
            self.context.budget.give_back(times.len());
            if column.iter().any(|value| is_present(*value)) {
                columns.push(Column { labels, drops_name: false, values: column });
            } else {
                self.context.budget.give_back(column.len());
            }
        }
        Ok(columns)
    }

    /// The samples that a selector needs at all steps, and before the first one so much.
    pub(super) fn select(
        &self,
        selector: &Selector,
        before_ms: i64,
        function: &str,
    ) -> Result<Vec<Samples>, QueryError> {
        let ends = self.shifted(selector.shift);
        let (first, last) = (ends.iter().min(), ends.iter().max());
        let Some((first, last)) = first.zip(last) else { return Ok(Vec::new()) };
        let step_ms = if self.steps.count > 1 { self.steps.step_ms } else { 0 };
        let selection = Selection {
            matchers: &selector.matchers,
            after_ms: first.saturating_sub(before_ms),
            until_ms: *last,
            step_ms,
            function,
        };
        let series = self.context.storage.select(&selection)?;
        self.context.budget.take(series.iter().map(|samples| samples.times.len()).sum())?;
        Ok(series)
    }

    /// The times that a selector looks at, one a step.
    pub(super) fn shifted(&self, shift: Shift) -> Vec<i64> {
        let moment = shift.moment(self.context.asked_ms);
        let shifted =
            self.steps.times().map(|time| moment.unwrap_or(time).saturating_sub(shift.offset_ms));
        shifted.collect()
    }
}

impl Shift {
    /// The time of `@`, if there is one.
    pub(super) fn moment(self, (start_ms, end_ms): (i64, i64)) -> Option<i64> {
        self.at.map(|at| match at {
            At::Start => start_ms,
            At::End => end_ms,
            At::Time(at_ms) => at_ms,
        })
    }
}

/// How many times are not after `end`, when at least `known` are known not to be.
pub(super) fn advance(times: &[i64], known: usize, end: i64) -> usize {
    let mut next = known;
    while times.get(next).is_some_and(|at| *at <= end) {
        next += 1;
    }
    next
}
