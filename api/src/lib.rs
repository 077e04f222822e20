//! The server: takes collectors' frames, joins them with what Kubernetes says, and answers over
//! REST.
//!
//! The way of a question: `routes` -> `query` (parameters, entities) -> `model` (JSON). The way of
//! a frame: `written` (who, how large) -> decode -> store.

mod access;
mod connections;
mod descriptors;
mod errors;
#[cfg(fuzzing)]
pub mod fuzzing;
mod hosts;
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
mod peer;
mod prefix;
mod process;
mod pushed;
mod query;
mod review;
mod routes;
mod server;
mod settings;
mod signals;
mod token_reviews;
mod written;

pub use access::{Access, Account, AccountError, Keys};
pub use connections::ListenError;
pub use hosts::{AllowedHost, AllowedHosts};
pub use memory::{MemoryLimit, avoid_huge_pages};
pub use metrics_api::{MetricsApi, MetricsApiError};
pub use monitor::Monitor;
pub use opened::{OpenError, Opened};
pub use prefix::{Prefix, PrefixError};
pub use process::{RunError, run};
pub use server::Server;
pub use settings::{
    Args, Certificate, MetricsApiSettings, MetricsApiSettingsError, Settings, SettingsError,
    Storage, StorageArgs,
};
pub use signals::told_to_end;
