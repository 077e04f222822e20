//! Listening, and the life of each connection.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, response::Response};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    attended::{Attended, Ends},
    connection::Connection,
    socket::Socket,
    table::Table,
    terms::{HEAD_BYTES, RECEIVE_BUFFER, SEND_BUFFER, Terms},
    watched::Watched,
};
use crate::{errors::ApiError, hosts::AllowedHosts, peer::Peer};

/// How long what is half sent may take to come once the server is told to stop.
const HALF_SENT: Duration = Duration::from_secs(1);
/// How long answers under way may take after that.
const FAREWELL: Duration = Duration::from_secs(9);
/// How long to wait after the system had no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// Connections that the system may hold until they are accepted.
const BACKLOG: u32 = 1024;

/// How a refusal is said.
pub(crate) type Refuse = fn(ApiError) -> Response;

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else listens there.
    #[error("port {} of {} is in use: choose another, or stop what listens there", .0.port(), .0.ip())]
    InUse(SocketAddr),
    /// The system does not allow it.
    #[error("not allowed to listen on {0}: ports below 1024 are for root; choose one above")]
    NotAllowed(SocketAddr),
    /// Anything else.
    #[error("cannot listen on {address}: {source}")]
    Other {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// What holds for all requests of a listener.
#[derive(Clone, Debug)]
pub(crate) struct Speech {
    /// What the log calls the listener.
    pub(crate) name: &'static str,
    /// How a refusal is said.
    pub(crate) refuse: Refuse,
    /// As what the server may be asked.
    pub(crate) hosts: AllowedHosts,
}

/// A connection that HTTP can be spoken on.
pub(crate) struct Greeted<S> {
    /// What it is spoken over.
    pub(crate) stream: S,
    /// What answers.
    pub(crate) service: Router,
    /// Bytes kept of its greeting.
    pub(crate) kept: usize,
}

/// Listens, and does not accept yet.
#[derive(Debug)]
pub(crate) struct Listener {
    tcp: TcpListener,
    address: SocketAddr,
    table: Arc<Table>,
}

impl Listener {
    /// Begins to listen.
    pub(crate) fn bind(address: SocketAddr, terms: Terms) -> Result<Self, ListenError> {
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse(address),
            io::ErrorKind::PermissionDenied => ListenError::NotAllowed(address),
            _ => ListenError::Other { address, source },
        };
        let tcp = listen(address).map_err(refused)?;
        let address = tcp.local_addr().map_err(refused)?;
        Ok(Self { tcp, address, table: Arc::new(Table::new(terms)) })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves those whom `greet` gives a stream and a service, until `stop`; then ends what is in
    /// flight.
    pub(crate) async fn serve<S, G>(
        self,
        speech: Speech,
        stop: impl Future<Output = ()>,
        greet: impl Fn(Socket) -> G,
    ) where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        G: Future<Output = Option<Greeted<S>>> + Send + 'static,
    {
        let table = self.table;
        let mut connections = JoinSet::new();
        tokio::select! {
            () = accept(&self.tcp, &table, &speech, &mut connections, greet) => {}
            () = table.watch_over(speech.name) => {}
            () = stop => {}
        }
        drop(self.tcp);
        end(&table, connections).await;
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    // Accepted ones have what is set here. The system would take megabytes for each otherwise.
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Takes connections, for ever.
async fn accept<S, G>(
    tcp: &TcpListener,
    table: &Arc<Table>,
    speech: &Speech,
    connections: &mut JoinSet<()>,
    greet: impl Fn(Socket) -> G,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    G: Future<Output = Option<Greeted<S>>> + Send + 'static,
{
    let mut is_short = false;
    loop {
        let (stream, peer) = match tcp.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                if !std::mem::replace(&mut is_short, true) {
                    tracing::warn!(%error, "cannot take a connection: others are cut for it");
                }
                table.make_room();
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Dropped where there is no place.
        let peer = Peer(peer.ip());
        let Some(admitted) = table.admit(peer) else { continue };
        let connection = Arc::clone(&admitted.connection);
        let socket = Socket::new(stream, Arc::clone(&connection));
        let ends = Ends {
            peer,
            reached: socket.local_address().map(|address| address.ip().to_canonical()),
        };
        let greeting = greet(socket);
        let (speech, terms) = (speech.clone(), table.terms);
        connections.spawn(async move {
            let attend = attend(&connection, terms, speech, ends, greeting);
            tokio::select! {
                biased;
                () = connection.cut.notified() => {}
                () = attend => {}
            }
            drop(admitted);
        });
        while connections.try_join_next().is_some() {}
    }
}

/// The life of a connection.
async fn attend<S>(
    connection: &Arc<Connection>,
    terms: Terms,
    speech: Speech,
    ends: Ends,
    greeting: impl Future<Output = Option<Greeted<S>>>,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let greeted = tokio::select! {
        biased;
        () = connection.leave.notified() => return,
        greeted = greeting => greeted,
    };
    let Some(greeted) = greeted else { return };
    connection.greeted(&terms, greeted.kept);
    // In a box, so that a connection that asks nothing is small.
    Box::pin(speak(connection, &terms, speech, ends, greeted)).await;
}

/// Speaks HTTP.
async fn speak<S>(
    connection: &Arc<Connection>,
    terms: &Terms,
    speech: Speech,
    ends: Ends,
    Greeted { stream, service, .. }: Greeted<S>,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let stream = Watched::new(stream, Arc::clone(connection), speech.refuse);
    let service = Attended { router: service, speech, connection: Arc::clone(connection), ends };
    // How long a head may take is the table's business.
    let serving = http1::Builder::new()
        .header_read_timeout(None)
        .max_headers(terms.headers)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    // That a client went away, or spoke no HTTP, is its own business.
    tokio::select! {
        biased;
        _ = serving.as_mut() => return,
        () = connection.leave.notified() => {}
    }
    connection.dismiss();
    serving.as_mut().graceful_shutdown();
    let _ = serving.await;
}

/// Ends connections: what is half sent has a second, what is being answered gets its answer, what
/// takes too long is cut.
async fn end(table: &Table, mut connections: JoinSet<()>) {
    table.leave();
    if timeout(HALF_SENT, all(&mut connections)).await.is_ok() {
        return;
    }
    table.cut_incomplete();
    if timeout(FAREWELL, all(&mut connections)).await.is_err() {
        tracing::warn!(open = connections.len(), "connections did not end in time and are cut");
    }
    connections.shutdown().await;
}

async fn all(connections: &mut JoinSet<()>) {
    while connections.join_next().await.is_some() {}
}
