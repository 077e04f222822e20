//! What collectors send.

use kubemonitor_model::Metric;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Running, node, recent, send, settings, tick};

fn frame() -> Vec<u8> {
    let rows = vec![node("n", &[(Metric::CpuUsage, 5), (Metric::Load1, 6)])];
    crate::support::frame(&tick("n", recent(0), rows))
}

#[tokio::test]
async fn a_frame_is_taken_once() {
    let server = Running::start().await;
    let frame = frame();
    for (content_type, samples, duplicate) in [
        ("application/vnd.kubemonitor.frame", 2, false),
        ("application/octet-stream", 0, true),
        ("Application/Octet-Stream; charset=binary", 0, true),
    ] {
        let headers = [("content-type", content_type)];
        let reply = send(server.address, "POST", "/api/frames", &headers, frame.clone()).await;
        let receipt = json!({
            "status": "ok", "samples": samples, "duplicate": duplicate, "refused_entities": 0
        });
        assert_eq!((reply.status, reply.json()), (200, receipt));
    }
    assert_eq!(server.json("/api/nodes/n?window=60").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_frame_is_refused_with_where_it_goes_wrong() {
    let server = Running::start().await;
    let headers = [("content-type", kubemonitor_frame::CONTENT_TYPE)];
    let whole = frame();
    for (body, why) in [
        (Vec::new(), "byte 0 of the frame"),
        (b"hello".to_vec(), "not a frame"),
        (whole[..whole.len() - 1].to_vec(), "ends here"),
        ([whole.as_slice(), b"x"].concat(), "of the frame"),
    ] {
        let reply = send(server.address, "POST", "/api/frames", &headers, body).await;
        let problem = reply.problem(400);
        assert!(problem["detail"].as_str().unwrap().contains(why), "{problem}");
    }
    assert_eq!(server.json("/api/nodes").await, json!([]));
}

#[tokio::test]
async fn a_frame_whose_time_has_not_come_is_for_later_and_one_too_late_is_refused() {
    let server = Running::start().await;
    let headers = [("content-type", kubemonitor_frame::CONTENT_TYPE)];
    server.tick(&tick("n", recent(0), vec![node("n", &[])])).await;
    for (intervals_ago, status, kind) in [(-1000, 425, "frame-time"), (1000, 400, "refused-sample")]
    {
        let body = crate::support::frame(&tick("n", recent(intervals_ago), vec![node("n", &[])]));
        let reply = send(server.address, "POST", "/api/frames", &headers, body).await;
        let kind = format!("urn:kubemonitor:problem:{kind}");
        assert_eq!(reply.problem(status)["type"], kind);
    }
}

#[tokio::test]
async fn other_types_are_refused() {
    let server = Running::start().await;
    for headers in [&[("content-type", "application/json")][..], &[]] {
        let reply = send(server.address, "POST", "/api/frames", headers, frame()).await;
        let problem = reply.problem(415);
        assert!(problem["detail"].as_str().unwrap().contains("vnd.kubemonitor.frame"));
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let server = Running::start().await;
    let head = "POST /api/frames HTTP/1.1\r\nhost: test\r\n\
                content-type: application/octet-stream\r\n";
    for body in [
        "content-length: 4194305\r\n\r\n".to_owned(),
        format!("transfer-encoding: chunked\r\n\r\n400001\r\n{}", "x".repeat(0x40_0001)),
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 413");
    }
}

#[tokio::test]
async fn no_more_entities_are_begun_than_the_server_may_hold() {
    let mut settings = settings();
    settings.storage.limits.max_series = 1;
    let server =
        Running::with(&settings, kubemonitor_inventory::Inventory::without_cluster()).await;
    server.tick(&tick("n", recent(0), vec![node("n", &[(Metric::Load1, 1)])])).await;
    let body = crate::support::frame(&tick("m", recent(0), vec![node("m", &[(Metric::Load1, 1)])]));
    let headers = [("content-type", kubemonitor_frame::CONTENT_TYPE)];
    let reply = send(server.address, "POST", "/api/frames", &headers, body).await;
    assert_eq!(reply.header("retry-after"), Some("2"));
    assert_eq!(reply.problem(429)["type"], "urn:kubemonitor:problem:over-the-limit");
}

#[tokio::test]
async fn the_server_counts_what_it_takes() {
    let server = Running::start().await;
    let same = tick("n", recent(0), vec![node("n", &[(Metric::Load1, 1)])]);
    server.tick(&same).await;
    server.tick(&same).await;
    let reply = server.get("/metrics").await;
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = reply.text();
    for line in [
        "kubemonitor_store_nodes 1",
        "kubemonitor_store_series 1",
        "kubemonitor_ingested_samples_total 1",
        "kubemonitor_duplicate_frames_total 1",
        "# TYPE kubemonitor_store_bytes gauge",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}
