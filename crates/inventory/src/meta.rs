//! What is known of pods, containers, nodes, namespaces and workloads.

use std::sync::Arc;

use kubemonitor_model::{EntityId, QosClass, UnixMillis};

use crate::{Labels, OwnerRef, PodSums, Resources, WorkloadKey};

/// Where a pod is in its life, as Kubernetes sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Accepted, but not all containers have been started.
    Pending,
    /// Bound to a node, at least one container runs or restarts.
    Running,
    /// All containers ended well.
    Succeeded,
    /// All containers ended, some badly.
    Failed,
    /// The node does not answer.
    Unknown,
}

impl Phase {
    const ALL: [Self; 5] =
        [Self::Pending, Self::Running, Self::Succeeded, Self::Failed, Self::Unknown];

    /// As Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Unknown => "Unknown",
        }
    }

    /// The phase Kubernetes writes like this.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == text)
    }
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodMeta {
    /// The UID its cgroup carries: the API's, except for static pods, whose cgroup has the hash of
    /// their file. Of a pod that was only pushed, `namespace/name`.
    pub uid: EntityId,
    /// The UID the API knows it by.
    pub api_uid: EntityId,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name, which a later pod may carry again.
    pub name: Arc<str>,
    /// The node it was bound to.
    pub node: Option<Arc<str>>,
    /// Where it is in its life.
    pub phase: Option<Phase>,
    /// Whether it can serve (its condition `Ready`); `None` when nobody said.
    pub ready: Option<bool>,
    /// What there is to say beyond its phase, in the words of `kubectl get pods`:
    /// `CrashLoopBackOff`, `ImagePullBackOff`, `Unschedulable`, `Terminating`; `None` when nothing.
    pub reason: Option<Arc<str>>,
    /// Its quality of service class.
    pub qos: Option<QosClass>,
    /// What made it, if anything: one step up the owner chain.
    pub owner: Option<Arc<OwnerRef>>,
    /// The top of its owner chain; `None` until the owner between has been seen.
    pub workload: Option<Arc<WorkloadKey>>,
    /// Its labels; `None` when nobody said, which is not to say that it has none.
    pub labels: Option<Labels>,
    /// Whether it uses the node's network instead of one of its own; `None` when nobody said.
    pub host_network: Option<bool>,
    /// When it was created.
    pub created_at: Option<UnixMillis>,
    /// When Kubernetes stopped knowing it; `None` while it does.
    pub ended_at: Option<UnixMillis>,
    /// Its containers in the order they start: init and sidecars, app, ephemeral.
    pub containers: Box<[ContainerMeta]>,
    /// What the scheduler reserves for it: the larger of what init containers need in turn and what
    /// app containers and sidecars need together, plus the runtime's overhead.
    pub requests: Resources,
    /// Sums limits as requests are summed. A container without one does not make the sum absent, as in
    /// `kubectl describe node`.
    pub limits: Resources,
    /// Restarts of its containers, all together.
    pub restarts: Option<u32>,
}

impl PodMeta {
    /// Whether Kubernetes knows it at present and says that it runs.
    pub fn is_running(&self) -> bool {
        self.ended_at.is_none() && self.phase == Some(Phase::Running)
    }

    /// Whether it has a place among the pods of a node: bound to it, and not known to be over.
    pub(crate) fn occupies_node(&self) -> bool {
        let is_over = matches!(self.phase, Some(Phase::Succeeded | Phase::Failed));
        self.ended_at.is_none() && !is_over && self.node.is_some()
    }

    /// Whether what a restart is to find of it is the same in both.
    pub(crate) fn is_recorded_like(&self, other: &Self) -> bool {
        let facts = |pod: &Self| (pod.phase, pod.qos, pod.restarts, pod.requests, pod.limits);
        let containers = || self.containers.iter().zip(&other.containers);
        facts(self) == facts(other)
            && self.labels == other.labels
            && self.containers.len() == other.containers.len()
            && containers().all(|(one, other)| one.is_recorded_like(other))
    }

    /// The container with this ID, be it one that a restart has replaced since.
    pub fn container(&self, id: &EntityId) -> Option<&ContainerMeta> {
        self.containers.iter().find(|container| container.ids().any(|known| known == id))
    }
}

/// What a container is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContainerRole {
    /// Runs to its end before the app starts.
    Init,
    /// An init container that goes on beside the app (`restartPolicy: Always`).
    Sidecar,
    /// What the pod is for.
    App,
    /// Added for debugging while the pod ran.
    Ephemeral,
}

impl ContainerRole {
    const ALL: [Self; 4] = [Self::Init, Self::Sidecar, Self::App, Self::Ephemeral];

    /// The role with this word; what nobody knows is an app.
    pub fn named(word: &str) -> Self {
        Self::ALL.into_iter().find(|role| role.as_str() == word).unwrap_or(Self::App)
    }

    /// A word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Sidecar => "sidecar",
            Self::App => "app",
            Self::Ephemeral => "ephemeral",
        }
    }
}

/// A container of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerMeta {
    /// Its name, unique in the pod.
    pub name: Arc<str>,
    /// What it is for.
    pub role: ContainerRole,
    /// The runtime's ID of the present or latest run; `None` before the first.
    pub id: Option<EntityId>,
    /// IDs of earlier runs, oldest first: a restart gives a new one.
    pub previous_ids: Box<[EntityId]>,
    /// The image, as the pod's specification names it.
    pub image: Option<Arc<str>>,
    /// What it asks for.
    pub requests: Resources,
    /// What it may use.
    pub limits: Resources,
    /// How often it was started again; `None` before kubelet has told.
    pub restarts: Option<u32>,
    /// Whether kubelet says that it runs.
    pub running: bool,
}

impl ContainerMeta {
    fn is_recorded_like(&self, other: &Self) -> bool {
        let facts = |c: &Self| (c.role, c.requests, c.limits, c.restarts);
        facts(self) == facts(other)
            && self.name == other.name
            && self.id == other.id
            && self.previous_ids == other.previous_ids
            && self.image == other.image
    }

    /// The IDs of all known runs, the latest first.
    pub fn ids(&self) -> impl Iterator<Item = &EntityId> {
        self.id.iter().chain(self.previous_ids.iter().rev())
    }
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeMeta {
    /// Its name.
    pub name: Arc<str>,
    /// Whether kubelet says that it can take pods; `None` when its state is unknown.
    pub ready: Option<bool>,
    /// Its labels.
    pub labels: Labels,
    /// What the machine has.
    pub capacity: Resources,
    /// What of that pods can have.
    pub allocatable: Resources,
    /// When it joined the cluster.
    pub created_at: Option<UnixMillis>,
    /// When it left; `None` while it is there.
    pub ended_at: Option<UnixMillis>,
}

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceMeta {
    /// Its name.
    pub name: Arc<str>,
    /// When it was created; `None` when only its pods are known.
    pub created_at: Option<UnixMillis>,
    /// When it was deleted; `None` while it is there.
    pub ended_at: Option<UnixMillis>,
    /// Sums over its pods at the moment of asking.
    pub pods: PodSums,
}

/// A workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadMeta {
    /// Who it is.
    pub key: Arc<WorkloadKey>,
    /// When it was created; `None` when only its pods are known.
    pub created_at: Option<UnixMillis>,
    /// When it was deleted; `None` while it is there, and when only its pods are known.
    pub ended_at: Option<UnixMillis>,
    /// Sums over its pods at the moment of asking.
    pub pods: PodSums,
}
