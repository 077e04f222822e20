//! What the Kubernetes API says about who is running: names, owners, images, requests, limits.
//!
//! [`Inventory`] is the shared picture of the cluster: every pod by its UID, by its name, by its
//! node and by the workload it belongs to, with sums kept up to date as pods come and go. It knows
//! nothing of samples. Without a cluster it is empty, and only knows pods that were pushed.

mod changes;
mod cluster;
mod index;
mod inventory;
mod kind;
mod labels;
mod meta;
mod name_book;
mod observation;
pub mod quantity;
mod resources;
mod selector;
mod state;
mod watch;
mod workload;

pub use changes::{Changed, Changes};
pub use cluster::{Cluster, ConnectError};
pub use inventory::{Inventory, PushedPod};
pub use kind::{Kind, NotSynced};
pub use labels::Labels;
pub use meta::{
    ContainerMeta, ContainerRole, NamespaceMeta, NodeMeta, Phase, PodMeta, WorkloadMeta,
};
pub use name_book::{NameBook, NameBookError};
pub use observation::{Object, Observation};
pub use resources::{PodSums, Resources};
pub use selector::{FieldSelector, LabelSelector, SelectorError};
pub use watch::Watchers;
pub use workload::{OwnerRef, WorkloadKey, WorkloadKind};
