//! Disks that lie, files that are damaged, and what does not belong to a data directory.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use kubemonitor_faults::{
    Server, ServerBuilder, kill,
    ticks::{frame, now, tick},
};
use kubemonitor_model::UnixMillis;

const SERVER: &str = env!("CARGO_BIN_EXE_kubemonitor-faults");
const TICKS: i64 = 120;
const LOGS: [&str; 4] = ["journal", "blocks", "1m", "15m"];

fn server(folder: &Path) -> ServerBuilder {
    ServerBuilder::new(SERVER).data_dir(folder).option("--fsync=always")
}

/// A server that has taken ten minutes of two nodes' ticks in.
fn fed(folder: &Path) -> Server {
    let server = server(folder).start();
    let first = now().0.div_euclid(5000) - TICKS;
    for node in ["worker-1", "worker-2"] {
        for number in first..first + TICKS {
            let tick = tick(node, number.unsigned_abs(), UnixMillis(number * 5000), 3);
            let reply = server.frame(&frame(&tick));
            assert_eq!(reply.status, 200, "{}", reply.text());
        }
    }
    server
}

fn samples(server: &Server, node: &str) -> usize {
    server.json(&format!("/api/nodes/{node}?window=3000")).as_array().unwrap().len()
}

fn files(folder: &Path, log: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join(log)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn append_zeros(path: &Path, count: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes.resize(bytes.len() + count, 0);
    fs::write(path, bytes).unwrap();
}

fn metric(server: &Server, name: &str) -> u64 {
    let text = server.get("/metrics").text();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("kubemonitor_{name} ")));
    line.unwrap_or_else(|| panic!("{name}: {text}")).parse().unwrap()
}

#[test]
fn tails_of_zeros_and_strange_files_stop_no_start_and_cost_nothing() {
    for is_killed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let first = fed(folder.path());
        if is_killed {
            first.kill();
        } else {
            assert!(first.stop(Duration::from_secs(30)).success());
        }
        for log in LOGS {
            for (path, zeros) in files(folder.path(), log).iter().zip([8, 1 << 20, 3]) {
                append_zeros(path, zeros);
            }
            let within = folder.path().join(log);
            fs::write(within.join("999.log"), "mine").unwrap();
            fs::create_dir(within.join("1700000000000.log")).unwrap();
            fs::write(within.join("1700000000001.log"), "").unwrap();
            fs::write(within.join("1700000000002.log"), vec![0; 1 << 20]).unwrap();
            if Path::new("/sys/class/net/lo/speed").exists() {
                symlink("/sys/class/net/lo/speed", within.join("1700000000003.log")).unwrap();
            }
        }
        let server = server(folder.path()).start();
        let tick_count = usize::try_from(TICKS).unwrap();
        assert_eq!(
            (samples(&server, "worker-1"), samples(&server, "worker-2")),
            (tick_count, tick_count)
        );
        let log = server.log();
        for stray in ["999.log", "1700000000000.log"] {
            assert_eq!(log.matches(stray).count(), LOGS.len(), "{log}");
        }
        assert!(log.lines().count() < 40, "{log}");
        assert_eq!(fs::read(folder.path().join("blocks/999.log")).unwrap(), b"mine");
    }
}

#[test]
fn a_flipped_bit_costs_one_record_and_answers_say_so() {
    let folder = tempfile::tempdir().unwrap();
    fed(folder.path()).kill();
    let journal = files(folder.path(), "journal").pop().unwrap();
    let mut bytes = fs::read(&journal).unwrap();
    // What came last is in no block yet.
    let place = bytes.len() - 100;
    bytes[place] ^= 0x10;
    fs::write(&journal, bytes).unwrap();
    let server = server(folder.path()).start();
    let left = samples(&server, "worker-1") + samples(&server, "worker-2");
    let all = 2 * usize::try_from(TICKS).unwrap();
    assert!((all - 24..all).contains(&left), "{left} of {all}");
    assert_eq!(metric(&server, "disk_cut_bytes"), 0);
    assert!(metric(&server, "disk_damaged_records") >= 1);
    let reply = server.get("/api/nodes/worker-1?window=3000");
    let header = reply.header("x-kubemonitor-incomplete").expect("the answer says so");
    assert!(header.contains("damaged record"), "{header}");
    assert_eq!(server.get("/api/nodes/worker-1").header("x-kubemonitor-incomplete"), None);
    let ready = server.json("/ready");
    assert!(ready["warnings"][0].as_str().unwrap().contains("damaged"), "{ready}");
    assert_eq!(server.log().matches(journal.to_str().unwrap()).count(), 1, "{}", server.log());
}

#[test]
fn a_folder_has_one_server_whatever_becomes_of_the_file_lock() {
    let folder = tempfile::tempdir().unwrap();
    let first = server(folder.path()).start();
    fs::remove_file(folder.path().join("lock")).unwrap();
    let said = server(folder.path()).refused();
    assert!(said.contains("used by another process"), "{said}");
    assert_eq!(first.get("/health").status, 200);
    first.kill();
    server(folder.path()).start();
}

#[test]
fn a_limit_of_no_bytes_is_refused_with_the_way_to_have_none() {
    let folder = tempfile::tempdir().unwrap();
    let said = server(folder.path()).option("--data-max-bytes=0").refused();
    assert!(said.contains("--data-max-bytes") && said.contains("no limit"), "{said}");
}

#[test]
fn nothing_safe_is_lost_however_often_a_server_is_killed() {
    let seen = kill::rounds(Path::new(SERVER), 6, None).unwrap();
    assert!(seen.safe > 20, "{seen:?}");
}

#[test]
fn a_server_that_waits_shows_what_it_has_as_of_its_time() {
    let folder = tempfile::tempdir().unwrap();
    assert!(fed(folder.path()).stop(Duration::from_secs(30)).success());
    let server = server(folder.path()).start();
    let pods = server.json("/api/nodes/worker-1/pods");
    assert_eq!(pods.as_array().unwrap().len(), 3, "{pods}");
}
