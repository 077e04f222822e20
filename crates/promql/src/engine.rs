//! Queries, from text to answer.

use std::{sync::atomic::AtomicBool, time::Duration};

use crate::{
    Annotation, QueryError, Storage, Value,
    absent::is_present,
    annotations::Notes,
    budget::Budget,
    eval::{Column, Context, Evaluated, Evaluator, Steps, merged},
    plan::{Expr, Node},
    value::{Point, Series},
};

/// What a query may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Samples that it may hold at a time, read and made.
    pub max_samples: usize,
    /// How long it may run.
    pub timeout: Duration,
    /// Steps that a range query may have.
    pub max_steps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let timeout = Duration::from_secs(120);
        Self { max_samples: 50_000_000, timeout, max_steps: 11_000 }
    }
}

/// Evaluates queries.
#[derive(Clone, Copy, Debug)]
pub struct Engine {
    /// How old the newest sample of a series may be to count as its value.
    pub lookback: Duration,
    /// The steps of subqueries that name none.
    pub subquery_step: Duration,
    /// The metric's name goes at the end of a query, so that label functions still see it. Experimental in
    /// Prometheus, and off there as here.
    pub delays_name_removal: bool,
    /// What a query may take.
    pub limits: Limits,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            lookback: Duration::from_secs(300),
            subquery_step: Duration::from_secs(60),
            delays_name_removal: false,
            limits: Limits::default(),
        }
    }
}

/// What a query evaluates to.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The value.
    pub value: Value,
    /// What to know of it, warnings first.
    pub annotations: Vec<Annotation>,
}

impl Engine {
    /// Evaluates a query at one time (Unix ms). It ends early once `cancelled` is set.
    ///
    /// # Errors
    /// If it is no PromQL, cannot be evaluated, or takes more than it may.
    pub fn instant(
        &self,
        storage: &dyn Storage,
        query: &str,
        at_ms: i64,
        cancelled: &AtomicBool,
    ) -> Result<Answer, QueryError> {
        self.run(storage, query, Steps::once(at_ms), None, cancelled)
    }

    /// Evaluates a query at steps from one time to another (Unix ms). It ends early once `cancelled` is set.
    ///
    /// # Errors
    /// If it is no PromQL, cannot be evaluated at steps, or takes more than it may.
    pub fn range(
        &self,
        storage: &dyn Storage,
        query: &str,
        (start_ms, end_ms): (i64, i64),
        step_ms: i64,
        cancelled: &AtomicBool,
    ) -> Result<Answer, QueryError> {
        if step_ms <= 0 || end_ms < start_ms {
            let message = "the step has to be above 0, and the end not before the start";
            return Err(QueryError::Execution(message.to_owned()));
        }
        let count = usize::try_from((end_ms - start_ms) / step_ms).unwrap_or(usize::MAX);
        if count >= self.limits.max_steps {
            let limit = self.limits.max_steps;
            let message = format!("exceeded maximum resolution of {limit} points per timeseries");
            return Err(QueryError::Execution(message));
        }
        let steps = Steps { start_ms, step_ms, count: count + 1 };
        self.run(storage, query, steps, Some((start_ms, end_ms)), cancelled)
    }

    fn run(
        &self,
        storage: &dyn Storage,
        query: &str,
        steps: Steps,
        range_ms: Option<(i64, i64)>,
        cancelled: &AtomicBool,
    ) -> Result<Answer, QueryError> {
        let expr = Expr::parse(query)?;
        let (notes, budget) = (Notes::default(), Budget::new(self.limits, cancelled));
        let context = Context {
            storage,
            budget: &budget,
            notes: &notes,
            asked_ms: range_ms.unwrap_or((steps.start_ms, steps.start_ms)),
            is_range: range_ms.is_some(),
            lookback_ms: millis(self.lookback),
            subquery_step_ms: millis(self.subquery_step),
            delays_name_removal: self.delays_name_removal,
        };
        let value = value(&Evaluator { context: &context, steps }, &expr)?;
        Ok(Answer { value, annotations: notes.finish(query) })
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn value(evaluator: &Evaluator<'_>, expr: &Expr) -> Result<Value, QueryError> {
    let (is_range, steps) = (evaluator.context.is_range, evaluator.steps);
    if matches!(expr.node, Node::Window { .. } | Node::Subquery { .. }) {
        if is_range {
            let message = "invalid expression type \"range vector\" for range query, must be Scalar or \
                           instant Vector";
            return Err(QueryError::Execution(message.to_owned()));
        }
        return range_value(evaluator, expr);
    }
    let columns = match evaluator.evaluate(expr)? {
        Evaluated::Text(_) if is_range => {
            let message = "invalid expression type \"string\" for range query, must be Scalar or instant \
                           Vector";
            return Err(QueryError::Execution(message.to_owned()));
        }
        Evaluated::Text(text) => return Ok(Value::Text(text)),
        Evaluated::Scalar(values) if !is_range => {
            let value = values.first().copied().unwrap_or(f64::NAN);
            return Ok(Value::Scalar(Point { at_ms: steps.start_ms, value }));
        }
        Evaluated::Scalar(values) => {
            vec![Column { labels: crate::Labels::default(), drops_name: false, values }]
        }
        Evaluated::Vector(columns) => columns,
    };
    let named = columns.into_iter().map(|column| {
        if column.drops_name {
            Column { labels: column.labels.without_metric(), drops_name: false, ..column }
        } else {
            column
        }
    });
    let columns = merged(named.collect())?;
    if !is_range {
        let point = |column: Column| {
            let value = column.values.first().copied().filter(|value| is_present(*value))?;
            Some((column.labels, Point { at_ms: steps.start_ms, value }))
        };
        return Ok(Value::Vector(columns.into_iter().filter_map(point).collect()));
    }
    let mut series: Vec<Series> = columns
        .into_iter()
        .map(|Column { labels, values, .. }| {
            let present = steps.times().zip(values).filter(|(_, value)| is_present(*value));
            Series {
                labels,
                points: present.map(|(at_ms, value)| Point { at_ms, value }).collect(),
            }
        })
        .filter(|series| !series.points.is_empty())
        .collect();
    series.sort_by(|one, other| one.labels.cmp(&other.labels));
    Ok(Value::Matrix(series))
}

/// The samples themselves of a range at one time.
fn range_value(evaluator: &Evaluator<'_>, expr: &Expr) -> Result<Value, QueryError> {
    let windows = evaluator.windows(expr, "")?;
    let end_ms = windows.ends.first().copied().unwrap_or_default();
    let start_ms = end_ms.saturating_sub(windows.range_ms);
    let mut all: Vec<Series> = windows
        .series
        .into_iter()
        .map(|series| {
            let points = series.times.into_iter().zip(series.values);
            let within = points.filter(|(at, _)| *at > start_ms && *at <= end_ms);
            let labels =
                if series.drops_name { series.labels.without_metric() } else { series.labels };
            Series { labels, points: within.map(|(at_ms, value)| Point { at_ms, value }).collect() }
        })
        .filter(|series| !series.points.is_empty())
        .collect();
    all.sort_by(|one, other| one.labels.cmp(&other.labels));
    Ok(Value::Matrix(all))
}
