//! Beginning, ending, and clients that take their time.

use std::time::{Duration, Instant};

use kubemonitor_api::{Monitor, Server};
use kubemonitor_inventory::Inventory;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::support::{Running, settings};

const BODY: &str = r#"{"timestamp": "2026-01-31T12:00:05", "node": "other"}"#;

/// A connection on which a write was begun.
async fn begun(server: &Running) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let length = BODY.len();
    let head = format!(
        "POST /api/nodes/n HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{}",
        &BODY[..10]
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn what_is_in_flight_is_answered_before_the_server_ends() {
    let server = Running::start().await;
    let address = server.address;
    let mut stream = begun(&server).await;
    // So that the server has it.
    sleep(Duration::from_millis(200)).await;
    let ending = tokio::spawn(server.stop());
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(5), refused).await.expect("nobody new is let in");
    assert!(!ending.is_finished(), "the write is waited for");
    stream.write_all(&BODY.as_bytes()[10..]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "path and body disagree: {answer}");
    timeout(Duration::from_secs(5), ending).await.unwrap().unwrap();
}

#[tokio::test]
async fn idle_connections_do_not_delay_the_end() {
    let server = Running::start().await;
    let idle = TcpStream::connect(server.address).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    server.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    drop(idle);
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let server = Running::start().await;
    let monitor = Monitor::open(&settings(), Inventory::without_cluster()).unwrap();
    let refusal = Server::bind(server.address, monitor).await.unwrap_err().to_string();
    let port = format!("port {} of 127.0.0.1 is in use", server.address.port());
    assert!(refusal.starts_with(&port), "{refusal}");
}

#[tokio::test]
async fn clients_that_take_their_time_hold_nobody_up() {
    let server = Running::start().await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        slow.push(begun(&server).await);
        let mut head = TcpStream::connect(server.address).await.unwrap();
        head.write_all(b"GET /api/nodes HTTP/1.1\r\nho").await.unwrap();
        slow.push(head);
    }
    let asked = timeout(Duration::from_secs(5), server.get("/api/nodes")).await;
    assert_eq!(asked.expect("an answer in time").status, 200);
}
