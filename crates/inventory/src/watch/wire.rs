//! The parts of Kubernetes objects that are used. What is not named here is skipped while it is
//! read, so that a page of 500 pods, 4 MB of text, becomes a small part of that in memory.

use std::{collections::BTreeMap, marker::PhantomData};

use k8s_openapi::{
    api::core,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time},
};
use kube::Resource;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny},
};

/// Where static pods' mirrors carry the UID of their cgroup.
pub(super) const CONFIG_HASH: &str = "kubernetes.io/config.hash";

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Pod {
    #[serde(deserialize_with = "used_metadata")]
    pub(super) metadata: ObjectMeta,
    #[serde(default)]
    pub(super) spec: PodSpec,
    #[serde(default)]
    pub(super) status: PodStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodSpec {
    pub(super) node_name: Option<String>,
    pub(super) host_network: bool,
    pub(super) init_containers: Vec<Container>,
    pub(super) containers: Vec<Container>,
    pub(super) ephemeral_containers: Vec<Container>,
    /// What the runtime class adds for itself.
    pub(super) overhead: Amounts,
    /// Requests and limits of the pod as a whole.
    pub(super) resources: Requirements,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: Option<String>,
    pub(super) restart_policy: Option<String>,
    pub(super) resources: Requirements,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Requirements {
    pub(super) requests: Amounts,
    pub(super) limits: Amounts,
}

/// Quantities, as text.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Amounts {
    pub(super) cpu: Option<String>,
    pub(super) memory: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodStatus {
    pub(super) phase: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) qos_class: Option<String>,
    pub(super) conditions: Vec<PodCondition>,
    pub(super) init_container_statuses: Vec<ContainerStatus>,
    pub(super) container_statuses: Vec<ContainerStatus>,
    pub(super) ephemeral_container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ContainerStatus {
    pub(super) name: String,
    /// `containerd://` and the ID, as with other runtimes.
    #[serde(rename = "containerID")]
    pub(super) container_id: Option<String>,
    pub(super) restart_count: Option<u32>,
    pub(super) ready: bool,
    pub(super) started: Option<bool>,
    pub(super) state: ContainerState,
    pub(super) last_state: ContainerState,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ContainerState {
    pub(super) waiting: Option<Waiting>,
    pub(super) running: Option<IgnoredAny>,
    pub(super) terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Waiting {
    pub(super) reason: String,
}

impl Waiting {
    /// Whether it waits for something of its own, and not for its turn.
    pub(super) fn is_told(&self) -> bool {
        !matches!(self.reason.as_str(), "" | "PodInitializing")
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Terminated {
    #[serde(rename = "containerID")]
    pub(super) container_id: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) exit_code: i32,
    pub(super) signal: i32,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodCondition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) reason: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Node {
    #[serde(deserialize_with = "used_metadata")]
    pub(super) metadata: ObjectMeta,
    #[serde(default)]
    pub(super) status: NodeStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NodeStatus {
    pub(super) capacity: Amounts,
    pub(super) allocatable: Amounts,
    pub(super) conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
}

/// An object of kind `K` of which only metadata is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound = "")]
pub(super) struct Named<K> {
    #[serde(deserialize_with = "used_metadata")]
    pub(super) metadata: ObjectMeta,
    #[serde(skip)]
    kind: PhantomData<fn() -> K>,
}

/// What is used of an object's metadata: the field managers alone can be half of an object.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UsedMetadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<UsedAnnotations>,
    owner_references: Option<Vec<OwnerReference>>,
}

#[derive(Deserialize)]
struct UsedAnnotations {
    #[serde(rename = "kubernetes.io/config.hash")]
    config_hash: Option<String>,
}

fn used_metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let used = UsedMetadata::deserialize(deserializer)?;
    let config_hash = used.annotations.and_then(|annotations| annotations.config_hash);
    Ok(ObjectMeta {
        name: used.name,
        namespace: used.namespace,
        uid: used.uid,
        resource_version: used.resource_version,
        creation_timestamp: used.creation_timestamp,
        deletion_timestamp: used.deletion_timestamp,
        labels: used.labels,
        annotations: config_hash.map(|hash| BTreeMap::from([(CONFIG_HASH.to_owned(), hash)])),
        owner_references: used.owner_references,
        ..ObjectMeta::default()
    })
}

/// Lets a type stand for a kind of Kubernetes: under its path, with only the fields it names.
macro_rules! stands_for {
    ($({$($generics:tt)*})? $type:ty, $kind:ty, metadata only: $metadata_only:literal) => {
        impl$(<$($generics)*>)? Resource for $type {
            type DynamicType = ();
            type Scope = <$kind as Resource>::Scope;

            fn kind((): &()) -> std::borrow::Cow<'_, str> {
                <$kind as Resource>::kind(&())
            }

            fn group((): &()) -> std::borrow::Cow<'_, str> {
                <$kind as Resource>::group(&())
            }

            fn version((): &()) -> std::borrow::Cow<'_, str> {
                <$kind as Resource>::version(&())
            }

            fn plural((): &()) -> std::borrow::Cow<'_, str> {
                <$kind as Resource>::plural(&())
            }

            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }

            fn metadata_api() -> bool {
                $metadata_only
            }
        }
    };
}

stands_for!(Pod, core::v1::Pod, metadata only: false);
stands_for!(Node, core::v1::Node, metadata only: false);
stands_for!({K: Resource<DynamicType = ()>} Named<K>, K, metadata only: true);

/// What [`kube::runtime::watcher`] asks of a type.
pub(super) trait Wire:
    Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static
{
}

impl<T: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static>
    Wire for T
{
}
