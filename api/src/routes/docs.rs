//! `/openapi.json`, and Swagger UI at `/docs`, from the binary alone. `/redoc` leads there.

use std::{borrow::Cow, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    http::{Extensions, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use serde_json::{Value, json};
use utoipa_swagger_ui::Config;

use super::named::Named;
use crate::{Prefix, errors::ApiError, monitor::Shared};

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
    let description = Arc::new(Description::new(openapi));
    Router::new()
        .route("/openapi.json", get(async move |at: Extensions| description.at(&Prefix::of(&at))))
        // Relative to where the client is: right behind every proxy.
        .route("/redoc", get(Redirect::temporary("docs")))
        .route("/redoc/", get(Redirect::temporary("../docs")))
        .route("/docs", get((SECURED, Html(index.clone()))))
        .route("/docs/", get((SECURED, Html(index.replacen(BASE, "<head>", 1)))))
        .route("/docs/{file}", get(async move |Named(name): Named<String>| shown(&name, &config)))
}

/// The API's description, in which only the server's address depends on who asks.
struct Description {
    before: String,
    after: String,
}

impl Description {
    fn new(openapi: &Value) -> Self {
        /// Stands in no text of the description.
        const ADDRESS: &str = "@server@";
        let mut openapi = openapi.clone();
        openapi["servers"] = json!([{"url": ADDRESS}]);
        let text = openapi.to_string();
        let (before, after) = text.split_once(ADDRESS).unwrap_or((&text, ""));
        Self { before: before.to_owned(), after: after.to_owned() }
    }

    /// For those who come over this prefix. Without one, paths begin where the description is.
    fn at(&self, prefix: &Prefix) -> Response {
        let server = if prefix.is_empty() { ".".to_owned() } else { prefix.to_string() };
        let json = [&self.before, server.as_str(), &self.after].concat();
        ([(header::CONTENT_TYPE, "application/json")], json).into_response()
    }
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
