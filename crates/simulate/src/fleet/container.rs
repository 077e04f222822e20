//! A container: what it is like, and what it does in a tick.

use fastrand::Rng;
use kubemonitor_model::{EntityId, Metric, Row};

use super::{
    Shape,
    cgroup::{CgroupVersion, PAGE, Usage},
    identity::PodPlace,
};

const MIB: u64 = 1 << 20;
/// The CFS period.
const PERIOD_NS: u64 = 100_000_000;

/// How a container spends its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Temper {
    /// Sleeps; a probe wakes it once a minute.
    Idle,
    /// Timers, health checks, a request now and then: some thousandths of a CPU.
    Light,
    /// Works all the time.
    Busy,
}

impl Temper {
    fn pick(shape: &Shape, rng: &mut Rng) -> Self {
        if rng.u8(0..100) < shape.idle_percent {
            Self::Idle
        } else if rng.u8(0..4) == 0 {
            Self::Busy
        } else {
            Self::Light
        }
    }
}

/// What Kubernetes knows of a container before anything is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerSpec {
    /// Its ID.
    pub id: EntityId,
    /// Its CPU limit in thousandths of a CPU.
    pub limit_millicores: Option<u32>,
    /// Its memory limit in bytes.
    pub memory_limit: Option<u64>,
}

/// What passed on a node between two ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elapsed {
    pub(super) us: u64,
}

impl Elapsed {
    /// Whether something that happens every `us` on average happened.
    pub(super) fn had_one_each(self, us: u64, rng: &mut Rng) -> bool {
        rng.u64(0..us) < self.us
    }

    /// CPU time of so many thousandths of a CPU, give or take some.
    pub(super) fn cpu_ns(self, millicores: u64, rng: &mut Rng) -> u64 {
        let even = millicores * self.us;
        even * 3 / 4 + rng.u64(0..=even / 2)
    }
}

const MINUTE_US: u64 = 60_000_000;

/// A container.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) id: EntityId,
    pub(super) temper: Temper,
    pub(super) usage: Usage,
    memory_peak: u64,
    /// Thousandths of a CPU it tends to, and those it is at.
    usual_millicores: u32,
    millicores: u32,
    limit_millicores: Option<u32>,
    memory_limit: u64,
    periods: u64,
    throttled_periods: u64,
    throttled_ns: u64,
    /// Works on files as well as on memory.
    writes_files: bool,
}

impl Container {
    /// A container that begins now.
    pub(super) fn begin(shape: &Shape, place: PodPlace, number: u32, rng: &mut Rng) -> Self {
        let temper = Temper::pick(shape, rng);
        let usual_millicores = match temper {
            Temper::Idle => 1,
            Temper::Light => rng.u32(1..=8),
            // Few work a lot, many a bit.
            Temper::Busy => 20 + rng.u32(0..700) * rng.u32(0..700) / 700,
        };
        let anon_mib = match temper {
            Temper::Idle => rng.u64(4..60),
            Temper::Light => rng.u64(20..200),
            Temper::Busy => rng.u64(60..900),
        };
        let usage = Usage {
            user_ns: rng.u64(100_000_000..400_000_000),
            system_ns: rng.u64(20_000_000..100_000_000),
            anon: anon_mib * MIB + rng.u64(0..256) * PAGE,
            file: rng.u64(0..8000) * PAGE,
            kernel: rng.u64(100..500) * PAGE,
            read_bytes: rng.u64(0..8000) * PAGE,
            reads: rng.u64(0..900),
            pids: rng.u64(1..20),
            ..Usage::default()
        };
        Self {
            id: place.container_id(shape.seed, number),
            temper,
            memory_peak: usage.memory(),
            usage,
            usual_millicores,
            millicores: usual_millicores,
            // Two of three teams set limits; one in five of those a tight one.
            limit_millicores: (rng.u8(0..3) > 0).then(|| match rng.u8(0..5) {
                0 => usual_millicores.next_multiple_of(50),
                _ => usual_millicores.next_multiple_of(250) * 2,
            }),
            memory_limit: (usage.memory() * 2).next_multiple_of(64 * MIB),
            periods: 0,
            throttled_periods: 0,
            throttled_ns: 0,
            writes_files: rng.u8(0..3) == 0,
        }
    }

    pub(super) fn spec(&self) -> ContainerSpec {
        ContainerSpec {
            id: self.id.clone(),
            limit_millicores: self.limit_millicores,
            memory_limit: self.limit_millicores.map(|_| self.memory_limit),
        }
    }

    /// The container as it is when it has run for a while already.
    pub(super) fn age(&mut self, rng: &mut Rng, seconds: u64) {
        let share = if self.temper == Temper::Idle { 60 } else { 1 };
        let ns = u64::from(self.usual_millicores) * 1_000_000 * seconds / share;
        self.usage.user_ns += ns * 7 / 10 + rng.u64(0..1_000_000_000);
        self.usage.system_ns += ns * 3 / 10 + rng.u64(0..1_000_000_000);
        self.usage.cpu_waited_ns = ns / 50;
        if self.writes_files && self.temper != Temper::Idle {
            let pages = seconds * u64::from(self.usual_millicores) / 4;
            self.usage.write_bytes += pages * PAGE;
            self.usage.writes += pages / 8;
            self.usage.io_waited_ns += pages * 20_000;
            self.usage.io_stalled_ns += pages * 15_000;
        }
        self.memory_peak = self.usage.memory() + rng.u64(0..2000) * PAGE;
        if self.limit_millicores.is_some() {
            self.periods = ns / PERIOD_NS;
        }
    }

    /// Lives on.
    pub(super) fn live(&mut self, elapsed: Elapsed, rng: &mut Rng) {
        match self.temper {
            Temper::Idle => {
                if elapsed.had_one_each(MINUTE_US, rng) {
                    self.compute(rng.u64(300_000..3_000_000), elapsed, rng);
                }
                return;
            }
            Temper::Light => {
                self.compute(elapsed.cpu_ns(u64::from(self.usual_millicores), rng), elapsed, rng);
                if elapsed.had_one_each(MINUTE_US, rng) {
                    self.resize(16, rng);
                }
                if self.writes_files && elapsed.had_one_each(MINUTE_US / 2, rng) {
                    self.write(rng.u64(1..8), rng);
                }
            }
            Temper::Busy => {
                self.wander(rng);
                self.compute(elapsed.cpu_ns(u64::from(self.millicores), rng), elapsed, rng);
                if elapsed.had_one_each(2 * elapsed.us, rng) {
                    self.resize(256, rng);
                }
                if self.writes_files {
                    let pages = elapsed.us * u64::from(self.millicores) / 4_000_000;
                    self.write(1 + rng.u64(0..=pages * 2), rng);
                }
                if elapsed.had_one_each(MINUTE_US / 3, rng) {
                    self.usage.pids = self.usage.pids.max(2) + rng.u64(0..3) - 1;
                }
            }
        }
        self.memory_peak = self.memory_peak.max(self.usage.memory());
    }

    /// Writes what the container's files would say.
    pub(super) fn show(&self, version: CgroupVersion, row: &mut Row) {
        self.usage.show(version, row);
        for (metric, value) in [
            (Metric::MemoryPeak, self.memory_peak),
            (Metric::CpuPeriods, self.periods),
            (Metric::CpuThrottledPeriods, self.throttled_periods),
            (Metric::CpuThrottled, self.throttled_ns),
        ] {
            row.set(metric, Some(value));
        }
        if let Some(limit) = self.limit_millicores {
            row.set(Metric::CpuLimit, Some(u64::from(limit)));
            row.set(Metric::MemoryLimit, Some(self.memory_limit));
        }
    }

    /// Goes on working as much as before, more or less, and back to what is usual in the long run.
    fn wander(&mut self, rng: &mut Rng) {
        let home = (self.usual_millicores.cast_signed() - self.millicores.cast_signed()) / 16;
        let reach = self.usual_millicores.cast_signed() / 8 + 1;
        let next = self.millicores.cast_signed() + home + rng.i32(-reach..=reach);
        self.millicores = next.max(1).cast_unsigned();
    }

    /// Wants so much CPU time, and gets what its limit allows.
    fn compute(&mut self, wanted_ns: u64, elapsed: Elapsed, rng: &mut Rng) {
        let mut ns = wanted_ns;
        if let Some(limit) = self.limit_millicores {
            let periods = (wanted_ns / 5_000_000 + 1).min(elapsed.us * 1000 / PERIOD_NS);
            let allowed_ns = u64::from(limit) * elapsed.us;
            self.periods += periods;
            if wanted_ns > allowed_ns * 9 / 10 {
                ns = wanted_ns.min(allowed_ns);
                self.throttled_periods += rng.u64(0..=periods / 2);
                self.throttled_ns += rng.u64(0..=wanted_ns / 4);
            }
        }
        let system_ns = ns / 4 + rng.u64(0..=ns / 8);
        self.usage.system_ns += system_ns;
        self.usage.user_ns += ns - system_ns;
        self.usage.cpu_waited_ns += rng.u64(0..=ns / 25);
    }

    /// Takes or gives back memory, at most so many pages.
    fn resize(&mut self, pages: u64, rng: &mut Rng) {
        let grown = self.usage.anon + rng.u64(0..=pages) * PAGE;
        let next = grown.saturating_sub(rng.u64(0..=pages) * PAGE);
        let room = self.memory_limit - self.usage.kernel - self.usage.file;
        self.usage.anon = next.clamp(MIB, room.max(MIB));
    }

    /// Writes pages to a file; when memory gets short, the oldest of them leave it.
    fn write(&mut self, pages: u64, rng: &mut Rng) {
        let operations = pages / 8 + 1;
        let usage = &mut self.usage;
        usage.write_bytes += pages * PAGE;
        usage.writes += operations;
        usage.io_waited_ns += operations * rng.u64(50_000..900_000);
        usage.io_stalled_ns += operations * rng.u64(20_000..600_000);
        usage.io_stalled_ns = usage.io_stalled_ns.min(usage.io_waited_ns);
        usage.file += pages * PAGE;
        usage.inactive_file = (usage.inactive_file + pages * PAGE).min(usage.file);
        if usage.memory() > self.memory_limit * 9 / 10 {
            let let_go = usage.inactive_file / 2 / PAGE * PAGE;
            usage.file -= let_go;
            usage.inactive_file -= let_go;
        }
    }
}
