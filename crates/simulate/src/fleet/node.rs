//! A node: its pods, what runs beside them, and the machine.

use fastrand::Rng;
use kubemonitor_model::{EntityId, EntityKind, Metric, NodeName, Row, Tick, UnixMillis};

use super::{
    CgroupVersion, Shape,
    cgroup::{PAGE, USER_TICK_NS, Usage, floor},
    container::Elapsed,
    identity::{PodPlace, mixed, node_name},
    network::Network,
    pod::Pod,
    rows::Rows,
};

const GIB: u64 = 1 << 30;

/// A node of the fleet, with its pods.
#[derive(Debug)]
pub struct Node {
    shape: Shape,
    name: NodeName,
    instance: u64,
    sequence: u64,
    version: CgroupVersion,
    rng: Rng,
    pods: Vec<Pod>,
    born: Vec<PodPlace>,
    /// What runs outside pods.
    system: Usage,
    network: Network,
    /// What pods used that are gone.
    ended: Usage,
    cpus: u64,
    memory_total: u64,
    read_delay_us: u64,
    /// The node's clock at the newest tick, its read delay included; `None` before the first one.
    read_at_us: Option<i64>,
    uptime_us: u64,
    idle_ns: u64,
    softirq_ns: u64,
    context_switches: u64,
    forks: u64,
    page_faults: u64,
    disk_time_ns: u64,
    /// Load averages over 1, 5 and 15 minutes in millionths.
    load: [u64; 3],
}

impl Node {
    pub(super) fn new(shape: &Shape, place: u32) -> Self {
        let mut rng = Rng::with_seed(mixed(shape.seed ^ u64::from(place) << 20 ^ 0x0dde));
        let pod = |slot| Pod::of_some_age(shape, PodPlace { node: place, slot, generation: 0 });
        let pods: Vec<_> = (0..shape.pods).map(pod).collect();
        let used = pods.iter().fold(Usage::default(), |sum, pod| sum + pod.usage());
        let uptime_us = rng.u64(864_000_000_000..8_640_000_000_000);
        let cpus = u64::from(shape.pods).div_ceil(16).next_power_of_two() * 2;
        let system = Usage {
            user_ns: uptime_us * rng.u64(40..90),
            system_ns: uptime_us * rng.u64(20..60),
            anon: rng.u64(300_000..500_000) * PAGE,
            file: rng.u64(400_000..900_000) * PAGE,
            inactive_file: rng.u64(100_000..400_000) * PAGE,
            kernel: rng.u64(60_000..90_000) * PAGE,
            read_bytes: rng.u64(0..40_000_000) * 512,
            reads: rng.u64(0..800_000),
            write_bytes: rng.u64(0..400_000_000) * 512,
            writes: rng.u64(0..9_000_000),
            ..Usage::default()
        };
        Self {
            shape: *shape,
            name: node_name(place),
            instance: rng.u64(..),
            sequence: 0,
            version: if rng.u8(0..100) < shape.legacy_percent {
                CgroupVersion::V1
            } else {
                CgroupVersion::V2
            },
            memory_total: (used.memory() + system.memory()).next_multiple_of(8 * GIB)
                - rng.u64(20_000..60_000) * PAGE,
            pods,
            born: Vec::new(),
            system,
            network: Network {
                rx_bytes: rng.u64(..1 << 42),
                rx_packets: rng.u64(..1 << 31),
                tx_bytes: rng.u64(..1 << 42),
                tx_packets: rng.u64(..1 << 31),
            },
            ended: Usage::default(),
            cpus,
            read_delay_us: rng.u64(150..1500),
            read_at_us: None,
            uptime_us,
            idle_ns: 0,
            softirq_ns: uptime_us * 4,
            context_switches: rng.u64(..1 << 36),
            forks: rng.u64(..1 << 26),
            page_faults: rng.u64(..1 << 20),
            disk_time_ns: uptime_us * 9,
            load: [rng.u64(0..2_000_000), rng.u64(0..2_000_000), rng.u64(0..2_000_000)],
            rng,
        }
    }

    /// The node's name.
    pub fn name(&self) -> &NodeName {
        &self.name
    }

    /// Which cgroups it has.
    pub fn cgroup_version(&self) -> CgroupVersion {
        self.version
    }

    /// Where its pods are, and their UIDs.
    pub fn pods(&self) -> impl Iterator<Item = (PodPlace, &EntityId)> {
        self.pods.iter().map(|pod| (pod.place, &pod.id))
    }

    /// The pods that began at the newest tick, each in the place of one that ended.
    pub fn born(&self) -> &[PodPlace] {
        &self.born
    }

    /// Lives on until `at` and fills `tick` with what there is to measure. Times must rise.
    pub fn measure(&mut self, at: UnixMillis, tick: &mut Tick) {
        self.born.clear();
        let has_ticked = self.read_at_us.is_some();
        let elapsed = self.advance_clock(at);
        // Who began before the first tick is not known to have just begun.
        if has_ticked {
            self.replace_pods(elapsed);
        }
        for pod in &mut self.pods {
            pod.live(elapsed, &mut self.rng);
        }
        self.sequence += 1;
        tick.node.clone_from(&self.name);
        tick.instance = self.instance;
        tick.sequence = self.sequence;
        tick.at = at;
        tick.read_delay_us = self.read_delay_us.cast_signed();
        tick.interval_ms = self.shape.interval.millis();
        let mut rows = Rows::refill(&mut tick.rows);
        rows.next(EntityKind::Node, EntityId::Text(self.name.as_str().into()));
        let mut pods = self.ended;
        for pod in &mut self.pods {
            let usage = pod.usage();
            pods = pods + usage;
            let parent = u32::try_from(rows.filled()).ok();
            let row = rows.next(EntityKind::Pod, pod.id.clone());
            row.qos = Some(pod.qos);
            row.newborn = pod.newborn;
            pod.show(&usage, self.version, &mut row.row);
            for container in &pod.containers {
                let row = rows.next(EntityKind::Container, container.id.clone());
                row.parent = parent;
                row.newborn = pod.newborn;
                container.show(self.version, &mut row.row);
            }
            pod.newborn = false;
        }
        rows.finish();
        self.live(pods, elapsed);
        self.show(pods + self.system, &mut tick.rows[0].row);
    }

    /// Reads as long after the tick as before, about, and now and then a lot later.
    fn advance_clock(&mut self, at: UnixMillis) -> Elapsed {
        let rng = &mut self.rng;
        let usual = self.read_delay_us.min(1500);
        self.read_delay_us = (usual * 7 + rng.u64(150..1500)) / 8;
        if rng.u8(..) == 0 {
            self.read_delay_us += rng.u64(0..40_000);
        }
        let now = at.0 * 1000 + self.read_delay_us.cast_signed();
        let nominal = self.shape.interval.millis().cast_signed() * 1000;
        let before = self.read_at_us.replace(now).unwrap_or(now - nominal);
        let elapsed = Elapsed { us: (now - before).max(1).cast_unsigned() };
        self.uptime_us += elapsed.us;
        elapsed
    }

    fn replace_pods(&mut self, elapsed: Elapsed) {
        let lifetime_us = u64::try_from(self.shape.pod_lifetime.as_micros()).unwrap_or(u64::MAX);
        for pod in &mut self.pods {
            if elapsed.had_one_each(lifetime_us.max(1), &mut self.rng) {
                let counted = pod.usage();
                // Memory and tasks go with the pod; what it counted stays in the node's sums.
                let held =
                    Usage { anon: 0, file: 0, inactive_file: 0, kernel: 0, pids: 0, ..counted };
                self.ended = self.ended + held;
                let place = PodPlace { generation: pod.place.generation + 1, ..pod.place };
                *pod = Pod::begin(&self.shape, place);
                self.born.push(place);
            }
        }
    }

    /// What runs beside the pods, and what the machine does for all.
    fn live(&mut self, pods: Usage, elapsed: Elapsed) {
        let rng = &mut self.rng;
        self.system.user_ns += elapsed.cpu_ns(65, rng);
        self.system.system_ns += elapsed.cpu_ns(40, rng);
        self.system.anon =
            (self.system.anon + rng.u64(0..64) * PAGE).saturating_sub(rng.u64(0..64) * PAGE);
        let pages = rng.u64(0..60);
        self.system.write_bytes += pages * PAGE;
        self.system.writes += pages.div_ceil(4);
        self.system.file += pages / 4 * PAGE;
        self.system.inactive_file += pages / 8 * PAGE;
        self.softirq_ns += elapsed.cpu_ns(4, rng);
        self.disk_time_ns += pages * 90_000;
        self.network.serve(50 + rng.u64(0..300), rng);
        let used_ns = pods.cpu_ns() + self.system.cpu_ns();
        let idle_ns = (self.uptime_us * 1000 * self.cpus).saturating_sub(used_ns);
        self.idle_ns = self.idle_ns.max(idle_ns);
        self.context_switches += elapsed.us / 200 + rng.u64(0..20_000);
        self.forks += rng.u64(0..40);
        if elapsed.had_one_each(30_000_000, rng) {
            self.page_faults += rng.u64(0..20);
        }
        let running = 1_000_000 * (1 + pods.pids / 200 + rng.u64(0..3));
        for (load, seconds) in self.load.iter_mut().zip([60, 300, 900]) {
            let weight = (elapsed.us / 1000).min(seconds * 1000);
            *load = (*load * (seconds * 1000 - weight) + running * weight) / (seconds * 1000);
        }
    }

    fn show(&mut self, usage: Usage, row: &mut Row) {
        let ticks = |ns| floor(ns, USER_TICK_NS);
        let (user, system, softirq) =
            (ticks(usage.user_ns), ticks(usage.system_ns), ticks(self.softirq_ns));
        let available = self.memory_total.saturating_sub(usage.memory() - usage.file);
        let free = self.memory_total.saturating_sub(usage.memory());
        for (metric, value) in [
            (Metric::CpuUsage, user + system + softirq),
            (Metric::CpuUser, user),
            (Metric::CpuSystem, system),
            (Metric::CpuIdle, ticks(self.idle_ns)),
            (Metric::CpuIowait, ticks(usage.io_waited_ns)),
            (Metric::CpuSoftirq, softirq),
            (Metric::CpuIrq, 0),
            (Metric::CpuSteal, 0),
            (Metric::CpuNice, 0),
            (Metric::CpuCapacity, self.cpus * 1000),
            (Metric::MemoryUsage, usage.memory()),
            (Metric::MemoryWorkingSet, usage.memory() - usage.inactive_file),
            (Metric::MemoryTotal, self.memory_total),
            (Metric::MemoryFree, free),
            (Metric::MemoryAvailable, available),
            (Metric::MemoryCached, usage.file),
            (Metric::MemoryBuffers, 9000 * PAGE),
            (Metric::SwapTotal, 0),
            (Metric::SwapFree, 0),
            (Metric::SwapInPages, 0),
            (Metric::SwapOutPages, 0),
            (Metric::DiskReadBytes, usage.read_bytes),
            (Metric::DiskReads, usage.reads),
            (Metric::DiskWriteBytes, usage.write_bytes),
            (Metric::DiskWrites, usage.writes),
            (Metric::DiskIoTime, floor(self.disk_time_ns, 1_000_000)),
            // Two decimals, as the kernel prints them.
            (Metric::Load1, self.load[0] / 10_000 * 10),
            (Metric::Load5, self.load[1] / 10_000 * 10),
            (Metric::Load15, self.load[2] / 10_000 * 10),
            (Metric::ContextSwitches, self.context_switches),
            (Metric::Forks, self.forks),
            (Metric::ProcessesRunning, 1 + self.rng.u64(0..4)),
            (Metric::ProcessesBlocked, 0),
            (Metric::MajorPageFaults, self.page_faults),
            (Metric::OomKills, 0),
            (Metric::Uptime, floor(self.uptime_us / 1000, 10)),
            (Metric::EntitiesLeftOut, 0),
        ] {
            row.set(metric, Some(value));
        }
        if self.version == CgroupVersion::V2 {
            for (metric, ns) in [
                (Metric::CpuPsiSome, usage.cpu_waited_ns),
                (Metric::IoPsiSome, usage.io_waited_ns),
                (Metric::IoPsiFull, usage.io_stalled_ns),
                (Metric::MemoryPsiSome, 0),
                (Metric::MemoryPsiFull, 0),
            ] {
                row.set(metric, Some(floor(ns, 1000)));
            }
        }
        self.network.show(row);
    }
}
