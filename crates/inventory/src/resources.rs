//! Amounts of CPU and memory, and their sums over pods that come and go.

use crate::{Phase, PodMeta};

/// An amount of CPU and memory that was asked for, is allowed, or is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Thousandths of a CPU; `None` when nothing is said.
    pub cpu_millicores: Option<u64>,
    /// Bytes; `None` when nothing is said.
    pub memory_bytes: Option<u64>,
}

/// Sums over the pods of a namespace, a workload or a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodSums {
    /// Pods that Kubernetes knows at present, in whatever phase.
    pub present: u64,
    /// Those of them in phase `Running`.
    pub running: u64,
    /// Requests of present pods that have not run to their end; `None` where none has any.
    pub requests: Resources,
    /// Limits of the same pods; `None` where none has any.
    pub limits: Resources,
}

/// The maintained form of [`PodSums`].
#[derive(Debug, Default)]
pub(crate) struct PodTally {
    present: u64,
    running: u64,
    requests: ResourceTally,
    limits: ResourceTally,
}

#[derive(Debug, Default)]
struct ResourceTally {
    cpu_millicores: Tally,
    memory_bytes: Tally,
}

/// A sum that knows how many went into it: with none of them left it is absent again, not 0. What 64
/// bits cannot say is absent too.
#[derive(Debug, Default)]
struct Tally {
    sum: u128,
    count: u32,
}

impl PodTally {
    pub(crate) fn add(&mut self, pod: &PodMeta) {
        if pod.ended_at.is_some() {
            return;
        }
        self.present += 1;
        self.running += u64::from(pod.is_running());
        if claims_resources(pod) {
            self.requests.add(pod.requests);
            self.limits.add(pod.limits);
        }
    }

    /// Takes out a pod in the very state in which it was added.
    pub(crate) fn remove(&mut self, pod: &PodMeta) {
        if pod.ended_at.is_some() {
            return;
        }
        self.present -= 1;
        self.running -= u64::from(pod.is_running());
        if claims_resources(pod) {
            self.requests.remove(pod.requests);
            self.limits.remove(pod.limits);
        }
    }

    pub(crate) fn sums(&self) -> PodSums {
        PodSums {
            present: self.present,
            running: self.running,
            requests: self.requests.sums(),
            limits: self.limits.sums(),
        }
    }
}

/// The scheduler takes back what a pod claimed once it has run to its end.
fn claims_resources(pod: &PodMeta) -> bool {
    !matches!(pod.phase, Some(Phase::Succeeded | Phase::Failed))
}

impl ResourceTally {
    fn add(&mut self, amount: Resources) {
        self.cpu_millicores.add(amount.cpu_millicores);
        self.memory_bytes.add(amount.memory_bytes);
    }

    fn remove(&mut self, amount: Resources) {
        self.cpu_millicores.remove(amount.cpu_millicores);
        self.memory_bytes.remove(amount.memory_bytes);
    }

    fn sums(&self) -> Resources {
        Resources {
            cpu_millicores: self.cpu_millicores.value(),
            memory_bytes: self.memory_bytes.value(),
        }
    }
}

impl Tally {
    fn add(&mut self, amount: Option<u64>) {
        if let Some(amount) = amount {
            self.sum += u128::from(amount);
            self.count += 1;
        }
    }

    fn remove(&mut self, amount: Option<u64>) {
        if let Some(amount) = amount {
            self.sum -= u128::from(amount);
            self.count -= 1;
        }
    }

    fn value(&self) -> Option<u64> {
        u64::try_from(self.sum).ok().filter(|_| self.count > 0)
    }
}
