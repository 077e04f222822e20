//! `/proc/net/bonding`: a file for each bond, which names the cards in it.

use std::{fs, path::Path};

use super::InterfaceKind;
use crate::text::lines;

/// The bonds of a network namespace, and their cards.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Bonds {
    bonds: Vec<Box<[u8]>>,
    cards: Vec<Box<[u8]>>,
}

impl Bonds {
    /// Reads `/proc/<pid>/net/bonding`, which is not there where there never was a bond.
    pub(super) fn read(folder: &Path) -> Self {
        let mut found = Self::default();
        for bond in fs::read_dir(folder).into_iter().flatten().flatten() {
            let text = fs::read(bond.path()).unwrap_or_default();
            let cards = lines(&text).filter_map(|line| line.strip_prefix(b"Slave Interface: "));
            found.cards.extend(cards.map(Box::from));
            found.bonds.push(bond.file_name().as_encoded_bytes().into());
        }
        found
    }

    /// What they say of an interface.
    pub(super) fn kind_of(&self, name: &[u8]) -> Option<InterfaceKind> {
        let among = |names: &[Box<[u8]>]| names.iter().any(|other| **other == *name);
        if among(&self.cards) {
            Some(InterfaceKind::CardInBond)
        } else {
            among(&self.bonds).then_some(InterfaceKind::Bond)
        }
    }
}
