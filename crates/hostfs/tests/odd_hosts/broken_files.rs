//! Files that are not what they should be.

use std::{
    fs,
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use crate::fake_host::{FakeHost, POD, Snapshot};

/// A file, and the values that come from it.
type Source = (&'static str, fn(&Snapshot) -> Vec<Option<u64>>);

/// The node's files. `HERE` is the root cgroup.
const OF_NODE: [Source; 8] = [
    ("proc/stat", |read| vec![read.node.stat.used_ns(), read.node.stat.context_switches]),
    ("proc/meminfo", |read| {
        vec![read.node.memory.total, read.node.memory.available, read.node.memory.swap_free]
    }),
    ("proc/diskstats", |read| vec![read.node.disk.map(|disk| disk.reads)]),
    ("proc/loadavg", |read| vec![read.node.load.one, read.node.load.fifteen]),
    ("proc/uptime", |read| vec![read.node.uptime.since_boot_ms]),
    ("proc/vmstat", |read| vec![read.node.vm.major_faults, read.node.vm.oom_kills]),
    ("proc/pressure/io", |read| vec![read.node.io_pressure.some_ns, read.node.io_pressure.full_ns]),
    ("proc/1/net/dev", |read| vec![read.node.network.map(|network| network.rx_bytes)]),
];

/// The pod's files in cgroup v1.
const OF_V1: [Source; 10] = [
    ("cpu,cpuacct/POD/cpuacct.usage", |read| vec![read.pod().cgroup.cpu_usage_ns]),
    ("cpu,cpuacct/POD/cpuacct.stat", |read| {
        vec![read.pod().cgroup.cpu_user_ns, read.pod().cgroup.cpu_system_ns]
    }),
    ("cpu,cpuacct/POD/cpu.stat", |read| {
        vec![read.pod().cgroup.cpu_periods, read.pod().cgroup.cpu_throttled_ns]
    }),
    ("memory/POD/memory.usage_in_bytes", |read| vec![read.pod().cgroup.memory_usage]),
    ("memory/POD/memory.stat", |read| {
        vec![read.pod().cgroup.memory_rss, read.pod().cgroup.memory_file]
    }),
    ("memory/POD/memory.max_usage_in_bytes", |read| vec![read.pod().cgroup.memory_peak]),
    ("memory/POD/memory.oom_control", |read| vec![read.pod().cgroup.oom_kills]),
    ("blkio/POD/blkio.throttle.io_service_bytes_recursive", |read| {
        vec![read.pod().cgroup.disk_read_bytes, read.pod().cgroup.disk_write_bytes]
    }),
    ("blkio/POD/blkio.throttle.io_serviced_recursive", |read| {
        vec![read.pod().cgroup.disk_reads, read.pod().cgroup.disk_writes]
    }),
    ("pids/POD/pids.current", |read| vec![read.pod().cgroup.pids]),
];

/// The pod's files in cgroup v2, without `io.stat`, which says something even when it is empty.
const OF_V2: [Source; 7] = [
    ("POD/cpu.stat", |read| {
        vec![read.pod().cgroup.cpu_usage_ns, read.pod().cgroup.cpu_throttled_ns]
    }),
    ("POD/memory.current", |read| vec![read.pod().cgroup.memory_usage]),
    ("POD/memory.stat", |read| vec![read.pod().cgroup.memory_rss, read.pod().cgroup.memory_file]),
    ("POD/memory.peak", |read| vec![read.pod().cgroup.memory_peak]),
    ("POD/memory.events", |read| vec![read.pod().cgroup.oom_kills]),
    ("POD/pids.current", |read| vec![read.pod().cgroup.pids]),
    ("POD/memory.pressure", |read| vec![read.pod().cgroup.memory_psi_some_ns]),
];

/// Breaks one file after the other in every way, under an open host; nothing else may change.
fn break_each(host: &FakeHost, folder: &str, sources: &[Source]) {
    let mut open = host.open();
    let sound = Snapshot::of(&mut open);
    for (file, values) in sources {
        let path = format!("{folder}{}", file.replace("POD", POD));
        let content = fs::read(host.path(&path)).unwrap();
        assert!(values(&sound).iter().all(Option::is_some), "{path}");
        let digits_galore = String::from_utf8_lossy(&content)
            .replace(|c: char| c.is_ascii_digit(), "98765432109876543210");
        let huge = vec![b'x'; 3 << 20];
        let broken: [&[u8]; 6] = [
            b"",
            &content[..content.iter().position(|&byte| byte == b'\n').unwrap()],
            b"\x00\x01\xff\xfe\n\n\x80 \xc3\x28\n",
            digits_galore.as_bytes(),
            &huge,
            b"-1\n- -\n=\n:\nsome total=\ncpu \n",
        ];
        for content in broken {
            host.write(&path, content);
            let read = Snapshot::of(&mut open);
            let start = String::from_utf8_lossy(&content[..content.len().min(40)]);
            assert!(values(&read).iter().all(Option::is_none), "{path}: {start:?}");
            for (other, values) in sources.iter().filter(|(other, _)| other != file) {
                assert_eq!(values(&read), values(&sound), "{other} when {path} is {start:?}");
            }
        }
        host.write(&path, &content);
    }
    assert_eq!(Snapshot::of(&mut open).entities, sound.entities);
}

#[test]
fn a_broken_file_of_the_node_costs_only_what_it_says() {
    break_each(&FakeHost::v2(), "", &OF_NODE);
}

#[test]
fn a_broken_file_of_a_v1_cgroup_costs_only_what_it_says() {
    break_each(&FakeHost::v1(), "sys/fs/cgroup/", &OF_V1);
}

#[test]
fn a_broken_file_of_a_v2_cgroup_costs_only_what_it_says() {
    break_each(&FakeHost::v2(), "sys/fs/cgroup/", &OF_V2);
}

#[test]
fn a_missing_file_costs_only_what_it_says() {
    for (host, sources) in
        [(FakeHost::v1 as fn() -> FakeHost, &OF_V1[..]), (FakeHost::v2, &OF_V2[..])]
    {
        for (file, values) in sources {
            let host = host();
            let sound = host.read();
            host.remove(&format!("sys/fs/cgroup/{}", file.replace("POD", POD)));
            let read = host.read();
            assert!(values(&read).iter().all(Option::is_none), "{file}");
            for (other, values) in sources.iter().filter(|(other, _)| other != file) {
                assert_eq!(values(&read), values(&sound), "{other} without {file}");
            }
        }
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_survived() {
    let host = FakeHost::v2();
    let path = host.path(&format!("sys/fs/cgroup/{POD}/memory.stat"));
    let mut open = host.open();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = fs::File::options().write(true).open(&path).unwrap();
            // Longer than one read, then nothing, over and over.
            let long =
                format!("anon 90\nfile 80\n{}inactive_file 100\n", "filler 1\n".repeat(5000));
            while !done.load(Ordering::Relaxed) {
                file.set_len(0).unwrap();
                std::io::Seek::rewind(&mut file).unwrap();
                for part in long.as_bytes().chunks(997) {
                    file.write_all(part).unwrap();
                }
            }
        });
        for _ in 0..2000 {
            let read = Snapshot::of(&mut open);
            let pod = read.pod().cgroup;
            // Whole numbers or none; the others never notice.
            assert!(matches!(pod.memory_rss, None | Some(90)), "{:?}", pod.memory_rss);
            assert!(matches!(pod.memory_working_set, None | Some(6900)));
            assert_eq!((pod.memory_usage, pod.pids), (Some(7000), Some(18)));
        }
        done.store(true, Ordering::Relaxed);
    });
}
