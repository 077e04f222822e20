//! Several cgroups as one: a pod whose containers lie outside of its own cgroup, and a unit without the
//! pods inside of it.

use super::source::{Counters, Meter, counters, set_counters};
use crate::cgroup::CgroupReading;

/// The sums of some cgroups' counters. Made from what each has grown by, they never fall: what a cgroup
/// has counted stays when it is removed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Total {
    counters: Counters,
}

impl Total {
    /// That of cgroups of which nothing was counted so far.
    pub(super) fn zero() -> Self {
        Self { counters: [Some(0); 8] }
    }

    /// Adds what each cgroup has counted since the tick before; at the first tick, all that it has. A
    /// sum is `None` at a tick at which one of its parts is.
    pub(super) fn add<'a>(
        &mut self,
        parts: &(impl Iterator<Item = &'a Meter> + Clone),
    ) -> Counters {
        let mut now = [None; 8];
        for (place, now) in now.iter_mut().enumerate() {
            let all = parts.clone().try_fold(0_u64, |sum, part| sum.checked_add(part.now(place)?));
            match &mut self.counters[place] {
                Some(counter) => grow(counter, parts.clone(), place),
                first => *first = all,
            }
            *now = self.counters[place].filter(|_| all.is_some());
        }
        now
    }
}

fn grow<'a>(counter: &mut u64, parts: impl Iterator<Item = &'a Meter>, place: usize) {
    *counter = parts.fold(*counter, |sum, part| sum.saturating_add(part.grown(place)));
}

/// What a pod says that has no cgroup of its own, or one in which not all of its containers are: sums
/// of what can be summed. Limits are those of its own cgroup, which kubelet sets whoever is in there.
/// Peaks, throttling and pressure of several cgroups make none of the pod, and its own cgroup's would
/// be those of nobody.
pub(super) fn sum<'a>(
    own: Option<&CgroupReading>,
    parts: &(impl Iterator<Item = &'a CgroupReading> + Clone),
) -> CgroupReading {
    let sum = |of: fn(&CgroupReading) -> Option<u64>| {
        parts.clone().try_fold(0_u64, |sum, part| sum.checked_add(of(part)?))
    };
    CgroupReading {
        memory_usage: sum(|part| part.memory_usage),
        memory_working_set: sum(|part| part.memory_working_set),
        memory_rss: sum(|part| part.memory_rss),
        memory_file: sum(|part| part.memory_file),
        pids: sum(|part| part.pids),
        cpu_limit_millicores: own.and_then(|own| own.cpu_limit_millicores),
        memory_limit: own.and_then(|own| own.memory_limit),
        ..CgroupReading::default()
    }
}

/// A unit without the pods inside of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    inside: Total,
    shown: [u64; 8],
}

impl Rest {
    /// That of a unit which was read, with all that is in it, before any pod was found inside.
    pub(super) fn of_known() -> Self {
        Self { inside: Total::zero(), shown: [0; 8] }
    }

    /// That of a unit which has not been read yet.
    pub(super) fn of_new() -> Self {
        Self { inside: Total::default(), shown: [0; 8] }
    }

    /// Takes from the unit's reading what is the pods'. The two are read one after the other, so that
    /// the pods may be a moment ahead; a counter waits then until the unit has caught up. Of what cannot
    /// be separated, peak and pressure, nothing is reported.
    pub(super) fn take_from<'a>(
        &mut self,
        unit: &mut CgroupReading,
        inside: &(impl Iterator<Item = (&'a CgroupReading, &'a Meter)> + Clone),
    ) {
        let pods = self.inside.add(&inside.clone().map(|(_, meter)| meter));
        let mut rest = counters(unit);
        for ((rest, pods), shown) in rest.iter_mut().zip(pods).zip(&mut self.shown) {
            *rest = rest.zip(pods).map(|(unit, pods)| unit.saturating_sub(pods).max(*shown));
            *shown = rest.unwrap_or(*shown);
        }
        set_counters(unit, rest);
        let pods = sum(None, &inside.clone().map(|(reading, _)| reading));
        let less = |unit: Option<u64>, pods: Option<u64>| {
            unit.zip(pods).map(|(unit, pods)| unit.saturating_sub(pods))
        };
        *unit = CgroupReading {
            memory_usage: less(unit.memory_usage, pods.memory_usage),
            memory_working_set: less(unit.memory_working_set, pods.memory_working_set),
            memory_rss: less(unit.memory_rss, pods.memory_rss),
            memory_file: less(unit.memory_file, pods.memory_file),
            pids: less(unit.pids, pods.pids),
            memory_peak: None,
            cpu_psi_some_ns: None,
            cpu_psi_full_ns: None,
            memory_psi_some_ns: None,
            memory_psi_full_ns: None,
            io_psi_some_ns: None,
            io_psi_full_ns: None,
            ..*unit
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What happens to one of three containers between two ticks.
    #[derive(Clone, Debug)]
    enum Event {
        Uses(u64),
        CannotBeRead,
        IsReplaced,
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            6 => (0..1000_u64).prop_map(Event::Uses),
            1 => Just(Event::CannotBeRead),
            1 => Just(Event::IsReplaced),
        ]
    }

    fn read(meter: &mut Meter, cpu: Option<u64>, newborn: bool) {
        meter.note(&[cpu; 8], newborn);
    }

    proptest! {
        #[test]
        fn a_sum_never_falls_and_misses_only_what_nobody_read(
            ticks in prop::collection::vec(prop::array::uniform3(event()), 1..30),
        ) {
            let mut total = Total::default();
            let mut containers = [(Meter::default(), 7_u64, false); 3];
            for (meter, cpu, _) in &mut containers {
                read(meter, Some(*cpu), false);
            }
            let sum = |total: &mut Total, containers: &[(Meter, u64, bool); 3]| {
                total.add(&containers.iter().map(|(meter, ..)| meter))[0]
            };
            let mut shown = sum(&mut total, &containers).unwrap();
            prop_assert_eq!(shown, 21);
            let mut used = 21;
            for events in ticks {
                let mut all_read = true;
                for ((meter, cpu, newborn), event) in containers.iter_mut().zip(events) {
                    match event {
                        Event::Uses(more) => {
                            *cpu += more;
                            read(meter, Some(*cpu), *newborn);
                        }
                        Event::CannotBeRead => {
                            read(meter, None, *newborn);
                            all_read = false;
                        }
                        Event::IsReplaced => {
                            used += *cpu;
                            (*meter, *cpu, *newborn) = (Meter::default(), 5, true);
                            read(meter, Some(5), true);
                        }
                    }
                }
                let now = sum(&mut total, &containers);
                prop_assert_eq!(now.is_some(), all_read);
                if let Some(now) = now {
                    prop_assert!(now >= shown, "{} after {}", now, shown);
                    shown = now;
                    let living: u64 = containers.iter().map(|(_, cpu, _)| *cpu).sum();
                    prop_assert_eq!(now, used - 21 + living);
                }
            }
        }
    }
}
