//! The server: takes collectors' frames, joins them with what Kubernetes says, and answers over
//! REST.
//!
//! The way of a question: `routes` -> `query` (parameters, entities) -> `model` (JSON). The way of
//! a frame: `written` (who, how large) -> decode -> store.

mod access;
mod cluster;
mod errors;
mod housekeeping;
mod joins;
mod limits;
mod model;
mod monitor;
mod openapi;
mod pushed;
mod query;
mod routes;
mod server;
mod settings;
mod written;

pub use access::Access;
pub use cluster::{Cluster, ClusterError};
pub use monitor::Monitor;
pub use server::{ListenError, Server};
pub use settings::{Args, Settings, SettingsError, Storage, StorageArgs};
