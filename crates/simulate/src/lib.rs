//! Fleets that do not exist: nodes, pods and containers whose values move as real ones do, for load
//! tests, benchmarks and capacity planning.
//!
//! A [`Fleet`] is made from a [`Shape`] and holds a few hundred bytes an entity. Each of its nodes
//! writes its own [`Tick`](kubemonitor_model::Tick)s, the same ones for the same seed, whatever the
//! other nodes do meanwhile. [`load`] sends them to a server as collectors would, a
//! [`NamedFleet`] gives the pods names by serving a Kubernetes API, and a [`Description`] says how
//! much there is to know in what is sent.

mod args;
mod clock;
mod describe;
pub mod fleet;
mod kubernetes;
pub mod load;

pub use args::{Args, run};
pub use describe::Description;
pub use fleet::{Fleet, Shape};
pub use kubernetes::NamedFleet;
