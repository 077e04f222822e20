//! A process that may have few files. Alone in its program, since that is all of a program's limit.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use kubemonitor_hostfs::{Host, HostRoots};
use rustix::process::{Resource, Rlimit, setrlimit};

const LIMIT: u64 = 64;
const SERVICES: usize = 30;

fn write(root: &Path, file: &str, text: &str) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

/// How many files of services are open.
fn kept() -> usize {
    let own = fs::read_dir("/proc/self/fd").expect("own files").flatten();
    let paths = own.filter_map(|link| fs::read_link(link.path()).ok());
    paths.filter(|path| path.to_string_lossy().contains("system.slice")).count()
}

#[test]
fn files_are_opened_in_turns_until_there_is_room() {
    let limit = Rlimit { current: Some(LIMIT), maximum: Some(LIMIT) };
    setrlimit(Resource::Nofile, limit).unwrap();
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "proc/stat", "cpu  1 2 3 4 5 6 7 8 0 0\n");
    write(root.path(), "sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n");
    let folder = |number: usize| format!("sys/fs/cgroup/system.slice/{number}.service");
    let usage = |number: usize, usage: usize| {
        let file = folder(number) + "/cpu.stat";
        write(root.path(), &file, &format!("usage_usec {usage}\n"));
    };
    for number in 0..SERVICES {
        usage(number, number);
        write(root.path(), &(folder(number) + "/memory.current"), "7000\n");
        write(root.path(), &(folder(number) + "/pids.current"), "1\n");
    }
    let mut host = Host::open(HostRoots::mounted_at(root.path())).unwrap();
    let began = Instant::now();
    let mut total = |seconds| {
        let reading = host.read_at(began + Duration::from_secs(seconds));
        let used = reading.entities().map(|one| one.cgroup.cpu_usage_ns.unwrap() / 1000);
        let memory = reading.entities().map(|one| one.cgroup.memory_usage.unwrap() / 7000);
        (memory.sum::<u64>(), used.sum::<u64>())
    };
    let all = SERVICES as u64;
    assert_eq!(total(0), (all, all * (all - 1) / 2));
    let half = usize::try_from(LIMIT / 2).unwrap();
    assert!((half - 10..=half).contains(&kept()), "{} are open", kept());
    // Read anew at each tick, also those that are opened for it.
    (0..SERVICES).for_each(|number| usage(number, 2));
    assert_eq!(total(5), (all, all * 2));
    // There are descriptors for other things.
    let others: Vec<_> = (0..20).map(|_| tempfile::tempfile()).collect();
    assert!(others.iter().all(Result::is_ok));
    assert_eq!(total(10), (all, all * 2));
    drop(others);

    (4..SERVICES).for_each(|number| fs::remove_dir_all(root.path().join(folder(number))).unwrap());
    assert_eq!(total(15), (4, 8));
    assert_eq!(total(75), (4, 8));
    assert_eq!(kept(), 4 * 3, "all of those that are left");
}
