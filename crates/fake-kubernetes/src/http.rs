//! The paths, and what is answered.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::{StreamExt, stream};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::{
    Fault, Request, Verb,
    collection::{Cluster, Page, gone},
};

type Shared = Arc<Mutex<Cluster>>;
type Parameters = HashMap<String, String>;

/// The resources that are served: their API, their name in paths, their kind.
const RESOURCES: [(&str, &str, &str); 9] = [
    ("v1", "pods", "Pod"),
    ("v1", "nodes", "Node"),
    ("v1", "namespaces", "Namespace"),
    ("apps/v1", "replicasets", "ReplicaSet"),
    ("apps/v1", "deployments", "Deployment"),
    ("apps/v1", "statefulsets", "StatefulSet"),
    ("apps/v1", "daemonsets", "DaemonSet"),
    ("batch/v1", "jobs", "Job"),
    ("batch/v1", "cronjobs", "CronJob"),
];

pub(crate) fn routes(cluster: Shared) -> Router {
    Router::new()
        .route("/api/v1/{resource}", get(core))
        .route("/apis/{group}/{version}/{resource}", get(grouped).post(review))
        .route("/api/v1/namespaces/{namespace}/{resource}/{name}", get(object))
        .with_state(cluster)
}

async fn core(
    State(cluster): State<Shared>,
    Path(resource): Path<String>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Response {
    answer(cluster, "v1", &resource, &parameters, &headers).await
}

async fn grouped(
    State(cluster): State<Shared>,
    Path((group, version, resource)): Path<(String, String, String)>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Response {
    answer(cluster, &format!("{group}/{version}"), &resource, &parameters, &headers).await
}

async fn answer(
    cluster: Shared,
    api: &str,
    resource: &str,
    parameters: &Parameters,
    headers: &HeaderMap,
) -> Response {
    let served = RESOURCES.into_iter().find(|(a, r, _)| (*a, *r) == (api, resource));
    let Some((_, _, kind)) = served else { return failure(404, resource) };
    let request = Request {
        verb: if parameters.get("watch").is_some_and(|watch| watch == "true") {
            Verb::Watch
        } else {
            Verb::List
        },
        limit: number(parameters, "limit"),
        after: number(parameters, "resourceVersion"),
        continues: parameters.contains_key("continue"),
        metadata_only: asks_for_metadata(headers),
        ..Request::of(resource, Verb::List)
    };
    if let Some(fault) = faulty(&cluster, &request).await {
        return fault;
    }
    if request.verb == Verb::Watch {
        watch(&cluster, &request, parameters)
    } else {
        list(&cluster, &request, api, kind, parameters)
    }
}

/// Remembers a request. What is answered instead, where it is to go wrong.
async fn faulty(cluster: &Shared, request: &Request) -> Option<Response> {
    let fault = {
        let mut cluster = cluster.lock();
        cluster.requests.push(request.clone());
        cluster.faults.strike(&request.resource, request.verb)
    };
    match fault? {
        Fault::Status(code) => return Some(failure(code, &request.resource)),
        Fault::Garbled => return Some(json_body("{\"kind\":\"Li<html>".to_owned())),
        Fault::Slow(delay) => tokio::time::sleep(delay).await,
        Fault::Silent => std::future::pending().await,
    }
    None
}

async fn object(
    State(cluster): State<Shared>,
    Path((namespace, resource, name)): Path<(String, String, String)>,
) -> Response {
    if let Some(fault) = faulty(&cluster, &Request::of(&resource, Verb::Get)).await {
        return fault;
    }
    let object = cluster.lock().get(&resource, &namespace, &name);
    object.map_or_else(|| failure(404, &resource), |object| json_body(object.to_string()))
}

async fn review(
    State(cluster): State<Shared>,
    Path((_, _, resource)): Path<(String, String, String)>,
    Json(mut review): Json<Value>,
) -> Response {
    if let Some(fault) = faulty(&cluster, &Request::of(&resource, Verb::Review)).await {
        return fault;
    }
    let (issued, verdicts) = {
        let cluster = cluster.lock();
        let issued = (resource == "tokenreviews").then(|| cluster.tokens.review(&review["spec"]));
        (issued.flatten(), cluster.verdicts.clone())
    };
    review["status"] = issued.unwrap_or_else(|| verdicts.on(&resource, &review["spec"]));
    json_body(review.to_string())
}

fn number<N: std::str::FromStr>(parameters: &Parameters, name: &str) -> Option<N> {
    parameters.get(name)?.parse().ok()
}

fn asks_for_metadata(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("as=PartialObjectMetadata"))
}

fn list(
    cluster: &Shared,
    request: &Request,
    api: &str,
    kind: &str,
    parameters: &Parameters,
) -> Response {
    let token = parameters.get("continue").map(String::as_str);
    let page = cluster.lock().list(&request.resource, request.limit, token, request.metadata_only);
    let Ok(Page { version, continue_token, items }) = page else {
        return (StatusCode::GONE, json_body(gone().to_string())).into_response();
    };
    let metadata = json!({"resourceVersion": version.to_string(), "continue": continue_token});
    let (api, kind) = if request.metadata_only {
        ("meta.k8s.io/v1", "PartialObjectMetadata")
    } else {
        (api, kind)
    };
    json_body(format!(
        r#"{{"kind":"{kind}List","apiVersion":"{api}","metadata":{metadata},"items":[{}]}}"#,
        items.join(",")
    ))
}

fn watch(cluster: &Shared, request: &Request, parameters: &Parameters) -> Response {
    let seconds = number(parameters, "timeoutSeconds").unwrap_or(300);
    let end = tokio::time::sleep(Duration::from_secs(seconds));
    let after = request.after.unwrap_or_default();
    let mut lines = cluster.lock().watch(&request.resource, after, request.metadata_only);
    let lines = stream::poll_fn(move |context| lines.poll_recv(context)).take_until(end);
    let body = Body::from_stream(lines);
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn failure(code: u16, resource: &str) -> Response {
    let (reason, message) = match code {
        403 => ("Forbidden", format!("{resource} is forbidden: User \"somebody\" cannot list it")),
        404 => ("NotFound", "the server could not find the requested resource".to_owned()),
        410 => return (StatusCode::GONE, json_body(gone().to_string())).into_response(),
        _ => ("InternalError", "failed on purpose".to_owned()),
    };
    let status: Value = json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
        "status": "Failure", "message": message, "reason": reason, "code": code});
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (code, json_body(status.to_string())).into_response()
}

fn json_body(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
