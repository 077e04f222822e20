//! Whatever is asked or sent, memory stays bounded.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use kubemonitor_faults::{
    MemoryCgroup, Request, Server, ServerBuilder,
    ticks::{frame, now, tick},
};
use kubemonitor_model::{EntityId, EntityKind, EntityRow, Metric, Row, Tick, UnixMillis};
use serde_json::json;

const SERVER: &str = env!("CARGO_BIN_EXE_kubemonitor-faults");
const MIB: u64 = 1 << 20;

/// A cgroup of so many MiB; `None`, saying so, where this is not for us.
fn cgroup(mib: u64) -> Option<MemoryCgroup> {
    MemoryCgroup::new(mib * MIB)
        .inspect_err(|error| eprintln!("skipped: no cgroup with a limit can be made: {error}"))
        .ok()
}

/// A node's tick with so many units that nobody has heard of, whose names are 250 bytes long.
fn strangers(node: &str, number: u64, units: u64) -> Vec<u8> {
    let mut row = Row::new(EntityKind::Unit);
    row.set(Metric::MemoryWorkingSet, Some(number));
    let unit = |unit| EntityRow {
        id: EntityId::parse(&format!("{node}-{number}-{unit:0>240}")),
        parent: None,
        qos: None,
        newborn: false,
        row: row.clone(),
    };
    let ours = tick(node, number, now(), 0);
    frame(&Tick { rows: ours.rows.into_iter().chain((0..units).map(unit)).collect(), ..ours })
}

/// The value of one of the server's own metrics.
fn metric(server: &Server, name: &str) -> u64 {
    let text = server.get("/metrics").text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} in {text}")).parse().unwrap()
}

/// Waits until something holds.
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_flood_of_names_is_refused_before_memory_is_gone_and_what_is_known_goes_on() {
    let Some(cgroup) = cgroup(160) else { return };
    let mut server = ServerBuilder::new(SERVER).in_cgroup(&cgroup).start();
    assert_eq!(metric(&server, "kubemonitor_memory_limit_bytes"), 128 * MIB);
    assert_eq!(server.frame(&frame(&tick("worker-1", 1, now().minus(5000), 3))).status, 200);
    // Half a million names: 130 MB are sent, and several times as much would be taken.
    let mut refused = 0;
    for number in 0..180 {
        let node = format!("stranger-{}", number % 60);
        let reply = server.frame(&strangers(&node, 1 + number, 3000));
        assert!([200, 429].contains(&reply.status), "{}", reply.text());
        refused += u32::from(reply.status == 429);
    }
    assert!(refused > 0, "some were refused as a whole");
    assert!(server.is_running() && server.resident_bytes() < 150 * MIB);
    // Pushed ones are refused too, and leave nothing behind.
    let time = "timestamp";
    let pod = json!({time: written(now()), "pod": "p", "namespace": "s", "deployment": "d"});
    let reply = push(&server, "/api/pods/p", &pod);
    assert_eq!(reply.status, 429, "{}", reply.text());
    assert!(reply.text().contains("--memory-limit"), "{}", reply.text());
    for path in ["/api/pods/p", "/api/namespaces/s"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    // It is told, and those who were there before are measured on.
    let ready = server.json("/ready");
    assert!(ready["problem"].as_str().unwrap().contains("memory is full"), "{ready}");
    assert_eq!(metric(&server, "kubemonitor_memory_full"), 1);
    assert!(metric(&server, "kubemonitor_refused_entities_total") > 0);
    let reply = server.frame(&frame(&tick("worker-1", 2, now(), 3)));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(server.json("/api/nodes/worker-1/pods").as_array().unwrap().len(), 3);
    assert_eq!(server.json("/api/nodes/worker-1?window=60").as_array().unwrap().len(), 2);
}

#[test]
fn the_oldest_samples_leave_when_memory_is_short_and_the_newest_view_stays() {
    const PODS: u32 = 1500;
    const TICKS: i32 = 640;
    let Some(cgroup) = cgroup(96) else { return };
    let mut server = ServerBuilder::new(SERVER).in_cgroup(&cgroup).start();
    let newest = now();
    for number in 0..i64::from(TICKS) {
        let at = UnixMillis(newest.0 - (i64::from(TICKS) - 1 - number) * 5000);
        let mut tick = tick("worker-1", number.unsigned_abs(), at, PODS);
        // Values that no compression makes shorter.
        for (place, entity) in (0_u64..).zip(&mut tick.rows) {
            let seed = (place + 1).wrapping_mul(number.unsigned_abs() + 1);
            for (n, metric) in (1_u64..).zip([
                Metric::MemoryWorkingSet,
                Metric::MemoryRss,
                Metric::MemoryUsage,
                Metric::MemoryFile,
                Metric::MemoryLimit,
                Metric::MemoryPeak,
            ]) {
                let value = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ n << 40);
                entity.row.set(metric, Some(value >> 4));
            }
        }
        let reply = server.frame(&frame(&tick));
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    assert!(server.is_running(), "{}", server.log());
    assert!(metric(&server, "kubemonitor_memory_shed_bytes_total") > 0, "{}", server.log());
    assert!(server.resident_bytes() < 92 * MIB, "{}", server.resident_bytes());
    assert!(server.log().contains("the oldest samples have left"), "{}", server.log());
    let pods = server.json("/api/nodes/worker-1/pods");
    assert_eq!(pods.as_array().unwrap().len(), PODS as usize);
    let samples = server.json("/api/nodes/worker-1?window=3600");
    let samples = samples.as_array().unwrap();
    assert!(
        !samples.is_empty() && samples.len() < TICKS.unsigned_abs() as usize,
        "{}",
        samples.len()
    );
    assert_eq!(samples.last().unwrap()["timestamp"], written(newest));
}

/// Pushes a sample as JSON.
fn push(server: &Server, path: &str, sample: &serde_json::Value) -> kubemonitor_faults::Reply {
    let body = sample.to_string();
    Request::post(path, "application/json", body.as_bytes()).send(server.address()).unwrap()
}

#[test]
fn a_page_of_one_and_lists_of_all_take_little_whoever_asks() {
    const NODES: u64 = 150;
    const PODS: u32 = 100;
    let server = ServerBuilder::new(SERVER).option("--memory-limit=off").start();
    for number in [1, 2] {
        for node in 0..NODES {
            let at = now().minus(10_000 - 5000 * i64::try_from(number).unwrap());
            let frame = frame(&tick(&format!("worker-{node}"), number, at, PODS));
            assert_eq!(server.frame(&frame).status, 200);
        }
    }
    let base = server.resident_bytes();
    for (path, most_mib) in [
        ("/api/pods?limit=1", 40),
        ("/api/pods?sort=-cpu&limit=1", 40),
        ("/api/pods?sort=memory&limit=1", 40),
        ("/api/pods", 100),
        ("/api/pods?sort=cpu", 100),
        ("/api/pods?window=60", 100),
    ] {
        let mut peak = base;
        thread::scope(|scope| {
            let asked: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| assert_eq!(server.get(path).status, 200, "{path}")))
                .collect();
            while !asked.iter().all(ScopedJoinHandle::is_finished) {
                peak = peak.max(server.resident_bytes());
                thread::sleep(Duration::from_millis(5));
            }
        });
        let grown_mib = (peak - base) / MIB;
        assert!(grown_mib < most_mib, "{path}: {grown_mib} MiB");
    }
    eventually("memory goes back to the system", || server.resident_bytes() < base + 60 * MIB);
    let long = format!("/api/pods?labelSelector={}", vec!["app%3Dweb"; 1500].join(","));
    let refusal = server.get(&long);
    assert_eq!(refusal.status, 400, "{}", refusal.text());
    assert!(refusal.text().contains("at most"), "{}", refusal.text());
}

#[test]
fn names_made_up_in_pushes_take_no_room() {
    let server = ServerBuilder::new(SERVER).start();
    let long = "x".repeat(900_000);
    for (field, value) in [
        ("deployment", long.as_str()),
        ("deployment", "a/b"),
        ("deployment", "a\0b"),
        ("deployment", "a\nb"),
        ("namespace", long.as_str()),
        ("node", "a/b"),
        ("node", &long[..300]),
    ] {
        let mut pod = json!({"timestamp": written(now()), "pod": "p", "namespace": "s"});
        pod[field] = value.into();
        let reply = push(&server, "/api/pods/p", &pod);
        assert_eq!(reply.status, 400, "{field}: {}", reply.text());
        assert_eq!(reply.json()["field"], field);
        assert!(reply.body.len() < 2000, "{}", reply.body.len());
    }
    assert_eq!(server.json("/api/namespaces"), json!([]));
    assert_eq!(server.json("/api/pods"), json!([]));
}

/// A moment as JSON has it.
fn written(at: UnixMillis) -> String {
    jiff::Timestamp::from_millisecond(at.0).unwrap().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
