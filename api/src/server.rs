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
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::spawn_blocking,
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
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse(address),
            io::ErrorKind::PermissionDenied => ListenError::NotAllowed(address),
            _ => ListenError::Other { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address, monitor: Arc::new(monitor) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then ends what is in flight.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let housekeeping = tokio::spawn(housekeeping::run(Arc::clone(&self.monitor)));
        let service = layered(routes::router(Arc::clone(&self.monitor)));
        let open = GracefulShutdown::new();
        tokio::select! {
            () = accept(self.listener, service, &open) => {}
            () = stop => {}
        }
        if timeout(FAREWELL, open.shutdown()).await.is_err() {
            tracing::warn!("some connections did not end in time and are cut");
        }
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

fn layered(router: Router) -> Router {
    let compressed = DefaultPredicate::new().and(SizeAbove::new(COMPRESSED_FROM_BYTES));
    let layers = ServiceBuilder::new()
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(compressed))
        .layer(CatchPanicLayer::custom(|_| ApiError::Internal.into_response()));
    router.layer(layers)
}

/// Takes connections, for ever.
async fn accept(listener: TcpListener, service: Router, open: &GracefulShutdown) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
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
        let connection = open.watch(connection(stream, service.clone()));
        tokio::spawn(async move {
            // That a client went away, or spoke no HTTP, is its own business.
            let _ = connection.await;
            drop(place);
        });
    }
}

fn connection(
    stream: TcpStream,
    service: Router,
) -> http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>> {
    // Small answers must not wait for acknowledgements; where that cannot be set, they do.
    let _ = stream.set_nodelay(true);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
}
