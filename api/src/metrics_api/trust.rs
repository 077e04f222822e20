//! Whose word is taken for who asks: what Kubernetes' own API server writes into the config map
//! `kube-system/extension-apiserver-authentication` for servers behind it.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use axum::http::{HeaderMap, HeaderName};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use percent_encoding::percent_decode_str;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, UnixTime, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};

use tokio::time::timeout;

use super::{tls, user::User};
use crate::review::{PATIENCE, in_short};

const NAMESPACE: &str = "kube-system";
const NAME: &str = "extension-apiserver-authentication";

/// Whose word is taken. By default nobody's.
#[derive(Debug, Default)]
pub(super) struct Trust {
    /// Who passes on what others ask.
    front_proxy: Option<FrontProxy>,
    /// Who vouches for those that ask themselves.
    clients: Option<Authority>,
}

/// Kubernetes' own API server, as it introduces itself when it passes questions on.
#[derive(Debug)]
struct FrontProxy {
    authority: Authority,
    /// Common names it may have; any where there is none.
    names: Vec<String>,
    user: Vec<HeaderName>,
    uid: Vec<HeaderName>,
    group: Vec<HeaderName>,
    /// Lower case.
    extra_prefixes: Vec<String>,
}

/// Certificates that sign clients' certificates.
struct Authority(Arc<dyn ClientCertVerifier>);

/// Why the config map cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum TrustError {
    /// It must not be read, as long as nobody gave the right to.
    #[error("it is served to nobody until deploy/metrics-api.yaml is applied: {0}")]
    NotAllowed(String),
    /// It cannot be read.
    #[error("the config map {NAMESPACE}/{NAME} cannot be read: {0}")]
    Unreadable(String),
    /// The Kubernetes API does not answer.
    #[error("the config map {NAMESPACE}/{NAME} cannot be read: the Kubernetes API does not answer")]
    Unanswered,
    /// Some value is not what it should be.
    #[error("`{key}` in the config map {NAMESPACE}/{NAME} cannot be used: {reason}")]
    Malformed {
        /// The key.
        key: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl From<kube::Error> for TrustError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if status.is_forbidden() => Self::NotAllowed(status.message),
            other => Self::Unreadable(in_short(&other)),
        }
    }
}

impl Trust {
    /// What the cluster says.
    pub(super) async fn read(client: &Client) -> Result<Self, TrustError> {
        let maps = Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE);
        let map = timeout(PATIENCE, maps.get(NAME)).await.map_err(|_| TrustError::Unanswered)??;
        Self::new(&map.data.unwrap_or_default())
    }

    fn new(data: &BTreeMap<String, String>) -> Result<Self, TrustError> {
        let clients = authority(data, "client-ca-file")?;
        let Some(authority) = authority(data, "requestheader-client-ca-file")? else {
            return Ok(Self { front_proxy: None, clients });
        };
        let front_proxy = FrontProxy {
            authority,
            names: list(data, "requestheader-allowed-names")?,
            user: list(data, "requestheader-username-headers")?,
            uid: list(data, "requestheader-uid-headers")?,
            group: list(data, "requestheader-group-headers")?,
            extra_prefixes: list::<String>(data, "requestheader-extra-headers-prefix")?
                .iter()
                .map(|prefix| prefix.to_ascii_lowercase())
                .collect(),
        };
        Ok(Self { front_proxy: Some(front_proxy), clients })
    }

    /// The user that a request comes from, by the certificates of its connection: the one its
    /// headers name where the front proxy passes it on, else the one the certificate names.
    pub(super) fn user(
        &self,
        certificates: &[CertificateDer<'_>],
        headers: &HeaderMap,
    ) -> Option<User> {
        let passed_on =
            self.front_proxy.as_ref().and_then(|proxy| proxy.user(certificates, headers));
        passed_on.or_else(|| {
            let certificate = self.clients.as_ref()?.verified(certificates)?;
            User::of_certificate(certificate)
        })
    }
}

impl FrontProxy {
    fn user(&self, certificates: &[CertificateDer<'_>], headers: &HeaderMap) -> Option<User> {
        let certificate = self.authority.verified(certificates)?;
        if !self.names.is_empty() {
            let name = User::of_certificate(certificate)?.name;
            self.names.contains(&name).then_some(())?;
        }
        let name = values(headers, &self.user).next()?;
        let user = User {
            name,
            uid: values(headers, &self.uid).next(),
            groups: values(headers, &self.group).collect(),
            extra: self.extra(headers),
        };
        Some(user.authenticated())
    }

    fn extra(&self, headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
        let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for prefix in &self.extra_prefixes {
            for (name, value) in headers {
                let Some(key) = name.as_str().strip_prefix(prefix.as_str()) else { continue };
                let key = percent_decode_str(key).decode_utf8().unwrap_or(key.into());
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                extra.entry(key.into_owned()).or_default().push(value);
            }
        }
        extra
    }
}

/// All values of these headers that are not empty, in the order of the headers.
fn values(headers: &HeaderMap, names: &[HeaderName]) -> impl Iterator<Item = String> {
    let values = names.iter().flat_map(|name| headers.get_all(name));
    let values = values.filter(|value| !value.is_empty());
    values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

impl Authority {
    /// The client's certificate, if this authority or one it vouches for signed it, for clients, and
    /// it is valid now.
    fn verified<'a>(&self, certificates: &'a [CertificateDer<'_>]) -> Option<&'a [u8]> {
        let (client, intermediates) = certificates.split_first()?;
        self.0.verify_client_cert(client, intermediates, UnixTime::now()).ok()?;
        Some(client)
    }
}

fn authority(
    data: &BTreeMap<String, String>,
    key: &'static str,
) -> Result<Option<Authority>, TrustError> {
    let Some(pem) = data.get(key).filter(|pem| !pem.trim().is_empty()) else { return Ok(None) };
    let malformed =
        |reason: &dyn fmt::Display| TrustError::Malformed { key, reason: reason.to_string() };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| malformed(&error))?;
        roots.add(certificate).map_err(|error| malformed(&error))?;
    }
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), tls::provider()).build();
    Ok(Some(Authority(verifier.map_err(|error| malformed(&error))?)))
}

/// A JSON list of texts; the empty one where there is none.
fn list<T: FromStr<Err: fmt::Display>>(
    data: &BTreeMap<String, String>,
    key: &'static str,
) -> Result<Vec<T>, TrustError> {
    let Some(json) = data.get(key) else { return Ok(Vec::new()) };
    let malformed = |reason: String| TrustError::Malformed { key, reason };
    let texts: Vec<String> =
        serde_json::from_str(json).map_err(|error| malformed(error.to_string()))?;
    let parse =
        |text: String| text.trim().parse().map_err(|error: T::Err| malformed(error.to_string()));
    texts.into_iter().map(parse).collect()
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authority").field(&self.0.root_hint_subjects().len()).finish()
    }
}
