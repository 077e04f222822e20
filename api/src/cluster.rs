//! Whom to ask about names and owners.

use std::path::PathBuf;

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use kubemonitor_inventory::{Inventory, Watchers};

/// Whom to ask about names and owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cluster {
    /// Nobody: names are what cgroups say.
    None,
    /// The cluster this process runs in, by its service account.
    Around,
    /// The cluster this file leads to.
    Kubeconfig(PathBuf),
}

/// A cluster that cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The service account is not there.
    #[error("this pod's service account cannot be used: {0}")]
    Account(#[from] kube::config::InClusterError),
    /// The file leads nowhere.
    #[error("the kubeconfig {file} cannot be used: {source}")]
    Kubeconfig {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: kube::config::KubeconfigError,
    },
    /// No client can be made of that.
    #[error("no connection to the cluster can be made: {0}")]
    Client(#[from] kube::Error),
}

impl Cluster {
    /// A client that asks it; `None` where there is none.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn client(&self) -> Result<Option<Client>, ClusterError> {
        let config = match self {
            Self::None => return Ok(None),
            Self::Around => Config::incluster()?,
            Self::Kubeconfig(file) => {
                let wrong = |source| ClusterError::Kubeconfig { file: file.clone(), source };
                let kubeconfig = Kubeconfig::read_from(file).map_err(wrong)?;
                let chosen = KubeConfigOptions::default();
                Config::from_custom_kubeconfig(kubeconfig, &chosen).await.map_err(wrong)?
            }
        };
        Ok(Some(Client::try_from(config)?))
    }
}

/// An inventory that follows the cluster for as long as the watchers live; one that nobody fills
/// where there is none.
pub fn inventory(client: Option<&Client>) -> (Inventory, Option<Watchers>) {
    match client {
        None => (Inventory::without_cluster(), None),
        Some(client) => {
            let (inventory, watchers) = Inventory::following(client);
            (inventory, Some(watchers))
        }
    }
}
