//! A collector's life: one thread samples, one task sends, until it is told to stop.

use std::{sync::Arc, time::Duration};

use kubemonitor_hostfs::HostError;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::{
    ClientError, Settings,
    outbox::{Capacity, Outbox},
    sampling::HostSampler,
    sender::Sender,
    ticker::Ticker,
};

/// How long a collector that was told to stop goes on sending: well below the 30 s that Kubernetes
/// gives it.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no collector any more.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    /// The host cannot be read.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Nothing can be sent.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// No thread.
    #[error("cannot start the thread that samples: {0}")]
    Thread(std::io::Error),
    /// A bug.
    #[error("the thread that samples has ended by itself; this is a bug, please report it")]
    SamplingEnded,
}

/// Samples and sends until `shutdown` resolves; then samples no more, sends what is left for some
/// seconds at most, and returns.
///
/// Must be called within a tokio runtime that drives I/O and time.
pub async fn run(
    settings: Settings,
    shutdown: impl Future<Output = ()>,
) -> Result<(), CollectorError> {
    let mut sender = Sender::new(&settings)?;
    let sampler = HostSampler::open(&settings)?;
    info!(
        node = %settings.node,
        interval = %settings.interval,
        server = %settings.server,
        cgroups = %sampler.host().cgroup_version(),
        driver = sampler.host().cgroup_driver().map(tracing::field::display),
        "collecting"
    );
    let outbox = Arc::new(Outbox::new(Capacity::for_interval(settings.interval)));
    let mut ticker = Ticker::start(sampler, settings.interval, Arc::clone(&outbox))
        .map_err(CollectorError::Thread)?;
    tokio::select! {
        () = shutdown => {}
        () = ticker.ended() => return Err(CollectorError::SamplingEnded),
        never = sender.deliver(&outbox) => match never {},
    }
    ticker.stop().await;
    // Whether it came to an end or not, what counts is what is left.
    let _ = timeout(FLUSH_TIMEOUT, sender.flush(&outbox)).await;
    if outbox.len() > 0 {
        warn!(frames = outbox.len(), "stopped before the server has taken every frame");
    }
    Ok(())
}
