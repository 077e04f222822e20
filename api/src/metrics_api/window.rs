//! What something used, and over which time.

use kubemonitor_model::{Metric, UnixMillis};
use kubemonitor_store::{SeriesView, TimeRange};

use super::objects::{Cpu, Memory, Usage, Window};

/// The time over which CPU is averaged, in ticks: the fewest that span this long. It is the pace at
/// which horizontal autoscaling asks, so that each of its decisions rests on all CPU time since
/// the one before and a single 5 s tick moves it by a third at most; and the scrape interval that
/// metrics-server is deployed with. Younger things have a shorter window, which the answer says.
const WINDOW_MS: i64 = 15_000;

/// The ticks of one entity that a window can be made of: the newest ones, without a gap.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    /// Oldest first, never empty.
    steps: Vec<Step>,
    memory: u64,
}

/// From one sample to the next.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// The later of the two.
    at: UnixMillis,
    cpu_ns: u64,
    elapsed_us: u64,
}

impl Recent {
    /// The ticks of a series that is there; `None` before it has two samples. The increase a newborn
    /// brings along does not count: when within the tick it was born is not known.
    pub(super) fn of(series: &SeriesView<'_>) -> Option<Self> {
        let newest = series.latest();
        let range = TimeRange { from: newest.at.minus(WINDOW_MS - 1), to: newest.at };
        let samples = series.window(range);
        let step = |sample: &kubemonitor_store::Sample| {
            let cpu_ns = sample.rates.increase(Metric::CpuUsage)?;
            let elapsed_us = sample.rates.elapsed_us(Metric::CpuUsage);
            let step = Step { at: sample.at, cpu_ns, elapsed_us };
            (sample.at > series.first_at()).then_some(step)
        };
        let mut steps: Vec<Step> = samples.iter().rev().map_while(step).collect();
        steps.reverse();
        let memory = newest.row.get(Metric::MemoryWorkingSet)?;
        (!steps.is_empty()).then_some(Self { steps, memory })
    }

    /// The end of the first step.
    pub(super) fn begins(&self) -> UnixMillis {
        self.steps.first().map_or(UnixMillis(i64::MAX), |step| step.at)
    }

    /// The newest tick.
    pub(super) fn ends(&self) -> UnixMillis {
        self.steps.last().map_or(UnixMillis(0), |step| step.at)
    }

    /// What was used in the steps that end at `from` or later, and how long they took.
    pub(super) fn since(&self, from: UnixMillis) -> Option<(Usage, Window)> {
        let steps = || self.steps.iter().filter(|step| step.at >= from);
        let elapsed_us: u64 = steps().map(|step| step.elapsed_us).sum();
        let cpu_ns: u128 = steps().map(|step| u128::from(step.cpu_ns)).sum();
        let nanocores = (cpu_ns * 1_000_000).checked_div(u128::from(elapsed_us))?;
        let cpu = Cpu(u64::try_from(nanocores).ok()?);
        Some((Usage { cpu, memory: Memory(self.memory) }, Window(elapsed_us)))
    }
}
