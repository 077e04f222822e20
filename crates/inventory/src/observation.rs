//! What is learnt of the cluster, one piece at a time.

use std::sync::Arc;

use kubemonitor_model::{EntityId, UnixMillis};

use crate::{Kind, NodeMeta, OwnerRef, PodMeta, WorkloadKind};

/// One piece of news about the cluster.
#[derive(Clone, Debug)]
pub enum Observation {
    /// A complete list of a kind begins: what it will not name is gone.
    ListingBegins(Kind),
    /// That list is complete.
    ListingEnds(Kind),
    /// The Kubernetes API will not tell about this kind.
    Refused(Kind),
    /// The API does not answer for this kind at present: what is known of it grows old.
    Interrupted(Kind),
    /// It tells of changes of this kind again.
    Resumed(Kind),
    /// A pod is there, or has changed. Its `workload` is worked out from its `owner`.
    Pod(PodMeta),
    /// The pod that the API knew by this UID is gone.
    PodGone(EntityId),
    /// A node is there, or has changed.
    Node(NodeMeta),
    /// The node of this name is gone.
    NodeGone(Arc<str>),
    /// A namespace is there, or has changed.
    Namespace(Object),
    /// The namespace of this name is gone.
    NamespaceGone(Arc<str>),
    /// An object that makes pods, or makes what makes pods, is there or has changed.
    Owner(WorkloadKind, Object),
    /// The owner of this UID is gone.
    OwnerGone(EntityId),
}

/// What is kept of objects that matter by name only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its UID.
    pub uid: EntityId,
    /// The namespace it is in; of a namespace, its own name.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// When it was created.
    pub created_at: Option<UnixMillis>,
    /// What controls it, if anything.
    pub owner: Option<Arc<OwnerRef>>,
}
