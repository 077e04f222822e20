//! A server that begins again with what an earlier one left in its data directory.

use std::path::Path;

use kubemonitor_api::{Opened, Settings};
use kubemonitor_fake_kubernetes::{FakeKubernetes, Fixture};
use kubemonitor_inventory::{Cluster, Watchers};
use kubemonitor_store::{DiskSettings, Fsync};
use serde_json::Value;

use crate::support::{Captured, Running, settings};

const PODS: &str = "/api/namespaces/shop/pods";

/// Settings with a data directory, and a cluster.
fn on_disk(folder: &Path, kubernetes: &FakeKubernetes) -> Settings {
    let kubeconfig = folder.join("kubeconfig");
    std::fs::write(&kubeconfig, kubernetes.kubeconfig("kubemonitor")).unwrap();
    let mut settings = settings();
    settings.cluster = Some(Cluster::Kubeconfig(vec![kubeconfig]));
    settings.storage.disk =
        Some(DiskSettings { folder: folder.join("data"), fsync: Fsync::Always, max_bytes: None });
    settings
}

async fn start(settings: &Settings) -> (Running, Watchers) {
    let Opened { monitor, watchers, .. } = Opened::with(settings).await.unwrap();
    let server = Running::of(settings, monitor, None).await;
    server.eventually("/ready", |answer| answer["status"] == "ready").await;
    (server, watchers.unwrap())
}

/// What samples say of the past, whatever is known of the pod now.
fn told(samples: &Value) -> Vec<Vec<Value>> {
    const FIELDS: [&str; 6] =
        ["timestamp", "pod_name", "workload_kind", "node_name", "cpu_millicores", "memory_used_mb"];
    let samples = samples.as_array().unwrap().iter();
    samples.map(|sample| FIELDS.map(|field| sample[field].clone()).to_vec()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_ended_before_a_restart_keep_their_names_and_count_in_totals() {
    let folder = tempfile::tempdir().unwrap();
    let kubernetes = FakeKubernetes::start().await;
    kubernetes.load(&Fixture::captured());
    let settings = on_disk(folder.path(), &kubernetes);
    let (server, watchers) = start(&settings).await;
    let captured = Captured { kubernetes, server, watchers };
    for nth in 1..=3 {
        captured.measure(4 - nth, nth, |_| true).await;
    }
    let running = captured.server.json(PODS).await;
    let gone = running[0]["pod_name"].as_str().unwrap().to_owned();
    let uid = running[0]["uid"].as_str().unwrap().to_owned();
    captured.kubernetes.delete("pods", "shop", &gone);
    captured.measure(0, 4, |pod| pod["metadata"]["name"] != gone).await;
    let path = format!("{PODS}/{gone}?window=600");
    let is_without =
        |pods: &Value| pods.as_array().unwrap().iter().all(|pod| pod["pod_name"] != gone);
    captured.server.eventually(PODS, is_without).await;
    let past = told(&captured.server.json(&path).await);
    assert_eq!(past.len(), 3);
    let namespace = captured.server.json("/api/namespaces/shop").await;
    captured.server.stop().await;
    captured.watchers.stop().await;

    let (server, _watchers) = start(&settings).await;
    assert_eq!(told(&server.json(&path).await), past);
    assert_eq!(told(&server.json(&format!("/api/pods/{uid}?window=600")).await), past);
    server.eventually(PODS, is_without).await;
    let total = &namespace[0]["network_rx_bytes"];
    assert!(total.is_u64());
    server.eventually("/api/namespaces/shop", |now| now[0]["network_rx_bytes"] == *total).await;
}
