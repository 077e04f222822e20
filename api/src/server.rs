//! The server's life: listening, serving, tidying up, stopping.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    response::{IntoResponse, Response},
};
use tokio::task::spawn_blocking;
use tower::ServiceBuilder;
use tower_http::{
    CompressionLevel,
    catch_panic::CatchPanicLayer,
    compression::{CompressionLayer, DefaultPredicate, Predicate, predicate::SizeAbove},
};

use crate::{
    connections::{Greeted, ListenError, Listener, Socket, Speech, Terms},
    errors::ApiError,
    housekeeping,
    memory::Guard,
    monitor::{Monitor, Shared},
    routes,
};

/// Smaller answers fit one packet anyway.
const COMPRESSED_FROM_BYTES: u64 = 1400;

/// A server that listens and does not serve yet.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    monitor: Shared,
}

impl Server {
    /// Begins to listen.
    #[expect(clippy::unused_async, reason = "listening needs a runtime, which this makes sure of")]
    pub async fn bind(address: SocketAddr, monitor: Monitor) -> Result<Self, ListenError> {
        let listener = Listener::bind(address, Terms::rest())?;
        Ok(Self { listener, monitor: Arc::new(monitor) })
    }

    /// What it serves from.
    pub(crate) fn monitor(&self) -> &Shared {
        &self.monitor
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Serves until `stop`, then ends what is in flight.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        if let Err(error) = Guard::watch(&self.monitor) {
            tracing::error!(%error, "memory is not watched");
        }
        let housekeeping = tokio::spawn(housekeeping::run(Arc::clone(&self.monitor)));
        let hosts = self.monitor.hosts.clone();
        let speech = Speech { name: "REST", refuse: IntoResponse::into_response, hosts };
        let service = layered(routes::router(Arc::clone(&self.monitor)), speech.refuse);
        let greet = |socket: Socket| {
            let service = service.clone();
            async move {
                // Until something is asked, a connection is hardly more than its socket.
                socket.readable().await;
                Some(Greeted { stream: socket, service, kept: 0 })
            }
        };
        self.listener.serve(speech, stop, greet).await;
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

/// The router, with answers compressed and panics answered.
pub(crate) fn layered(router: Router, refuse: fn(ApiError) -> Response) -> Router {
    let compressed = DefaultPredicate::new().and(SizeAbove::new(COMPRESSED_FROM_BYTES));
    let layers = ServiceBuilder::new()
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(compressed))
        .layer(CatchPanicLayer::custom(move |_| refuse(ApiError::Internal)));
    router.layer(layers)
}
