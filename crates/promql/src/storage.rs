//! Where samples come from.

use regex::Regex;

use crate::Labels;

/// How a matcher compares.
#[derive(Clone, Debug)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`: the whole value matches.
    Matches(Regex),
    /// `!~`
    MatchesNot(Regex),
}

/// One condition on a label.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// The label.
    pub name: String,
    /// What it is compared with; of an expression, as it was typed.
    pub value: String,
    /// How.
    pub op: MatchOp,
}

impl Matcher {
    /// Whether a value fits. A label that is not there has the empty value.
    pub fn matches(&self, value: &str) -> bool {
        match &self.op {
            MatchOp::Equal => value == self.value,
            MatchOp::NotEqual => value != self.value,
            MatchOp::Matches(regex) => regex.is_match(value),
            MatchOp::MatchesNot(regex) => !regex.is_match(value),
        }
    }
}

/// What a query wants to read.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// All of them have to fit.
    pub matchers: &'a [Matcher],
    /// Samples after this time (Unix ms) are wanted,
    pub after_ms: i64,
    /// up to and with this one.
    pub until_ms: i64,
    /// A hint: how far apart the steps are at which it is looked at; 0 for one step.
    pub step_ms: i64,
    /// A hint: the function that the samples go to, such as `rate`; empty for none.
    pub function: &'a str,
}

/// The samples of one series, in columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// Its labels.
    pub labels: Labels,
    /// Times (Unix ms), ascending.
    pub times: Vec<i64>,
    /// A value for each time. Prometheus' stale marker ends a series.
    pub values: Vec<f64>,
}

/// Why samples could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read samples: {0}")]
pub struct StorageError(pub Box<dyn std::error::Error + Send + Sync>);

/// What a query reads from.
pub trait Storage {
    /// The series that fit, each labels once, in any order.
    ///
    /// # Errors
    /// If samples cannot be read.
    fn select(&self, selection: &Selection<'_>) -> Result<Vec<Samples>, StorageError>;
}
