//! Strangers who connect and then take their time, send half of what they announce, or read nothing.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use kubemonitor_faults::{
    Reply, Request, Server, ServerBuilder,
    ticks::{frame, now, tick},
};
use rustix::process::Signal;

const SERVER: &str = env!("CARGO_BIN_EXE_kubemonitor-faults");
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const MIB: u64 = 1 << 20;
const HALF_A_BODY: &str = "POST /api/frames HTTP/1.1\r\nhost: localhost\r\n\
     content-type: application/vnd.kubemonitor.frame\r\ncontent-length: 1048576\r\n\r\nx";

fn builder() -> ServerBuilder {
    ServerBuilder::new(SERVER)
}

/// A connection on which this was sent.
fn begun(server: &Server, sent: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(sent.as_bytes()).unwrap();
    stream
}

/// What comes over a connection until the other side ends it.
fn rest(stream: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    if let Err(error) = stream.read_to_end(&mut rest) {
        // Whoever is cut may be reset.
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}");
    }
    String::from_utf8_lossy(&rest).into_owned()
}

/// What the server answers to these bytes, as text.
fn answer(server: &Server, sent: &str) -> String {
    rest(&mut begun(server, sent))
}

/// Whether the other side has ended a connection.
fn has_ended(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let ended = loop {
        match stream.read(&mut [0; 4096]) {
            Ok(0) => break true,
            Ok(_) => {}
            Err(error) => break error.kind() != io::ErrorKind::WouldBlock,
        }
    };
    stream.set_nonblocking(false).unwrap();
    ended
}

/// A node's frame, sent as its collector does.
fn sent_frame(server: &Server, node: &str, pods: u32) -> Reply {
    server.frame(&frame(&tick(node, 1, now(), pods)))
}

/// Probes, collectors and readers are served.
fn assert_serves(server: &Server, round: usize) {
    assert_eq!(server.get("/health").status, 200);
    assert_eq!(sent_frame(server, &format!("node-{round}"), 3).status, 200);
    let page = server.get("/api/pods?limit=1");
    assert_eq!(page.status, 200, "{}", page.text());
}

#[test]
fn heads_without_an_end_take_no_memory() {
    let server = builder().start();
    let before = server.resident_bytes();
    let line = format!("x-a: {}\r\n", "a".repeat(8000));
    let head = format!("GET / HTTP/1.1\r\nhost: localhost\r\n{}", line.repeat(48));
    let mut refused: Vec<TcpStream> = (0..300)
        .filter_map(|_| {
            let mut stream = TcpStream::connect(server.address()).ok()?;
            stream.set_read_timeout(Some(PATIENCE)).ok()?;
            stream.set_write_timeout(Some(PATIENCE)).ok()?;
            // What is too much need not be taken.
            let _ = stream.write_all(head.as_bytes());
            Some(stream)
        })
        .collect();
    assert_serves(&server, 0);
    let taken = server.resident_bytes().saturating_sub(before);
    assert!(taken < 64 * MIB, "{} MiB", taken / MIB);
    let refusal = rest(&mut refused[0]);
    assert!(refusal.starts_with("HTTP/1.1 431 "), "{refusal}");
    assert!(refusal.contains("nosniff") && refusal.contains("problem:head-too-large"), "{refusal}");
}

#[test]
fn a_head_has_five_seconds_and_who_asks_nothing_more() {
    let server = builder().start();
    let mut idle = begun(&server, "");
    let mut halves = [
        begun(&server, "GET /health HT"),
        begun(
            &server,
            &format!(
                "GET /health HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nx: {}",
                "a".repeat(4000)
            ),
        ),
    ];
    let began = Instant::now();
    for half in &mut halves {
        rest(half);
    }
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(4) && took < Duration::from_secs(30), "{took:?}");
    assert!(!has_ended(&mut idle));
}

#[test]
fn idle_connections_make_room_for_new_ones() {
    let server = builder().after("ulimit -n 256").start();
    let mut idle = Vec::new();
    for round in 0..10 {
        for n in 0..50 {
            let mut stream = begun(&server, "");
            // Every other one has asked something once.
            if n % 2 == 0 {
                stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
                stream.read_exact(&mut [0; 15]).unwrap();
            }
            idle.push(stream);
        }
        assert_serves(&server, round);
    }
    let left = idle.iter_mut().map(has_ended).filter(|ended| !ended).count();
    assert!((50..200).contains(&left), "{left} are left");
}

#[test]
fn bodies_count_for_what_has_come_of_them() {
    let server = builder().start();
    let mut halves: Vec<TcpStream> = (0..200).map(|_| begun(&server, HALF_A_BODY)).collect();
    for round in 0..5 {
        assert_serves(&server, round);
    }
    for half in &mut halves[..10] {
        let refusal = rest(half);
        assert!(refusal.starts_with("HTTP/1.1 408 "), "{refusal}");
    }
}

#[test]
fn slow_readers_hold_nobody_up() {
    let server = builder().start();
    for node in 0..20 {
        assert_eq!(sent_frame(&server, &format!("n-{node}"), 250).status, 200);
    }
    let whole = server.json("/api/pods").as_array().unwrap().len();
    assert_eq!(whole, 5000);
    let base = server.resident_bytes();
    let list = "GET /api/pods HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let readers: Vec<TcpStream> = (0..100).map(|_| begun(&server, list)).collect();
    for round in 0..5 {
        assert_serves(&server, round);
    }
    // More than are under way at a time: those that read nothing give way.
    let again = server.json("/api/pods").as_array().unwrap().len();
    assert!(again >= whole, "{again}");
    let grown = server.resident_bytes().saturating_sub(base);
    assert!(grown < 256 << 20, "{} MiB", grown >> 20);
    drop(readers);
}

#[test]
fn half_sent_requests_do_not_delay_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let server = builder().data_dir(folder.path()).start();
    let _halves =
        [begun(&server, "GET /health HT"), begun(&server, HALF_A_BODY), begun(&server, "")];
    assert_serves(&server, 0);
    // With as much to spare as a busy machine needs: it was ten seconds and more.
    assert!(server.stop(Duration::from_secs(8)).success());
}

#[test]
fn a_hangup_ends_the_server_in_order_and_nohup_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let builder = builder().data_dir(folder.path()).option("--fsync=1s");
    let server = builder.start();
    assert_eq!(sent_frame(&server, "node", 3).status, 200);
    assert!(server.stop_with(Signal::HUP, PATIENCE).success());

    let mut server = builder.after("trap '' HUP").start();
    assert_eq!(server.json("/api/nodes/node?window=600").as_array().unwrap().len(), 1);
    server.signal(Signal::HUP);
    thread::sleep(Duration::from_millis(500));
    assert!(server.is_running());
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn the_host_is_checked_and_nothing_is_sniffed() {
    let server = builder().option("--allowed-hosts=monitor.example").start();
    let get = |target: &str, headers: &str| {
        let close = "connection: close\r\n\r\n";
        answer(&server, &format!("GET {target} HTTP/1.1\r\n{headers}{close}"))
    };
    for (target, headers, status) in [
        ("/health", "host: localhost:8080\r\n", 200),
        ("/health", "host: Monitor.Example\r\n", 200),
        ("/health", "host: 127.0.0.1\r\n", 200),
        ("http://monitor.example/health", "host: monitor.example\r\n", 200),
        ("/none", "host: localhost\r\n", 404),
        ("/health", "host: evil.example\r\n", 421),
        ("http://evil.example/health", "host: localhost\r\n", 421),
        ("http://localhost/health", "host: evil.example\r\n", 421),
        ("/health", "host: localhost\r\nhost: localhost\r\n", 400),
        ("/health", "host: localhost\r\nhost: evil.example\r\n", 400),
        ("/health", "host: a@localhost\r\n", 400),
        ("/health", "", 400),
        ("/health", "host: localhost\r\nbad header\r\n", 400),
    ] {
        let answer = get(target, headers);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{target} {headers}: {answer}");
        assert!(answer.contains("x-content-type-options: nosniff\r\n"), "{answer}");
    }
    let refusal = get("/health", "host: evil.example\r\n");
    assert!(refusal.contains("--allowed-hosts evil.example"), "{refusal}");
    let write = "POST /api/nodes/a HTTP/1.1\r\nhost: evil\r\nconnection: close\r\n\
                 content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    assert!(answer(&server, write).starts_with("HTTP/1.1 421 "));
}

#[test]
fn http_is_spoken_as_ever() {
    let server = builder().start();
    let close = "host: localhost\r\nconnection: close\r\n";
    let count = |answer: &str, of: &str| answer.matches(of).count();

    let one = "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let pipelined = answer(&server, &format!("{one}{one}GET /health HTTP/1.1\r\n{close}\r\n"));
    assert_eq!(count(&pipelined, "HTTP/1.1 200 OK"), 3, "{pipelined}");

    let head = answer(&server, &format!("HEAD /health HTTP/1.1\r\n{close}\r\n"));
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");

    let upgrade = format!("GET /health HTTP/1.1\r\nupgrade: h2c\r\n{close}\r\n");
    assert!(answer(&server, &upgrade).starts_with("HTTP/1.1 200 "));

    let body = frame(&tick("chunked", 1, now(), 3));
    let mut chunked = begun(
        &server,
        &format!(
            "POST /api/frames HTTP/1.1\r\n{close}content-type: application/octet-stream\r\n\
         transfer-encoding: chunked\r\n\r\n"
        ),
    );
    for chunk in body.chunks(7) {
        write!(chunked, "{:x}\r\n", chunk.len()).unwrap();
        chunked.write_all(chunk).unwrap();
        chunked.write_all(b"\r\n").unwrap();
    }
    chunked.write_all(b"0\r\n\r\n").unwrap();
    let taken = rest(&mut chunked);
    assert!(taken.starts_with("HTTP/1.1 200 "), "{taken}");

    let body = frame(&tick("expecting", 1, now(), 3));
    let mut expecting = begun(
        &server,
        &format!(
            "POST /api/frames HTTP/1.1\r\n{close}content-type: application/octet-stream\r\n\
         expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
            body.len()
        ),
    );
    let mut go_on = [0; 25];
    expecting.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    expecting.write_all(&body).unwrap();
    assert!(rest(&mut expecting).starts_with("HTTP/1.1 200 "));

    // Too large, and said so before it is sent; and while it is being sent.
    let large = "x".repeat(kubemonitor_frame::MAX_FRAME_BYTES + 1);
    let refused = Request::post("/api/frames", "application/octet-stream", large.as_bytes());
    assert_eq!(refused.send(server.address()).unwrap().status, 413);

    let smuggled = format!(
        "POST /api/frames HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n\
         transfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\n{close}\r\n"
    );
    assert_eq!(count(&answer(&server, &smuggled), "HTTP/1.1 200"), 0);
}
