//! HTTP/1.1 over plain sockets: one request a connection.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use rustix::net::{self, AddressFamily, SocketType};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    /// A question.
    pub fn get(path: &str) -> Self {
        Self { head: format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n"), body: Vec::new() }
    }

    /// A body for a path.
    pub fn post(path: &str, content_type: &str, body: &[u8]) -> Self {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\n\
             content-length: {length}\r\n"
        );
        Self { head, body: body.to_vec() }
    }

    /// Adds a header, whatever is in it.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(name);
        self.head.push_str(": ");
        self.head.push_str(value);
        self.head.push_str("\r\n");
        self
    }

    /// What goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head.clone().into_bytes();
        bytes.extend_from_slice(b"connection: close\r\n\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Sends it over a connection of its own and waits for all of the answer.
    ///
    /// # Errors
    /// If the connection fails, or what comes is no HTTP answer.
    pub fn send(&self, server: SocketAddr) -> io::Result<Reply> {
        self.exchange(TcpStream::connect_timeout(&server, PATIENCE)?)
    }

    /// Like [`Request::send`], from this address of the loopback interface.
    ///
    /// # Errors
    /// If the connection fails, or what comes is no HTTP answer.
    pub fn send_from(&self, source: Ipv4Addr, server: SocketAddr) -> io::Result<Reply> {
        let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
        net::bind(&socket, &SocketAddr::from((source, 0)))?;
        net::connect(&socket, &server)?;
        self.exchange(socket.into())
    }

    fn exchange(&self, mut stream: TcpStream) -> io::Result<Reply> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        // Who is refused early may find the connection closed while still writing: the answer counts.
        let written = stream.write_all(&self.bytes());
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        match Reply::parse(&answer) {
            Some(reply) => Ok(reply),
            None => Err(written.and(read.map(drop)).err().unwrap_or_else(|| {
                let text = String::from_utf8_lossy(&answer).into_owned();
                io::Error::new(io::ErrorKind::InvalidData, format!("no HTTP answer: {text:?}"))
            })),
        }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The head, as it came.
    pub head: String,
    /// The body, without chunked framing.
    pub body: Vec<u8>,
}

impl Reply {
    fn parse(answer: &[u8]) -> Option<Self> {
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        let body = answer[end + 4..].to_vec();
        let mut reply = Self { status, head, body };
        if reply.header("transfer-encoding") == Some("chunked") {
            reply.body = unchunked(&reply.body)?;
        }
        Some(reply)
    }

    /// A header's value; its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let (_, value) = lines.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(value.trim())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// A chunked body put together; `None` if it was cut off.
fn unchunked(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&body[..end]).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?, 16).ok()?;
        body = &body[end + 2..];
        if size == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(body.get(..size)?);
        body = body.get(size + 2..)?;
    }
}
