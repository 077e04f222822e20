//! One cgroup: the same reading from version 1 and version 2.

use std::path::Path;

use crate::{
    disks::Disks,
    file::{Removed, Scratch},
    hierarchies::Hierarchies,
};

mod io;
mod io_stat;
pub mod v1;
pub mod v2;

pub use io::{DeviceIo, EachDevice};

/// What a cgroup says of itself. Counters count since the cgroup was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CgroupReading {
    /// CPU time used, in nanoseconds.
    pub cpu_usage_ns: Option<u64>,
    /// CPU time in user mode, in nanoseconds.
    pub cpu_user_ns: Option<u64>,
    /// CPU time in the kernel, in nanoseconds.
    pub cpu_system_ns: Option<u64>,
    /// CFS enforcement periods that have passed.
    pub cpu_periods: Option<u64>,
    /// Periods in which it was throttled.
    pub cpu_throttled_periods: Option<u64>,
    /// Time it was throttled, in nanoseconds.
    pub cpu_throttled_ns: Option<u64>,
    /// CPU limit in thousandths of a CPU; `None` when there is none.
    pub cpu_limit_millicores: Option<u64>,
    /// Memory charged to it in bytes, page cache included.
    pub memory_usage: Option<u64>,
    /// Memory usage minus inactive file pages in bytes, never below 0.
    pub memory_working_set: Option<u64>,
    /// Anonymous memory in bytes.
    pub memory_rss: Option<u64>,
    /// Page cache in bytes.
    pub memory_file: Option<u64>,
    /// Highest memory usage the kernel recorded, in bytes.
    pub memory_peak: Option<u64>,
    /// Memory limit in bytes; `None` when there is none.
    pub memory_limit: Option<u64>,
    /// Processes the kernel killed for want of memory. On v1 only those of this very cgroup, on v2
    /// also those of the cgroups in it.
    pub oom_kills: Option<u64>,
    /// Bytes read from block devices.
    pub disk_read_bytes: Option<u64>,
    /// Bytes written to block devices.
    pub disk_write_bytes: Option<u64>,
    /// Read operations.
    pub disk_reads: Option<u64>,
    /// Write operations.
    pub disk_writes: Option<u64>,
    /// Tasks in it.
    pub pids: Option<u64>,
    /// Time in which some task waited for a CPU, in nanoseconds.
    pub cpu_psi_some_ns: Option<u64>,
    /// Time in which all tasks waited for a CPU, in nanoseconds.
    pub cpu_psi_full_ns: Option<u64>,
    /// Time in which some task waited for memory, in nanoseconds.
    pub memory_psi_some_ns: Option<u64>,
    /// Time in which all tasks waited for memory, in nanoseconds.
    pub memory_psi_full_ns: Option<u64>,
    /// Time in which some task waited for I/O, in nanoseconds.
    pub io_psi_some_ns: Option<u64>,
    /// Time in which all tasks waited for I/O, in nanoseconds.
    pub io_psi_full_ns: Option<u64>,
}

/// What a `memory.stat` says, of either version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryStat {
    /// Anonymous memory in bytes.
    pub anon: Option<u64>,
    /// Page cache in bytes.
    pub file: Option<u64>,
    /// File pages that have not been used lately, in bytes.
    pub inactive_file: Option<u64>,
}

/// The limits of a cgroup. They hardly ever change.
#[derive(Clone, Copy, Debug, Default)]
struct Limits {
    cpu_millicores: Option<u64>,
    memory: Option<u64>,
}

/// The open files of one cgroup.
#[derive(Debug)]
pub(crate) struct Cgroup {
    legacy: Option<v1::Files>,
    unified: Option<v2::Files>,
}

impl Cgroup {
    /// Opens the cgroup at `path` below the roots of its hierarchies.
    pub(crate) fn open(hierarchies: &Hierarchies, path: &Path, scratch: &mut Scratch) -> Self {
        let Hierarchies { legacy, unified } = hierarchies;
        Self {
            legacy: legacy.any().then(|| v1::Files::open(&legacy.below(path), scratch)),
            unified: unified.as_ref().map(|root| v2::Files::open(&root.join(path), scratch)),
        }
    }

    /// Opens the root.
    pub(crate) fn open_root(hierarchies: &Hierarchies, scratch: &mut Scratch) -> Self {
        let Hierarchies { legacy, unified } = hierarchies;
        Self {
            legacy: legacy.any().then(|| v1::Files::open(legacy, scratch)),
            unified: unified.as_ref().map(|root| v2::Files::open_root(root, scratch)),
        }
    }

    /// Reads what changes all the time.
    pub(crate) fn read(
        &mut self,
        disks: &Disks,
        scratch: &mut Scratch,
    ) -> Result<CgroupReading, Removed> {
        let mut reading = CgroupReading::default();
        if let Some(files) = &mut self.legacy {
            files.read(&mut reading, disks, scratch)?;
        }
        if let Some(files) = &mut self.unified {
            files.read(&mut reading, disks, scratch)?;
        }
        Ok(reading)
    }

    /// Reads the limits anew, and tries again to open what was absent.
    pub(crate) fn refresh(&mut self, scratch: &mut Scratch) {
        if let Some(files) = &mut self.legacy {
            files.refresh(scratch);
        }
        if let Some(files) = &mut self.unified {
            files.refresh(scratch);
        }
    }
}

/// Sets what is known, and leaves alone what the other version has told.
fn note(slot: &mut Option<u64>, value: Option<u64>) {
    *slot = slot.or(value);
}

/// Sets the memory in use, and what it is made of.
fn note_memory(reading: &mut CgroupReading, usage: Option<u64>, stat: &MemoryStat) {
    let working_set = usage.zip(stat.inactive_file);
    note(&mut reading.memory_usage, usage);
    note(
        &mut reading.memory_working_set,
        working_set.map(|(usage, inactive)| usage.saturating_sub(inactive)),
    );
    note(&mut reading.memory_rss, stat.anon);
    note(&mut reading.memory_file, stat.file);
}

/// A CPU limit: the time a cgroup may use in each period, as thousandths of a CPU.
fn millicores(quota: u64, period: u64) -> Option<u64> {
    quota.checked_mul(1000)?.checked_div(period)
}
