//! Which cluster to follow, and how to reach it.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

use kube::{
    Client, Config,
    config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError},
};

use crate::watch::RENEWAL_SECONDS;

/// Where the Kubernetes API is, and who asks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cluster {
    /// The cluster this process runs in, as its pod's service account.
    Surrounding,
    /// The cluster these kubeconfig files name; of what several say, the first stands.
    Kubeconfig(Vec<PathBuf>),
}

/// Why there is no client for a cluster.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The pod has no usable service account.
    #[error(
        "KUBERNETES_SERVICE_HOST is set, but the service account cannot be used: {0}; let the pod \
         mount its token (automountServiceAccountToken), or name a kubeconfig"
    )]
    ServiceAccount(#[from] InClusterError),
    /// A kubeconfig that cannot be used.
    #[error(
        "the kubeconfig {} cannot be used: {source}; `kubectl --kubeconfig` should work with it",
        shown(paths)
    )]
    Kubeconfig {
        /// The files that were read.
        paths: Vec<PathBuf>,
        /// What is wrong.
        source: KubeconfigError,
    },
    /// The configuration was read, but cannot be worked with.
    #[error("no client can be made for {url}: {source}; look at its certificates and credentials")]
    Client {
        /// The API server.
        url: String,
        /// What is wrong.
        source: kube::Error,
    },
}

impl Cluster {
    /// The cluster to follow: the one a kubeconfig names if somebody gave one (one path or, as in
    /// `KUBECONFIG`, several), else the one this process runs in, which `KUBERNETES_SERVICE_HOST`
    /// tells, else none. A `~/.kube/config` that lies about is never used unasked.
    pub fn chosen(kubeconfig: Option<&OsStr>, service_host: Option<&OsStr>) -> Option<Self> {
        let paths = kubeconfig.into_iter().flat_map(|paths| env::split_paths(paths));
        let paths: Vec<PathBuf> = paths.filter(|path| !path.as_os_str().is_empty()).collect();
        if paths.is_empty() {
            service_host.map(|_| Self::Surrounding)
        } else {
            Some(Self::Kubeconfig(paths))
        }
    }

    /// A client for it. Nothing is asked of the API server yet.
    pub async fn connect(&self) -> Result<Client, ConnectError> {
        let mut config = match self {
            Self::Surrounding => Config::incluster()?,
            Self::Kubeconfig(paths) => from_files(paths)
                .await
                .map_err(|source| ConnectError::Kubeconfig { paths: paths.clone(), source })?,
        };
        // A list is answered within a minute, and a watch ends and begins anew after `RENEWAL_SECONDS`:
        // a connection that is silent for longer is dead.
        config.read_timeout = Some(Duration::from_secs(u64::from(RENEWAL_SECONDS) + 15));
        config.reset_reader_on_write = true;
        let url = config.cluster_url.to_string();
        Client::try_from(config).map_err(|source| ConnectError::Client { url, source })
    }
}

async fn from_files(paths: &[PathBuf]) -> Result<Config, KubeconfigError> {
    let merged = paths.iter().try_fold(Kubeconfig::default(), |merged, path: &PathBuf| {
        merged.merge(Kubeconfig::read_from(path)?)
    })?;
    Config::from_custom_kubeconfig(merged, &KubeConfigOptions::default()).await
}

fn shown(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| Path::display(path).to_string()).collect();
    paths.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(kubeconfig: Option<&str>, service_host: Option<&str>) -> Option<Cluster> {
        Cluster::chosen(kubeconfig.map(OsStr::new), service_host.map(OsStr::new))
    }

    #[test]
    fn a_kubeconfig_is_used_only_when_asked_for() {
        assert_eq!(chosen(None, None), None);
        assert_eq!(chosen(Some(""), None), None);
        assert_eq!(chosen(None, Some("10.0.0.1")), Some(Cluster::Surrounding));
        let files = Cluster::Kubeconfig(vec!["/a".into(), "/b".into()]);
        assert_eq!(chosen(Some("/a:/b"), Some("10.0.0.1")), Some(files));
    }

    #[tokio::test]
    async fn a_kubeconfig_that_is_not_there_is_named() {
        let cluster = Cluster::Kubeconfig(vec!["/nowhere/kubeconfig".into()]);
        let refusal = cluster.connect().await.map(drop).unwrap_err().to_string();
        assert!(refusal.contains("/nowhere/kubeconfig"), "{refusal}");
    }
}
