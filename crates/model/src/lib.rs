//! What kubemonitor talks about: metrics, entities, ticks.
//!
//! The vocabulary every other crate shares. No I/O, no clock, no threads: a [`Tick`] is what one
//! node measured at one moment, a [`Row`] the values of one entity in it, and the
//! [catalogue](Metric) says what each value means. The wire, the store, the REST fields and their
//! documentation all derive from that one table.

mod catalogue;
mod entity;
mod interval;
mod row;
mod telling;
mod tick;

pub use catalogue::{EntityKind, MAX_COLUMNS, Metric, MetricKind, Unit};
pub use entity::{EntityId, QosClass};
pub use interval::{Interval, IntervalError};
pub use row::Row;
pub use telling::told;
pub use tick::{EntityRow, NAME_RULE, NameError, NodeName, Tick, UnixMillis};
