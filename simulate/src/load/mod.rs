//! Sending a fleet's ticks to a server, as its collectors would.

mod connection;
mod descriptors;
mod pace;
mod progress;
mod report;
mod server;
mod tally;
mod worker;

use std::{future::Future, sync::Arc};

use tokio::{sync::Barrier, task::JoinSet};

pub use self::{
    pace::Pace,
    report::{Failure, Latency, Report},
    server::{Server, ServerError},
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
    /// Ticks of each node.
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
    let tally = Arc::new(Tally::new(u64::from(plan.ticks) * nodes.len() as u64));
    let shared = Arc::new(Shared {
        plan: plan.clone(),
        start: plan.pace.start(shape.interval, plan.ticks),
        interval: shape.interval,
        together: Barrier::new(connections),
        tally: Arc::clone(&tally),
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
        () = progress::show(&tally) => {}
    }
    workers.shutdown().await;
    tally.report()
}

#[cfg(test)]
mod tests;
