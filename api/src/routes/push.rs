//! The four paths that take a sample as JSON from somebody else's collector.

use axum::{Json, extract::State, http::HeaderMap};
use kubemonitor_inventory::{PushedPod, WorkloadKey, WorkloadKind};
use kubemonitor_model::{EntityId, EntityKind};
use kubemonitor_store::Receipt;
use serde::Serialize;
use utoipa::ToSchema;

use super::named::Named;
use crate::{
    errors::ApiError,
    joins,
    monitor::{Monitor, Shared, now},
    openapi::WriteRefused,
    pushed::{Named as Name, PushedSample, agreed, name, required},
    written::{Written, check_type},
};

/// A sample was taken.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"status": "ok"}))]
pub(crate) struct Taken {
    /// `ok`.
    status: &'static str,
}

const TAKEN: Json<Taken> = Json(Taken { status: "ok" });

/// A sample of a node.
#[utoipa::path(
    post, path = "/api/nodes/{node}", operation_id = "pushNode", tag = "writes",
    params(("node" = String, Path, description = "The node's name, as the body has it, such as `worker-1`.")),
    request_body = PushedSample,
    responses((status = 200, body = Taken), WriteRefused), security((), ("token" = [])),
)]
pub(crate) async fn node(
    State(monitor): State<Shared>,
    Named(node): Named<String>,
    headers: HeaderMap,
    written: Written,
) -> Result<Json<Taken>, ApiError> {
    let sample = read(&headers, &written)?;
    agreed("node", Name::Node, &node, sample.node()?)?;
    let id = EntityId::parse(&node);
    push(&monitor, Some(&node), id, EntityKind::Node, &sample)
}

/// A sample of a pod.
#[utoipa::path(
    post, path = "/api/pods/{pod}", operation_id = "pushPod", tag = "writes",
    params(("pod" = String, Path, description = "The pod's name, as the body has it, such as `cart-5f9c6d7b8-x2k4q`.")),
    request_body = PushedSample,
    responses((status = 200, body = Taken), WriteRefused), security((), ("token" = [])),
)]
pub(crate) async fn pod(
    State(monitor): State<Shared>,
    Named(pod): Named<String>,
    headers: HeaderMap,
    written: Written,
) -> Result<Json<Taken>, ApiError> {
    let sample = read(&headers, &written)?;
    agreed("pod", Name::Object, &pod, sample.pod()?)?;
    let namespace = required("namespace", sample.namespace())?;
    name("namespace", Name::Namespace, namespace)?;
    let (node, deployment) = (sample.node()?, sample.deployment());
    node.map_or(Ok(()), |node| name("node", Name::Node, node))?;
    deployment.map_or(Ok(()), |deployment| name("deployment", Name::Object, deployment))?;
    let pushed = PushedPod {
        namespace: namespace.to_owned(),
        name: pod,
        node: node.map(str::to_owned),
        deployment: deployment.map(str::to_owned),
    };
    let meta = monitor.inventory.pushed_as(&pushed);
    let node = node.or(meta.node.as_deref());
    let taken = push(&monitor, node, meta.uid.clone(), EntityKind::Pod, &sample)?;
    // Only now: of what is refused nothing is kept.
    let meta = monitor.inventory.record_pushed(&pushed, now());
    joins::join(&monitor.store, &meta);
    Ok(taken)
}

/// A sample of a namespace. It stands before the sum over its pods for as long as it is pushed.
#[utoipa::path(
    post, path = "/api/namespaces/{namespace}", operation_id = "pushNamespace", tag = "writes",
    params(("namespace" = String, Path, description = "The namespace, as the body has it, such as `shop`.")),
    request_body = PushedSample,
    responses((status = 200, body = Taken), WriteRefused), security((), ("token" = [])),
)]
pub(crate) async fn namespace(
    State(monitor): State<Shared>,
    Named(namespace): Named<String>,
    headers: HeaderMap,
    written: Written,
) -> Result<Json<Taken>, ApiError> {
    let sample = read(&headers, &written)?;
    agreed("namespace", Name::Namespace, &namespace, sample.namespace())?;
    let id = joins::namespace_id(&namespace);
    push(&monitor, None, id, EntityKind::Namespace, &sample)
}

/// A sample of a Deployment. It stands before the sum over its pods for as long as it is pushed.
#[utoipa::path(
    post, path = "/api/namespaces/{namespace}/deployments/{deployment}", operation_id = "pushDeployment", tag = "writes",
    params(
        ("namespace" = String, Path, description = "The namespace, as the body has it, such as `shop`."),
        ("deployment" = String, Path, description = "The Deployment's name, as the body has it, such as `cart`."),
    ),
    request_body = PushedSample,
    responses((status = 200, body = Taken), WriteRefused), security((), ("token" = [])),
)]
pub(crate) async fn deployment(
    State(monitor): State<Shared>,
    Named((namespace, deployment)): Named<(String, String)>,
    headers: HeaderMap,
    written: Written,
) -> Result<Json<Taken>, ApiError> {
    let sample = read(&headers, &written)?;
    agreed("namespace", Name::Namespace, &namespace, sample.namespace())?;
    agreed("deployment", Name::Object, &deployment, sample.deployment())?;
    let key = WorkloadKey::new(&namespace, WorkloadKind::Deployment, &deployment);
    push(&monitor, None, joins::workload_id(&key), EntityKind::Workload, &sample)
}

fn read(headers: &HeaderMap, written: &Written) -> Result<PushedSample, ApiError> {
    check_type(headers, &["application/json"], "application/json")?;
    PushedSample::read(&written.bytes)
}

/// Takes a sample in, on a node or on none.
fn push(
    monitor: &Monitor,
    node: Option<&str>,
    id: EntityId,
    kind: EntityKind,
    sample: &PushedSample,
) -> Result<Json<Taken>, ApiError> {
    let (at, row) = (sample.at(monitor.retention)?, sample.row(kind)?);
    let node = node.and_then(|node| node.parse().ok()).unwrap_or_else(|| monitor.nowhere.clone());
    let name = id.to_string();
    match monitor.store.push(&node, at, id, row, now())? {
        Receipt { duplicate: true, .. } => Err(ApiError::Superseded { name }),
        Receipt { .. } => Ok(TAKEN),
    }
}
