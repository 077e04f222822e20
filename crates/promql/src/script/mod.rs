//! Scripts in the test language of Prometheus' `promqltest`: they load samples, ask, and say what is right.
//!
//! The language is described in the README of `promql/promqltest` of Prometheus. Cases of native histograms
//! and of experimental syntax are passed over, with the reason.

mod check;
mod notation;
mod parse;
mod run;

pub use self::{
    notation::{NotationError, parse_duration_ms, parse_series},
    parse::ScriptError,
    run::{Failure, Report, run},
};
