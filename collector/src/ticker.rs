//! The thread that samples on each tick. Reading a host blocks, and must not be late because of the
//! network.

use std::{
    convert::Infallible,
    io,
    sync::{Arc, mpsc},
    thread,
    time::Instant,
};

use bytes::Bytes;
use kubemonitor_frame::{MAX_FRAME_BYTES, encode};
use kubemonitor_model::{Interval, UnixMillis};
use tokio::sync::oneshot;
use tracing::{debug, warn};

use crate::{
    clock::{Due, Ticks, UnixMicros},
    outbox::{Frame, Outbox},
    sampling::HostSampler,
};

/// A running thread that samples.
pub(crate) struct Ticker {
    /// Dropped, it ends the thread.
    stop: mpsc::Sender<Infallible>,
    /// Fails when the thread has ended, however it did.
    ended: oneshot::Receiver<Infallible>,
}

impl Ticker {
    /// Starts the thread. It puts a frame in the outbox at each tick.
    pub(crate) fn start(
        sampler: HostSampler,
        interval: Interval,
        outbox: Arc<Outbox>,
    ) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let (running, ended) = oneshot::channel::<Infallible>();
        thread::Builder::new().name("ticker".to_owned()).spawn(move || {
            let _running = running;
            sample_on_ticks(sampler, interval, &outbox, &stopped);
        })?;
        Ok(Self { stop, ended })
    }

    /// Resolves when the thread has ended by itself, which it never should.
    pub(crate) async fn ended(&mut self) {
        let Err(_gone) = (&mut self.ended).await;
    }

    /// Ends the thread; a tick that is being sampled is finished first.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        let Err(_gone) = self.ended.await;
    }
}

fn sample_on_ticks(
    mut sampler: HostSampler,
    interval: Interval,
    outbox: &Outbox,
    stopped: &mpsc::Receiver<Infallible>,
) {
    let mut ticks = Ticks::every(interval);
    let mut buffer = Vec::new();
    loop {
        match ticks.poll(UnixMicros::now()) {
            Due::Now(at) => {
                if let Some(frame) = sample(&mut sampler, at, &mut buffer) {
                    outbox.push(frame);
                }
            }
            Due::In(wait) => {
                if stopped.recv_timeout(wait) == Err(mpsc::RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        }
    }
}

/// The frame of one tick; the buffer is where it is encoded, again and again.
fn sample(sampler: &mut HostSampler, at: UnixMillis, buffer: &mut Vec<u8>) -> Option<Frame> {
    let begun = Instant::now();
    let tick = sampler.sample(at);
    buffer.clear();
    encode(tick, buffer);
    let (sequence, bytes) = (tick.sequence, buffer.len());
    let (entities, read_delay_us) = (tick.rows.len(), tick.read_delay_us);
    let (files, took) = (sampler.take_cost().files, begun.elapsed());
    debug!(sequence, entities, files, bytes, read_delay_us, ?took, "sampled");
    if bytes > MAX_FRAME_BYTES {
        warn!(sequence, entities, bytes, "this tick is too large for a frame and is left out");
        return None;
    }
    Some(Frame { sequence, bytes: Bytes::copy_from_slice(buffer) })
}
