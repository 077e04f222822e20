//! A server that begins again with what an earlier one left in its data directory.

use std::path::Path;

use kubemonitor_api::{Opened, Settings};
use kubemonitor_fake_kubernetes::{FakeKubernetes, Fixture};
use kubemonitor_inventory::{Cluster, Watchers};
use kubemonitor_model::{Metric, Tick};
use kubemonitor_store::{DiskSettings, Fsync};
use serde_json::Value;

use crate::support::{Captured, Running, container, node, pod, recent, settings, tick};

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
    let (server, watchers) = start_unready(settings).await;
    server.eventually("/ready", |answer| answer["status"] == "ready").await;
    (server, watchers)
}

/// One that may be asked before it has heard from Kubernetes.
async fn start_unready(settings: &Settings) -> (Running, Watchers) {
    let Opened { monitor, watchers, .. } = Opened::with(settings).await.unwrap();
    (Running::of(settings, monitor, None).await, watchers.unwrap())
}

/// The captured cluster and a server with a data directory that has measured it.
async fn measured(settings: &Settings, kubernetes: FakeKubernetes) -> Captured {
    kubernetes.load(&Fixture::captured());
    let (server, watchers) = start(settings).await;
    let captured = Captured { kubernetes, server, watchers };
    captured.ticks(3).await;
    captured
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
    let settings = on_disk(folder.path(), &kubernetes);
    kubernetes.load(&Fixture::captured());
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

/// What a list says was measured, and when. Of what has no pods there is no such moment.
fn figures(list: &Value, name: &str) -> Vec<Vec<Value>> {
    let fields = [name, "timestamp", "cpu_millicores", "memory_used_bytes", "pod_count", "stale"];
    let rows = list.as_array().unwrap().iter().filter(|row| row["pod_count"] != 0);
    rows.map(|row| fields.map(|field| row[field].clone()).to_vec()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_lists_and_sums_are_whole_before_any_node_has_sent() {
    let folder = tempfile::tempdir().unwrap();
    let kubernetes = FakeKubernetes::start().await;
    let settings = on_disk(folder.path(), &kubernetes);
    let Captured { kubernetes, server, watchers } = measured(&settings, kubernetes).await;
    let lists = [
        ("/api/nodes", "node_name"),
        ("/api/pods", "uid"),
        ("/api/pods?sort=-cpu&limit=5", "uid"),
        ("/api/namespaces", "namespace"),
        ("/api/namespaces/shop/workloads", "workload_name"),
        ("/api/nodes/lab-v2/pods", "uid"),
        ("/api/namespaces/shop/pods/db-0/containers", "container_name"),
    ];
    let whole = |shop: &Value| shop[0]["pod_count"] == 11;
    server.eventually("/api/namespaces/shop", whole).await;
    let mut before = Vec::new();
    for (path, name) in lists {
        before.push(figures(&server.json(path).await, name));
    }
    server.stop().await;
    watchers.stop().await;

    let (server, watchers) = start(&settings).await;
    server.eventually("/api/namespaces/shop", whole).await;
    for ((path, name), before) in lists.into_iter().zip(before) {
        let same = |now: &Value| figures(now, name) == before;
        server.eventually(path, same).await;
    }
    // Half of the nodes have sent: the sums are still of all.
    let again = Captured { kubernetes, server, watchers };
    again.measure_on(&["lab-node"], -1, 4, |_| true).await;
    let shop = &again.server.json("/api/namespaces/shop").await[0];
    assert_eq!((&shop["pod_count"], &shop["cpu_millicores"]), (&11.into(), &1100.0.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_kubernetes_pods_are_listed_right_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings();
    settings.storage.disk = Some(DiskSettings {
        folder: folder.path().join("data"),
        fsync: Fsync::Always,
        max_bytes: None,
    });
    let start = async || {
        let Opened { monitor, .. } = Opened::with(&settings).await.unwrap();
        Running::of(&settings, monitor, None).await
    };
    let server = start().await;
    let uid = "b96ab411-2bca-47bf-90b4-002d39ce26bb";
    for ago in [1, 0] {
        let rows = vec![node("n", &[]), pod(uid, &[(Metric::MemoryWorkingSet, 5)])];
        server.tick(&tick("n", recent(ago), rows)).await;
    }
    let before = figures(&server.json("/api/pods").await, "uid");
    assert_eq!(before.len(), 1);
    server.stop().await;
    let server = start().await;
    assert_eq!(figures(&server.json("/api/pods").await, "uid"), before);
    assert_eq!(server.json("/api/nodes").await[0]["pod_count"], 1);
    // A tick that has it no more ends it.
    server.tick(&tick("n", recent(-1), vec![node("n", &[])])).await;
    assert_eq!(server.json("/api/pods").await, Value::Array(Vec::new()));
}

/// A pod that the fixture does not have, on node lab-node.
fn newborn(phase: &str, container: Option<&str>) -> Value {
    let status = container.map(|id| {
        serde_json::json!([{"name": "app", "containerID": format!("containerd://{id}"),
                            "state": {"running": {}}, "ready": true, "restartCount": 0}])
    });
    serde_json::json!({
        "metadata": {"name": "newborn", "namespace": "shop", "uid": NEWBORN},
        "spec": {"nodeName": "lab-node", "containers": [{"name": "app"}]},
        "status": {"phase": phase, "containerStatuses": status.unwrap_or_else(|| serde_json::json!([]))},
    })
}

const NEWBORN: &str = "c96ab411-2bca-47bf-90b4-002d39ce26bb";

/// A tick of lab-node with that pod alone and these containers of it.
fn newborn_tick(ago: i64, containers: &[&str]) -> Tick {
    let memory = [(Metric::MemoryWorkingSet, 5)];
    let mut rows = vec![node("lab-node", &[]), pod(NEWBORN, &memory)];
    rows.extend(containers.iter().map(|id| container(id, 1, &memory)));
    tick("lab-node", recent(ago), rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn names_on_disk_follow_what_becomes_of_a_pod() {
    let folder = tempfile::tempdir().unwrap();
    let kubernetes = FakeKubernetes::start().await;
    let settings = on_disk(folder.path(), &kubernetes);
    let (server, watchers) = start(&settings).await;
    kubernetes.put("pods", newborn("Pending", None));
    server.eventually("/api/pods/newborn", |pod| pod[0]["phase"] == "Pending").await;
    kubernetes.put("pods", newborn("Running", Some("first")));
    server.eventually("/api/pods/newborn", |pod| pod[0]["phase"] == "Running").await;
    // What is known is written down a moment after it is known.
    let book = folder.path().join("data/names/pods.jsonl");
    let is_noted = || std::fs::read_to_string(&book).is_ok_and(|text| text.contains("first"));
    for _ in 0..1000 {
        if is_noted() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(is_noted());
    server.stop().await;
    watchers.stop().await;

    kubernetes.go_away();
    let (server, _watchers) = start_unready(&settings).await;
    let pod = &server.json("/api/pods/newborn").await[0];
    assert_eq!((&pod["phase"], &pod["node_name"]), (&"Running".into(), &"lab-node".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_api_away_what_is_measured_is_listed_and_what_is_gone_is_not_living() {
    let folder = tempfile::tempdir().unwrap();
    let kubernetes = FakeKubernetes::start().await;
    let settings = on_disk(folder.path(), &kubernetes);
    let (server, watchers) = start(&settings).await;
    kubernetes.put("pods", newborn("Pending", None));
    server.eventually("/api/pods/newborn", |pod| pod[0]["phase"] == "Pending").await;
    server.tick(&newborn_tick(4, &["sandbox"])).await;
    assert_eq!(server.json("/api/pods").await, Value::Array(Vec::new()), "it does not run");
    server.tick(&newborn_tick(3, &["sandbox", "first"])).await;
    kubernetes.go_away();
    // The phase it was in when Kubernetes was last heard says nothing of now.
    let names = |pods: &Value| pods[0]["pod_name"] == "newborn";
    server.eventually("/api/pods", names).await;
    server.stop().await;
    watchers.stop().await;

    let (server, watchers) = start_unready(&settings).await;
    server.eventually("/api/pods", names).await;
    let containers = async |server: &Running| {
        let path = "/api/namespaces/shop/pods/newborn/containers";
        let list = server.json(path).await;
        let state = |row: &Value| {
            ["container_name", "container_id", "ended", "stale"].map(|field| row[field].clone())
        };
        let mut rows: Vec<_> = list.as_array().unwrap().iter().map(state).collect();
        rows.sort_by_key(|row| row[1].to_string());
        rows
    };
    let row = |name: &str, id: Option<&str>, ended: bool| -> [Value; 4] {
        [name.into(), id.into(), ended.into(), false.into()]
    };
    let shown = containers(&server).await;
    assert_eq!(shown, [row("first", Some("first"), false), row("app", None, true)]);

    // Kubernetes names it, goes away again, and the container is killed and started anew.
    kubernetes.come_back();
    kubernetes.put("pods", newborn("Running", Some("first")));
    let is_named = |list: &Value| list[0]["container_name"] == "app" && list[0]["ended"] == false;
    server.eventually("/api/namespaces/shop/pods/newborn/containers", is_named).await;
    assert_eq!(containers(&server).await, [row("app", Some("first"), false)]);
    kubernetes.go_away();
    server.tick(&newborn_tick(1, &["sandbox"])).await;
    server.tick(&newborn_tick(0, &["sandbox", "second"])).await;
    let shown = containers(&server).await;
    let expected = [row("app", Some("first"), true), row("second", Some("second"), false)];
    assert_eq!(shown, expected);
    watchers.stop().await;
    server.stop().await;
}
