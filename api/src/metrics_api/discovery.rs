//! What the API says about itself.

use serde_json::{Value, json};

use super::{GROUP, VERSION, openapi};

/// The description of the API at a path, if there is one.
pub(super) fn document(path: &str) -> Option<Value> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    Some(match parts.as_slice() {
        [] => json!({"paths": [
            "/apis", format!("/apis/{GROUP}"), format!("/apis/{GROUP}/{VERSION}"),
            "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz",
        ]}),
        ["apis"] => {
            json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [group()]})
        }
        ["apis", GROUP] => {
            let mut group = group();
            group["kind"] = "APIGroup".into();
            group["apiVersion"] = "v1".into();
            group
        }
        ["apis", GROUP, VERSION] => json!({
            "kind": "APIResourceList", "apiVersion": "v1",
            "groupVersion": format!("{GROUP}/{VERSION}"),
            "resources": [
                resource("nodes", "NodeMetrics", false), resource("pods", "PodMetrics", true),
            ],
        }),
        ["openapi", rest @ ..] => return openapi::document(rest),
        _ => return None,
    })
}

fn group() -> Value {
    let version = json!({"groupVersion": format!("{GROUP}/{VERSION}"), "version": VERSION});
    json!({"name": GROUP, "versions": [version], "preferredVersion": version})
}

fn resource(name: &str, kind: &str, namespaced: bool) -> Value {
    json!({"name": name, "singularName": "", "namespaced": namespaced, "kind": kind,
           "verbs": ["get", "list"]})
}
