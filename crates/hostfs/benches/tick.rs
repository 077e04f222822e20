//! What a tick costs: everything a host is asked, against bare reads of the same files.
//!
//! Needs the right to make cgroups. `cargo bench -p kubemonitor-hostfs --profile quick`.

#[path = "../tests/real_cgroups/cgroups.rs"]
mod cgroups;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::FileExt,
    path::PathBuf,
    thread::sleep,
    time::Duration,
};

use cgroups::RealCgroups;
use divan::{AllocProfiler, Bencher, black_box, counter::ItemsCount};
use kubemonitor_hostfs::Host;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

/// Containers, sandboxes included: two in each pod.
const CONTAINERS: [usize; 2] = [20, 220];

fn main() {
    if let Err(error) = RealCgroups::make("try") {
        println!("skipped: cannot make cgroups here: {error}");
        return;
    }
    divan::main();
}

/// Pods with a sandbox in a network namespace of its own, and a container beside it.
fn node(containers: usize) -> RealCgroups {
    let cgroups = RealCgroups::make("bench").expect("made some before");
    for number in 0..containers / 2 {
        let pod = format!("kubepods/burstable/pod0f9d4c1e-0000-0000-0000-{number:012}");
        let sandbox = format!("{pod}/a{number:063}");
        cgroups.add(&sandbox);
        cgroups.add(&format!("{pod}/b{number:063}"));
        cgroups.start(&sandbox, "unshare", &["--net", "sleep", "3600"]);
    }
    // Until the last one has its namespace.
    sleep(Duration::from_millis(500));
    cgroups
}

/// The files that this process has open below `/proc` and `/sys`.
fn open_files() -> BTreeSet<PathBuf> {
    let own = fs::read_dir("/proc/self/fd").expect("own files").flatten();
    own.filter_map(|link| fs::read_link(link.path()).ok())
        .filter(|path| path.is_file() && (path.starts_with("/proc") || path.starts_with("/sys")))
        .collect()
}

#[divan::bench(args = CONTAINERS)]
fn host_read(bencher: Bencher, containers: usize) {
    let cgroups = node(containers);
    let mut host = Host::open(cgroups.roots()).expect("the host opens");
    host.read();
    host.take_cost();
    host.read();
    let files = host.take_cost().files;
    bencher.counter(ItemsCount::new(files)).bench_local(|| {
        black_box(host.read().entities().len());
    });
}

#[divan::bench(args = CONTAINERS)]
fn bare_pread(bencher: Bencher, containers: usize) {
    let cgroups = node(containers);
    let before = open_files();
    let mut host = Host::open(cgroups.roots()).expect("the host opens");
    host.read();
    let files: Vec<File> =
        open_files().difference(&before).filter_map(|path| File::open(path).ok()).collect();
    drop(host);
    let mut buffer = vec![0; 64 * 1024];
    bencher.counter(ItemsCount::new(files.len())).bench_local(|| {
        for file in &files {
            black_box(file.read_at(&mut buffer, 0).ok());
        }
    });
}
