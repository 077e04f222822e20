//! What an interface's name says of it, for where nothing better does.

use super::InterfaceKind;

/// Beginnings of the names of what runs over other interfaces, or leads to no other machine.
const VIRTUAL: [&str; 52] = [
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
    "ipsec",
    "ipvl",
    "k6t-",
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
    "qvb",
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
    "zt",
];

/// Beginnings of names that systemd gives to cards: Ethernet, `InfiniBand`, serial line, wireless, mobile.
const PREDICTABLE: [&str; 5] = ["en", "ib", "sl", "wl", "ww"];

/// Names that the kernel, or an older systemd, gives to cards, together with a number.
const NUMBERED: [&str; 6] = ["em", "eth", "hsn", "usb", "venet", "wlan"];

/// Names of what joins cards, together with a number.
const JOINED: [&str; 3] = ["bond", "br", "team"];

/// What a name says.
pub(super) fn kind_of(name: &[u8]) -> InterfaceKind {
    if runs_over_another(name) {
        InterfaceKind::NamedVirtual
    } else if is_card(name) {
        InterfaceKind::NamedLikeCard
    } else {
        InterfaceKind::Unknown
    }
}

/// Whether it is called like something that runs over others, or like the node's end of a pod's
/// cable.
pub(super) fn runs_over_another(name: &[u8]) -> bool {
    // A dot is a VLAN's: `eth0.100`.
    name.contains(&b'.')
        || is_aws_pod(name)
        || VIRTUAL.iter().any(|beginning| name.starts_with(beginning.as_bytes()))
}

/// Whether it is called like a card.
pub(super) fn is_card(name: &[u8]) -> bool {
    is_numbered(name, &NUMBERED) || is_biosdevname(name) || is_predictable(name)
}

/// Whether it is called like a bond, a team or a bridge.
pub(super) fn joins_cards(name: &[u8]) -> bool {
    is_numbered(name, &JOINED)
}

/// Azure's accelerated networking has `enP…` beside the `eth0` that counts the same bytes. Nobody
/// else mixes the two ways to name a card.
pub(super) fn is_azure_fast_path(name: &[u8], names: &[&[u8]]) -> bool {
    name.starts_with(b"enP") && names.iter().any(|other| is_numbered(other, &["eth"]))
}

fn is_numbered(name: &[u8], beginnings: &[&str]) -> bool {
    beginnings
        .iter()
        .filter_map(|beginning| name.strip_prefix(beginning.as_bytes()))
        .any(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}

/// `p2p1` and `em1_1`: slot and port, and a part of a card.
fn is_biosdevname(name: &[u8]) -> bool {
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let (name, part) = name
        .iter()
        .position(|&byte| byte == b'_')
        .map_or((name, None), |at| (&name[..at], Some(&name[at + 1..])));
    let is_port = || {
        let rest = name.strip_prefix(b"p")?;
        let at = rest.iter().position(|&byte| byte == b'p')?;
        Some(digits(&rest[..at]) && digits(&rest[at + 1..]))
    };
    part.is_none_or(digits) && (is_numbered(name, &["em"]) || is_port().unwrap_or(false))
}

/// The forms that systemd.net-naming-scheme(7) gives: `eno1`, `ens3`, `enp3s0f1np0`, `enP2p1s0`,
/// `enx001122334455`, `encf5f0`, `enamlnxbf17i0` and so on. One with `_`, or of a virtual function
/// seen from its card (`enp3s0f0npf0vf1`), is a representor: what it carries the card carries.
fn is_predictable(name: &[u8]) -> bool {
    let Some(rest) =
        PREDICTABLE.iter().find_map(|beginning| name.strip_prefix(beginning.as_bytes()))
    else {
        return false;
    };
    let Some((scheme, rest)) = rest.split_first() else { return false };
    let begins_with = |is_digit: fn(&u8) -> bool| rest.first().is_some_and(is_digit);
    let well_formed = match scheme {
        b'b' | b'd' | b'i' | b'o' | b'p' | b's' | b'u' | b'v' | b'P' => {
            begins_with(u8::is_ascii_digit)
        }
        b'c' => begins_with(u8::is_ascii_hexdigit) && rest.iter().all(u8::is_ascii_hexdigit),
        b'x' => rest.len() == 12 && rest.iter().all(u8::is_ascii_hexdigit),
        b'a' => rest
            .iter()
            .rposition(|&byte| byte == b'i')
            .is_some_and(|at| at > 0 && rest[at + 1..].iter().any(u8::is_ascii_digit)),
        _ => false,
    };
    let is_representor = rest.contains(&b'_') || rest.windows(2).any(|two| two == b"vf");
    well_formed && !is_representor
}

/// The node's end of a pod's cable, as AWS' network plugin calls it: `eni` and eleven digits.
fn is_aws_pod(name: &[u8]) -> bool {
    name.strip_prefix(b"eni")
        .is_some_and(|rest| rest.len() == 11 && rest.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_have_names_of_known_forms() {
        for name in [
            "eth0",
            "eth12",
            "em1",
            "em1_1",
            "p2p1",
            "p2p1_3",
            "eno1",
            "ens3",
            "ens1f0np0",
            "enp3s0f1",
            "enP2p1s0",
            "enP53091s1",
            "enx001122334455",
            "encf5f0",
            "enc1000",
            "end0",
            "enamlnxbf17i0",
            "eni1np1",
            "env2",
            "ibp5s0",
            "wlp2s0",
            "wwan",
            "slc1",
            "hsn0",
            "venet0",
            "wlan0",
        ] {
            assert_eq!(is_card(name.as_bytes()), name != "wwan", "{name}");
        }
    }

    #[test]
    fn ends_of_pods_cables_have_other_names() {
        for name in [
            "envoy-ga-1a2b3c",
            "enabled",
            "encoder",
            "enterprise0",
            "p1a2b3c",
            "pod1",
            "eth0-nic",
            "eth0nsby",
            "ibis",
            "wl",
            "en",
            "enx0011",
            "enp3s0f0_0",
            "enp3s0f0npf0vf1",
            "nic12",
            "ethapp",
            "emsvc1",
            "wl-7f",
            "sliver",
            "",
        ] {
            assert!(!is_card(name.as_bytes()), "{name}");
        }
        for name in
            ["eni0a1b2c3d4e5", "cali12345678901", "azv0a1b", "lxc_health", "gke1a2b3c", "veth0"]
        {
            assert_eq!(kind_of(name.as_bytes()), InterfaceKind::NamedVirtual, "{name}");
        }
    }
}
