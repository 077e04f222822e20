//! The binary as users run it: how it begins, what it says, how it ends.

mod server;

use std::{
    fs,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use kubemonitor_model::{EntityId, EntityKind, Metric};
use server::{Reply, Server};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

const POD: &str = "0f9d4c1e-0011-2233-4455-66778899aabb";

/// A host with one pod of one container, in a folder.
fn host() -> TempDir {
    let host = tempfile::tempdir().expect("a folder");
    let pod = format!("cgroup/kubepods/burstable/pod{POD}");
    let container = format!("{pod}/{}", "ab".repeat(32));
    for folder in ["proc", "cgroup", &container] {
        fs::create_dir_all(host.path().join(folder)).expect("a folder");
    }
    for (file, text) in [
        (
            "proc/stat",
            "cpu  100 0 200 900 0 0 0 0 0 0\ncpu0 100 0 200 900 0 0 0 0 0 0\n".to_owned(),
        ),
        ("cgroup/cgroup.controllers", "cpu io memory pids\n".to_owned()),
        (&format!("{pod}/cpu.stat"), "usage_usec 7000\n".to_owned()),
        (&format!("{container}/cpu.stat"), "usage_usec 5000\n".to_owned()),
        (&format!("{container}/memory.current"), "4096\n".to_owned()),
    ] {
        fs::write(host.path().join(file), text).expect("a file");
    }
    host
}

fn collector(host: &TempDir, server: &str, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubemonitor-collector"));
    command
        .env_clear()
        .args(["--server", server, "--node", "worker-1", "--interval", "100ms"])
        .arg("--proc")
        .arg(host.path().join("proc"))
        .arg("--cgroup")
        .arg(host.path().join("cgroup"))
        .args(options)
        .stderr(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Tells the process to end and waits until it has; it has 10 s for that.
async fn terminate(mut child: Child) -> Output {
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it runs");
    let ended = timeout(Duration::from_secs(10), async {
        while child.try_wait().expect("it is ours").is_none() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    if ended.is_err() {
        child.kill().expect("it runs");
    }
    child.wait_with_output().expect("its output")
}

fn lines(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_healthy_collector_says_one_line_and_sends_what_the_host_says() {
    let (host, server) = (host(), Server::start([]).await);
    let child = collector(&host, &server.url(), &[]).spawn().expect("it starts");
    server.takes(3).await;
    let output = terminate(child).await;

    assert_eq!(output.status.code(), Some(0));
    let [line] = &lines(&output)[..] else { panic!("one line, not {:?}", lines(&output)) };
    let server_is = format!("server={}", server.url());
    for part in ["node=worker-1", "interval=100ms", &server_is, "cgroups=v2", "driver=cgroupfs"] {
        assert!(line.contains(part), "{line}");
    }

    let sequences = server.sequences();
    assert!(sequences.iter().copied().eq(1..=sequences.len() as u64), "{sequences:?}");
    let tick = &server.received()[0].tick;
    assert_eq!((tick.node.as_str(), tick.interval_ms, tick.at.0 % 100), ("worker-1", 100, 0));
    let kinds: Vec<EntityKind> = tick.rows.iter().map(|entity| entity.row.kind()).collect();
    assert_eq!(kinds, [EntityKind::Node, EntityKind::Pod, EntityKind::Container]);
    assert_eq!(tick.rows[1].id, EntityId::parse(POD));
    assert_eq!(tick.rows[2].parent, Some(1));
    let cpu: Vec<Option<u64>> =
        tick.rows.iter().map(|entity| entity.row.get(Metric::CpuUsage)).collect();
    assert_eq!(cpu, [Some(3_000_000_000), Some(7_000_000), Some(5_000_000)]);
}

#[tokio::test]
async fn told_to_end_it_sends_what_it_has() {
    let (host, server) = (host(), Server::start([]).await);
    let (address, url) = (server.address, server.url());
    server.stop().await;
    let child = collector(&host, &url, &[]).spawn().expect("it starts");
    // By now it waits for seconds before it tries again.
    sleep(Duration::from_secs(3)).await;
    let server = Server::start_on(address, []).await;
    let before = server.taken().len();
    let output = terminate(child).await;

    assert_eq!(output.status.code(), Some(0));
    let taken = server.taken();
    assert!(taken.len() >= before + 20, "{before} before, then {taken:?}");
    assert!(taken.iter().copied().eq(1..=taken.len() as u64), "{taken:?}");
    let lines = lines(&output);
    let [_started, lost, back] = &lines[..] else { panic!("three lines, not {lines:?}") };
    assert!(lost.contains("WARN") && lost.contains("Connection refused"), "{lost}");
    assert!(back.contains("queued=") && back.contains("lost=0"), "{back}");
}

#[tokio::test]
async fn told_to_end_it_does_not_wait_for_a_server_for_ever() {
    let (host, server) = (host(), Server::start([Reply::Silence; 9]).await);
    let child = collector(&host, &server.url(), &[]).spawn().expect("it starts");
    while server.received().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    let asked = Instant::now();
    let output = terminate(child).await;

    assert_eq!(output.status.code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    let last = lines(&output).pop().expect("a line");
    assert!(last.contains("before the server has taken every frame"), "{last}");
}

#[tokio::test]
async fn on_request_every_tick_is_logged() {
    let (host, server) = (host(), Server::start([]).await);
    let child = collector(&host, &server.url(), &[]).env("DEBUG", "1").spawn().expect("it starts");
    server.takes(2).await;
    let lines = lines(&terminate(child).await);
    let ticks = lines.iter().filter(|line| line.contains("sampled sequence=")).count();
    assert!(ticks >= 2 && lines.iter().all(|line| !line.contains('\u{1b}')), "{lines:?}");
}

#[test]
fn asked_to_explain_it_says_what_counts_and_ends() {
    let host = host();
    fs::create_dir_all(host.path().join("cgroup/system.slice/ssh.service")).expect("a folder");
    let output =
        collector(&host, "http://localhost:1", &["--explain"]).output().expect("it starts");
    assert_eq!((output.status.code(), lines(&output)), (Some(0), Vec::new()));
    let said = String::from_utf8_lossy(&output.stdout);
    for part in [
        "driver               cgroupfs",
        &format!("  /kubepods/burstable/pod{POD}\n"),
        &format!("pod {POD} (Burstable)"),
        "service ssh.service",
        "1 of pods, 1 of containers, 1 of units, 0 left over",
    ] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
}

#[test]
fn a_wrong_option_ends_it_with_status_2() {
    let output = collector(&host(), "monitor-api", &[]).output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    let said = lines(&output).join("\n");
    assert!(said.contains("--server") && said.contains("`monitor-api`"), "{said}");
}

#[test]
fn a_host_that_cannot_be_read_ends_it_with_status_1() {
    let host = host();
    fs::remove_file(host.path().join("proc/stat")).expect("it is there");
    let output = collector(&host, "http://localhost:1", &[]).output().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let said = lines(&output).join("\n");
    assert!(said.contains("proc/stat"), "{said}");
}
