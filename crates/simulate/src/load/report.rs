//! What a run was like.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

/// What a run was like.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Frames that were to be sent.
    pub planned_frames: u64,
    /// Frames the server took.
    pub frames: u64,
    /// Frames it did not take.
    pub failed_frames: u64,
    /// Values in the frames it took.
    pub samples: u64,
    /// Values in the frames of the history it took before.
    pub history_samples: u64,
    /// Bytes of the frames it took.
    pub bytes: u64,
    /// How long it all took.
    pub seconds: f64,
    /// CPU time of the generator itself.
    pub cpu_seconds: f64,
    /// Time from a frame's sending to the server's answer; `null` where none came.
    pub acknowledgement: Option<Latency>,
    /// How late frames were sent, by the clock they follow: the generator's own slowness, and waiting
    /// for the answer before. `null` where they follow none.
    pub lag: Option<Latency>,
    /// Frames that failed, by kind.
    pub failures: BTreeMap<String, Failure>,
}

/// A kind of failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Frames that failed so.
    pub frames: u64,
    /// What was said of the first one.
    pub first: String,
}

/// How long something took, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Half of them took longer.
    pub p50_ms: f64,
    /// One of a hundred took longer.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Report {
    /// Nothing went wrong.
    pub fn is_clean(&self) -> bool {
        self.failures.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_second = |count: u64| count as f64 / self.seconds.max(1e-9);
        let millions = self.samples as f64 / 1e6;
        writeln!(
            f,
            "sent             {} of {} frames, {millions:.2} million samples, {:.1} MiB, in {:.1} s",
            self.frames,
            self.planned_frames,
            self.bytes as f64 / f64::from(1 << 20),
            self.seconds,
        )?;
        writeln!(
            f,
            "rate             {:.0} samples/s, {:.0} frames/s, {:.2} MiB/s",
            per_second(self.samples),
            per_second(self.frames),
            per_second(self.bytes) / f64::from(1 << 20),
        )?;
        if let Some(latency) = self.acknowledgement {
            writeln!(f, "acknowledgement  {latency}")?;
        }
        if let Some(latency) = self.lag {
            writeln!(f, "sent late by     {latency}")?;
        }
        write!(f, "generator        {:.2} s of CPU", self.cpu_seconds)?;
        if self.samples > 0 {
            write!(f, ", {:.3} s per million samples", self.cpu_seconds / millions)?;
        }
        for (kind, Failure { frames, first }) in &self.failures {
            write!(f, "\nfailed           {frames} frames: {kind} ({first})")?;
        }
        Ok(())
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50_ms, p99_ms, max_ms } = self;
        write!(f, "p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms, max {max_ms:.2} ms")
    }
}
