//! A small host made of ordinary files: one pod with one container, and one service.

use std::{fs, path::PathBuf, time::Instant};

use kubemonitor_hostfs::{EntityReading, Host, HostRoots, NodeReading};
use tempfile::TempDir;

/// The pod's path in its hierarchy.
pub(crate) const POD: &str = "kubepods/burstable/pod0f9d4c1e-1111-2222-3333-444455556666";

/// The path of a container of the pod.
pub(crate) fn container(digit: char) -> String {
    format!("{POD}/{}", digit.to_string().repeat(64))
}

/// A line of `net/dev`.
pub(crate) fn interface(name: &str, rx_bytes: u64) -> String {
    format!("{name}: {rx_bytes} 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n")
}

pub(crate) struct FakeHost {
    root: TempDir,
}

/// What a host said at one tick.
pub(crate) struct Snapshot {
    pub(crate) node: NodeReading,
    pub(crate) entities: Vec<EntityReading>,
}

impl FakeHost {
    /// A host with `/proc`, no cgroups, and a process 1 with a card.
    pub(crate) fn bare() -> Self {
        // In memory where that can be had: some tests write thousands of files.
        let root = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let host = Self { root: root.unwrap() };
        host.write("proc/stat", "cpu  1 2 3 4 5 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\nctxt 9\n");
        host.write("proc/meminfo", "MemTotal: 100 kB\nMemAvailable: 60 kB\nSwapFree: 1 kB\n");
        host.write(
            "proc/diskstats",
            "8 0 sda 1 0 2 0 3 0 4 0 0 5 0\n7 0 loop0 9 0 9 0 9 0 9 0 0 9 0\n",
        );
        host.write("proc/loadavg", "1.72 1.25 1.09 1/299 23811\n");
        host.write("proc/uptime", "10.50 20.00\n");
        host.write("proc/vmstat", "pgmajfault 3\noom_kill 4\n");
        for resource in ["cpu", "memory", "io"] {
            host.write(&format!("proc/pressure/{resource}"), "some total=5\nfull total=6\n");
        }
        host.write("proc/1/net/dev", &(interface("lo", 1) + &interface("eth0", 70)));
        host
    }

    /// One with cgroup v1, two of whose controllers are joined.
    pub(crate) fn v1() -> Self {
        let host = Self::bare();
        host.write(
            "proc/mounts",
            "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n\
             cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n\
             cgroup /sys/fs/cgroup/blkio cgroup rw,blkio 0 0\n\
             cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0\n",
        );
        for path in ["", POD, &container('a'), "system.slice/ssh.service"] {
            host.add_v1(path);
        }
        host
    }

    /// One with cgroup v2.
    pub(crate) fn v2() -> Self {
        let host = Self::bare();
        host.write("proc/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n");
        host.write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
        for path in ["", POD, &container('a'), "system.slice/ssh.service"] {
            host.add_v2(path);
        }
        host
    }

    /// Makes a cgroup of version 1.
    pub(crate) fn add_v1(&self, path: &str) {
        for (file, text) in [
            ("cpu,cpuacct/PATH/cpuacct.usage", "1000\n"),
            ("cpu,cpuacct/PATH/cpuacct.stat", "user 20\nsystem 30\n"),
            ("cpu,cpuacct/PATH/cpu.stat", "nr_periods 4\nnr_throttled 5\nthrottled_time 6\n"),
            ("cpu,cpuacct/PATH/cpu.cfs_quota_us", "50000\n"),
            ("cpu,cpuacct/PATH/cpu.cfs_period_us", "100000\n"),
            ("memory/PATH/memory.usage_in_bytes", "7000\n"),
            ("memory/PATH/memory.stat", "total_cache 80\ntotal_rss 90\ntotal_inactive_file 100\n"),
            ("memory/PATH/memory.max_usage_in_bytes", "11000\n"),
            ("memory/PATH/memory.limit_in_bytes", "12000\n"),
            ("memory/PATH/memory.oom_control", "under_oom 0\noom_kill 13\n"),
            ("memory/PATH/cgroup.procs", ""),
            (
                "blkio/PATH/blkio.throttle.io_service_bytes_recursive",
                "8:0 Read 14\n8:0 Write 15\n7:0 Read 99\nTotal 29\n",
            ),
            (
                "blkio/PATH/blkio.throttle.io_serviced_recursive",
                "8:0 Read 16\n8:0 Write 17\nTotal 33\n",
            ),
            ("pids/PATH/pids.current", "18\n"),
        ] {
            self.write(&format!("sys/fs/cgroup/{}", file.replace("PATH", path)), text);
        }
    }

    /// Makes a cgroup of version 2.
    pub(crate) fn add_v2(&self, path: &str) {
        for (file, text) in [
            (
                "cpu.stat",
                "usage_usec 1\nuser_usec 2\nsystem_usec 3\nnr_periods 4\nnr_throttled 5\nthrottled_usec 6\n",
            ),
            ("cpu.max", "50000 100000\n"),
            ("memory.current", "7000\n"),
            ("memory.stat", "anon 90\nfile 80\ninactive_file 100\n"),
            ("memory.peak", "11000\n"),
            ("memory.max", "12000\n"),
            ("memory.events", "oom 9\noom_kill 13\n"),
            ("io.stat", "8:0 rbytes=14 wbytes=15 rios=16 wios=17\n7:0 rbytes=99\n7:1 \n"),
            ("pids.current", "18\n"),
            ("cpu.pressure", "some avg10=0.00 total=19\nfull avg10=0.00 total=20\n"),
            ("memory.pressure", "some avg10=0.00 total=21\nfull avg10=0.00 total=22\n"),
            ("io.pressure", "some avg10=0.00 total=23\nfull avg10=0.00 total=24\n"),
            ("cgroup.procs", ""),
        ] {
            self.write(&format!("sys/fs/cgroup/{path}/{file}"), text);
        }
    }

    /// A place in it.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// Writes a file of it, in place if it is there.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Removes a file or folder of it.
    pub(crate) fn remove(&self, path: &str) {
        let path = self.path(path);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }

    pub(crate) fn roots(&self) -> HostRoots {
        HostRoots::mounted_at(self.root.path())
    }

    pub(crate) fn open(&self) -> Host {
        Host::open(self.roots()).unwrap()
    }

    /// What it says when it is opened now.
    pub(crate) fn read(&self) -> Snapshot {
        Snapshot::of(&mut self.open())
    }
}

impl Snapshot {
    pub(crate) fn of(host: &mut Host) -> Self {
        Self::at(host, Instant::now())
    }

    /// What it says when the time is `now`.
    pub(crate) fn at(host: &mut Host, now: Instant) -> Self {
        let reading = host.read_at(now);
        Self { node: *reading.node, entities: reading.entities().cloned().collect() }
    }

    /// The pod.
    pub(crate) fn pod(&self) -> &EntityReading {
        &self.entities[0]
    }

    /// The pod's network: bytes received.
    pub(crate) fn pod_received(&self) -> Option<u64> {
        self.pod().network.map(|network| network.rx_bytes)
    }
}
