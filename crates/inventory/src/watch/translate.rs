//! From what the Kubernetes API says to what the inventory keeps.

use std::sync::Arc;

use k8s_openapi::{
    api::{apps::v1 as apps, batch::v1 as batch, core::v1 as core},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kubemonitor_model::{EntityId, QosClass, UnixMillis};

use super::{
    claims, condition,
    names::Names,
    wire::{self, ContainerStatus, Named, Wire},
};
use crate::{
    ContainerMeta, ContainerRole, Kind, NodeMeta, Object, Observation, OwnerRef, Phase, PodMeta,
    WorkloadKind,
};

/// A kind of object that is watched.
pub(super) trait Watched: Wire {
    /// Which kind it is.
    const KIND: Kind;

    /// That the object is there. `None` for one without a name or a UID, which no API server sends.
    fn seen(&self, names: &mut Names) -> Option<Observation>;

    /// That the object is gone.
    fn gone(&self) -> Option<Observation>;
}

impl Watched for wire::Pod {
    const KIND: Kind = Kind::Pods;

    fn seen(&self, names: &mut Names) -> Option<Observation> {
        pod(self, names).map(Observation::Pod)
    }

    fn gone(&self) -> Option<Observation> {
        uid(&self.metadata).map(Observation::PodGone)
    }
}

impl Watched for wire::Node {
    const KIND: Kind = Kind::Nodes;

    fn seen(&self, names: &mut Names) -> Option<Observation> {
        node(self, names).map(Observation::Node)
    }

    fn gone(&self) -> Option<Observation> {
        self.metadata.name.as_deref().map(|name| Observation::NodeGone(name.into()))
    }
}

impl Watched for Named<core::Namespace> {
    const KIND: Kind = Kind::Namespaces;

    fn seen(&self, names: &mut Names) -> Option<Observation> {
        object(&self.metadata, names).map(Observation::Namespace)
    }

    fn gone(&self) -> Option<Observation> {
        self.metadata.name.as_deref().map(|name| Observation::NamespaceGone(name.into()))
    }
}

/// Kinds whose objects make pods, or make what makes pods.
macro_rules! owners {
    ($($kind:ty => $watched:ident, $workload:ident;)*) => {$(
        impl Watched for Named<$kind> {
            const KIND: Kind = Kind::$watched;

            fn seen(&self, names: &mut Names) -> Option<Observation> {
                let object = object(&self.metadata, names)?;
                Some(Observation::Owner(WorkloadKind::$workload, object))
            }

            fn gone(&self) -> Option<Observation> {
                uid(&self.metadata).map(Observation::OwnerGone)
            }
        }
    )*};
}

owners! {
    apps::ReplicaSet => ReplicaSets, ReplicaSet;
    apps::Deployment => Deployments, Deployment;
    apps::StatefulSet => StatefulSets, StatefulSet;
    apps::DaemonSet => DaemonSets, DaemonSet;
    batch::Job => Jobs, Job;
    batch::CronJob => CronJobs, CronJob;
}

fn pod(pod: &wire::Pod, names: &mut Names) -> Option<PodMeta> {
    let (metadata, spec, status) = (&pod.metadata, &pod.spec, &pod.status);
    let api_uid = uid(metadata)?;
    let annotations = metadata.annotations.as_ref();
    let config_hash = annotations.and_then(|annotations| annotations.get(wire::CONFIG_HASH));
    let containers = containers(pod, names);
    let restarts = containers.iter().filter_map(|container| container.restarts);
    Some(PodMeta {
        uid: config_hash.map_or_else(|| api_uid.clone(), |hash| EntityId::parse(hash)),
        api_uid,
        namespace: names.text(metadata.namespace.as_deref()?),
        name: metadata.name.as_deref()?.into(),
        node: spec
            .node_name
            .as_deref()
            .filter(|node| !node.is_empty())
            .map(|node| names.text(node)),
        phase: status.phase.as_deref().and_then(Phase::named),
        ready: condition::ready(pod),
        reason: condition::reason(pod).map(|reason| names.text(&reason)),
        qos: status.qos_class.as_deref().and_then(qos),
        owner: owner(metadata, names),
        workload: None,
        labels: Some(names.labels(metadata.labels.iter().flatten())),
        host_network: Some(spec.host_network),
        created_at: created_at(metadata),
        ended_at: None,
        requests: claims::requests(spec),
        limits: claims::limits(spec),
        restarts: restarts.reduce(u32::saturating_add),
        containers,
    })
}

fn containers(pod: &wire::Pod, names: &mut Names) -> Box<[ContainerMeta]> {
    let (spec, status) = (&pod.spec, &pod.status);
    let init = spec.init_containers.iter().map(|container| {
        let role = if claims::is_sidecar(container) {
            ContainerRole::Sidecar
        } else {
            ContainerRole::Init
        };
        (role, container, &status.init_container_statuses)
    });
    let app = spec
        .containers
        .iter()
        .map(|container| (ContainerRole::App, container, &status.container_statuses));
    let ephemeral = spec.ephemeral_containers.iter().map(|container| {
        (ContainerRole::Ephemeral, container, &status.ephemeral_container_statuses)
    });
    init.chain(app)
        .chain(ephemeral)
        .map(|(role, container, statuses)| {
            let status = statuses.iter().find(|status| status.name == container.name);
            ContainerMeta {
                name: names.text(&container.name),
                role,
                id: status.and_then(id),
                previous_ids: status.map(previous_ids).unwrap_or_default(),
                image: container.image.as_deref().map(|image| names.text(image)),
                requests: claims::resources(&container.resources.requests),
                limits: claims::resources(&container.resources.limits),
                restarts: status.and_then(|status| status.restart_count),
                running: status.is_some_and(|status| status.state.running.is_some()),
            }
        })
        .collect()
}

fn id(status: &ContainerStatus) -> Option<EntityId> {
    container_id(status.container_id.as_deref()?)
}

/// Runs that ended: kubelet tells the latest of them.
fn previous_ids(status: &ContainerStatus) -> Box<[EntityId]> {
    let ended = [&status.last_state, &status.state];
    let ids =
        ended.into_iter().filter_map(|state| state.terminated.as_ref()?.container_id.as_deref());
    let latest = id(status);
    ids.filter_map(container_id).filter(|id| Some(id) != latest.as_ref()).collect()
}

/// The ID in `containerd://<ID>`; whatever the runtime is called, frames carry the ID alone.
fn container_id(text: &str) -> Option<EntityId> {
    let id = text.split_once("://").map_or(text, |(_, id)| id);
    (!id.is_empty()).then(|| EntityId::parse(id))
}

fn node(node: &wire::Node, names: &mut Names) -> Option<NodeMeta> {
    let ready = node.status.conditions.iter().find(|condition| condition.kind == "Ready");
    Some(NodeMeta {
        name: names.text(node.metadata.name.as_deref()?),
        ready: ready.and_then(|condition| match condition.status.as_str() {
            "True" => Some(true),
            "False" => Some(false),
            _ => None,
        }),
        labels: names.labels(node.metadata.labels.iter().flatten()),
        capacity: claims::resources(&node.status.capacity),
        allocatable: claims::resources(&node.status.allocatable),
        created_at: created_at(&node.metadata),
        ended_at: None,
    })
}

fn object(metadata: &ObjectMeta, names: &mut Names) -> Option<Object> {
    let name = metadata.name.as_deref()?;
    Some(Object {
        uid: uid(metadata)?,
        namespace: names.text(metadata.namespace.as_deref().unwrap_or(name)),
        name: name.into(),
        created_at: created_at(metadata),
        owner: owner(metadata, names),
    })
}

/// The one owner that controls the object; others only keep it from being collected.
fn owner(metadata: &ObjectMeta, names: &mut Names) -> Option<Arc<OwnerRef>> {
    let owners = metadata.owner_references.as_ref()?;
    let controller = owners.iter().find(|owner| owner.controller == Some(true))?;
    let owner = OwnerRef {
        kind: WorkloadKind::of(&controller.api_version, &controller.kind),
        name: names.text(&controller.name),
        uid: EntityId::parse(&controller.uid),
    };
    Some(names.owner(owner))
}

fn uid(metadata: &ObjectMeta) -> Option<EntityId> {
    metadata.uid.as_deref().filter(|uid| !uid.is_empty()).map(EntityId::parse)
}

fn created_at(metadata: &ObjectMeta) -> Option<UnixMillis> {
    metadata.creation_timestamp.as_ref().map(|time| UnixMillis(time.0.as_millisecond()))
}

fn qos(text: &str) -> Option<QosClass> {
    [QosClass::Guaranteed, QosClass::Burstable, QosClass::BestEffort]
        .into_iter()
        .find(|class| class.as_str() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(json: &str) -> PodMeta {
        let wire: wire::Pod = serde_json::from_str(json).unwrap();
        pod(&wire, &mut Names::default()).unwrap()
    }

    #[test]
    fn a_restarted_container_is_known_by_both_ids() {
        let pod = translated(
            r#"{
                "metadata": {"name": "p", "namespace": "ns", "uid": "u"},
                "spec": {"containers": [{"name": "app", "image": "app:1"}]},
                "status": {"phase": "Running", "containerStatuses": [{
                    "name": "app", "containerID": "cri-o://new", "restartCount": 2,
                    "state": {"running": {"startedAt": "2026-11-23T19:28:23Z"}},
                    "lastState": {"terminated": {"exitCode": 1, "containerID": "cri-o://old"}}
                }]}
            }"#,
        );
        let app = &pod.containers[0];
        let ids: Vec<String> = app.ids().map(ToString::to_string).collect();
        assert_eq!(ids, ["new", "old"]);
        assert_eq!((app.restarts, app.running, pod.restarts), (Some(2), true, Some(2)));
        assert_eq!((app.image.as_deref(), pod.is_running()), (Some("app:1"), true));
    }

    #[test]
    fn a_waiting_container_is_known_by_the_run_that_ended() {
        let pod = translated(
            r#"{
                "metadata": {"name": "p", "namespace": "ns", "uid": "u"},
                "spec": {"containers": [{"name": "app"}]},
                "status": {"containerStatuses": [{
                    "name": "app", "containerID": "", "restartCount": 0,
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": {"terminated": {"containerID": "containerd://old"}}
                }]}
            }"#,
        );
        let app = &pod.containers[0];
        assert_eq!((app.id.clone(), app.running), (None, false));
        assert_eq!(&*app.previous_ids, [EntityId::parse("old")]);
    }

    #[test]
    fn what_the_api_does_not_say_is_absent() {
        let pod = translated(r#"{"metadata": {"name": "p", "namespace": "ns", "uid": "u"}}"#);
        assert_eq!((pod.node, pod.phase, pod.qos, pod.restarts), (None, None, None, None));
        assert_eq!((pod.created_at, pod.owner), (None, None));
        assert_eq!(pod.requests, crate::Resources::default());
    }

    #[test]
    fn only_the_controller_is_an_owner() {
        let pod = translated(
            r#"{"metadata": {"name": "p", "namespace": "ns", "uid": "u", "ownerReferences": [
                {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "1"},
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "2",
                 "controller": true}
            ]}}"#,
        );
        let owner = pod.owner.unwrap();
        assert_eq!((&owner.kind, owner.name.as_ref()), (&WorkloadKind::ReplicaSet, "r"));
    }

    #[test]
    fn an_object_without_a_uid_is_nobody() {
        let wire: wire::Pod =
            serde_json::from_str(r#"{"metadata": {"name": "p", "namespace": "ns"}}"#).unwrap();
        assert!(pod(&wire, &mut Names::default()).is_none());
    }
}
