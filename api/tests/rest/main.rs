//! The REST contract, and metrics.k8s.io beside it, over real HTTP.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod answers;
mod cluster;
mod errors;
mod frames;
mod life;
mod lists;
mod metrics_api;
mod nodes;
mod openapi;
mod phases;
mod prefixes;
mod push;
mod restarts;
mod strangers;
mod support;
mod windows;
