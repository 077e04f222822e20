//! Every path of the contract, and the shape of its answer.

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::support::{Captured, PATHS, Running, Shape, fields, recent, send};

/// The cluster after three ticks, all of which are in every sum.
async fn measured() -> Captured {
    let captured = Captured::measured(3).await;
    let all = |answer: &Value| answer[0]["cpu_millicores"] == 1100.0;
    captured.server.eventually("/api/namespaces/shop", all).await;
    captured
}

fn assert_has_fields(sample: &Value, schema: &str, path: &str) {
    for field in fields(schema) {
        assert!(sample.get(field).is_some(), "{path} lacks {field}: {sample}");
    }
}

#[tokio::test]
async fn without_a_window_every_path_gives_the_newest_samples() {
    let captured = measured().await;
    for (path, shape, schema) in PATHS {
        let answer = captured.server.json(path).await;
        let items = answer.as_array().unwrap();
        assert!(!items.is_empty(), "{path}");
        if shape == Shape::One {
            assert_eq!(items.len(), 1, "{path}");
        }
        for item in items {
            assert_has_fields(item, schema, path);
        }
    }
}

#[tokio::test]
async fn with_a_window_every_path_gives_samples_oldest_first() {
    let captured = measured().await;
    for (path, shape, schema) in PATHS {
        let answer = captured.server.json(&format!("{path}?window=60")).await;
        let items = answer.as_array().unwrap();
        assert!(!items.is_empty(), "{path}");
        let all_samples: Vec<&Value> = match shape {
            Shape::One => vec![&answer],
            Shape::List => items.iter().map(|item| &item["samples"]).collect(),
        };
        for samples in all_samples.iter().map(|samples| samples.as_array().unwrap()) {
            let times = samples.iter().map(|sample| sample["timestamp"].as_str().unwrap());
            assert!(times.is_sorted(), "{path}");
            for sample in samples {
                assert_has_fields(sample, schema, path);
            }
        }
        // Ended containers and empty namespaces have none.
        assert!(all_samples.iter().any(|samples| samples.as_array().unwrap().len() >= 2), "{path}");
    }
}

#[tokio::test]
async fn lists_over_time_say_whose_samples_they_have() {
    let captured = measured().await;
    for (path, shape, schema) in PATHS {
        if shape == Shape::One {
            continue;
        }
        let name = match schema {
            "NodeSample" => "node_name",
            "PodSample" => "pod_name",
            "ContainerSample" => "container_name",
            "NamespaceSample" => "namespace",
            "DeploymentSample" => "deployment",
            _ => "workload_name",
        };
        for item in captured.server.json(&format!("{path}?window=60")).await.as_array().unwrap() {
            let samples = item["samples"].as_array().unwrap();
            assert!(item[name].is_string(), "{path}: {item}");
            assert!(samples.iter().all(|sample| sample[name] == item[name]), "{path}");
        }
    }
}

#[tokio::test]
async fn as_many_pods_are_listed_as_run() {
    let captured = measured().await;
    let pods = captured.server.json("/api/pods").await;
    assert_eq!(pods.as_array().unwrap().len(), 14);
    assert!(pods.as_array().unwrap().iter().all(|pod| pod["phase"] == "Running"));
    let node = &captured.server.json("/api/nodes").await[0];
    assert_eq!((&node["node_name"], &node["memory_used_mb"]), (&json!("lab-node"), &json!(1000.0)));
}

#[tokio::test]
async fn large_answers_are_compressed_for_those_who_can_read_it() {
    let captured = Captured::measured(60).await;
    let address = captured.server.address;
    let gzip = [("accept-encoding", "gzip")];
    let end = recent(1).0 / 1000;
    // The second one leaves in several pieces.
    for (path, at_least) in
        [("/api/pods".to_owned(), 2000), (format!("/api/pods?end={end}"), 600_000)]
    {
        let compressed = send(address, "GET", &path, &gzip, Vec::new()).await;
        assert_eq!(compressed.header("content-encoding"), Some("gzip"));
        assert_eq!(compressed.header("content-type"), Some("application/json"));
        let mut text = String::new();
        GzDecoder::new(&compressed.body[..]).read_to_string(&mut text).unwrap();
        assert!(text.len() > at_least && compressed.body.len() < text.len() / 2, "{}", text.len());
        let plain = captured.server.get(&path).await;
        assert_eq!((plain.header("content-encoding"), plain.text()), (None, text));
    }
}

#[tokio::test]
async fn the_server_says_that_it_is_up_and_that_it_can_serve() {
    let captured = measured().await;
    for (path, status) in [("/health", "healthy"), ("/ready", "ready")] {
        let answer = captured.server.json(path).await;
        assert_eq!(answer["status"], status);
        assert_eq!(answer["version"], env!("CARGO_PKG_VERSION"));
        assert!(answer["timestamp"].as_str().unwrap().ends_with('Z'));
    }
}

#[tokio::test]
async fn the_root_leads_programs_on() {
    let server = Running::start().await;
    let json = [("accept", "application/json")];
    let about = send(server.address, "GET", "/", &json, Vec::new()).await.json();
    assert_eq!(about["name"], "kubemonitor");
    for (name, path) in about["links"].as_object().unwrap() {
        assert_eq!(server.get(path.as_str().unwrap()).await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn the_documentation_needs_nothing_from_elsewhere() {
    let server = Running::start().await;
    for path in ["/docs", "/docs/", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"] {
        let reply = server.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'self'"), "{policy}");
        if path.starts_with("/docs/swagger") {
            continue;
        }
        for tag in ["src=\"http", "href=\"http", "src=\"//", "href=\"//"] {
            assert!(!reply.text().contains(tag), "{path}: {tag}");
        }
    }
}
