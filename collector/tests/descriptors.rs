//! A host with more cgroups than this process may have files.

mod server;

use std::{
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use kubemonitor_model::{EntityId, Metric};
use server::Server;
use tempfile::TempDir;

/// More than 1,024 descriptors suffice for, at ten files each.
const SERVICES: usize = 110;

/// A host with that many services.
fn host() -> TempDir {
    let host = tempfile::tempdir().expect("a folder");
    let write = |file: &str, text: &str| {
        let path = host.path().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    write("proc/stat", "cpu  100 0 200 900 0 0 0 0 0 0\ncpu0 100 0 200 900 0 0 0 0 0 0\n");
    write("cgroup/cgroup.controllers", "cpu io memory pids\n");
    for number in 0..SERVICES {
        add_service(host.path(), &number.to_string());
    }
    host
}

fn add_service(host: &Path, name: &str) {
    let folder = host.join(format!("cgroup/system.slice/{name}.service"));
    fs::create_dir_all(&folder).expect("a folder");
    for (file, text) in [
        ("cpu.stat", "usage_usec 7000\n"),
        ("memory.current", "4096\n"),
        ("memory.stat", "anon 90\nfile 80\ninactive_file 96\n"),
        ("memory.peak", "4096\n"),
        ("memory.events", "oom_kill 0\n"),
        ("io.stat", ""),
        ("pids.current", "1\n"),
        ("cpu.pressure", "some total=1\n"),
        ("memory.pressure", "some total=1\n"),
        ("io.pressure", "some total=1\n"),
    ] {
        fs::write(folder.join(file), text).expect("a file");
    }
}

/// The collector with so many descriptors, which it cannot raise.
fn collector(host: &TempDir, server: &str, descriptors: usize) -> Child {
    let program = env!("CARGO_BIN_EXE_kubemonitor-collector");
    Command::new("sh")
        .env_clear()
        .args(["-c", &format!("ulimit -n {descriptors} && exec \"$0\" \"$@\""), program])
        .args(["--server", server, "--node", "worker-1", "--interval", "100ms"])
        .arg("--proc")
        .arg(host.path().join("proc"))
        .arg("--cgroup")
        .arg(host.path().join("cgroup"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts")
}

/// Tells it to end. The server has to go on meanwhile.
async fn end(child: Child) -> Output {
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it runs");
    let ended = tokio::task::spawn_blocking(|| child.wait_with_output()).await;
    ended.expect("no panic").expect("its output")
}

#[tokio::test]
async fn more_cgroups_than_descriptors_are_all_measured_and_sent() {
    // Fewer than the cgroups alone have files, then fewer than there are cgroups.
    for descriptors in [1024, 64] {
        let (host, server) = (host(), Server::start([]).await);
        let child = collector(&host, &server.url(), descriptors);
        server.takes(3).await;
        // One that comes when there is no room any more.
        add_service(host.path(), "late");
        let sent = server.taken().len();
        server.takes(sent + 3).await;
        let output = end(child).await;

        assert_eq!(output.status.code(), Some(0));
        let received = server.received();
        for (frame, services) in [(0, SERVICES), (received.len() - 1, SERVICES + 1)] {
            let rows = &received[frame].tick.rows;
            assert_eq!(rows.len(), 1 + services, "with {descriptors} descriptors");
            for row in &rows[1..] {
                let cpu = row.row.get(Metric::CpuUsage);
                assert_eq!((cpu, row.row.get(Metric::Pids)), (Some(7_000_000), Some(1)));
            }
        }
        let late = EntityId::parse("late.service");
        assert!(received[received.len() - 1].tick.rows.iter().any(|row| row.id == late));
        let said = String::from_utf8_lossy(&output.stderr);
        let told = said.lines().filter(|line| line.contains("not enough file descriptors"));
        assert_eq!(told.count(), 1, "{said}");
    }
}

#[tokio::test]
async fn enough_descriptors_are_no_news() {
    let (host, server) = (host(), Server::start([]).await);
    let child = collector(&host, &server.url(), 4096);
    server.takes(3).await;
    let output = end(child).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("descriptors"), "{said}");
}
