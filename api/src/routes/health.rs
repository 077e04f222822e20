//! `/health` and `/ready`

use axum::{Json, extract::State};
use kubemonitor_store::{ClockFault, Damage, DiskStatus, TimeRange, clock_fault};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    errors::ApiError,
    model::Timestamp,
    monitor::{Monitor, Shared, now},
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
    "problem": null, "warnings": []
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
    /// What is to be looked at though all is served: damage on the disk, a clock that jumped, nodes for
    /// which several collectors send.
    warnings: Vec<String>,
}

/// How far most nodes' clocks may be off the server's before `/ready` says so.
const SKEW_LIMIT_MS: i64 = 30_000;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The process is up.
#[utoipa::path(get, path = "/health", operation_id = "getHealth", tag = "server", responses((status = 200, body = Health)))]
pub(crate) async fn health() -> Json<Health> {
    Json(Health { status: "healthy", timestamp: Timestamp(now()), version: VERSION })
}

/// The server can serve: with a cluster, it knows its nodes, namespaces and pods.
#[utoipa::path(
    get, path = "/ready", operation_id = "getReadiness", tag = "server",
    responses((status = 200, body = Readiness), NotReady),
)]
pub(crate) async fn ready(State(monitor): State<Shared>) -> Result<Json<Readiness>, ApiError> {
    if let Err(missing) = monitor.inventory.ready() {
        let missing = missing.iter().map(ToString::to_string).collect();
        return Err(ApiError::NotReady { missing });
    }
    let disk = monitor.store.disk_status();
    let warnings = warnings(&monitor, disk.as_ref());
    let problem = disk.and_then(|disk| disk.problem);
    let problems: Vec<String> = problem.into_iter().chain(monitor.guard.problem()).collect();
    let problem = (!problems.is_empty()).then(|| problems.join("; "));
    let timestamp = Timestamp(now());
    Ok(Json(Readiness { status: "ready", timestamp, version: VERSION, problem, warnings }))
}

fn warnings(monitor: &Monitor, disk: Option<&DiskStatus>) -> Vec<String> {
    let damage = disk.and_then(|disk| disk.damage).map(|damage| {
        let Damage { records, bytes, files, range: TimeRange { from, to } } = damage;
        format!(
            "{records} records ({bytes} bytes) in {files} files of the data directory are damaged; \
             answers from {} to {} may lack what they had",
            Timestamp(from),
            Timestamp(to)
        )
    });
    let clock = clock_fault().map(|fault| match fault {
        ClockFault::Jumped { by_ms } => format!(
            "the server's clock is {by_ms} ms off the time that was seen to pass, and is not \
             believed until that has lasted and collectors agree: see whether it is right"
        ),
        ClockFault::FarFromData { by_ms } => format!(
            "the newest data on the disk was {by_ms} ms old at the start: nothing is deleted for its \
             age until collectors agree that it is"
        ),
    });
    let mut skews: Vec<i64> = monitor.store.clock_skews().into_iter().map(|(_, ms)| ms).collect();
    skews.sort_unstable();
    let median_ms = skews.get(skews.len() / 2).copied().filter(|ms| ms.abs() > SKEW_LIMIT_MS);
    let skew = median_ms.map(|ms| {
        let seconds = ms / 1000;
        format!(
            "the clocks of most nodes are {seconds} s ahead of the server's (behind it where that is \
             negative): set whichever is wrong, since answers for the last minutes go by the server's"
        )
    });
    let conflicts = monitor.store.conflicting_ticks();
    let conflicts = (conflicts > 0).then(|| {
        format!(
            "{conflicts} frames were refused because another collector sends for their node: see \
             conflicting_frames in /api/nodes"
        )
    });
    damage.into_iter().chain(clock).chain(skew).chain(conflicts).collect()
}
