//! `/api/namespaces/{namespace}/deployments`

use axum::{extract::State, response::Response};
use kubemonitor_inventory::{WorkloadKey, WorkloadKind};

use super::{answer, named::Named};
use crate::{
    errors::ApiError,
    model::DeploymentSample,
    monitor::Shared,
    openapi::{BadRequest, Busy, DeploymentList, PodList, Unknown},
    query::{self, Address, Asked, PageParams, PodParams, Scope, TimeParams},
};

/// The Deployments of a namespace.
#[utoipa::path(
    get, path = "/api/namespaces/{namespace}/deployments", operation_id = "listDeployments", tag = "deployments",
    params(("namespace" = String, Path, description = "The namespace, such as `shop`."), TimeParams, PageParams),
    responses(
        (status = 200, body = DeploymentList),
        BadRequest, Unknown, Busy,
    ),
)]
pub(crate) async fn list(
    State(monitor): State<Shared>,
    Named(namespace): Named<String>,
    address: Address,
    Asked((time, page)): Asked<(TimeParams, PageParams)>,
) -> Result<Response, ApiError> {
    answer::list(monitor, address, time, page, move |m, when, selection| {
        query::namespace(m, &namespace)?;
        query::deployments(m, &namespace, when, selection);
        Ok(())
    })
    .await
}

/// One Deployment.
#[utoipa::path(
    get, path = "/api/namespaces/{namespace}/deployments/{deployment}", operation_id = "getDeployment", tag = "deployments",
    params(
        ("namespace" = String, Path, description = "The namespace, such as `shop`."),
        ("deployment" = String, Path, description = "The Deployment's name, such as `cart`."),
        TimeParams,
    ),
    responses((status = 200, body = Vec<DeploymentSample>), BadRequest, Unknown, Busy),
)]
pub(crate) async fn one(
    State(monitor): State<Shared>,
    Named((namespace, deployment)): Named<(String, String)>,
    Asked(time): Asked<TimeParams>,
) -> Result<Response, ApiError> {
    let key = WorkloadKey::new(&namespace, WorkloadKind::Deployment, &deployment);
    answer::one(monitor, time, move |m| query::deployment(m, &key)).await
}

/// The pods of a Deployment.
#[utoipa::path(
    get, path = "/api/namespaces/{namespace}/deployments/{deployment}/pods", operation_id = "listPodsOfDeployment", tag = "deployments",
    params(
        ("namespace" = String, Path, description = "The namespace, such as `shop`."),
        ("deployment" = String, Path, description = "The Deployment's name, such as `cart`."),
        TimeParams, PageParams, PodParams,
    ),
    responses(
        (status = 200, body = PodList), BadRequest, Unknown, Busy
    ),
)]
pub(crate) async fn pods(
    State(monitor): State<Shared>,
    Named((namespace, deployment)): Named<(String, String)>,
    address: Address,
    Asked((time, page, filter)): Asked<(TimeParams, PageParams, PodParams)>,
) -> Result<Response, ApiError> {
    let key = WorkloadKey::new(&namespace, WorkloadKind::Deployment, &deployment);
    answer::list(monitor, address, time, page, move |m, when, selection| {
        query::deployment(m, &key)?;
        query::pods(m, Scope::Workload(key), &filter, when, selection);
        Ok(())
    })
    .await
}
