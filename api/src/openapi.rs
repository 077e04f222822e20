//! The API's description: what no single route can say, and the parts that routes share.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::{
    IntoResponses, Modify, OpenApi as _, PartialSchema, ToSchema,
    openapi::{
        Content, OpenApi, Ref, RefOr, Response, ResponseBuilder, Schema,
        schema::{AllOfBuilder, AnyOfBuilder, ArrayBuilder, ObjectBuilder},
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

use crate::{
    errors::{PROBLEM_JSON, Problem},
    model,
};

/// What holds for the whole API.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "kubemonitor",
        description = "CPU, memory, disk and network of every node, pod, container, namespace and \
            workload, now and over time.\n\nWithout `window` (or `start`, `end`, `step`) a GET \
            answers with the newest sample, with it with the samples of that span, oldest first. \
            What is not known is `null`, never 0 and never missing. Times are UTC.\n\nWhere nothing was \
            heard of a node for more than three of its intervals, the node, its pods and their \
            containers show what was measured last, with `stale` and the `timestamp` of then, and come \
            last in every order by use. Sums over pods say from how many nodes they are \
            (`nodes_reporting` of `nodes_total`); where none reports, they too are the last ones, with \
            `stale`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "nodes", description = "Machines of the cluster, or the host kubemonitor runs on."),
        (name = "pods", description = "Pods by name or UID."),
        (name = "namespaces", description = "Sums over their pods, and the pods by full name."),
        (name = "deployments", description = "Sums over the pods of a Deployment."),
        (name = "workloads", description = "The same for every kind of owner."),
        (name = "units", description = "What runs outside Kubernetes."),
        (name = "writes", description = "What collectors send."),
        (name = "server", description = "The server itself."),
    ),
    components(schemas(Problem)),
    modifiers(&Token),
)]
struct Frame;

/// The description before any path is in it.
pub(crate) fn frame() -> OpenApi {
    Frame::openapi()
}

struct Token;

impl Modify for Token {
    fn modify(&self, openapi: &mut OpenApi) {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.description = Some(
            "Needed for writes: the server's token, or in a cluster that of a service account, meant \
             for the audience `kubemonitor`. Without a cluster and without a token everybody may write."
                .into(),
        );
        if let Some(components) = &mut openapi.components {
            components.add_security_scheme("token", SecurityScheme::Http(scheme));
        }
    }
}

/// What lists answer: newest samples, or entities with their samples of a span.
macro_rules! listings {
    ($($name:ident: $identity:ty => $sample:ty;)*) => {$(
        #[doc = concat!("A list of ", stringify!($sample), "s, or of entities with theirs.")]
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                listing(&<$identity>::name(), &<$sample>::name())
            }
        }

        impl ToSchema for $name {
            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                schemas.push((<$identity>::name().into_owned(), <$identity>::schema()));
                <$identity>::schemas(schemas);
                schemas.push((<$sample>::name().into_owned(), <$sample>::schema()));
                <$sample>::schemas(schemas);
            }
        }
    )*};
}

listings! {
    NodeList: model::NodeIdentity => model::NodeSample;
    PodList: model::PodIdentity => model::PodSample;
    ContainerList: model::ContainerIdentity => model::ContainerSample;
    UnitList: model::UnitIdentity => model::UnitSample;
    NamespaceList: model::NamespaceIdentity => model::NamespaceSample;
    DeploymentList: model::DeploymentIdentity => model::DeploymentSample;
    WorkloadList: model::WorkloadIdentity => model::WorkloadSample;
}

fn listing(identity: &str, sample: &str) -> RefOr<Schema> {
    let samples = || ArrayBuilder::new().items(Ref::from_schema_name(sample));
    let windowed = AllOfBuilder::new().item(Ref::from_schema_name(identity)).item(
        ObjectBuilder::new()
            .property("samples", samples().description(Some("Oldest first.")))
            .required("samples"),
    );
    // Both are met by an empty list.
    AnyOfBuilder::new()
        .item(samples().description(Some("The newest sample of each.")))
        .item(ArrayBuilder::new().items(windowed).description(Some("Each with those of a span.")))
        .into()
}

/// Names groups of responses that routes share.
macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident { $($status:literal $why:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                BTreeMap::from([$((stringify!($status).to_owned(), problem($why).into())),*])
            }
        }
    )*};
}

refusals! {
    /// What every question can be refused for.
    BadRequest { 400 "A parameter, or the path, cannot be used." }
    /// What a question about something of a name can be refused for.
    Unknown { 404 "Nothing of that name is known." }
    /// What a question about a pod's name alone can be refused for.
    Ambiguous { 409 "Several namespaces have a pod of that name; `namespaces` lists them." }
    /// What a question that takes work can be refused for.
    Busy { 429 "Too many questions at a time; `Retry-After` says when to ask again." }
    /// What `/ready` answers until the server can serve.
    NotReady { 503 "Not ready; `missing` lists what it waits for." }
    /// What a frame can be refused for, to be sent again later.
    FrameRefused {
        409 "Another collector sends for this node; this one's frames are taken once it is silent.",
        425 "The frame's time has not come yet.",
    }
    /// What a write can be refused for.
    WriteRefused {
        400 "The body cannot be used, or path and body disagree.",
        401 "A token is needed, or this one is not valid (any more).",
        403 "The token is another one, or a collector's on another node.",
        408 "The body did not arrive in time.",
        409 "Another sample of that time is held, and later ones.",
        413 "The body is too large.",
        415 "The body is of another type.",
        429 "Ingest is over its limit; `Retry-After` says when to send again.",
        503 "Whose the token is cannot be asked now; `Retry-After` says when to send again.",
    }
}

fn problem(why: &str) -> Response {
    let content = Content::new(Some(Ref::from_schema_name(Problem::name())));
    ResponseBuilder::new().description(why).content(PROBLEM_JSON, content).build()
}

/// The description as it is served: samples as flat objects, all of whose fields are there, and
/// the headers of pages.
pub(crate) fn finished(openapi: &OpenApi) -> Value {
    let mut document = json!(openapi);
    flatten_answers(&mut document);
    describe_pages(&mut document);
    describe_answers(&mut document);
    document
}

/// Schemas of what is read, where fields may be missing.
const READ: [&str; 2] = ["PushedSample", "Problem"];

fn flatten_answers(document: &mut Value) {
    let schemas = document["components"]["schemas"].as_object().cloned().unwrap_or_default();
    for (name, schema) in &schemas {
        if READ.contains(&name.as_str()) {
            continue;
        }
        let mut flat = schema.clone();
        let mut properties = serde_json::Map::new();
        collect_properties(schema, &schemas, &mut properties);
        if properties.is_empty() {
            continue;
        }
        flat["type"] = json!("object");
        flat["required"] = properties.keys().cloned().collect();
        flat["properties"] = Value::Object(properties);
        flat.as_object_mut().map(|flat| flat.remove("allOf"));
        document["components"]["schemas"][name] = flat;
    }
    drop_unused_schemas(document);
}

fn collect_properties(
    schema: &Value,
    schemas: &serde_json::Map<String, Value>,
    into: &mut serde_json::Map<String, Value>,
) {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        collect_properties(&schemas[name], schemas, into);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        collect_properties(part, schemas, into);
    }
    into.extend(schema["properties"].as_object().cloned().unwrap_or_default());
}

/// The parts that flat objects were made of.
fn drop_unused_schemas(document: &mut Value) {
    let text = document.to_string();
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        schemas.retain(|name, _| text.contains(&format!("\"#/components/schemas/{name}\"")));
    }
}

/// Every response has to have a description: what an operation is for also says what it answers.
fn describe_answers(document: &mut Value) {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    let operations = paths.flat_map(|(_, path)| path.as_object_mut().into_iter().flatten());
    for (_, operation) in operations {
        let summary = operation["summary"].clone();
        let responses = operation["responses"].as_object_mut().into_iter().flatten();
        for (_, response) in responses {
            if response["description"].as_str().is_none_or(str::is_empty) {
                response["description"] = summary.clone();
            }
        }
    }
}

fn describe_pages(document: &mut Value) {
    let header = |description| json!({"description": description, "schema": {"type": "string"}});
    let headers = json!({
        "Link": header("Where the next page is (`rel=\"next\"`); not on the last page."),
        "X-Continue": header("What `continue` has to be for the next page; not on the last page."),
    });
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (_, path) in paths {
        let parameters = path["get"]["parameters"].as_array().cloned().unwrap_or_default();
        let has = |name: &str| parameters.iter().any(|parameter| parameter["name"] == name);
        if has("limit") {
            path["get"]["responses"]["200"]["headers"] = headers.clone();
        }
        if has("window") {
            let described = &mut path["get"]["responses"]["200"]["headers"];
            described["X-Kubemonitor-Incomplete"] = header(
                "What the span may lack because it is damaged on the server's disk; not where all is well.",
            );
        }
    }
}
