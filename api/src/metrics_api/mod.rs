//! metrics.k8s.io/v1beta1, what `kubectl top` and horizontal autoscaling ask: an API server of its own
//! behind Kubernetes', over TLS on a port of its own.
//!
//! The way of a question: `listener` (TLS) -> `authentication` (by `trust`: which `user`) ->
//! `authorization` -> `figures` (from store and inventory, each over a `window`) -> `objects`, or a
//! `table` of them. It knows nothing of the REST API but its limits.

mod answer;
mod asked;
mod authentication;
mod authorization;
mod cache;
mod discovery;
mod figures;
mod listener;
mod objects;
mod openapi;
mod question;
mod status;
mod table;
mod tls;
mod trust;
mod user;
mod window;

pub use listener::{MetricsApi, MetricsApiError};

const GROUP: &str = "metrics.k8s.io";
const VERSION: &str = "v1beta1";
