//! Runs against a server that says what it took.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use kubemonitor_model::NodeName;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::{clock::now, fleet::Shape};

/// Answers frames until the test ends.
struct FrameServer {
    url: String,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    connections: usize,
    /// Of each node, its ticks in the order they came.
    ticks: HashMap<NodeName, Vec<i64>>,
}

impl FrameServer {
    /// Answers each frame with this status.
    async fn start(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().connections += 1;
                tokio::spawn(serve(stream, Arc::clone(&shared), status));
            }
        });
        Self { url, seen }
    }

    fn plan(&self, ticks: u32, pace: Pace, connections: usize) -> Plan {
        Plan { server: self.url.parse().unwrap(), history: 0, ticks, pace, connections }
    }
}

/// Reads requests of one connection: heads with a length, and bodies of it.
async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Seen>>, status: &str) {
    let mut read = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
        assert!(head.starts_with("post /api/frames http/1.1"), "{head}");
        assert!(head.contains("application/vnd.kubemonitor.frame"), "{head}");
        let length = head.split("content-length: ").nth(1).unwrap();
        let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
        while read.len() < end + length {
            stream.read_buf(&mut read).await.unwrap();
        }
        let tick = kubemonitor_frame::decode(&read[end..end + length]).unwrap();
        read.drain(..end + length);
        let samples: u32 = tick.rows.iter().map(|row| row.row.present().count_ones()).sum();
        seen.lock().ticks.entry(tick.node).or_default().push(tick.at.0);
        let body = format!("{{\"samples\":{samples},\"refused_entities\":0}}");
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

fn fleet(nodes: u32, interval: &str) -> Fleet {
    let interval = interval.parse().unwrap();
    Fleet::new(Shape { nodes, pods: 3, interval, ..Shape::default() }).unwrap()
}

#[tokio::test]
async fn all_ticks_arrive_in_order_over_few_connections() {
    let server = FrameServer::start("200 OK").await;
    let plan = server.plan(6, Pace::Unpaced, 2);
    let report = run(fleet(5, "5s"), &plan, None, std::future::pending()).await;
    assert!(report.is_clean());
    assert_eq!((report.frames, report.planned_frames), (30, 30));
    assert!(report.samples > 30 * 100 && report.bytes > report.samples);
    assert!(report.acknowledgement.unwrap().max_ms > 0.0 && report.lag.is_none());
    let seen = server.seen.lock();
    assert_eq!((seen.connections, seen.ticks.len()), (2, 5));
    for ticks in seen.ticks.values() {
        assert!(ticks.windows(2).all(|pair| pair[1] - pair[0] == 5000), "{ticks:?}");
        assert!((0..10_000).contains(&(now().0 - ticks[5])), "{ticks:?}");
    }
}

#[tokio::test]
async fn by_the_clock_frames_are_sent_at_their_ticks() {
    let server = FrameServer::start("200 OK").await;
    let plan = server.plan(3, Pace::Clock(Some(Duration::from_millis(50))), 4);
    let begun = Instant::now();
    let report = run(fleet(4, "200ms"), &plan, None, std::future::pending()).await;
    assert!((0.4..3.0).contains(&begun.elapsed().as_secs_f64()), "{:?}", begun.elapsed());
    assert_eq!((report.frames, report.is_clean()), (12, true));
    assert!(report.lag.is_some());
    assert_eq!(server.seen.lock().connections, 4);
}

#[tokio::test]
async fn history_comes_first_and_ends_before_the_clocks_ticks() {
    let server = FrameServer::start("200 OK").await;
    let plan = Plan { history: 5, ..server.plan(2, Pace::Clock(Some(Duration::ZERO)), 3) };
    let report = run(fleet(3, "200ms"), &plan, None, std::future::pending()).await;
    assert_eq!((report.frames, report.is_clean()), (6, true));
    assert!(report.history_samples > report.samples);
    for ticks in server.seen.lock().ticks.values() {
        assert_eq!(ticks.len(), 7);
        assert!(ticks.is_sorted_by(|one, next| one < next), "{ticks:?}");
    }
}

#[test]
fn long_answers_count_as_long() {
    let tally = tally::Tally::new(1);
    for micros in [1, 5_000_000, u64::MAX] {
        tally.lagged(Duration::from_micros(micros));
    }
    let lag = tally.report().lag.unwrap();
    assert!((4990.0..5010.0).contains(&lag.p50_ms) && lag.max_ms > 500_000.0, "{lag}");
}

#[tokio::test]
async fn what_the_server_refuses_is_reported_by_kind() {
    let server = FrameServer::start("429 Too Many Requests").await;
    let plan = server.plan(4, Pace::Unpaced, 1);
    let report = run(fleet(1, "5s"), &plan, None, std::future::pending()).await;
    assert_eq!((report.frames, report.failed_frames, report.is_clean()), (0, 4, false));
    let failure = &report.failures["429 Too Many Requests"];
    assert_eq!(failure.frames, 4);
    assert!(failure.first.contains("samples"), "{}", failure.first);
    assert!(report.to_string().contains("4 frames: 429"), "{report}");
}

#[tokio::test]
async fn a_server_that_goes_away_is_reported_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let plan = Plan { server, history: 0, ticks: 2, pace: Pace::Unpaced, connections: 1 };
    let report = run(fleet(1, "5s"), &plan, None, std::future::pending()).await;
    assert_eq!(report.failures["no connection"].frames, 2);
    assert_eq!(report.acknowledgement, None);
}

#[tokio::test]
async fn whoever_stops_early_is_told_how_far_it_came() {
    let server = FrameServer::start("200 OK").await;
    let plan = server.plan(100, Pace::Clock(Some(Duration::ZERO)), 1);
    let stop = tokio::time::sleep(Duration::from_millis(900));
    let report = run(fleet(1, "200ms"), &plan, None, stop).await;
    assert!((1..10).contains(&report.frames), "{} frames", report.frames);
    assert_eq!(report.planned_frames, 100);
    assert!(report.is_clean());
}
