//! What a query may take: samples, time, and the patience of who asked.

use std::{
    cell::Cell,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use crate::{Limits, QueryError};

/// What is left of a query's limits.
#[derive(Debug)]
pub(crate) struct Budget<'a> {
    limits: Limits,
    began: Instant,
    cancelled: &'a AtomicBool,
    samples: Cell<usize>,
}

impl<'a> Budget<'a> {
    pub(crate) fn new(limits: Limits, cancelled: &'a AtomicBool) -> Self {
        Self { limits, began: Instant::now(), cancelled, samples: Cell::new(0) }
    }

    /// Takes room for samples that were read or made.
    pub(crate) fn take(&self, samples: usize) -> Result<(), QueryError> {
        let taken = self.samples.get().saturating_add(samples);
        self.samples.set(taken);
        let limit = self.limits.max_samples;
        if taken > limit {
            return Err(QueryError::TooManySamples { samples: taken, limit });
        }
        self.check()
    }

    /// Gives back the room of samples that are gone.
    pub(crate) fn give_back(&self, samples: usize) {
        self.samples.set(self.samples.get().saturating_sub(samples));
    }

    /// Fails once the query has taken too long, or nobody waits for it. To be called once a series.
    pub(crate) fn check(&self) -> Result<(), QueryError> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(QueryError::Cancelled);
        }
        if self.began.elapsed() > self.limits.timeout {
            return Err(QueryError::Timeout { seconds: self.limits.timeout.as_secs() });
        }
        Ok(())
    }
}
