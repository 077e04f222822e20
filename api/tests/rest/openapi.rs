//! The description of the API, against what the API does.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Captured, PATHS, Running, Shape, fields, send};

async fn document(server: &Running) -> Value {
    server.json("/openapi.json").await
}

/// What `reference` points to in the document.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// What of a value a schema does not allow; as much of JSON Schema as the document uses.
fn faults(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let schema = resolved(document, schema);
    let mut found = Vec::new();
    if let Some(any) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        let mut tries = any.iter().map(|schema| faults(document, schema, value, at));
        if tries.clone().all(|faults| !faults.is_empty()) {
            found.extend(tries.next().unwrap_or_default());
        }
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        found.extend(faults(document, part, value, at));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    if !types.is_empty() && !types.iter().any(|kind| is_of(value, kind)) {
        found.push(format!("{at} is {value}, not {types:?}"));
    }
    if value.as_f64().zip(schema["minimum"].as_f64()).is_some_and(|(value, least)| value < least) {
        found.push(format!("{at} is {value}, below the minimum"));
    }
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.is_object() && value.get(required).is_none() {
            found.push(format!("{at} lacks {required}"));
        }
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(name) {
            found.extend(faults(document, property, value, &format!("{at}.{name}")));
        }
    }
    if let Some(items) = schema.get("items") {
        for item in value.as_array().into_iter().flatten() {
            found.extend(faults(document, items, item, &format!("{at}[]")));
        }
    }
    found
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

/// Whether a schema, or what it is made of, has an example.
fn has_example(document: &Value, schema: &Value) -> bool {
    let schema = resolved(document, schema);
    let parts = schema["anyOf"].as_array().or(schema["allOf"].as_array()).into_iter().flatten();
    schema.get("example").or(schema.get("examples")).is_some()
        || schema.get("items").is_some_and(|items| has_example(document, items))
        || parts.into_iter().any(|part| has_example(document, part))
}

/// The schema of an answer of this status and type.
fn answer<'a>(document: &'a Value, path: &str, method: &str, status: u16, kind: &str) -> &'a Value {
    let schema = &document["paths"][path][method]["responses"][status.to_string()]["content"][kind]
        ["schema"];
    assert!(!schema.is_null(), "{method} {path} documents no {status} in {kind}");
    schema
}

/// The documented path that an address is of.
fn template(document: &Value, address: &str) -> String {
    let path = address.split('?').next().unwrap();
    let fits = |template: &str| {
        let (parts, given) = (template.split('/'), path.split('/'));
        parts.clone().count() == given.clone().count()
            && parts.zip(given).all(|(part, given)| part.starts_with('{') || part == given)
    };
    let paths = document["paths"].as_object().unwrap();
    let literal = paths
        .keys()
        .filter(|template| fits(template))
        .max_by_key(|template| template.split('/').filter(|part| !part.starts_with('{')).count());
    literal.unwrap_or_else(|| panic!("{path} is not documented")).clone()
}

#[tokio::test]
async fn every_path_of_the_contract_is_documented() {
    let server = Running::start().await;
    let document = document(&server).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    for (method, path) in [
        ("get", "/health"),
        ("get", "/ready"),
        ("get", "/"),
        ("get", "/api/nodes"),
        ("get", "/api/nodes/{node}"),
        ("get", "/api/nodes/{node}/pods"),
        ("get", "/api/pods"),
        ("get", "/api/pods/{pod}"),
        ("get", "/api/namespaces"),
        ("get", "/api/namespaces/{namespace}"),
        ("get", "/api/namespaces/{namespace}/pods"),
        ("get", "/api/namespaces/{namespace}/pods/{pod}"),
        ("get", "/api/namespaces/{namespace}/pods/{pod}/containers"),
        ("get", "/api/namespaces/{namespace}/deployments"),
        ("get", "/api/namespaces/{namespace}/deployments/{deployment}"),
        ("get", "/api/namespaces/{namespace}/deployments/{deployment}/pods"),
        ("get", "/api/namespaces/{namespace}/workloads"),
        ("get", "/api/namespaces/{namespace}/workloads/{kind}/{name}"),
        ("get", "/api/namespaces/{namespace}/workloads/{kind}/{name}/pods"),
        ("post", "/api/nodes/{node}"),
        ("post", "/api/pods/{pod}"),
        ("post", "/api/namespaces/{namespace}"),
        ("post", "/api/namespaces/{namespace}/deployments/{deployment}"),
        ("post", "/api/frames"),
    ] {
        assert!(document["paths"][path][method].is_object(), "{method} {path}");
    }
}

#[tokio::test]
async fn every_operation_has_an_id_of_its_own_that_says_what_it_does() {
    let server = Running::start().await;
    let document = document(&server).await;
    let mut ids = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            let verbs: &[&str] = match method.as_str() {
                "get" => &["get", "list"],
                _ => &["push", "send"],
            };
            let is_name = id.chars().all(|c| c.is_ascii_alphanumeric());
            assert!(is_name && verbs.iter().any(|verb| id.starts_with(verb)), "{path}: {id}");
            assert!(ids.insert(id.to_owned()), "{path}: {id} is another one's too");
        }
    }
    assert_eq!(ids.len(), 28);
}

#[tokio::test]
async fn every_response_says_what_it_is() {
    let server = Running::start().await;
    let document = document(&server).await;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let text = response["description"].as_str();
                assert!(text.is_some_and(|text| text.len() > 5), "{method} {path} {status}");
            }
        }
    }
}

/// What tools put into their forms they also send, unless somebody takes it out again.
#[tokio::test]
async fn no_parameter_has_a_value_that_nobody_asked_for() {
    let server = Running::start().await;
    let document = document(&server).await;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for operation in methods.as_object().unwrap().values() {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let schema = &parameter["schema"];
                for value in ["example", "examples", "default"] {
                    let of = [parameter, schema].map(|of| of.get(value).cloned());
                    assert_eq!(of, [None, None], "{path}: {}", parameter["name"]);
                }
            }
        }
    }
}

#[tokio::test]
async fn every_answer_has_an_example_that_fits_its_schema() {
    let server = Running::start().await;
    let document = document(&server).await;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let contents = operation["responses"]["200"]["content"].as_object().unwrap();
            assert!(!contents.is_empty(), "{method} {path}");
            for (kind, content) in contents {
                let example =
                    content.get("example").is_some() || has_example(&document, &content["schema"]);
                assert!(example, "{method} {path} {kind} has no example");
            }
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        if let Some(example) = schema.get("example") {
            assert_eq!(faults(&document, schema, example, name), [""; 0]);
        }
    }
}

#[tokio::test]
async fn every_field_of_the_contract_is_documented_and_required() {
    let server = Running::start().await;
    let document = document(&server).await;
    for (_, _, schema) in PATHS {
        let described = &document["components"]["schemas"][schema];
        for field in fields(schema) {
            assert!(described["properties"][field].is_object(), "{schema} lacks {field}");
            assert!(described["required"].as_array().unwrap().contains(&json!(field)));
            let text = &described["properties"][field]["description"];
            assert!(text.is_string(), "{schema}.{field} is not described");
        }
    }
}

#[tokio::test]
async fn every_answer_is_as_documented() {
    let captured = Captured::measured(3).await;
    let server = &captured.server;
    let document = document(server).await;
    let all = |answer: &Value| answer[0]["pod_count"] == 6;
    server.eventually("/api/namespaces/shop/deployments/web", all).await;
    let others = ["/health", "/ready", "/api/units", "/api/nodes/lab-node/units"];
    for path in PATHS.iter().map(|(path, ..)| *path).chain(others) {
        let addresses = match path {
            "/health" | "/ready" => vec![path.to_owned()],
            _ => ["", "?window=60", "?window=3600&step=60"]
                .map(|query| format!("{path}{query}"))
                .into(),
        };
        for address in addresses {
            let schema =
                answer(&document, &template(&document, &address), "get", 200, "application/json");
            let value = server.json(&address).await;
            assert_eq!(faults(&document, schema, &value, &address), [""; 0]);
        }
    }
}

#[tokio::test]
async fn every_field_of_an_answer_is_documented() {
    let captured = Captured::measured(2).await;
    let document = document(&captured.server).await;
    for (path, _, schema) in PATHS {
        let described = &document["components"]["schemas"][schema]["properties"];
        for item in captured.server.json(path).await.as_array().unwrap() {
            for field in item.as_object().unwrap().keys() {
                assert!(described[field].is_object(), "{path}: {field} is in no schema");
            }
        }
    }
}

#[tokio::test]
async fn refusals_are_as_documented() {
    let captured = Captured::start().await;
    let server = &captured.server;
    let document = document(server).await;
    for (status, address) in [
        (400, "/api/pods?window=soon"),
        (404, "/api/nodes/none"),
        (409, "/api/pods/bare"),
        (400, "/api/namespaces/shop/workloads?limit=0"),
    ] {
        let path = template(&document, address);
        let schema = answer(&document, &path, "get", status, "application/problem+json");
        let problem = server.problem(status, address).await;
        assert_eq!(faults(&document, schema, &problem, address), [""; 0]);
    }
    let refused = send(server.address, "POST", "/api/nodes/n", &[], b"{}".to_vec()).await;
    let kind = "application/problem+json";
    let schema = answer(&document, "/api/nodes/{node}", "post", 415, kind);
    assert_eq!(faults(&document, schema, &refused.problem(415), "post"), [""; 0]);
}

#[tokio::test]
async fn lists_document_what_chooses_and_one_does_not() {
    let captured = Captured::start().await;
    let document = document(&captured.server).await;
    for (path, shape, _) in PATHS {
        let path = template(&document, path);
        let parameters = document["paths"][&path]["get"]["parameters"].as_array().unwrap();
        let has = |name: &str| parameters.iter().any(|parameter| parameter["name"] == name);
        for name in ["window", "start", "end", "step"] {
            assert!(has(name), "{path} lacks {name}");
        }
        for name in ["limit", "continue", "sort"] {
            assert_eq!(has(name), shape == Shape::List, "{path}: {name}");
        }
    }
}

#[test]
fn the_check_finds_what_does_not_fit() {
    let document = json!({"components": {"schemas": {"A": {
        "type": "object", "required": ["a"],
        "properties": {"a": {"type": ["integer", "null"], "minimum": 0}},
    }}}});
    let schema = json!({"type": "array", "items": {"$ref": "#/components/schemas/A"}});
    for (value, count) in [
        (json!([{"a": 1}, {"a": null}]), 0),
        (json!([{"a": 1.5}]), 1),
        (json!([{"a": -1}]), 1),
        (json!([{"b": 1}]), 1),
        (json!({"a": 1}), 1),
    ] {
        assert_eq!(faults(&document, &schema, &value, "").len(), count, "{value}");
    }
}
