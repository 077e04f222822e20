//! The collector: samples this host on aligned ticks and sends one frame per tick.
//!
//! [`run`] is the whole of it, for the binary `kubemonitor-collector` and for any process that
//! wants a collector inside: it takes [`Settings`] and a future that says when to stop. It asks
//! the Kubernetes API nothing.
//!
//! A thread of its own samples on each tick of the wall clock and puts the encoded frame in a
//! bounded outbox; a task sends what is in there, in order, until the server has taken it. Times that
//! rates are made of come from a clock that nobody sets.

mod backoff;
mod client;
mod clock;
mod config;
mod endpoint;
mod fitting;
mod outbox;
mod run;
mod sampling;
mod sender;
mod standing;
#[cfg(test)]
#[path = "../tests/server/mod.rs"]
mod test_server;
mod ticker;
mod ticks;
mod token;
mod trust;

pub use client::ClientError;
pub use config::{Args, ConfigError, Settings};
pub use endpoint::{Endpoint, EndpointError};
pub use run::{CollectorError, run};
pub use sampling::HostSampler;
