//! What was typed, and what it means.

mod metrics_api;
mod storage;
mod writing;

use std::{ffi::OsString, io, net::SocketAddr, path::PathBuf};

use clap::Parser;

use kubemonitor_inventory::Cluster;

pub use self::{
    metrics_api::{Certificate, MetricsApiSettings, MetricsApiSettingsError},
    storage::{Storage, StorageArgs},
};
use crate::{Access, Account, Prefix};

/// The monitoring server: takes collectors' frames and answers over REST.
#[derive(Debug, Parser)]
#[command(name = "kubemonitor-api", version)]
pub struct Args {
    /// Where to listen.
    #[arg(long, env = "LISTEN", default_value = "0.0.0.0:8080", value_name = "ADDRESS:PORT")]
    #[arg(value_parser = address)]
    listen: SocketAddr,
    #[command(flatten)]
    storage: StorageArgs,
    #[command(flatten)]
    writing: writing::WriteArgs,
    /// What a proxy puts before all paths, such as `/kubemonitor`. Where the proxy says so itself
    /// (`X-Forwarded-Prefix`), this is not needed.
    #[arg(long, env = "BASE_PATH", value_name = "PATH")]
    base_path: Option<Prefix>,
    /// How to reach the cluster; within a cluster its service account is used without asking.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<OsString>,
    #[command(flatten)]
    metrics_api: metrics_api::MetricsApiArgs,
    /// What to log: error, warn, info, debug or trace, also by module (`warn,kubemonitor_api=debug`).
    #[arg(long, env = "LOG", default_value = "info")]
    log: String,
    /// Log what is done, too: the same as `--log debug`.
    #[arg(long, env = "DEBUG", value_parser = clap::builder::FalseyValueParser::new())]
    debug: bool,
    /// Set by Kubernetes in every pod.
    #[arg(long, env = "KUBERNETES_SERVICE_HOST", hide = true)]
    kubernetes_service_host: Option<OsString>,
}

/// Valid settings.
#[derive(Debug)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How much is kept, for how long, and where.
    pub storage: Storage,
    /// Who may write.
    pub access: Access,
    /// What stands before all paths where clients see them.
    pub base_path: Prefix,
    /// Whom to ask about names; where there is nobody, names are what cgroups say.
    pub cluster: Option<Cluster>,
    /// How to serve metrics.k8s.io; `None` for not at all.
    pub metrics_api: Option<MetricsApiSettings>,
    /// What to log.
    pub log: String,
}

/// Settings that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The token cannot be read.
    #[error("--token-file (API_TOKEN_FILE) {file}: {source}")]
    TokenFile {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is none.
    #[error(
        "--token-file (API_TOKEN_FILE) {0}: the file is empty; put the token in it, in one line"
    )]
    EmptyToken(PathBuf),
    /// Nobody could say whose a token is.
    #[error(
        "--push-service-account (PUSH_SERVICE_ACCOUNTS) {0} needs a cluster, which says whose a token \
         is: give --kubeconfig, or leave it out"
    )]
    NoCluster(Account),
    /// Of metrics.k8s.io.
    #[error(transparent)]
    MetricsApi(#[from] MetricsApiSettingsError),
}

impl Args {
    /// What was typed, checked.
    pub fn settings(self) -> Result<Settings, SettingsError> {
        let service_host = self.kubernetes_service_host.filter(|host| !host.is_empty());
        let cluster = Cluster::chosen(self.kubeconfig.as_deref(), service_host.as_deref());
        Ok(Settings {
            listen: self.listen,
            storage: self.storage.storage(),
            access: self.writing.access(cluster.as_ref())?,
            base_path: self.base_path.unwrap_or_default(),
            metrics_api: self.metrics_api.settings(cluster.as_ref())?,
            cluster,
            log: if self.debug { "debug".to_owned() } else { self.log },
        })
    }
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "give an IP address and a port, such as 0.0.0.0:8080 or [::]:8080")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn settings(flags: &[&str]) -> Result<Settings, SettingsError> {
        let args = ["kubemonitor-api"].iter().chain(flags);
        let mut args = Args::try_parse_from(args).unwrap();
        // Whatever the test runs in.
        args.kubernetes_service_host = None;
        args.kubeconfig = None;
        args.settings()
    }

    #[test]
    fn without_flags_the_defaults_hold() {
        let settings = settings(&[]).unwrap();
        assert_eq!(settings.listen.to_string(), "0.0.0.0:8080");
        assert_eq!(settings.storage.limits.retention, Duration::from_secs(3600));
        assert!(settings.storage.disk.is_none());
        assert_eq!(settings.cluster, None);
        assert!(matches!(settings.access, Access::Open));
        assert_eq!(settings.metrics_api, None);
    }

    #[test]
    fn an_address_is_not_a_name() {
        for wrong in ["8080", "localhost:8080", "::1:8080:", ""] {
            let listen = format!("--listen={wrong}");
            let said = Args::try_parse_from(["kubemonitor-api", &listen]).unwrap_err().to_string();
            assert!(said.contains("--listen") && said.contains("[::]:8080"), "{said}");
        }
    }

    #[test]
    fn within_a_cluster_its_service_account_is_used() {
        let mut args = Args::try_parse_from(["kubemonitor-api"]).unwrap();
        args.kubeconfig = None;
        args.kubernetes_service_host = Some("10.0.0.1".into());
        assert_eq!(args.settings().unwrap().cluster, Some(Cluster::Surrounding));
    }
}
