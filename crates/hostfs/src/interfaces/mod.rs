//! Which network interfaces count, so that each byte counts once.
//!
//! Of a node, its cards count ([`node`]); of a pod, the interface of its default route ([`pod`]).
//! What runs over another interface shows there too, and does not count.

mod bonds;
mod names;
mod node;
mod pod;
mod sysfs;

use std::fmt;

pub(crate) use node::NodeInterfaces;
pub use node::{InterfaceStanding, InterfaceVerdict};
pub(crate) use pod::{PodInterfaces, default_route};

use crate::{
    device_totals::DeviceTotals,
    procfs::net_dev::{NetworkCounters, interfaces},
};

/// What an interface is to a node's traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceKind {
    /// A card of metal, or of a virtual machine: it has a device in `/sys`.
    Card,
    /// A card in a bond, as `/proc/net/bonding` has it.
    CardInBond,
    /// `/sys` does not show it, and it is called like a card.
    NamedLikeCard,
    /// Nothing tells.
    Unknown,
    /// The loopback.
    Loopback,
    /// It has no device in `/sys`.
    NoDevice,
    /// It joins cards, which count themselves.
    Bond,
    /// It is called like something that runs over others.
    NamedVirtual,
    /// It is the fast path of a virtual machine's card, which counts the same bytes.
    UnderCard,
    /// It stands for a virtual function of a card, which counts the same bytes.
    Representor,
    /// It is a port of a switch whose traffic goes through a card.
    SwitchPort,
}

impl InterfaceKind {
    fn is_card(self) -> bool {
        matches!(self, Self::Card | Self::CardInBond | Self::NamedLikeCard)
    }
}

impl fmt::Display for InterfaceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Card => "it has a device in /sys",
            Self::CardInBond => "it is a card in a bond",
            Self::NamedLikeCard => "its name is a card's, and /sys does not show it",
            Self::Unknown => "neither /sys nor its name tells what it is",
            Self::Loopback => "it is the loopback",
            Self::NoDevice => "it has no device in /sys",
            Self::Bond => "it is a bond, whose cards count",
            Self::NamedVirtual => "by its name it runs over others, or leads to a pod",
            Self::UnderCard => "the card that is its master counts the same bytes",
            Self::Representor => "it stands for a part of a card, which counts the same bytes",
            Self::SwitchPort => {
                "it is a port of a switch behind a card, which counts the same bytes"
            }
        })
    }
}

/// The interfaces that a network namespace listed last, which of them count, and what they carried.
#[derive(Debug, Default)]
struct Interfaces {
    known: Vec<(Box<[u8]>, bool)>,
    totals: DeviceTotals<Vec<u8>, 8>,
}

impl Interfaces {
    /// Whether a `net/dev` lists these very interfaces.
    fn are_those_of(&self, net_dev: &[u8]) -> bool {
        let mut known = self.known.iter();
        interfaces(net_dev)
            .all(|interface| known.next().is_some_and(|(name, _)| **name == *interface.name))
            && known.next().is_none()
    }

    /// Takes these for the interfaces there are, and those that count.
    fn set<'a>(&mut self, interfaces: impl Iterator<Item = (&'a [u8], bool)>) {
        self.known.clear();
        self.known.extend(interfaces.map(|(name, counts)| (name.into(), counts)));
    }

    /// What those that count carried, from a `net/dev` that lists the known ones. `None` when one of
    /// them cannot be read.
    fn read(&mut self, net_dev: &[u8]) -> Option<NetworkCounters> {
        self.totals.begin();
        let mut all_read = true;
        for (interface, (_, counts)) in interfaces(net_dev).zip(&self.known) {
            match interface.counters() {
                Some(counters) => self.totals.see(interface.name, counters.map(Some), *counts),
                None => all_read &= !counts,
            }
        }
        all_read.then(|| self.totals.totals().into())
    }
}

/// The place among `names` of the interface `default`, or of the one under it where it is a VLAN.
/// `None` when it is not listed, or runs over others that are not known.
fn default_interface(names: &[&[u8]], default: Option<&[u8]>) -> Option<usize> {
    let place = |name: &[u8]| names.iter().position(|other| *other == name);
    let mut default = default?;
    let mut found = place(default)?;
    while let Some(dot) = memchr::memrchr(b'.', default)
        && let Some(under) = place(&default[..dot])
    {
        default = &default[..dot];
        found = under;
    }
    (default != b"lo" && !names::runs_over_another(default)).then_some(found)
}
