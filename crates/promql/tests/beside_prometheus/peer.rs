//! A real Prometheus with given samples.

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use tempfile::TempDir;

/// How long it may take to begin.
const START: Duration = Duration::from_secs(60);

/// A Prometheus that runs until this is dropped.
pub(crate) struct Prometheus {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts it on samples in the format `OpenMetrics`; `None` where it is not installed.
    pub(crate) fn start(open_metrics: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let (samples, data) = (folder.path().join("samples"), folder.path().join("data"));
        fs::write(&samples, open_metrics).expect("a file");
        let made = Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .args([&samples, &data])
            .stdout(Stdio::null())
            .status()
            .ok()?;
        assert!(made.success(), "promtool takes the samples");
        let config = folder.path().join("config.yml");
        fs::write(&config, "global: {}\n").expect("a file");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = free.expect("a free port").port();
        let child = Command::new("prometheus")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg("--storage.tsdb.retention.time=100y")
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let peer = Self { child, port, _folder: folder };
        let began = Instant::now();
        while peer.get("/-/ready").is_none_or(|answer| {
            !answer.starts_with("HTTP/1.0 200") && !answer.starts_with("HTTP/1.1 200")
        }) {
            assert!(began.elapsed() < START, "prometheus does not begin");
            thread::sleep(Duration::from_millis(50));
        }
        Some(peer)
    }

    pub(crate) fn instant(&self, query: &str, at_ms: i64) -> Result<Json, String> {
        self.data(&format!("/api/v1/query?query={}&time={}", encoded(query), seconds(at_ms)))
    }

    pub(crate) fn range(
        &self,
        query: &str,
        range: (i64, i64),
        step_ms: i64,
    ) -> Result<Json, String> {
        let (query, step) = (encoded(query), seconds(step_ms));
        let (start, end) = (seconds(range.0), seconds(range.1));
        self.data(&format!("/api/v1/query_range?query={query}&start={start}&end={end}&step={step}"))
    }

    fn data(&self, path: &str) -> Result<Json, String> {
        let answer = self.get(path).expect("prometheus answers");
        let body = answer.split_once("\r\n\r\n").expect("a body").1;
        let mut json: Json = serde_json::from_str(body).expect("JSON");
        match json["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(json["data"].take()),
        }
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        // Version 1.0 has no chunks.
        write!(stream, "GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn seconds(millis: i64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        // Writing to a string does not fail.
        let _ = write!(out, "%{byte:02X}");
        out
    })
}
