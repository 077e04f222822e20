//! Where and with which certificate metrics.k8s.io is served.

use std::{net::SocketAddr, path::PathBuf, str::FromStr};

use kubemonitor_inventory::Cluster;

/// Where an extension server of Kubernetes listens when nobody says otherwise.
const LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 8443);

/// What was typed.
#[expect(clippy::struct_field_names, reason = "flags are named like their fields")]
#[derive(Debug, clap::Args)]
pub(super) struct MetricsApiArgs {
    /// Where to serve metrics.k8s.io over TLS, for `kubectl top` and autoscaling, or `off`. With a
    /// cluster, 0.0.0.0:8443 is the default.
    #[arg(long, env = "METRICS_API_LISTEN", value_name = "ADDRESS:PORT")]
    metrics_api_listen: Option<Listen>,
    /// The certificate metrics.k8s.io is served with, PEM, read again when it changes. Without one,
    /// the server makes its own when it starts.
    #[arg(
        long,
        env = "METRICS_API_CERT_FILE",
        value_name = "FILE",
        requires = "metrics_api_key_file"
    )]
    metrics_api_cert_file: Option<PathBuf>,
    /// The key of that certificate, PEM.
    #[arg(
        long,
        env = "METRICS_API_KEY_FILE",
        value_name = "FILE",
        requires = "metrics_api_cert_file"
    )]
    metrics_api_key_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug)]
enum Listen {
    Off,
    On(SocketAddr),
}

/// How to serve metrics.k8s.io.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsApiSettings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// What to show.
    pub certificate: Certificate,
}

/// The certificate of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// One that the server makes, and nobody vouches for.
    SelfMade,
    /// The one in these files.
    Files {
        /// The certificate, and those between it and who vouches for it.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
    },
}

/// Settings of metrics.k8s.io that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum MetricsApiSettingsError {
    /// Nobody could say who asks, and what they may see.
    #[error(
        "--metrics-api-listen {0} needs a cluster, which says who may ask: give --kubeconfig, or \
         leave it out"
    )]
    NoCluster(SocketAddr),
}

impl MetricsApiArgs {
    /// What was typed, checked.
    pub(super) fn settings(
        self,
        cluster: Option<&Cluster>,
    ) -> Result<Option<MetricsApiSettings>, MetricsApiSettingsError> {
        let listen = match (self.metrics_api_listen, cluster) {
            (Some(Listen::Off), _) | (None, None) => return Ok(None),
            (Some(Listen::On(listen)), None) => {
                return Err(MetricsApiSettingsError::NoCluster(listen));
            }
            (Some(Listen::On(listen)), Some(_)) => listen,
            (None, Some(_)) => LISTEN,
        };
        let certificate = match self.metrics_api_cert_file.zip(self.metrics_api_key_file) {
            Some((certificate, key)) => Certificate::Files { certificate, key },
            None => Certificate::SelfMade,
        };
        Ok(Some(MetricsApiSettings { listen, certificate }))
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse().map(Self::On).map_err(|_| "give ADDRESS:PORT or `off`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        args: MetricsApiArgs,
    }

    fn settings(
        flags: &[&str],
        cluster: Option<&Cluster>,
    ) -> Result<Option<MetricsApiSettings>, MetricsApiSettingsError> {
        let flags = ["program"].iter().chain(flags);
        Program::try_parse_from(flags).unwrap().args.settings(cluster)
    }

    #[test]
    fn with_a_cluster_it_is_served_and_without_one_it_is_not() {
        let served = settings(&[], Some(&Cluster::Surrounding)).unwrap().unwrap();
        assert_eq!(served.listen.to_string(), "0.0.0.0:8443");
        assert_eq!(served.certificate, Certificate::SelfMade);
        assert!(
            settings(&[], Some(&Cluster::Kubeconfig(vec!["/config".into()]))).unwrap().is_some()
        );
        assert_eq!(settings(&[], None).unwrap(), None);
    }

    #[test]
    fn it_can_be_elsewhere_or_off() {
        let elsewhere = ["--metrics-api-listen", "[::1]:9443"];
        let served = settings(&elsewhere, Some(&Cluster::Surrounding)).unwrap().unwrap();
        assert_eq!(served.listen.to_string(), "[::1]:9443");
        assert!(settings(&elsewhere, None).unwrap_err().to_string().contains("[::1]"));
        let off = ["--metrics-api-listen", "off"];
        assert_eq!(settings(&off, Some(&Cluster::Surrounding)).unwrap(), None);
        assert!(Program::try_parse_from(["program", "--metrics-api-listen", "on"]).is_err());
    }

    #[test]
    fn a_certificate_comes_with_its_key() {
        let certificate = ["program", "--metrics-api-cert-file", "a"];
        let key = ["--metrics-api-key-file", "b"];
        assert!(Program::try_parse_from(certificate).is_err());
        assert!(Program::try_parse_from(["program"].iter().chain(&key)).is_err());
        let served = settings(&[&certificate[1..], &key].concat(), Some(&Cluster::Surrounding));
        let files = Certificate::Files { certificate: "a".into(), key: "b".into() };
        assert_eq!(served.unwrap().unwrap().certificate, files);
    }
}
