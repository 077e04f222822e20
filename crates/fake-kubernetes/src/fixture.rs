//! What a real API server answered.

use std::{collections::BTreeMap, io::Read};

use flate2::read::GzDecoder;
use serde_json::Value;
use tar::Archive;

/// Lists and one watch of a real cluster: two nodes, workloads of most kinds, two pods of one name.
#[derive(Clone, Debug, Default)]
pub struct Fixture {
    /// Objects by resource (`pods`, `deployments`, …).
    pub lists: BTreeMap<String, Vec<Value>>,
    /// The events of a watch on pods that began with no version: first the pods that were there,
    /// then what happened.
    pub pod_events: Vec<Value>,
}

const ARCHIVE: &[u8] = include_bytes!("../fixtures/kubernetes-api.tar.gz");

impl Fixture {
    /// The captured cluster.
    ///
    /// # Panics
    /// Where the archive in this crate is broken.
    pub fn captured() -> Self {
        let mut fixture = Self::default();
        let mut archive = Archive::new(GzDecoder::new(ARCHIVE));
        for file in archive.entries().expect("the archive is a tar file") {
            let mut file = file.expect("the archive is whole");
            let name = file.path().expect("its paths are text").to_path_buf();
            let mut text = String::new();
            file.read_to_string(&mut text).expect("its files are text");
            let json = |text| serde_json::from_str(text).expect("its files hold JSON");
            let Some(name) = name.file_name().and_then(|name| name.to_str()) else { continue };
            if name == "pods.watch.jsonl" {
                fixture.pod_events = text.lines().map(json).collect();
            } else if let Some(resource) = name.strip_suffix(".json") {
                let Value::Array(items) = json(&text)["items"].take() else { continue };
                fixture.lists.insert(resource.to_owned(), items);
            }
        }
        fixture
    }
}
