//! Which block devices are the node's disks.
//!
//! Whole disks count. Partitions are parts of one; loop, RAM, device-mapper and RAID devices, and
//! the like, are made of others, so that what they do shows there too. Names alone decide: a
//! container does not see the host's `/sys/block`, and the answer must not depend on where the
//! collector runs.

use crate::procfs::diskstats::{DeviceNumber, DiskCounters, devices};

/// Devices that stand on others or on memory, or that are no disks: name is this and a number.
const NO_DISKS: [&str; 14] = [
    "loop", "ram", "zram", "dm-", "md", "mdp", "sr", "fd", "drbd", "bcache", "zd", "nbd", "st",
    "mtdblock",
];

/// The devices that `/proc/diskstats` listed last, and which of them count.
#[derive(Debug, Default)]
pub(crate) struct Disks {
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    number: DeviceNumber,
    name: Box<[u8]>,
    counts: bool,
}

impl Disks {
    /// What the node's disks did, from `/proc/diskstats`. `None` when that is no such file.
    pub(crate) fn sum(&mut self, diskstats: &[u8]) -> Option<DiskCounters> {
        if !self.are_those_of(diskstats) {
            self.learn(diskstats);
        }
        let mut sum = None;
        for (device, known) in devices(diskstats).zip(&self.known) {
            if known.counts {
                *sum.get_or_insert_with(DiskCounters::default) += device.counters?;
            }
        }
        sum
    }

    /// Whether what a cgroup did on this device counts. All do while no device is known.
    pub(crate) fn count(&self, number: DeviceNumber) -> bool {
        self.known.is_empty()
            || self.known.iter().any(|known| known.number == number && known.counts)
    }

    fn are_those_of(&self, diskstats: &[u8]) -> bool {
        let mut known = self.known.iter();
        devices(diskstats).all(|device| {
            known
                .next()
                .is_some_and(|known| known.number == device.number && *known.name == *device.name)
        }) && known.next().is_none()
    }

    fn learn(&mut self, diskstats: &[u8]) {
        let names: Vec<&[u8]> = devices(diskstats).map(|device| device.name).collect();
        self.known = devices(diskstats)
            .map(|device| Known {
                number: device.number,
                name: device.name.into(),
                counts: is_whole_disk(device.name, &names),
            })
            .collect();
    }
}

/// Whether `name`, one of `names`, is a disk and no part of another.
fn is_whole_disk(name: &[u8], names: &[&[u8]]) -> bool {
    let stands_on_others = NO_DISKS.iter().any(|prefix| {
        name.strip_prefix(prefix.as_bytes())
            .is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit))
    });
    !stands_on_others && !names.iter().any(|disk| is_partition(name, disk))
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
