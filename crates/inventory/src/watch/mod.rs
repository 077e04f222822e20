//! Following the Kubernetes API: one list and one watch a kind, whatever the size of the cluster.

mod claims;
mod condition;
mod fault;
mod follow;
mod names;
mod translate;
mod wire;

use k8s_openapi::api::{apps::v1 as apps, batch::v1 as batch, core::v1 as core};
use kube::Client;
use tokio::task::JoinSet;

use crate::Inventory;
pub(crate) use follow::RENEWAL_SECONDS;
use follow::follow;
use wire::Named;

/// The tasks that keep an inventory up to date, one a kind. Dropping them ends them.
#[derive(Debug)]
pub struct Watchers(JoinSet<()>);

impl Inventory {
    /// An inventory that follows a cluster from now on, for as long as the watchers live.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn following(client: &Client) -> (Self, Watchers) {
        let inventory = Self::of_cluster();
        let watchers = Watchers::follow(client, &inventory);
        (inventory, watchers)
    }
}

impl Watchers {
    /// Keeps an inventory up to date from now on.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn follow(client: &Client, inventory: &Inventory) -> Self {
        let mut tasks = JoinSet::new();
        macro_rules! follow {
            ($($kind:ty),*) => {
                $(tasks.spawn(follow::<$kind>(client.clone(), inventory.clone()));)*
            };
        }
        follow![
            wire::Pod,
            wire::Node,
            Named<core::Namespace>,
            Named<apps::ReplicaSet>,
            Named<apps::Deployment>,
            Named<apps::StatefulSet>,
            Named<apps::DaemonSet>,
            Named<batch::Job>,
            Named<batch::CronJob>
        ];
        Self(tasks)
    }

    /// Ends the watches, and waits until they have ended.
    pub async fn stop(mut self) {
        self.0.shutdown().await;
    }
}
