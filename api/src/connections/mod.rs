//! How connections are taken, bounded and ended: one way for REST and for metrics.k8s.io.
//!
//! A `Listener` accepts and speaks HTTP. Its `Table` knows of every `Connection` what it is doing and
//! how much memory that takes, and cuts those that are least worth keeping when together, or those
//! of one sender, they take too much. `Watched` and `Attended` tell it what happens on the wire and
//! in the service. Nothing here knows what is asked for.

mod attended;
mod connection;
mod listener;
mod order;
mod socket;
mod table;
mod terms;
#[cfg(test)]
mod tests;
mod watched;

pub use self::listener::ListenError;
pub(crate) use self::{
    listener::{Greeted, Listener, Speech},
    socket::Socket,
    terms::Terms,
};
