//! `/api/pods`

use axum::{extract::State, response::Response};
use utoipa::IntoParams;

use super::{answer, named::Named};
use crate::{
    errors::ApiError,
    model::PodSample,
    monitor::Shared,
    openapi::{Ambiguous, BadRequest, Busy, PodList, Unknown},
    query::{self, Address, Asked, PageParams, Params, PodParams, Question, Scope, TimeParams},
};

/// Every pod that runs, or those in another phase; over a span of time, every pod that was there in it.
#[utoipa::path(
    get, path = "/api/pods", operation_id = "listPods", tag = "pods",
    params(TimeParams, PageParams, PodParams),
    responses((status = 200, body = PodList), BadRequest, Busy),
)]
pub(crate) async fn list(
    State(monitor): State<Shared>,
    address: Address,
    Asked((time, page, filter)): Asked<(TimeParams, PageParams, PodParams)>,
) -> Result<Response, ApiError> {
    let (sort, top) = (page.sorted_by(), page.top());
    answer::list(monitor, address, time, page, move |m, when, selection| {
        match top.and_then(|count| query::top_pods(m, &filter, when, sort, count)) {
            Some(top) => selection.extend(top),
            None => query::pods(m, Scope::Cluster, &filter, when, selection),
        }
        Ok(())
    })
    .await
}

/// What chooses among pods of one name.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChoiceParams {
    /// The pod's namespace, where several have a pod of that name.
    namespace: Option<String>,
}

impl Question for ChoiceParams {
    fn read(params: &mut Params) -> Result<Self, ApiError> {
        Ok(Self { namespace: params.text("namespace") })
    }

    fn names() -> Vec<String> {
        query::documented::<Self>()
    }
}

/// One pod, by its name or its UID.
#[utoipa::path(
    get, path = "/api/pods/{pod}", operation_id = "getPod", tag = "pods",
    params(("pod" = String, Path, description = "The pod's name, or its UID, such as `cart-5f9c6d7b8-x2k4q`."), TimeParams, ChoiceParams),
    responses((status = 200, body = Vec<PodSample>), BadRequest, Unknown, Ambiguous, Busy),
)]
pub(crate) async fn one(
    State(monitor): State<Shared>,
    Named(pod): Named<String>,
    Asked((time, choice)): Asked<(TimeParams, ChoiceParams)>,
) -> Result<Response, ApiError> {
    answer::one(monitor, time, move |m| query::find_pod(m, &pod, choice.namespace.as_deref())).await
}
