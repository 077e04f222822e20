//! metrics.k8s.io, over real TLS: who may ask, and what is answered.

use kubemonitor_fake_kubernetes::{Fault, Fixture, Verb};
use kubemonitor_model::Metric;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::support::{Authority, Reply, Top, container, node, pod, recent, tick};

const NODES: &str = "/apis/metrics.k8s.io/v1beta1/nodes";
const PODS: &str = "/apis/metrics.k8s.io/v1beta1/pods";
const SHOP: &str = "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods";
const KUBECTL_GET: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,\
    application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";

/// The `Status` of a refusal.
fn status(reply: &Reply, code: u16, reason: &str) -> Value {
    let status = reply.json();
    assert_eq!(reply.status, code, "{status}");
    assert_eq!(reply.header("content-type"), Some("application/json"));
    for (field, value) in [
        ("kind", json!("Status")),
        ("apiVersion", json!("v1")),
        ("status", json!("Failure")),
        ("code", json!(code)),
        ("reason", json!(reason)),
    ] {
        assert_eq!(status[field], value, "{status}");
    }
    status
}

fn right(verb: &str, resource: &str) -> Value {
    json!({"group": "metrics.k8s.io", "version": "v1beta1", "resource": resource, "verb": verb})
}

#[tokio::test]
async fn the_front_proxy_says_who_asks() {
    let top = Top::after(3).await;
    let mut right = right("get", "pods");
    right["namespace"] = "shop".into();
    right["name"] = "db-0".into();
    top.allow(json!({
        "user": "jane", "groups": ["dev", "ops", "system:authenticated"],
        "extra": {"acme.com/project": ["x", "y"]}, "resourceAttributes": right,
    }));
    let headers = [
        ("X-Remote-User", "jane"),
        ("X-Remote-Group", "dev"),
        ("X-Remote-Group", "ops"),
        ("X-Remote-Extra-Acme.com%2fproject", "x"),
        ("X-Remote-Extra-Acme.com%2fproject", "y"),
    ];
    let path = format!("{SHOP}/db-0");
    let reply = top.ask(Some(&top.proxy()), "GET", &path, &headers).await;
    assert_eq!((reply.status, &reply.json()["kind"]), (200, &json!("PodMetrics")));
    let without_group = top.ask(Some(&top.proxy()), "GET", &path, &headers[..1]).await;
    status(&without_group, 403, "Forbidden");
}

#[tokio::test]
async fn who_only_claims_to_be_the_front_proxy_is_nobody() {
    let top = Top::after(1).await;
    let stranger = Authority::new("proxies");
    let headers = [("x-remote-user", "admin"), ("x-remote-group", "system:masters")];
    for identity in [
        None,
        Some(stranger.client("front-proxy-client", None)),
        // Signed by the right one, but for something else.
        Some(top.proxies.client("kubelet", None)),
        Some(stranger.client("admin", Some("system:masters"))),
    ] {
        let reply = top.ask(identity.as_ref(), "GET", NODES, &headers).await;
        status(&reply, 401, "Unauthorized");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    }
    // One of the cluster's users is who the certificate says, not who the headers do.
    let jane = top.clients.client("jane", None);
    let reply = top.ask(Some(&jane), "GET", NODES, &headers).await;
    let message = status(&reply, 403, "Forbidden")["message"].to_string();
    assert!(message.contains("jane") && !message.contains("admin"), "{message}");
}

#[tokio::test]
async fn clients_with_a_certificate_of_the_cluster_ask_for_themselves() {
    let top = Top::after(1).await;
    let admin = top.clients.client("kubernetes-admin", Some("system:masters"));
    assert_eq!(top.ask(Some(&admin), "GET", NODES, &[]).await.status, 200);
    assert_eq!(
        top.captured.kubernetes.reviews("subjectaccessreviews"),
        0,
        "masters may do everything"
    );
    top.allow(json!({
        "user": "jane", "groups": ["dev", "system:authenticated"], "extra": {},
        "resourceAttributes": right("list", "nodes"),
    }));
    let jane = top.clients.client("jane", Some("dev"));
    assert_eq!(top.ask(Some(&jane), "GET", NODES, &[]).await.status, 200);
    status(&top.ask(Some(&jane), "GET", PODS, &[]).await, 403, "Forbidden");
}

#[tokio::test]
async fn tokens_are_whose_kubernetes_says() {
    let top = Top::after(1).await;
    top.captured.kubernetes.decide(|resource, spec| match resource {
        "tokenreviews" if spec["token"] == "good" => {
            json!({"authenticated": true, "user": {"username": "robot", "groups": ["robots"]}})
        }
        "tokenreviews" => json!({"authenticated": false}),
        _ => json!({"allowed": spec["user"] == "robot"}),
    });
    for _ in 0..2 {
        let reply = top.ask(None, "GET", NODES, &[("authorization", "Bearer good")]).await;
        assert_eq!(reply.status, 200);
    }
    assert_eq!(top.captured.kubernetes.reviews("tokenreviews"), 1, "a verdict is remembered");
    for header in ["Bearer bad", "Bearer ", "Basic good"] {
        let reply = top.ask(None, "GET", NODES, &[("authorization", header)]).await;
        status(&reply, 401, "Unauthorized");
    }
}

#[tokio::test]
async fn who_may_not_is_told_what_right_is_missing() {
    let top = Top::after(1).await;
    let decide = |_: &str, _: &Value| json!({"allowed": false, "reason": "no role"});
    top.captured.kubernetes.decide(decide);
    let jane = [("x-remote-user", "jane")];
    for _ in 0..2 {
        let reply = top.ask(Some(&top.proxy()), "GET", SHOP, &jane).await;
        assert_eq!(
            status(&reply, 403, "Forbidden")["message"],
            "pods.metrics.k8s.io is forbidden: User \"jane\" cannot list resource \"pods\" in API \
             group \"metrics.k8s.io\" in the namespace \"shop\": no role"
        );
    }
    assert_eq!(
        top.captured.kubernetes.reviews("subjectaccessreviews"),
        1,
        "a verdict is remembered"
    );
    let other = top.ask(Some(&top.proxy()), "GET", SHOP, &[("x-remote-user", "john")]).await;
    assert_eq!((other.status, top.captured.kubernetes.reviews("subjectaccessreviews")), (403, 2));
}

#[tokio::test]
async fn without_a_verdict_nobody_is_let_in() {
    let top = Top::after(1).await;
    top.captured.kubernetes.decide(|_, _| json!({"allowed": true}));
    let jane = [("x-remote-user", "jane")];
    let kubernetes = &top.captured.kubernetes;
    kubernetes.fail("subjectaccessreviews", Verb::Review, Fault::Status(500), 1);
    let reply = top.ask(Some(&top.proxy()), "GET", NODES, &jane).await;
    status(&reply, 503, "ServiceUnavailable");
    // That it failed is not remembered.
    assert_eq!(top.ask(Some(&top.proxy()), "GET", NODES, &jane).await.status, 200);
}

#[tokio::test]
async fn a_cluster_that_does_not_say_whom_to_believe_is_asked_again() {
    let top = Top::unknown_to_the_cluster().await;
    top.captured.kubernetes.fail("configmaps", Verb::Get, Fault::Status(403), 1);
    status(&top.get(NODES, &[]).await, 401, "Unauthorized");
    assert_eq!(top.captured.server.get("/health").await.status, 200, "REST goes on");
    top.introduce();
    top.until(200).await;
}

#[tokio::test]
async fn nodes_are_listed_with_what_they_used() {
    let top = Top::after(4).await;
    let list = top.json(NODES).await;
    assert_eq!(list["kind"], "NodeMetricsList");
    assert_eq!(list["apiVersion"], "metrics.k8s.io/v1beta1");
    assert_eq!(top.names(NODES).await, ["lab-node", "lab-v2"]);
    let node = &list["items"][0];
    assert_eq!(node["usage"], json!({"cpu": "400000000n", "memory": "1024000Ki"}));
    assert_eq!(node["window"], "15s");
    assert_eq!(node["metadata"]["labels"]["kubernetes.io/hostname"], "lab-node");
    let timestamp = node["timestamp"].as_str().unwrap();
    assert!(timestamp.len() == 20 && timestamp.ends_with('Z'), "{timestamp}");
    let mut one = top.json(&format!("{NODES}/lab-node")).await;
    assert_eq!((&one["kind"], &one["usage"]), (&json!("NodeMetrics"), &node["usage"]));
    one["metadata"]["creationTimestamp"] = node["metadata"]["creationTimestamp"].clone();
    assert_eq!(one["metadata"], node["metadata"]);
}

#[tokio::test]
async fn pods_have_their_named_containers_and_no_sandbox() {
    let top = Top::after(3).await;
    let list = top.json(PODS).await;
    assert_eq!(list["kind"], "PodMetricsList");
    let fixture = Fixture::captured();
    let running: Vec<&Value> =
        fixture.lists["pods"].iter().filter(|pod| pod["status"]["phase"] == "Running").collect();
    let items = list["items"].as_array().unwrap();
    assert_eq!((items.len(), running.len()), (14, 14), "one of 15 has ended");
    for pod in running {
        let metadata = &pod["metadata"];
        let same = |item: &&Value| {
            item["metadata"]["name"] == metadata["name"]
                && item["metadata"]["namespace"] == metadata["namespace"]
        };
        let item = items.iter().find(same).unwrap_or_else(|| panic!("{metadata}"));
        let mut containers: Vec<&Value> =
            item["containers"].as_array().unwrap().iter().map(|c| &c["name"]).collect();
        containers.sort_by_key(ToString::to_string);
        let statuses = ["containerStatuses", "initContainerStatuses"]
            .iter()
            .flat_map(|field| pod["status"][*field].as_array().into_iter().flatten());
        let mut named: Vec<&Value> = statuses
            .filter(|status| status["state"]["running"].is_object())
            .map(|status| &status["name"])
            .collect();
        named.sort_by_key(ToString::to_string);
        assert_eq!(containers, named, "{metadata}");
        for container in item["containers"].as_array().unwrap() {
            assert_eq!(container["usage"], json!({"cpu": "100000000n", "memory": "10240Ki"}));
        }
        assert_eq!(
            (&item["window"], &item["metadata"]["labels"]),
            (&json!("10s"), &metadata["labels"])
        );
    }
}

#[tokio::test]
async fn what_was_measured_once_is_left_out_until_it_was_twice() {
    let top = Top::after(1).await;
    for path in [NODES, PODS] {
        assert_eq!(top.json(path).await["items"], json!([]), "{path}");
    }
    let message = |reply: &Reply| status(reply, 404, "NotFound")["message"].clone();
    let node = top.get(&format!("{NODES}/lab-node"), &[]).await;
    assert_eq!(message(&node), "nodemetrics.metrics.k8s.io \"lab-node\" not found");
    let pod = top.get(&format!("{SHOP}/db-0"), &[]).await;
    assert_eq!(message(&pod), "podmetrics.metrics.k8s.io \"shop/db-0\" not found");
    top.captured.measure(-1, 2, |_| true).await;
    assert_eq!(top.names(NODES).await.len(), 2);
    assert_eq!(top.names(PODS).await.len(), 14);
}

#[tokio::test]
async fn a_pod_that_is_not_there_any_more_has_no_figures() {
    let top = Top::after(3).await;
    top.captured.measure(-1, 4, |pod| pod["metadata"]["name"] != "db-0").await;
    status(&top.get(&format!("{SHOP}/db-0"), &[]).await, 404, "NotFound");
    assert_eq!(top.names(PODS).await.len(), 13);
}

#[tokio::test]
async fn lists_are_chosen_by_namespace_labels_and_fields() {
    let top = Top::after(2).await;
    for (path, count) in [
        (SHOP.to_owned(), 11),
        (PODS.replace("/pods", "/namespaces/none/pods"), 0),
        (format!("{PODS}?labelSelector=app%3Dweb"), 6),
        (format!("{PODS}?labelSelector=app%20in%20(web,db)"), 9),
        (format!("{SHOP}?labelSelector=app%3Dweb&fieldSelector=spec.nodeName%3Dlab-node"), 3),
        (format!("{PODS}?fieldSelector=metadata.name%3Ddb-0"), 1),
        (format!("{PODS}?fieldSelector=metadata.namespace!%3Dshop&limit=1"), 3),
        (format!("{NODES}?labelSelector=kubernetes.io/hostname%3Dlab-v2"), 1),
        (format!("{NODES}?fieldSelector=metadata.name!%3Dlab-v2"), 1),
    ] {
        assert_eq!(top.names(&path).await.len(), count, "{path}");
    }
    for query in ["labelSelector=a%20b", "fieldSelector=spec.x%3Dy"] {
        let reply = top.get(&format!("{PODS}?{query}"), &[]).await;
        status(&reply, 400, "BadRequest");
    }
}

#[tokio::test]
async fn kubectl_get_is_given_a_table() {
    let top = Top::after(4).await;
    let accept = [("accept", KUBECTL_GET)];
    let nodes = top.get(NODES, &accept).await.json();
    assert_eq!((&nodes["kind"], &nodes["apiVersion"]), (&json!("Table"), &json!("meta.k8s.io/v1")));
    let columns = nodes["columnDefinitions"].as_array().unwrap().iter();
    let columns: Vec<&Value> = columns.map(|column| &column["name"]).collect();
    assert_eq!(json!(columns), json!(["Name", "CPU", "Memory", "Window"]));
    assert_eq!(nodes["rows"][1]["cells"], json!(["lab-v2", "400000000n", "1024000Ki", "15s"]));
    let object = &nodes["rows"][1]["object"];
    assert_eq!(object["kind"], "PartialObjectMetadata");
    assert_eq!(object["metadata"]["name"], "lab-v2");
    let pod = top.get(&format!("{SHOP}/db-0?includeObject=Object"), &accept).await.json();
    assert_eq!(pod["rows"][0]["cells"], json!(["db-0", "100000000n", "10240Ki", "15s"]));
    assert_eq!(pod["rows"][0]["object"]["kind"], "PodMetrics");
}

#[tokio::test]
async fn clients_find_out_what_there_is() {
    let top = Top::after(1).await;
    let groups = top.json("/apis").await;
    assert_eq!(groups["groups"][0]["preferredVersion"]["groupVersion"], "metrics.k8s.io/v1beta1");
    assert_eq!(top.json("/apis/metrics.k8s.io").await["kind"], "APIGroup");
    let resources = top.json("/apis/metrics.k8s.io/v1beta1").await;
    let resource = |place: usize, field| resources["resources"][place][field].clone();
    assert_eq!([resource(0, "name"), resource(0, "namespaced")], [json!("nodes"), json!(false)]);
    assert_eq!([resource(1, "name"), resource(1, "namespaced")], [json!("pods"), json!(true)]);
    status(&top.get("/apis/metrics.k8s.io/v1", &[]).await, 404, "NotFound");
}

#[tokio::test]
async fn every_schema_of_the_description_is_there() {
    let top = Top::after(1).await;
    let groups = top.json("/openapi/v3").await;
    let at = &groups["paths"]["apis/metrics.k8s.io/v1beta1"]["serverRelativeURL"];
    for document in [top.json("/openapi/v2").await, top.json(at.as_str().unwrap()).await] {
        let schemas = [&document["definitions"], &document["components"]["schemas"]];
        let schemas = schemas.into_iter().find_map(Value::as_object).unwrap();
        let text = document.to_string();
        let used = text.split("\"$ref\":\"").skip(1).filter_map(|rest| rest.split('"').next());
        for used in used {
            assert!(schemas.contains_key(used.rsplit('/').next().unwrap()), "{used}");
        }
        let list = &document["paths"][SHOP.replace("shop", "{namespace}")]["get"];
        assert_eq!(list["x-kubernetes-group-version-kind"]["kind"], "PodMetrics");
    }
}

#[tokio::test]
async fn whether_it_is_up_is_no_secret() {
    let top = Top::unknown_to_the_cluster().await;
    for path in ["/healthz", "/livez", "/readyz"] {
        let reply = top.ask(None, "GET", path, &[]).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, "ok"), "{path}");
    }
}

#[tokio::test]
async fn there_is_nothing_but_reads_and_json() {
    let top = Top::after(1).await;
    let admin = top.clients.client("admin", Some("system:masters"));
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let reply = top.ask(Some(&admin), method, NODES, &[]).await;
        status(&reply, 405, "MethodNotAllowed");
        assert_eq!(reply.header("allow"), Some("GET, HEAD"));
    }
    status(&top.get(&format!("{PODS}?watch=true"), &[]).await, 405, "MethodNotAllowed");
    let protobuf = [("accept", "application/vnd.kubernetes.protobuf")];
    status(&top.get(NODES, &protobuf).await, 406, "NotAcceptable");
    let autoscaler = [("accept", "application/vnd.kubernetes.protobuf, */*")];
    assert_eq!(top.get(NODES, &autoscaler).await.status, 200);
}

#[tokio::test]
async fn it_stops_with_the_server_though_connections_are_open() {
    let top = Top::after(1).await;
    let address = top.captured.server.metrics_api.unwrap();
    let idle = top.own.connect(address, None).await;
    let silent = tokio::net::TcpStream::connect(address).await.unwrap();
    let begun = std::time::Instant::now();
    drop(silent);
    top.captured.server.stop().await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
    drop(idle);
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn strangers_are_given_little() {
    let top = Top::after(1).await;
    let address = top.captured.server.metrics_api.unwrap();
    // No byte of a handshake ever comes.
    let mut silent = tokio::net::TcpStream::connect(address).await.unwrap();

    let long = "a".repeat(20_000);
    for identity in [None, Some(&top.proxy())] {
        let refused = top.ask(identity, "GET", "/livez", &[("x-long", &long)]).await;
        let refusal = status(&refused, 431, "BadRequest");
        assert!(refusal["message"].as_str().unwrap().contains("16 KiB"), "{refusal}");
        assert_eq!(refused.header("x-content-type-options"), Some("nosniff"));
    }
    let twice = top.ask(None, "GET", "/livez", &[("host", "another")]).await;
    status(&twice, 400, "BadRequest");
    let well = top.ask(None, "GET", "/livez", &[]).await;
    assert_eq!((well.status, well.header("x-content-type-options")), (200, Some("nosniff")));

    let ended = async {
        let mut byte = [0];
        silent.read(&mut byte).await.map_or(0, |bytes| bytes)
    };
    let ended = tokio::time::timeout(std::time::Duration::from_secs(60), ended).await;
    assert_eq!(ended.expect("a handshake has five seconds"), 0);
}

#[tokio::test]
async fn a_pod_stays_while_its_container_is_started_again() {
    const UID: &str = "c96ab411-2bca-47bf-90b4-002d39ce26bb";
    let top = Top::unknown_to_the_cluster().await;
    top.introduce();
    top.captured.measure(20, 1, |_| true).await;
    top.until(200).await;
    let say = |id: &str, state: Value| {
        let status = json!([{"name": "app", "containerID": format!("containerd://{id}"),
                             "state": state, "ready": true, "restartCount": 0}]);
        top.captured.kubernetes.put(
            "pods",
            json!({
                "metadata": {"name": "restarting", "namespace": "shop", "uid": UID},
                "spec": {"nodeName": "lab-node", "containers": [{"name": "app"}]},
                "status": {"phase": "Running", "containerStatuses": status},
            }),
        );
    };
    // One tick, so many after the first, the `nth` of the run of a container, if one is there.
    let measure = async |after: i64, run: Option<(&str, u64)>| {
        let memory = (Metric::MemoryWorkingSet, 5 << 20);
        let mut rows = vec![node("lab-node", &[]), pod(UID, &[memory])];
        if let Some((id, nth)) = run {
            rows.push(container(id, 1, &[memory, (Metric::CpuUsage, nth * 500_000_000)]));
        }
        top.captured.server.tick(&tick("lab-node", recent(20 - after), rows)).await;
    };
    let path = format!("{SHOP}/restarting");
    let used = async || {
        let reply = top.get(&path, &[]).await;
        let containers = (reply.status == 200).then(|| reply.json()["containers"].clone());
        containers.map(|list| list[0]["usage"]["cpu"].as_str().unwrap_or_default().to_owned())
    };
    say("first", json!({"running": {}}));
    for (after, nth) in [(1, 1), (2, 2), (3, 3)] {
        measure(after, Some(("first", nth))).await;
    }
    for _ in 0..500 {
        if used().await.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let before = used().await;
    assert!(before.is_some());
    // Killed; started again, measured once and not named yet; named; measured twice.
    measure(4, None).await;
    assert_eq!(used().await, before);
    measure(5, Some(("second", 1))).await;
    assert_eq!(used().await, before);
    say("second", json!({"running": {}}));
    let named = |pods: &Value| pods[0]["container_id"] == "second";
    let containers = "/api/namespaces/shop/pods/restarting/containers";
    top.captured.server.eventually(containers, named).await;
    assert_eq!(used().await, before);
    measure(6, Some(("second", 3))).await;
    assert_eq!(used().await.as_deref(), Some("200000000n"), "the new run's own");
    // One that stays down is not shown as idle.
    say("second", json!({"waiting": {"reason": "CrashLoopBackOff"}}));
    for after in 7..20 {
        measure(after, None).await;
    }
    top.captured.server.eventually(containers, |list| list[0]["ended"] == true).await;
    assert_eq!(used().await, None);
}
