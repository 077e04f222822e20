//! The captured nodes, unpacked, and what kubelet said of them.

use std::{
    collections::HashMap,
    fs::{self, File},
    path::Path,
};

use flate2::read::GzDecoder;
use jiff::Timestamp;
use kubemonitor_hostfs::{CgroupReading, EntityReading, Host, HostRoots, NodeReading};
use serde_json::Value;

/// A node at two moments.
pub(crate) struct CapturedNode {
    pub(crate) before: Moment,
    pub(crate) after: Moment,
}

/// A node at one moment, as it is read and as kubelet saw it.
pub(crate) struct Moment {
    pub(crate) at: Timestamp,
    pub(crate) node: NodeReading,
    pub(crate) entities: Vec<EntityReading>,
    pub(crate) summary: Value,
    /// The version of its cgroups, and who makes them.
    pub(crate) cgroups: (&'static str, Option<&'static str>),
}

/// One pod, container or node: what was read of it, and what kubelet said.
pub(crate) struct Compared<'a> {
    pub(crate) name: String,
    pub(crate) read: [&'a CgroupReading; 2],
    pub(crate) said: [&'a Value; 2],
}

impl CapturedNode {
    pub(crate) fn unpack(name: &str) -> Self {
        // In memory where that can be had: there are thousands of files.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let archive = File::open(fixtures.join(format!("{name}.tar.gz"))).unwrap();
        tar::Archive::new(GzDecoder::new(archive)).unpack(folder.path()).unwrap();
        let folder = folder.path().join(name);
        Self { before: Moment::read(&folder.join("t0")), after: Moment::read(&folder.join("t1")) }
    }

    /// Seconds between the two moments.
    pub(crate) fn seconds(&self) -> f64 {
        seconds(self.before.at, self.after.at)
    }

    /// Every pod and container that kubelet knew.
    pub(crate) fn pods_and_containers(&self) -> Vec<Compared<'_>> {
        let later = self.after.pods();
        let mut all = Vec::new();
        for (uid, pod) in self.before.pods() {
            let name = pod["podRef"]["name"].as_str().unwrap();
            all.push(self.compared(uid, name.to_owned(), [pod, later[uid]]));
            for container in pod["containers"].as_array().unwrap() {
                let of_container = container["name"].as_str().unwrap();
                let said = [container, container_named(later[uid], of_container)];
                let id = container_id(uid, of_container);
                all.push(self.compared(id, format!("{name}/{of_container}"), said));
            }
        }
        all
    }

    fn compared<'a>(&'a self, id: &str, name: String, said: [&'a Value; 2]) -> Compared<'a> {
        let read = [&self.before, &self.after].map(|moment| &moment.entity(id).cgroup);
        Compared { name, read, said }
    }
}

impl Moment {
    fn read(folder: &Path) -> Self {
        let text = |name| fs::read_to_string(folder.join(name)).unwrap();
        let mut host = Host::open(HostRoots::mounted_at(folder)).unwrap();
        let cgroups = (host.cgroup_version(), host.cgroup_driver());
        let reading = host.read();
        Self {
            cgroups,
            at: text("captured-at").trim().parse().unwrap(),
            node: *reading.node,
            entities: reading.entities().cloned().collect(),
            summary: serde_json::from_str(&text("kubelet-stats-summary.json")).unwrap(),
        }
    }

    /// The entity of this ID.
    pub(crate) fn entity(&self, id: &str) -> &EntityReading {
        let found = self.entities.iter().find(|entity| entity.id.to_string() == id);
        found.unwrap_or_else(|| panic!("{id} was not found"))
    }

    /// The pods of kubelet's summary by UID.
    pub(crate) fn pods(&self) -> HashMap<&str, &Value> {
        let pods = self.summary["pods"].as_array().unwrap();
        pods.iter().map(|pod| (pod["podRef"]["uid"].as_str().unwrap(), pod)).collect()
    }
}

/// Our CPU counter.
pub(crate) fn cpu_ns(reading: &CgroupReading) -> f64 {
    reading.cpu_usage_ns.unwrap() as f64
}

/// Kubelet's CPU counter, and when it was read, to the second.
pub(crate) fn kubelets_cpu_ns(said: &Value) -> (Timestamp, f64) {
    let at = said["cpu"]["time"].as_str().unwrap().parse().unwrap();
    (at, said["cpu"]["usageCoreNanoSeconds"].as_f64().unwrap())
}

pub(crate) fn kubelets_working_set(said: &Value) -> u64 {
    said["memory"]["workingSetBytes"].as_u64().unwrap()
}

/// Seconds from one moment to another.
pub(crate) fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

fn container_named<'a>(pod: &'a Value, name: &str) -> &'a Value {
    pod["containers"].as_array().unwrap().iter().find(|other| other["name"] == name).unwrap()
}

fn container_id(uid: &str, name: &str) -> &'static str {
    let rows = include_str!("../fixtures/containers.tsv").lines();
    let mut cells = rows.map(|row| row.split('\t').collect::<Vec<_>>());
    cells.find(|row| row[..2] == [uid, name]).unwrap()[2]
}
