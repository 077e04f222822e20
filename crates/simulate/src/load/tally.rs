//! What was sent, and what became of it.

use std::{
    collections::BTreeMap,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use rustix::time::{ClockId, Timespec, clock_gettime};

use super::{
    connection::{Receipt, Refusal},
    report::{Failure, Latency, Report},
};

/// Ten minutes; whatever takes longer counts as that. A histogram that saturates does not grow.
const LONGEST_US: u64 = 600_000_000;

/// Counts while frames are sent.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) planned: u64,
    frames: AtomicU64,
    samples: AtomicU64,
    bytes: AtomicU64,
    times: Mutex<Times>,
    failures: Mutex<BTreeMap<String, Failure>>,
    begun: OnceLock<(Instant, Duration)>,
}

/// How long things took, in microseconds.
#[derive(Debug)]
struct Times {
    answers: Histogram<u64>,
    lags: Histogram<u64>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub(super) frames: u64,
    pub(super) samples: u64,
    pub(super) failed: u64,
    pub(super) elapsed: Duration,
}

impl Tally {
    pub(super) fn new(planned: u64) -> Self {
        let histogram =
            || Histogram::new_with_max(LONGEST_US, 3).expect("three digits are between 0 and 5");
        Self {
            planned,
            frames: AtomicU64::new(0),
            samples: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            times: Mutex::new(Times { answers: histogram(), lags: histogram() }),
            failures: Mutex::default(),
            begun: OnceLock::new(),
        }
    }

    /// Time counts from here, or from the first look.
    pub(super) fn begin(&self) {
        self.begun();
    }

    fn begun(&self) -> (Instant, Duration) {
        *self.begun.get_or_init(|| (Instant::now(), cpu_time()))
    }

    /// The server has a frame of so many bytes, and said so this long after it was sent.
    pub(super) fn taken(&self, bytes: usize, receipt: &Receipt, answer: Duration) {
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.samples.fetch_add(receipt.samples, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.times.lock().answers.saturating_record(micros(answer));
    }

    /// A frame was lost.
    pub(super) fn failed(&self, refusal: Refusal) {
        let mut failures = self.failures.lock();
        let new = || Failure { frames: 0, first: refusal.detail };
        failures.entry(refusal.kind).or_insert_with(new).frames += 1;
    }

    /// A frame was sent this long after it was due.
    pub(super) fn lagged(&self, lag: Duration) {
        self.times.lock().lags.saturating_record(micros(lag));
    }

    pub(super) fn standing(&self) -> Standing {
        Standing {
            frames: self.frames.load(Ordering::Relaxed),
            samples: self.samples.load(Ordering::Relaxed),
            failed: self.failures.lock().values().map(|failure| failure.frames).sum(),
            elapsed: self.begun().0.elapsed(),
        }
    }

    /// Everything planned was sent, whatever became of it.
    pub(super) fn is_sent(&self) -> bool {
        let Standing { frames, failed, .. } = self.standing();
        frames + failed >= self.planned
    }

    pub(super) fn report(&self) -> Report {
        let Standing { frames, samples, failed, elapsed } = self.standing();
        let times = self.times.lock();
        Report {
            planned_frames: self.planned,
            frames,
            failed_frames: failed,
            samples,
            bytes: self.bytes.load(Ordering::Relaxed),
            seconds: elapsed.as_secs_f64(),
            cpu_seconds: cpu_time().saturating_sub(self.begun().1).as_secs_f64(),
            history_samples: 0,
            acknowledgement: latency(&times.answers),
            lag: latency(&times.lags),
            failures: self.failures(),
        }
    }

    pub(super) fn failures(&self) -> BTreeMap<String, Failure> {
        self.failures.lock().clone()
    }
}

fn latency(times: &Histogram<u64>) -> Option<Latency> {
    let millis = |micros: u64| micros as f64 / 1000.0;
    (!times.is_empty()).then(|| Latency {
        p50_ms: millis(times.value_at_quantile(0.5)),
        p99_ms: millis(times.value_at_quantile(0.99)),
        max_ms: millis(times.max()),
    })
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// CPU time of this process.
fn cpu_time() -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::ProcessCPUTime);
    let whole = Duration::from_secs(u64::try_from(tv_sec).unwrap_or(0));
    whole + Duration::from_nanos(u64::try_from(tv_nsec).unwrap_or(0))
}
