//! Where frames go.

use std::{fmt, str::FromStr};

use hyper::{Uri, http::uri::Authority};

/// The base address of an API server, such as `http://monitor-api` or
/// `https://example.com:8443/kubemonitor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Without `/` at its end.
    base: String,
    frames: Uri,
}

/// A text that is no server's address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{address}` is no server's address, {problem}: give a URL like `http://monitor-api` or \
     `https://example.com:8443/kubemonitor`"
)]
pub struct EndpointError {
    address: String,
    problem: &'static str,
}

impl Endpoint {
    /// The URL that takes frames.
    pub(crate) fn frames(&self) -> &Uri {
        &self.frames
    }

    /// Whether the way there is encrypted.
    pub(crate) fn is_https(&self) -> bool {
        self.frames.scheme_str() == Some("https")
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |problem| EndpointError { address: text.to_owned(), problem };
        if !["http://", "https://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err(error("it begins with neither `http://` nor `https://`"));
        }
        if text.contains(['?', '#', '@']) {
            return Err(error("it has more than a host, a port and a path"));
        }
        let base = text.trim_end_matches('/');
        let frames: Uri =
            format!("{base}/api/frames").parse().map_err(|_| error("it is not a URL"))?;
        if frames.host().is_none_or(str::is_empty) {
            return Err(error("it has no host"));
        }
        let has_port = |authority: &Authority| authority.as_str() != authority.host();
        if frames.authority().is_some_and(has_port) && frames.port_u16().is_none() {
            return Err(error("its port is no number below 65536"));
        }
        Ok(Self { base: base.to_owned(), frames })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_go_below_the_address() {
        for (address, frames) in [
            ("http://monitor-api", "http://monitor-api/api/frames"),
            ("http://[::1]:8080/", "http://[::1]:8080/api/frames"),
            ("https://example.com:8443/a/b/", "https://example.com:8443/a/b/api/frames"),
        ] {
            let endpoint: Endpoint = address.parse().expect("an address");
            assert_eq!(endpoint.frames().to_string(), frames);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_remedy() {
        for address in [
            "",
            "monitor-api",
            "monitor-api:8080",
            "ftp://monitor-api",
            "http://",
            "http:///path",
            "http://a b",
            "http://:80",
            "http://host:port",
            "http://host:99999",
            "http://user@monitor-api",
            "http://monitor-api/?x=1",
        ] {
            let error = address.parse::<Endpoint>().expect_err(address).to_string();
            assert!(error.contains(&format!("`{address}`")), "{error}");
            assert!(error.contains("http://monitor-api"), "{error}");
        }
    }
}
