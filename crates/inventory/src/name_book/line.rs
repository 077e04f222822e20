//! A pod as a line has it.

use std::{collections::BTreeMap, sync::Arc};

use kubemonitor_model::{EntityId, QosClass, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::{
    ContainerMeta, ContainerRole, Labels, OwnerRef, Phase, PodMeta, Resources, WorkloadKey,
    WorkloadKind,
};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    uid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_uid: Option<String>,
    namespace: Arc<str>,
    name: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phase: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    qos: Option<QosClass>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<Owner>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workload: Option<Workload>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host_network: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_at: Option<i64>,
    containers: Vec<Container>,
    #[serde(default, skip_serializing_if = "Amounts::is_empty")]
    requests: Amounts,
    #[serde(default, skip_serializing_if = "Amounts::is_empty")]
    limits: Amounts,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    restarts: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Owner {
    kind: String,
    name: Arc<str>,
    uid: String,
}

/// The namespace is the pod's.
#[derive(Debug, Serialize, Deserialize)]
struct Workload {
    kind: String,
    name: Arc<str>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Container {
    name: Arc<str>,
    role: String,
    /// Of all its runs, the latest first.
    ids: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Amounts::is_empty")]
    requests: Amounts,
    #[serde(default, skip_serializing_if = "Amounts::is_empty")]
    limits: Amounts,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    restarts: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Amounts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cpu_millicores: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<u64>,
}

impl Amounts {
    fn is_empty(&self) -> bool {
        self.cpu_millicores.is_none() && self.memory_bytes.is_none()
    }
}

impl From<Resources> for Amounts {
    fn from(Resources { cpu_millicores, memory_bytes }: Resources) -> Self {
        Self { cpu_millicores, memory_bytes }
    }
}

impl From<Amounts> for Resources {
    fn from(Amounts { cpu_millicores, memory_bytes }: Amounts) -> Self {
        Self { cpu_millicores, memory_bytes }
    }
}

impl From<&PodMeta> for Line {
    fn from(pod: &PodMeta) -> Self {
        Self {
            uid: pod.uid.to_string(),
            api_uid: (pod.api_uid != pod.uid).then(|| pod.api_uid.to_string()),
            namespace: Arc::clone(&pod.namespace),
            name: Arc::clone(&pod.name),
            node: pod.node.clone(),
            phase: pod.phase.map(|phase| phase.as_str().to_owned()),
            qos: pod.qos,
            owner: pod.owner.as_ref().map(|owner| Owner {
                kind: owner.kind.to_string(),
                name: Arc::clone(&owner.name),
                uid: owner.uid.to_string(),
            }),
            workload: pod.workload.as_ref().map(|workload| Workload {
                kind: workload.kind.to_string(),
                name: Arc::clone(&workload.name),
            }),
            labels: pod.labels.as_ref().map(|labels| {
                labels.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
            }),
            host_network: pod.host_network,
            created_at: pod.created_at.map(|at| at.0),
            ended_at: pod.ended_at.map(|at| at.0),
            containers: pod.containers.iter().map(Container::from).collect(),
            requests: pod.requests.into(),
            limits: pod.limits.into(),
            restarts: pod.restarts,
        }
    }
}

impl From<Line> for PodMeta {
    fn from(line: Line) -> Self {
        let uid = EntityId::parse(&line.uid);
        let workload = line.workload.map(|workload| {
            let kind = WorkloadKind::named(&workload.kind);
            Arc::new(WorkloadKey::new(&line.namespace, kind, &workload.name))
        });
        Self {
            api_uid: line.api_uid.map_or_else(|| uid.clone(), |uid| EntityId::parse(&uid)),
            uid,
            namespace: line.namespace,
            name: line.name,
            node: line.node,
            phase: line.phase.as_deref().and_then(Phase::named),
            // True of one moment only.
            ready: None,
            reason: None,
            qos: line.qos,
            owner: line.owner.map(|owner| {
                Arc::new(OwnerRef {
                    kind: WorkloadKind::named(&owner.kind),
                    name: owner.name,
                    uid: EntityId::parse(&owner.uid),
                })
            }),
            workload,
            labels: line.labels.map(|labels| labels.into_iter().collect::<Labels>()),
            host_network: line.host_network,
            created_at: line.created_at.map(UnixMillis),
            ended_at: line.ended_at.map(UnixMillis),
            containers: line.containers.into_iter().map(ContainerMeta::from).collect(),
            requests: line.requests.into(),
            limits: line.limits.into(),
            restarts: line.restarts,
        }
    }
}

impl From<&ContainerMeta> for Container {
    fn from(container: &ContainerMeta) -> Self {
        Self {
            name: Arc::clone(&container.name),
            role: container.role.as_str().to_owned(),
            ids: container.ids().map(ToString::to_string).collect(),
            image: container.image.clone(),
            requests: container.requests.into(),
            limits: container.limits.into(),
            restarts: container.restarts,
        }
    }
}

impl From<Container> for ContainerMeta {
    fn from(container: Container) -> Self {
        let mut ids: Vec<EntityId> = container.ids.iter().map(|id| EntityId::parse(id)).collect();
        let id = (!ids.is_empty()).then(|| ids.remove(0));
        ids.reverse();
        Self {
            name: container.name,
            role: ContainerRole::named(&container.role),
            id,
            previous_ids: ids.into(),
            image: container.image,
            requests: container.requests.into(),
            limits: container.limits.into(),
            restarts: container.restarts,
            // Kubernetes will say so where it does.
            running: false,
        }
    }
}
