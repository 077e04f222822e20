//! `/api/namespaces`

use axum::{extract::State, response::Response};

use super::{answer, named::Named};
use crate::{
    errors::ApiError,
    model::{NamespaceSample, PodSample},
    monitor::Shared,
    openapi::{BadRequest, Busy, ContainerList, NamespaceList, PodList, Unknown},
    query::{self, Address, Asked, PageParams, PodParams, Scope, TimeParams},
};

/// Every namespace.
#[utoipa::path(
    get, path = "/api/namespaces", operation_id = "listNamespaces", tag = "namespaces",
    params(TimeParams, PageParams),
    responses(
        (status = 200, body = NamespaceList), BadRequest, Busy
    ),
)]
pub(crate) async fn list(
    State(monitor): State<Shared>,
    address: Address,
    Asked((time, page)): Asked<(TimeParams, PageParams)>,
) -> Result<Response, ApiError> {
    answer::list(monitor, address, time, page, |m, when, selection| {
        query::namespaces(m, when, selection);
        Ok(())
    })
    .await
}

/// One namespace.
#[utoipa::path(
    get, path = "/api/namespaces/{namespace}", operation_id = "getNamespace", tag = "namespaces",
    params(("namespace" = String, Path, description = "The namespace, such as `shop`."), TimeParams),
    responses((status = 200, body = Vec<NamespaceSample>), BadRequest, Unknown, Busy),
)]
pub(crate) async fn one(
    State(monitor): State<Shared>,
    Named(namespace): Named<String>,
    Asked(time): Asked<TimeParams>,
) -> Result<Response, ApiError> {
    answer::one(monitor, time, move |m| query::namespace(m, &namespace)).await
}

/// The pods of a namespace.
#[utoipa::path(
    get, path = "/api/namespaces/{namespace}/pods", operation_id = "listPodsInNamespace", tag = "namespaces",
    params(("namespace" = String, Path, description = "The namespace, such as `shop`."), TimeParams, PageParams, PodParams),
    responses(
        (status = 200, body = PodList), BadRequest, Unknown, Busy
    ),
)]
pub(crate) async fn pods(
    State(monitor): State<Shared>,
    Named(namespace): Named<String>,
    address: Address,
    Asked((time, page, filter)): Asked<(TimeParams, PageParams, PodParams)>,
) -> Result<Response, ApiError> {
    answer::list(monitor, address, time, page, move |m, when, selection| {
        query::namespace(m, &namespace)?;
        query::pods(m, Scope::Namespace(namespace), &filter, when, selection);
        Ok(())
    })
    .await
}

/// One pod, by its full name.
#[utoipa::path(
    get, path = "/api/namespaces/{namespace}/pods/{pod}", operation_id = "getPodInNamespace", tag = "namespaces",
    params(
        ("namespace" = String, Path, description = "The namespace, such as `shop`."),
        ("pod" = String, Path, description = "The pod's name, or its UID, such as `cart-5f9c6d7b8-x2k4q`."),
        TimeParams,
    ),
    responses((status = 200, body = Vec<PodSample>), BadRequest, Unknown, Busy),
)]
pub(crate) async fn pod(
    State(monitor): State<Shared>,
    Named((namespace, pod)): Named<(String, String)>,
    Asked(time): Asked<TimeParams>,
) -> Result<Response, ApiError> {
    answer::one(monitor, time, move |m| query::find_pod(m, &pod, Some(&namespace))).await
}

/// The containers of a pod, init and sidecar ones included.
#[utoipa::path(
    get, path = "/api/namespaces/{namespace}/pods/{pod}/containers", operation_id = "listContainers", tag = "namespaces",
    params(
        ("namespace" = String, Path, description = "The namespace, such as `shop`."),
        ("pod" = String, Path, description = "The pod's name, or its UID, such as `cart-5f9c6d7b8-x2k4q`."),
        TimeParams, PageParams,
    ),
    responses(
        (status = 200, body = ContainerList),
        BadRequest, Unknown, Busy,
    ),
)]
pub(crate) async fn containers(
    State(monitor): State<Shared>,
    Named((namespace, pod)): Named<(String, String)>,
    address: Address,
    Asked((time, page)): Asked<(TimeParams, PageParams)>,
) -> Result<Response, ApiError> {
    answer::list(monitor, address, time, page, move |m, when, selection| {
        let pod = query::find_pod(m, &pod, Some(&namespace))?;
        query::containers_of(m, &pod, when, selection);
        Ok(())
    })
    .await
}
