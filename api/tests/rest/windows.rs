//! Spans of time, on every path alike.

use kubemonitor_model::{Metric, UnixMillis};
use serde_json::{Value, json};

use crate::support::{Running, node, pod, recent, tick};

const UID: &str = "a96ab411-2bca-47bf-90b4-002d39ce26bb";

/// Six ticks, the newest one in the current interval; CPU time grows by the tick's number each.
async fn measured() -> Running {
    let server = Running::start().await;
    let mut seconds = 0;
    for nth in 1..=6 {
        seconds += nth;
        let used = [(Metric::CpuUsage, seconds * 1_000_000_000), (Metric::Load1, nth * 1000)];
        let rows = vec![node("n", &used), pod(UID, &used[..1])];
        server.tick(&tick("n", recent(6 - i64::try_from(nth).unwrap()), rows)).await;
    }
    server
}

fn timestamps(samples: &Value) -> Vec<&str> {
    let samples = samples.as_array().unwrap().iter();
    samples.map(|sample| sample["timestamp"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_window_has_the_samples_of_its_seconds_oldest_first() {
    let server = measured().await;
    for path in ["/api/nodes/n", &format!("/api/pods/{UID}")] {
        let samples = server.json(&format!("{path}?window=3600")).await;
        let times = timestamps(&samples);
        assert_eq!(times.len(), 6, "{path}");
        assert!(times.is_sorted(), "{path}");
        let cpu: Vec<&Value> =
            samples.as_array().unwrap().iter().map(|sample| &sample["cpu_millicores"]).collect();
        assert_eq!(json!(cpu), json!([null, 400.0, 600.0, 800.0, 1000.0, 1200.0]), "{path}");
        // The newest tick lies at most 5 s back.
        let last = server.json(&format!("{path}?window=10")).await;
        assert!((2..=3).contains(&timestamps(&last).len()), "{path}");
        assert!(last[0]["cpu_millicores"].is_number(), "rates come from before the window");
    }
}

#[tokio::test]
async fn a_window_longer_than_the_retention_gives_what_there_is() {
    let server = measured().await;
    let samples = server.json("/api/nodes/n?window=4294967295").await;
    assert_eq!(timestamps(&samples).len(), 6);
}

#[tokio::test]
async fn a_list_over_time_has_entities_with_their_samples() {
    let server = measured().await;
    let nodes = server.json("/api/nodes?window=60").await;
    assert_eq!(nodes[0]["node_name"], "n");
    assert_eq!(timestamps(&nodes[0]["samples"]).len(), 6);
    let pods = server.json("/api/pods?window=60").await;
    assert_eq!(pods[0]["pod_name"], UID);
    assert_eq!(pods[0]["samples"][5]["cpu_millicores"], 1200.0);
    assert_eq!(pods[0]["samples"][5]["uid"], UID);
}

#[tokio::test]
async fn start_and_end_are_moments_or_unix_seconds() {
    let server = measured().await;
    let (from, to) = (recent(4), recent(2));
    let seconds = |at: UnixMillis| at.0 / 1000;
    let query = format!("start={}&end={}", seconds(from), seconds(to));
    let samples = server.json(&format!("/api/nodes/n?{query}")).await;
    let times = timestamps(&samples);
    assert_eq!(times.len(), 3);
    let same = server.json(&format!("/api/nodes/n?start={}&end={}", times[0], times[2])).await;
    assert_eq!(same, samples);
    let open = server.json(&format!("/api/nodes/n?start={}", times[2])).await;
    assert_eq!(timestamps(&open).len(), 3);
    assert_eq!(server.json("/api/nodes/n?start=2099-01-01T00:00:00Z").await, json!([]));
}

#[tokio::test]
async fn a_step_averages_gauges_and_takes_rates_over_its_whole() {
    let server = measured().await;
    // One step that has all six.
    let hour = 3600;
    let start = recent(5).0 / 1000;
    let end = recent(0).0 / 1000;
    let samples = server.json(&format!("/api/nodes/n?start={start}&end={end}&step={hour}")).await;
    let samples = samples.as_array().unwrap();
    if start / hour == end / hour {
        assert_eq!(samples.len(), 1);
        assert_eq!(samples[0]["load1"], 3.5);
        // 20 s of CPU in the 25 s between the first tick and the last.
        assert_eq!(samples[0]["cpu_millicores"], 800.0);
        for (gauges, load) in [("mean", 3.5), ("min", 1.0), ("max", 6.0)] {
            let path = format!("/api/nodes/n?start={start}&end={end}&step={hour}&gauges={gauges}");
            let samples = server.json(&path).await;
            assert_eq!(samples[0]["load1"], load, "{gauges}");
            assert_eq!(samples[0]["cpu_millicores"], 800.0);
        }
    } else {
        assert_eq!(samples.len(), 2);
    }
}

#[tokio::test]
async fn what_is_known_of_now_only_stands_in_the_newest_sample_only() {
    let server = measured().await;
    let nodes = server.json("/api/nodes/n?window=60").await;
    assert_eq!(nodes[5]["pod_count"], 1);
    assert_eq!(nodes[4]["pod_count"], Value::Null);
    let end = recent(2).0 / 1000;
    let earlier = server.json(&format!("/api/nodes/n?end={end}")).await;
    let last = earlier.as_array().unwrap().last().unwrap();
    assert_eq!(last["pod_count"], Value::Null);
}
