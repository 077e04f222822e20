//! The samples of a time before each step: what range functions look at.

use super::{Column, Evaluator, selector::advance};
use crate::{
    Labels, QueryError, Samples,
    absent::{is_absent, is_present},
    plan::{Expr, Node},
};

/// Series, and for each step the time that is looked at.
#[derive(Debug)]
pub(crate) struct Windows {
    pub(crate) series: Vec<WindowSeries>,
    pub(crate) range_ms: i64,
    /// Where the time ends, for each step.
    pub(crate) ends: Vec<i64>,
}

/// A series to look at.
#[derive(Debug)]
pub(crate) struct WindowSeries {
    pub(crate) labels: Labels,
    pub(crate) drops_name: bool,
    pub(crate) times: Vec<i64>,
    pub(crate) values: Vec<f64>,
}

/// What a range function sees of one series at one step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'a> {
    /// Times (Unix ms) after the start and not after the end.
    pub(crate) times: &'a [i64],
    /// Their values, none absent.
    pub(crate) values: &'a [f64],
    /// Where the window starts; it is open there.
    pub(crate) start_ms: i64,
    /// Where it ends.
    pub(crate) end_ms: i64,
}

impl Window<'_> {
    /// The first and the last sample; `None` where there are not two.
    pub(crate) fn ends(&self) -> Option<[(i64, f64); 2]> {
        let (first, last) = (0, self.values.len().checked_sub(1).filter(|last| *last > 0)?);
        Some([first, last].map(|place| (self.times[place], self.values[place])))
    }

    /// How long it is, in seconds.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds fit 53 bits")]
    pub(crate) fn seconds(&self) -> f64 {
        (self.end_ms - self.start_ms) as f64 / 1000.0
    }
}

impl Evaluator<'_> {
    /// The windows of a range expression; `function` is what they go to.
    pub(crate) fn windows(&self, expr: &Expr, function: &str) -> Result<Windows, QueryError> {
        match &expr.node {
            Node::Window { selector, range_ms } => {
                let series = self.select(selector, *range_ms, function)?;
                let series = series.into_iter().map(WindowSeries::of).collect();
                Ok(Windows { series, range_ms: *range_ms, ends: self.shifted(selector.shift) })
            }
            Node::Subquery { inner, range_ms, step_ms, shift } => {
                self.subquery(inner, *range_ms, *step_ms, *shift)
            }
            _ => Err(QueryError::Execution("a range is wanted".to_owned())),
        }
    }

    /// What a function makes of each series' windows. It gets the number of the step, too.
    pub(crate) fn over(
        &self,
        windows: Windows,
        function: impl Fn(usize, &Window<'_>) -> Option<f64>,
    ) -> Result<Vec<Column>, QueryError> {
        let Windows { series, range_ms, ends } = windows;
        let mut columns = Vec::with_capacity(series.len());
        for WindowSeries { labels, drops_name, times, values } in series {
            let mut column = self.empty_values()?;
            let (mut from, mut to) = (0, 0);
            for (step, (into, end_ms)) in column.iter_mut().zip(&ends).enumerate() {
                let start_ms = end_ms.saturating_sub(range_ms);
                from = advance(&times, from, start_ms);
                to = advance(&times, to.max(from), *end_ms);
                if from == to {
                    continue;
                }
                let (times, values) = (&times[from..to], &values[from..to]);
                let window = Window { times, values, start_ms, end_ms: *end_ms };
                if let Some(value) = function(step, &window) {
                    *into = value;
                }
            }
            self.context.budget.give_back(times.len());
            let column = Column { labels, drops_name, values: column };
            if column.has_any() {
                columns.push(column);
            } else {
                self.used_up(&[column]);
            }
        }
        Ok(columns)
    }
}

impl WindowSeries {
    /// Without the markers of where the series ended.
    fn of(samples: Samples) -> Self {
        let Samples { labels, mut times, mut values } = samples;
        if values.iter().any(|value| is_absent(*value)) {
            let mut kept = values.iter().map(|value| is_present(*value));
            times.retain(|_| kept.next().unwrap_or(true));
            values.retain(|value| is_present(*value));
        }
        Self { labels, drops_name: false, times, values }
    }
}
