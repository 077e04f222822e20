//! The traffic of a node: that of its cards.
//!
//! `/sys/class/net` of the host tells which interfaces are cards: those with a `device`. Bonds, teams,
//! bridges, VLANs, tunnels and the ends of pods' cables have none, whatever they are called. Where
//! the host's `/sys` is not to be seen, `/proc/net/bonding` and names tell.
//!
//! Where there is no card, as in a container or another network namespace, the interface of the
//! default route counts, and where there is no such route the one that is called like a card. If
//! none counts, the traffic is not known.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
};

use super::{
    InterfaceKind, Interfaces, bonds::Bonds, default_interface, default_route, names, sysfs::SysNet,
};
use crate::{
    procfs::net_dev::{NetworkCounters, interfaces},
    text::is_cut,
};

/// Whether an interface counts in the node's traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceStanding {
    /// It is a card.
    Counts,
    /// There is no card, and the default route leads through it.
    DefaultRoute,
    /// There is neither a card nor a default route, and it is the most likely one.
    LastResort,
    /// It does not count.
    DoesNotCount,
}

/// Whether an interface counts in the node's traffic, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceVerdict {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: InterfaceKind,
    /// What was decided.
    pub standing: InterfaceStanding,
}

impl fmt::Display for InterfaceVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kind, standing } = self;
        match standing {
            InterfaceStanding::Counts => write!(f, "{name}: counts: {kind}"),
            InterfaceStanding::DefaultRoute => {
                write!(
                    f,
                    "{name}: counts, as no card is listed and the default route leads through it: {kind}"
                )
            }
            InterfaceStanding::LastResort => {
                write!(
                    f,
                    "{name}: counts, as no card is listed and there is no default route: {kind}"
                )
            }
            InterfaceStanding::DoesNotCount => write!(f, "{name}: does not count: {kind}"),
        }
    }
}

/// The interfaces of a node.
#[derive(Debug)]
pub(crate) struct NodeInterfaces {
    sys: Option<SysNet>,
    /// `/proc/<pid>/net` of a process in the node's network namespace.
    net: PathBuf,
    /// The bonds that were found last, where `/sys` shows no interface.
    bonds: Option<Bonds>,
    interfaces: Interfaces,
    /// What was found out of each.
    decided: Vec<Decided>,
    /// What is known is to be found out anew.
    stale: bool,
}

#[derive(Clone, Copy, Debug)]
struct Decided {
    kind: InterfaceKind,
    /// `/sys` told the kind.
    by_sys: bool,
    standing: InterfaceStanding,
}

impl NodeInterfaces {
    /// Knows none yet. `net` is `/proc/<pid>/net` of a process in the node's network namespace.
    pub(crate) fn new(net: &Path, sys: Option<&Path>) -> Self {
        Self {
            sys: sys.map(SysNet::new),
            net: net.to_owned(),
            bonds: None,
            interfaces: Interfaces::default(),
            decided: Vec::new(),
            stale: true,
        }
    }

    /// What the node's interfaces carried, from its `net/dev`. `None` when none counts, or one that
    /// does cannot be read.
    pub(crate) fn read(&mut self, net_dev: &[u8]) -> Option<NetworkCounters> {
        if is_cut(net_dev) {
            return None;
        }
        self.stale |= self.membership_changed();
        if self.stale || !self.are_those_of(net_dev) {
            self.learn(net_dev);
        }
        self.interfaces.read(net_dev).filter(|_| self.interfaces.totals.any_counted())
    }

    /// Whether a `net/dev` lists these very interfaces.
    pub(crate) fn are_those_of(&self, net_dev: &[u8]) -> bool {
        self.interfaces.are_those_of(net_dev)
    }

    /// Has the next reading find out again what each interface is.
    pub(crate) fn refresh(&mut self) {
        self.stale = true;
    }

    /// What was decided of each interface.
    pub(crate) fn verdicts(&self) -> impl Iterator<Item = InterfaceVerdict> {
        self.interfaces.known.iter().zip(&self.decided).map(|((name, _), decided)| {
            InterfaceVerdict {
                name: String::from_utf8_lossy(name).into_owned(),
                kind: decided.kind,
                standing: decided.standing,
            }
        })
    }

    fn membership_changed(&self) -> bool {
        match &self.bonds {
            Some(bonds) => *bonds != Bonds::read(&self.net.join("bonding")),
            None => self.sys.as_ref().is_some_and(SysNet::masters_changed),
        }
    }

    fn learn(&mut self, net_dev: &[u8]) {
        let names: Vec<&[u8]> = interfaces(net_dev).map(|interface| interface.name).collect();
        let by_sys = self.kinds_by_sys(&names);
        let sys_tells = by_sys.iter().any(Option::is_some);
        self.bonds = (!sys_tells).then(|| Bonds::read(&self.net.join("bonding")));
        let kinds: Vec<InterfaceKind> = names
            .iter()
            .zip(&by_sys)
            .map(|(name, by_sys)| by_sys.unwrap_or_else(|| self.kind_without_sys(name, &names)))
            .collect();
        if let Some(sys) = &mut self.sys {
            let cards = names
                .iter()
                .zip(&kinds)
                .filter(|(_, kind)| matches!(kind, InterfaceKind::Card | InterfaceKind::UnderCard));
            sys.watch(cards.map(|(name, _)| *name));
        }
        let standings = standings(&names, &kinds, &self.net);
        let counts = standings.iter().map(|standing| *standing != InterfaceStanding::DoesNotCount);
        self.interfaces.set(names.iter().copied().zip(counts));
        self.decided = kinds
            .into_iter()
            .zip(by_sys)
            .zip(standings)
            .map(|((kind, by_sys), standing)| Decided { kind, by_sys: by_sys.is_some(), standing })
            .collect();
        self.stale = false;
    }

    /// What `/sys` says of these. Asking it of hundreds of pods' cables takes milliseconds, so what it
    /// said of an interface holds until the next look at all.
    fn kinds_by_sys(&self, names: &[&[u8]]) -> Vec<Option<InterfaceKind>> {
        let Some(sys) = &self.sys else { return vec![None; names.len()] };
        let known = self.interfaces.known.iter().map(|(name, _)| &**name).zip(&self.decided);
        let remembered: HashMap<&[u8], InterfaceKind> = known
            .filter(|(_, decided)| decided.by_sys && !self.stale)
            .map(|(name, decided)| (name, decided.kind))
            .collect();
        names
            .iter()
            .map(|name| remembered.get(name).copied().or_else(|| sys.kind_of(name)))
            .collect()
    }

    fn kind_without_sys(&self, name: &[u8], names: &[&[u8]]) -> InterfaceKind {
        if name == b"lo" {
            InterfaceKind::Loopback
        } else if names::is_azure_fast_path(name, names) {
            InterfaceKind::UnderCard
        } else {
            let by_bonds = self.bonds.as_ref().and_then(|bonds| bonds.kind_of(name));
            by_bonds.unwrap_or_else(|| names::kind_of(name))
        }
    }
}

/// Which of these interfaces count.
fn standings(names: &[&[u8]], kinds: &[InterfaceKind], net: &Path) -> Vec<InterfaceStanding> {
    use InterfaceStanding::{Counts, DefaultRoute, DoesNotCount, LastResort};

    let those = |standing, chosen: &dyn Fn(usize) -> bool| {
        (0..names.len()).map(|place| if chosen(place) { standing } else { DoesNotCount }).collect()
    };
    if kinds.iter().any(|kind| kind.is_card()) {
        return those(Counts, &|place| kinds[place].is_card());
    }
    let default = default_route(net);
    if let Some(chosen) = default_interface(names, default.as_deref()) {
        return those(DefaultRoute, &|place| place == chosen);
    }
    let candidates: [&dyn Fn(usize) -> bool; 3] = [
        &|place| kinds[place] == InterfaceKind::NoDevice && names::is_card(names[place]),
        &|place| kinds[place] == InterfaceKind::Unknown && !names::joins_cards(names[place]),
        &|place| kinds[place] == InterfaceKind::Bond || names::joins_cards(names[place]),
    ];
    for candidate in candidates {
        if (0..names.len()).any(candidate) {
            return those(LastResort, candidate);
        }
    }
    // A tunnel may be all there is, its other end in another namespace.
    let is_default =
        |place: usize| default.as_deref() == Some(names[place]) && names[place] != b"lo";
    those(DefaultRoute, &is_default)
}

#[cfg(test)]
mod tests;
