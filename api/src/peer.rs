//! Where requests come from.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::Extensions;

/// The address at the other end of a connection, which the server puts into each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Peer {
    /// Where nobody is.
    pub(crate) const NOWHERE: Self = Self(IpAddr::V6(Ipv6Addr::UNSPECIFIED));

    /// Whom a request comes from. Without a connection, as in tests of single handlers, from nowhere.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        extensions.get().copied().unwrap_or(Self::NOWHERE)
    }

    /// What limits count by: an IPv4 address, or of IPv6 the first 64 bits, since a single host can
    /// have all addresses that begin with them.
    pub(crate) fn source(self) -> IpAddr {
        match self.0.to_canonical() {
            IpAddr::V6(address) => {
                Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
            }
            v4 @ IpAddr::V4(_) => v4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_one_source_whichever_of_its_addresses_it_uses() {
        let source = |text: &str| Peer(text.parse().unwrap()).source();
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_eq!(source("::ffff:192.0.2.7"), source("192.0.2.7"));
        assert_ne!(source("192.0.2.7"), source("192.0.2.8"));
    }
}
