//! Sending a fleet's ticks to a server, as its collectors would.

mod connection;
mod descriptors;
mod pace;
mod progress;
mod remote_write;
mod report;
mod server;
mod tally;
mod worker;

use std::{
    future::Future,
    sync::{Arc, OnceLock},
};

use tokio::{sync::Barrier, task::JoinSet};

pub use self::{
    pace::Pace,
    report::{Failure, Latency, Report},
    server::{Protocol, Server, ServerError},
};
use self::{
    tally::Tally,
    worker::{Shared, Worker},
};
use crate::{NamedFleet, fleet::Fleet};

/// What to send, where to and how fast.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Who takes frames.
    pub server: Server,
    /// Ticks of each node that are sent first, as fast as the server takes them; the last is now.
    pub history: u32,
    /// Ticks of each node after that.
    pub ticks: u32,
    /// When they are sent.
    pub pace: Pace,
    /// Connections, each for its share of the nodes.
    pub connections: usize,
}

/// Sends every tick of every node, in order, or as many as there were when `stop` is ready. What
/// went wrong is in the report; what was not taken is not sent again.
///
/// Pods that begin meanwhile are made known in `names`.
pub async fn run(
    fleet: Fleet,
    plan: &Plan,
    names: Option<Arc<NamedFleet>>,
    stop: impl Future<Output = ()>,
) -> Report {
    descriptors::raise_limit();
    let (shape, nodes) = (*fleet.shape(), fleet.into_nodes());
    let connections = plan.connections.clamp(1, nodes.len());
    let frames = |ticks| u64::from(ticks) * nodes.len() as u64;
    let (history, tally) = (Tally::new(frames(plan.history)), Tally::new(frames(plan.ticks)));
    let shared = Arc::new(Shared {
        plan: plan.clone(),
        start: OnceLock::new(),
        interval: shape.interval,
        together: Barrier::new(connections),
        history: Arc::new(history),
        tally: Arc::new(tally),
        names,
    });
    let mut parts: Vec<Vec<_>> = (0..connections).map(|_| Vec::new()).collect();
    for (place, node) in nodes.into_iter().enumerate() {
        parts[place % connections].push(node);
    }
    let mut workers = JoinSet::new();
    for nodes in parts {
        workers.spawn(Worker::new(Arc::clone(&shared), nodes).work());
    }
    let all_sent = async { while workers.join_next().await.is_some() {} };
    tokio::select! {
        () = all_sent => {}
        () = stop => {}
        () = progress::show(&shared.history, &shared.tally) => {}
    }
    workers.shutdown().await;
    let mut report = shared.tally.report();
    report.history_samples = shared.history.standing().samples;
    report.failures.extend(shared.history.failures());
    report
}

#[cfg(test)]
mod tests;
