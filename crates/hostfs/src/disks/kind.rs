//! What a block device is: from the host's `/sys/class/block` where it can be read, else by name.

use std::{fmt, fs, path::Path};

/// What a block device is to the node's disk I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskKind {
    /// A disk of metal, or of a virtual machine: it has a device in `/sys`.
    Disk,
    /// `/sys` does not show it, and nothing in its name says that it is no disk.
    NamedLikeDisk,
    /// One of several paths to an `NVMe` disk.
    NvmePath,
    /// An `NVMe` disk that is reached over paths, which are listed as well.
    NvmeHead,
    /// A part of a disk.
    Partition,
    /// It has `slaves` in `/sys`: what it does shows at those.
    OnOthers,
    /// Its name says that it stands on others: device-mapper, RAID, a volume of another kind.
    NamedOnOthers,
    /// A program or another host does its I/O, possibly on this host's own disks.
    Served,
    /// A file, memory, a CD, a tape: no disk.
    NoDisk,
}

impl DiskKind {
    /// Whether it is a disk of its own.
    pub(super) fn is_disk(self) -> bool {
        matches!(self, Self::Disk | Self::NamedLikeDisk | Self::NvmePath)
    }
}

impl fmt::Display for DiskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disk => "it has a device in /sys",
            Self::NamedLikeDisk => "its name is a disk's, and /sys does not show it",
            Self::NvmePath => "it is a path to an NVMe disk",
            Self::NvmeHead => "it is an NVMe disk whose paths are listed",
            Self::Partition => "it is a partition",
            Self::OnOthers => "it stands on the devices in its /sys/class/block/*/slaves",
            Self::NamedOnOthers => "by its name it stands on other devices",
            Self::Served => "it may be served from this host's own disks",
            Self::NoDisk => "it is no disk but memory, a file, a CD, a tape or a floppy",
        })
    }
}

/// Devices that are no disks: name is this and a number.
const NO_DISKS: [&str; 8] = ["loop", "ram", "zram", "sr", "fd", "st", "mtdblock", "nullb"];

/// Devices that stand on others: name is this and a number.
const ON_OTHERS: [&str; 6] = ["dm-", "md", "mdp", "md_d", "bcache", "zd"];

/// Devices that stand on others: name begins with this. `PowerPath` and Veritas say nothing in `/sys`.
const ON_OTHERS_BY_BEGINNING: [&str; 3] = ["emcpower", "VxDMP", "VxVM"];

/// Devices whose I/O a program does, or another host: name is this and a number.
const SERVED: [&str; 3] = ["nbd", "ublkb", "drbd"];

/// What the device `name`, one of `names`, is. `class` is `/sys/class/block` of the host.
pub(super) fn kind_of(name: &[u8], names: &[&[u8]], class: Option<&Path>) -> DiskKind {
    let numbered = |beginnings: &[&str]| {
        beginnings.iter().any(|beginning| {
            name.strip_prefix(beginning.as_bytes())
                .is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit))
        })
    };
    if numbered(&NO_DISKS) {
        return DiskKind::NoDisk;
    }
    let folder = class.and_then(|class| Some(class.join(in_sysfs(name)?)));
    let by_sys = folder.as_deref().filter(|folder| folder.exists()).map(kind_by_sys);
    if matches!(by_sys, Some(DiskKind::Partition | DiskKind::OnOthers)) {
        return by_sys.unwrap_or(DiskKind::Partition);
    }
    if by_sys.is_none() && names.iter().any(|disk| is_partition(name, disk)) {
        return DiskKind::Partition;
    }
    let on_others = |beginning: &&str| name.starts_with(beginning.as_bytes());
    if numbered(&ON_OTHERS) || ON_OTHERS_BY_BEGINNING.iter().any(on_others) {
        DiskKind::NamedOnOthers
    } else if numbered(&SERVED) {
        DiskKind::Served
    } else if nvme_head_of_path(name).is_some() {
        DiskKind::NvmePath
    } else if names.iter().any(|path| nvme_head_of_path(path).is_some_and(|head| head == name)) {
        DiskKind::NvmeHead
    } else {
        by_sys.unwrap_or(DiskKind::NamedLikeDisk)
    }
}

/// What `/sys/class/block` says of the device with this folder.
fn kind_by_sys(folder: &Path) -> DiskKind {
    let stands_on_some =
        || fs::read_dir(folder.join("slaves")).is_ok_and(|mut slaves| slaves.next().is_some());
    if folder.join("partition").exists() {
        DiskKind::Partition
    } else if stands_on_some() {
        DiskKind::OnOthers
    } else if folder.join("device").exists() {
        DiskKind::Disk
    } else {
        DiskKind::Served
    }
}

/// The name of a device's folder: names may hold slashes, as `cciss/c0d0` does.
fn in_sysfs(name: &[u8]) -> Option<String> {
    Some(std::str::from_utf8(name).ok()?.replace('/', "!"))
}

/// Partitions are called `sda1` of `sda`, `nvme0n1p1` of `nvme0n1`.
fn is_partition(name: &[u8], disk: &[u8]) -> bool {
    let Some(rest) = name.strip_prefix(disk) else { return false };
    let number = match disk.last() {
        Some(digit) if digit.is_ascii_digit() => rest.strip_prefix(b"p").unwrap_or_default(),
        _ => rest,
    };
    !number.is_empty() && number.iter().all(u8::is_ascii_digit)
}

/// Of the path `nvme0c1n2` the disk it leads to, `nvme0n2`.
fn nvme_head_of_path(name: &[u8]) -> Option<Vec<u8>> {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = name.strip_prefix(b"nvme")?;
    let (subsystem, rest) = rest.split_at(digits(rest));
    let rest = rest.strip_prefix(b"c")?;
    let (controller, rest) = rest.split_at(digits(rest));
    let namespace = rest.strip_prefix(b"n")?;
    let is_path = !subsystem.is_empty()
        && !controller.is_empty()
        && !namespace.is_empty()
        && digits(namespace) == namespace.len();
    is_path.then(|| [b"nvme", subsystem, b"n", namespace].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_their_nvme_disk() {
        for (path, head) in [
            ("nvme0c0n1", Some("nvme0n1")),
            ("nvme12c3n45", Some("nvme12n45")),
            ("nvme0n1", None),
            ("nvme0c0n1p1", None),
            ("nvmec0n1", None),
            ("nvme0cn1", None),
            ("nvme0c0n", None),
        ] {
            let found = nvme_head_of_path(path.as_bytes());
            assert_eq!(found.as_deref(), head.map(str::as_bytes), "{path}");
        }
    }

    #[test]
    fn partitions_are_named_after_their_disk() {
        for (name, disk, is) in [
            ("sda1", "sda", true),
            ("nvme0n1p12", "nvme0n1", true),
            ("nvme0n12", "nvme0n1", false),
            ("sdab", "sda", false),
            ("sda", "sda", false),
            ("emcpowera1", "emcpowera", true),
        ] {
            assert_eq!(is_partition(name.as_bytes(), disk.as_bytes()), is, "{name}");
        }
    }
}
