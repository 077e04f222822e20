//! The server: takes collectors' frames, joins them with what Kubernetes says, and answers over
//! REST.
//!
//! The way of a question: `routes` -> `query` (parameters, entities) -> `model` (JSON). The way of
//! a frame: `written` (who, how large) -> decode -> store.

mod access;
mod descriptors;
mod errors;
mod housekeeping;
mod joins;
mod late_stats;
mod limits;
mod memory;
mod metrics_api;
mod model;
mod monitor;
mod openapi;
mod opened;
mod process;
mod pushed;
mod query;
mod routes;
mod server;
mod settings;
mod written;

pub use access::Access;
pub use memory::{MemoryLimit, avoid_huge_pages};
pub use metrics_api::{MetricsApi, MetricsApiError};
pub use monitor::Monitor;
pub use opened::{OpenError, Opened};
pub use process::{RunError, run};
pub use server::{ListenError, Server};
pub use settings::{
    Args, Certificate, MetricsApiSettings, MetricsApiSettingsError, Settings, SettingsError,
    Storage, StorageArgs,
};
