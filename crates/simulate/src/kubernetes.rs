//! The names of a fleet's pods, as a Kubernetes API tells them.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use kubemonitor_fake_kubernetes::FakeKubernetes;
use kubemonitor_model::QosClass;
use serde_json::{Value, json};

use crate::fleet::{
    ContainerSpec, Names, PodPlace, PodSpec, Shape, Workload, namespace_name, node_name,
};

/// A Kubernetes API on loopback that knows a fleet's pods under the UIDs the fleet sends: about ten
/// of them in a deployment, and up to 200 namespaces. It ends when this is dropped.
#[derive(Debug)]
pub struct NamedFleet {
    shape: Shape,
    api: FakeKubernetes,
    /// How many pods each place has had before the one it has.
    generations: Arc<[AtomicU32]>,
}

/// Since when everything is there. It does not matter, as long as it is long ago.
const CREATED: &str = "2024-01-01T00:00:00Z";

impl NamedFleet {
    /// Serves the pods that a fleet of this shape begins with.
    pub async fn serve(shape: Shape) -> Self {
        let api = FakeKubernetes::start().await;
        let generations: Arc<[AtomicU32]> =
            (0..shape.all_pods()).map(|_| AtomicU32::new(0)).collect();
        let list = |resource, count: u32, object: fn(&Shape, u32) -> Value| {
            let make = move |place| object(&shape, numbered(place)).to_string();
            api.make_up(resource, count as usize, make);
        };
        list("nodes", shape.nodes, node);
        list("namespaces", Names::namespaces(&shape), namespace);
        list("deployments", Names::deployments(&shape), deployment);
        list("replicasets", Names::deployments(&shape), replica_set);
        let known = Arc::clone(&generations);
        api.make_up("pods", known.len(), move |place| {
            let generation = known[place].load(Ordering::Relaxed);
            let (node, slot) = (numbered(place) / shape.pods, numbered(place) % shape.pods);
            pod(&shape, PodPlace { node, slot, generation }).to_string()
        });
        Self { shape, api, generations }
    }

    /// A kubeconfig that leads there.
    pub fn kubeconfig(&self) -> String {
        self.api.kubeconfig("default")
    }

    /// A pod began in the place of another one.
    pub fn replace(&self, born: PodPlace) {
        let number = born.node * self.shape.pods + born.slot;
        let Some(generation) = self.generations.get(number as usize) else { return };
        let ended = PodPlace { generation: generation.load(Ordering::Relaxed), ..born };
        generation.store(born.generation, Ordering::Relaxed);
        for (kind, place) in [("DELETED", ended), ("ADDED", born)] {
            let event = json!({"type": kind, "object": pod(&self.shape, place)});
            self.api.replay("pods", &event);
        }
    }
}

/// The number of a made-up object. A [`Shape`] has no more of a kind than 32 bits can count.
fn numbered(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

fn pod(shape: &Shape, place: PodPlace) -> Value {
    let PodSpec { uid, qos, host_network, containers } = PodSpec::of(shape, place);
    let Names { namespace, deployment, replica_set, pod } = Names::of(shape, place);
    let each = |make: fn(usize, &ContainerSpec) -> Value| -> Vec<Value> {
        containers.iter().enumerate().map(|(number, container)| make(number, container)).collect()
    };
    json!({
        "metadata": {
            "name": pod,
            "namespace": namespace,
            "uid": uid.to_string(),
            "resourceVersion": "1",
            "creationTimestamp": CREATED,
            "labels": {"app": deployment},
            "ownerReferences": [owner("apps/v1", "ReplicaSet", &replica_set)],
        },
        "spec": {
            "nodeName": node_name(place.node).as_str(),
            "hostNetwork": host_network,
            "containers": each(container),
        },
        "status": {
            "phase": "Running",
            "qosClass": match qos {
                QosClass::Guaranteed => "Guaranteed",
                QosClass::Burstable => "Burstable",
                QosClass::BestEffort => "BestEffort",
            },
            "containerStatuses": each(container_status),
        },
    })
}

fn container_name(number: usize) -> String {
    if number == 0 { "app".to_owned() } else { format!("sidecar-{number}") }
}

fn container(number: usize, spec: &ContainerSpec) -> Value {
    let mut resources = json!({"requests": {"cpu": "10m", "memory": "32Mi"}});
    if let (Some(cpu), Some(memory)) = (spec.limit_millicores, spec.memory_limit) {
        resources["limits"] = json!({"cpu": format!("{cpu}m"), "memory": memory.to_string()});
    }
    json!({"name": container_name(number), "image": "example/app:1", "resources": resources})
}

fn container_status(number: usize, spec: &ContainerSpec) -> Value {
    json!({
        "name": container_name(number),
        "containerID": format!("containerd://{}", spec.id),
        "restartCount": 0,
        "state": {"running": {"startedAt": CREATED}},
        "lastState": {},
    })
}

fn node(_: &Shape, number: u32) -> Value {
    let name = node_name(number);
    json!({
        "metadata": metadata(name.as_str()),
        "status": {
            "capacity": {"cpu": "4", "memory": "16Gi"},
            "allocatable": {"cpu": "3800m", "memory": "15Gi"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    })
}

fn namespace(_: &Shape, number: u32) -> Value {
    json!({"metadata": metadata(&namespace_name(number))})
}

fn deployment(shape: &Shape, number: u32) -> Value {
    let Workload { namespace, deployment, .. } = Workload::of(shape, number);
    let mut metadata = metadata(&deployment);
    metadata["namespace"] = namespace.into();
    json!({"metadata": metadata})
}

fn replica_set(shape: &Shape, number: u32) -> Value {
    let Workload { namespace, deployment, replica_set } = Workload::of(shape, number);
    let mut metadata = metadata(&replica_set);
    metadata["namespace"] = namespace.into();
    metadata["ownerReferences"] = json!([owner("apps/v1", "Deployment", &deployment)]);
    json!({"metadata": metadata})
}

fn metadata(name: &str) -> Value {
    json!({
        "name": name,
        "uid": uid_of(name),
        "resourceVersion": "1",
        "creationTimestamp": CREATED,
    })
}

fn owner(api_version: &str, kind: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "name": name, "uid": uid_of(name),
           "controller": true})
}

/// Names of all but pods are unique in the whole fleet, so that they can stand in their UIDs.
fn uid_of(name: &str) -> String {
    format!("uid-of-{name}")
}
