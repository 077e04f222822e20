//! Pods that do not run, and what is said of them; groups that have none.

use kubemonitor_model::Metric;
use serde_json::{Value, json};

use crate::{
    push::ago,
    support::{Captured, Running, pod, recent, tick},
};

/// A pod of namespace `shop` as the Kubernetes API has it.
fn object(name: &str, node: Option<&str>, status: &Value) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "shop", "uid": format!("uid of {name}"),
                     "labels": {"app": "stuck"}},
        "spec": {"nodeName": node, "containers": [{"name": "app", "image": "no/such:image"}]},
        "status": status,
    })
}

fn waiting(phase: &str, reason: &str, restarts: u32) -> Value {
    json!({
        "phase": phase,
        "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [{"name": "app", "restartCount": restarts, "ready": false,
                               "state": {"waiting": {"reason": reason}}}],
    })
}

/// The captured cluster, and three pods that do not do what they are for.
async fn with_stuck_pods() -> Captured {
    let captured = Captured::measured(2).await;
    let unschedulable = json!({
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
    });
    for object in [
        object("no-image", Some("lab-v2"), &waiting("Pending", "ImagePullBackOff", 0)),
        object("no-room", None, &unschedulable),
        object("crashing", Some("lab-node"), &waiting("Running", "CrashLoopBackOff", 7)),
    ] {
        captured.kubernetes.put("pods", object);
    }
    let crashing = "/api/pods/crashing";
    captured.server.eventually(crashing, |pod| pod[0]["restarts"] == 7).await;
    captured
}

#[tokio::test]
async fn pods_that_cannot_start_are_listed_when_asked_for_with_the_reason() {
    let captured = with_stuck_pods().await;
    let server = &captured.server;
    // As many as run: 14, and the one that crashes.
    assert_eq!(server.json("/api/pods").await.as_array().unwrap().len(), 15);
    assert_eq!(server.json("/api/pods?phase=Running").await.as_array().unwrap().len(), 15);
    assert_eq!(server.json("/api/pods?phase=all").await.as_array().unwrap().len(), 18);
    let said = |pods: &Value| {
        let fields = ["pod_name", "node_name", "phase", "ready", "reason", "restarts"];
        let row = |pod: &Value| fields.map(|field| pod[field].clone()).into_iter().collect();
        pods.as_array().unwrap().iter().map(row).collect::<Vec<Value>>()
    };
    let pending = said(&server.json("/api/pods?phase=Pending").await);
    let no_image = json!(["no-image", "lab-v2", "Pending", false, "ImagePullBackOff", 0]);
    let no_room = json!(["no-room", null, "Pending", null, "Unschedulable", null]);
    assert_eq!(pending, [no_image.clone(), no_room.clone()]);
    for path in ["/api/namespaces/shop/pods", "/api/pods"] {
        let found = said(&server.json(&format!("{path}?phase=Pending&namespace=shop")).await);
        assert_eq!(found, [no_image.clone(), no_room.clone()], "{path}");
    }
    let on_node = said(&server.json("/api/nodes/lab-v2/pods?phase=Pending").await);
    assert_eq!(on_node, [no_image]);
    let crashing = said(&server.json("/api/pods/crashing").await);
    assert_eq!(
        crashing,
        [json!(["crashing", "lab-node", "Running", false, "CrashLoopBackOff", 7])]
    );
    let succeeded = server.column("/api/pods?phase=Succeeded", "pod_name").await;
    assert_eq!(json!(succeeded), json!(["report-jk4m2"]));
    let labelled = server.column("/api/pods?phase=all&labelSelector=app%3Dstuck", "pod_name").await;
    assert_eq!(json!(labelled), json!(["crashing", "no-image", "no-room"]));
    server.problem(400, "/api/pods?phase=stuck").await;
}

#[tokio::test]
async fn a_pod_without_a_node_is_neither_stale_nor_ended() {
    let captured = with_stuck_pods().await;
    let pod = &captured.server.json("/api/pods/no-room").await[0];
    assert_eq!((&pod["stale"], &pod["ended"]), (&json!(false), &json!(false)));
    assert_eq!(pod["cpu_millicores"], Value::Null);
}

#[tokio::test]
async fn pods_whose_labels_are_not_known_meet_no_label_selector() {
    let server = Running::start().await;
    let values = [(Metric::MemoryWorkingSet, 5)];
    let uid = "b96ab411-2bca-47bf-90b4-002d39ce26bb";
    server.tick(&tick("n", recent(0), vec![pod(uid, &values)])).await;
    let timestamp = ago(0);
    let body = json!({"timestamp": timestamp, "namespace": "shop", "pod": "web", "node": "n"});
    assert_eq!(server.push("/api/pods/web", &body).await.status, 200);
    assert_eq!(server.json("/api/pods").await.as_array().unwrap().len(), 2);
    for selector in ["app%3Dweb", "app!%3Dweb", "app", "!app", "app%20notin%20(web)"] {
        let found = server.json(&format!("/api/pods?labelSelector={selector}")).await;
        assert_eq!(found, json!([]), "{selector}");
    }
}

#[tokio::test]
async fn a_namespace_without_pods_uses_nothing_and_is_known_to() {
    let captured = Captured::measured(2).await;
    let namespace = json!({"metadata": {"name": "empty", "uid": "uid of empty",
                                        "creationTimestamp": "2026-11-23T19:26:38Z"}});
    captured.kubernetes.put("namespaces", namespace);
    let server = &captured.server;
    let named = |all: &Value| all.as_array().unwrap().iter().any(|one| one["namespace"] == "empty");
    let all = server.eventually("/api/namespaces", named).await;
    let empty = all.as_array().unwrap().iter().find(|one| one["namespace"] == "empty").unwrap();
    for field in [
        "pod_count",
        "nodes_total",
        "nodes_reporting",
        "cpu_millicores",
        "memory_used_bytes",
        "network_rx_bytes",
        "network_rx_bytes_per_second",
    ] {
        assert_eq!(empty[field].as_f64(), Some(0.0), "{field}");
    }
    assert_eq!((&empty["stale"], &empty["cpu_limit_millicores"]), (&json!(false), &Value::Null));
    // Nothing of a pod that runs and was not measured is not known to be nothing.
    let mut created = object("new", Some("lab-node"), &json!({"phase": "Running"}));
    created["metadata"]["namespace"] = "empty".into();
    captured.kubernetes.put("pods", created);
    let unknown = |one: &Value| one[0]["cpu_millicores"].is_null();
    server.eventually("/api/namespaces/empty", unknown).await;
}

#[tokio::test]
async fn sums_say_from_how_many_nodes_they_are() {
    let captured = Captured::measured(2).await;
    let server = &captured.server;
    let whole = |one: &Value| one[0]["pod_count"] == 11 && one[0]["nodes_total"] == 2;
    let shop = &server.eventually("/api/namespaces/shop", whole).await[0];
    assert_eq!((&shop["nodes_reporting"], &shop["stale"]), (&json!(2), &json!(false)));
    let past = server.json("/api/namespaces/shop?window=600").await;
    assert_eq!(past[0]["nodes_total"], Value::Null, "known of the present only");
    let web = &server.json("/api/namespaces/shop/workloads/Deployment/web").await[0];
    assert_eq!((&web["nodes_total"], &web["nodes_reporting"]), (&json!(2), &json!(2)));
}
