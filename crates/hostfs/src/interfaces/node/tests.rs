use std::{fs, os::unix::fs::symlink};

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
    let read = NodeInterfaces::new(net, sys).read(net_dev(names).as_bytes());
    let sum = read.map_or(0, |read| read.rx_bytes);
    names
        .iter()
        .enumerate()
        .filter(|(place, _)| sum >> place & 1 == 1)
        .map(|(_, &name)| name)
        .collect()
}

/// `/proc/<pid>/net` with a default route through this interface.
fn routed(interface: &str) -> TempDir {
    let net = tempfile::tempdir().unwrap();
    let route = format!("{interface}\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
    fs::write(net.path().join("route"), route).unwrap();
    net
}

/// `/sys` with these interfaces, each with these entries in its folder.
fn sys(interfaces: &[(&str, &[&str])]) -> TempDir {
    let sys = tempfile::tempdir().unwrap();
    for (name, entries) in interfaces {
        let folder = sys.path().join("class/net").join(name);
        fs::create_dir_all(&folder).unwrap();
        for entry in *entries {
            fs::create_dir_all(folder.join(entry)).unwrap();
        }
    }
    sys
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
        (&["em1", "p2p1", "eth0.100", "docker0", "br-0a1b2c", "virbr0", "wg0"], &["em1", "p2p1"]),
        (&["ens5", "eni0a1b2c3d4e5", "cali12345678901", "flannel.1", "tunl0"], &["ens5"]),
        (&["eth0", "envoy-ga-1a2b3c", "pod7", "p1a2b3c"], &["eth0"]),
        (&["eth0", "azv0a1b", "enP53091s1"], &["eth0"]),
        (&["enP2p1s0", "lxc_health", "cilium_host", "vxlan_sys_4789"], &["enP2p1s0"]),
        (&["bond0", "eth0", "eth1"], &["eth0", "eth1"]),
        (&["bond0", "lo"], &["bond0"]),
        (&["bond0", "lan", "wan", "br0"], &["lan", "wan"]),
        (&["lan", "wan", "veth1", "lo"], &["lan", "wan"]),
    ] {
        assert_eq!(counted(names, Path::new("/nowhere"), None), cards);
    }
}

#[test]
fn the_default_route_tells_where_neither_sysfs_nor_names_do() {
    for (default, names, expected) in [
        ("wan", &["lan", "wan", "veth1", "lo"][..], &["wan"][..]),
        ("wan.7", &["lan", "wan", "wan.7"], &["wan"]),
        ("wg0", &["wg0", "lan"], &["lan"]),
        ("wg0", &["wg0", "lo"], &["wg0"]),
        ("br0", &["br0", "lan"], &["br0"]),
        ("gone", &["lo", "lan"], &["lan"]),
        ("lo", &["lo"], &[]),
    ] {
        assert_eq!(counted(names, routed(default).path(), None), expected, "{default}");
    }
}

#[test]
fn without_a_card_it_is_the_default_routes_interface_or_unknown() {
    // As in a container that sees its own `/sys`: all are ends of cables.
    let sys = sys(&[("lo", &[]), ("eth0", &[]), ("eth1", &[]), ("veth1", &[]), ("envoy1", &[])]);
    let names = ["lo", "eth0", "eth1", "veth1", "envoy1"];
    let nowhere = Path::new("/nowhere");
    assert_eq!(counted(&names, routed("eth1").path(), Some(sys.path())), ["eth1"]);
    assert_eq!(counted(&names, nowhere, Some(sys.path())), ["eth0", "eth1"]);
    assert_eq!(counted(&["lo", "envoy1"], routed("envoy1").path(), Some(sys.path())), ["envoy1"]);
    for names in [&["lo", "veth1"][..], &["lo"], &["lo", "envoy1"]] {
        let mut interfaces = NodeInterfaces::new(nowhere, Some(sys.path()));
        assert_eq!(interfaces.read(net_dev(names).as_bytes()), None, "{names:?}");
    }
}

#[test]
fn sysfs_knows_better_than_names() {
    let sys = sys(&[
        ("lan0", &["device"]),
        ("eth0", &["statistics"]),
        ("envoy-ga-1a2b3c", &[]),
        ("bond0", &["bonding"]),
        ("ens1", &["device"]),
        ("br0", &["bridge"]),
        ("ens2", &["device"]),
        ("rep0", &["device"]),
        ("port1", &["device"]),
        ("vf0", &["device"]),
    ]);
    let class = sys.path().join("class/net");
    for (name, master) in [("ens1", "bond0"), ("ens2", "br0"), ("vf0", "lan0")] {
        symlink(class.join(master), class.join(name).join("master")).unwrap();
    }
    fs::write(class.join("rep0/phys_port_name"), "pf0vf1\n").unwrap();
    fs::write(class.join("ens2/phys_port_name"), "p0\n").unwrap();
    fs::write(class.join("port1/uevent"), "DEVTYPE=dsa\nINTERFACE=port1\n").unwrap();
    let names = [
        "lan0",
        "eth0",
        "envoy-ga-1a2b3c",
        "bond0",
        "ens1",
        "br0",
        "ens2",
        "rep0",
        "port1",
        "vf0",
        "ens9",
        "eth0.5",
    ];
    // `ens9` it does not know, so that its name decides.
    let cards = ["lan0", "ens1", "ens2", "ens9"];
    assert_eq!(counted(&names, Path::new("/nowhere"), Some(sys.path())), cards);
}

/// What is received in all at each of these readings: the bytes of each interface.
fn totals(interfaces: &mut NodeInterfaces, readings: &[&[(&str, u64)]]) -> Vec<Option<u64>> {
    let mut one = |reading: &&[(&str, u64)]| {
        let lines = reading
            .iter()
            .map(|(name, bytes)| format!("{name}: {bytes} 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"));
        let text: String = lines.collect();
        interfaces.read(text.as_bytes()).map(|read| read.rx_bytes)
    };
    readings.iter().map(&mut one).collect()
}

#[test]
fn a_card_that_gets_a_master_while_no_interface_comes_or_goes_is_noticed() {
    let sys = sys(&[("eth0", &["device"]), ("enP1s1", &["device"])]);
    let class = sys.path().join("class/net");
    let mut interfaces = NodeInterfaces::new(Path::new("/nowhere"), Some(sys.path()));
    let before: [&[(&str, u64)]; 2] =
        [&[("eth0", 10), ("enP1s1", 5)], &[("eth0", 11), ("enP1s1", 6)]];
    assert_eq!(totals(&mut interfaces, &before), [Some(15), Some(17)]);
    symlink(class.join("eth0"), class.join("enP1s1/master")).unwrap();
    assert_eq!(totals(&mut interfaces, &[&[("eth0", 111), ("enP1s1", 106)]]), [Some(117)]);
    fs::remove_file(class.join("enP1s1/master")).unwrap();
    assert_eq!(totals(&mut interfaces, &[&[("eth0", 111), ("enP1s1", 107)]]), [Some(118)]);
}

#[test]
fn cards_put_into_a_bond_while_no_interface_comes_or_goes_count_once() {
    let sys = sys(&[("lan0", &["device"]), ("lan1", &["device"]), ("bond0", &["bonding"])]);
    let class = sys.path().join("class/net");
    let net = tempfile::tempdir().unwrap();
    for sys in [Some(sys.path()), None] {
        let mut interfaces = NodeInterfaces::new(net.path(), sys);
        let before: [&[(&str, u64)]; 1] = [&[("lan0", 1000), ("lan1", 500), ("bond0", 0)]];
        assert_eq!(totals(&mut interfaces, &before), [Some(1500)]);
        for card in ["lan0", "lan1"] {
            symlink(class.join("bond0"), class.join(card).join("master")).ok();
        }
        fs::create_dir_all(net.path().join("bonding")).unwrap();
        let text = "Slave Interface: lan0\nMII Status: up\n\nSlave Interface: lan1\n";
        fs::write(net.path().join("bonding/bond0"), text).unwrap();
        let after: [&[(&str, u64)]; 2] = [
            &[("lan0", 1007), ("lan1", 501), ("bond0", 8)],
            &[("lan0", 1009), ("lan1", 501), ("bond0", 10)],
        ];
        assert_eq!(totals(&mut interfaces, &after), [Some(1508), Some(1510)]);
        fs::remove_dir_all(net.path().join("bonding")).unwrap();
    }
}

#[test]
fn a_bonds_cards_are_known_by_procfs_whatever_they_are_called() {
    let net = tempfile::tempdir().unwrap();
    fs::create_dir(net.path().join("bonding")).unwrap();
    let text = "Ethernet Channel Bonding Driver: v6.1\n\nSlave Interface: eth0\nMII Status: up\n\nSlave Interface: lan1\n";
    fs::write(net.path().join("bonding/uplink"), text).unwrap();
    let names = ["eth0", "lan1", "eth2", "uplink", "uplink.7"];
    assert_eq!(counted(&names, net.path(), None), ["eth0", "lan1", "eth2"]);
}

#[test]
fn a_card_that_is_away_for_a_while_counts_once() {
    let mut interfaces = NodeInterfaces::new(Path::new("/nowhere"), None);
    let readings: [&[(&str, u64)]; 7] = [
        &[("eth0", 1_000_000_000_000), ("eth1", 5), ("lan", 7)],
        &[("eth1", 6), ("lan", 8)],
        &[("lan", 9)],
        &[("lan", 19)],
        &[("eth0", 1_000_000_000_003), ("eth1", 6), ("lan", 19), ("veth1", 100)],
        &[("eth0", 2), ("eth1", 6), ("lan", 19)],
        &[],
    ];
    let before = 1_000_000_000_005;
    let expected = [
        Some(before),
        Some(before + 1),
        // No card is left, and of another interface its past stays out.
        Some(before + 2),
        Some(before + 12),
        Some(before + 15),
        Some(before + 17),
        None,
    ];
    assert_eq!(totals(&mut interfaces, &readings), expected);
}

#[test]
fn a_file_that_was_cut_is_not_known() {
    let mut interfaces = NodeInterfaces::new(Path::new("/nowhere"), None);
    let text = net_dev(&["lo", "eth0", "eth1"]);
    let whole = interfaces.read(text.as_bytes());
    assert_eq!(whole.map(|read| read.rx_bytes), Some(6));
    for cut in 0..text.len() - 1 {
        let read = interfaces.read(&text.as_bytes()[..cut]).map(|read| read.rx_bytes);
        assert!(matches!(read, None | Some(6)), "{read:?} of {cut} bytes");
        assert_eq!(interfaces.read(text.as_bytes()), whole);
    }
}

#[test]
fn verdicts_say_why() {
    let sys = sys(&[("eth0", &["device"]), ("bond0", &["bonding"]), ("veth1", &[]), ("lo", &[])]);
    let mut interfaces = NodeInterfaces::new(Path::new("/nowhere"), Some(sys.path()));
    interfaces.read(net_dev(&["lo", "eth0", "bond0", "veth1", "gone0"]).as_bytes());
    let said: Vec<String> = interfaces.verdicts().map(|verdict| verdict.to_string()).collect();
    assert_eq!(
        said,
        [
            "lo: does not count: it is the loopback",
            "eth0: counts: it has a device in /sys",
            "bond0: does not count: it is a bond, whose cards count",
            "veth1: does not count: it has no device in /sys",
            "gone0: does not count: neither /sys nor its name tells what it is",
        ]
    );
}
