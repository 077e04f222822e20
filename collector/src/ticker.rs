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
use kubemonitor_model::{Interval, UnixMillis};
use tokio::sync::oneshot;
use tracing::debug;

use crate::{
    clock::since_boot,
    outbox::{Frame, Outbox},
    sampling::HostSampler,
    ticks::{Due, Now, Ticks},
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
    let mut ticks = Ticks::every(interval, Now::read());
    let mut buffer = Vec::new();
    loop {
        match ticks.poll(Now::read()) {
            Due::Now(at) => {
                outbox.push(sample(&mut sampler, at, &mut buffer));
                ticks.taken(since_boot());
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
fn sample(sampler: &mut HostSampler, at: UnixMillis, buffer: &mut Vec<u8>) -> Frame {
    let begun = Instant::now();
    let tick = sampler.sample_frame(at, buffer);
    let (sequence, bytes) = (tick.sequence, buffer.len());
    let (entities, read_delay_us) = (tick.rows.len(), tick.read_delay_us);
    let (files, took) = (sampler.take_cost().files, begun.elapsed());
    debug!(sequence, entities, files, bytes, read_delay_us, ?took, "sampled");
    Frame { sequence, bytes: Bytes::copy_from_slice(buffer) }
}
