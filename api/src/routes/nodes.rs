//! `/api/nodes`

use axum::{extract::State, response::Response};

use super::{answer, named::Named};
use crate::{
    errors::ApiError,
    model::NodeSample,
    monitor::Shared,
    openapi::{BadRequest, Busy, NodeList, PodList, Unknown},
    query::{self, Address, Asked, PageParams, PodParams, Scope, TimeParams},
};

/// Every node.
#[utoipa::path(
    get, path = "/api/nodes", operation_id = "listNodes", tag = "nodes",
    params(TimeParams, PageParams),
    responses((status = 200, body = NodeList), BadRequest, Busy),
)]
pub(crate) async fn list(
    State(monitor): State<Shared>,
    address: Address,
    Asked((time, page)): Asked<(TimeParams, PageParams)>,
) -> Result<Response, ApiError> {
    answer::list(monitor, address, time, page, move |m, _, selection| {
        query::nodes(m, selection);
        Ok(())
    })
    .await
}

/// One node.
#[utoipa::path(
    get, path = "/api/nodes/{node}", operation_id = "getNode", tag = "nodes",
    params(("node" = String, Path, description = "The node's name, such as `worker-1`."), TimeParams),
    responses((status = 200, body = Vec<NodeSample>), BadRequest, Unknown, Busy),
)]
pub(crate) async fn one(
    State(monitor): State<Shared>,
    Named(node): Named<String>,
    Asked(time): Asked<TimeParams>,
) -> Result<Response, ApiError> {
    answer::one(monitor, time, move |m| query::node(m, &node)).await
}

/// The pods on a node.
#[utoipa::path(
    get, path = "/api/nodes/{node}/pods", operation_id = "listPodsOnNode", tag = "nodes",
    params(("node" = String, Path, description = "The node's name, such as `worker-1`."), TimeParams, PageParams, PodParams),
    responses(
        (status = 200, body = PodList), BadRequest, Unknown, Busy
    ),
)]
pub(crate) async fn pods(
    State(monitor): State<Shared>,
    Named(node): Named<String>,
    address: Address,
    Asked((time, page, filter)): Asked<(TimeParams, PageParams, PodParams)>,
) -> Result<Response, ApiError> {
    answer::list(monitor, address, time, page, move |m, when, selection| {
        let scope = Scope::Node(query::known_node(m, &node)?);
        query::pods(m, scope, &filter, when, selection);
        Ok(())
    })
    .await
}
