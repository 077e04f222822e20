//! Values of all steps.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use crate::{
    Labels, QueryError,
    absent::{is_absent, is_present},
};

/// The values of one series at all steps.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) labels: Labels,
    /// The metric's name goes at the end of the query.
    pub(crate) drops_name: bool,
    /// A value a step, or [`ABSENT`](crate::absent::ABSENT).
    pub(crate) values: Vec<f64>,
}

impl Column {
    /// With a function applied to each value.
    pub(crate) fn map(mut self, function: impl Fn(f64) -> f64) -> Self {
        for value in self.values.iter_mut().filter(|value| is_present(**value)) {
            *value = function(*value);
        }
        self
    }

    /// Whether there is any value.
    pub(crate) fn has_any(&self) -> bool {
        self.values.iter().any(|value| is_present(*value))
    }
}

/// What an expression came to at all steps.
#[derive(Debug)]
pub(crate) enum Evaluated {
    /// A number a step.
    Scalar(Vec<f64>),
    /// The columns of series, in any order, but as sorted where a function sorts.
    Vector(Vec<Column>),
    /// A text.
    Text(String),
}

impl Evaluated {
    pub(crate) fn into_vector(self) -> Result<Vec<Column>, QueryError> {
        match self {
            Self::Vector(columns) => Ok(columns),
            _ => Err(QueryError::Execution("a vector is wanted".to_owned())),
        }
    }

    /// What was evaluated at one step, at so many of them.
    pub(crate) fn repeated(self, count: usize) -> Self {
        let repeat = |values: Vec<f64>| values.first().map_or_else(Vec::new, |v| vec![*v; count]);
        match self {
            Self::Scalar(values) => Self::Scalar(repeat(values)),
            Self::Vector(columns) => Self::Vector(
                columns
                    .into_iter()
                    .map(|column| Column { values: repeat(column.values), ..column })
                    .collect(),
            ),
            text @ Self::Text(_) => text,
        }
    }
}

/// Puts columns of equal labels into one; an error where two of them have a value at one step.
pub(crate) fn merged(columns: Vec<Column>) -> Result<Vec<Column>, QueryError> {
    let mut places = HashMap::with_capacity_and_hasher(columns.len(), FxBuildHasher);
    let mut merged: Vec<Column> = Vec::with_capacity(columns.len());
    for column in columns {
        let place = *places.entry(column.labels.clone()).or_insert(merged.len());
        let Some(into) = merged.get_mut(place) else {
            merged.push(column);
            continue;
        };
        into.drops_name |= column.drops_name;
        for (into, value) in into.values.iter_mut().zip(column.values) {
            if is_absent(*into) {
                *into = value;
            } else if is_present(value) {
                let message = "vector cannot contain metrics with the same labelset";
                return Err(QueryError::Execution(message.to_owned()));
            }
        }
    }
    Ok(merged)
}
