//! A server that is killed and started again.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use kubemonitor_fake_kubernetes::FakeKubernetes;
use kubemonitor_faults::{
    Request, Server, ServerBuilder,
    ticks::{frame, now, pod_uid, tick},
};
use kubemonitor_model::UnixMillis;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const SERVER: &str = env!("CARGO_BIN_EXE_kubemonitor-faults");

#[test]
fn a_killed_server_has_what_was_synced() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerBuilder::new(SERVER).data_dir(folder.path());
    let first = server.start();
    let reply = first.frame(&frame(&tick("worker-1", 1, now(), 2)));
    assert_eq!(reply.status, 200, "{}", reply.text());
    // Twice the interval at which the journal is synced by default.
    thread::sleep(Duration::from_secs(1));
    first.kill();
    let again = server.start();
    let samples = again.json("/api/nodes/worker-1?window=60");
    assert_eq!(samples.as_array().map(Vec::len), Some(1), "{samples}");
}

/// A cluster, and a server that follows it and keeps what it takes in.
struct Cluster {
    kubernetes: FakeKubernetes,
    builder: ServerBuilder,
    folder: TempDir,
    /// Runs the cluster.
    _runtime: Runtime,
}

const NODES: [&str; 2] = ["worker-1", "worker-2"];

impl Cluster {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let kubernetes = runtime.block_on(FakeKubernetes::start());
        let folder = tempfile::tempdir().unwrap();
        let (kubeconfig, token) = (folder.path().join("kubeconfig"), folder.path().join("token"));
        let config = format!(
            "{{clusters: [{{name: c, cluster: {{server: '{}'}}}}], users: [{{name: u, user: {{}}}}], \
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}], current-context: c}}",
            kubernetes.url()
        );
        fs::write(&kubeconfig, config).unwrap();
        fs::write(&token, "secret").unwrap();
        let builder = ServerBuilder::new(SERVER)
            .option("--metrics-api-listen=off")
            .option(format!("--kubeconfig={}", kubeconfig.display()))
            .option(format!("--token-file={}", token.display()))
            .data_dir(&folder.path().join("data"));
        Self { kubernetes, builder, folder, _runtime: runtime }
    }

    /// Kubernetes says that this pod of a node is in this phase.
    fn say(&self, node: &str, pod: u32, phase: &str) {
        let object = json!({
            "metadata": {"name": format!("web-{node}-{pod}"), "namespace": "shop",
                         "uid": pod_uid(node, pod)},
            "spec": {"nodeName": node, "containers": [{"name": "app"}]},
            "status": {"phase": phase},
        });
        self.kubernetes.put("pods", object);
    }

    /// Waits until the phase of so many pods is on disk.
    fn wait_for_names(&self, phase: &str, count: usize) {
        let book = self.folder.path().join("data/names/pods.jsonl");
        let phase = format!("\"phase\":\"{phase}\"");
        let noted = || fs::read_to_string(&book).unwrap_or_default().matches(&phase).count();
        let began = Instant::now();
        while noted() < count {
            assert!(began.elapsed() < Duration::from_secs(30), "{} of {count}", noted());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A tick of a node, `ago` intervals ago.
fn measure(server: &Server, node: &str, ago: i64, pods: u32) {
    let at = UnixMillis(now().0.div_euclid(5000) * 5000 - ago * 5000);
    let sequence = at.0.unsigned_abs() / 5000;
    let frame = frame(&tick(node, sequence, at, pods));
    let reply = Request::post("/api/frames", kubemonitor_frame::CONTENT_TYPE, &frame)
        .header("authorization", "Bearer secret")
        .send(server.address())
        .unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
}

/// Asks until the answer is as wanted.
fn eventually(server: &Server, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let answer = server.get(path).json();
        if wanted(&answer) {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{path} stays {answer:#}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn names(pods: &Value) -> Vec<&str> {
    let pods = pods.as_array().into_iter().flatten();
    pods.filter_map(|pod| pod["pod_name"].as_str()).collect()
}

#[test]
fn with_the_kubernetes_api_away_a_restart_shows_what_runs() {
    let cluster = Cluster::new();
    let server = cluster.builder.start();
    eventually(&server, "/ready", |answer| answer["status"] == "ready");
    // Born after the start: noted as pending, then as running.
    cluster.say("worker-1", 0, "Pending");
    cluster.say("worker-1", 1, "Pending");
    cluster.wait_for_names("Pending", 2);
    cluster.say("worker-1", 0, "Running");
    cluster.wait_for_names("Running", 1);
    cluster.kubernetes.go_away();
    for ago in [2, 1] {
        measure(&server, "worker-1", ago, 2);
    }
    // Twice the interval at which the journal is synced by default.
    thread::sleep(Duration::from_secs(1));
    server.kill();

    let server = cluster.builder.start();
    // The second is measured, so it runs, whatever it was when Kubernetes was last heard.
    let both = ["web-worker-1-0", "web-worker-1-1"];
    let pods = server.json("/api/pods");
    assert_eq!(names(&pods), both);
    assert_eq!(pods[0]["memory_used_bytes"], 1 << 20, "{pods:#}");
    measure(&server, "worker-1", 0, 1);
    assert_eq!(names(&server.json("/api/pods")), both[..1], "the other is gone");
    let gone = &server.json("/api/pods/web-worker-1-1")[0];
    assert_eq!((&gone["ended"], &gone["stale"]), (&json!(true), &json!(false)));

    // Once Kubernetes is back it knows best.
    cluster.kubernetes.come_back();
    cluster.say("worker-1", 0, "Succeeded");
    eventually(&server, "/api/pods", |pods| names(pods).is_empty());
}

#[test]
fn sums_are_whole_after_a_restart_though_half_of_the_nodes_have_sent() {
    let cluster = Cluster::new();
    for node in NODES {
        (0..2).for_each(|pod| cluster.say(node, pod, "Running"));
    }
    let server = cluster.builder.start();
    for (node, ago) in NODES.iter().flat_map(|node| [(node, 2), (node, 1)]) {
        measure(&server, node, ago, 2);
    }
    let is_whole = |shop: &Value| shop[0]["pod_count"] == 4 && shop[0]["nodes_total"] == 2;
    let before = eventually(&server, "/api/namespaces/shop", is_whole);
    cluster.wait_for_names("Running", 4);
    assert!(server.stop(Duration::from_secs(30)).success());

    cluster.kubernetes.go_away();
    let server = cluster.builder.start();
    let after = eventually(&server, "/api/namespaces/shop", is_whole);
    for field in ["timestamp", "cpu_millicores", "memory_used_bytes"] {
        assert_eq!(after[0][field], before[0][field], "{field}");
    }
    measure(&server, "worker-1", 0, 2);
    let shop = server.json("/api/namespaces/shop");
    assert_eq!(shop[0]["pod_count"], 4, "{shop:#}");
}
