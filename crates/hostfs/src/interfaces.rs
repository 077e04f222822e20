//! Which network interfaces count.
//!
//! Of a node, those through which traffic enters and leaves it: cards and bonds of cards, each byte
//! once. `/sys/class/net` tells where it shows the node's interfaces; in a container it shows the
//! container's own, and `/proc/net/bonding` and the names must do. Of a pod, all that are not made
//! of others.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    procfs::net_dev::{self, NetworkCounters, interfaces},
    text::lines,
};

/// What an interface is to a node's traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nature {
    /// A card, of metal or of a virtual machine, or several cards bonded to one.
    Carrier,
    /// What it carries is carried by another as well: bridges, tunnels, VLANs, ends of pods'
    /// cables, cards in a bond.
    Virtual,
    /// Its name does not say.
    Unknown,
}

/// Beginnings of the names of what is made of other interfaces, or leads to no other machine.
const VIRTUAL: [&str; 48] = [
    "antrea",
    "azv",
    "br-",
    "bridge",
    "cali",
    "cbr",
    "cilium",
    "cni",
    "datapath",
    "docker",
    "dummy",
    "erspan",
    "flannel",
    "genev",
    "gke",
    "gre",
    "ifb",
    "ip6",
    "ip_vti",
    "ipvl",
    "kube",
    "lxc",
    "lxd",
    "macv",
    "nerdctl",
    "nlmon",
    "nodelocaldns",
    "ovn",
    "ovs",
    "podman",
    "ppp",
    "sit",
    "tailscale",
    "tap",
    "teql",
    "tun",
    "utun",
    "veth",
    "virbr",
    "vlan",
    "vmnet",
    "vnet",
    "vrf",
    "vti",
    "vx",
    "weave",
    "wg",
    "xfrm",
];

/// Beginnings of names that systemd gives to cards: Ethernet, `InfiniBand`, wireless, mobile.
const PREDICTABLE: [&str; 4] = ["en", "ib", "wl", "ww"];

/// Names that the kernel, or an older systemd, gives to cards, together with a number.
const NUMBERED: [&str; 6] = ["em", "eth", "hsn", "p", "usb", "venet"];

/// Beginnings of the names that cAdvisor, and so kubelet, leaves out of a pod's traffic.
const MADE_OF_OTHERS: [&str; 3] = ["veth", "docker", "nerdctl"];

/// Whether an interface in a pod's network namespace counts.
pub(crate) fn counts_in_pod(name: &[u8]) -> bool {
    name != b"lo" && !MADE_OF_OTHERS.iter().any(|prefix| name.starts_with(prefix.as_bytes()))
}

/// The interfaces a node listed last, and which of them count.
#[derive(Debug)]
pub(crate) struct NodeInterfaces {
    /// `/sys/class/net`, where it shows the node's.
    sys: Option<PathBuf>,
    /// `/proc/<pid>/net/bonding` of the node.
    bonding: PathBuf,
    known: Vec<(Box<[u8]>, bool)>,
}

impl NodeInterfaces {
    /// Knows none yet. `net` is `/proc/<pid>/net` of a process in the node's network namespace.
    pub(crate) fn new(net: &Path, sys: Option<&Path>) -> Self {
        let sys = sys.map(|sys| sys.join("class/net"));
        Self { sys, bonding: net.join("bonding"), known: Vec::new() }
    }

    /// What the node's interfaces carried, from its `net/dev`.
    pub(crate) fn sum(&mut self, net_dev: &[u8]) -> Option<NetworkCounters> {
        if !self.are_those_of(net_dev) {
            self.learn(net_dev);
        }
        let mut known = self.known.iter();
        net_dev::sum(net_dev, |_| known.next().is_some_and(|(_, counts)| *counts))
    }

    /// Whether a `net/dev` lists these very interfaces.
    pub(crate) fn are_those_of(&self, net_dev: &[u8]) -> bool {
        let mut known = self.known.iter();
        interfaces(net_dev)
            .all(|interface| known.next().is_some_and(|(name, _)| **name == *interface.name))
            && known.next().is_none()
    }

    fn learn(&mut self, net_dev: &[u8]) {
        let bonds = Bonds::read(&self.bonding);
        let natures: Vec<(&[u8], Nature)> = interfaces(net_dev)
            .map(|interface| (interface.name, self.nature(interface.name, &bonds)))
            .collect();
        self.known = count(&natures);
    }

    fn nature(&self, name: &[u8], bonds: &Bonds) -> Nature {
        let text = std::str::from_utf8(name).ok();
        text.and_then(|name| nature_by_sys(&self.sys.as_ref()?.join(name)))
            .or_else(|| bonds.nature(name))
            .unwrap_or_else(|| nature_by_name(name))
    }
}

/// What `/proc/net/bonding` says: a file for each bond, which names the cards in it.
#[derive(Debug, Default)]
struct Bonds {
    bonds: Vec<Box<[u8]>>,
    cards: Vec<Box<[u8]>>,
}

impl Bonds {
    fn read(folder: &Path) -> Self {
        let mut found = Self::default();
        for bond in fs::read_dir(folder).into_iter().flatten().flatten() {
            let text = fs::read(bond.path()).unwrap_or_default();
            let cards = lines(&text).filter_map(|line| line.strip_prefix(b"Slave Interface: "));
            found.cards.extend(cards.map(Box::from));
            found.bonds.push(bond.file_name().as_encoded_bytes().into());
        }
        found
    }

    fn nature(&self, name: &[u8]) -> Option<Nature> {
        let among = |names: &[Box<[u8]>]| names.iter().any(|other| **other == *name);
        if among(&self.cards) {
            Some(Nature::Virtual)
        } else {
            among(&self.bonds).then_some(Nature::Carrier)
        }
    }
}

/// What the interface of this folder in `/sys/class/net` is; `None` when there is no such folder.
fn nature_by_sys(folder: &Path) -> Option<Nature> {
    let has = |name: &str| folder.join(name).exists();
    if !folder.exists() {
        None
    } else if has("master/bonding") || has("master/device") {
        // In a bond, or the fast path of a virtual machine's card beside the card itself: the
        // master counts the same bytes. (A bridge as master does not count, the card does.)
        Some(Nature::Virtual)
    } else if has("device") || has("bonding") {
        Some(Nature::Carrier)
    } else {
        Some(Nature::Virtual)
    }
}

fn nature_by_name(name: &[u8]) -> Nature {
    let begins = |prefix: &&str| name.starts_with(prefix.as_bytes());
    let numbered = |prefix: &&str| {
        name.strip_prefix(prefix.as_bytes())
            .is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit))
    };
    // A dot is a VLAN's: `eth0.100`.
    if name == b"lo" || name.contains(&b'.') || is_aws_pod(name) || VIRTUAL.iter().any(begins) {
        Nature::Virtual
    } else if PREDICTABLE.iter().any(begins) || NUMBERED.iter().any(numbered) {
        Nature::Carrier
    } else {
        Nature::Unknown
    }
}

/// The node's end of a pod's cable, as AWS' network plugin calls it: `eni` and eleven digits.
fn is_aws_pod(name: &[u8]) -> bool {
    name.strip_prefix(b"eni")
        .is_some_and(|rest| rest.len() == 11 && rest.iter().all(u8::is_ascii_hexdigit))
}

/// Azure's accelerated networking has `enP…` beside the `eth0` that counts the same bytes. Nobody
/// else mixes the two ways to name a card.
fn is_azure_fast_path(name: &[u8], natures: &[(&[u8], Nature)]) -> bool {
    name.starts_with(b"enP") && natures.iter().any(|(other, _)| other.starts_with(b"eth"))
}

/// Which of these count: those that carry. Where no name is known to, those not known to be
/// virtual.
fn count(natures: &[(&[u8], Nature)]) -> Vec<(Box<[u8]>, bool)> {
    let wanted = if natures.iter().any(|(_, nature)| *nature == Nature::Carrier) {
        Nature::Carrier
    } else {
        Nature::Unknown
    };
    natures
        .iter()
        .map(|&(name, nature)| {
            (name.into(), nature == wanted && !is_azure_fast_path(name, natures))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    /// A `net/dev` in which each interface received 2 to the power of its place, so that a sum
    /// tells which of them are in it.
    fn net_dev(names: &[&str]) -> String {
        let line = |(place, name): (usize, &&str)| {
            format!("{name}: {} 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n", 1_u64 << place)
        };
        names.iter().enumerate().map(line).collect()
    }

    /// The names among `names` that count on a host of which these folders are `/proc/1/net` and
    /// `/sys`.
    fn counted<'a>(names: &[&'a str], net: &Path, sys: Option<&Path>) -> Vec<&'a str> {
        let sum = NodeInterfaces::new(net, sys).sum(net_dev(names).as_bytes()).unwrap().rx_bytes;
        names
            .iter()
            .enumerate()
            .filter(|(place, _)| sum >> place & 1 == 1)
            .map(|(_, &name)| name)
            .collect()
    }

    fn counted_by_name<'a>(names: &[&'a str]) -> Vec<&'a str> {
        counted(names, Path::new("/nowhere"), None)
    }

    #[test]
    fn names_tell_cards_from_what_is_made_of_them() {
        for (names, cards) in [
            (&["lo", "ifb0", "ifb1", "eth0", "cni0", "vethfa15efae"][..], &["eth0"][..]),
            (&["lo", "ens3", "cni0", "veth0a2531ca"], &["ens3"]),
            (
                &["eno1", "enp3s0f1", "enx001122334455", "wlp2s0", "ibp5s0"],
                &["eno1", "enp3s0f1", "enx001122334455", "wlp2s0", "ibp5s0"],
            ),
            (
                &["em1", "p2p1", "eth0.100", "docker0", "br-0a1b2c", "virbr0", "wg0"],
                &["em1", "p2p1"],
            ),
            (&["ens5", "eni0a1b2c3d4e5", "cali12345678901", "flannel.1", "tunl0"], &["ens5"]),
            (&["eth0", "azv0a1b", "enP53091s1"], &["eth0"]),
            (&["enP2p1s0", "lxc_health", "cilium_host", "vxlan_sys_4789"], &["enP2p1s0"]),
            (&["bond0", "eth0", "eth1"], &["eth0", "eth1"]),
            (&["bond0", "lo"], &["bond0"]),
            (&["lan", "wan", "veth1", "lo"], &["lan", "wan"]),
        ] {
            assert_eq!(counted_by_name(names), cards);
        }
    }

    #[test]
    fn a_bond_counts_instead_of_its_cards_where_they_are_known() {
        let net = tempfile::tempdir().unwrap();
        fs::create_dir(net.path().join("bonding")).unwrap();
        let text = "Ethernet Channel Bonding Driver: v6.1\n\nSlave Interface: eth0\nMII Status: up\n\nSlave Interface: eth1\n";
        fs::write(net.path().join("bonding/uplink"), text).unwrap();
        let names = ["eth0", "eth1", "eth2", "uplink", "uplink.7"];
        assert_eq!(counted(&names, net.path(), None), ["eth2", "uplink"]);
    }

    /// `/sys` with these interfaces, each with these entries in its folder.
    fn sys(interfaces: &[(&str, &[&str])]) -> TempDir {
        let sys = tempfile::tempdir().unwrap();
        for (name, entries) in interfaces {
            for entry in *entries {
                fs::create_dir_all(sys.path().join("class/net").join(name).join(entry)).unwrap();
            }
        }
        sys
    }

    #[test]
    fn sysfs_knows_better_than_names() {
        let sys = sys(&[
            ("lan0", &["device"]),
            ("eth0", &["statistics"]),
            ("bond0", &["bonding"]),
            ("ens1", &["device"]),
            ("br0", &["bridge"]),
            ("ens2", &["device"]),
        ]);
        let master = |name: &str, master: &str| {
            let class = sys.path().join("class/net");
            symlink(class.join(master), class.join(name).join("master")).unwrap();
        };
        master("ens1", "bond0");
        master("ens2", "br0");
        let names = ["lan0", "eth0", "bond0", "ens1", "br0", "ens2", "ens9"];
        // `ens9` it does not know, so that its name decides.
        let cards = ["lan0", "bond0", "ens2", "ens9"];
        assert_eq!(counted(&names, Path::new("/nowhere"), Some(sys.path())), cards);
    }

    #[test]
    fn interfaces_that_come_and_go_are_noticed() {
        let mut interfaces = NodeInterfaces::new(Path::new("/nowhere"), None);
        for (names, expected) in [
            (&["eth0"][..], 1),
            (&["eth0", "veth1"], 1),
            (&["veth1", "eth0"], 2),
            (&["eth0", "eth1"], 3),
        ] {
            let sum = interfaces.sum(net_dev(names).as_bytes());
            assert_eq!(sum.map(|sum| sum.rx_bytes), Some(expected), "{names:?}");
        }
        assert_eq!(interfaces.sum(b""), None);
    }

    #[test]
    fn in_a_pod_all_count_but_loopback_and_what_runs_on_others() {
        for (name, counts) in
            [("eth0", true), ("net1", true), ("lo", false), ("docker0", false), ("veth1", false)]
        {
            assert_eq!(counts_in_pod(name.as_bytes()), counts, "{name}");
        }
    }
}
