//! The REST contract, and metrics.k8s.io beside it, over real HTTP.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod frames;
mod lists;
mod metrics_api;
mod nodes;
mod support;
mod windows;
