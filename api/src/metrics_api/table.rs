//! Objects as rows for people, as `kubectl get` asks for them.

use serde_json::{Value, json};

use super::objects::{Kind, ObjectMeta, one};

/// The API version of a table, as it was asked for.
pub(super) type TableVersion = &'static str;

/// What comes with each row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum IncludeObject {
    /// Nothing.
    None,
    /// Who it is about.
    #[default]
    Metadata,
    /// The object.
    Object,
}

impl IncludeObject {
    /// The value of the parameter `includeObject`.
    pub(super) fn named(text: &str) -> Option<Self> {
        match text {
            "None" => Some(Self::None),
            "" | "Metadata" => Some(Self::Metadata),
            "Object" => Some(Self::Object),
            _ => None,
        }
    }
}

/// The table of these objects.
pub(super) fn table<T: Kind>(
    version: TableVersion,
    objects: Vec<T>,
    include: IncludeObject,
) -> Value {
    let rows: Vec<Value> =
        objects.into_iter().map(|object| row(version, object, include)).collect();
    json!({
        "kind": "Table", "apiVersion": version, "metadata": {},
        "columnDefinitions": [
            column("Name", "name", "Name of the resource"),
            column("CPU", "quantity", "CPU in use, averaged over the window"),
            column("Memory", "quantity", "Working set at the end of the window"),
            column("Window", "duration", "Time over which CPU is averaged"),
        ],
        "rows": rows,
    })
}

fn column(name: &str, format: &str, description: &str) -> Value {
    json!({"name": name, "type": "string", "format": format, "description": description,
           "priority": 0})
}

fn row<T: Kind>(version: TableVersion, object: T, include: IncludeObject) -> Value {
    let usage = object.usage();
    let metadata = object.metadata();
    let cells = json!([metadata.name, usage.cpu, usage.memory, object.window()]);
    let object = match include {
        IncludeObject::None => Value::Null,
        IncludeObject::Metadata => partial(version, metadata),
        IncludeObject::Object => json!(one(object)),
    };
    json!({"cells": cells, "object": object})
}

fn partial(version: TableVersion, metadata: &ObjectMeta) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": version, "metadata": metadata})
}
