//! Some of the nodes, and the connection they share.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use kubemonitor_model::{EntityRow, Interval, Tick, UnixMillis};
use tokio::{sync::Barrier, time::Instant};

use super::{
    Pace, Plan, Protocol,
    connection::{Connection, Frame},
    remote_write,
    tally::Tally,
};
use crate::{
    NamedFleet,
    clock::until,
    fleet::{Node, empty_tick},
};

/// What all workers have in common.
pub(super) struct Shared {
    pub(super) plan: Plan,
    /// The first tick after the history, chosen when all of that was sent.
    pub(super) start: OnceLock<UnixMillis>,
    pub(super) interval: Interval,
    /// Where workers without a clock wait for one another, so that a tick is sent as a whole before
    /// the next one, as it is by a real cluster.
    pub(super) together: Barrier,
    pub(super) history: Arc<Tally>,
    pub(super) tally: Arc<Tally>,
    pub(super) names: Option<Arc<NamedFleet>>,
}

impl Shared {
    fn tick_after(&self, start: UnixMillis, ticks: u32) -> UnixMillis {
        UnixMillis(start.0 + i64::from(ticks) * self.interval.millis().cast_signed())
    }

    /// The frame of a node's next tick.
    fn frame(&self, node: &mut Node, at: UnixMillis) -> Frame {
        SCRATCH.with_borrow_mut(|tick| {
            node.measure(at, tick);
            if let Some(names) = &self.names {
                node.born().iter().for_each(|&place| names.replace(place));
            }
            let bytes = match self.plan.server.protocol {
                Protocol::Frames => {
                    let mut bytes = Vec::new();
                    kubemonitor_frame::encode(tick, &mut bytes);
                    bytes
                }
                Protocol::RemoteWrite => remote_write::encode(tick),
            };
            let present = |entity: &EntityRow| u64::from(entity.row.present().count_ones());
            Frame { bytes: bytes.into(), samples: tick.rows.iter().map(present).sum() }
        })
    }
}

pub(super) struct Worker {
    shared: Arc<Shared>,
    /// Each with its place in the time over which frames are spread, from 0 to 1, first ones first.
    nodes: Vec<(f64, Node)>,
    /// That time, as the server asked for last.
    asked: Duration,
    connection: Connection,
}

thread_local! {
    /// A tick takes some hundred bytes a value: too much to keep one for each of 5,000 connections.
    static SCRATCH: std::cell::RefCell<Tick> = std::cell::RefCell::new(empty_tick());
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, nodes: Vec<Node>) -> Self {
        let mut nodes: Vec<_> = nodes.into_iter().map(|node| (fastrand::f64(), node)).collect();
        nodes.sort_by(|a, b| a.0.total_cmp(&b.0));
        let connection = Connection::new(shared.plan.server.clone());
        Self { shared, nodes, asked: Duration::ZERO, connection }
    }

    /// Sends every tick of every node.
    pub(super) async fn work(mut self) {
        let shared = Arc::clone(&self.shared);
        let Plan { history, ticks, pace, .. } = shared.plan;
        let past = Pace::Unpaced.start(shared.interval, history);
        for number in 0..history {
            self.tick_with_all(shared.tick_after(past, number), &shared.history).await;
        }
        let start = *shared.start.get_or_init(|| {
            shared.tally.begin();
            pace.start(shared.interval, ticks)
        });
        for number in 0..ticks {
            let at = shared.tick_after(start, number);
            match pace {
                Pace::Clock(spread) => {
                    self.tick_by_the_clock(at, spread.unwrap_or(self.asked)).await;
                }
                Pace::Unpaced => self.tick_with_all(at, &shared.tally).await,
            }
        }
    }

    /// A tick that nobody is ahead of.
    async fn tick_with_all(&mut self, at: UnixMillis, tally: &Tally) {
        for (_, node) in &mut self.nodes {
            let frame = self.shared.frame(node, at);
            self.asked = send(&mut self.connection, frame, tally).await.unwrap_or(self.asked);
        }
        self.shared.together.wait().await;
    }

    async fn tick_by_the_clock(&mut self, at: UnixMillis, spread: Duration) {
        let began = Instant::now() + until(at);
        for (place, node) in &mut self.nodes {
            let due = began + spread.mul_f64(*place);
            tokio::time::sleep_until(due).await;
            let frame = self.shared.frame(node, at);
            self.shared.tally.lagged(due.elapsed());
            let tally = &self.shared.tally;
            self.asked = send(&mut self.connection, frame, tally).await.unwrap_or(self.asked);
        }
    }
}

/// Sends a frame; gives the time over which the server would like the next ones.
async fn send(connection: &mut Connection, frame: Frame, tally: &Tally) -> Option<Duration> {
    let (bytes, sent) = (frame.bytes.len(), Instant::now());
    match connection.post(frame).await {
        Ok(receipt) => {
            tally.taken(bytes, &receipt, sent.elapsed());
            Some(receipt.spread)
        }
        Err(refusal) => {
            tally.failed(refusal);
            None
        }
    }
}
