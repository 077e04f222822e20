//! What pods belong to.

use std::{fmt, sync::Arc};

use kubemonitor_model::EntityId;

/// The kind of a workload. Kinds that Kubernetes itself does not bring stand under their own name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WorkloadKind {
    /// `apps` Deployment.
    Deployment,
    /// `apps` StatefulSet.
    StatefulSet,
    /// `apps` DaemonSet.
    DaemonSet,
    /// `batch` Job that no CronJob made.
    Job,
    /// `batch` CronJob.
    CronJob,
    /// `apps` ReplicaSet that no Deployment made.
    ReplicaSet,
    /// A pod nobody made, or that its kubelet made from a file.
    Pod,
    /// Any other, such as `Rollout`. One that shares its name with a kind of Kubernetes carries its
    /// API group, as in `StatefulSet.apps.kruise.io`.
    Other(Arc<str>),
}

/// The kinds of Kubernetes itself, with their API groups.
const BUILT_IN: [(&str, WorkloadKind); 7] = [
    ("apps", WorkloadKind::Deployment),
    ("apps", WorkloadKind::StatefulSet),
    ("apps", WorkloadKind::DaemonSet),
    ("batch", WorkloadKind::Job),
    ("batch", WorkloadKind::CronJob),
    ("apps", WorkloadKind::ReplicaSet),
    ("", WorkloadKind::Pod),
];

impl WorkloadKind {
    /// The kind as Kubernetes writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::ReplicaSet => "ReplicaSet",
            Self::Pod => "Pod",
            Self::Other(name) => name,
        }
    }

    /// The kind with this name, as [`as_str`](Self::as_str) writes it.
    pub fn named(name: &str) -> Self {
        BUILT_IN
            .into_iter()
            .find_map(|(_, kind)| (kind.as_str() == name).then_some(kind))
            .unwrap_or_else(|| Self::Other(name.into()))
    }

    /// The kind an object's `apiVersion` and `kind` say.
    pub fn of(api_version: &str, kind: &str) -> Self {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        match BUILT_IN.into_iter().find(|(_, built_in)| built_in.as_str() == kind) {
            Some((home, built_in)) if home == group => built_in,
            Some(_) => Self::Other(format!("{kind}.{group}").into()),
            None => Self::Other(kind.into()),
        }
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The top of a pod's owner chain, by name: what pods of several generations have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkloadKey {
    /// The namespace it is in.
    pub namespace: Arc<str>,
    /// What it is.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: Arc<str>,
}

impl WorkloadKey {
    /// The workload of this namespace, kind and name.
    pub fn new(namespace: &str, kind: WorkloadKind, name: &str) -> Self {
        Self { namespace: namespace.into(), kind, name: name.into() }
    }
}

impl fmt::Display for WorkloadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.kind, self.name)
    }
}

/// The object that controls another, as the other's `ownerReferences` name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OwnerRef {
    /// What the owner is.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: Arc<str>,
    /// Its UID.
    pub uid: EntityId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_keeps_its_name() {
        for name in ["Deployment", "CronJob", "Pod", "Rollout", "StatefulSet.apps.kruise.io"] {
            assert_eq!(WorkloadKind::named(name).as_str(), name);
        }
    }

    #[test]
    fn the_api_group_tells_namesakes_apart() {
        assert_eq!(WorkloadKind::of("apps/v1", "StatefulSet"), WorkloadKind::StatefulSet);
        assert_eq!(WorkloadKind::of("v1", "Pod"), WorkloadKind::Pod);
        assert_eq!(WorkloadKind::of("batch/v1beta1", "CronJob"), WorkloadKind::CronJob);
        let kruise = WorkloadKind::of("apps.kruise.io/v1beta1", "StatefulSet");
        assert_eq!(kruise, WorkloadKind::Other("StatefulSet.apps.kruise.io".into()));
        let rollout = WorkloadKind::of("argoproj.io/v1alpha1", "Rollout");
        assert_eq!(rollout, WorkloadKind::Other("Rollout".into()));
    }
}
