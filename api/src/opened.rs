//! Everything a server begins with, in the order that matters: what the data directory has, then
//! what Kubernetes says.

use kube::Client;
use kubemonitor_inventory::{ConnectError, Inventory, NameBookError, Watchers};
use kubemonitor_store::DiskError;

use crate::{Monitor, Settings};

/// What a server begins with.
#[expect(missing_debug_implementations, reason = "a client has none")]
pub struct Opened {
    /// The state.
    pub monitor: Monitor,
    /// The way to the Kubernetes API; `None` without a cluster.
    pub client: Option<Client>,
    /// What keeps names up to date, for as long as it lives; `None` without a cluster.
    pub watchers: Option<Watchers>,
}

/// Why a server cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store's part of the data directory.
    #[error(transparent)]
    Store(#[from] DiskError),
    /// The names' part of it.
    #[error(transparent)]
    Names(#[from] NameBookError),
    /// The cluster that was named.
    #[error(transparent)]
    Cluster(#[from] ConnectError),
}

impl Opened {
    /// Reads the data directory and begins to follow the cluster, where there are such.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn with(settings: &Settings) -> Result<Self, OpenError> {
        let client = match &settings.cluster {
            Some(cluster) => Some(cluster.connect().await?),
            None => None,
        };
        let inventory = match client {
            Some(_) => Inventory::of_cluster(),
            None => Inventory::without_cluster(),
        };
        let mut monitor = Monitor::open(settings, inventory.clone())?;
        if let Some(client) = &client {
            monitor = monitor.trusting(client);
        }
        // Only now: what is read back comes before what is new.
        let watchers = client.as_ref().map(|client| Watchers::follow(client, &inventory));
        Ok(Self { monitor, client, watchers })
    }
}
