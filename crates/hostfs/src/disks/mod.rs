//! Which block devices are the node's disks, so that each I/O counts once.
//!
//! The disks count. What stands on them does not: partitions, device-mapper, RAID, loop and the like,
//! as what those do shows at the disks too. The host's `/sys` tells what stands on what; where it
//! cannot be read, names do.
//!
//! A device that a program or another host serves (`nbd0`, `ublkb0`, `drbd0`, or one that `/sys` shows
//! with neither a device nor slaves) may be served from the very disks of this host. It counts where
//! there is no disk.
//!
//! `NVMe` disks with several paths are listed as one head, `nvme0n1`, and its paths, `nvme0c0n1`. Older
//! kernels count the node's I/O at the paths alone, newer ones at both, so the paths count. What a
//! cgroup did on them stands at the head in all kernels.

mod kind;

use std::{
    fmt,
    path::{Path, PathBuf},
};

pub use kind::DiskKind;

use crate::{
    device_totals::DeviceTotals,
    procfs::diskstats::{DeviceNumber, DiskCounters, devices},
    text::is_cut,
};

/// Whether a block device counts as a disk of the node, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskVerdict {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: DiskKind,
    /// Whether it counts in the node's figures.
    pub counts: bool,
}

impl fmt::Display for DiskVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kind, counts } = self;
        match (counts, kind) {
            (true, DiskKind::Served) => {
                write!(f, "{name}: counts, as no disk is listed: {kind}")
            }
            (true, _) => write!(f, "{name}: counts: {kind}"),
            (false, DiskKind::NvmeHead) => write!(f, "{name}: counts in cgroups only: {kind}"),
            (false, _) => write!(f, "{name}: does not count: {kind}"),
        }
    }
}

/// The devices that `/proc/diskstats` listed last, and which of them count.
#[derive(Debug)]
pub(crate) struct Disks {
    /// `/sys/class/block`.
    class: Option<PathBuf>,
    known: Vec<Known>,
    /// What is known is to be found out anew.
    stale: bool,
    totals: DeviceTotals<Vec<u8>, 5>,
}

#[derive(Debug)]
struct Known {
    number: DeviceNumber,
    name: Box<[u8]>,
    kind: DiskKind,
    counts: bool,
}

impl Disks {
    /// Knows none yet. `sys` is the host's sysfs.
    pub(crate) fn new(sys: Option<&Path>) -> Self {
        let class = sys.map(|sys| sys.join("class/block"));
        Self { class, known: Vec::new(), stale: true, totals: DeviceTotals::default() }
    }

    /// What the node's disks did, from `/proc/diskstats`. `None` when it lists no disk, or one of them
    /// cannot be read.
    pub(crate) fn read(&mut self, diskstats: &[u8]) -> Option<DiskCounters> {
        if is_cut(diskstats) {
            return None;
        }
        if self.stale || !self.are_those_of(diskstats) {
            self.learn(diskstats);
        }
        self.totals.begin();
        let mut all_read = true;
        for (device, known) in devices(diskstats).zip(&self.known) {
            match device.counters() {
                Some(counters) => {
                    self.totals.see(device.name, counters.map(Some), known.counts);
                }
                None => all_read &= !known.counts,
            }
        }
        (all_read && self.totals.any_counted()).then(|| self.totals.totals().into())
    }

    /// Has the next reading find out again what stands on what.
    pub(crate) fn refresh(&mut self) {
        self.stale = true;
    }

    /// Whether what a cgroup did on this device counts. All do while no device is known.
    pub(crate) fn count(&self, number: DeviceNumber) -> bool {
        self.known.is_empty()
            || self.known.iter().any(|known| known.number == number && known.counts_in_cgroups())
    }

    /// What was decided of each device.
    pub(crate) fn verdicts(&self) -> impl Iterator<Item = DiskVerdict> {
        self.known.iter().map(|known| DiskVerdict {
            name: String::from_utf8_lossy(&known.name).into_owned(),
            kind: known.kind,
            counts: known.counts,
        })
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
            .map(|device| {
                let kind = kind::kind_of(device.name, &names, self.class.as_deref());
                Known {
                    number: device.number,
                    name: device.name.into(),
                    kind,
                    counts: kind.is_disk(),
                }
            })
            .collect();
        if !self.known.iter().any(|known| known.counts) {
            for known in &mut self.known {
                known.counts = known.kind == DiskKind::Served;
            }
        }
        self.stale = false;
    }
}

impl Known {
    fn counts_in_cgroups(&self) -> bool {
        match self.kind {
            DiskKind::NvmeHead => true,
            DiskKind::NvmePath => false,
            _ => self.counts,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    /// A device's line, having read and written as many sectors and operations as `amount`.
    fn line(number: u32, name: &str, amount: u64) -> String {
        format!("   8 {number} {name} {amount} 0 {amount} 0 {amount} 0 {amount} 0 0 {amount} 0\n")
    }

    fn lines(names: &[&str]) -> String {
        (0..).zip(names).map(|(number, name)| line(number, name, 1)).collect()
    }

    /// Those among `names` that count, of a host with this sysfs.
    fn counted<'a>(names: &[&'a str], sys: Option<&Path>) -> Vec<&'a str> {
        let mut disks = Disks::new(sys);
        disks.read(lines(names).as_bytes());
        let counts: Vec<bool> = disks.verdicts().map(|verdict| verdict.counts).collect();
        names.iter().zip(counts).filter(|(_, counts)| *counts).map(|(&name, _)| name).collect()
    }

    /// `/sys` with these devices, each with these entries in its folder.
    fn sys(devices: &[(&str, &[&str])]) -> TempDir {
        let sys = tempfile::tempdir().unwrap();
        for (name, entries) in devices {
            let folder = sys.path().join("class/block").join(name);
            fs::create_dir_all(folder.join("slaves")).unwrap();
            for entry in *entries {
                fs::create_dir_all(folder.join(entry)).unwrap();
            }
        }
        sys
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
            assert_eq!(counted(names, None), whole);
        }
    }

    #[test]
    fn what_stands_on_other_devices_does_not_count() {
        let stacked = [
            "loop0",
            "ram3",
            "zram0",
            "dm-0",
            "md127",
            "md_d0",
            "md_d0p1",
            "sr0",
            "fd0",
            "bcache0",
            "zd16",
            "emcpowera",
            "emcpowera1",
            "emcpoweraa",
            "VxVM3000",
        ];
        assert_eq!(counted(&stacked, None), [""; 0]);
        let over_sda = ["sda", "emcpowera", "ublkb0", "md_d0", "dm-0", "drbd1", "nbd0", "bcache0"];
        assert_eq!(counted(&over_sda, None), ["sda"]);
        // Only with a number are these such names.
        assert_eq!(counted(&["mdisk", "srd", "rbd0", "dasda", "pmem0"], None).len(), 5);
    }

    #[test]
    fn a_served_device_counts_where_there_is_no_disk() {
        assert_eq!(counted(&["loop0", "nbd0", "nbd0p1", "dm-0"], None), ["nbd0"]);
        assert_eq!(counted(&["nbd0", "vda"], None), ["vda"]);
        let sys = sys(&[("odd0", &[]), ("dm-0", &["slaves/odd0"])]);
        assert_eq!(counted(&["odd0", "dm-0"], Some(sys.path())), ["odd0"]);
    }

    #[test]
    fn sysfs_knows_better_than_names() {
        let sys = sys(&[
            ("sda", &["device"]),
            ("sda1", &["partition"]),
            ("vendor0", &["slaves/sda"]),
            ("odd0", &[]),
            ("xvda1", &["device"]),
            ("cciss!c0d0", &["device"]),
            ("md0", &["slaves/sda1"]),
            ("xvda", &["device"]),
            ("sr0", &["device"]),
        ]);
        let names = [
            "sda",
            "sda1",
            "vendor0",
            "odd0",
            "xvda1",
            "cciss/c0d0",
            "md0",
            "xvda",
            "sr0",
            "unseen",
        ];
        let disks = ["sda", "xvda1", "cciss/c0d0", "xvda", "unseen"];
        assert_eq!(counted(&names, Some(sys.path())), disks);
    }

    #[test]
    fn nvme_paths_count_for_the_node_and_their_head_for_cgroups() {
        let mut disks = Disks::new(None);
        // As older kernels have it, which count at the path alone, and as newer ones do.
        for (head, path) in [(0, 5), (5, 5), (7, 8)] {
            let text = line(0, "nvme0n1", head)
                + &line(9, "nvme0n1p1", head)
                + &line(1, "nvme0c0n1", path)
                + &line(2, "nvme1n1", 100);
            assert_eq!(disks.read(text.as_bytes()).map(|sum| sum.reads), Some(100 + path));
        }
        let on = |minor| disks.count(DeviceNumber { major: 8, minor });
        assert_eq!([0, 9, 1, 2].map(on), [true, false, false, true]);
    }

    #[test]
    fn the_sum_is_over_whole_disks() {
        let mut disks = Disks::new(None);
        let text =
            line(0, "sda", 5) + &line(1, "sda1", 4) + &line(16, "sdb", 2) + &line(32, "dm-0", 9);
        let sum = disks.read(text.as_bytes()).unwrap();
        assert_eq!((sum.reads, sum.write_bytes, sum.io_time_ns), (7, 7 * 512, 7_000_000));
        let on = |minor| disks.count(DeviceNumber { major: 8, minor });
        assert_eq!([0, 1, 16, 32, 48].map(on), [true, false, true, false, false]);
    }

    #[test]
    fn disks_that_come_and_go_add_what_they_did() {
        let mut disks = Disks::new(None);
        let mut read = |text: String| disks.read(text.as_bytes()).map(|sum| sum.reads);
        let (sda, nbd, vdb) =
            (|n| line(0, "sda", n), |n| line(4, "nbd0", n), |n| line(16, "vdb", n));
        assert_eq!(read(sda(10) + &nbd(100)), Some(10));
        assert_eq!(read(sda(10) + &nbd(103) + &vdb(2)), Some(12));
        assert_eq!(read(nbd(104) + &vdb(3)), Some(13), "a disk has gone");
        assert_eq!(read(line(0, "loop0", 2)), None);
        assert_eq!(read(nbd(109)), Some(18), "no other disk, and its past stays out");
        assert_eq!(read(sda(11) + &nbd(109)), Some(19), "it is back");
        assert_eq!(read(sda(4) + &vdb(5)), Some(25), "another one in its place");
    }

    #[test]
    fn a_file_that_was_cut_is_not_known() {
        let mut disks = Disks::new(None);
        let text = line(0, "sda", 1000) + &line(16, "sdb", 2);
        assert_eq!(disks.read(&text.as_bytes()[..20]), None);
        for cut in 0..=text.len() {
            let read = disks.read(&text.as_bytes()[..cut]).map(|sum| sum.reads);
            assert!(matches!(read, None | Some(1000 | 1002)), "{read:?} of {cut} bytes");
        }
        assert_eq!(disks.read(text.as_bytes()).map(|sum| sum.reads), Some(1002));
    }

    #[test]
    fn stacking_is_looked_at_again_when_told_to() {
        let sys = sys(&[("sda", &["device"]), ("odd0", &["device"])]);
        let mut disks = Disks::new(Some(sys.path()));
        let mut read = |a, b| {
            let text = line(0, "sda", a) + &line(1, "odd0", b);
            disks.refresh();
            disks.read(text.as_bytes()).map(|sum| sum.reads)
        };
        assert_eq!(read(10, 10), Some(20));
        fs::create_dir(sys.path().join("class/block/odd0/slaves/sda")).unwrap();
        assert_eq!(read(12, 12), Some(22));
    }

    #[test]
    fn what_cannot_be_read_is_not_known() {
        for text in ["", "\0\n", "8 0 sda 1 2\n"] {
            assert_eq!(Disks::new(None).read(text.as_bytes()), None);
        }
        assert!(Disks::new(None).count(DeviceNumber { major: 8, minor: 0 }));
    }

    #[test]
    fn verdicts_say_why() {
        let mut disks = Disks::new(None);
        disks.read(lines(&["sda", "sda1", "nbd0", "nvme0n1", "nvme0c0n1"]).as_bytes());
        let said: Vec<String> = disks.verdicts().map(|verdict| verdict.to_string()).collect();
        assert_eq!(
            said,
            [
                "sda: counts: its name is a disk's, and /sys does not show it",
                "sda1: does not count: it is a partition",
                "nbd0: does not count: it may be served from this host's own disks",
                "nvme0n1: counts in cgroups only: it is an NVMe disk whose paths are listed",
                "nvme0c0n1: counts: it is a path to an NVMe disk",
            ]
        );
    }
}
