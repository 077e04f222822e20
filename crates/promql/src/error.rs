//! Why a query has no answer.

use crate::StorageError;

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The text is no PromQL.
    #[error("parse error: {0}")]
    Parse(String),
    /// The text is PromQL that this engine does not evaluate.
    #[error("{what} is not supported: {why}")]
    Unsupported {
        /// The function, operator or modifier.
        what: String,
        /// The reason.
        why: &'static str,
    },
    /// It cannot be evaluated on this data.
    #[error("{0}")]
    Execution(String),
    /// It would read or make more than it may.
    #[error(
        "the query has read or made {samples} samples and may hold {limit}: ask for less, or raise \
         --query-max-samples"
    )]
    TooManySamples {
        /// What it has come to.
        samples: usize,
        /// What it may come to.
        limit: usize,
    },
    /// It took longer than it may.
    #[error(
        "the query has run for longer than {seconds} s: ask for less, or raise --query-timeout"
    )]
    Timeout {
        /// What it may take.
        seconds: u64,
    },
    /// Whoever asked has gone.
    #[error("the query was given up")]
    Cancelled,
    /// The samples could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
