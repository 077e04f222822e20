//! Pods.

use std::sync::Arc;

use kubemonitor_inventory::{Phase, PodMeta, Resources, WorkloadKind};
use kubemonitor_model::QosClass;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Disk, Network, Reading, Timestamp, Usage};

/// Which pod.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct PodIdentity {
    /// Its namespace; null while Kubernetes has not told.
    pub(crate) namespace: Option<Arc<str>>,
    /// Its name; its UID while Kubernetes has not told.
    pub(crate) pod_name: Arc<str>,
    /// The UID its cgroup carries.
    pub(crate) uid: Arc<str>,
    /// The node it runs on; null where somebody pushed it without.
    pub(crate) node_name: Option<Arc<str>>,
    /// The Deployment it belongs to; null if none.
    pub(crate) deployment: Option<Arc<str>>,
    /// The kind at the top of its owners: Deployment, StatefulSet, DaemonSet, Job, CronJob,
    /// ReplicaSet, or Pod for one that nobody owns.
    pub(crate) workload_kind: Option<Arc<str>>,
    /// The name at the top of its owners.
    pub(crate) workload_name: Option<Arc<str>>,
}

/// What is said of a pod besides its measurements.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct PodFacts {
    /// Who it is.
    #[serde(flatten)]
    pub(crate) identity: PodIdentity,
    /// Whether it runs no more.
    pub(crate) ended: bool,
    /// Its node fell silent: what is said is what was measured last, as of `timestamp`. Null in older
    /// samples than the newest.
    pub(crate) stale: Option<bool>,
    /// Pending, Running, Succeeded, Failed or Unknown; null in older samples than the newest.
    pub(crate) phase: Option<&'static str>,
    /// Whether Kubernetes says that it can serve; null in older samples than the newest.
    pub(crate) ready: Option<bool>,
    /// What `kubectl get pods` says beyond the phase: `CrashLoopBackOff`, `ImagePullBackOff`,
    /// `Unschedulable`, `ContainerCreating`, `OOMKilled`, `Completed`, `Terminating`; null where there is
    /// nothing to say, and in older samples than the newest.
    pub(crate) reason: Option<Arc<str>>,
    /// Guaranteed, Burstable or `BestEffort`.
    pub(crate) qos_class: Option<&'static str>,
    /// CPU reserved for it, in thousandths of a CPU; null without a request.
    pub(crate) cpu_request_millicores: Option<u64>,
    /// Memory reserved for it, in bytes; null without a request.
    pub(crate) memory_request_bytes: Option<u64>,
    /// Restarts of its containers, all together; null in older samples than the newest.
    pub(crate) restarts: Option<u32>,
    /// Containers that run in it; null in older samples than the newest.
    pub(crate) container_count: Option<u64>,
    /// The limits its specification declares.
    #[serde(skip)]
    pub(crate) limits: Resources,
}

/// A pod at one moment, measured by its own cgroup: the sandbox and ended containers included.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(example = json!(PodSample::example()))]
pub(crate) struct PodSample {
    /// When it was measured.
    pub(crate) timestamp: Timestamp,
    #[serde(flatten)]
    #[schema(value_type = PodFacts)]
    pub(crate) facts: Arc<PodFacts>,
    #[serde(flatten)]
    usage: Usage,
    #[serde(flatten)]
    disk: Disk,
    #[serde(flatten)]
    network: Network,
}

impl PodIdentity {
    /// Who a pod of this UID is, as far as Kubernetes has told.
    pub(crate) fn new(uid: &Arc<str>, measured_on: Option<&str>, meta: Option<&PodMeta>) -> Self {
        let workload = meta.and_then(|meta| meta.workload.as_deref());
        let is_deployment = |kind: &WorkloadKind| *kind == WorkloadKind::Deployment;
        Self {
            namespace: meta.map(|meta| Arc::clone(&meta.namespace)),
            pod_name: Arc::clone(meta.map_or(uid, |meta| &meta.name)),
            node_name: measured_on
                .map(Arc::from)
                .or_else(|| meta.and_then(|meta| meta.node.clone())),
            deployment: workload
                .filter(|workload| is_deployment(&workload.kind))
                .map(|workload| Arc::clone(&workload.name)),
            workload_kind: workload.map(|workload| workload.kind.as_str().into()),
            workload_name: workload.map(|workload| Arc::clone(&workload.name)),
            uid: Arc::clone(uid),
        }
    }
}

impl PodFacts {
    /// What is known of a pod.
    pub(crate) fn new(identity: PodIdentity, state: PodState, meta: Option<&PodMeta>) -> Self {
        let requests = meta.map(|meta| meta.requests).unwrap_or_default();
        Self {
            identity,
            ended: state.ended,
            stale: Some(state.stale),
            phase: meta.and_then(|meta| meta.phase).map(Phase::as_str),
            ready: meta.and_then(|meta| meta.ready),
            reason: meta.and_then(|meta| meta.reason.clone()),
            qos_class: meta.and_then(|meta| meta.qos).or(state.qos).map(QosClass::as_str),
            cpu_request_millicores: requests.cpu_millicores,
            memory_request_bytes: requests.memory_bytes,
            restarts: meta.and_then(|meta| meta.restarts),
            container_count: state.container_count,
            limits: meta.map(|meta| meta.limits).unwrap_or_default(),
        }
    }

    /// What of it holds for samples older than the newest.
    #[must_use]
    pub(crate) fn past(&self) -> Self {
        Self {
            stale: None,
            phase: None,
            ready: None,
            reason: None,
            restarts: None,
            container_count: None,
            ..self.clone()
        }
    }
}

/// How a pod is, besides what Kubernetes says of it and what was measured.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PodState {
    /// It runs no more.
    pub(crate) ended: bool,
    /// Nothing was heard of its node lately.
    pub(crate) stale: bool,
    /// Its class, by the place of its cgroup.
    pub(crate) qos: Option<QosClass>,
    /// Containers that run in it.
    pub(crate) container_count: Option<u64>,
}

impl PodSample {
    /// What was read of a pod, and what else is said of it.
    pub(crate) fn new(facts: Arc<PodFacts>, reading: &Reading) -> Self {
        Self {
            timestamp: Timestamp(reading.at),
            usage: Usage::of(reading, facts.limits),
            disk: Disk::of(reading),
            network: Network::of(reading),
            facts,
        }
    }

    fn example() -> Self {
        Self {
            timestamp: Timestamp::EXAMPLE,
            facts: Arc::new(PodFacts::example()),
            usage: Usage::example(),
            disk: Disk::example(),
            network: Network::example(),
        }
    }
}

impl PodFacts {
    fn example() -> Self {
        Self {
            identity: PodIdentity::example(),
            ended: false,
            stale: Some(false),
            phase: Some("Running"),
            ready: Some(true),
            reason: None,
            qos_class: Some("Burstable"),
            cpu_request_millicores: Some(100),
            memory_request_bytes: Some(134_217_728),
            restarts: Some(0),
            container_count: Some(2),
            limits: Resources::default(),
        }
    }
}

impl PodIdentity {
    pub(super) fn example() -> Self {
        Self {
            namespace: Some("shop".into()),
            pod_name: "cart-5f9c6d7b8-x2k4q".into(),
            uid: "a96ab411-2bca-47bf-90b4-002d39ce26bb".into(),
            node_name: Some("worker-1".into()),
            deployment: Some("cart".into()),
            workload_kind: Some("Deployment".into()),
            workload_name: Some("cart".into()),
        }
    }
}
