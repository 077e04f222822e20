//! The REST contract, over real HTTP.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod frames;
mod lists;
mod nodes;
mod restarts;
mod support;
mod windows;
