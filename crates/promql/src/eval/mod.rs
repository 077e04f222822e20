//! Evaluation of plans, column by column.

mod aggregate;
mod binary;
mod column;
mod grouping;
mod selector;
mod subquery;
mod summation;
mod window;

pub(crate) use self::{
    column::{Column, Evaluated, merged},
    summation::{Mean, Sum, Variance},
    window::{Window, Windows},
};
use crate::{
    QueryError, Storage,
    absent::ABSENT,
    annotations::Notes,
    budget::Budget,
    functions,
    plan::{Expr, Node},
};

/// The times at which an expression is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Steps {
    /// The first (Unix ms).
    pub(crate) start_ms: i64,
    /// The time between two, at least 1.
    pub(crate) step_ms: i64,
    /// How many there are, at least 1.
    pub(crate) count: usize,
}

impl Steps {
    pub(crate) fn once(at_ms: i64) -> Self {
        Self { start_ms: at_ms, step_ms: 1, count: 1 }
    }

    /// All times.
    pub(crate) fn times(self) -> impl Iterator<Item = i64> {
        (0..self.count).map(move |step| {
            let after = i64::try_from(step).unwrap_or(i64::MAX).saturating_mul(self.step_ms);
            self.start_ms.saturating_add(after)
        })
    }
}

/// What all parts of one query's evaluation share.
pub(crate) struct Context<'a> {
    pub(crate) storage: &'a dyn Storage,
    pub(crate) budget: &'a Budget<'a>,
    pub(crate) notes: &'a Notes,
    /// From when to when (Unix ms) the query was asked: what `@ start()` and `@ end()` mean.
    pub(crate) asked_ms: (i64, i64),
    /// It was asked over a range.
    pub(crate) is_range: bool,
    pub(crate) lookback_ms: i64,
    pub(crate) subquery_step_ms: i64,
    pub(crate) delays_name_removal: bool,
}

/// Evaluates expressions at steps.
#[derive(Clone, Copy)]
pub(crate) struct Evaluator<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) steps: Steps,
}

impl Evaluator<'_> {
    /// The values of an expression that is no range.
    pub(crate) fn evaluate(&self, expr: &Expr) -> Result<Evaluated, QueryError> {
        self.context.budget.check()?;
        let is_cheap = matches!(expr.node, Node::Number(_) | Node::Text(_));
        if self.steps.count > 1 && !is_cheap && expr.is_invariant() {
            let once = Self { steps: Steps { count: 1, ..self.steps }, ..*self };
            return Ok(once.evaluate(expr)?.repeated(self.steps.count));
        }
        match &expr.node {
            Node::Number(number) => Ok(Evaluated::Scalar(vec![*number; self.steps.count])),
            Node::Text(text) => Ok(Evaluated::Text(text.clone())),
            Node::Selector(selector) => self.newest(selector).map(Evaluated::Vector),
            Node::Window { .. } | Node::Subquery { .. } => {
                Err(QueryError::Execution("a range has no value at a step".to_owned()))
            }
            Node::Aggregate { op, inner, parameter, grouping } => self
                .aggregate(expr.at, *op, inner, parameter.as_deref(), grouping)
                .map(Evaluated::Vector),
            Node::Negate(inner) => match self.evaluate(inner)? {
                Evaluated::Scalar(values) => {
                    Ok(Evaluated::Scalar(values.into_iter().map(|value| -value).collect()))
                }
                evaluated => {
                    let columns = evaluated.into_vector()?;
                    let negated = columns.into_iter().map(|column| column.map(|value| -value));
                    self.without_names(negated.collect()).map(Evaluated::Vector)
                }
            },
            Node::Binary(binary) => self.binary(binary),
            Node::Call { function, args } => functions::call(self, expr.at, *function, args),
        }
    }

    /// The columns of an expression that is a vector.
    pub(crate) fn vector(&self, expr: &Expr) -> Result<Vec<Column>, QueryError> {
        self.evaluate(expr)?.into_vector()
    }

    /// The values, one a step, of an expression that is a number.
    pub(crate) fn scalar(&self, expr: &Expr) -> Result<Vec<f64>, QueryError> {
        match self.evaluate(expr)? {
            Evaluated::Scalar(values) => Ok(values),
            _ => Err(QueryError::Execution("a number is wanted".to_owned())),
        }
    }

    /// The text of an expression that is one.
    pub(crate) fn text(&self, expr: &Expr) -> Result<String, QueryError> {
        match self.evaluate(expr)? {
            Evaluated::Text(text) => Ok(text),
            _ => Err(QueryError::Execution("a text is wanted".to_owned())),
        }
    }

    /// A column without any value yet.
    pub(crate) fn empty_values(&self) -> Result<Vec<f64>, QueryError> {
        self.context.budget.take(self.steps.count)?;
        Ok(vec![ABSENT; self.steps.count])
    }

    /// Gives back the room of columns that were used up.
    pub(crate) fn used_up(&self, columns: &[Column]) {
        self.context.budget.give_back(columns.len() * self.steps.count);
    }

    /// Takes the metric's name from columns, at once or at the end of the query.
    pub(crate) fn without_names(&self, columns: Vec<Column>) -> Result<Vec<Column>, QueryError> {
        if self.context.delays_name_removal {
            let marked = columns.into_iter().map(|column| Column { drops_name: true, ..column });
            return Ok(marked.collect());
        }
        let unnamed = columns
            .into_iter()
            .map(|column| Column { labels: column.labels.without_metric(), ..column });
        merged(unnamed.collect())
    }

    /// The labels that a column's successor without the metric's name has.
    pub(crate) fn unnamed(&self, labels: &crate::Labels) -> (crate::Labels, bool) {
        if self.context.delays_name_removal {
            (labels.clone(), true)
        } else {
            (labels.without_metric(), false)
        }
    }
}
