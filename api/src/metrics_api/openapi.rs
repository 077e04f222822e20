//! What the API says about its schemas, for `kubectl explain` and for Kubernetes' own API server,
//! which asks again and again, and complains, where it gets no answer.

use serde_json::{Value, json};

use super::{GROUP, VERSION};

const PACKAGE: &str = "io.k8s.metrics.pkg.apis.metrics.v1beta1";

/// The two versions of OpenAPI: where each has its schemas, and how it wraps an answer's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V2,
    V3,
}

/// What is asked for at a path, and the kind it is answered with.
const PATHS: [(&str, &str); 5] = [
    ("nodes", "NodeMetricsList"),
    ("nodes/{name}", "NodeMetrics"),
    ("pods", "PodMetricsList"),
    ("namespaces/{namespace}/pods", "PodMetricsList"),
    ("namespaces/{namespace}/pods/{name}", "PodMetrics"),
];

/// The description at a path, if there is one.
pub(super) fn document(parts: &[&str]) -> Option<Value> {
    match parts {
        ["v2"] => Some(described(Version::V2)),
        ["v3"] => {
            let path = format!("apis/{GROUP}/{VERSION}");
            let url = format!("/openapi/v3/{path}");
            Some(json!({"paths": {path: {"serverRelativeURL": url}}}))
        }
        ["v3", "apis", GROUP, VERSION] => Some(described(Version::V3)),
        _ => None,
    }
}

fn described(version: Version) -> Value {
    let mut paths = json!({});
    for (path, kind) in PATHS {
        let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let parameters: Vec<Value> = names.map(|name| version.parameter(name)).collect();
        let list = kind.ends_with("List");
        paths[format!("/apis/{GROUP}/{VERSION}/{path}")] = json!({
            "parameters": parameters,
            "get": {
                "description": if list { "list objects" } else { "read one object" },
                "operationId": operation(path, list),
                "x-kubernetes-action": if list { "list" } else { "get" },
                "x-kubernetes-group-version-kind": of_kind(kind.trim_end_matches("List")),
                "responses": {"200": version.answer(kind)},
            },
        });
    }
    let info = json!({"title": "kubemonitor", "version": env!("CARGO_PKG_VERSION")});
    match version {
        Version::V2 => {
            json!({"swagger": "2.0", "info": info, "paths": paths, "definitions": version.schemas()})
        }
        Version::V3 => json!({
            "openapi": "3.0.0", "info": info, "paths": paths,
            "components": {"schemas": version.schemas()},
        }),
    }
}

/// A name of its own for each path: `listMetricsV1beta1NamespacesPods`.
fn operation(path: &str, list: bool) -> String {
    let parts = path.split('/').filter(|part| !part.starts_with('{'));
    let capital = |part: &str| format!("{}{}", part[..1].to_uppercase(), &part[1..]);
    let verb = if list { "list" } else { "read" };
    format!("{verb}MetricsV1beta1{}", parts.map(capital).collect::<String>())
}

fn of_kind(kind: &str) -> Value {
    json!({"group": GROUP, "version": VERSION, "kind": kind})
}

impl Version {
    fn reference(self, kind: &str) -> Value {
        let place = if self == Self::V2 { "definitions" } else { "components/schemas" };
        json!({"$ref": format!("#/{place}/{PACKAGE}.{kind}")})
    }

    fn parameter(self, name: &str) -> Value {
        let mut parameter = json!({"name": name, "in": "path", "required": true,
            "description": format!("{name} of the object")});
        match self {
            Self::V2 => parameter["type"] = "string".into(),
            Self::V3 => parameter["schema"] = json!({"type": "string"}),
        }
        parameter
    }

    fn answer(self, kind: &str) -> Value {
        let schema = self.reference(kind);
        match self {
            Self::V2 => json!({"description": "OK", "schema": schema}),
            Self::V3 => {
                json!({"description": "OK", "content": {"application/json": {"schema": schema}}})
            }
        }
    }

    fn schemas(self) -> Value {
        let node = [("usage", usage())];
        let containers = json!({
            "description": "Metrics for all containers, collected within the same window.",
            "type": "array", "items": self.reference("ContainerMetrics"),
        });
        let mut schemas = json!({});
        let mut add = |kind: &str, schema: Value| schemas[format!("{PACKAGE}.{kind}")] = schema;
        add("NodeMetrics", object("NodeMetrics", "The resource usage of a node.", &node));
        let pod = [("containers", containers)];
        add("PodMetrics", object("PodMetrics", "The resource usage of a pod.", &pod));
        add(
            "ContainerMetrics",
            json!({
                "description": "The resource usage of a container.",
                "type": "object", "required": ["name", "usage"],
                "properties": {
                    "name": text("Container name, as in the pod's specification."),
                    "usage": usage(),
                },
            }),
        );
        for kind in ["NodeMetrics", "PodMetrics"] {
            let list = format!("{kind}List");
            let items = json!({"type": "array", "items": self.reference(kind)});
            add(&list, typed(&list, &format!("A list of {kind}."), json!({"items": items})));
        }
        schemas
    }
}

/// Of a node or a pod: what all have, and what is its own.
fn object(kind: &str, description: &str, own: &[(&str, Value)]) -> Value {
    let mut properties = json!({
        "timestamp": text("The end of the window, RFC 3339."),
        "window": text("The time over which CPU is averaged, as a duration of Go."),
    });
    for (name, schema) in own {
        properties[*name] = schema.clone();
    }
    typed(kind, description, properties)
}

fn typed(kind: &str, description: &str, mut properties: Value) -> Value {
    let required: Vec<String> =
        properties.as_object().map(|own| own.keys().cloned().collect()).unwrap_or_default();
    properties["apiVersion"] = text("The version of the schema.");
    properties["kind"] = text("What the object is.");
    properties["metadata"] = json!({"description": "Standard metadata.", "type": "object"});
    json!({
        "description": description, "type": "object", "required": required,
        "properties": properties, "x-kubernetes-group-version-kind": [of_kind(kind)],
    })
}

fn usage() -> Value {
    json!({
        "description": "CPU, averaged over the window, and the working set at its end.",
        "type": "object", "additionalProperties": {"type": "string"},
    })
}

fn text(description: &str) -> Value {
    json!({"description": description, "type": "string"})
}
