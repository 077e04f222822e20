//! Samples that somebody else's collector pushes as JSON.

use jiff::Timestamp;
use kubemonitor_api::{Settings, Storage};
use kubemonitor_inventory::Inventory;
use serde_json::{Value, json};

use crate::support::{Running, settings};

/// So many seconds ago, in microseconds and without a zone, as some write it.
pub(crate) fn ago(seconds: i64) -> String {
    let moment =
        Timestamp::from_microsecond(Timestamp::now().as_microsecond() - seconds * 1_000_000);
    moment.unwrap().strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

async fn pushed(server: &Running, path: &str, sample: &Value) {
    let reply = server.push(path, sample).await;
    assert_eq!((reply.status, reply.json()), (200, json!({"status": "ok"})), "{sample}");
}

fn some(object: &Value, fields: &[&str]) -> Value {
    fields.iter().map(|field| object[*field].clone()).collect()
}

#[tokio::test]
async fn a_pushed_node_shows_what_its_odd_fields_mean() {
    let server = Running::start().await;
    let sample = |seconds_ago, bytes: u64| {
        json!({
            "timestamp": ago(seconds_ago), "node_name": "n1", "cpu_usage": 50,
            "memory": {"total_kb": 8_388_608, "used_kb": 2_097_152, "free_kb": 1024},
            "network": {"rx_bytes": bytes, "tx_bytes": 2 * bytes},
            "disk": {"read_bytes": 3 * bytes, "write_bytes": 4 * bytes},
            "hostname": "whatever", "processes": [1, 2],
        })
    };
    pushed(&server, "/api/nodes/n1", &sample(10, 1000)).await;
    pushed(&server, "/api/nodes/n1", &sample(0, 2000)).await;
    for path in ["/api/nodes", "/api/nodes/n1"] {
        let nodes = server.json(path).await;
        let fields = [
            "node_name",
            "cpu_millicores",
            "memory_used_bytes",
            "memory_used_mb",
            "memory_total_bytes",
            "network_rx_bytes",
            "network_tx_bytes",
            "disk_read_bytes",
            "disk_write_bytes",
        ];
        assert_eq!(
            some(&nodes[0], &fields),
            json!([
                "n1",
                500.0,
                2_147_483_648_u64,
                2048.0,
                8_589_934_592_u64,
                2000,
                4000,
                6000,
                8000
            ]),
            "{path}"
        );
        let rate = nodes[0]["network_rx_bytes_per_second"].as_f64().unwrap();
        assert!((95.0..105.0).contains(&rate), "{rate}");
    }
    let samples = server.json("/api/nodes/n1?window=60").await;
    assert_eq!(samples.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_pushed_pod_shows_up_wherever_it_belongs() {
    let server = Running::start().await;
    let sample = json!({
        "timestamp": ago(0), "node": "n1", "pod": "cart-1", "namespace": "shop",
        "deployment": "cart", "cpu_millicores": 12.5, "memory_bytes": 50 << 20,
        "disk_read_bytes": 1, "disk_write_bytes": 2, "network_rx_bytes": 3, "network_tx_bytes": 4,
    });
    pushed(&server, "/api/pods/cart-1", &sample).await;
    let fields = [
        "namespace",
        "pod_name",
        "node_name",
        "deployment",
        "cpu_millicores",
        "memory_used_bytes",
        "disk_read_bytes",
        "disk_write_bytes",
        "network_rx_bytes",
        "network_tx_bytes",
    ];
    for path in [
        "/api/pods",
        "/api/pods/cart-1",
        "/api/pods?namespace=shop&node=n1",
        "/api/nodes/n1/pods",
        "/api/namespaces/shop/pods",
        "/api/namespaces/shop/pods/cart-1",
        "/api/namespaces/shop/deployments/cart/pods",
        "/api/namespaces/shop/workloads/Deployment/cart/pods",
    ] {
        let pods = server.json(path).await;
        assert_eq!(pods.as_array().unwrap().len(), 1, "{path}");
        let expected = json!(["shop", "cart-1", "n1", "cart", 12.5, 50 << 20, 1, 2, 3, 4]);
        assert_eq!(some(&pods[0], &fields), expected, "{path}");
    }
    for path in ["/api/namespaces/shop", "/api/namespaces/shop/deployments/cart", "/api/namespaces"]
    {
        let sum = server.json(path).await;
        let sum = some(&sum[0], &["cpu_millicores", "memory_used_mb", "pod_count"]);
        assert_eq!(sum, json!([12.5, 50.0, 1]), "{path}");
    }
}

#[tokio::test]
async fn an_empty_deployment_is_none() {
    let server = Running::start().await;
    let sample = json!({
        "timestamp": ago(0), "pod_name": "lone", "namespace": "shop", "deployment": "",
        "cpu_usage_percent": 25, "memory_used_bytes": 5.0,
    });
    pushed(&server, "/api/pods/lone", &sample).await;
    let pod = server.json("/api/pods/lone").await;
    let fields = ["deployment", "node_name", "cpu_millicores", "memory_used_bytes"];
    assert_eq!(some(&pod[0], &fields), json!([null, null, 250.0, 5]));
    assert_eq!(server.json("/api/namespaces/shop/deployments").await, json!([]));
    assert_eq!(server.json("/api/nodes").await, json!([]));
}

#[tokio::test]
async fn cpu_time_gives_a_rate_where_nothing_else_is_said() {
    let server = Running::start().await;
    let times = [(ago(10), 5_000_000_000_u64), (ago(0), 7_000_000_000)];
    for (time, nanoseconds) in times {
        let sample = json!({
            "timestamp": time, "pod": "p", "namespace": "s",
            "cgroup_cpu_ns": nanoseconds,
        });
        pushed(&server, "/api/pods/p", &sample).await;
    }
    let millicores = server.json("/api/pods/p").await[0]["cpu_millicores"].as_f64().unwrap();
    assert!((195.0..205.0).contains(&millicores), "{millicores}");
}

#[tokio::test]
async fn pushed_namespaces_and_deployments_stand_before_sums() {
    let server = Running::start().await;
    let pod = json!({
        "timestamp": ago(0), "pod": "cart-1", "namespace": "shop", "deployment": "cart",
        "cpu_millicores": 1, "memory_bytes": 1,
    });
    pushed(&server, "/api/pods/cart-1", &pod).await;
    for (path, extra) in [
        ("/api/namespaces/shop", json!({})),
        ("/api/namespaces/shop/deployments/cart", json!({"deployment": "cart"})),
    ] {
        let mut sample = json!({
            "timestamp": ago(0), "namespace": "shop", "cpu_millicores": 77.5,
            "memory_bytes": 1 << 20, "network_rx_bytes": 9,
        });
        sample.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        pushed(&server, path, &sample).await;
        let shown = server.json(path).await;
        let fields = ["namespace", "cpu_millicores", "memory_used_mb", "network_rx_bytes"];
        assert_eq!(some(&shown[0], &fields), json!(["shop", 77.5, 1.0, 9]), "{path}");
        let list = server.json(path.rsplit_once('/').unwrap().0).await;
        assert_eq!(some(&list[0], &fields), json!(["shop", 77.5, 1.0, 9]), "{path}");
        assert_eq!(server.json(&format!("{path}?window=60")).await[0]["cpu_millicores"], 77.5);
    }
}

#[tokio::test]
async fn path_and_body_have_to_name_the_same() {
    let server = Running::start().await;
    let time = ago(0);
    for (path, body, field) in [
        ("/api/nodes/a", json!({"timestamp": time, "node": "b"}), "node"),
        ("/api/nodes/a", json!({"timestamp": time, "node_name": "b"}), "node"),
        ("/api/pods/a", json!({"timestamp": time, "pod": "b", "namespace": "s"}), "pod"),
        ("/api/namespaces/a", json!({"timestamp": time, "namespace": "b"}), "namespace"),
        (
            "/api/namespaces/a/deployments/d",
            json!({"timestamp": time, "namespace": "b", "deployment": "d"}),
            "namespace",
        ),
        (
            "/api/namespaces/a/deployments/d",
            json!({"timestamp": time, "namespace": "a", "deployment": "e"}),
            "deployment",
        ),
    ] {
        let problem = server.push(path, &body).await.problem(400);
        assert_eq!(problem["type"], "urn:kubemonitor:problem:path-and-body-disagree");
        assert_eq!(problem["field"], field, "{path}");
    }
    for path in ["/api/nodes", "/api/pods", "/api/namespaces"] {
        assert_eq!(server.json(path).await, json!([]), "{path}: nothing was taken");
    }
}

#[tokio::test]
async fn names_and_the_timestamp_are_required() {
    let server = Running::start().await;
    for (path, body, missing) in [
        ("/api/nodes/n", json!({"timestamp": ago(0)}), "node"),
        ("/api/nodes/n", json!({"node": "n"}), "timestamp"),
        ("/api/nodes/n", json!({"node": "n", "timestamp": "noon"}), "timestamp"),
        ("/api/pods/p", json!({"timestamp": ago(0), "pod": "p"}), "namespace"),
        (
            "/api/namespaces/s/deployments/d",
            json!({"timestamp": ago(0), "namespace": "s"}),
            "deployment",
        ),
    ] {
        let problem = server.push(path, &body).await.problem(400);
        assert!(problem["detail"].as_str().unwrap().contains(missing), "{problem}");
    }
    let future = json!({"timestamp": ago(-3600), "node": "n"});
    assert!(
        server.push("/api/nodes/n", &future).await.problem(400)["detail"]
            .as_str()
            .unwrap()
            .contains("set the clocks")
    );
}

#[tokio::test]
async fn figures_and_times_that_cannot_be_are_refused_with_field_and_bounds() {
    let server = Running::start().await;
    for (field, value, said) in [
        ("disk_read_bytes", json!(18_446_744_073_709_551_615_u64), "from 0 to 9223372036854775807"),
        ("memory_bytes", json!(1e30), "from 0 to 9223372036854775807"),
        ("cpu_millicores", json!(1e15), "from 0 to 10000000000"),
        ("timestamp", json!("0000-01-01T00:00:00Z"), "samples are kept from"),
        ("timestamp", json!(ago(2 * 3600)), "samples are kept from"),
        ("namespace", json!("Shop"), "lower-case ASCII"),
        ("deployment", json!("장바구니"), "lower-case ASCII"),
        ("node", json!("a/b"), "ASCII"),
    ] {
        let mut sample = json!({"timestamp": ago(0), "pod": "p", "namespace": "s"});
        sample[field] = value;
        let problem = server.push("/api/pods/p", &sample).await.problem(400);
        assert_eq!(problem["field"], field, "{problem}");
        assert_eq!(problem["type"], "urn:kubemonitor:problem:bad-value");
        assert!(problem["remedy"].as_str().unwrap().contains(said), "{problem}");
    }
    for path in ["/api/pods", "/api/namespaces", "/api/nodes"] {
        assert_eq!(server.json(path).await, json!([]), "{path}: nothing was taken");
    }
}

#[tokio::test]
async fn the_newest_sample_can_be_sent_anew_and_an_older_one_cannot() {
    let server = Running::start().await;
    let (before, time) = (ago(10), ago(0));
    let sample = |time: &str, bytes: u64| json!({"timestamp": time, "pod": "p", "namespace": "s", "memory_bytes": bytes});
    pushed(&server, "/api/pods/p", &sample(&before, 1)).await;
    for bytes in [2, 3, 3] {
        pushed(&server, "/api/pods/p", &sample(&time, bytes)).await;
        assert_eq!(server.json("/api/pods/p").await[0]["memory_used_bytes"], bytes);
        assert_eq!(server.json("/api/namespaces/s").await[0]["memory_used_bytes"], bytes);
    }
    let problem = server.push("/api/pods/p", &sample(&before, 9)).await.problem(409);
    assert_eq!(problem["type"], "urn:kubemonitor:problem:superseded-sample");
    let bytes = server.column("/api/pods/p?window=60", "memory_used_bytes").await;
    assert_eq!(json!(bytes), json!([1, 3]));
}

#[tokio::test]
async fn a_sum_that_64_bits_cannot_say_is_null() {
    let server = Running::start().await;
    let most = u64::MAX / 2;
    for (pod, sum) in [("a", json!(most)), ("b", json!(u64::MAX - 1)), ("c", Value::Null)] {
        let sample = json!({
            "timestamp": ago(0), "pod": pod, "namespace": "s", "memory_bytes": most,
            "network_rx_bytes": most,
        });
        pushed(&server, &format!("/api/pods/{pod}"), &sample).await;
        let namespace = server.json("/api/namespaces/s").await;
        let shown = some(&namespace[0], &["memory_used_bytes", "network_rx_bytes"]);
        assert_eq!(shown, json!([sum, sum]), "{pod}");
    }
}

#[tokio::test]
async fn a_push_that_finds_no_room_leaves_nothing_behind() {
    let limits = kubemonitor_store::Settings { max_series: 1, ..Default::default() };
    let storage = Storage { limits, ..Storage::default() };
    let server =
        Running::with(&Settings { storage, ..settings() }, Inventory::without_cluster()).await;
    let sample = |pod: &str, node: &str| json!({"timestamp": ago(0), "pod": pod, "namespace": pod, "node": node, "deployment": "d"});
    pushed(&server, "/api/pods/a", &sample("a", "n")).await;
    let refused = server.push("/api/pods/b", &sample("b", "m")).await;
    let problem = refused.problem(429);
    assert!(problem["detail"].as_str().unwrap().contains("--max-series"), "{problem}");
    for path in
        ["/api/pods/b", "/api/namespaces/b", "/api/nodes/m", "/api/namespaces/b/deployments/d"]
    {
        server.problem(404, path).await;
    }
}
