//! The one table of metrics.

/// What a metric can belong to. The discriminant is its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum EntityKind {
    /// A machine of the cluster, or the host kubemonitor runs on.
    Node = 0,
    /// A pod, measured by its own cgroup (sandbox and ended containers included).
    Pod = 1,
    /// A container of a pod.
    Container = 2,
    /// What runs in a cgroup outside Kubernetes: a systemd service or a plain container.
    Unit = 3,
    /// A namespace, where somebody pushed a sample of it; else it is a sum over pods.
    Namespace = 4,
    /// A workload (Deployment, …), where somebody pushed a sample of it; else a sum over pods.
    Workload = 5,
}

impl EntityKind {
    /// Every kind, in wire order.
    pub const ALL: [Self; 6] =
        [Self::Node, Self::Pod, Self::Container, Self::Unit, Self::Namespace, Self::Workload];

    /// The kind with this wire number.
    pub fn from_wire(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// How a value behaves in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows, except when its source starts anew; rates come from two samples.
    Counter,
    /// Stands for itself.
    Gauge,
}

/// The unit of a metric's integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds.
    Nanoseconds,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// Bytes.
    Bytes,
    /// Thousandths of a CPU.
    Millicores,
    /// Billionths of a CPU.
    Nanocores,
    /// Thousandths (of a load average).
    Thousandths,
    /// A count of operations, packets, events or things.
    Count,
}

/// Columns a row can have: the presence of all of them fits one machine word.
pub const MAX_COLUMNS: usize = 64;

/// Which kinds have a metric: those of one letter each, as the table writes them.
const fn kinds(letters: &str) -> u8 {
    let bytes = letters.as_bytes();
    let mut set = 0;
    let mut i = 0;
    while i < bytes.len() {
        set |= match bytes[i] {
            b'N' => 1 << EntityKind::Node as u8,
            b'P' => 1 << EntityKind::Pod as u8,
            b'C' => 1 << EntityKind::Container as u8,
            b'U' => 1 << EntityKind::Unit as u8,
            // Pushed aggregates: namespace and workload together.
            b'A' => (1 << EntityKind::Namespace as u8) | (1 << EntityKind::Workload as u8),
            _ => panic!("unknown kind letter"),
        };
        i += 1;
    }
    set
}

macro_rules! catalogue {
    ($($wire:literal $variant:ident $name:literal $unit:ident $kind:ident $letters:literal
       $cgroup:literal $node:literal $help:literal;)*) => {
        /// A metric of the catalogue. Each variant's documentation is its help text.
        ///
        /// The order matters to the store: what changes most often comes first, so that a bitmap
        /// of changed columns stays short.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Metric { $(#[doc = $help] $variant),* }

        impl Metric {
            /// Every metric, in catalogue order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            const KINDS: &'static [u8] = &[$(kinds($letters)),*];

            /// The number that stands for the metric in frames. Never reused, never changed.
            pub const fn wire_id(self) -> u16 {
                match self { $(Self::$variant => $wire),* }
            }

            /// The metric a frame's column number stands for; `None` for one from the future.
            pub const fn from_wire_id(id: u64) -> Option<Self> {
                match id { $($wire => Some(Self::$variant),)* _ => None }
            }

            /// The name inside kubemonitor, with its unit.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The unit of the integer.
            pub const fn unit(self) -> Unit {
                match self { $(Self::$variant => Unit::$unit),* }
            }

            /// Counter or gauge.
            pub const fn kind(self) -> MetricKind {
                match self { $(Self::$variant => MetricKind::$kind),* }
            }

            /// What the metric means, in a sentence.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help),* }
            }

            /// The name the field knows it by: `cAdvisor`'s for pods, containers and units,
            /// `node_exporter`'s for nodes. `None` where the field has none.
            pub const fn prometheus_name(self, kind: EntityKind) -> Option<&'static str> {
                let name = match kind {
                    EntityKind::Node => match self { $(Self::$variant => $node),* },
                    _ => match self { $(Self::$variant => $cgroup),* },
                };
                if name.is_empty() { None } else { Some(name) }
            }
        }
    };
}

catalogue! {
    // id variant                name                        unit         kind    of      cAdvisor's name                                     node_exporter's name                        help
    1  CpuUsage               "cpu_usage_ns"              Nanoseconds  Counter "NPCU"  "container_cpu_usage_seconds_total"                 "node_cpu_usage_seconds_total"              "CPU time used. Of a node: all that was neither idle nor waiting for I/O.";
    2  MemoryUsage            "memory_usage_bytes"        Bytes        Gauge   "NPCU"  "container_memory_usage_bytes"                      "node_memory_usage_bytes"                   "Memory charged to the cgroup, page cache included. Of a node: the root cgroup's, as kubelet has it.";
    3  MemoryWorkingSet       "memory_working_set_bytes"  Bytes        Gauge   "NPCUA" "container_memory_working_set_bytes"                "node_memory_working_set_bytes"             "Memory usage minus inactive file pages, never below 0, as kubelet reports it.";
    4  CpuUser                "cpu_user_ns"               Nanoseconds  Counter "NPCU"  "container_cpu_user_seconds_total"                  ""                                          "CPU time in user mode.";
    5  CpuSystem              "cpu_system_ns"             Nanoseconds  Counter "NPCU"  "container_cpu_system_seconds_total"                ""                                          "CPU time in the kernel.";
    6  MemoryRss              "memory_rss_bytes"          Bytes        Gauge   "PCU"   "container_memory_rss"                              ""                                          "Anonymous memory.";
    7  MemoryFile             "memory_file_bytes"         Bytes        Gauge   "PCU"   "container_memory_cache"                            ""                                          "Page cache.";
    8  NetworkRxBytes         "network_rx_bytes"          Bytes        Counter "NPUA"  "container_network_receive_bytes_total"             "node_network_receive_bytes_total"          "Bytes received: by a pod's default interface, or by a node's cards.";
    9  NetworkTxBytes         "network_tx_bytes"          Bytes        Counter "NPUA"  "container_network_transmit_bytes_total"            "node_network_transmit_bytes_total"         "Bytes sent.";
    10 NetworkRxPackets       "network_rx_packets"        Count        Counter "NPU"   "container_network_receive_packets_total"           "node_network_receive_packets_total"        "Packets received.";
    11 NetworkTxPackets       "network_tx_packets"        Count        Counter "NPU"   "container_network_transmit_packets_total"          "node_network_transmit_packets_total"       "Packets sent.";
    12 DiskWriteBytes         "disk_write_bytes"          Bytes        Counter "NPCUA" "container_fs_writes_bytes_total"                   "node_disk_written_bytes_total"             "Bytes written to block devices.";
    13 DiskWrites             "disk_writes"               Count        Counter "NPCU"  "container_fs_writes_total"                         "node_disk_writes_completed_total"          "Write operations.";
    14 DiskReadBytes          "disk_read_bytes"           Bytes        Counter "NPCUA" "container_fs_reads_bytes_total"                    "node_disk_read_bytes_total"                "Bytes read from block devices.";
    15 DiskReads              "disk_reads"                Count        Counter "NPCU"  "container_fs_reads_total"                          "node_disk_reads_completed_total"           "Read operations.";
    16 CpuPsiSome             "cpu_psi_some_ns"           Nanoseconds  Counter "NPCU"  "container_pressure_cpu_waiting_seconds_total"      "node_pressure_cpu_waiting_seconds_total"   "Time in which some task waited for a CPU (PSI).";
    17 IoPsiSome              "io_psi_some_ns"            Nanoseconds  Counter "NPCU"  "container_pressure_io_waiting_seconds_total"       "node_pressure_io_waiting_seconds_total"    "Time in which some task waited for I/O (PSI).";
    18 IoPsiFull              "io_psi_full_ns"            Nanoseconds  Counter "NPCU"  "container_pressure_io_stalled_seconds_total"       "node_pressure_io_stalled_seconds_total"    "Time in which all tasks waited for I/O (PSI).";
    19 CpuPeriods             "cpu_periods"               Count        Counter "PCU"   "container_cpu_cfs_periods_total"                   ""                                          "CFS enforcement periods that have passed.";
    20 CpuThrottledPeriods    "cpu_throttled_periods"     Count        Counter "PCU"   "container_cpu_cfs_throttled_periods_total"         ""                                          "CFS periods in which the cgroup was throttled.";
    21 CpuThrottled           "cpu_throttled_ns"          Nanoseconds  Counter "PCU"   "container_cpu_cfs_throttled_seconds_total"         ""                                          "Time the cgroup was throttled.";
    22 MemoryPeak             "memory_peak_bytes"         Bytes        Gauge   "PCU"   "container_memory_max_usage_bytes"                  ""                                          "Highest memory usage the kernel recorded.";
    23 Pids                   "pids"                      Count        Gauge   "PCU"   "container_threads"                                 ""                                          "Tasks (threads) in the cgroup.";
    24 CpuPsiFull             "cpu_psi_full_ns"           Nanoseconds  Counter "PCU"   "container_pressure_cpu_stalled_seconds_total"      ""                                          "Time in which all tasks waited for a CPU (PSI).";
    25 MemoryPsiSome          "memory_psi_some_ns"        Nanoseconds  Counter "NPCU"  "container_pressure_memory_waiting_seconds_total"   "node_pressure_memory_waiting_seconds_total" "Time in which some task waited for memory (PSI).";
    26 MemoryPsiFull          "memory_psi_full_ns"        Nanoseconds  Counter "NPCU"  "container_pressure_memory_stalled_seconds_total"   "node_pressure_memory_stalled_seconds_total" "Time in which all tasks waited for memory (PSI).";
    27 OomKills               "oom_kills"                 Count        Counter "NPCU"  "container_oom_events_total"                        "node_vmstat_oom_kill"                      "Processes the kernel killed for want of memory.";
    28 MemoryLimit            "memory_limit_bytes"        Bytes        Gauge   "PCU"   "container_spec_memory_limit_bytes"                 ""                                          "Memory limit of the cgroup; absent when there is none.";
    29 CpuLimit               "cpu_limit_millicores"      Millicores   Gauge   "PCU"   "kubemonitor_cpu_limit_millicores"                  ""                                          "CPU limit (CFS quota over period); absent when there is none.";
    30 NetworkRxErrors        "network_rx_errors"         Count        Counter "NPU"   "container_network_receive_errors_total"            "node_network_receive_errs_total"           "Receive errors.";
    31 NetworkTxErrors        "network_tx_errors"         Count        Counter "NPU"   "container_network_transmit_errors_total"           "node_network_transmit_errs_total"          "Transmit errors.";
    32 NetworkRxDrops         "network_rx_drops"          Count        Counter "NPU"   "container_network_receive_packets_dropped_total"   "node_network_receive_drop_total"           "Received packets dropped.";
    33 NetworkTxDrops         "network_tx_drops"          Count        Counter "NPU"   "container_network_transmit_packets_dropped_total"  "node_network_transmit_drop_total"          "Packets to send dropped.";
    34 CpuUsageRate           "cpu_usage_nanocores"       Nanocores    Gauge   "NPA"   ""                                                  ""                                          "CPU use as somebody else's collector computed it; stands where the counter is absent.";
    40 CpuIdle                "cpu_idle_ns"               Nanoseconds  Counter "N"     ""                                                  ""                                          "CPU time idle.";
    41 CpuIowait              "cpu_iowait_ns"             Nanoseconds  Counter "N"     ""                                                  ""                                          "CPU time idle while I/O was outstanding.";
    42 CpuSoftirq             "cpu_softirq_ns"            Nanoseconds  Counter "N"     ""                                                  ""                                          "CPU time in soft interrupts.";
    43 CpuIrq                 "cpu_irq_ns"                Nanoseconds  Counter "N"     ""                                                  ""                                          "CPU time in hardware interrupts.";
    44 CpuSteal               "cpu_steal_ns"              Nanoseconds  Counter "N"     ""                                                  ""                                          "CPU time the hypervisor gave to others.";
    45 CpuNice                "cpu_nice_ns"               Nanoseconds  Counter "N"     ""                                                  ""                                          "CPU time of processes with lowered priority.";
    46 MemoryFree             "memory_free_bytes"         Bytes        Gauge   "N"     ""                                                  "node_memory_MemFree_bytes"                 "Memory nobody uses.";
    47 MemoryAvailable        "memory_available_bytes"    Bytes        Gauge   "N"     ""                                                  "node_memory_MemAvailable_bytes"            "Memory that new work can have without swapping, by the kernel's estimate.";
    48 MemoryCached           "memory_cached_bytes"       Bytes        Gauge   "N"     ""                                                  "node_memory_Cached_bytes"                  "Page cache.";
    49 MemoryBuffers          "memory_buffers_bytes"      Bytes        Gauge   "N"     ""                                                  "node_memory_Buffers_bytes"                 "Block device buffers.";
    50 Load1                  "load1_thousandths"         Thousandths  Gauge   "N"     ""                                                  "node_load1"                                "Load average over one minute.";
    51 Load5                  "load5_thousandths"         Thousandths  Gauge   "N"     ""                                                  "node_load5"                                "Load average over five minutes.";
    52 Load15                 "load15_thousandths"        Thousandths  Gauge   "N"     ""                                                  "node_load15"                               "Load average over fifteen minutes.";
    53 ContextSwitches        "context_switches"          Count        Counter "N"     ""                                                  "node_context_switches_total"               "Context switches.";
    54 Forks                  "forks"                     Count        Counter "N"     ""                                                  "node_forks_total"                          "Processes and threads created.";
    55 ProcessesRunning       "processes_running"         Count        Gauge   "N"     ""                                                  "node_procs_running"                        "Tasks that can run.";
    56 ProcessesBlocked       "processes_blocked"         Count        Gauge   "N"     ""                                                  "node_procs_blocked"                        "Tasks blocked on I/O.";
    57 DiskIoTime             "disk_io_time_ns"           Nanoseconds  Counter "N"     ""                                                  "node_disk_io_time_seconds_total"           "Time in which disks had work, summed over them.";
    58 MajorPageFaults        "major_page_faults"         Count        Counter "N"     ""                                                  "node_vmstat_pgmajfault"                    "Page faults that needed I/O.";
    59 SwapInPages            "swap_in_pages"             Count        Counter "N"     ""                                                  "node_vmstat_pswpin"                        "Pages swapped in.";
    60 SwapOutPages           "swap_out_pages"            Count        Counter "N"     ""                                                  "node_vmstat_pswpout"                       "Pages swapped out.";
    61 SwapFree               "swap_free_bytes"           Bytes        Gauge   "N"     ""                                                  "node_memory_SwapFree_bytes"                "Swap nobody uses.";
    62 SwapTotal              "swap_total_bytes"          Bytes        Gauge   "N"     ""                                                  "node_memory_SwapTotal_bytes"               "Swap there is.";
    63 MemoryTotal            "memory_total_bytes"        Bytes        Gauge   "N"     ""                                                  "node_memory_MemTotal_bytes"                "Memory the kernel manages.";
    64 CpuCapacity            "cpu_capacity_millicores"   Millicores   Gauge   "N"     ""                                                  "kubemonitor_node_cpu_capacity_millicores"  "Online CPUs, times 1000.";
    65 Uptime                 "uptime_ms"                 Milliseconds Gauge   "N"     ""                                                  ""                                          "Time since boot.";
    66 ReadOffset             "read_offset_us"            Microseconds Gauge   "PCU"   ""                                                  ""                                          "How long after its node's values those of the cgroup were read; absent where that hardly matters. Rates take it into account.";
    67 EntitiesLeftOut        "entities_left_out"         Count        Gauge   "N"     ""                                                  ""                                          "Units, containers and pods of the node that its frame had no room for.";
    68 NetworkReadOffset      "network_read_offset_us"    Microseconds Gauge   "PU"    ""                                                  ""                                          "How long after its node's values those of the network were read; absent where that hardly matters.";
}

/// The columns of one kind: its metrics in catalogue order, and back.
struct Layout {
    metrics: [Metric; MAX_COLUMNS],
    len: usize,
    column: [u8; Metric::ALL.len()],
    counters: u64,
}

const NO_COLUMN: u8 = u8::MAX;

const fn layout(kind: EntityKind) -> Layout {
    let mut layout = Layout {
        metrics: [Metric::CpuUsage; MAX_COLUMNS],
        len: 0,
        column: [NO_COLUMN; Metric::ALL.len()],
        counters: 0,
    };
    let mut i = 0;
    while i < Metric::ALL.len() {
        if Metric::KINDS[i] & (1 << kind as u8) != 0 {
            layout.metrics[layout.len] = Metric::ALL[i];
            #[expect(clippy::cast_possible_truncation, reason = "a kind has at most 64 columns")]
            {
                layout.column[i] = layout.len as u8;
            }
            if let MetricKind::Counter = Metric::ALL[i].kind() {
                layout.counters |= 1 << layout.len;
            }
            layout.len += 1;
        }
        i += 1;
    }
    layout
}

static LAYOUTS: [Layout; 6] = [
    layout(EntityKind::Node),
    layout(EntityKind::Pod),
    layout(EntityKind::Container),
    layout(EntityKind::Unit),
    layout(EntityKind::Namespace),
    layout(EntityKind::Workload),
];

impl EntityKind {
    /// The metrics of this kind, in column order.
    pub fn metrics(self) -> &'static [Metric] {
        let layout = &LAYOUTS[self as usize];
        &layout.metrics[..layout.len]
    }

    /// The column of a metric in rows of this kind; `None` when the kind does not have it.
    #[inline]
    pub fn column(self, metric: Metric) -> Option<usize> {
        let column = LAYOUTS[self as usize].column[metric as usize];
        (column != NO_COLUMN).then_some(usize::from(column))
    }

    /// The columns that are counters, as a bitmap.
    #[inline]
    pub fn counter_columns(self) -> u64 {
        LAYOUTS[self as usize].counters
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn wire_ids_and_names_are_unique() {
        let ids: HashSet<u16> = Metric::ALL.iter().map(|m| m.wire_id()).collect();
        let names: HashSet<&str> = Metric::ALL.iter().map(|m| m.name()).collect();
        assert_eq!((ids.len(), names.len()), (Metric::ALL.len(), Metric::ALL.len()));
    }

    #[test]
    fn a_wire_id_leads_back_to_its_metric() {
        for &metric in Metric::ALL {
            assert_eq!(Metric::from_wire_id(u64::from(metric.wire_id())), Some(metric));
        }
        assert_eq!(Metric::from_wire_id(9999), None);
    }

    #[test]
    fn every_kind_fits_the_presence_word_and_knows_its_columns() {
        for kind in EntityKind::ALL {
            assert!(kind.metrics().len() <= MAX_COLUMNS);
            for (column, &metric) in kind.metrics().iter().enumerate() {
                assert_eq!(kind.column(metric), Some(column));
            }
        }
        assert_eq!(EntityKind::Container.column(Metric::Load1), None);
    }

    #[test]
    fn kinds_have_the_width_the_design_asks_for() {
        assert!(EntityKind::Node.metrics().len() >= 40);
        assert!(EntityKind::Pod.metrics().len() >= 8);
        assert!(EntityKind::Container.metrics().len() >= 12);
    }

    #[test]
    fn prometheus_names_do_not_clash_within_a_kind() {
        for kind in EntityKind::ALL {
            let names: Vec<&str> =
                kind.metrics().iter().filter_map(|m| m.prometheus_name(kind)).collect();
            assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        }
    }
}
