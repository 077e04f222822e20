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

/// That the process is up.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "status": "healthy", "timestamp": "2026-01-31T12:00:05.000Z", "version": "0.1.0"
}))]
pub(crate) struct Health {
    /// `healthy`.
    status: &'static str,
    /// The server's clock.
    timestamp: Timestamp,
    /// The server's version.
    version: &'static str,
}

/// That the server can serve.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "status": "ready", "timestamp": "2026-01-31T12:00:05.000Z", "version": "0.1.0",
    "problem": null
}))]
pub(crate) struct Readiness {
    /// `ready`.
    status: &'static str,
    /// The server's clock.
    timestamp: Timestamp,
    /// The server's version.
    version: &'static str,
    /// What is wrong all the same: a data directory that takes nothing, so that memory alone has
    /// what comes; memory that is full, so that no new entities are taken. `null` when all is well.
    problem: Option<String>,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The process is up.
#[utoipa::path(get, path = "/health", tag = "server", responses((status = 200, body = Health)))]
pub(crate) async fn health() -> Json<Health> {
    Json(Health { status: "healthy", timestamp: Timestamp(now()), version: VERSION })
}

/// The server can serve: with a cluster, it knows its nodes, namespaces and pods.
#[utoipa::path(
    get, path = "/ready", tag = "server",
    responses((status = 200, body = Readiness), NotReady),
)]
pub(crate) async fn ready(State(monitor): State<Shared>) -> Result<Json<Readiness>, ApiError> {
    if let Err(missing) = monitor.inventory.ready() {
        let missing = missing.iter().map(ToString::to_string).collect();
        return Err(ApiError::NotReady { missing });
    }
    let disk = monitor.store.disk_status().and_then(|disk| disk.problem);
    let problems: Vec<String> = disk.into_iter().chain(monitor.guard.problem()).collect();
    let problem = (!problems.is_empty()).then(|| problems.join("; "));
    Ok(Json(Readiness { status: "ready", timestamp: Timestamp(now()), version: VERSION, problem }))
}
