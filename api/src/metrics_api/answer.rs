//! From a request to its answer.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{Method, header, request::Parts},
    response::{IntoResponse, Response},
};
use kube::Client;
use tokio::{runtime::Handle, task::spawn_blocking};

use super::{
    asked::Asked,
    authentication::Authenticator,
    authorization::Authorizer,
    discovery, figures,
    objects::{self, Kind},
    question::{Form, Question},
    status::Refusal,
    table::table,
};
use crate::monitor::{Monitor, Shared};

/// What every answer needs.
pub(super) struct Answerer {
    monitor: Shared,
    pub(super) authenticator: Authenticator,
    authorizer: Authorizer,
}

impl Answerer {
    /// One that asks the cluster who may see what.
    pub(super) fn new(monitor: Shared, client: Client) -> Self {
        let authenticator = Authenticator::new(client.clone());
        Self { monitor, authenticator, authorizer: Authorizer::new(client) }
    }
}

/// The whole of what is served.
pub(super) fn router(answerer: Arc<Answerer>) -> Router {
    Router::new().fallback(answer).with_state(answerer)
}

async fn answer(
    State(answerer): State<Arc<Answerer>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (request, _) = request.into_parts();
    match request.uri.path() {
        "/healthz" | "/livez" => Ok("ok".into_response()),
        "/readyz" => ready(&answerer.monitor).map(|()| "ok".into_response()),
        _ => told(answerer, request).await,
    }
}

/// What is told to those who may know it.
async fn told(answerer: Arc<Answerer>, request: Parts) -> Result<Response, Refusal> {
    let user = answerer.authenticator.user(&request).await?;
    if ![Method::GET, Method::HEAD].contains(&request.method) {
        return Err(Refusal::MethodNotAllowed);
    }
    let asked = Asked::by_path(request.uri.path());
    answerer.authorizer.admit(&user, &asked).await?;
    if let Asked::Path(path) = &asked {
        return discovery::document(path)
            .map(|document| Json(document).into_response())
            .ok_or(Refusal::UnknownPath);
    }
    let question = Question::of(&request.uri, &request.headers)?;
    ready(&answerer.monitor)?;
    let place = answerer.monitor.making.enter_metrics_api().await?;
    // The pods of a large cluster take a second of CPU: frames must not wait for it.
    let runtime = Handle::current();
    let found = spawn_blocking(move || {
        let _until_made = place;
        found(&answerer.monitor, asked, &question, &runtime)
    });
    let json = found.await.map_err(|_| Refusal::Internal)??;
    Ok(([(header::CONTENT_TYPE, "application/json")], json).into_response())
}

fn ready(monitor: &Monitor) -> Result<(), Refusal> {
    monitor.inventory.ready().map_err(|missing| {
        let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
        Refusal::NotReady(missing.join(", "))
    })
}

/// What a pod takes in an answer, as an object and as JSON.
const POD_BYTES: usize = 1000;

/// What was asked for, as JSON.
fn found(
    monitor: &Monitor,
    asked: Asked,
    question: &Question,
    runtime: &Handle,
) -> Result<Vec<u8>, Refusal> {
    let Question { labels, fields, form } = question;
    let inventory = &monitor.inventory;
    match asked {
        Asked::Nodes => {
            let mut nodes = inventory.nodes();
            nodes.retain(|node| {
                node.ended_at.is_none()
                    && labels.matches(Some(&node.labels))
                    && fields.match_node(node)
            });
            list(figures::of_nodes(monitor, &nodes), *form)
        }
        Asked::Node(name) => {
            let node = inventory.node(&name).filter(|node| node.ended_at.is_none());
            one(figures::of_nodes(monitor, node.as_slice()), *form, "nodemetrics", name)
        }
        Asked::Pods(namespace) => {
            let mut pods = match namespace {
                Some(namespace) => inventory.pods_in(&namespace),
                None => inventory.pods(),
            };
            pods.retain(|pod| labels.matches(pod.labels.as_ref()) && fields.matches(pod));
            let room = monitor.answer_memory.room_for(pods.len() * POD_BYTES);
            let _until_written = runtime.block_on(room)?;
            list(figures::of_pods(monitor, pods), *form)
        }
        Asked::Pod(namespace, name) => {
            let pod = inventory.pod(&namespace, &name).into_iter().collect();
            let full_name = format!("{namespace}/{name}");
            one(figures::of_pods(monitor, pod), *form, "podmetrics", full_name)
        }
        Asked::Path(_) => Err(Refusal::UnknownPath),
    }
}

fn list<T: Kind>(objects: Vec<T>, form: Form) -> Result<Vec<u8>, Refusal> {
    match form {
        Form::Objects => json(&objects::list(objects)),
        Form::Table(version, include) => json(&table(version, objects, include)),
    }
}

/// The only object found.
fn one<T: Kind>(
    mut found: Vec<T>,
    form: Form,
    kind: &'static str,
    name: String,
) -> Result<Vec<u8>, Refusal> {
    let object = found.pop().ok_or(Refusal::NotFound { kind, name })?;
    match form {
        Form::Objects => json(&objects::one(object)),
        Form::Table(version, include) => json(&table(version, vec![object], include)),
    }
}

fn json(answer: &impl serde::Serialize) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(answer).map_err(|_| Refusal::Internal)
}
