//! What the fault tests share: a server in a process of its own, and raw ways to talk to it.
//!
//! One file in `tests/` for each kind of fault. Clients here are plain sockets, since the point is to
//! send what no HTTP library would.

mod cgroup;
mod clock;
mod http;
pub mod kill;
mod server;
pub mod ticks;

pub use cgroup::MemoryCgroup;
pub use clock::WallClock;
pub use http::{Reply, Request};
pub use server::{Server, ServerBuilder};
