//! `/metrics`: the server's own state, for Prometheus.

use std::fmt::Write;

use axum::{extract::State, http::header, response::IntoResponse};
use tokio::task::spawn_blocking;

use crate::{
    errors::ApiError,
    memory::MemoryStatus,
    monitor::{Monitor, Shared},
};

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The server's own state, in the text format of Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "server",
    responses((
        status = 200, content_type = "text/plain; version=0.0.4; charset=utf-8", body = String,
        example = "# TYPE kubemonitor_store_nodes gauge\nkubemonitor_store_nodes 3\n",
    )),
)]
pub(crate) async fn metrics(State(monitor): State<Shared>) -> Result<impl IntoResponse, ApiError> {
    // Looks at every entity, perhaps: frames must not wait for it.
    let text = spawn_blocking(move || text(&monitor)).await.map_err(|_| ApiError::Internal)?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text))
}

fn text(monitor: &Monitor) -> String {
    let stats = monitor.stats.of(&monitor.store);
    let mut text = String::new();
    let mut say = |name: &str, kind: &str, help: &str, value: u64| {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "# HELP kubemonitor_{name} {help}\n# TYPE kubemonitor_{name} {kind}\nkubemonitor_{name} {value}"
        );
    };
    say("store_nodes", "gauge", "Nodes of which something is held.", stats.nodes as u64);
    say("store_series", "gauge", "Entities of which something is held.", stats.series as u64);
    say("store_rows", "gauge", "Rows held: one per entity and tick.", stats.rows as u64);
    say("store_samples", "gauge", "Values held.", stats.samples as u64);
    say("store_bytes", "gauge", "Memory the values take, in bytes.", stats.bytes as u64);
    say(
        "store_sums_bytes",
        "gauge",
        "Memory sums over pods take, in bytes.",
        stats.sums_bytes as u64,
    );
    say("ingested_samples_total", "counter", "Values taken in.", stats.ingested_samples);
    say("late_samples_total", "counter", "Values that came late.", stats.late_samples);
    say("duplicate_frames_total", "counter", "Frames that were there.", stats.duplicate_ticks);
    say("refused_frames_total", "counter", "Frames refused for their time.", stats.refused_ticks);
    say("refused_entities_total", "counter", "Entities beyond the limit.", stats.refused_series);
    if let Some(disk) = monitor.store.disk_status() {
        let failing = u64::from(disk.problem.is_some());
        say("disk_failing", "gauge", "1 while the data directory takes nothing.", failing);
        say("disk_bytes", "gauge", "What the data directory's files take, in bytes.", disk.bytes);
        say("disk_lost_entries_total", "counter", "Entries never written.", disk.lost_entries);
        say("disk_cut_bytes", "gauge", "Bytes found broken at the start.", disk.cut_bytes);
    }
    let MemoryStatus { limit_bytes, resident_bytes, is_full, shed_bytes, shed_times } =
        monitor.guard.status();
    if let Some(limit) = limit_bytes {
        say("memory_limit_bytes", "gauge", "How much memory the process may take.", limit);
    }
    say("memory_resident_bytes", "gauge", "How much memory the process has.", resident_bytes);
    say("memory_full", "gauge", "1 while no new entities are taken.", u64::from(is_full));
    say("memory_shed_bytes_total", "counter", "Bytes of samples gone before time.", shed_bytes);
    say("memory_shed_total", "counter", "Times that samples went before time.", shed_times);
    text
}
