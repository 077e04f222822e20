//! Following owner chains by UID, never by cutting names.

use std::{collections::HashMap, sync::Arc};

use kubemonitor_model::EntityId;

use super::listings::Epoch;
use crate::{Kind, Object, OwnerRef, PodMeta, WorkloadKey, WorkloadKind};

/// What is known of objects that make pods.
#[derive(Debug, Default)]
pub(crate) struct Owners(HashMap<EntityId, Owner>);

#[derive(Debug)]
struct Owner {
    kind: Kind,
    /// The workload its pods count for: itself, or what made it.
    top: Arc<WorkloadKey>,
    epoch: Epoch,
}

/// Where a pod belongs, as far as can be told now.
pub(crate) enum Place {
    /// To this workload.
    Known(WorkloadKey),
    /// The owner that would tell has not been seen yet.
    AwaitsOwner,
}

impl Owners {
    pub(crate) fn get(&self, uid: &EntityId) -> Option<&Arc<WorkloadKey>> {
        self.0.get(uid).map(|owner| &owner.top)
    }

    /// Takes an owner in; hands back what its pods counted for before.
    pub(crate) fn put(
        &mut self,
        uid: EntityId,
        kind: Kind,
        top: Arc<WorkloadKey>,
        epoch: Epoch,
    ) -> Option<Arc<WorkloadKey>> {
        self.0.insert(uid, Owner { kind, top, epoch }).map(|before| before.top)
    }

    pub(crate) fn remove(&mut self, uid: &EntityId) -> Option<Arc<WorkloadKey>> {
        self.0.remove(uid).map(|owner| owner.top)
    }

    /// Owners of a kind that the complete list with this number did not name.
    pub(crate) fn unlisted(&self, kind: Kind, listed: Epoch) -> Vec<EntityId> {
        self.0
            .iter()
            .filter(|(_, owner)| owner.kind == kind && owner.epoch < listed)
            .map(|(uid, _)| uid.clone())
            .collect()
    }

    /// Where a pod belongs. `is_expected` tells whether objects of a kind will be seen at all:
    /// where they will not, a ReplicaSet or Job has to stand for itself.
    pub(crate) fn place(&self, pod: &PodMeta, is_expected: impl Fn(Kind) -> bool) -> Place {
        let Some(owner) = pod.owner.as_deref().filter(|owner| !is_node(owner)) else {
            return Place::Known(WorkloadKey {
                namespace: Arc::clone(&pod.namespace),
                kind: WorkloadKind::Pod,
                name: Arc::clone(&pod.name),
            });
        };
        if let Some(top) = self.get(&owner.uid) {
            return Place::Known(WorkloadKey::clone(top));
        }
        match kind_between(&owner.kind) {
            Some(kind) if is_expected(kind) => Place::AwaitsOwner,
            _ => Place::Known(key_of(&pod.namespace, owner)),
        }
    }
}

/// The workload that the pods of this object count for.
pub(crate) fn top_of(kind: &WorkloadKind, object: &Object) -> WorkloadKey {
    match object.owner.as_deref() {
        Some(owner) if kind_between(kind).is_some() => key_of(&object.namespace, owner),
        _ => own_key(kind, object),
    }
}

/// The object as a workload of its own.
pub(crate) fn own_key(kind: &WorkloadKind, object: &Object) -> WorkloadKey {
    WorkloadKey {
        namespace: Arc::clone(&object.namespace),
        kind: kind.clone(),
        name: Arc::clone(&object.name),
    }
}

/// The watch that tells of such owners.
pub(crate) fn watched_kind(kind: &WorkloadKind) -> Option<Kind> {
    match kind {
        WorkloadKind::Deployment => Some(Kind::Deployments),
        WorkloadKind::StatefulSet => Some(Kind::StatefulSets),
        WorkloadKind::DaemonSet => Some(Kind::DaemonSets),
        WorkloadKind::Job => Some(Kind::Jobs),
        WorkloadKind::CronJob => Some(Kind::CronJobs),
        WorkloadKind::ReplicaSet => Some(Kind::ReplicaSets),
        WorkloadKind::Pod | WorkloadKind::Other(_) => None,
    }
}

/// The kinds whose objects are made by others as a rule, so that people know them by their owner.
/// The chain ends above them: a Deployment that an operator made is still what people look for.
fn kind_between(kind: &WorkloadKind) -> Option<Kind> {
    match kind {
        WorkloadKind::ReplicaSet => Some(Kind::ReplicaSets),
        WorkloadKind::Job => Some(Kind::Jobs),
        _ => None,
    }
}

fn key_of(namespace: &Arc<str>, owner: &OwnerRef) -> WorkloadKey {
    WorkloadKey {
        namespace: Arc::clone(namespace),
        kind: owner.kind.clone(),
        name: Arc::clone(&owner.name),
    }
}

/// The API server lets the node own the mirror pods of its static pods.
fn is_node(owner: &OwnerRef) -> bool {
    matches!(&owner.kind, WorkloadKind::Other(kind) if kind.as_ref() == "Node")
}
