//! What was typed, and what it means.

mod metrics_api;

use std::{fs, io, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use clap::Parser;

use crate::{Access, Cluster};

pub use metrics_api::{Certificate, MetricsApiSettings, MetricsApiSettingsError};

/// The monitoring server: takes collectors' frames and answers over REST.
#[derive(Debug, Parser)]
#[command(name = "kubemonitor-api", version)]
pub struct Args {
    /// Where to listen.
    #[arg(long, env = "LISTEN", default_value = "0.0.0.0:8080", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// How long samples are kept: a number with s, m, h or d.
    #[arg(long, env = "RETENTION", default_value = "1h")]
    retention: Retention,
    /// How many entities (nodes, pods, containers, units) may be held.
    #[arg(long, env = "MAX_SERIES", default_value_t = 2_000_000, value_name = "COUNT")]
    max_series: usize,
    /// A file with the token that writes have to carry; without it everybody may write.
    #[arg(long, env = "API_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// How to reach the cluster; within a cluster its service account is used without asking.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
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
    kubernetes_service_host: Option<String>,
}

/// Valid settings.
#[derive(Debug)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How long samples are kept.
    pub retention: Duration,
    /// How many entities may be held.
    pub max_series: usize,
    /// Who may write.
    pub access: Access,
    /// Whom to ask about names.
    pub cluster: Cluster,
    /// How to serve metrics.k8s.io; `None` for not at all.
    pub metrics_api: Option<MetricsApiSettings>,
    /// What to log.
    pub log: String,
}

/// Settings that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The token cannot be read.
    #[error("--token-file {file}: {source}")]
    TokenFile {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is none.
    #[error("--token-file {0}: the file is empty; put the token in it, in one line")]
    EmptyToken(PathBuf),
    /// There is no such file.
    #[error("--kubeconfig {0}: no such file; leave it out to run without a cluster")]
    Kubeconfig(PathBuf),
    /// Of metrics.k8s.io.
    #[error(transparent)]
    MetricsApi(#[from] MetricsApiSettingsError),
}

/// How long samples are kept, as it was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention(Duration);

impl Retention {
    /// Below, rates over a slow collector's interval would have no two samples.
    const MIN: Duration = Duration::from_secs(60);
    const MAX: Duration = Duration::from_secs(365 * 86_400);

    /// The retention as a duration.
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Retention {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let seconds_per_unit = match &text[digits.len()..] {
            "" | "s" => Some(1),
            "m" => Some(60),
            "h" => Some(3600),
            "d" => Some(86_400),
            _ => None,
        };
        let retention = digits
            .parse::<u64>()
            .ok()
            .zip(seconds_per_unit)
            .map(|(number, unit)| Duration::from_secs(number.saturating_mul(unit)))
            .ok_or("give a whole number with s, m, h or d, such as `90m`")?;
        if (Self::MIN..=Self::MAX).contains(&retention) {
            Ok(Self(retention))
        } else {
            Err("it can be from 1m to 365d".to_owned())
        }
    }
}

impl Args {
    /// What was typed, checked.
    pub fn settings(self) -> Result<Settings, SettingsError> {
        let cluster = match self.kubeconfig {
            Some(file) if file.exists() => Cluster::Kubeconfig(file),
            Some(file) => return Err(SettingsError::Kubeconfig(file)),
            None if self.kubernetes_service_host.is_some_and(|host| !host.is_empty()) => {
                Cluster::Around
            }
            None => Cluster::None,
        };
        Ok(Settings {
            listen: self.listen,
            retention: self.retention.duration(),
            max_series: self.max_series,
            access: self.token_file.map_or(Ok(Access::Open), access)?,
            metrics_api: self.metrics_api.settings(&cluster)?,
            cluster,
            log: if self.debug { "debug".to_owned() } else { self.log },
        })
    }
}

fn access(file: PathBuf) -> Result<Access, SettingsError> {
    match fs::read_to_string(&file) {
        Ok(text) if text.trim().is_empty() => Err(SettingsError::EmptyToken(file)),
        Ok(text) => Ok(Access::Token(text.trim().into())),
        Err(source) => Err(SettingsError::TokenFile { file, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(flags: &[&str]) -> Result<Settings, SettingsError> {
        let args = ["kubemonitor-api"].iter().chain(flags);
        let mut args = Args::try_parse_from(args).unwrap();
        // Whatever the test runs in.
        args.kubernetes_service_host = None;
        args.settings()
    }

    #[test]
    fn without_flags_the_defaults_hold() {
        let settings = settings(&[]).unwrap();
        assert_eq!(settings.listen.to_string(), "0.0.0.0:8080");
        assert_eq!(settings.retention, Duration::from_secs(3600));
        assert_eq!(settings.cluster, Cluster::None);
        assert!(matches!(settings.access, Access::Open));
        assert_eq!(settings.metrics_api, None);
    }

    #[test]
    fn within_a_cluster_its_service_account_is_used() {
        let mut args = Args::try_parse_from(["kubemonitor-api"]).unwrap();
        args.kubernetes_service_host = Some("10.0.0.1".into());
        assert_eq!(args.settings().unwrap().cluster, Cluster::Around);
    }

    #[test]
    fn the_token_is_read_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let flags = ["--token-file", file.to_str().unwrap()];
        let refusal = settings(&flags).unwrap_err().to_string();
        assert!(refusal.contains("token") && refusal.contains("No such file"), "{refusal}");
        fs::write(&file, "\n").unwrap();
        assert!(settings(&flags).unwrap_err().to_string().contains("empty"));
        fs::write(&file, "s3cret\n").unwrap();
        let access = settings(&flags).unwrap().access;
        assert!(matches!(access, Access::Token(token) if &*token == "s3cret"));
    }

    #[test]
    fn a_kubeconfig_that_is_not_there_is_an_error() {
        let refusal = settings(&["--kubeconfig", "/nowhere/config"]).unwrap_err();
        assert!(refusal.to_string().contains("/nowhere/config"));
    }

    #[test]
    fn retention_has_a_unit_and_bounds() {
        for (text, seconds) in [("1h", 3600), ("90m", 5400), ("2d", 172_800), ("60", 60)] {
            assert_eq!(text.parse(), Ok(Retention(Duration::from_secs(seconds))));
        }
        for text in ["", "h", "1.5h", "-1h", "1w", "59s", "366d", "99999999999999999999d"] {
            assert!(text.parse::<Retention>().is_err(), "{text}");
        }
    }
}
