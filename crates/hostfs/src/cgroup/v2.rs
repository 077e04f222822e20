//! A cgroup of version 2, all of whose files lie in its one folder.

use std::path::{Path, PathBuf};

pub use super::io_stat::io_stat;
use super::{CgroupReading, Limits, MemoryStat, io::IoTotals, millicores, note, note_memory};
use crate::{
    disks::Disks,
    file::{KeptFile, Removed, Scratch},
    procfs::pressure::{self, Pressure},
    text::{lines, number, pairs, sole_number, words},
};

/// The files of one cgroup that are read at each tick, and the limits.
#[derive(Debug)]
pub(super) struct Files {
    cpu_stat: KeptFile,
    memory_current: KeptFile,
    memory_stat: KeptFile,
    memory_peak: KeptFile,
    memory_events: KeptFile,
    io_stat: KeptFile,
    pids: KeptFile,
    cpu_pressure: KeptFile,
    memory_pressure: KeptFile,
    io_pressure: KeptFile,
    io: IoTotals<4>,
    limits: Limits,
    cpu_max: PathBuf,
    memory_max: PathBuf,
}

impl Files {
    /// Opens the files in the cgroup's folder.
    pub(super) fn open(folder: &Path, scratch: &mut Scratch) -> Self {
        let open = |name| KeptFile::open(Some(folder), name, &scratch.descriptors);
        let mut files = Self {
            cpu_stat: open("cpu.stat"),
            memory_current: open("memory.current"),
            memory_stat: open("memory.stat"),
            memory_peak: open("memory.peak"),
            memory_events: open("memory.events"),
            io_stat: open("io.stat"),
            pids: open("pids.current"),
            cpu_pressure: open("cpu.pressure"),
            memory_pressure: open("memory.pressure"),
            io_pressure: open("io.pressure"),
            io: IoTotals::default(),
            limits: Limits::default(),
            cpu_max: folder.join("cpu.max"),
            memory_max: folder.join("memory.max"),
        };
        files.read_limits(scratch);
        files
    }

    /// Opens the files in the root's folder. It has no `memory.current`.
    pub(super) fn open_root(folder: &Path, scratch: &mut Scratch) -> Self {
        Self { memory_current: KeptFile::Nowhere, ..Self::open(folder, scratch) }
    }

    /// Reads all but the limits.
    pub(super) fn read(
        &mut self,
        reading: &mut CgroupReading,
        disks: &Disks,
        scratch: &mut Scratch,
    ) -> Result<(), Removed> {
        if let Some(text) = self.cpu_stat.read(scratch)? {
            let stat = cpu_stat(text);
            note(&mut reading.cpu_usage_ns, stat.usage_ns);
            note(&mut reading.cpu_user_ns, stat.user_ns);
            note(&mut reading.cpu_system_ns, stat.system_ns);
            note(&mut reading.cpu_periods, stat.periods);
            note(&mut reading.cpu_throttled_periods, stat.throttled_periods);
            note(&mut reading.cpu_throttled_ns, stat.throttled_ns);
        }
        self.read_memory(reading, scratch)?;
        if let Some(text) = self.io_stat.read(scratch)?
            && let Some([read_bytes, write_bytes, reads, writes]) =
                self.io.read(text, disks, io_stat)
        {
            note(&mut reading.disk_read_bytes, Some(read_bytes));
            note(&mut reading.disk_write_bytes, Some(write_bytes));
            note(&mut reading.disk_reads, Some(reads));
            note(&mut reading.disk_writes, Some(writes));
        }
        note(&mut reading.pids, self.pids.read(scratch)?.and_then(sole_number));
        let mut pressure = |file: &KeptFile| -> Result<Pressure, Removed> {
            Ok(file.read(scratch)?.map(pressure::parse).unwrap_or_default())
        };
        let (cpu, memory, io) = (
            pressure(&self.cpu_pressure)?,
            pressure(&self.memory_pressure)?,
            pressure(&self.io_pressure)?,
        );
        note(&mut reading.cpu_psi_some_ns, cpu.some_ns);
        note(&mut reading.cpu_psi_full_ns, cpu.full_ns);
        note(&mut reading.memory_psi_some_ns, memory.some_ns);
        note(&mut reading.memory_psi_full_ns, memory.full_ns);
        note(&mut reading.io_psi_some_ns, io.some_ns);
        note(&mut reading.io_psi_full_ns, io.full_ns);
        note(&mut reading.cpu_limit_millicores, self.limits.cpu_millicores);
        Ok(())
    }

    fn read_memory(
        &self,
        reading: &mut CgroupReading,
        scratch: &mut Scratch,
    ) -> Result<(), Removed> {
        let stat = self.memory_stat.read(scratch)?.map(memory_stat).unwrap_or_default();
        let usage = match &self.memory_current {
            // Of the root, runc, and so cAdvisor and kubelet, take the sum of anonymous and file
            // pages, which is how v1's root counts.
            KeptFile::Nowhere => {
                stat.anon.zip(stat.file).and_then(|(anon, file)| anon.checked_add(file))
            }
            file => file.read(scratch)?.and_then(sole_number),
        };
        note_memory(reading, usage, &stat);
        note(&mut reading.memory_peak, self.memory_peak.read(scratch)?.and_then(sole_number));
        note(&mut reading.oom_kills, self.memory_events.read(scratch)?.and_then(oom_kills));
        note(&mut reading.memory_limit, self.limits.memory);
        Ok(())
    }

    /// Reads the limits anew, and tries again to open what was absent.
    pub(super) fn refresh(&mut self, scratch: &mut Scratch) {
        for file in [
            &mut self.cpu_stat,
            &mut self.memory_current,
            &mut self.memory_stat,
            &mut self.memory_peak,
            &mut self.memory_events,
            &mut self.io_stat,
            &mut self.pids,
            &mut self.cpu_pressure,
            &mut self.memory_pressure,
            &mut self.io_pressure,
        ] {
            file.retry(&scratch.descriptors);
        }
        self.read_limits(scratch);
    }

    fn read_limits(&mut self, scratch: &mut Scratch) {
        self.limits = Limits {
            cpu_millicores: scratch.read_path(&self.cpu_max).and_then(cpu_max),
            // `max`, which is no limit, is no number.
            memory: scratch.read_path(&self.memory_max).and_then(sole_number),
        };
    }
}

/// `cpu.stat`. Times are nanoseconds, in steps of 1 µs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuStat {
    /// CPU time used.
    pub usage_ns: Option<u64>,
    /// CPU time in user mode.
    pub user_ns: Option<u64>,
    /// CPU time in the kernel.
    pub system_ns: Option<u64>,
    /// CFS enforcement periods that have passed.
    pub periods: Option<u64>,
    /// Periods in which the cgroup was throttled.
    pub throttled_periods: Option<u64>,
    /// Time it was throttled.
    pub throttled_ns: Option<u64>,
}

/// Reads `cpu.stat`.
pub fn cpu_stat(text: &[u8]) -> CpuStat {
    let mut stat = CpuStat::default();
    for (key, value) in pairs(text) {
        let ns = || value.and_then(|micros| micros.checked_mul(1000));
        match key {
            b"usage_usec" => stat.usage_ns = ns(),
            b"user_usec" => stat.user_ns = ns(),
            b"system_usec" => stat.system_ns = ns(),
            b"nr_periods" => stat.periods = value,
            b"nr_throttled" => stat.throttled_periods = value,
            b"throttled_usec" => stat.throttled_ns = ns(),
            _ => {}
        }
    }
    stat
}

/// Reads `cpu.max`: quota and period. `None` when there is no limit.
pub fn cpu_max(text: &[u8]) -> Option<u64> {
    let mut words = words(lines(text).next()?).map(number);
    // A quota of `max`, which is no limit, is no number.
    millicores(words.next()??, words.next()??)
}

/// Reads `memory.stat`.
pub fn memory_stat(text: &[u8]) -> MemoryStat {
    let mut stat = MemoryStat::default();
    for (key, value) in pairs(text) {
        match key {
            b"anon" => stat.anon = value,
            b"file" => stat.file = value,
            b"inactive_file" => {
                stat.inactive_file = value;
                // The last of those wanted; some forty lines follow.
                break;
            }
            _ => {}
        }
    }
    stat
}

/// Reads the number of kills in `memory.events`.
pub fn oom_kills(text: &[u8]) -> Option<u64> {
    pairs(text).find(|(key, _)| *key == b"oom_kill")?.1
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::descriptors::Descriptors;

    #[test]
    fn times_are_nanoseconds() {
        let text = b"usage_usec 20572864\nuser_usec 19089516\nsystem_usec 1483347\nnr_periods 7\n\
            nr_throttled 2\nthrottled_usec 5\nnr_bursts 0\nburst_usec 0\n";
        let expected = CpuStat {
            usage_ns: Some(20_572_864_000),
            user_ns: Some(19_089_516_000),
            system_ns: Some(1_483_347_000),
            periods: Some(7),
            throttled_periods: Some(2),
            throttled_ns: Some(5000),
        };
        assert_eq!(cpu_stat(text), expected);
    }

    #[test]
    fn without_the_cpu_controller_there_are_no_periods() {
        let stat = cpu_stat(b"usage_usec 3\nuser_usec 2\nsystem_usec 1\n");
        assert_eq!((stat.usage_ns, stat.periods), (Some(3000), None));
    }

    #[test]
    fn cpu_limits_are_quota_over_period() {
        for (text, expected) in [
            ("max 100000\n", None),
            ("50000 100000\n", Some(500)),
            ("10000 100000\n", Some(100)),
            ("200000 50000\n", Some(4000)),
            ("50000 0\n", None),
            ("50000\n", None),
            ("50000 1000", None),
            ("18446744073709551615 1\n", None),
            ("", None),
        ] {
            assert_eq!(cpu_max(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn memory_is_read_by_name() {
        let text = b"anon 167936\nfile 40960\nkernel 507904\ninactive_anon 155648\n\
            inactive_file 4096\nactive_file 36864\n";
        let expected =
            MemoryStat { anon: Some(167_936), file: Some(40_960), inactive_file: Some(4096) };
        assert_eq!(memory_stat(text), expected);
    }

    #[test]
    fn kills_are_those_of_processes() {
        let text = b"low 0\nhigh 0\nmax 9\noom 2\noom_kill 3\noom_group_kill 1\n";
        assert_eq!(oom_kills(text), Some(3));
    }

    #[test]
    fn the_root_derives_its_usage() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("memory.stat"), "anon 100\nfile 50\ninactive_file 30\n")
            .unwrap();
        let mut scratch = Scratch::new(Descriptors::at_most(99));
        let mut reading = CgroupReading::default();
        let mut files = Files::open_root(folder.path(), &mut scratch);
        files.read(&mut reading, &Disks::new(None), &mut scratch).unwrap();
        assert_eq!((reading.memory_usage, reading.memory_working_set), (Some(150), Some(120)));
    }

    #[test]
    fn a_working_set_is_never_below_zero() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("memory.current"), "10\n").unwrap();
        fs::write(folder.path().join("memory.stat"), "anon 1\nfile 50\ninactive_file 30\n")
            .unwrap();
        let mut scratch = Scratch::new(Descriptors::at_most(99));
        let mut reading = CgroupReading::default();
        let mut files = Files::open(folder.path(), &mut scratch);
        files.read(&mut reading, &Disks::new(None), &mut scratch).unwrap();
        assert_eq!((reading.memory_usage, reading.memory_working_set), (Some(10), Some(0)));
    }

    #[test]
    fn limits_that_are_none_are_absent() {
        let folder = tempfile::tempdir().unwrap();
        let mut scratch = Scratch::new(Descriptors::at_most(99));
        for (cpu, memory, expected) in [
            ("max 100000\n", "max\n", (None, None)),
            ("50000 100000\n", "67108864\n", (Some(500), Some(67_108_864))),
        ] {
            fs::write(folder.path().join("cpu.max"), cpu).unwrap();
            fs::write(folder.path().join("memory.max"), memory).unwrap();
            let limits = Files::open(folder.path(), &mut scratch).limits;
            assert_eq!((limits.cpu_millicores, limits.memory), expected);
        }
    }
}
