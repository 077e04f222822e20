//! A collector's life: one thread samples, one task sends, until it is told to stop.

use std::{
    convert::Infallible,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use kubemonitor_frame::{MAX_FRAME_BYTES, encode};
use kubemonitor_hostfs::HostError;
use kubemonitor_model::Interval;
use tokio::{sync::oneshot, time::timeout};
use tracing::{debug, info, warn};

use crate::{
    ClientError, Settings,
    client::Client,
    clock::{Due, Ticks, UnixMicros},
    outbox::{Capacity, Frame, Outbox},
    sampling::{HostSampler, Sampler},
    sender::Sender,
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
    let mut sender = Sender::new(Client::new(&settings)?);
    let sampler = HostSampler::open(&settings)?;
    info!(
        node = %settings.node,
        interval = %settings.interval,
        server = %settings.server,
        "collecting"
    );
    let outbox = Arc::new(Outbox::new(Capacity::for_interval(settings.interval)));
    let mut sampling = Sampling::start(sampler, settings.interval, Arc::clone(&outbox))
        .map_err(CollectorError::Thread)?;
    tokio::select! {
        () = shutdown => {}
        () = sampling.ended() => return Err(CollectorError::SamplingEnded),
        never = sender.deliver(&outbox) => match never {},
    }
    sampling.stop().await;
    if timeout(FLUSH_TIMEOUT, sender.flush(&outbox)).await.is_err() {
        warn!(frames = outbox.len(), "stopped before the server has taken every frame");
    }
    Ok(())
}

/// The thread that samples. Reading a host blocks, and must not be late because of the network.
struct Sampling {
    /// Dropped, it ends the thread.
    stop: Option<mpsc::Sender<Infallible>>,
    /// Resolves when the thread ends, however it does.
    ended: oneshot::Receiver<Infallible>,
}

impl Sampling {
    fn start(
        sampler: impl Sampler,
        interval: Interval,
        outbox: Arc<Outbox>,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let (alive, ended) = oneshot::channel();
        thread::Builder::new().name("sampling".to_owned()).spawn(move || {
            let _alive: oneshot::Sender<Infallible> = alive;
            sample_on_ticks(sampler, interval, &outbox, &stopped);
        })?;
        Ok(Self { stop: Some(stop), ended })
    }

    async fn ended(&mut self) {
        // It can only say that the other side has gone.
        let _ = (&mut self.ended).await;
    }

    /// Ends the thread; a tick that is being sampled is finished first.
    async fn stop(mut self) {
        drop(self.stop.take());
        self.ended().await;
    }
}

fn sample_on_ticks(
    mut sampler: impl Sampler,
    interval: Interval,
    outbox: &Outbox,
    stopped: &mpsc::Receiver<Infallible>,
) {
    let mut ticks = Ticks::every(interval);
    let mut buffer = Vec::new();
    loop {
        match ticks.poll(UnixMicros::now()) {
            Due::In(wait) => {
                if stopped.recv_timeout(wait) == Err(mpsc::RecvTimeoutError::Disconnected) {
                    return;
                }
            }
            Due::Now(at) => {
                let begun = Instant::now();
                let tick = sampler.sample(at);
                buffer.clear();
                encode(tick, &mut buffer);
                debug!(
                    sequence = tick.sequence,
                    entities = tick.rows.len(),
                    bytes = buffer.len(),
                    read_delay_us = tick.read_delay_us,
                    took = ?begun.elapsed(),
                    "sampled"
                );
                if buffer.len() > MAX_FRAME_BYTES {
                    warn!(
                        bytes = buffer.len(),
                        "this tick is too large for a frame; it is dropped"
                    );
                    continue;
                }
                let bytes = Bytes::copy_from_slice(&buffer);
                outbox.push(Frame { sequence: tick.sequence, bytes });
            }
        }
    }
}
