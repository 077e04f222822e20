//! One cgroup of an entity, and what it has counted since the tick before.

use std::path::PathBuf;

use kubemonitor_model::{EntityId, EntityKind};

use crate::{
    cgroup::{Cgroup, CgroupReading},
    layout::Place,
};

/// One cgroup of a pod, container or unit.
#[derive(Debug)]
pub(super) struct Source {
    /// Its path in its hierarchy, and its identity there.
    pub(super) path: PathBuf,
    pub(super) inode: u64,
    /// Its folder in the hierarchy that is walked.
    pub(super) folder: PathBuf,
    pub(super) place: Place,
    /// It was made after the tick before it was found.
    pub(super) newborn: bool,
    pub(super) cgroup: Cgroup,
    /// What it said at this tick; `None` when it was not read.
    pub(super) reading: Option<CgroupReading>,
    pub(super) meter: Meter,
}

impl Source {
    /// Whose cgroup it is: its kind and identity.
    pub(super) fn owner(&self) -> (EntityKind, &EntityId) {
        match &self.place {
            Place::Pod { uid, .. } => (EntityKind::Pod, uid),
            Place::Container { id, .. } => (EntityKind::Container, id),
            Place::Service { name: id } | Place::PlainContainer { id } => (EntityKind::Unit, id),
            other => unreachable!("{other:?} is no entity"),
        }
    }

    /// The UID of the pod that it is the cgroup of, or that its container belongs to.
    pub(super) fn pod(&self) -> Option<&EntityId> {
        match &self.place {
            Place::Pod { uid, .. } | Place::Container { pod: uid, .. } => Some(uid),
            _ => None,
        }
    }

    /// Takes note that it will not be read for a while. What it counts until then is nobody's increase:
    /// a tick's is that since the tick before.
    pub(super) fn pause(&mut self) {
        self.newborn = false;
        self.reading = None;
        self.meter = Meter::default();
    }

    /// Takes a reading in.
    pub(super) fn note(&mut self, reading: &CgroupReading) {
        self.meter.note(&counters(reading), self.newborn);
        self.reading = Some(*reading);
    }
}

/// What of a reading is counted since the cgroup was made, and can be summed over cgroups.
pub(super) type Counters = [Option<u64>; 8];

/// The counters of a reading.
pub(super) fn counters(reading: &CgroupReading) -> Counters {
    [
        reading.cpu_usage_ns,
        reading.cpu_user_ns,
        reading.cpu_system_ns,
        reading.oom_kills,
        reading.disk_read_bytes,
        reading.disk_write_bytes,
        reading.disk_reads,
        reading.disk_writes,
    ]
}

/// Puts other counters into a reading.
pub(super) fn set_counters(reading: &mut CgroupReading, counters: Counters) {
    [
        reading.cpu_usage_ns,
        reading.cpu_user_ns,
        reading.cpu_system_ns,
        reading.oom_kills,
        reading.disk_read_bytes,
        reading.disk_write_bytes,
        reading.disk_reads,
        reading.disk_writes,
    ] = counters;
}

/// Where in [`Counters`] kills are.
pub(super) const OOM_KILLS: usize = 3;

/// The counters of one cgroup, and how much they have grown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meter {
    /// What was known last.
    known: Counters,
    now: Counters,
    grown: [u64; 8],
}

impl Meter {
    /// Takes the counters of a tick. Those that cannot be read at one tick have grown, at the next,
    /// since they were known last.
    pub(super) fn note(&mut self, now: &Counters, newborn: bool) {
        self.now = *now;
        for (place, now) in now.iter().enumerate() {
            let known = &mut self.known[place];
            self.grown[place] = match (*now, *known) {
                (Some(now), Some(known)) => now.saturating_sub(known),
                // What was there when it was found was not counted since.
                (Some(now), None) if newborn => now,
                _ => 0,
            };
            *known = (*now).max(*known);
        }
    }

    /// A counter at this tick.
    pub(super) fn now(&self, place: usize) -> Option<u64> {
        self.now[place]
    }

    /// How much a counter has grown since the tick before.
    pub(super) fn grown(&self, place: usize) -> u64 {
        self.grown[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(newborn: bool, values: &[Option<u64>]) -> Vec<u64> {
        let mut meter = Meter::default();
        let note = |value: &Option<u64>| {
            meter.note(&[*value; 8], newborn);
            meter.grown(0)
        };
        values.iter().map(note).collect()
    }

    #[test]
    fn what_is_unknown_for_a_while_is_not_counted_twice() {
        let values = [Some(5), Some(7), None, Some(10), Some(9), Some(12)];
        assert_eq!(grown(true, &values), [5, 2, 0, 3, 0, 2]);
        assert_eq!(grown(false, &values), [0, 2, 0, 3, 0, 2], "5 were there before");
        assert_eq!(grown(true, &[None, Some(4)]), [0, 4]);
    }

    #[test]
    fn counters_go_back_where_they_came_from() {
        let mut reading = CgroupReading::default();
        let values = [1, 2, 3, 4, 5, 6, 7, 8].map(Some);
        set_counters(&mut reading, values);
        assert_eq!(counters(&reading), values);
        assert_eq!(counters(&reading)[OOM_KILLS], reading.oom_kills);
    }
}
