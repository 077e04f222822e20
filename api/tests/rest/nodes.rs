//! Nodes and units.

use kubemonitor_model::Metric;
use serde_json::{Value, json};

use crate::support::{Running, container, node, pod, recent, tick, unit};

const UID: &str = "a96ab411-2bca-47bf-90b4-002d39ce26bb";

/// A node of two CPUs that has used `nth` seconds of CPU at its `nth` tick.
async fn measure(server: &Running, ticks: i64) {
    for ago in (0..ticks).rev() {
        let nth = u64::try_from(ticks - ago).unwrap();
        let values = [
            (Metric::CpuUsage, nth * 1_000_000_000),
            (Metric::CpuCapacity, 2000),
            (Metric::MemoryTotal, 8 << 30),
            (Metric::MemoryAvailable, 6 << 30),
            (Metric::MemoryWorkingSet, 3 << 30),
            (Metric::DiskReadBytes, nth * 10_000),
            (Metric::NetworkTxBytes, nth * 500),
            (Metric::Load1, 1250),
        ];
        let id = "0a".repeat(32);
        let rows = vec![
            node("worker-1", &values),
            pod(UID, &[(Metric::CpuUsage, nth)]),
            container(&id, 1, &[]),
            unit("ssh.service", &[(Metric::CpuUsage, nth * 250_000_000), (Metric::OomKills, 1)]),
        ];
        server.tick(&tick("worker-1", recent(ago), rows)).await;
    }
}

#[tokio::test]
async fn a_node_is_shown_with_its_rates_and_shares() {
    let server = Running::start().await;
    measure(&server, 3).await;
    let nodes = server.json("/api/nodes").await;
    let mut expected = json!({
        "node_name": "worker-1", "cpu_usage_percent": 10.0, "cpu_millicores": 200.0,
        "cpu_capacity_millicores": 2000, "memory_used_mb": 2048.0,
        "memory_used_bytes": 2_147_483_648_u64, "memory_total_bytes": 8_589_934_592_u64,
        "memory_available_bytes": 6_442_450_944_u64,
        "memory_working_set_bytes": 3_221_225_472_u64, "disk_read_bytes": 30_000,
        "disk_write_bytes": null, "disk_read_bytes_per_second": 2000.0,
        "disk_write_bytes_per_second": null, "network_rx_bytes": null, "network_tx_bytes": 1500,
        "network_rx_bytes_per_second": null, "network_tx_bytes_per_second": 100.0, "load1": 1.25,
        "load5": null, "load15": null, "entities_left_out": null, "pod_count": 1,
        "container_count": 1, "ready": null,
        "stale": false, "conflicting_frames": 0,
    });
    // The frame was under way for a moment.
    expected["clock_skew_ms"] = nodes[0]["clock_skew_ms"].clone();
    expected["timestamp"] = nodes[0]["timestamp"].clone();
    assert_eq!(nodes, json!([expected]));
    assert_eq!(server.json("/api/nodes/worker-1").await, json!([expected]));
    let timestamp = nodes[0]["timestamp"].as_str().unwrap();
    assert_eq!((timestamp.len(), &timestamp[19..]), (24, ".000Z"), "{timestamp}");
}

#[tokio::test]
async fn a_first_sample_has_no_rates() {
    let server = Running::start().await;
    measure(&server, 1).await;
    let nodes = server.json("/api/nodes").await;
    for field in ["cpu_millicores", "cpu_usage_percent", "disk_read_bytes_per_second"] {
        assert_eq!(nodes[0].get(field), Some(&Value::Null), "{field}");
    }
    assert_eq!(nodes[0]["disk_read_bytes"], 10_000);
}

#[tokio::test]
async fn what_runs_outside_kubernetes_is_a_unit_and_no_pod() {
    let server = Running::start().await;
    measure(&server, 2).await;
    for path in ["/api/units", "/api/nodes/worker-1/units", "/api/nodes/worker-1/units/ssh.service"]
    {
        let units = server.json(path).await;
        assert_eq!(units[0]["unit_name"], "ssh.service", "{path}");
        assert_eq!(units[0]["node_name"], "worker-1");
        assert_eq!(units[0]["cpu_millicores"], 50.0);
        assert_eq!(units[0]["oom_kills"], 1);
        assert_eq!(units.as_array().unwrap().len(), 1);
    }
    assert_eq!(server.column("/api/pods", "pod_name").await, [UID]);
    assert_eq!(server.column("/api/nodes/worker-1/pods", "pod_name").await, [UID]);
}

#[tokio::test]
async fn a_unit_that_ended_is_answered_by_name_and_in_spans() {
    let server = Running::start().await;
    measure(&server, 2).await;
    server.tick(&tick("worker-1", recent(-1), vec![node("worker-1", &[])])).await;
    assert_eq!(server.json("/api/units").await, json!([]));
    let by_name = server.json("/api/nodes/worker-1/units/ssh.service").await;
    assert_eq!(by_name[0]["cpu_millicores"], 50.0);
    let over_time = server.json("/api/units?window=60").await;
    assert_eq!(over_time[0]["samples"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn nodes_and_units_that_nobody_knows_are_not_found() {
    let server = Running::start().await;
    measure(&server, 1).await;
    for (path, named) in [
        ("/api/nodes/worker-2", "node `worker-2`"),
        ("/api/nodes/worker-2/pods", "node `worker-2`"),
        ("/api/nodes/worker-2/units", "node `worker-2`"),
        ("/api/nodes/worker-1/units/none", "unit `none`"),
        ("/api/nodes/(none)", "node `(none)`"),
        ("/api/nodes/%2F", "node `/`"),
    ] {
        let problem = server.problem(404, path).await;
        assert!(problem["detail"].as_str().unwrap().contains(named), "{problem}");
    }
}
