//! `/proc/stat`: how the CPUs spent their time, and what the scheduler did.

use crate::text::{lines, number, words};

/// Nanoseconds in one tick of the times in `/proc`. They are in `USER_HZ`, which is 100 on every
/// architecture that Kubernetes runs on.
pub(crate) const TICK_NS: u64 = 10_000_000;

/// `/proc/stat`. Times are nanoseconds since boot, summed over CPUs, in steps of 10 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// In user mode, time of virtual CPUs included.
    pub user_ns: Option<u64>,
    /// In user mode with lowered priority.
    pub nice_ns: Option<u64>,
    /// In the kernel.
    pub system_ns: Option<u64>,
    /// Idle.
    pub idle_ns: Option<u64>,
    /// Idle while I/O was outstanding.
    pub iowait_ns: Option<u64>,
    /// In hardware interrupts.
    pub irq_ns: Option<u64>,
    /// In soft interrupts.
    pub softirq_ns: Option<u64>,
    /// Given to others by the hypervisor.
    pub steal_ns: Option<u64>,
    /// CPUs that are online. In a container with LXCFS those that the container may use.
    pub cpus: Option<u64>,
    /// Context switches since boot.
    pub context_switches: Option<u64>,
    /// Processes and threads created since boot.
    pub forks: Option<u64>,
    /// Tasks that can run.
    pub running: Option<u64>,
    /// Tasks blocked on I/O.
    pub blocked: Option<u64>,
}

impl Stat {
    /// CPU time that was neither idle nor waiting for I/O. Stolen time counts, as it does in the
    /// root cgroup's `cpu.stat`, which is what kubelet reports of a node.
    pub fn used_ns(&self) -> Option<u64> {
        let always = [self.user_ns?, self.nice_ns?, self.system_ns?];
        let newer = [self.irq_ns, self.softirq_ns, self.steal_ns].into_iter().flatten();
        always.into_iter().chain(newer).try_fold(0, u64::checked_add)
    }
}

/// Reads `/proc/stat`.
pub fn parse(text: &[u8]) -> Stat {
    let mut stat = Stat::default();
    let mut cpus = 0;
    for line in lines(text) {
        let mut words = words(line);
        let Some(key) = words.next() else { continue };
        match key {
            b"cpu" => {
                for (slot, ticks) in [
                    &mut stat.user_ns,
                    &mut stat.nice_ns,
                    &mut stat.system_ns,
                    &mut stat.idle_ns,
                    &mut stat.iowait_ns,
                    &mut stat.irq_ns,
                    &mut stat.softirq_ns,
                    &mut stat.steal_ns,
                ]
                .into_iter()
                .zip(words)
                {
                    *slot = number(ticks).and_then(|ticks| ticks.checked_mul(TICK_NS));
                }
            }
            b"ctxt" => stat.context_switches = words.next().and_then(number),
            b"processes" => stat.forks = words.next().and_then(number),
            b"procs_running" => stat.running = words.next().and_then(number),
            b"procs_blocked" => stat.blocked = words.next().and_then(number),
            // LXCFS shows zeros for the CPUs that are not the container's. A CPU that is online has
            // been busy or idle for some time, and one that is offline has no line.
            _ if key.starts_with(b"cpu") => cpus += u64::from(words.any(|ticks| ticks != b"0")),
            _ => {}
        }
    }
    stat.cpus = (cpus > 0).then_some(cpus);
    stat
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"cpu  140178 5 46572 555372 1710 0 929 102 2 0\n\
        cpu0 68771 0 23940 279062 290 0 301 54 1 0\n\
        cpu1 71407 0 22632 276309 1419 0 628 48 0 0\n\
        intr 4444992 0 0 1\n\
        ctxt 9129340\n\
        btime 1795459462\n\
        processes 56276\n\
        procs_running 1\n\
        procs_blocked 0\n\
        softirq 1680504 0 156644\n";

    #[test]
    fn times_are_nanoseconds_over_all_cpus() {
        let stat = parse(FILE);
        assert_eq!(stat.user_ns, Some(1_401_780_000_000));
        assert_eq!(stat.steal_ns, Some(1_020_000_000));
        assert_eq!(stat.used_ns(), Some((140_178 + 5 + 46_572 + 929 + 102) * TICK_NS));
        assert_eq!(stat.cpus, Some(2));
    }

    #[test]
    fn the_schedulers_counts_are_read() {
        let stat = parse(FILE);
        assert_eq!(stat.context_switches, Some(9_129_340));
        assert_eq!(stat.forks, Some(56_276));
        assert_eq!((stat.running, stat.blocked), (Some(1), Some(0)));
    }

    #[test]
    fn cpus_that_never_ran_are_not_the_containers() {
        let lxcfs = b"cpu  30 0 10 900 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n\
            cpu1 30 0 10 400 0 0 0 0 0 0\ncpu2 0 0 0 500 0 0 0 0 0 0\ncpu3 0 0 0 0 0 0 0 0 0 0\n";
        assert_eq!(parse(lxcfs).cpus, Some(2));
        assert_eq!(parse(b"cpu  0 0 0 0\ncpu0 0 0 0 0\n").cpus, None);
    }

    #[test]
    fn columns_an_old_kernel_lacks_are_absent() {
        let stat = parse(b"cpu  10 0 20 30\n");
        assert_eq!((stat.idle_ns, stat.iowait_ns), (Some(300_000_000), None));
        assert_eq!(stat.used_ns(), Some(300_000_000));
    }
}
