//! `/api/namespaces/{namespace}/workloads`: every kind of owner.

use axum::{extract::State, response::Response};
use kubemonitor_inventory::{WorkloadKey, WorkloadKind};

use super::{answer, named::Named};
use crate::{
    errors::ApiError,
    model::WorkloadSample,
    monitor::Shared,
    openapi::{BadRequest, Busy, PodList, Unknown, WorkloadList},
    query::{self, Address, Asked, PageParams, PodParams, Scope, TimeParams},
};

/// The workloads of a namespace, of every kind: Deployment, StatefulSet, DaemonSet, Job, CronJob,
/// bare ReplicaSet, bare Pod.
#[utoipa::path(
    get, path = "/api/namespaces/{namespace}/workloads", operation_id = "listWorkloads", tag = "workloads",
    params(("namespace" = String, Path, description = "The namespace, such as `shop`."), TimeParams, PageParams),
    responses(
        (status = 200, body = WorkloadList),
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
        query::workloads(m, &namespace, when, selection);
        Ok(())
    })
    .await
}

/// One workload.
#[utoipa::path(
    get, path = "/api/namespaces/{namespace}/workloads/{kind}/{name}", operation_id = "getWorkload", tag = "workloads",
    params(
        ("namespace" = String, Path, description = "The namespace, such as `shop`."),
        ("kind" = String, Path, description = "Deployment, StatefulSet, DaemonSet, Job, CronJob, ReplicaSet or Pod."),
        ("name" = String, Path, description = "The workload's name, such as `cart`."),
        TimeParams,
    ),
    responses((status = 200, body = Vec<WorkloadSample>), BadRequest, Unknown, Busy),
)]
pub(crate) async fn one(
    State(monitor): State<Shared>,
    Named((namespace, kind, name)): Named<(String, String, String)>,
    Asked(time): Asked<TimeParams>,
) -> Result<Response, ApiError> {
    let key = WorkloadKey::new(&namespace, WorkloadKind::named(&kind), &name);
    answer::one(monitor, time, move |m| query::workload(m, &key)).await
}

/// The pods of a workload.
#[utoipa::path(
    get, path = "/api/namespaces/{namespace}/workloads/{kind}/{name}/pods", operation_id = "listPodsOfWorkload", tag = "workloads",
    params(
        ("namespace" = String, Path, description = "The namespace, such as `shop`."),
        ("kind" = String, Path, description = "Deployment, StatefulSet, DaemonSet, Job, CronJob, ReplicaSet or Pod."),
        ("name" = String, Path, description = "The workload's name, such as `cart`."),
        TimeParams, PageParams, PodParams,
    ),
    responses(
        (status = 200, body = PodList), BadRequest, Unknown, Busy
    ),
)]
pub(crate) async fn pods(
    State(monitor): State<Shared>,
    Named((namespace, kind, name)): Named<(String, String, String)>,
    address: Address,
    Asked((time, page, filter)): Asked<(TimeParams, PageParams, PodParams)>,
) -> Result<Response, ApiError> {
    let key = WorkloadKey::new(&namespace, WorkloadKind::named(&kind), &name);
    answer::list(monitor, address, time, page, move |m, when, selection| {
        query::workload(m, &key)?;
        query::pods(m, Scope::Workload(key), &filter, when, selection);
        Ok(())
    })
    .await
}
