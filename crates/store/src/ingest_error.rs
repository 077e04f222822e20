//! Why something was not taken in.

use kubemonitor_model::{NodeName, UnixMillis};

/// Why a tick or a pushed row was not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IngestError {
    /// It came out of order, and later than late data may be. That will never be otherwise.
    #[error(
        "the tick at {at} was overtaken by its collector's newer ones, and is {behind_ms} ms behind \
         them; at most {limit_ms} ms are merged in"
    )]
    TooLate {
        /// The tick's time.
        at: UnixMillis,
        /// How far behind it is.
        behind_ms: i64,
        /// What would be merged in.
        limit_ms: i64,
    },
    /// Ahead of the server's clock. Once that time has come, it can be taken.
    #[error(
        "the tick at {at} is {ahead_ms} ms ahead of the server's clock, and came sooner after the \
         one before than it was measured; at most {limit_ms} ms are accepted: send it again later, and \
         set the node's clock"
    )]
    TooEarly {
        /// The tick's time.
        at: UnixMillis,
        /// How far ahead it is.
        ahead_ms: i64,
        /// What is accepted.
        limit_ms: i64,
    },
    /// Its collector has measured another tick of that time. Sending it again does not help.
    #[error(
        "the tick at {at} was overtaken by its collector's newer ones, and there is another one of \
         its time: the node's clock was set"
    )]
    TimeTaken {
        /// The tick's time.
        at: UnixMillis,
    },
    /// Another collector sends for this node.
    #[error(
        "another collector sends for node `{node}`; this one's frames are taken once that one has been \
         silent for two intervals: see whether two collectors run there, or two nodes have one name"
    )]
    Conflict {
        /// The node.
        node: NodeName,
    },
    /// No memory for another entity.
    #[error(
        "there is no memory for another entity; give the server more (--memory-limit), or shorten --retention"
    )]
    NoMemory,
    /// No room for another entity.
    #[error(
        "the store holds the {limit} entities it may hold; raise --max-series or shorten --retention"
    )]
    TooManySeries {
        /// How many it may hold.
        limit: usize,
    },
}
