//! The server's life: listening, serving, tidying up, stopping.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, response::IntoResponse};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::{JoinSet, spawn_blocking},
    time::{sleep, timeout},
};
use tower::ServiceBuilder;
use tower_http::{
    CompressionLevel,
    catch_panic::CatchPanicLayer,
    compression::{CompressionLayer, DefaultPredicate, Predicate, predicate::SizeAbove},
};

use crate::{
    errors::ApiError,
    housekeeping,
    memory::Guard,
    monitor::{Monitor, Shared},
    routes,
};

/// Connections at a time: 5,000 collectors and as many readers.
const CONNECTIONS: usize = 10_000;
/// How long a client may take to send a request's head; also how long a connection may be idle.
const HEAD_PATIENCE: Duration = Duration::from_secs(75);
/// How long what is in flight may take to end once the server is told to stop.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long to wait after the system had no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Smaller answers fit one packet anyway.
const COMPRESSED_FROM_BYTES: u64 = 1400;

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

/// A server that listens and does not serve yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    monitor: Shared,
}

impl Server {
    /// Begins to listen.
    pub async fn bind(address: SocketAddr, monitor: Monitor) -> Result<Self, ListenError> {
        let (listener, address) = listen(address).await?;
        Ok(Self { listener, address, monitor: Arc::new(monitor) })
    }

    /// What it serves from.
    pub(crate) fn monitor(&self) -> &Shared {
        &self.monitor
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then ends what is in flight.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        if let Err(error) = Guard::watch(&self.monitor) {
            tracing::error!(%error, "memory is not watched");
        }
        let housekeeping = tokio::spawn(housekeeping::run(Arc::clone(&self.monitor)));
        let router = routes::router(Arc::clone(&self.monitor));
        let service = layered(router, || ApiError::Internal);
        let (http, open) = (http(), GracefulShutdown::new());
        let serve = |stream| {
            let connection = open.watch(connection(&http, stream, service.clone()));
            // That a client went away, or spoke no HTTP, is its own business.
            async move { drop(connection.await) }
        };
        let mut connections = JoinSet::new();
        tokio::select! {
            () = accept(self.listener, CONNECTIONS, &mut connections, serve) => {}
            () = stop => {}
        }
        end(open, connections).await;
        housekeeping.abort();
        // That it was cancelled is what it ends with.
        let _ = housekeeping.await;
        // Writes to disk: not on a thread that others wait on.
        let closed = spawn_blocking(move || self.monitor.store.close()).await;
        if let Err(error) = closed {
            tracing::error!(%error, "the store could not be closed");
        }
    }
}

/// Begins to listen.
pub(crate) async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ListenError> {
    let refused = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse(address),
        io::ErrorKind::PermissionDenied => ListenError::NotAllowed(address),
        _ => ListenError::Other { address, source },
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}

/// The router, with answers compressed and panics answered.
pub(crate) fn layered<R: IntoResponse + 'static>(
    router: Router,
    panicked: impl Fn() -> R + Clone + Send + Sync + 'static,
) -> Router {
    let compressed = DefaultPredicate::new().and(SizeAbove::new(COMPRESSED_FROM_BYTES));
    let layers = ServiceBuilder::new()
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(compressed))
        .layer(CatchPanicLayer::custom(move |_| panicked().into_response()));
    router.layer(layers)
}

/// Takes connections, for ever, no more than so many at a time.
pub(crate) async fn accept<C: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    at_a_time: usize,
    connections: &mut JoinSet<()>,
    serve: impl Fn(TcpStream) -> C,
) {
    let places = Arc::new(Semaphore::new(at_a_time));
    loop {
        // Who finds no place waits in the system's backlog. The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (stream, _) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Small answers must not wait for acknowledgements; where that cannot be set, they do.
        let _ = stream.set_nodelay(true);
        let connection = serve(stream);
        connections.spawn(async move {
            connection.await;
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Ends connections: what is in flight gets its answer, what takes too long is cut.
pub(crate) async fn end(open: GracefulShutdown, mut connections: JoinSet<()>) {
    if timeout(FAREWELL, open.shutdown()).await.is_err() {
        tracing::warn!("some connections did not end in time and are cut");
    }
    connections.shutdown().await;
}

/// How HTTP is spoken.
pub(crate) fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE);
    http
}

/// Serves HTTP on a connection.
pub(crate) fn connection<I: AsyncRead + AsyncWrite + Unpin + 'static>(
    http: &http1::Builder,
    stream: I,
    service: Router,
) -> http1::Connection<TokioIo<I>, TowerToHyperService<Router>> {
    http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
}
