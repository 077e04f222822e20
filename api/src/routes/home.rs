//! `/`: the dashboard for browsers, what there is for programs; and the dashboard's files.

use axum::{
    Json, Router,
    http::{Extensions, HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Prefix, monitor::Shared};

/// A file of the dashboard.
#[derive(Clone, Copy)]
struct Asset {
    path: &'static str,
    content_type: &'static str,
    etag: &'static str,
    content: &'static [u8],
}

/// Written by `build.rs`, sorted by path.
const ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));

const INDEX: &str = "index.html";

/// Nothing comes from elsewhere, and nothing else shows the dashboard within itself.
const CONTENT_SECURITY: &str = "default-src 'self'; img-src 'self' data:; \
     style-src 'self' 'unsafe-inline'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'";

/// What the server is, and where to go on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!(About::new(&Prefix::default())))]
pub(crate) struct About {
    /// `kubemonitor`.
    name: &'static str,
    /// The server's version.
    version: &'static str,
    /// Paths to go on from.
    links: Links,
}

#[derive(Debug, Serialize, ToSchema)]
struct Links {
    /// This API, for people.
    docs: String,
    /// This API, for programs.
    openapi: String,
    /// Whether the process is up.
    health: String,
    /// Whether it can serve.
    ready: String,
    /// The server's own state.
    metrics: String,
    /// Every node.
    nodes: String,
    /// Every pod.
    pods: String,
    /// Every namespace.
    namespaces: String,
    /// What runs outside Kubernetes.
    units: String,
}

impl About {
    /// Links for those who come over this prefix.
    fn new(prefix: &Prefix) -> Self {
        let to = |path: &str| format!("{prefix}{path}");
        let links = Links {
            docs: to("/docs"),
            openapi: to("/openapi.json"),
            health: to("/health"),
            ready: to("/ready"),
            metrics: to("/metrics"),
            nodes: to("/api/nodes"),
            pods: to("/api/pods"),
            namespaces: to("/api/namespaces"),
            units: to("/api/units"),
        };
        Self { name: "kubemonitor", version: env!("CARGO_PKG_VERSION"), links }
    }
}

/// The dashboard; to `Accept: application/json`, what the server is and where to go on.
#[utoipa::path(
    get, path = "/", operation_id = "getOverview", tag = "server",
    responses((
        status = 200,
        content((About = "application/json"), (String = "text/html", example = "<!doctype html>")),
    )),
)]
pub(crate) async fn home(extensions: Extensions, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let wants_json = accept.is_some_and(|accept| accept.contains("application/json"));
    match ASSETS.iter().find(|asset| asset.path == INDEX) {
        Some(index) if !wants_json => send(*index, &headers),
        _ => Json(About::new(&Prefix::of(&extensions))).into_response(),
    }
}

/// The dashboard's files, each under its own path.
pub(crate) fn assets() -> Router<Shared> {
    ASSETS.iter().filter(|asset| asset.path != INDEX).fold(Router::new(), |router, asset| {
        let send = async |headers: HeaderMap| send(*asset, &headers);
        router.route(&format!("/{}", asset.path), get(send))
    })
}

fn send(asset: Asset, headers: &HeaderMap) -> Response {
    let cached = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let same = cached.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == asset.etag));
    let headers = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::ETAG, asset.etag),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    if same {
        (StatusCode::NOT_MODIFIED, headers).into_response()
    } else {
        (headers, asset.content).into_response()
    }
}
