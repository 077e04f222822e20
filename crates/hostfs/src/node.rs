//! The node as a whole.

use std::{fs::File, path::Path};

use crate::{
    HostError,
    cgroup::{Cgroup, CgroupReading},
    disks::Disks,
    file::Scratch,
    hierarchies::Hierarchies,
    namespace::NodeNamespace,
    procfs::{
        diskstats::DiskCounters,
        loadavg::{self, LoadAvg},
        meminfo::{self, MemInfo},
        net_dev::NetworkCounters,
        pressure::{self, Pressure},
        stat::{self, Stat},
        uptime::{self, Uptime},
        vmstat::{self, VmStat},
    },
};

/// What the node as a whole says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeReading {
    /// CPU time and the scheduler.
    pub stat: Stat,
    /// Memory.
    pub memory: MemInfo,
    /// The root cgroup; usage and working set are those that kubelet reports of the node.
    pub root: CgroupReading,
    /// Traffic of the cards; of the default route's interface where there is no card.
    pub network: Option<NetworkCounters>,
    /// I/O of the disks.
    pub disk: Option<DiskCounters>,
    /// Load averages.
    pub load: LoadAvg,
    /// Faults, swapping and kills.
    pub vm: VmStat,
    /// Time since boot.
    pub uptime: Uptime,
    /// Time lost to waiting for a CPU.
    pub cpu_pressure: Pressure,
    /// Time lost to waiting for memory.
    pub memory_pressure: Pressure,
    /// Time lost to waiting for I/O.
    pub io_pressure: Pressure,
}

impl NodeReading {
    /// Whether the kernel counts what cgroups of version 1 read and write. Since Linux 6.10 it does
    /// so only once somebody has limited some cgroup's I/O on that disk ("blk-throttle: delay
    /// initialization until configuration", a3166c51702b); until then their files say 0, as does the
    /// root's, though the disks have been busy.
    pub(crate) fn counts_io_of_legacy_cgroups(&self) -> bool {
        let root_did = [self.root.disk_read_bytes, self.root.disk_write_bytes];
        let disks_did = self.disk.is_some_and(|disk| disk.read_bytes > 0 || disk.write_bytes > 0);
        root_did != [Some(0), Some(0)] || !disks_did
    }
}

/// The node's open files.
#[derive(Debug)]
pub(crate) struct Node {
    stat: File,
    meminfo: Option<File>,
    diskstats: Option<File>,
    loadavg: Option<File>,
    vmstat: Option<File>,
    uptime: Option<File>,
    cpu_pressure: Option<File>,
    memory_pressure: Option<File>,
    io_pressure: Option<File>,
    root: Cgroup,
    pub(crate) namespace: NodeNamespace,
    pub(crate) disks: Disks,
}

impl Node {
    /// Opens them below the root of a procfs.
    pub(crate) fn open(
        proc: &Path,
        sys: Option<&Path>,
        hierarchies: &Hierarchies,
        scratch: &mut Scratch,
    ) -> Result<Self, HostError> {
        let stat = proc.join("stat");
        let stat = File::open(&stat).map_err(|source| HostError::Proc { path: stat, source })?;
        let open = |name| File::open(proc.join(name)).ok();
        Ok(Self {
            stat,
            meminfo: open("meminfo"),
            diskstats: open("diskstats"),
            loadavg: open("loadavg"),
            vmstat: open("vmstat"),
            uptime: open("uptime"),
            cpu_pressure: open("pressure/cpu"),
            memory_pressure: open("pressure/memory"),
            io_pressure: open("pressure/io"),
            root: Cgroup::open_root(hierarchies, scratch),
            namespace: NodeNamespace::open(proc, sys),
            disks: Disks::new(sys),
        })
    }

    /// Has it found out again which interfaces and disks count.
    pub(crate) fn refresh(&mut self) {
        self.namespace.interfaces.refresh();
        self.disks.refresh();
    }

    /// Reads them all.
    pub(crate) fn read(&mut self, scratch: &mut Scratch) -> NodeReading {
        let network = self.namespace.read(scratch);
        let diskstats = self.diskstats.as_ref().and_then(|file| scratch.read(file));
        let disk = diskstats.and_then(|text| self.disks.read(text));
        NodeReading {
            stat: parsed(Some(&self.stat), scratch, stat::parse),
            memory: parsed(self.meminfo.as_ref(), scratch, meminfo::parse),
            // The root cannot be removed.
            root: self.root.read(&self.disks, scratch).unwrap_or_default(),
            network,
            disk,
            load: parsed(self.loadavg.as_ref(), scratch, loadavg::parse),
            vm: parsed(self.vmstat.as_ref(), scratch, vmstat::parse),
            uptime: parsed(self.uptime.as_ref(), scratch, uptime::parse),
            cpu_pressure: parsed(self.cpu_pressure.as_ref(), scratch, pressure::parse),
            memory_pressure: parsed(self.memory_pressure.as_ref(), scratch, pressure::parse),
            io_pressure: parsed(self.io_pressure.as_ref(), scratch, pressure::parse),
        }
    }
}

/// What a file says; nothing where it cannot be read.
fn parsed<T: Default>(file: Option<&File>, scratch: &mut Scratch, parse: fn(&[u8]) -> T) -> T {
    file.and_then(|file| scratch.read(file)).map(parse).unwrap_or_default()
}
