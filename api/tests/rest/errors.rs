//! Refusals: what was wrong, and what would be right.

use kubemonitor_api::{Access, Keys};
use kubemonitor_inventory::Inventory;
use serde_json::{Value, json};

use crate::support::{Captured, Reply, Running, send, settings};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn post(server: &Running, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    send(server.address, "POST", path, headers, body.as_bytes().to_vec()).await
}

fn kind(problem: &Value) -> &str {
    problem["type"].as_str().unwrap().trim_start_matches("urn:kubemonitor:problem:")
}

#[tokio::test]
async fn a_parameter_that_cannot_be_used_is_named_with_its_value_and_the_remedy() {
    let server = Running::start().await;
    for (query, parameter, value) in [
        ("window=soon", "window", "soon"),
        ("window=0", "window", "0"),
        ("window=-5", "window", "-5"),
        ("window=60&step=0", "step", "0"),
        ("start=yesterday", "start", "yesterday"),
        ("end=2026-13-01T00:00:00Z", "end", "2026-13-01T00:00:00Z"),
        ("limit=0", "limit", "0"),
        ("limit=many", "limit", "many"),
        ("continue=x", "continue", "x"),
        ("sort=colour", "sort", "colour"),
        ("labelSelector=a%20b", "labelSelector", "a b"),
        ("windows=60", "windows", "60"),
        ("window=60&window=60", "window", "60"),
    ] {
        let problem = server.problem(400, &format!("/api/pods?{query}")).await;
        assert_eq!(kind(&problem), "bad-parameter", "{query}");
        assert_eq!((&problem["parameter"], &problem["value"]), (&json!(parameter), &json!(value)));
        assert!(!problem["remedy"].as_str().unwrap().is_empty(), "{query}");
    }
}

#[tokio::test]
async fn a_path_that_is_no_text_is_refused() {
    let server = Running::start().await;
    assert_eq!(kind(&server.problem(400, "/api/nodes/%FF").await), "bad-path");
}

#[tokio::test]
async fn what_nobody_knows_is_not_found_on_every_path() {
    let captured = Captured::start().await;
    for path in [
        "/api/nodes/none",
        "/api/nodes/none/pods",
        "/api/pods/none",
        "/api/namespaces/none",
        "/api/namespaces/none/pods",
        "/api/namespaces/shop/pods/none",
        "/api/namespaces/shop/pods/none/containers",
        "/api/namespaces/none/deployments",
        "/api/namespaces/shop/deployments/none",
        "/api/namespaces/shop/deployments/none/pods",
        "/api/namespaces/none/workloads",
        "/api/namespaces/shop/workloads/StatefulSet/none",
        "/api/namespaces/shop/workloads/Deployment/db/pods",
    ] {
        let problem = captured.server.problem(404, path).await;
        assert_eq!(kind(&problem), "unknown-entity", "{path}");
        let with_window = captured.server.problem(404, &format!("{path}?window=60")).await;
        assert_eq!(with_window["detail"], problem["detail"], "{path}");
    }
    for path in ["/api", "/api/none", "/api/nodes/", "/docs/none"] {
        let problem = captured.server.problem(404, path).await;
        assert_eq!(kind(&problem), "unknown-path", "{path}");
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_refused_with_those_it_has() {
    let server = Running::start().await;
    for (method, path, allowed) in [
        ("POST", "/api/nodes", "GET"),
        ("DELETE", "/api/nodes/n", "POST"),
        ("PUT", "/api/pods/p", "GET"),
        ("GET", "/api/frames", "POST"),
        ("PATCH", "/health", "GET"),
    ] {
        let reply = send(server.address, method, path, &[], Vec::new()).await;
        assert_eq!(kind(&reply.problem(405)), "method-not-allowed");
        let allow = reply.header("allow").unwrap();
        assert!(allow.split(',').any(|one| one == allowed), "{method} {path}: {allow}");
    }
}

#[tokio::test]
async fn writes_need_the_token_and_reads_do_not() {
    let mut settings = settings();
    settings.access = Access::Closed(Keys { token: Some("s3cret".into()), ..Keys::default() });
    let server = Running::with(&settings, Inventory::without_cluster()).await;
    for path in [
        "/api/nodes/n",
        "/api/pods/p",
        "/api/namespaces/s",
        "/api/namespaces/s/deployments/d",
        "/api/frames",
    ] {
        let without = post(&server, path, &[JSON], "{}").await;
        assert_eq!(without.header("www-authenticate"), Some("Bearer"));
        assert_eq!(kind(&without.problem(401)), "no-token", "{path}");
        let wrong = post(&server, path, &[JSON, ("authorization", "Bearer other")], "{}").await;
        assert_eq!(kind(&wrong.problem(403)), "wrong-token", "{path}");
        // The right one gets as far as the body.
        let right = post(&server, path, &[JSON, ("authorization", "Bearer s3cret")], "{}").await;
        assert!([400, 415].contains(&right.status), "{path}: {}", right.text());
    }
    assert_eq!(server.json("/api/nodes").await, json!([]));
}

#[tokio::test]
async fn bodies_have_a_type_a_size_and_a_form() {
    let server = Running::start().await;
    let large = format!("{{\"timestamp\": \"{}\"}}", "x".repeat(1 << 20));
    for path in
        ["/api/nodes/n", "/api/pods/p", "/api/namespaces/s", "/api/namespaces/s/deployments/d"]
    {
        for headers in [&[][..], &[("content-type", "text/plain")]] {
            let refused = post(&server, path, headers, "{}").await;
            assert_eq!(kind(&refused.problem(415)), "wrong-content-type", "{path}");
        }
        let refused = post(&server, path, &[JSON], &large).await;
        assert_eq!(kind(&refused.problem(413)), "body-too-large", "{path}");
        for body in ["", "{", "[]", "{}", r#"{"timestamp": 5}"#] {
            let refused = post(&server, path, &[JSON], body).await;
            assert_eq!(kind(&refused.problem(400)), "bad-body", "{path}: {body}");
        }
    }
}

#[tokio::test]
async fn who_pushes_more_than_may_be_held_is_told_when_to_return() {
    let mut settings = settings();
    settings.storage.limits.max_series = 1;
    let server = Running::with(&settings, Inventory::without_cluster()).await;
    let sample =
        |node: &str| json!({"timestamp": jiff::Timestamp::now().to_string(), "node": node});
    assert_eq!(server.push("/api/nodes/a", &sample("a")).await.status, 200);
    let refused = server.push("/api/nodes/b", &sample("b")).await;
    assert_eq!(kind(&refused.problem(429)), "over-the-limit");
    assert_eq!(refused.header("retry-after"), Some("2"));
}

#[tokio::test]
async fn until_the_cluster_is_known_the_server_is_not_ready() {
    let server = Running::with(&settings(), Inventory::of_cluster()).await;
    let problem = server.problem(503, "/ready").await;
    assert_eq!(kind(&problem), "not-ready");
    let missing = problem["missing"].to_string();
    for kind in ["pods", "nodes", "namespaces"] {
        assert!(missing.contains(kind), "{missing}");
    }
    assert_eq!(server.get("/health").await.status, 200);
}
