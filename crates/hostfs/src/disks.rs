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

#[cfg(test)]
mod tests {
    use super::*;

    /// A device's line, having read and written as many sectors and operations as `amount`.
    fn line(number: u32, name: &str, amount: u64) -> String {
        format!("   8 {number} {name} {amount} 0 {amount} 0 {amount} 0 {amount} 0 0 {amount} 0\n")
    }

    fn counted(names: &[&str]) -> Vec<String> {
        let as_bytes: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        let whole = names.iter().filter(|name| is_whole_disk(name.as_bytes(), &as_bytes));
        whole.map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn partitions_are_part_of_their_disk() {
        for (names, whole) in [
            (&["sda", "sda1", "sda15", "sdab", "sdab1"][..], &["sda", "sdab"][..]),
            (&["nvme0n1", "nvme0n1p1", "nvme0n1p12", "nvme10n1"], &["nvme0n1", "nvme10n1"]),
            (&["mmcblk0", "mmcblk0p1", "mmcblk0boot0"], &["mmcblk0", "mmcblk0boot0"]),
            // Some virtual machines have disks that are called like partitions.
            (&["xvda1", "xvdb"], &["xvda1", "xvdb"]),
            (&["vda", "vda1", "vdb"], &["vda", "vdb"]),
        ] {
            assert_eq!(counted(names), whole);
        }
    }

    #[test]
    fn what_stands_on_other_devices_does_not_count() {
        let stacked =
            ["loop0", "ram3", "zram0", "dm-0", "md127", "sr0", "fd0", "drbd1", "bcache0", "zd16"];
        assert_eq!(counted(&stacked), [""; 0]);
        // Only with a number are these such names.
        assert_eq!(counted(&["mdisk", "srd", "rbd0", "dasda", "pmem0"]).len(), 5);
    }

    #[test]
    fn the_sum_is_over_whole_disks() {
        let mut disks = Disks::default();
        let text =
            line(0, "sda", 5) + &line(1, "sda1", 4) + &line(16, "sdb", 2) + &line(32, "dm-0", 9);
        let sum = disks.sum(text.as_bytes()).unwrap();
        assert_eq!((sum.reads, sum.write_bytes, sum.io_time_ns), (7, 7 * 512, 7_000_000));
        let on = |minor| disks.count(DeviceNumber { major: 8, minor });
        assert_eq!([0, 1, 16, 32, 48].map(on), [true, false, true, false, false]);
    }

    #[test]
    fn disks_that_come_and_go_are_noticed() {
        let mut disks = Disks::default();
        for (text, sum) in [
            (line(0, "sda", 1), Some(1)),
            (line(0, "sda", 1) + &line(16, "sdb", 2), Some(3)),
            (line(16, "sdb", 2), Some(2)),
            (line(0, "loop0", 2), None),
        ] {
            assert_eq!(disks.sum(text.as_bytes()).map(|sum| sum.reads), sum, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_known() {
        for text in ["", "\0\n", "8 0 sda 1 2\n"] {
            assert_eq!(Disks::default().sum(text.as_bytes()), None);
        }
        assert!(Disks::default().count(DeviceNumber { major: 8, minor: 0 }));
    }
}
