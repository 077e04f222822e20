//! Every path, and what answers it.

mod answer;
mod deployments;
mod docs;
pub(crate) mod frames;
mod health;
mod home;
mod json;
mod metrics;
mod named;
mod namespaces;
mod nodes;
mod pods;
mod push;
mod units;
mod workloads;

use axum::{
    Router,
    http::{Method, Uri},
};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{errors::ApiError, monitor::Shared, openapi, prefix::prefixed};

/// All paths that are documented, and their documentation.
pub(crate) fn documented() -> (Router<Shared>, OpenApi) {
    OpenApiRouter::with_openapi(openapi::frame())
        .routes(routes!(health::health))
        .routes(routes!(health::ready))
        .routes(routes!(home::home))
        .routes(routes!(nodes::list))
        .routes(routes!(nodes::one, push::node))
        .routes(routes!(nodes::pods))
        .routes(routes!(units::on_node))
        .routes(routes!(units::one))
        .routes(routes!(units::list))
        .routes(routes!(pods::list))
        .routes(routes!(pods::one, push::pod))
        .routes(routes!(namespaces::list))
        .routes(routes!(namespaces::one, push::namespace))
        .routes(routes!(namespaces::pods))
        .routes(routes!(namespaces::pod))
        .routes(routes!(namespaces::containers))
        .routes(routes!(deployments::list))
        .routes(routes!(deployments::one, push::deployment))
        .routes(routes!(deployments::pods))
        .routes(routes!(workloads::list))
        .routes(routes!(workloads::one))
        .routes(routes!(workloads::pods))
        .routes(routes!(frames::receive))
        .routes(routes!(metrics::metrics))
        .split_for_parts()
}

/// The whole of what is served.
pub(crate) fn router(monitor: Shared) -> Router {
    let (router, openapi) = documented();
    let base = monitor.base_path.clone();
    let router = router
        .merge(home::assets())
        .merge(docs::docs(&openapi::finished(&openapi)))
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .with_state(monitor);
    prefixed(router, base)
}

async fn unknown_path(uri: Uri) -> ApiError {
    ApiError::UnknownPath(uri.path().to_owned())
}

async fn unknown_method(method: Method, uri: Uri) -> ApiError {
    ApiError::Method { method: method.to_string(), path: uri.path().to_owned() }
}
