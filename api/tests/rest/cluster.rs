//! What Kubernetes says, joined with what was measured.

use serde_json::{Value, json};

use crate::support::Captured;

const PER_POD_BYTES: u64 = 10 << 20;

fn some(object: &Value, fields: &[&str]) -> Value {
    fields.iter().map(|field| object[*field].clone()).collect()
}

#[tokio::test]
async fn pods_have_names_owners_and_claims() {
    let captured = Captured::measured(2).await;
    let fields = [
        "namespace",
        "node_name",
        "deployment",
        "workload_kind",
        "workload_name",
        "phase",
        "qos_class",
        "cpu_request_millicores",
        "cpu_limit_millicores",
        "memory_request_bytes",
        "container_count",
    ];
    for (pod, facts) in [
        (
            "web-76d966759-fzlvh",
            json!([
                "shop",
                "lab-v2",
                "web",
                "Deployment",
                "web",
                "Running",
                "Burstable",
                25,
                200,
                24 << 20,
                2
            ]),
        ),
        (
            "db-0",
            json!([
                "shop",
                "lab-node",
                null,
                "StatefulSet",
                "db",
                "Running",
                "BestEffort",
                null,
                null,
                null,
                1
            ]),
        ),
        (
            "agent-qzn7k",
            json!([
                "kube-system",
                "lab-v2",
                null,
                "DaemonSet",
                "agent",
                "Running",
                "BestEffort",
                null,
                null,
                null,
                1
            ]),
        ),
    ] {
        let path = format!("/api/pods/{pod}");
        // Owners arrive kind by kind.
        let owned = |answer: &Value| answer[0]["workload_name"] == facts[4];
        let answer = captured.server.eventually(&path, owned).await;
        assert_eq!(some(&answer[0], &fields), facts, "{pod}");
        assert_eq!(answer[0]["cpu_millicores"], 100.0);
    }
}

#[tokio::test]
async fn of_pods_of_one_name_the_namespace_chooses() {
    let captured = Captured::measured(1).await;
    let problem = captured.server.problem(409, "/api/pods/bare").await;
    assert_eq!(problem["namespaces"], json!(["default", "shop"]));
    for namespace in ["default", "shop"] {
        for path in [
            format!("/api/pods/bare?namespace={namespace}"),
            format!("/api/namespaces/{namespace}/pods/bare"),
        ] {
            let pod = captured.server.json(&path).await;
            assert_eq!(some(&pod[0], &["namespace", "pod_name"]), json!([namespace, "bare"]));
            assert_eq!(pod[0]["memory_used_bytes"], PER_POD_BYTES, "{path}");
        }
    }
    captured.server.problem(404, "/api/pods/bare?namespace=kube-system").await;
}

#[tokio::test]
async fn init_and_sidecar_containers_are_shown_and_the_sandbox_is_not() {
    let captured = Captured::measured(2).await;
    let containers = "/api/namespaces/default/pods/bare/containers";
    let now = captured.server.json(containers).await;
    let shown: Vec<Value> = now
        .as_array()
        .unwrap()
        .iter()
        .map(|container| some(container, &["container_name", "container_role", "ended"]))
        .collect();
    assert_eq!(
        json!(shown),
        json!([["init", "init", true], ["net", "app", false], ["restartable", "sidecar", false]])
    );
    let cpu: Vec<&Value> =
        now.as_array().unwrap().iter().map(|container| &container["cpu_millicores"]).collect();
    assert_eq!(json!(cpu), json!([null, 100.0, 100.0]));
    assert!(now[1]["image"].is_string() && now[1]["container_id"].is_string());
    // The one that had ended before anything was measured is in no span.
    let names = captured.server.column(&format!("{containers}?window=60"), "container_name").await;
    assert_eq!(json!(names), json!(["net", "restartable"]));
}

#[tokio::test]
async fn a_deployment_is_the_sum_of_its_pods_on_both_nodes() {
    let captured = Captured::measured(2).await;
    for path in
        ["/api/namespaces/shop/deployments/web", "/api/namespaces/shop/workloads/Deployment/web"]
    {
        let whole = |answer: &Value| answer[0]["cpu_millicores"] == 600.0;
        let web = &captured.server.eventually(path, whole).await[0];
        assert_eq!(web["pod_count"], 6);
        assert_eq!(web["memory_used_bytes"], 6 * PER_POD_BYTES);
        assert_eq!(web["memory_used_mb"], 60.0);
        assert_eq!(web["network_rx_bytes_per_second"], 6000.0);
        assert_eq!(
            some(web, &["cpu_request_millicores", "cpu_limit_millicores"]),
            json!([150, 1200])
        );
    }
    let nodes = captured.server.column("/api/namespaces/shop/deployments/web/pods", "node_name");
    let nodes = nodes.await;
    assert_eq!(nodes.iter().filter(|node| **node == "lab-node").count(), 3);
    assert_eq!(nodes.iter().filter(|node| **node == "lab-v2").count(), 3);
}

#[tokio::test]
async fn workloads_are_of_every_kind_and_deployments_are_those_of_one() {
    let captured = Captured::measured(2).await;
    let all = |answer: &Value| answer.as_array().is_some_and(|list| list.len() == 5);
    let workloads = captured.server.eventually("/api/namespaces/shop/workloads", all).await;
    let mut named: Vec<Value> = workloads
        .as_array()
        .unwrap()
        .iter()
        .map(|workload| some(workload, &["workload_kind", "workload_name"]))
        .collect();
    named.sort_by_key(ToString::to_string);
    let expected = json!([
        ["Deployment", "guaranteed"],
        ["Deployment", "web"],
        ["Job", "report"],
        ["Pod", "bare"],
        ["StatefulSet", "db"],
    ]);
    assert_eq!(json!(named), expected);
    let deployments =
        captured.server.column("/api/namespaces/shop/deployments", "deployment").await;
    assert_eq!(json!(deployments), json!(["guaranteed", "web"]));
    captured.server.problem(404, "/api/namespaces/shop/deployments/db").await;
}

#[tokio::test]
async fn a_pod_that_ended_is_still_answered_by_name_and_its_bytes_stay_in_the_sums() {
    let captured = Captured::measured(2).await;
    let server = &captured.server;
    let whole = |answer: &Value| answer[0]["network_rx_bytes_per_second"] == 11_000.0;
    let before = server.eventually("/api/namespaces/shop", whole).await;
    captured.kubernetes.delete("pods", "shop", "db-2");
    captured.measure(-1, 3, |pod| pod["metadata"]["name"] != "db-2").await;
    let gone = |answer: &Value| answer.as_array().is_some_and(|list| list.len() == 13);
    server.eventually("/api/pods", gone).await;

    let pod = server.json("/api/pods/db-2").await;
    assert_eq!(some(&pod[0], &["pod_name", "ended", "node_name"]), json!(["db-2", true, "lab-v2"]));
    let samples = server.json("/api/pods/db-2?window=60").await;
    assert_eq!(samples.as_array().unwrap().len(), 2);
    let names = server.column("/api/pods?window=60", "pod_name").await;
    assert!(names.contains(&json!("db-2")), "it was there in that span");

    let after = server.json("/api/namespaces/shop").await;
    assert_eq!(after[0]["pod_count"], 10);
    let bytes = |answer: &Value| answer[0]["network_rx_bytes"].as_u64().unwrap();
    assert_eq!(bytes(&after) - bytes(&before), 10 * 5000, "ten went on, and none was taken away");
}

#[tokio::test]
async fn what_kubernetes_knows_and_nobody_measured_is_listed_without_figures() {
    let captured = Captured::start().await;
    let nodes = captured.server.json("/api/nodes").await;
    assert_eq!(
        some(&nodes[1], &["node_name", "ready", "stale", "cpu_millicores"]),
        json!(["lab-v2", true, true, null])
    );
    let pods = captured.server.json("/api/pods").await;
    assert_eq!(pods.as_array().unwrap().len(), 14);
    assert_eq!(pods[0]["memory_used_bytes"], Value::Null);
}

#[tokio::test]
async fn what_was_deleted_leaves_the_lists_and_is_told_of_when_asked() {
    let captured = Captured::measured(2).await;
    let server = &captured.server;
    let named = |list: &Value, field: &str, name: &str| {
        list.as_array().unwrap().iter().any(|item| item[field] == name)
    };
    server
        .eventually("/api/namespaces/default/workloads", |all| named(all, "workload_name", "bare"))
        .await;
    captured.kubernetes.delete("pods", "default", "bare");
    captured.kubernetes.delete("namespaces", "", "default");
    for (list, field, name) in [
        ("/api/namespaces", "namespace", "default"),
        ("/api/namespaces/default/workloads", "workload_name", "bare"),
    ] {
        server.eventually(list, |all| !named(all, field, name)).await;
        let over_time = server.json(&format!("{list}?window=600")).await;
        assert!(named(&over_time, field, name), "{over_time}");
    }
    let by_name = server.json("/api/namespaces/default?window=600").await;
    assert_eq!(by_name.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_pod_that_runs_on_though_kubernetes_forgot_it_comes_back_into_the_lists() {
    let captured = Captured::measured(2).await;
    let server = &captured.server;
    let found = |pods: &Value| {
        let pods = pods.as_array().unwrap();
        let pod = pods.iter().find(|pod| pod["pod_name"] == "db-0");
        pod.map(|pod| some(pod, &["namespace", "ended", "memory_used_bytes"]))
    };
    let lists = ["/api/pods", "/api/pods?sort=cpu&limit=30", "/api/namespaces/shop/pods"];
    let there = Some(json!(["shop", false, PER_POD_BYTES]));
    for list in lists {
        assert_eq!(found(&server.json(list).await), there, "{list}");
    }
    captured.kubernetes.delete("pods", "shop", "db-0");
    for list in lists {
        // Its cgroup is there for a moment still, and is no pod.
        server.eventually(list, |pods| found(pods).is_none()).await;
    }
    captured.measure(-14, 3, |_| true).await;
    for list in lists {
        assert_eq!(found(&server.json(list).await), there, "{list}, more than a minute later");
    }
    captured.measure(-15, 4, |pod| pod["metadata"]["name"] != "db-0").await;
    for list in lists {
        assert_eq!(found(&server.json(list).await), None, "{list}, ended");
    }
}
