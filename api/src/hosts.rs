//! As what the server may be asked: the check of `Host`.
//!
//! A page from anywhere can have its own name resolve to this machine, and its scripts then read
//! what the server answers as if it were the page's own. The browser says in `Host` which name it
//! used.

use std::{
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
    sync::Arc,
};

use axum::http::{HeaderValue, Request, Version, header, uri::Authority};

use crate::errors::ApiError;

/// The names and addresses by which the server may be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AllowedHosts {
    /// Any.
    #[default]
    Any,
    /// These, besides `localhost` and the address that the client connected to: neither can be made
    /// to resolve elsewhere.
    Only(Arc<[AllowedHost]>),
}

/// A name or an address by which the server may be asked, or `*` for any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost(String);

impl FromStr for AllowedHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let host = normal(text.trim());
        let address = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = address.parse::<Ipv6Addr>() {
            return Ok(Self(format!("[{address}]")));
        }
        let is_name = host.parse::<Authority>().is_ok_and(|authority| authority.host() == host);
        if host == "*" || is_name {
            return Ok(Self(host));
        }
        Err("give a name or an address, without a port, or `*` for any".to_owned())
    }
}

impl AllowedHosts {
    /// These, or any if one of them is `*`.
    pub fn of(hosts: impl IntoIterator<Item = AllowedHost>) -> Self {
        let hosts: Arc<[AllowedHost]> = hosts.into_iter().collect();
        if hosts.iter().any(|AllowedHost(host)| host == "*") {
            Self::Any
        } else {
            Self::Only(hosts)
        }
    }

    /// Whether a request may be answered that came in at the address `reached`.
    pub(crate) fn check<B>(
        &self,
        request: &Request<B>,
        reached: Option<IpAddr>,
    ) -> Result<(), ApiError> {
        let mut given = request.headers().get_all(header::HOST).iter();
        let (first, second) = (given.next(), given.next());
        if second.is_some() {
            return Err(ApiError::Host("there are two `Host`: send one"));
        }
        if first.is_none() && request.version() == Version::HTTP_11 {
            return Err(ApiError::Host("there is no `Host`: HTTP/1.1 needs one"));
        }
        let host = first.filter(|host| !host.is_empty()).map(authority).transpose()?;
        // One that asks as of a proxy says it twice, and might mean it differently.
        for authority in request.uri().authority().into_iter().chain(&host) {
            self.check_one(authority, reached)?;
        }
        Ok(())
    }

    fn check_one(&self, authority: &Authority, reached: Option<IpAddr>) -> Result<(), ApiError> {
        if authority.as_str().contains('@') {
            return Err(ApiError::Host("there is an `@` in the host: leave the user out"));
        }
        let Self::Only(allowed) = self else { return Ok(()) };
        let host = normal(authority.host());
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        let is_reached = address.is_some() && address.map(|ip| ip.to_canonical()) == reached;
        let host = AllowedHost(host);
        if is_reached || host.0 == "localhost" || allowed.contains(&host) {
            return Ok(());
        }
        Err(ApiError::ForeignHost(host.0))
    }
}

fn authority(value: &HeaderValue) -> Result<Authority, ApiError> {
    let wrong = ApiError::Host("the `Host` is none: give a name or an address, and a port");
    Authority::try_from(value.as_bytes()).map_err(|_| wrong)
}

/// A name or an address, however it is written.
fn normal(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn only(hosts: &[&str]) -> AllowedHosts {
        AllowedHosts::of(hosts.iter().map(|host| host.parse().unwrap()))
    }

    fn checked(allowed: &AllowedHosts, uri: &str, hosts: &[&str]) -> Result<(), ApiError> {
        let mut request = Request::builder().uri(uri);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        allowed.check(&request.body(()).unwrap(), Some(HERE))
    }

    #[test]
    fn a_name_of_somebody_elses_is_refused_with_the_remedy() {
        let allowed = only(&["monitor.example", "fd00::1"]);
        for host in [
            "localhost:8080",
            "LOCALHOST",
            "127.0.0.1:8080",
            "monitor.example",
            "Monitor.Example.:80",
            "[fd00::1]:80",
            "",
        ] {
            assert!(checked(&allowed, "/", &[host]).is_ok(), "{host}");
        }
        for host in ["evil.example", "monitor.example.evil", "127.0.0.2", "[::1]", "localhost.evil"]
        {
            let refusal = checked(&allowed, "/", &[host]).unwrap_err();
            assert!(matches!(refusal, ApiError::ForeignHost(_)), "{host}: {refusal}");
            assert!(refusal.to_string().contains("--allowed-hosts"), "{refusal}");
            assert!(checked(&AllowedHosts::Any, "/", &[host]).is_ok());
        }
        assert_eq!(only(&["a", "*"]), AllowedHosts::Any);
    }

    #[test]
    fn an_absolute_uri_names_the_host_too() {
        let allowed = only(&[]);
        assert!(checked(&allowed, "http://localhost/", &["localhost"]).is_ok());
        for (uri, host) in [("http://evil/", "localhost"), ("http://localhost/", "evil")] {
            let refusal = checked(&allowed, uri, &[host]).unwrap_err();
            assert!(matches!(refusal, ApiError::ForeignHost(_)), "{refusal}");
        }
    }

    #[test]
    fn a_request_has_one_host() {
        for hosts in [&["localhost", "localhost"][..], &[], &["a b"], &["user@localhost"], &["a/b"]]
        {
            let refusal = checked(&AllowedHosts::Any, "/", hosts).unwrap_err();
            assert!(matches!(refusal, ApiError::Host(_)), "{hosts:?}: {refusal}");
        }
    }

    #[test]
    fn a_host_is_allowed_without_a_port() {
        for host in ["localhost:80", "http://a", "a/b", "u@a", "[::1]:80", ""] {
            assert!(host.parse::<AllowedHost>().is_err(), "{host}");
        }
    }
}
