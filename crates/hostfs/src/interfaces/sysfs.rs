//! What the host's `/sys/class/net` says of an interface.

use std::{
    fs,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags, open, readlinkat_raw};

use super::InterfaceKind;

/// How many cards are asked for their master at each tick. Each takes a file descriptor and about
/// 1 µs a tick; those beyond are asked with all else once a minute.
const WATCHED: usize = 16;

/// `/sys/class/net`, if it shows the host's interfaces.
#[derive(Debug)]
pub(super) struct SysNet {
    class: PathBuf,
    /// The cards that were found, with their masters.
    cards: Vec<(OwnedFd, Master)>,
}

/// The target of the link `master`, or nothing.
type Master = Option<Box<[u8]>>;

impl SysNet {
    pub(super) fn new(sys: &Path) -> Self {
        Self { class: sys.join("class/net"), cards: Vec::new() }
    }

    /// What an interface is; `None` when it is not shown.
    pub(super) fn kind_of(&self, name: &[u8]) -> Option<InterfaceKind> {
        let folder = self.class.join(std::str::from_utf8(name).ok()?);
        let has = |entry: &str| folder.join(entry).exists();
        if !folder.exists() {
            None
        } else if name == b"lo" {
            Some(InterfaceKind::Loopback)
        } else if !has("device") {
            Some(if has("bonding") { InterfaceKind::Bond } else { InterfaceKind::NoDevice })
        } else if has("master/device") {
            Some(InterfaceKind::UnderCard)
        } else if is_representor(&folder) {
            Some(InterfaceKind::Representor)
        } else if is_switch_port(&folder) {
            Some(InterfaceKind::SwitchPort)
        } else {
            Some(InterfaceKind::Card)
        }
    }

    /// Has the masters of these cards watched.
    pub(super) fn watch<'a>(&mut self, names: impl Iterator<Item = &'a [u8]>) {
        let folders = names.take(WATCHED).filter_map(|name| {
            let path = self.class.join(std::str::from_utf8(name).ok()?);
            open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()
        });
        self.cards = folders
            .map(|folder| {
                let master = read_master(&folder);
                (folder, master)
            })
            .collect();
    }

    /// Whether a card that is watched has another master than when it was looked at: it was put into
    /// a bond or taken out, which leaves the list of interfaces as it is.
    pub(super) fn masters_changed(&self) -> bool {
        self.cards.iter().any(|(folder, master)| !has_master(folder, master.as_deref()))
    }
}

fn has_master(folder: &OwnedFd, master: Option<&[u8]>) -> bool {
    let mut target = [0; 256];
    let length = readlinkat_raw(folder, c"master", &mut target[..]).ok();
    length.map(|length| &target[..length]) == master
}

fn read_master(folder: &OwnedFd) -> Master {
    let mut target = [0; 256];
    let length = readlinkat_raw(folder, c"master", &mut target[..]).ok()?;
    Some(target[..length].into())
}

/// Whether it stands for a virtual function of a card, whose traffic the card carries: its port is
/// called `pf0vf3` or `pf0sf88`. The card's own is `p0`, and most have no such name.
fn is_representor(folder: &Path) -> bool {
    fs::read(folder.join("phys_port_name"))
        .is_ok_and(|port| port.windows(2).any(|two| two == b"vf" || two == b"sf"))
}

/// Whether it is a port of a switch whose traffic goes through another interface (DSA).
fn is_switch_port(folder: &Path) -> bool {
    let uevent = fs::read(folder.join("uevent")).unwrap_or_default();
    uevent.split(|&byte| byte == b'\n').any(|line| line == b"DEVTYPE=dsa")
}
