//! Lists: order, pages, choice.

use kubemonitor_model::Metric;
use serde_json::{Value, json};

use crate::support::{Captured, Running, node, recent, tick};

/// Nodes a to e; c has the most CPU and e has not been measured twice.
async fn five_nodes() -> Running {
    let server = Running::start().await;
    for (name, cpu_seconds) in [("d", 2), ("b", 1), ("c", 9), ("a", 2)] {
        let values = |nth: u64| {
            [(Metric::CpuUsage, nth * cpu_seconds * 1_000_000_000), (Metric::MemoryWorkingSet, 5)]
        };
        server.tick(&tick(name, recent(1), vec![node(name, &values(1))])).await;
        server.tick(&tick(name, recent(0), vec![node(name, &values(2))])).await;
    }
    server.tick(&tick("e", recent(0), vec![node("e", &[(Metric::CpuUsage, 1)])])).await;
    server
}

fn names(list: &[Value]) -> String {
    list.iter().map(|name| name.as_str().unwrap()).collect()
}

#[tokio::test]
async fn lists_are_sorted_by_name_unless_asked_otherwise() {
    let server = five_nodes().await;
    for (query, order) in [
        ("", "abcde"),
        ("?sort=name", "abcde"),
        ("?sort=-name", "edcba"),
        ("?sort=cpu", "badce"),
        ("?sort=-cpu", "cadbe"),
        ("?sort=-memory", "abcde"),
        ("?sort=network", "abcde"),
        ("?sort=-disk&window=60", "abcde"),
        ("?sort=-cpu&window=60", "cadbe"),
    ] {
        let nodes = server.column(&format!("/api/nodes{query}"), "node_name").await;
        assert_eq!(names(&nodes), order, "{query}");
    }
}

#[tokio::test]
async fn pages_lead_to_the_next_until_the_last() {
    let server = five_nodes().await;
    for (sort, order) in [("name", "abcde"), ("-cpu", "cadbe")] {
        let mut path = format!("/api/nodes?sort={sort}&limit=2");
        let mut seen = String::new();
        loop {
            let reply = server.get(&path).await;
            let page = reply.json();
            let page: Vec<Value> =
                page.as_array().unwrap().iter().map(|node| node["node_name"].clone()).collect();
            seen += &names(&page);
            let Some(token) = reply.header("x-continue") else {
                assert_eq!(reply.header("link"), None);
                break;
            };
            let link = reply.header("link").unwrap();
            path = link.strip_prefix('<').unwrap().split('>').next().unwrap().to_owned();
            assert!(link.ends_with("; rel=\"next\"") && path.ends_with(token), "{link}");
        }
        assert_eq!(seen, order);
    }
}

#[tokio::test]
async fn a_page_goes_on_where_it_ended_though_others_come_between() {
    let server = five_nodes().await;
    let first = server.get("/api/nodes?limit=2").await;
    let token = first.header("x-continue").unwrap();
    for name in ["aa", "bb"] {
        server.tick(&tick(name, recent(0), vec![node(name, &[])])).await;
    }
    let rest = server.column(&format!("/api/nodes?continue={token}"), "node_name").await;
    assert_eq!(json!(rest), json!(["bb", "c", "d", "e"]));
}

#[tokio::test]
async fn pods_are_chosen_by_namespace_node_and_labels() {
    let captured = Captured::measured(1).await;
    let server = &captured.server;
    for (query, count) in [
        ("", 14),
        ("namespace=shop", 11),
        ("namespace=none", 0),
        ("node=lab-v2", 5),
        ("node=none", 0),
        ("namespace=shop&node=lab-v2", 4),
        ("labelSelector=app%3Dweb", 6),
        ("labelSelector=app%20in%20(web,db)", 9),
        ("labelSelector=app!%3Dweb", 8),
        ("labelSelector=!app&namespace=shop", 1),
        ("labelSelector=app%3Dweb&node=lab-node&window=60", 3),
    ] {
        let pods = server.json(&format!("/api/pods?{query}")).await;
        assert_eq!(pods.as_array().unwrap().len(), count, "{query}");
    }
    let in_namespace = server.json("/api/namespaces/shop/pods?node=lab-v2").await;
    assert_eq!(in_namespace.as_array().unwrap().len(), 4);
    let on_node = server.json("/api/nodes/lab-v2/pods?namespace=kube-system").await;
    assert_eq!(on_node.as_array().unwrap().len(), 1);
}
