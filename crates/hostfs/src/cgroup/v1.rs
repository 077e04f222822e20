//! A cgroup of version 1, whose files lie in one folder per controller.

use std::path::PathBuf;

use super::{
    CgroupReading, Limits, MemoryStat,
    io::{DeviceIo, EachDevice, IoTotals},
    millicores, note, note_memory,
};
use crate::{
    disks::Disks,
    file::{KeptFile, Removed, Scratch},
    hierarchies::LegacyMounts,
    procfs::{diskstats::DeviceNumber, stat::TICK_NS},
    text::{lines, number, pairs, sole_number, split_once, words},
};

/// Anything from here on means no limit: the kernel's largest number of pages, in bytes, which
/// differs with the size of pages, and is never below this.
const NO_MEMORY_LIMIT: u64 = i64::MAX as u64 - 0xf_ffff;

/// The files of one cgroup that are read at each tick, and the limits.
#[derive(Debug)]
pub(super) struct Files {
    cpu_usage: KeptFile,
    cpu_times: KeptFile,
    cpu_throttling: KeptFile,
    memory_usage: KeptFile,
    memory_stat: KeptFile,
    memory_peak: KeptFile,
    oom_control: KeptFile,
    io_bytes: KeptFile,
    io_operations: KeptFile,
    pids: KeptFile,
    byte_totals: IoTotals<2>,
    operation_totals: IoTotals<2>,
    limits: Limits,
    cpu_quota: Option<PathBuf>,
    cpu_period: Option<PathBuf>,
    memory_limit: Option<PathBuf>,
}

impl Files {
    /// Opens the files in the folders of the cgroup.
    pub(super) fn open(folders: &LegacyMounts, scratch: &mut Scratch) -> Self {
        let LegacyMounts { cpu, cpuacct, memory, blkio, pids } = folders;
        let open = |folder: &Option<PathBuf>, name: &str| {
            KeptFile::open(folder.as_deref(), name, &scratch.descriptors)
        };
        let io = |unit: &str| {
            // The recursive one is younger, and only it has what a pod's containers did.
            let recursive = format!("blkio.throttle.{unit}_recursive");
            match open(blkio, &recursive) {
                KeptFile::Absent(_) => open(blkio, recursive.trim_end_matches("_recursive")),
                file => file,
            }
        };
        let path = |folder: &Option<PathBuf>, name| folder.as_ref().map(|path| path.join(name));
        let mut files = Self {
            cpu_usage: open(cpuacct, "cpuacct.usage"),
            // Scaled by the kernel to add up to the usage; `usage_user` and `usage_sys` are finer
            // but raw samples, off by several percent.
            cpu_times: open(cpuacct, "cpuacct.stat"),
            cpu_throttling: open(cpu, "cpu.stat"),
            memory_usage: open(memory, "memory.usage_in_bytes"),
            memory_stat: open(memory, "memory.stat"),
            memory_peak: open(memory, "memory.max_usage_in_bytes"),
            oom_control: open(memory, "memory.oom_control"),
            io_bytes: io("io_service_bytes"),
            io_operations: io("io_serviced"),
            pids: open(pids, "pids.current"),
            byte_totals: IoTotals::default(),
            operation_totals: IoTotals::default(),
            limits: Limits::default(),
            cpu_quota: path(cpu, "cpu.cfs_quota_us"),
            cpu_period: path(cpu, "cpu.cfs_period_us"),
            memory_limit: path(memory, "memory.limit_in_bytes"),
        };
        files.read_limits(scratch);
        files
    }

    /// Reads all but the limits.
    pub(super) fn read(
        &mut self,
        reading: &mut CgroupReading,
        disks: &Disks,
        scratch: &mut Scratch,
    ) -> Result<(), Removed> {
        note(&mut reading.cpu_usage_ns, self.cpu_usage.read(scratch)?.and_then(sole_number));
        if let Some(text) = self.cpu_times.read(scratch)? {
            let times = cpu_times(text);
            note(&mut reading.cpu_user_ns, times.user_ns);
            note(&mut reading.cpu_system_ns, times.system_ns);
        }
        if let Some(text) = self.cpu_throttling.read(scratch)? {
            let throttling = throttling(text);
            note(&mut reading.cpu_periods, throttling.periods);
            note(&mut reading.cpu_throttled_periods, throttling.throttled_periods);
            note(&mut reading.cpu_throttled_ns, throttling.throttled_ns);
        }
        self.read_memory(reading, scratch)?;
        if let Some(text) = self.io_bytes.read(scratch)?
            && let Some([read, write]) = self.byte_totals.read(text, disks, io)
        {
            note(&mut reading.disk_read_bytes, Some(read));
            note(&mut reading.disk_write_bytes, Some(write));
        }
        if let Some(text) = self.io_operations.read(scratch)?
            && let Some([reads, writes]) = self.operation_totals.read(text, disks, io)
        {
            note(&mut reading.disk_reads, Some(reads));
            note(&mut reading.disk_writes, Some(writes));
        }
        note(&mut reading.pids, self.pids.read(scratch)?.and_then(sole_number));
        note(&mut reading.cpu_limit_millicores, self.limits.cpu_millicores);
        Ok(())
    }

    fn read_memory(
        &self,
        reading: &mut CgroupReading,
        scratch: &mut Scratch,
    ) -> Result<(), Removed> {
        let usage = self.memory_usage.read(scratch)?.and_then(sole_number);
        let stat = self.memory_stat.read(scratch)?.map(memory_stat).unwrap_or_default();
        note_memory(reading, usage, &stat);
        note(&mut reading.memory_peak, self.memory_peak.read(scratch)?.and_then(sole_number));
        note(&mut reading.oom_kills, self.oom_control.read(scratch)?.and_then(oom_kills));
        note(&mut reading.memory_limit, self.limits.memory);
        Ok(())
    }

    /// Reads the limits anew, and tries again to open what was absent.
    pub(super) fn refresh(&mut self, scratch: &mut Scratch) {
        for file in [
            &mut self.cpu_usage,
            &mut self.cpu_times,
            &mut self.cpu_throttling,
            &mut self.memory_usage,
            &mut self.memory_stat,
            &mut self.memory_peak,
            &mut self.oom_control,
            &mut self.io_bytes,
            &mut self.io_operations,
            &mut self.pids,
        ] {
            file.retry(&scratch.descriptors);
        }
        self.read_limits(scratch);
    }

    fn read_limits(&mut self, scratch: &mut Scratch) {
        let mut read = |path: &Option<PathBuf>| sole_number(scratch.read_path(path.as_deref()?)?);
        // A quota of -1, which is no limit, is no number.
        let quota = read(&self.cpu_quota);
        let period = read(&self.cpu_period);
        self.limits = Limits {
            cpu_millicores: quota.zip(period).and_then(|(quota, period)| millicores(quota, period)),
            memory: read(&self.memory_limit).filter(|&bytes| bytes < NO_MEMORY_LIMIT),
        };
    }
}

/// `cpuacct.stat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTimes {
    /// Time in user mode, in nanoseconds.
    pub user_ns: Option<u64>,
    /// Time in the kernel, in nanoseconds.
    pub system_ns: Option<u64>,
}

/// Reads `cpuacct.stat`.
pub fn cpu_times(text: &[u8]) -> CpuTimes {
    let mut times = CpuTimes::default();
    for (key, ticks) in pairs(text) {
        let ns = ticks.and_then(|ticks| ticks.checked_mul(TICK_NS));
        match key {
            b"user" => times.user_ns = ns,
            b"system" => times.system_ns = ns,
            _ => {}
        }
    }
    times
}

/// `cpu.stat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttling {
    /// CFS enforcement periods that have passed.
    pub periods: Option<u64>,
    /// Periods in which the cgroup was throttled.
    pub throttled_periods: Option<u64>,
    /// Time it was throttled, in nanoseconds.
    pub throttled_ns: Option<u64>,
}

/// Reads `cpu.stat`.
pub fn throttling(text: &[u8]) -> Throttling {
    let mut throttling = Throttling::default();
    for (key, value) in pairs(text) {
        match key {
            b"nr_periods" => throttling.periods = value,
            b"nr_throttled" => throttling.throttled_periods = value,
            b"throttled_time" => throttling.throttled_ns = value,
            _ => {}
        }
    }
    throttling
}

/// Reads `memory.stat`, of which those figures count that include the cgroups below.
pub fn memory_stat(text: &[u8]) -> MemoryStat {
    let mut stat = MemoryStat::default();
    for (key, value) in pairs(text) {
        match key {
            b"total_cache" => stat.file = value,
            b"total_rss" => stat.anon = value,
            b"total_inactive_file" => stat.inactive_file = value,
            _ => {}
        }
    }
    stat
}

/// Reads the number of kills in `memory.oom_control` (Linux 4.13).
pub fn oom_kills(text: &[u8]) -> Option<u64> {
    pairs(text).find(|(key, _)| *key == b"oom_kill")?.1
}

/// Reads `blkio.throttle.io_service_bytes` or `io_serviced`: lines of `MAJ:MIN Read n`. `each` gets
/// what was read from and written to each device; `None` in their place where one is no number. The
/// answer is `None` when the text is no such file.
pub fn io(text: &[u8], each: &mut EachDevice<'_, 2>) -> Option<()> {
    let mut row: Option<(DeviceNumber, DeviceIo<2>, bool)> = None;
    let mut hand_on = |row: Option<(DeviceNumber, DeviceIo<2>, bool)>| {
        if let Some((device, counters, readable)) = row {
            each(device, readable.then_some(counters));
        }
    };
    let mut total = false;
    for line in lines(text) {
        let mut words = words(line);
        let (Some(device), Some(operation)) = (words.next(), words.next()) else { continue };
        total |= device == b"Total";
        let Some((major, minor)) = split_once(device, b':') else { continue };
        let place = match operation {
            b"Read" => 0,
            b"Write" => 1,
            _ => continue,
        };
        let device = DeviceNumber::parse(major, minor)?;
        if row.is_none_or(|(other, ..)| other != device) {
            hand_on(row.take());
        }
        let (_, counters, readable) = row.get_or_insert((device, [None; 2], true));
        counters[place] = words.next().and_then(number);
        *readable &= counters[place].is_some();
    }
    hand_on(row);
    // The last line is always there; without it, part of the file is missing.
    total.then_some(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::descriptors::Descriptors;

    #[test]
    fn times_are_nanoseconds() {
        let expected = CpuTimes { user_ns: Some(27_210_000_000), system_ns: Some(1_190_000_000) };
        assert_eq!(cpu_times(b"user 2721\nsystem 119\n"), expected);
    }

    #[test]
    fn throttling_is_read_by_name() {
        let text = b"nr_periods 7\nnr_throttled 2\nthrottled_time 123456789\nnr_bursts 0\n";
        let expected = Throttling {
            periods: Some(7),
            throttled_periods: Some(2),
            throttled_ns: Some(123_456_789),
        };
        assert_eq!(throttling(text), expected);
    }

    #[test]
    fn memory_includes_the_cgroups_below() {
        let text = b"cache 1\nrss 2\ninactive_file 3\nhierarchical_memory_limit 9\n\
            total_cache 40960\ntotal_rss 229376\ntotal_inactive_file 36864\ntotal_unevictable 0\n";
        let expected =
            MemoryStat { anon: Some(229_376), file: Some(40_960), inactive_file: Some(36_864) };
        assert_eq!(memory_stat(text), expected);
    }

    #[test]
    fn kills_are_known_since_linux_4_13() {
        assert_eq!(oom_kills(b"oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), Some(3));
        assert_eq!(oom_kills(b"oom_kill_disable 0\nunder_oom 0\n"), None);
    }

    /// The devices, and their counters.
    type Rows = Vec<((u32, u32), Option<DeviceIo<2>>)>;

    fn rows(text: &str) -> Option<Rows> {
        let mut rows = Vec::new();
        io(text.as_bytes(), &mut |device, counters| {
            rows.push(((device.major, device.minor), counters));
        })?;
        Some(rows)
    }

    #[test]
    fn each_device_has_its_io() {
        let text = "8:0 Read 100\n8:0 Write 20\n8:0 Sync 120\n8:0 Total 120\n\
            253:0 Write 7\n253:0 Total 14\n8:16 Read x\n8:16 Write 4\nTotal 141\n";
        let expected = vec![
            ((8, 0), Some([Some(100), Some(20)])),
            ((253, 0), Some([None, Some(7)])),
            ((8, 16), None),
        ];
        assert_eq!(rows(text), Some(expected));
    }

    #[test]
    fn no_io_is_zero_and_no_file_is_nothing() {
        assert_eq!(rows("Total 0\n"), Some(Vec::new()));
        for text in ["", "8:0 Read 5\n", "8: Read 5\nTotal 0\n"] {
            assert_eq!(rows(text), None);
        }
    }

    #[test]
    fn limits_that_are_none_are_absent() {
        let folder = tempfile::tempdir().unwrap();
        let here = Some(folder.path().to_owned());
        let folders = LegacyMounts { cpu: here.clone(), memory: here, ..LegacyMounts::default() };
        let mut scratch = Scratch::new(Descriptors::at_most(99));
        for (quota, period, limit, expected) in [
            ("-1\n", "100000\n", "9223372036854771712\n", (None, None)),
            // The same on machines with pages of 64 KiB.
            ("-1\n", "100000\n", "9223372036854710272\n", (None, None)),
            ("50000\n", "100000\n", "67108864\n", (Some(500), Some(67_108_864))),
            ("250000\n", "100000\n", "0\n", (Some(2500), Some(0))),
            ("50000\n", "0\n", "", (None, None)),
            ("50000", "100000\n", "18446744073709551616\n", (None, None)),
        ] {
            fs::write(folder.path().join("cpu.cfs_quota_us"), quota).unwrap();
            fs::write(folder.path().join("cpu.cfs_period_us"), period).unwrap();
            fs::write(folder.path().join("memory.limit_in_bytes"), limit).unwrap();
            let limits = Files::open(&folders, &mut scratch).limits;
            assert_eq!((limits.cpu_millicores, limits.memory), expected, "{quota:?} {limit:?}");
        }
    }
}
