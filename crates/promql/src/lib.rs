//! PromQL on float samples: parsing, evaluation, annotations. Knows nothing of where samples come from.
//!
//! A query is parsed (by `promql-parser`), turned into a [plan](plan) in which everything is resolved, and
//! evaluated over a [`Storage`] column by column: each operator makes the values of all steps of one series
//! before it goes on to the next, so that a range query costs a few passes over arrays and not one
//! evaluation a step.
//!
//! Native histograms and experimental syntax are refused with an error that names them.

mod absent;
mod annotations;
mod budget;
mod engine;
mod error;
mod eval;
mod functions;
mod labels;
mod memory;
pub mod plan;
pub mod script;
mod storage;
mod value;

pub use annotations::{Annotation, Severity};
pub use engine::{Answer, Engine, Limits};
pub use error::QueryError;
pub use labels::Labels;
pub use memory::MemoryStorage;
pub use storage::{MatchOp, Matcher, Samples, Selection, Storage, StorageError};
pub use value::{Point, Series, Value};
