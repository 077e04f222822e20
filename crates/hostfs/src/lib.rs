//! Reads a Linux host: `/proc` and cgroup v1, v2 and hybrid trees. Pure parsers plus a thin reader.
//!
//! A [`Host`] is opened once and read at each tick:
//!
//! ```no_run
//! use kubemonitor_hostfs::{Host, HostRoots};
//!
//! let mut host = Host::open(HostRoots::default())?;
//! let reading = host.read();
//! println!("node: {:?} ns of CPU time", reading.node.stat.used_ns());
//! for entity in reading.entities() {
//!     println!("{}: {:?} bytes", entity.id, entity.cgroup.memory_working_set);
//! }
//! println!("took {} reads", host.take_cost().files);
//! # Ok::<(), kubemonitor_hostfs::HostError>(())
//! ```
//!
//! [`HostReading::node`] has what `/proc` says of the node, and its root cgroup.
//! [`HostReading::entities`] are the pods, each with its containers right behind it, and the units:
//! systemd services and containers without a pod. All of them have the same [`CgroupReading`],
//! whatever the version of cgroups; what could not be read is `None`.
//!
//! The modules [`procfs`] and [`cgroup`] are pure functions from the bytes of a kernel file to what
//! it says, [`layout`] is one from a cgroup's path to what it is. They survive any input.

pub mod cgroup;
mod descriptors;
mod device_totals;
mod disks;
mod explain;
mod file;
mod hierarchies;
mod host;
mod interfaces;
pub mod layout;
mod members;
mod namespace;
mod node;
mod processes;
pub mod procfs;
mod text;
mod tree;

pub use cgroup::CgroupReading;
pub use disks::{DiskKind, DiskVerdict};
pub use explain::{CgroupVerdict, CountsAs, Explanation};
pub use file::ReadCost;
pub use host::{Host, HostError, HostReading, HostRoots};
pub use interfaces::{InterfaceKind, InterfaceStanding, InterfaceVerdict};
pub use members::{EntityReading, ReadAfter};
pub use node::NodeReading;
