//! The traffic of a pod: that of its default interface, as kubelet reports it.
//!
//! A pod may have tunnels, bonds, VLANs and bridges over its interfaces, and further networks beside
//! the cluster's. A sum over all counts twice, and nothing that an unprivileged reader may ask tells
//! what runs over what. So the interface of the default route counts, or the one under it.

use std::{fs, path::Path};

use super::{Interfaces, default_interface, names};
use crate::{
    procfs::{
        net_dev::{NetworkCounters, interfaces},
        route,
    },
    text::is_cut,
};

/// What runtimes call the interface of a pod in the cluster's network.
const USUAL: &[u8] = b"eth0";

/// The interfaces of a pod.
#[derive(Debug, Default)]
pub(crate) struct PodInterfaces {
    interfaces: Interfaces,
    /// The default route's when it was chosen which count.
    default: Option<Box<[u8]>>,
}

impl PodInterfaces {
    /// Whether those that count were chosen from a `net/dev` with these very interfaces, and this one
    /// as that of the default route.
    pub(crate) fn were_chosen_from(&self, net_dev: &[u8], default: Option<&[u8]>) -> bool {
        self.default.as_deref() == default && self.interfaces.are_those_of(net_dev)
    }

    /// Chooses those that count.
    pub(crate) fn choose(&mut self, net_dev: &[u8], default: Option<&[u8]>) {
        let names: Vec<&[u8]> = interfaces(net_dev).map(|interface| interface.name).collect();
        let counting = counting(&names, default);
        self.interfaces.set(names.into_iter().zip(counting));
        self.default = default.map(Box::from);
    }

    /// What those that count carried; `None` when that cannot be read.
    pub(crate) fn read(&mut self, net_dev: &[u8]) -> Option<NetworkCounters> {
        let readable = !is_cut(net_dev) && !self.interfaces.known.is_empty();
        readable.then(|| self.interfaces.read(net_dev)).flatten()
    }

    /// Takes the interfaces of the next reading for others than those so far.
    pub(crate) fn restart(&mut self) {
        self.interfaces.totals.restart();
    }
}

/// The interface of the default route of the namespace whose `/proc/<pid>/net` this is: by IPv4, or
/// else by IPv6.
pub(crate) fn default_route(net: &Path) -> Option<Vec<u8>> {
    let read = |name| fs::read(net.join(name)).unwrap_or_default();
    let by_ipv4 = route::default_ipv4(&read("route")).map(<[u8]>::to_vec);
    by_ipv4.or_else(|| route::default_ipv6(&read("ipv6_route")).map(<[u8]>::to_vec))
}

/// Which of these interfaces count.
fn counting(names: &[&[u8]], default: Option<&[u8]>) -> Vec<bool> {
    let default = default.filter(|name| *name != b"lo");
    let only = |chosen: usize| (0..names.len()).map(|place| place == chosen).collect();
    if let Some(chosen) = default_interface(names, default) {
        return only(chosen);
    }
    let place = |name: &[u8]| names.iter().position(|other| *other == name);
    // A tunnel: kubelet reports `eth0` whatever the routes are.
    if let (Some(_), Some(chosen)) = (default, place(USUAL)) {
        return only(chosen);
    }
    let is_own = |name: &&[u8]| {
        **name != *b"lo" && !names::runs_over_another(name) && !names::joins_cards(name)
    };
    if names.iter().any(is_own) {
        return names.iter().map(is_own).collect();
    }
    // A tunnel or a bond may be all there is: its other end, or its cards, are elsewhere.
    default
        .and_then(place)
        .map_or_else(|| names.iter().map(|name| names::joins_cards(name)).collect(), only)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_interface_counts_and_nothing_beside_it() {
        for (names, default, expected) in [
            ("lo eth0", Some("eth0"), "eth0"),
            ("lo eth0 wg0", Some("eth0"), "eth0"),
            ("lo eth0 tun0 docker0 veth12 br-0a1b", Some("eth0"), "eth0"),
            ("lo eth0 eth0.5", Some("eth0"), "eth0"),
            ("lo eth0 eth0.5", Some("eth0.5"), "eth0"),
            ("lo eth0 eth0.5 eth0.5.7", Some("eth0.5.7"), "eth0"),
            ("lo eth0.5", Some("eth0.5"), "eth0.5"),
            ("lo bond0 net1 net2", Some("bond0"), "bond0"),
            ("lo eth0 bond0 net1 net2", Some("eth0"), "eth0"),
            ("lo eth0 bond0 net1 net2", Some("bond0"), "bond0"),
            ("lo eth0 net1", Some("net1"), "net1"),
            // A tunnel takes the default route.
            ("lo eth0 wg0", Some("wg0"), "eth0"),
            ("lo ens3 tun0", Some("tun0"), "ens3"),
            ("lo wg0", Some("wg0"), "wg0"),
            ("lo eth0", Some("gone0"), "eth0"),
            // Without a default route.
            ("lo eth0 net1", None, "eth0 net1"),
            ("lo eth0 wg0 docker0", None, "eth0"),
            ("lo bond0 net1 net2", None, "net1 net2"),
            ("lo bond0", None, "bond0"),
            ("lo", None, ""),
            ("lo", Some("lo"), ""),
            ("lo tunl0 sit0", None, ""),
        ] {
            let names: Vec<&[u8]> = names.split(' ').map(str::as_bytes).collect();
            let counts = counting(&names, default.map(str::as_bytes));
            let chosen: Vec<_> = names
                .iter()
                .zip(counts)
                .filter(|(_, counts)| *counts)
                .map(|(name, _)| std::str::from_utf8(name).unwrap())
                .collect();
            assert_eq!(chosen.join(" "), expected, "{default:?}");
        }
    }
}
