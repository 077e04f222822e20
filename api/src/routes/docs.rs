//! `/openapi.json`, and Swagger UI at `/docs`, from the binary alone.

use std::{borrow::Cow, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    http::header,
    response::{Html, IntoResponse, Response},
    routing::get,
};
use serde_json::Value;
use utoipa_swagger_ui::Config;

use super::named::Named;
use crate::{errors::ApiError, monitor::Shared};

/// Swagger UI sets styles from its scripts.
const CONTENT_SECURITY: &str = "default-src 'self'; img-src 'self' data:; \
     style-src 'self' 'unsafe-inline'; base-uri 'self'; frame-ancestors 'none'";

/// The API's description, and what shows it.
pub(crate) fn docs(openapi: &Value) -> Router<Shared> {
    // A relative address also works behind a proxy that puts a prefix before all paths. The
    // validator would be asked over the internet.
    let config = Arc::new(Config::from("../openapi.json").validator_url("none"));
    // Without a slash at the end, the page has to be told where its files are.
    let index = file("index.html", &config)
        .map(|(_, html)| String::from_utf8_lossy(&html).replacen("<head>", BASE, 1))
        .unwrap_or_default();
    let json: Bytes = openapi.to_string().into();
    Router::new()
        .route("/openapi.json", get(([(header::CONTENT_TYPE, "application/json")], json)))
        .route("/docs", get((SECURED, Html(index.clone()))))
        .route("/docs/", get((SECURED, Html(index.replacen(BASE, "<head>", 1)))))
        .route("/docs/{file}", get(async move |Named(name): Named<String>| shown(&name, &config)))
}

const BASE: &str = "<head><base href=\"docs/\">";
const SECURED: [(header::HeaderName, &str); 1] =
    [(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY)];

fn shown(name: &str, config: &Arc<Config<'static>>) -> Result<Response, ApiError> {
    let path = || ApiError::UnknownPath(format!("/docs/{name}"));
    let (content_type, content) = file(name, config).ok_or_else(path)?;
    Ok((SECURED, [(header::CONTENT_TYPE, content_type)], content).into_response())
}

fn file(name: &str, config: &Arc<Config<'static>>) -> Option<(String, Bytes)> {
    let file = utoipa_swagger_ui::serve(name, Arc::clone(config)).ok().flatten()?;
    let content = match file.bytes {
        Cow::Borrowed(content) => Bytes::from_static(content),
        Cow::Owned(content) => content.into(),
    };
    Some((file.content_type, content))
}
