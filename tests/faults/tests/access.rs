//! Senders that are not who they claim to be.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{
    fs,
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant, SystemTime},
};

use kubemonitor_fake_kubernetes::{FakeKubernetes, Fault, PodToken, Verb};
use kubemonitor_faults::{
    Reply, Request, Server, ServerBuilder,
    ticks::{frame, now, tick},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const SERVER: &str = env!("CARGO_BIN_EXE_kubemonitor-faults");
const REVIEWS: &str = "tokenreviews";

/// A server that follows a cluster.
struct Cluster {
    server: Server,
    kubernetes: FakeKubernetes,
    /// Runs the cluster.
    _runtime: Runtime,
    _folder: TempDir,
}

impl Cluster {
    fn start(options: &[&str]) -> Self {
        let runtime = Runtime::new().unwrap();
        let kubernetes = runtime.block_on(FakeKubernetes::start());
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        fs::write(&kubeconfig, kubernetes.kubeconfig("kubemonitor")).unwrap();
        let builder = ServerBuilder::new(SERVER)
            .option("--metrics-api-listen=off")
            .option(format!("--kubeconfig={}", kubeconfig.display()));
        let builder = options.iter().fold(builder, |builder, option| builder.option(*option));
        Self { server: builder.start(), kubernetes, _runtime: runtime, _folder: folder }
    }

    /// A token of the collector on this node.
    fn issue(&self, node: &str) -> String {
        self.kubernetes.issue(token(node))
    }

    /// A tick's frame of this node, sent with this token.
    fn send(&self, token: Option<&str>, node: &str, sequence: u64) -> Reply {
        let tick = tick(node, sequence, now(), 1);
        self.post(token, &frame(&tick))
    }

    fn post(&self, token: Option<&str>, frame: &[u8]) -> Reply {
        self.authorized(Request::post("/api/frames", kubemonitor_frame::CONTENT_TYPE, frame), token)
    }

    fn push(&self, token: Option<&str>) -> Reply {
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let sample = json!({"timestamp": rfc3339(at), "node": "pushed", "cpu_millicores": 1});
        let body = sample.to_string();
        let request = Request::post("/api/nodes/pushed", "application/json", body.as_bytes());
        self.authorized(request, token)
    }

    fn authorized(&self, request: Request, token: Option<&str>) -> Reply {
        let request = match token {
            Some(token) => request.header("authorization", &format!("Bearer {token}")),
            None => request,
        };
        request.send(self.server.address()).unwrap()
    }
}

/// The token of the collector on this node, as Kubernetes 1.30 and later give it.
fn token(node: &str) -> PodToken {
    PodToken {
        namespace: "kubemonitor".to_owned(),
        account: "resource-collector".to_owned(),
        audience: "kubemonitor".to_owned(),
        pod: Some((format!("collector-{node}"), uid(node))),
        node: Some(node.to_owned()),
        expires: SystemTime::now() + Duration::from_secs(3600),
    }
}

/// The UID of the collector's pod on a node.
fn uid(node: &str) -> String {
    kubemonitor_faults::ticks::pod_uid(&format!("collector-{node}"), 0)
}

/// A moment of today, as JSON has it.
fn rfc3339(seconds: u64) -> String {
    kubemonitor_model::UnixMillis(i64::try_from(seconds).unwrap() * 1000).to_string()
}

/// The problem of a refusal, which must have this status.
fn problem(reply: &Reply, status: u16) -> String {
    assert_eq!(reply.status, status, "{}", reply.text());
    let problem = reply.json()["type"].as_str().unwrap().to_owned();
    problem.strip_prefix("urn:kubemonitor:problem:").unwrap().to_owned()
}

#[test]
fn a_collector_is_believed_for_its_own_node_alone() {
    let cluster = Cluster::start(&[]);
    let one = cluster.issue("worker-1");
    assert_eq!(cluster.send(Some(&one), "worker-1", 1).status, 200);
    let forged = cluster.send(Some(&one), "worker-2", 2);
    assert_eq!(problem(&forged, 403), "other-node");
    assert!(forged.text().contains("worker-1") && forged.text().contains("worker-2"));
    assert_eq!(problem(&cluster.send(None, "worker-1", 3), 401), "no-token");
    assert_eq!(problem(&cluster.send(Some("s3cret"), "worker-1", 4), 403), "wrong-token");
    let nodes = cluster.server.json("/api/nodes");
    assert_eq!(nodes.as_array().map(Vec::len), Some(1), "{nodes}");
    assert_eq!(cluster.kubernetes.reviews(REVIEWS), 1, "a verdict is remembered");
}

#[test]
fn tokens_of_others_open_nothing_and_cost_no_question() {
    let cluster = Cluster::start(&[]);
    for other in [
        PodToken { audience: "https://kubernetes.default.svc".to_owned(), ..token("worker-1") },
        PodToken { account: "default".to_owned(), ..token("worker-1") },
        PodToken { namespace: "shop".to_owned(), ..token("worker-1") },
    ] {
        let other = cluster.kubernetes.issue(other);
        assert_eq!(problem(&cluster.send(Some(&other), "worker-1", 1), 403), "wrong-token");
    }
    let long = format!("{}.{}.c", "a".repeat(2000), "b".repeat(3000));
    assert_eq!(problem(&cluster.send(Some(&long), "worker-1", 1), 403), "wrong-token");
    assert_eq!(cluster.kubernetes.reviews(REVIEWS), 0);
}

#[test]
fn a_token_that_kubernetes_does_not_confirm_is_refused() {
    let cluster = Cluster::start(&[]);
    let expired = PodToken { expires: SystemTime::UNIX_EPOCH, ..token("worker-1") };
    let expired = cluster.kubernetes.issue(expired);
    let revoked = cluster.issue("worker-1");
    cluster.kubernetes.revoke(&revoked);
    for bad in [&expired, &revoked] {
        for sequence in [1, 2] {
            let refusal = cluster.send(Some(bad), "worker-1", sequence);
            assert_eq!(problem(&refusal, 401), "invalid-token");
        }
    }
    assert_eq!(cluster.kubernetes.reviews(REVIEWS), 2, "refusals are remembered, too");
    let unbound = PodToken { pod: None, node: None, ..token("worker-1") };
    let unbound = cluster.kubernetes.issue(unbound);
    let refusal = cluster.send(Some(&unbound), "worker-1", 3);
    assert_eq!(problem(&refusal, 403), "wrong-token");
    assert!(refusal.text().contains("serviceAccountToken"), "{}", refusal.text());
}

#[test]
fn before_kubernetes_1_30_the_pod_tells_the_node() {
    let cluster = Cluster::start(&[]);
    let old = |node: &str| PodToken { node: None, ..token(node) };
    let one = cluster.kubernetes.issue(old("worker-1"));
    let refusal = cluster.send(Some(&one), "worker-1", 1);
    // Until the server knows the cluster's pods, nobody can tell.
    assert!([403, 503].contains(&refusal.status), "{}", refusal.text());
    cluster.kubernetes.put(
        "pods",
        json!({
            "kind": "Pod", "apiVersion": "v1",
            "metadata": {
                "namespace": "kubemonitor", "name": "collector-worker-1", "uid": uid("worker-1"),
                "creationTimestamp": "2026-01-31T12:00:00Z",
            },
            "spec": {"nodeName": "worker-1", "containers": []},
            "status": {"phase": "Running"},
        }),
    );
    eventually(|| cluster.send(Some(&one), "worker-1", 2).status == 200);
    assert_eq!(problem(&cluster.send(Some(&one), "worker-2", 3), 403), "other-node");
    let two = cluster.kubernetes.issue(old("worker-2"));
    let refusal = cluster.send(Some(&two), "worker-2", 4);
    assert_eq!(problem(&refusal, 403), "wrong-token");
    assert!(refusal.text().contains("1.30"), "{}", refusal.text());
}

#[test]
fn a_replayed_frame_changes_nothing() {
    let cluster = Cluster::start(&[]);
    let one = cluster.issue("worker-1");
    let recorded = frame(&tick("worker-1", 1, now(), 2));
    assert_eq!(cluster.post(Some(&one), &recorded).status, 200);
    let before = cluster.server.json("/api/nodes/worker-1?window=600");
    assert_eq!(problem(&cluster.post(None, &recorded), 401), "no-token");
    let two = cluster.issue("worker-2");
    assert_eq!(problem(&cluster.post(Some(&two), &recorded), 403), "other-node");
    let again = cluster.post(Some(&one), &recorded);
    assert_eq!((again.status, &again.json()["duplicate"]), (200, &json!(true)));
    assert_eq!(cluster.server.json("/api/nodes/worker-1?window=600"), before);
}

/// Tokens that could be good, by all they say of themselves, from eight addresses.
#[test]
fn a_flood_of_unknown_tokens_asks_little_and_holds_no_collector_up() {
    let cluster = Cluster::start(&[]);
    let known = cluster.issue("worker-1");
    assert_eq!(cluster.send(Some(&known), "worker-1", 1).status, 200);
    cluster.kubernetes.fail(REVIEWS, Verb::Review, Fault::Slow(Duration::from_millis(20)), 1 << 20);
    let address = cluster.server.address();
    let begun = Instant::now();
    let refused = thread::scope(|scope| {
        let strangers: Vec<_> = (0..8)
            .map(|stranger| {
                let forged: Vec<String> = (0..250)
                    .map(|_| {
                        let forged = cluster.issue("worker-1");
                        cluster.kubernetes.revoke(&forged);
                        format!("{}{stranger}", &forged[..forged.len() - 2])
                    })
                    .collect();
                scope.spawn(move || {
                    let source = Ipv4Addr::new(127, 0, 1, stranger + 1);
                    let frame = frame(&tick("worker-1", 2, now(), 1));
                    let statuses = forged.iter().map(|token| {
                        Request::post("/api/frames", kubemonitor_frame::CONTENT_TYPE, &frame)
                            .header("authorization", &format!("Bearer {token}"))
                            .send_from(source, address)
                            .unwrap()
                            .status
                    });
                    statuses.collect::<Vec<u16>>()
                })
            })
            .collect();
        for sequence in 2..12 {
            let answer = cluster.send(Some(&known), "worker-1", sequence);
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        strangers.into_iter().flat_map(|stranger| stranger.join().unwrap()).collect::<Vec<u16>>()
    });
    assert!(refused.iter().all(|status| [401, 429, 503].contains(status)), "{refused:?}");
    // 20 at once and 5 a second from each address; one for the collector.
    let seconds = begun.elapsed().as_secs_f64() + 1.0;
    let asked = cluster.kubernetes.reviews(REVIEWS);
    let allowed = 1.0 + 8.0 * (20.0 + 5.0 * seconds);
    assert!((asked as f64) < allowed, "{asked} questions in {seconds} s, for {}", refused.len());
}

#[test]
fn while_kubernetes_is_away_known_collectors_go_on_and_new_ones_wait() {
    let cluster = Cluster::start(&[]);
    let (known, new) = (cluster.issue("worker-1"), cluster.issue("worker-2"));
    assert_eq!(cluster.send(Some(&known), "worker-1", 1).status, 200);
    for fault in [Fault::Status(500), Fault::Status(403), Fault::Garbled, Fault::Silent] {
        cluster.kubernetes.fail(REVIEWS, Verb::Review, fault, 1 << 20);
        assert_eq!(cluster.send(Some(&known), "worker-1", 2).status, 200, "{fault:?}");
        let refusal = cluster.send(Some(&new), "worker-2", 1);
        assert_eq!(problem(&refusal, 503), "unverified-token", "{fault:?}");
        assert!(refusal.header("retry-after").is_some());
        cluster.kubernetes.heal();
    }
    assert_eq!(cluster.send(Some(&new), "worker-2", 2).status, 200);
}

#[test]
fn pushing_is_closed_until_somebody_opens_it() {
    let closed = Cluster::start(&[]);
    assert_eq!(problem(&closed.push(None), 401), "no-token");
    let collector = closed.issue("worker-1");
    assert_eq!(problem(&closed.push(Some(&collector)), 403), "wrong-token");

    let open = Cluster::start(&["--allow-push"]);
    assert_eq!(open.push(None).status, 200);
    assert_eq!(problem(&open.send(None, "worker-1", 1), 401), "no-token");

    let named = Cluster::start(&["--push-service-account=shop/pusher"]);
    let pusher = PodToken {
        namespace: "shop".to_owned(),
        account: "pusher".to_owned(),
        ..token("worker-1")
    };
    let pusher = named.kubernetes.issue(pusher);
    assert_eq!(named.push(Some(&pusher)).status, 200);
    assert_eq!(problem(&named.send(Some(&pusher), "worker-1", 1), 403), "wrong-token");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "s3cret\n").unwrap();
    let with_token = Cluster::start(&[&format!("--token-file={}", file.display())]);
    assert_eq!(with_token.push(Some("s3cret")).status, 200);
    assert_eq!(with_token.send(Some("s3cret"), "any-node", 1).status, 200);
    assert_eq!(problem(&with_token.push(Some("s3cres")), 403), "wrong-token");
}

#[test]
fn without_a_cluster_writing_is_open_as_ever() {
    let server = ServerBuilder::new(SERVER).start();
    assert_eq!(server.frame(&frame(&tick("any-node", 1, now(), 1))).status, 200);
}

/// Waits until something holds, as long as a busy machine may take.
fn eventually(holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never held");
        thread::sleep(Duration::from_millis(20));
    }
}
