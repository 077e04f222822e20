//! In which order connections make room.

use std::{cmp::Reverse, collections::HashMap, net::IpAddr, sync::Arc};

use tokio::time::Instant;

use super::connection::Connection;

/// How much a connection is worth keeping: what is least goes first, of that the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Worth(pub(super) Class, pub(super) Instant);

/// What may be cut, least worth first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Has its answer.
    Leaving,
    /// Has never asked anything, though it had the time.
    Unproven,
    /// Holds much, for a while already.
    Large,
    /// Does nothing.
    Idle,
    /// Sends or receives, or has only come.
    Busy,
    /// Waits for the server, not the server for it: never cut.
    Answering,
}

/// A connection, what it is worth keeping, and what it takes.
pub(super) struct Standing {
    pub(super) connection: Arc<Connection>,
    pub(super) worth: Worth,
    pub(super) cost: usize,
}

/// Those that may be cut, the first to be cut first: of who has most, the least worth keeping. Cutting
/// them one after the other leaves all senders with about as much, who wanted that much.
pub(super) fn in_order(connections: impl Iterator<Item = Standing>) -> Vec<Arc<Connection>> {
    let mut by_sender: HashMap<IpAddr, Vec<Standing>> = HashMap::new();
    for standing in connections {
        by_sender.entry(standing.connection.sender.address).or_default().push(standing);
    }
    let mut ranked = Vec::new();
    for mut of_sender in by_sender.into_values() {
        of_sender.sort_unstable_by_key(|standing| Reverse(standing.worth));
        // What a connection and all of its sender's that are worth more take together.
        let mut rank = 0;
        for Standing { connection, worth, cost } in of_sender {
            rank += cost;
            if worth.0 < Class::Answering {
                ranked.push((Reverse(rank), worth, connection));
            }
        }
    }
    ranked.sort_unstable_by_key(|(rank, worth, _)| (*rank, *worth));
    ranked.into_iter().map(|(_, _, connection)| connection).collect()
}
