//! The life of the server's process: limits, runtime, signals, and the order in which parts begin and end.

use std::io;

use futures::future::{FutureExt, OptionFuture};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    ListenError, MetricsApi, MetricsApiError, OpenError, Opened, Server, Settings,
    avoid_huge_pages, descriptors,
};

/// Why the server could not begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The system gave no threads.
    #[error("cannot start the runtime: {0}")]
    Runtime(io::Error),
    /// The system let no signal be listened for.
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    /// The data directory or the cluster.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The REST port.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The port of metrics.k8s.io.
    #[error(transparent)]
    MetricsApi(#[from] MetricsApiError),
}

/// Runs a server as `kubemonitor-api` does, until SIGTERM or SIGINT.
///
/// # Errors
/// If it cannot begin; once it serves, problems are told in the log and `/ready`.
pub fn run(settings: Settings) -> Result<(), RunError> {
    avoid_huge_pages();
    descriptors::raise_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(RunError::Runtime)?;
    runtime.block_on(serve(settings))
}

async fn serve(settings: Settings) -> Result<(), RunError> {
    let mut term = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let mut int = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    let Opened { monitor, client, watchers } = Opened::with(&settings).await?;
    let server = Server::bind(settings.listen, monitor).await?;
    let (address, writers) = (server.address(), &settings.access);
    tracing::info!(%address, cluster = ?settings.cluster, %writers, "serving");
    let metrics_api = match settings.metrics_api.zip(client) {
        Some((settings, client)) => Some(MetricsApi::bind(settings, client, &server).await?),
        None => None,
    };
    let stop = async {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    };
    let stop = stop.shared();
    let metrics_api = metrics_api.map(|metrics_api| metrics_api.serve(stop.clone()));
    tokio::join!(server.serve(stop), OptionFuture::from(metrics_api));
    if let Some(watchers) = watchers {
        watchers.stop().await;
    }
    Ok(())
}
