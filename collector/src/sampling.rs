//! Readings of the host to ticks.

use std::{fs, time::Duration};

use kubemonitor_hostfs::{
    CgroupReading, EntityReading, Host, HostError, HostReading, NodeReading, ReadAfter, ReadCost,
    procfs::net_dev::NetworkCounters,
};
use kubemonitor_model::{EntityId, EntityKind, EntityRow, Interval, Metric, Row, Tick, UnixMillis};

use crate::{
    Settings,
    clock::{SteadyClock, UnixMicros, since_boot},
    fitting::Fitting,
};

/// Samples a host, tick by tick.
pub struct HostSampler {
    host: Host,
    clock: SteadyClock,
    interval: Interval,
    fitting: Fitting,
    /// The newest tick, filled anew each time.
    tick: Tick,
}

impl HostSampler {
    /// Opens the host. Its ticks are those of a new instance, numbered from 1.
    pub fn open(settings: &Settings) -> Result<Self, HostError> {
        let host = Host::open(settings.host.clone())?;
        let boot_id = fs::read(settings.host.proc.join("sys/kernel/random/boot_id")).ok();
        let clock = SteadyClock::start(UnixMicros::now(), since_boot(), boot_id.as_deref());
        let tick = Tick {
            node: settings.node.clone(),
            instance: u64::from(clock.id()) << 32 | u64::from(fastrand::u32(..)),
            sequence: 0,
            at: UnixMillis(0),
            read_delay_us: 0,
            interval_ms: settings.interval.millis(),
            rows: Vec::new(),
        };
        let (interval, fitting) = (settings.interval, Fitting::default());
        Ok(Self { host, clock, interval, fitting, tick })
    }

    /// The host that is sampled.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// What there is to measure now, as the sample of the tick `at`.
    pub fn sample(&mut self, at: UnixMillis) -> &Tick {
        let tick = &mut self.tick;
        tick.sequence += 1;
        tick.at = at;
        let reading = self.host.read();
        // As of when the node was read, which was a while ago.
        let read_at = since_boot().saturating_sub(reading.at.elapsed());
        tick.read_delay_us = self.clock.at(read_at).since(at);
        tick.rows.clear();
        tick.rows.push(node(EntityId::parse(tick.node.as_str()), reading.node));
        push_entities(&mut tick.rows, &reading, self.interval);
        tick
    }

    /// Like [`sample`](Self::sample), and puts the tick's frame in place of what `frame` has. What
    /// does not fit is left out of both.
    pub fn sample_frame(&mut self, at: UnixMillis, frame: &mut Vec<u8>) -> &Tick {
        self.sample(at);
        self.fitting.encode(&mut self.tick, frame);
        &self.tick
    }

    /// What reading has cost since this was asked last.
    pub fn take_cost(&mut self) -> ReadCost {
        self.host.take_cost()
    }
}

/// Adds the rows of all that runs in a cgroup of its own to the node's: pods, then containers, then
/// units. What comes last is what a frame can best do without.
fn push_entities(rows: &mut Vec<EntityRow>, reading: &HostReading<'_>, interval: Interval) {
    let timed = || reading.entities().zip(reading.read_after());
    let row = |(reading, after)| entity(reading, after, interval);
    let first_pod = rows.len();
    let mut pods = Vec::new();
    for (place, pod) in timed().enumerate().filter(|(_, (it, _))| it.kind == EntityKind::Pod) {
        pods.push(place);
        rows.push(row(pod));
    }
    for container in timed().filter(|(it, _)| it.kind == EntityKind::Container) {
        let pod = container.0.parent.and_then(|place| pods.binary_search(&place).ok());
        let parent = pod.and_then(|pod| u32::try_from(first_pod + pod).ok());
        rows.push(EntityRow { parent, ..row(container) });
    }
    rows.extend(timed().filter(|(it, _)| it.kind == EntityKind::Unit).map(row));
}

/// How much later than the node something was read, where that makes a difference: in steps of 1/250
/// of the interval. Left out, it makes rates wrong by 0.4 % at most, and costs nothing on a host that
/// gives this process the time to read in one go.
pub(crate) fn read_offset_us(read_after: Duration, interval: Interval) -> Option<u64> {
    let step_us = interval.duration().as_micros() / 250;
    let steps = (read_after.as_micros() + step_us / 2) / step_us;
    u64::try_from(steps * step_us).ok().filter(|&offset| offset > 0)
}

fn node(id: EntityId, reading: &NodeReading) -> EntityRow {
    let NodeReading { stat, memory, root, network, disk, load, vm, uptime, .. } = reading;
    let mut row = Row::new(EntityKind::Node);
    for (metric, value) in [
        (Metric::CpuUsage, stat.used_ns()),
        (Metric::CpuUser, stat.user_ns),
        (Metric::CpuSystem, stat.system_ns),
        (Metric::CpuIdle, stat.idle_ns),
        (Metric::CpuIowait, stat.iowait_ns),
        (Metric::CpuSoftirq, stat.softirq_ns),
        (Metric::CpuIrq, stat.irq_ns),
        (Metric::CpuSteal, stat.steal_ns),
        (Metric::CpuNice, stat.nice_ns),
        (Metric::CpuCapacity, stat.cpus.and_then(|cpus| cpus.checked_mul(1000))),
        (Metric::CpuPsiSome, reading.cpu_pressure.some_ns),
        (Metric::IoPsiSome, reading.io_pressure.some_ns),
        (Metric::IoPsiFull, reading.io_pressure.full_ns),
        (Metric::MemoryPsiSome, reading.memory_pressure.some_ns),
        (Metric::MemoryPsiFull, reading.memory_pressure.full_ns),
        (Metric::MemoryUsage, root.memory_usage),
        (Metric::MemoryWorkingSet, root.memory_working_set),
        (Metric::MemoryTotal, memory.total),
        (Metric::MemoryFree, memory.free),
        (Metric::MemoryAvailable, memory.available),
        (Metric::MemoryCached, memory.cached),
        (Metric::MemoryBuffers, memory.buffers),
        (Metric::SwapTotal, memory.swap_total),
        (Metric::SwapFree, memory.swap_free),
        (Metric::DiskReadBytes, disk.map(|disk| disk.read_bytes)),
        (Metric::DiskReads, disk.map(|disk| disk.reads)),
        (Metric::DiskWriteBytes, disk.map(|disk| disk.write_bytes)),
        (Metric::DiskWrites, disk.map(|disk| disk.writes)),
        (Metric::DiskIoTime, disk.map(|disk| disk.io_time_ns)),
        (Metric::Load1, load.one),
        (Metric::Load5, load.five),
        (Metric::Load15, load.fifteen),
        (Metric::ContextSwitches, stat.context_switches),
        (Metric::Forks, stat.forks),
        (Metric::ProcessesRunning, stat.running),
        (Metric::ProcessesBlocked, stat.blocked),
        (Metric::MajorPageFaults, vm.major_faults),
        (Metric::SwapInPages, vm.swapped_in),
        (Metric::SwapOutPages, vm.swapped_out),
        (Metric::OomKills, vm.oom_kills),
        (Metric::Uptime, uptime.since_boot_ms),
        (Metric::EntitiesLeftOut, Some(0)),
    ] {
        row.set(metric, value);
    }
    if let Some(network) = network {
        set_network(&mut row, network);
    }
    EntityRow { id, parent: None, qos: None, newborn: false, row }
}

/// The row of an entity, for now without its pod.
fn entity(reading: &EntityReading, after: ReadAfter, interval: Interval) -> EntityRow {
    let mut row = Row::new(reading.kind);
    row.set(Metric::ReadOffset, read_offset_us(after.cgroup, interval));
    set_cgroup(&mut row, &reading.cgroup);
    if let Some(network) = &reading.network {
        let offset_us = read_offset_us(after.network, interval);
        row.set(Metric::NetworkReadOffset, offset_us);
        set_network(&mut row, network);
    }
    EntityRow {
        id: reading.id.clone(),
        parent: None,
        qos: reading.qos,
        newborn: reading.newborn,
        row,
    }
}

fn set_cgroup(row: &mut Row, cgroup: &CgroupReading) {
    for (metric, value) in [
        (Metric::CpuUsage, cgroup.cpu_usage_ns),
        (Metric::CpuUser, cgroup.cpu_user_ns),
        (Metric::CpuSystem, cgroup.cpu_system_ns),
        (Metric::CpuPeriods, cgroup.cpu_periods),
        (Metric::CpuThrottledPeriods, cgroup.cpu_throttled_periods),
        (Metric::CpuThrottled, cgroup.cpu_throttled_ns),
        (Metric::CpuLimit, cgroup.cpu_limit_millicores),
        (Metric::CpuPsiSome, cgroup.cpu_psi_some_ns),
        (Metric::CpuPsiFull, cgroup.cpu_psi_full_ns),
        (Metric::MemoryUsage, cgroup.memory_usage),
        (Metric::MemoryWorkingSet, cgroup.memory_working_set),
        (Metric::MemoryRss, cgroup.memory_rss),
        (Metric::MemoryFile, cgroup.memory_file),
        (Metric::MemoryPeak, cgroup.memory_peak),
        (Metric::MemoryLimit, cgroup.memory_limit),
        (Metric::MemoryPsiSome, cgroup.memory_psi_some_ns),
        (Metric::MemoryPsiFull, cgroup.memory_psi_full_ns),
        (Metric::OomKills, cgroup.oom_kills),
        (Metric::DiskReadBytes, cgroup.disk_read_bytes),
        (Metric::DiskReads, cgroup.disk_reads),
        (Metric::DiskWriteBytes, cgroup.disk_write_bytes),
        (Metric::DiskWrites, cgroup.disk_writes),
        (Metric::IoPsiSome, cgroup.io_psi_some_ns),
        (Metric::IoPsiFull, cgroup.io_psi_full_ns),
        (Metric::Pids, cgroup.pids),
    ] {
        row.set(metric, value);
    }
}

fn set_network(row: &mut Row, network: &NetworkCounters) {
    for (metric, value) in [
        (Metric::NetworkRxBytes, network.rx_bytes),
        (Metric::NetworkRxPackets, network.rx_packets),
        (Metric::NetworkRxErrors, network.rx_errors),
        (Metric::NetworkRxDrops, network.rx_drops),
        (Metric::NetworkTxBytes, network.tx_bytes),
        (Metric::NetworkTxPackets, network.tx_packets),
        (Metric::NetworkTxErrors, network.tx_errors),
        (Metric::NetworkTxDrops, network.tx_drops),
    ] {
        row.set(metric, Some(value));
    }
}

#[cfg(test)]
mod tests {
    use kubemonitor_hostfs::procfs::{
        diskstats::DiskCounters, loadavg::LoadAvg, meminfo::MemInfo, pressure::Pressure,
        stat::Stat, uptime::Uptime, vmstat::VmStat,
    };

    use super::*;

    /// The metrics of a row that have no value.
    fn absent(row: &Row) -> Vec<Metric> {
        let is_absent = |metric: &Metric| row.get(*metric).is_none();
        row.kind().metrics().iter().copied().filter(is_absent).collect()
    }

    fn all_of_a_cgroup() -> CgroupReading {
        CgroupReading {
            cpu_usage_ns: Some(1),
            cpu_user_ns: Some(2),
            cpu_system_ns: Some(3),
            cpu_periods: Some(4),
            cpu_throttled_periods: Some(5),
            cpu_throttled_ns: Some(6),
            cpu_limit_millicores: Some(7),
            memory_usage: Some(8),
            memory_working_set: Some(9),
            memory_rss: Some(10),
            memory_file: Some(11),
            memory_peak: Some(12),
            memory_limit: Some(13),
            oom_kills: Some(14),
            disk_read_bytes: Some(15),
            disk_write_bytes: Some(16),
            disk_reads: Some(17),
            disk_writes: Some(18),
            pids: Some(19),
            cpu_psi_some_ns: Some(20),
            cpu_psi_full_ns: Some(21),
            memory_psi_some_ns: Some(22),
            memory_psi_full_ns: Some(23),
            io_psi_some_ns: Some(24),
            io_psi_full_ns: Some(25),
        }
    }

    fn all_of_a_node() -> NodeReading {
        let pressure = Pressure { some_ns: Some(1), full_ns: Some(2) };
        NodeReading {
            stat: Stat {
                user_ns: Some(1),
                nice_ns: Some(2),
                system_ns: Some(4),
                idle_ns: Some(8),
                iowait_ns: Some(16),
                irq_ns: Some(32),
                softirq_ns: Some(64),
                steal_ns: Some(128),
                cpus: Some(2),
                context_switches: Some(3),
                forks: Some(4),
                running: Some(5),
                blocked: Some(6),
            },
            memory: MemInfo {
                total: Some(1),
                free: Some(2),
                available: Some(3),
                buffers: Some(4),
                cached: Some(5),
                swap_total: Some(6),
                swap_free: Some(7),
            },
            root: all_of_a_cgroup(),
            network: Some(NetworkCounters::default()),
            disk: Some(DiskCounters::default()),
            load: LoadAvg { one: Some(1), five: Some(2), fifteen: Some(3) },
            vm: VmStat {
                major_faults: Some(1),
                swapped_in: Some(2),
                swapped_out: Some(3),
                oom_kills: Some(4),
            },
            uptime: Uptime { since_boot_ms: Some(1) },
            cpu_pressure: pressure,
            memory_pressure: pressure,
            io_pressure: pressure,
        }
    }

    fn reading(kind: EntityKind) -> EntityReading {
        EntityReading {
            kind,
            id: EntityId::Text("x".into()),
            parent: None,
            qos: None,
            newborn: false,
            cgroup: all_of_a_cgroup(),
            network: Some(NetworkCounters::default()),
        }
    }

    const LATE: ReadAfter =
        ReadAfter { cgroup: Duration::from_millis(700), network: Duration::from_millis(900) };

    fn late_row(reading: &EntityReading) -> EntityRow {
        entity(reading, LATE, Interval::default())
    }

    #[test]
    fn every_metric_of_the_catalogue_has_its_reading() {
        let node = node(EntityId::Text("n".into()), &all_of_a_node());
        assert_eq!(absent(&node.row), [Metric::CpuUsageRate], "which only others push");
        let pod = late_row(&reading(EntityKind::Pod));
        assert_eq!(absent(&pod.row), [Metric::CpuUsageRate], "which only others push");
        for kind in [EntityKind::Container, EntityKind::Unit] {
            assert_eq!(absent(&late_row(&reading(kind)).row), []);
        }
    }

    #[test]
    fn what_was_not_read_is_absent() {
        let node = node(EntityId::Text("n".into()), &NodeReading::default());
        let nothing = EntityReading {
            cgroup: CgroupReading::default(),
            network: None,
            ..reading(EntityKind::Pod)
        };
        let pod = entity(&nothing, ReadAfter::default(), Interval::default());
        let (node, pod) = (absent(&node.row), absent(&pod.row));
        assert_eq!(node.len(), EntityKind::Node.metrics().len() - 1, "what is left out is counted");
        assert_eq!(pod, EntityKind::Pod.metrics());
    }

    #[test]
    fn values_keep_their_meaning() {
        let node = node(EntityId::Text("n".into()), &all_of_a_node()).row;
        // All but idle and iowait.
        assert_eq!(node.get(Metric::CpuUsage), Some(1 + 2 + 4 + 32 + 64 + 128));
        assert_eq!(node.get(Metric::CpuCapacity), Some(2000));
        assert_eq!(node.get(Metric::MemoryWorkingSet), Some(9));
        let container = late_row(&reading(EntityKind::Container)).row;
        assert_eq!(container.get(Metric::MemoryLimit), Some(13));
        assert_eq!(container.get(Metric::CpuThrottled), Some(6));
        assert_eq!(container.get(Metric::ReadOffset), Some(700_000));
        let pod = late_row(&reading(EntityKind::Pod)).row;
        assert_eq!(pod.get(Metric::NetworkReadOffset), Some(900_000));
    }

    #[test]
    fn how_late_something_was_read_is_told_where_it_matters() {
        let offset = |interval: &str, micros| {
            let interval = interval.parse().expect("an interval");
            read_offset_us(Duration::from_micros(micros), interval)
        };
        assert_eq!([0, 9_999].map(|micros| offset("5", micros)), [None, None]);
        assert_eq!(offset("5", 10_000), Some(20_000));
        assert_eq!(offset("5", 999_000), Some(1_000_000));
        assert_eq!([199, 200, 1_000].map(|us| offset("100ms", us)), [None, Some(400), Some(1_200)]);
    }
}
