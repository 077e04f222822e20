//! One connection that stays open: a frame goes out, an answer comes back.

use std::{error::Error, fmt, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, StatusCode,
    client::conn::http1::{self, SendRequest},
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::{net::TcpStream, time::timeout};

use super::server::{Protocol, Server};

/// As long as a collector waits.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a frame was not taken: a few kinds, each with what was said first.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) kind: String,
    pub(super) detail: String,
}

impl Refusal {
    fn new(kind: impl fmt::Display, detail: impl fmt::Display) -> Self {
        Self { kind: kind.to_string(), detail: detail.to_string() }
    }
}

/// What is sent at once.
pub(super) struct Frame {
    pub(super) bytes: Bytes,
    /// Values in it.
    pub(super) samples: u64,
}

/// What the server says of a frame it took.
#[derive(Debug, Deserialize)]
pub(super) struct Receipt {
    pub(super) samples: u64,
    refused_entities: u64,
    /// Over how long after a tick it would like the next ones.
    #[serde(skip)]
    pub(super) spread: Duration,
}

/// What came back.
struct Heard {
    status: StatusCode,
    text: Bytes,
    spread: Duration,
}

/// A connection, opened when it is needed and again after it broke.
pub(super) struct Connection {
    server: Server,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    pub(super) fn new(server: Server) -> Self {
        Self { server, open: None }
    }

    /// Sends a frame and waits for what the server says.
    pub(super) async fn post(&mut self, frame: Frame) -> Result<Receipt, Refusal> {
        let answer = timeout(ANSWER_TIMEOUT, self.exchange(frame.bytes)).await;
        let answer = answer.unwrap_or_else(|_| {
            Err(Refusal::new("no answer", format!("within {ANSWER_TIMEOUT:?}")))
        });
        let Heard { status, text, spread } = answer.inspect_err(|_| self.open = None)?;
        if !status.is_success() {
            return Err(Refusal::new(status, String::from_utf8_lossy(&text)));
        }
        if self.server.protocol == Protocol::RemoteWrite {
            return Ok(Receipt { samples: frame.samples, refused_entities: 0, spread });
        }
        let receipt: Receipt = serde_json::from_slice(&text)
            .map_err(|error| Refusal::new("an answer that is no receipt", error))?;
        let receipt = Receipt { spread, ..receipt };
        match receipt.refused_entities {
            0 => Ok(receipt),
            some => Err(Refusal::new("entities refused", format!("{some} of the frame's"))),
        }
    }

    async fn exchange(&mut self, frame: Bytes) -> Result<Heard, Refusal> {
        let broken = |error: hyper::Error| Refusal::new("broken connection", chain(&error));
        if let Some(open) = &mut self.open
            && open.ready().await.is_err()
        {
            // The server closed it meanwhile, as it may.
            self.open = None;
        }
        let connection = match &mut self.open {
            Some(open) => open,
            none => none.insert(connect(&self.server).await?),
        };
        let request = Request::post(&self.server.path).header(HOST, &self.server.address);
        let mut request = match self.server.protocol {
            Protocol::Frames => request.header(CONTENT_TYPE, kubemonitor_frame::CONTENT_TYPE),
            Protocol::RemoteWrite => request
                .header(CONTENT_TYPE, "application/x-protobuf")
                .header(CONTENT_ENCODING, "snappy")
                .header("X-Prometheus-Remote-Write-Version", "0.1.0"),
        };
        if let Some(token) = &self.server.token {
            request = request.header(AUTHORIZATION, token);
        }
        let request =
            request.body(Full::new(frame)).map_err(|error| Refusal::new("no request", error))?;
        let response = connection.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let header = response.headers().get(kubemonitor_frame::SPREAD_HEADER);
        let millis = header.and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
        let spread = Duration::from_millis(millis);
        let text = response.into_body().collect().await.map_err(broken)?.to_bytes();
        Ok(Heard { status, text, spread })
    }
}

async fn connect(server: &Server) -> Result<SendRequest<Full<Bytes>>, Refusal> {
    let failed = |detail: String| Refusal::new("no connection", detail);
    let stream =
        TcpStream::connect(&server.address).await.map_err(|error| failed(error.to_string()))?;
    stream.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(chain(&error)))?;
    // Whoever sends on it hears of what goes wrong.
    tokio::spawn(async { drop(connection.await) });
    Ok(sender)
}

/// An error and what caused it.
fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
