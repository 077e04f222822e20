//! Where the store keeps what belongs together: keys of sums, identities of what is pushed, and
//! the joining of pods to their sums as Kubernetes tells where they belong.

use kubemonitor_inventory::{PodMeta, WorkloadKey, WorkloadKind};
use kubemonitor_model::EntityId;
use kubemonitor_store::{GroupHistory, GroupKey, Store};

/// The key of a namespace's sums.
pub(crate) fn namespace_key(namespace: &str) -> String {
    format!("namespace/{namespace}")
}

/// The key of a workload's sums.
pub(crate) fn workload_key(workload: &WorkloadKey) -> String {
    format!("workload/{workload}")
}

/// Who a pushed namespace is.
pub(crate) fn namespace_id(namespace: &str) -> EntityId {
    EntityId::parse(namespace)
}

/// Who a pushed workload is: `namespace/kind/name`.
pub(crate) fn workload_id(workload: &WorkloadKey) -> EntityId {
    EntityId::parse(&workload.to_string())
}

/// The workload with this identity.
pub(crate) fn workload_named(id: &str) -> Option<WorkloadKey> {
    let (namespace, rest) = id.split_once('/')?;
    let (kind, name) = rest.split_once('/')?;
    Some(WorkloadKey::new(namespace, WorkloadKind::named(kind), name))
}

/// Makes a pod count in its namespace's and its workload's sums.
pub(crate) fn join(store: &Store, pod: &PodMeta) {
    let namespace = (namespace_key(&pod.namespace).into(), GroupHistory::Kept);
    let workload = pod.workload.as_deref();
    let workload = workload.map(|key| (workload_key(key).into(), GroupHistory::Summed));
    let groups: Vec<(GroupKey, GroupHistory)> =
        [Some(namespace), workload].into_iter().flatten().collect();
    store.join(&pod.uid, &groups);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_found_by_its_identity() {
        let key = WorkloadKey::new("shop", WorkloadKind::StatefulSet, "orders-db");
        assert_eq!(workload_named(&workload_id(&key).to_string()), Some(key));
        assert_eq!(workload_named("shop"), None);
    }
}
