//! The inventory against an API server over real HTTP.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod captured;
mod following;
mod refusals;
mod support;
