//! The JSON models: what the store measured and what Kubernetes says, in the units people read.
//!
//! This is the one place where a store's integers become rates, percentages and MiB. A value that
//! is not known is `null`, never 0 and never left out. Floating point has three decimals.

mod container;
mod namespace;
mod node;
mod pod;
mod reading;
pub(crate) mod timestamp;
mod traffic;
mod unit;
mod usage;
mod windowed;
mod workload;

pub(crate) use container::{ContainerFacts, ContainerIdentity, ContainerSample};
pub(crate) use namespace::{
    Coverage, GroupFacts, GroupReading, GroupUsage, NamespaceIdentity, NamespaceSample,
};
pub(crate) use node::{NodeFacts, NodeIdentity, NodeSample};
pub(crate) use pod::{PodFacts, PodIdentity, PodSample, PodState};
pub(crate) use reading::Reading;
pub(crate) use timestamp::Timestamp;
pub(crate) use traffic::{Disk, Network};
pub(crate) use unit::{UnitIdentity, UnitSample};
pub(crate) use usage::Usage;
pub(crate) use windowed::Windowed;
pub(crate) use workload::{DeploymentIdentity, DeploymentSample, WorkloadIdentity, WorkloadSample};

/// Three decimals: a millionth of a CPU, a thousandth of a byte per second.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Bytes as MiB.
fn mebibytes(bytes: u64) -> f64 {
    rounded(bytes as f64 / f64::from(1 << 20))
}
