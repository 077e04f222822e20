//! TLS: the certificate that is shown, and those that clients show.

use std::{fmt, path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{self, CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::{
        ClientHello, ResolvesServerCert,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};
use tokio_rustls::TlsAcceptor;

use crate::settings::Certificate;

/// What a certificate of our own is for. Nobody verifies the name.
const NAMES: [&str; 2] = ["monitor-api-metrics", "localhost"];

/// Why there is no certificate to show.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file that cannot be read, or has nothing of use in it.
    #[error("{flag} {}: {reason}", file.display())]
    File {
        /// What named the file.
        flag: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The two files do not belong together.
    #[error(
        "{} is no key for the certificate in {}: {source}", key.display(), certificate.display()
    )]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        source: Error,
    },
    /// None could be made.
    #[error("no certificate can be made: {0}")]
    SelfMade(#[from] rcgen::Error),
    /// The one that was made cannot be used.
    #[error("the certificate that was made cannot be used: {0}")]
    Unusable(#[from] Error),
}

/// The certificate that is shown.
pub(super) struct Presented {
    certificate: Certificate,
    key: ArcSwap<CertifiedKey>,
}

impl Presented {
    /// The certificate there is, or a new one.
    pub(super) fn new(certificate: Certificate) -> Result<Self, CertificateError> {
        let key = match &certificate {
            Certificate::SelfMade => self_made()?,
            Certificate::Files { certificate, key } => read(certificate, key)?,
        };
        Ok(Self { certificate, key: ArcSwap::from_pointee(key) })
    }

    /// Shows from now on what is in the files now; on an error, what was shown before.
    pub(super) fn refresh(&self) -> Result<(), CertificateError> {
        if let Certificate::Files { certificate, key } = &self.certificate {
            let read = read(certificate, key)?;
            // Equal ones are kept, and so is what clients remember of their connections.
            if read.cert != self.key.load().cert {
                self.key.store(Arc::new(read));
            }
        }
        Ok(())
    }
}

impl ResolvesServerCert for Presented {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key.load_full())
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Presented").field(&self.certificate).finish()
    }
}

fn read(certificate: &PathBuf, key: &PathBuf) -> Result<CertifiedKey, CertificateError> {
    let wrong = |flag, file: &PathBuf, reason: String| CertificateError::File {
        flag,
        file: file.clone(),
        reason,
    };
    let certificate_wrong = |reason| wrong("--metrics-api-cert-file", certificate, reason);
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| certificate_wrong(error.to_string()))?;
    if chain.is_empty() {
        return Err(certificate_wrong("there is no certificate in PEM in it".to_owned()));
    }
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| wrong("--metrics-api-key-file", key, error.to_string()))?;
    CertifiedKey::from_der(chain, private, &provider()).map_err(|source| {
        CertificateError::Mismatch { certificate: certificate.clone(), key: key.clone(), source }
    })
}

fn self_made() -> Result<CertifiedKey, CertificateError> {
    let made = rcgen::generate_simple_self_signed(NAMES.map(str::to_owned))?;
    let key = made.signing_key.serialize_der();
    let key = PrivateKeyDer::try_from(key).map_err(|error| Error::General(error.to_owned()))?;
    Ok(CertifiedKey::from_der(vec![made.cert.der().clone()], key, &provider())?)
}

/// The cryptography in use.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Takes connections of clients with any certificate, or none.
pub(super) fn acceptor(presented: Arc<Presented>) -> TlsAcceptor {
    let provider = provider();
    let any = Arc::new(AnyCertificate(Arc::clone(&provider)));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has ciphers of both versions")
        .with_client_cert_verifier(any)
        .with_cert_resolver(presented);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// Lets clients show any certificate that they have the key of. Whether somebody we believe signed it
/// is asked with each request: a refusal then says so, instead of a handshake that breaks off; and
/// whom we believe may change while connections last.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_certificate_is_made_where_none_is_given() {
        let one = Presented::new(Certificate::SelfMade).unwrap();
        let another = Presented::new(Certificate::SelfMade).unwrap();
        assert_ne!(one.key.load().cert, another.key.load().cert);
        assert!(one.refresh().is_ok());
    }

    #[test]
    fn a_certificate_in_files_is_read_again_and_a_broken_one_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        let files = Certificate::Files { certificate: path("tls.crt"), key: path("tls.key") };
        let refusal = |files| Presented::new(files).map(drop).unwrap_err().to_string();
        let missing = refusal(files.clone());
        assert!(missing.contains("--metrics-api-cert-file") && missing.contains("tls.crt"));

        let write = |certificate: &str, key: &str| {
            fs::write(path("tls.crt"), certificate).unwrap();
            fs::write(path("tls.key"), key).unwrap();
        };
        let make = || {
            let made = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap();
            (made.cert.pem(), made.signing_key.serialize_pem())
        };
        let ((certificate, key), (other_certificate, other_key)) = (make(), make());
        write("", &key);
        assert!(refusal(files.clone()).contains("no certificate"));
        write(&certificate, "");
        assert!(refusal(files.clone()).contains("--metrics-api-key-file"));
        write(&certificate, &other_key);
        assert!(refusal(files.clone()).contains("no key for the certificate"));

        write(&certificate, &key);
        let presented = Presented::new(files).unwrap();
        let first = presented.key.load_full();
        write(&other_certificate, &key);
        assert!(presented.refresh().is_err());
        assert_eq!(presented.key.load().cert, first.cert);
        write(&other_certificate, &other_key);
        presented.refresh().unwrap();
        assert_ne!(presented.key.load().cert, first.cert);
    }
}
