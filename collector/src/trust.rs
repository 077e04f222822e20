//! Whose certificates are believed.

use std::{path::Path, sync::Arc};

use hyper_rustls::ConfigBuilderExt;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::{ClientError, Settings, client::read_named};

/// Whom to trust. For plain HTTP nobody: the system's certificates would take a megabyte for nothing.
pub(crate) fn tls(settings: &Settings) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = match &settings.ca_file {
        _ if !settings.server.is_https() => builder.with_root_certificates(RootCertStore::empty()),
        Some(path) => builder.with_root_certificates(certificates(path)?),
        None => builder.with_native_roots().map_err(ClientError::NoSystemCertificates)?,
    };
    Ok(builder.with_no_client_auth())
}

fn certificates(path: &Path) -> Result<RootCertStore, ClientError> {
    let pem = read_named(path, "`--ca-file` (API_CA_FILE)")?;
    let refusal = |detail| ClientError::NoCertificate { path: path.to_owned(), detail };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| refusal(format!(": {error}")))?;
        store.add(certificate).map_err(|error| refusal(format!(": {error}")))?;
    }
    if store.is_empty() { Err(refusal(String::new())) } else { Ok(store) }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use tempfile::NamedTempFile;

    use super::*;
    use crate::client::Client;

    fn file(text: &str) -> NamedTempFile {
        let file = NamedTempFile::new().expect("a file");
        fs::write(file.path(), text).expect("written");
        file
    }

    #[test]
    fn unusable_files_are_named_with_their_option() {
        let (https, http) =
            (Settings::for_tests("https://localhost"), Settings::for_tests("http://localhost"));
        let (empty, garbage) = (file(""), file("-----BEGIN CERTIFICATE-----\n!"));
        let path = |file: &NamedTempFile| Some(file.path().to_owned());
        let missing = || Some(PathBuf::from("/nonexistent"));
        for (settings, option) in [
            (Settings { ca_file: missing(), ..https.clone() }, "--ca-file"),
            (Settings { ca_file: path(&empty), ..https.clone() }, "--ca-file"),
            (Settings { ca_file: path(&garbage), ..https }, "--ca-file"),
            (Settings { token_file: missing(), ..http.clone() }, "--token-file"),
            (Settings { token_file: path(&empty), ..http.clone() }, "--token-file"),
            (Settings { token_file: path(&file("two words")), ..http }, "--token-file"),
        ] {
            let file = settings.ca_file.iter().chain(&settings.token_file).next().expect("a file");
            let error = Client::new(&settings).map(drop).expect_err("a refusal").to_string();
            assert!(error.contains(option) && error.contains(&*file.to_string_lossy()), "{error}");
        }
    }
}
