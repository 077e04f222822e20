//! Readings of the host to ticks.

use kubemonitor_frame::MAX_ENTITIES;
use kubemonitor_hostfs::{
    CgroupReading, EntityReading, Host, HostError, NodeReading, ReadCost,
    procfs::net_dev::NetworkCounters,
};
use kubemonitor_model::{EntityId, EntityKind, EntityRow, Metric, Row, Tick, UnixMillis};

use crate::{Settings, clock::UnixMicros};

/// Samples a host, tick by tick.
pub struct HostSampler {
    host: Host,
    /// The newest tick, filled anew each time.
    tick: Tick,
}

impl HostSampler {
    /// Opens the host. Its ticks are those of a new instance, numbered from 1.
    pub fn open(settings: &Settings) -> Result<Self, HostError> {
        let tick = Tick {
            node: settings.node.clone(),
            instance: fastrand::u64(..),
            sequence: 0,
            at: UnixMillis(0),
            read_delay_us: 0,
            interval_ms: settings.interval.millis(),
            rows: Vec::new(),
        };
        Ok(Self { host: Host::open(settings.host.clone())?, tick })
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
        tick.read_delay_us = UnixMicros::now().since(at);
        let reading = self.host.read();
        tick.rows.clear();
        tick.rows.push(node(EntityId::parse(tick.node.as_str()), reading.node));
        // The node's row is one of them. What is left out comes last, so no parent is missing.
        tick.rows.extend(reading.entities().take(MAX_ENTITIES - 1).map(entity));
        tick
    }

    /// What reading has cost since this was asked last.
    pub fn take_cost(&mut self) -> ReadCost {
        self.host.take_cost()
    }
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
    ] {
        row.set(metric, value);
    }
    set_network(&mut row, network.as_ref());
    EntityRow { id, parent: None, qos: None, newborn: false, row }
}

fn entity(reading: &EntityReading) -> EntityRow {
    let mut row = Row::new(reading.kind);
    set_cgroup(&mut row, &reading.cgroup);
    set_network(&mut row, reading.network.as_ref());
    EntityRow {
        id: reading.id.clone(),
        // The node's row is before them all.
        parent: reading.parent.and_then(|place| u32::try_from(place + 1).ok()),
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

fn set_network(row: &mut Row, network: Option<&NetworkCounters>) {
    let Some(network) = network else { return };
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

    #[test]
    fn every_metric_of_the_catalogue_has_its_reading() {
        let node = node(EntityId::Text("n".into()), &all_of_a_node());
        assert_eq!(absent(&node.row), [Metric::CpuUsageRate], "which only others push");
        let pod = entity(&reading(EntityKind::Pod));
        assert_eq!(absent(&pod.row), [Metric::CpuUsageRate], "which only others push");
        for kind in [EntityKind::Container, EntityKind::Unit] {
            assert_eq!(absent(&entity(&reading(kind)).row), []);
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
        assert_eq!((node.row.present(), entity(&nothing).row.present()), (0, 0));
    }

    #[test]
    fn values_keep_their_meaning() {
        let node = node(EntityId::Text("n".into()), &all_of_a_node()).row;
        // All but idle and iowait.
        assert_eq!(node.get(Metric::CpuUsage), Some(1 + 2 + 4 + 32 + 64 + 128));
        assert_eq!(node.get(Metric::CpuCapacity), Some(2000));
        assert_eq!(node.get(Metric::MemoryWorkingSet), Some(9));
        let container = entity(&reading(EntityKind::Container)).row;
        assert_eq!(container.get(Metric::MemoryLimit), Some(13));
        assert_eq!(container.get(Metric::CpuThrottled), Some(6));
    }
}
