//! Clocks that are wrong, jump, and are put right: the server's and its collectors'.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{thread, time::Duration};

use kubemonitor_faults::{
    Server, ServerBuilder, WallClock,
    ticks::{frame, now, tick},
};
use kubemonitor_model::{Tick, UnixMillis};
use serde_json::Value;

const SERVER: &str = env!("CARGO_BIN_EXE_kubemonitor-faults");
const DAY_S: i64 = 86_400;

/// A collector that ticks each second, and has done so for a while.
struct Collector {
    number: i64,
    off_s: i64,
    instance: u64,
}

impl Collector {
    fn new(off_s: i64) -> Self {
        Self { number: now().0.div_euclid(1000) - 60, off_s, instance: 7 }
    }

    /// What it sends at a tick.
    fn tick(&self) -> Tick {
        let at = UnixMillis((self.number + self.off_s) * 1000);
        let tick = tick("worker-1", self.number.unsigned_abs(), at, 2);
        Tick { interval_ms: 1000, instance: self.instance, ..tick }
    }

    /// Sends all ticks up to now; each must be taken.
    fn catch_up(&mut self, server: &Server) {
        while self.number * 1000 <= now().0 {
            let reply = server.frame(&frame(&self.tick()));
            assert_eq!(reply.status, 200, "{}", reply.text());
            assert_eq!(reply.json()["duplicate"], false);
            self.number += 1;
        }
    }

    fn goes_on(&mut self, server: &Server, seconds: u64) {
        for _ in 0..seconds * 5 {
            self.catch_up(server);
            thread::sleep(Duration::from_millis(200));
        }
    }
}

fn samples(server: &Server, window: u32) -> Vec<Value> {
    let samples = server.json(&format!("/api/nodes/worker-1?window={window}"));
    samples.as_array().unwrap().clone()
}

fn node(server: &Server) -> Value {
    server.json("/api/nodes/worker-1")[0].clone()
}

#[test]
fn a_server_whose_clock_is_wrong_for_seconds_keeps_all_and_says_so() {
    let Some(clock) = WallClock::new() else { return };
    for ahead_s in [2 * 3600, 40 * DAY_S, -3600] {
        clock.set(0);
        let server = clock.of(ServerBuilder::new(SERVER)).start();
        let mut collector = Collector::new(0);
        collector.catch_up(&server);
        clock.set(ahead_s);
        // Long enough for a sweep.
        collector.goes_on(&server, 6);
        assert_eq!(node(&server)["stale"], false);
        assert!(samples(&server, 10).len() >= 5, "{ahead_s} s ahead: the newest is shown");
        let ready = server.json("/ready");
        assert!(ready["warnings"].to_string().contains("clock"), "{ahead_s} s ahead: {ready}");
        clock.set(0);
        collector.goes_on(&server, 1);
        let held = samples(&server, 3600);
        assert!(held.len() >= 66, "{ahead_s} s ahead: {} samples", held.len());
        assert_eq!(server.json("/ready")["warnings"], serde_json::json!([]));
        assert_eq!(server.log().matches("the clock has jumped").count(), 1, "{}", server.log());
    }
}

#[test]
fn a_start_with_a_wrong_clock_deletes_nothing() {
    let Some(clock) = WallClock::new() else { return };
    for off_s in [40 * DAY_S, -7200, -40 * DAY_S] {
        let folder = tempfile::tempdir().unwrap();
        let builder = clock.of(ServerBuilder::new(SERVER).data_dir(folder.path()));
        clock.set(0);
        let server = builder.start();
        let mut collector = Collector::new(0);
        collector.catch_up(&server);
        assert!(server.stop(Duration::from_secs(30)).success());
        clock.set(off_s);
        let server = builder.start();
        thread::sleep(Duration::from_secs(6));
        let ready = server.json("/ready");
        assert_ne!(ready["warnings"], serde_json::json!([]), "{off_s} s off: {ready}");
        assert!(server.stop(Duration::from_secs(30)).success());
        clock.set(0);
        let server = builder.start();
        // Long enough for what a wrong clock has left to be tidied up by the right one.
        thread::sleep(Duration::from_secs(6));
        let held = samples(&server, 3600).len();
        assert!(held >= 60, "{off_s} s off: {held} samples");
    }
}

#[test]
fn what_came_while_the_clock_was_ahead_survives_a_kill_once_it_is_right() {
    let Some(clock) = WallClock::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let builder = clock.of(ServerBuilder::new(SERVER).data_dir(folder.path()));
    clock.set(7200);
    let server = builder.start();
    let mut collector = Collector::new(0);
    collector.goes_on(&server, 2);
    clock.set(0);
    // Long enough for a sweep and another file of the journal.
    collector.goes_on(&server, 8);
    let before = samples(&server, 3600).len();
    thread::sleep(Duration::from_secs(1));
    server.kill();
    let server = builder.start();
    let held = samples(&server, 3600).len();
    assert!(held >= before, "{held} of {before} samples");
}

#[test]
fn collectors_clocks_that_are_set_lose_nothing_and_show_how_far_they_are_off() {
    for off_s in [-300, 300, -3600, 3600] {
        let server = ServerBuilder::new(SERVER).start();
        let mut collector = Collector::new(0);
        collector.catch_up(&server);
        collector.off_s = off_s;
        collector.goes_on(&server, 4);
        let shown = node(&server);
        let skew_s = shown["clock_skew_ms"].as_i64().unwrap() as f64 / 1000.0;
        assert!((skew_s - off_s as f64).abs() < 3.0, "{off_s} s off: {shown}");
        assert!(samples(&server, 10).len() >= 5, "{off_s} s off: the newest is shown");
        let name = "kubemonitor_node_clock_skew_seconds{node=\"worker-1\"}";
        assert!(server.get("/metrics").text().contains(name));
        let warnings = server.json("/ready")["warnings"].to_string();
        assert!(warnings.contains("of most nodes"), "{off_s} s off: {warnings}");
        collector.off_s = 0;
        collector.goes_on(&server, 3);
        let held = samples(&server, 3600);
        assert!(held.len() >= 64, "{off_s} s off: {}", held.len());
        let right_again = node(&server)["clock_skew_ms"].as_i64().unwrap();
        assert!(right_again.abs() < 3000, "{off_s} s off, and right again: {right_again}");
    }
}

#[test]
fn another_collector_for_a_node_is_a_conflict_until_the_first_is_silent() {
    let server = ServerBuilder::new(SERVER).start();
    let mut honest = Collector::new(0);
    honest.catch_up(&server);
    for number in 0..50 {
        let forged = Collector { number: honest.number + number, off_s: 0, instance: 8 };
        let reply = server.frame(&frame(&forged.tick()));
        assert_eq!(reply.status, 409, "{}", reply.text());
        assert_eq!(reply.json()["type"], "urn:kubemonitor:problem:node-conflict");
        honest.catch_up(&server);
    }
    assert_eq!(node(&server)["conflicting_frames"], 50);
    assert!(server.get("/metrics").text().contains("kubemonitor_conflicting_frames_total 50"));
    // Two intervals of silence, and somewhat more.
    thread::sleep(Duration::from_secs(3));
    let mut restarted = Collector { number: now().0.div_euclid(1000), off_s: 0, instance: 9 };
    restarted.catch_up(&server);
}
