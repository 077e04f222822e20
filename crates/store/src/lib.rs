//! The in-memory time-series store: thousands of entities with the same few integer metrics on the
//! same ticks. Knows nothing of HTTP or Kubernetes.
//!
//! A [`Tick`] goes in under the lock of its node alone, and readers see all of it or nothing. Each
//! entity keeps its newest row, and the rows before it compressed in chunks that leave as a whole
//! when they are past the retention. Sums over pods (namespaces, workloads) are kept as ticks
//! arrive, in groups that whoever knows names assigns with [`Store::join`].

mod admission;
mod chunk;
mod clock;
mod codec;
mod disk;
#[cfg(fuzzing)]
pub mod fuzzing;
mod group;
mod group_rollup;
mod history;
mod ingest_error;
mod node;
mod parallel;
mod pressure;
mod recovering;
mod registry;
mod roll_call;
mod rollup;
mod sample;
mod seen_time;
mod series;
mod settings;
mod stats;
mod store;
mod sweep;
mod sync;
#[cfg(not(shuttle))]
mod system_time;
mod usage;

#[cfg(shuttle)]
pub use crate::sync::set_clock;
#[cfg(not(shuttle))]
pub use crate::system_time::{clock_fault, found_data, heard, now, retention_now};
pub use crate::{
    disk::{Claim, Damage, DiskError, DiskSettings, DiskStatus, Fsync},
    group::GroupHistory,
    group_rollup::{Extent, GroupExtents},
    history::{Extremes, GroupPast, History, Resolution},
    ingest_error::IngestError,
    node::{Conflicts, NodeView, SeriesView},
    sample::{GroupKey, GroupSample, RATED, Rates, Sample, TimeRange, Traffic},
    seen_time::{ClockFault, Clocks, SeenTime},
    settings::Settings,
    stats::{Receipt, Recovered, Stats},
    store::Store,
    sweep::SweepTime,
    usage::{Busiest, Usage},
};

/// A duration in milliseconds.
pub(crate) fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
