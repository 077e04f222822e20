//! A server that takes frames, or does what else a server may do to a collector.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use kubemonitor_model::Tick;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// What the server does with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    /// Answers with this status.
    Status(u16),
    /// Answers with this status and asks to be left alone for so many seconds.
    RetryAfter(u16, u64),
    /// Takes the frame and asks for the next ones over so many milliseconds.
    Spread(u64),
    /// Takes the frame and hangs up without an answer.
    HangUp,
    /// Takes the frame and says nothing.
    Silence,
    /// Wants this bearer token, and answers 401 without it.
    Token(&'static str),
}

/// A frame that came, and when.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) tick: Tick,
    pub(crate) at: Instant,
    pub(crate) status: Option<u16>,
}

#[derive(Default)]
struct State {
    replies: VecDeque<Reply>,
    received: Vec<Received>,
    connections: usize,
}

/// The server; it goes when this does, and all its connections with it.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    tasks: JoinSet<()>,
}

impl Server {
    /// On a port that is free. Gives these replies to the first requests, and 204 to those after.
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0)), replies).await
    }

    /// On this address.
    pub(crate) async fn start_on(
        address: SocketAddr,
        replies: impl IntoIterator<Item = Reply>,
    ) -> Self {
        Self::serve(address, replies, None).await
    }

    /// On a port that is free, encrypted.
    pub(crate) async fn start_tls(acceptor: TlsAcceptor) -> Self {
        Self::serve(SocketAddr::from(([127, 0, 0, 1], 0)), [], Some(acceptor)).await
    }

    async fn serve(
        address: SocketAddr,
        replies: impl IntoIterator<Item = Reply>,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind(address).await.expect("the port is free");
        let address = listener.local_addr().expect("an address");
        let replies = replies.into_iter().collect();
        let state = Arc::new(Mutex::new(State { replies, ..State::default() }));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&state), tls));
        Self { address, state, tasks }
    }

    /// Gives the port back.
    pub(crate) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All frames that came, in the order they came.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.lock().expect("no panic").received.clone()
    }

    /// The numbers of the frames that came.
    pub(crate) fn sequences(&self) -> Vec<u64> {
        self.received().iter().map(|received| received.tick.sequence).collect()
    }

    /// The numbers of the frames that were taken.
    pub(crate) fn taken(&self) -> Vec<u64> {
        let taken = |received: &Received| received.status == Some(204);
        self.received().into_iter().filter(taken).map(|received| received.tick.sequence).collect()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().expect("no panic").connections
    }

    /// Waits until so many frames came, whatever became of them.
    pub(crate) async fn receives(&self, frames: usize) {
        let enough = async {
            while self.received().len() < frames {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), enough).await;
        assert!(waited.is_ok(), "{frames} frames were to come, not only {:?}", self.sequences());
    }

    /// Waits until so many frames were taken.
    pub(crate) async fn takes(&self, frames: usize) {
        let enough = async {
            while self.taken().len() < frames {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), enough).await;
        assert!(waited.is_ok(), "{frames} frames were to be taken, not only {:?}", self.taken());
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>, tls: Option<TlsAcceptor>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        state.lock().expect("no panic").connections += 1;
        let state = Arc::clone(&state);
        match tls.clone() {
            None => connections.spawn(talk(stream, state)),
            Some(tls) => connections.spawn(async move {
                if let Ok(stream) = tls.accept(stream).await {
                    talk(stream, state).await;
                }
            }),
        };
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(stream: S, state: Arc<Mutex<State>>) {
    let service = service_fn(|request| answer(request, Arc::clone(&state)));
    // It ends in an error wherever a reply is to hang up.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> io::Result<Response<Full<Bytes>>> {
    assert_eq!(request.uri().path(), "/api/frames");
    let header =
        |name| request.headers().get(name).map(|value| value.to_str().expect("ASCII").to_owned());
    assert_eq!(header("content-type").as_deref(), Some("application/vnd.kubemonitor.frame"));
    let authorization = header("authorization");
    let body = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    let tick = kubemonitor_frame::decode(&body).expect("a frame");

    let reply = state.lock().expect("no panic").replies.pop_front().unwrap_or(Reply::Status(204));
    let status = match reply {
        Reply::Status(status) | Reply::RetryAfter(status, _) => Some(status),
        Reply::Spread(_) => Some(204),
        Reply::Token(token) if authorization == Some(format!("Bearer {token}")) => Some(204),
        Reply::Token(_) => Some(401),
        Reply::HangUp | Reply::Silence => None,
    };
    state.lock().expect("no panic").received.push(Received { tick, at: Instant::now(), status });

    let Some(status) = status else {
        if matches!(reply, Reply::Silence) {
            std::future::pending::<Infallible>().await;
        }
        return Err(io::Error::other("hung up"));
    };
    let mut response = Response::builder().status(status);
    if let Reply::RetryAfter(_, seconds) = reply {
        response = response.header("retry-after", seconds);
    }
    if let Reply::Spread(millis) = reply {
        response = response.header(kubemonitor_frame::SPREAD_HEADER, millis);
    }
    let text = if status == 204 { "" } else { "{\"detail\":\n \"a reason\"}" };
    response.body(Full::from(text)).map_err(io::Error::other)
}
