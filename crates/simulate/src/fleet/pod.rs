//! A pod: its containers, its sandbox and its network.

use fastrand::Rng;
use kubemonitor_model::{EntityId, Metric, QosClass, Row};

use super::{
    Shape,
    cgroup::{CgroupVersion, PAGE, Usage},
    container::{Container, ContainerSpec, Elapsed, Temper},
    identity::PodPlace,
    network::Network,
};

/// A pod.
#[derive(Debug)]
pub(super) struct Pod {
    pub(super) place: PodPlace,
    pub(super) id: EntityId,
    pub(super) qos: QosClass,
    /// It has not been shown yet, and began after the tick before.
    pub(super) newborn: bool,
    pub(super) containers: Vec<Container>,
    /// What the sandbox uses, and what is charged to the pod alone.
    own: Usage,
    memory_peak: u64,
    network: Option<Network>,
}

/// What Kubernetes knows of a pod before anything is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSpec {
    /// Its UID.
    pub uid: EntityId,
    /// Its QoS class.
    pub qos: QosClass,
    /// It has no network of its own.
    pub host_network: bool,
    /// Its containers.
    pub containers: Vec<ContainerSpec>,
}

impl PodSpec {
    /// The pod at a place of a fleet.
    pub fn of(shape: &Shape, place: PodPlace) -> Self {
        let pod = Pod::begin(shape, place);
        Self {
            uid: pod.id,
            qos: pod.qos,
            host_network: pod.network.is_none(),
            containers: pod.containers.iter().map(Container::spec).collect(),
        }
    }
}

impl Pod {
    /// A pod that begins now.
    pub(super) fn begin(shape: &Shape, place: PodPlace) -> Self {
        let mut rng = place.rng(shape.seed);
        let containers = (0..shape.containers)
            .map(|number| Container::begin(shape, place, number, &mut rng))
            .collect();
        let own = Usage {
            user_ns: rng.u64(20_000_000..60_000_000),
            system_ns: rng.u64(10_000_000..40_000_000),
            anon: rng.u64(8..40) * PAGE,
            kernel: rng.u64(20..90) * PAGE,
            pids: 1,
            ..Usage::default()
        };
        let on_the_hosts_network = rng.u8(0..20) == 0;
        let mut pod = Self {
            place,
            id: place.uid(shape.seed),
            qos: match rng.u8(0..10) {
                0 => QosClass::Guaranteed,
                1..8 => QosClass::Burstable,
                _ => QosClass::BestEffort,
            },
            newborn: true,
            containers,
            own,
            memory_peak: 0,
            network: (!on_the_hosts_network).then(Network::default),
        };
        pod.memory_peak = pod.usage().memory();
        pod
    }

    /// A pod that began up to ten days ago.
    pub(super) fn of_some_age(shape: &Shape, place: PodPlace) -> Self {
        let mut pod = Self::begin(shape, place);
        pod.newborn = false;
        let mut rng = place.rng(!shape.seed);
        let seconds = rng.u64(600..864_000);
        for container in &mut pod.containers {
            container.age(&mut rng, seconds);
        }
        if let Some(network) = &mut pod.network {
            network.serve(rng.u64(0..seconds * 4), &mut rng);
        }
        pod.memory_peak = pod.usage().memory() + rng.u64(0..2000) * PAGE;
        pod
    }

    /// Lives on.
    pub(super) fn live(&mut self, elapsed: Elapsed, rng: &mut Rng) {
        for container in &mut self.containers {
            let before_ns = container.usage.cpu_ns();
            container.live(elapsed, rng);
            let worked_us = (container.usage.cpu_ns() - before_ns) / 1000;
            if let Some(network) = &mut self.network {
                // Half a millisecond of CPU time a request, and what probes there are.
                let requests = match container.temper {
                    Temper::Idle => u64::from(worked_us > 0),
                    Temper::Light => rng.u64(0..=worked_us / 2000 + 1),
                    Temper::Busy => worked_us / 500,
                };
                if requests > 0 {
                    network.serve(requests, rng);
                }
            }
        }
        self.memory_peak = self.memory_peak.max(self.usage().memory());
    }

    /// What its cgroup counts: the containers' and its own.
    pub(super) fn usage(&self) -> Usage {
        self.containers.iter().fold(self.own, |sum, container| sum + container.usage)
    }

    /// Writes what the pod's files would say.
    pub(super) fn show(&self, usage: &Usage, version: CgroupVersion, row: &mut Row) {
        usage.show(version, row);
        for metric in [Metric::CpuPeriods, Metric::CpuThrottledPeriods, Metric::CpuThrottled] {
            row.set(metric, Some(0));
        }
        row.set(Metric::MemoryPeak, Some(self.memory_peak));
        if let Some(network) = &self.network {
            network.show(row);
        }
    }
}
