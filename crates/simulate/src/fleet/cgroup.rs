//! What a cgroup counts, and how coarsely the kernel shows it.

use std::ops::Add;

use kubemonitor_model::{Metric, Row};

/// The kernel's unit of memory.
pub(super) const PAGE: u64 = 4096;

/// Which of the two interfaces a node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgroupVersion {
    /// CPU time in nanoseconds, user and kernel time in hundredths of a second, no pressure.
    V1,
    /// All times in microseconds.
    V2,
}

impl CgroupVersion {
    /// CPU time as its file has it.
    fn cpu_time(self, ns: u64) -> u64 {
        match self {
            Self::V1 => ns,
            Self::V2 => floor(ns, 1000),
        }
    }

    /// User or kernel time as its file has it.
    fn cpu_part(self, ns: u64) -> u64 {
        match self {
            Self::V1 => floor(ns, USER_TICK_NS),
            Self::V2 => floor(ns, 1000),
        }
    }
}

/// The step of times in `/proc/stat` and `cpuacct.stat`.
pub(super) const USER_TICK_NS: u64 = 10_000_000;

/// The multiple of `step` at or below `value`.
pub(super) fn floor(value: u64, step: u64) -> u64 {
    value - value % step
}

/// What a cgroup has counted and holds, to the nanosecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) user_ns: u64,
    pub(super) system_ns: u64,
    pub(super) cpu_waited_ns: u64,
    pub(super) io_waited_ns: u64,
    pub(super) io_stalled_ns: u64,
    /// Memory in bytes, whole pages.
    pub(super) anon: u64,
    pub(super) file: u64,
    pub(super) inactive_file: u64,
    pub(super) kernel: u64,
    pub(super) read_bytes: u64,
    pub(super) reads: u64,
    pub(super) write_bytes: u64,
    pub(super) writes: u64,
    pub(super) pids: u64,
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            user_ns: self.user_ns + other.user_ns,
            system_ns: self.system_ns + other.system_ns,
            cpu_waited_ns: self.cpu_waited_ns + other.cpu_waited_ns,
            io_waited_ns: self.io_waited_ns + other.io_waited_ns,
            io_stalled_ns: self.io_stalled_ns + other.io_stalled_ns,
            anon: self.anon + other.anon,
            file: self.file + other.file,
            inactive_file: self.inactive_file + other.inactive_file,
            kernel: self.kernel + other.kernel,
            read_bytes: self.read_bytes + other.read_bytes,
            reads: self.reads + other.reads,
            write_bytes: self.write_bytes + other.write_bytes,
            writes: self.writes + other.writes,
            pids: self.pids + other.pids,
        }
    }
}

impl Usage {
    /// Memory charged, in bytes.
    pub(super) fn memory(&self) -> u64 {
        self.anon + self.file + self.kernel
    }

    /// CPU time, in nanoseconds.
    pub(super) fn cpu_ns(&self) -> u64 {
        self.user_ns + self.system_ns
    }

    /// Writes what the cgroup's files would say.
    pub(super) fn show(&self, version: CgroupVersion, row: &mut Row) {
        for (metric, value) in [
            (Metric::CpuUsage, version.cpu_time(self.cpu_ns())),
            (Metric::CpuUser, version.cpu_part(self.user_ns)),
            (Metric::CpuSystem, version.cpu_part(self.system_ns)),
            (Metric::MemoryUsage, self.memory()),
            (Metric::MemoryWorkingSet, self.memory() - self.inactive_file),
            (Metric::MemoryRss, self.anon),
            (Metric::MemoryFile, self.file),
            (Metric::DiskReadBytes, self.read_bytes),
            (Metric::DiskReads, self.reads),
            (Metric::DiskWriteBytes, self.write_bytes),
            (Metric::DiskWrites, self.writes),
            (Metric::Pids, self.pids),
            (Metric::OomKills, 0),
        ] {
            row.set(metric, Some(value));
        }
        if version == CgroupVersion::V2 {
            for (metric, ns) in [
                (Metric::CpuPsiSome, self.cpu_waited_ns),
                (Metric::CpuPsiFull, self.cpu_waited_ns / 2),
                (Metric::MemoryPsiSome, 0),
                (Metric::MemoryPsiFull, 0),
                (Metric::IoPsiSome, self.io_waited_ns),
                (Metric::IoPsiFull, self.io_stalled_ns),
            ] {
                row.set(metric, Some(floor(ns, 1000)));
            }
        }
    }
}
