//! `/health` and `/ready`

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    errors::ApiError,
    model::Timestamp,
    monitor::{Shared, now},
    openapi::NotReady,
};

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "status": "healthy", "timestamp": "2026-01-31T12:00:05.000Z", "version": "0.1.0"
}))]
pub(crate) struct Health {
    /// `healthy`, or `ready`.
    status: &'static str,
    /// The server's clock.
    timestamp: Timestamp,
    /// The server's version.
    version: &'static str,
    /// What is wrong though the server serves: a data directory that takes nothing, say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    problem: Option<String>,
}

impl Health {
    fn new(status: &'static str) -> Json<Self> {
        let version = env!("CARGO_PKG_VERSION");
        Json(Self { status, timestamp: Timestamp(now()), version, problem: None })
    }
}

/// The process is up.
#[utoipa::path(get, path = "/health", tag = "server", responses((status = 200, body = Health)))]
pub(crate) async fn health() -> Json<Health> {
    Health::new("healthy")
}

/// The server can serve: with a cluster, it knows its nodes, namespaces and pods. It also serves
/// while its data directory takes nothing, and says so.
#[utoipa::path(
    get, path = "/ready", tag = "server", responses((status = 200, body = Health), NotReady),
)]
pub(crate) async fn ready(State(monitor): State<Shared>) -> Result<Json<Health>, ApiError> {
    match monitor.inventory.ready() {
        Ok(()) => {
            let Json(health) = Health::new("ready");
            let problem = monitor.store.disk_status().and_then(|disk| disk.problem);
            Ok(Json(Health { problem, ..health }))
        }
        Err(missing) => {
            let missing = missing.iter().map(ToString::to_string).collect();
            Err(ApiError::NotReady { missing })
        }
    }
}
