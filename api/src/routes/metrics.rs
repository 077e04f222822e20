//! `/metrics`: the server's own state, for Prometheus.

use std::fmt::Write;

use axum::{extract::State, http::header, response::IntoResponse};
use tokio::task::spawn_blocking;

use kubemonitor_store::{ClockFault, clock_fault};

use crate::{
    errors::ApiError,
    memory::MemoryStatus,
    monitor::{Monitor, Shared},
};

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The server's own state, in the text format of Prometheus.
#[utoipa::path(
    get, path = "/metrics", operation_id = "getServerMetrics", tag = "server",
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
    say(
        "conflicting_frames_total",
        "counter",
        "Frames refused because another collector sends for their node.",
        stats.conflicting_ticks,
    );
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
        say(
            "disk_cut_bytes",
            "gauge",
            "Bytes half written in a crash, cut off at the start.",
            disk.cut_bytes,
        );
        let damage = disk.damage.map(|damage| (damage.records, damage.bytes)).unwrap_or_default();
        say("disk_damaged_records", "gauge", "Records on the disk that cannot be read.", damage.0);
        say("disk_damaged_bytes", "gauge", "Their bytes.", damage.1);
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
    let jumped_ms = match clock_fault() {
        Some(ClockFault::Jumped { by_ms } | ClockFault::FarFromData { by_ms }) => by_ms,
        None => 0,
    };
    clocks(monitor, jumped_ms, &mut text);
    text
}

/// What is known of clocks, which may be behind: these gauges can be negative.
fn clocks(monitor: &Monitor, jumped_ms: i64, text: &mut String) {
    const SKEW: &str = "kubemonitor_node_clock_skew_seconds";
    let seconds = |ms: i64| ms as f64 / 1000.0;
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "# HELP kubemonitor_clock_off_seconds What the server's clock is off the time it believes.\n\
         # TYPE kubemonitor_clock_off_seconds gauge\nkubemonitor_clock_off_seconds {}\n\
         # HELP {SKEW} How far a node's clock is ahead of the server's.\n# TYPE {SKEW} gauge",
        seconds(jumped_ms)
    );
    for (node, skew) in monitor.store.clock_skews() {
        // A node's name has nothing that would end the label but these two.
        let name = node.as_str().replace('\\', r"\\").replace('"', r#"\""#);
        let _ = writeln!(text, "{SKEW}{{node=\"{name}\"}} {}", seconds(skew));
    }
}
