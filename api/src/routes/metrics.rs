//! `/metrics`: the server's own state, for Prometheus.

use std::fmt::Write;

use axum::{extract::State, http::header, response::IntoResponse};

use crate::monitor::Shared;

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The server's own state, in the text format of Prometheus.
#[utoipa::path(
    get, path = "/metrics", operation_id = "getServerMetrics", tag = "server",
    responses((
        status = 200, content_type = "text/plain; version=0.0.4; charset=utf-8", body = String,
        example = "# TYPE kubemonitor_store_nodes gauge\nkubemonitor_store_nodes 3\n",
    )),
)]
pub(crate) async fn metrics(State(monitor): State<Shared>) -> impl IntoResponse {
    let stats = monitor.store.stats();
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
    say("ingested_samples_total", "counter", "Values taken in.", stats.ingested_samples);
    say("late_samples_total", "counter", "Values that came late.", stats.late_samples);
    say("duplicate_frames_total", "counter", "Frames that were there.", stats.duplicate_ticks);
    say("refused_frames_total", "counter", "Frames refused for their time.", stats.refused_ticks);
    say("refused_entities_total", "counter", "Entities beyond the limit.", stats.refused_series);
    let refused = monitor.gate.refused();
    say("refused_writes_total", "counter", "Writes refused for who sent them.", refused);
    let reviews = monitor.gate.token_reviews();
    say("token_reviews_total", "counter", "Questions to Kubernetes whose a token is.", reviews);
    if let Some(disk) = monitor.store.disk_status() {
        let failing = u64::from(disk.problem.is_some());
        say("disk_failing", "gauge", "1 while the data directory takes nothing.", failing);
        say("disk_bytes", "gauge", "What the data directory's files take, in bytes.", disk.bytes);
        say("disk_lost_entries_total", "counter", "Entries never written.", disk.lost_entries);
        say("disk_cut_bytes", "gauge", "Bytes found broken at the start.", disk.cut_bytes);
    }
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text)
}
