//! Whether another entity may be held.

use crate::sync::atomic::{AtomicUsize, Ordering};

/// Counts entities, and the memory that new ones may take.
#[derive(Debug)]
pub(crate) struct Admission {
    series: AtomicUsize,
    max_series: usize,
    /// Bytes that new entities may take until somebody looks again how large the process is.
    room: AtomicUsize,
}

/// Why another entity may not be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There are as many as there may be.
    TooMany,
    /// There is no memory for it.
    NoRoom,
}

impl Admission {
    /// Admits so many, whatever they take.
    pub(crate) fn new(max_series: usize) -> Self {
        let room = AtomicUsize::new(usize::MAX);
        Self { series: AtomicUsize::new(0), max_series, room }
    }

    /// Counts one more that takes about so many bytes.
    pub(crate) fn admit(&self, bytes: usize) -> Result<(), Refusal> {
        let below = |held: usize| (held < self.max_series).then_some(held + 1);
        // Whether the last one fits is not worth a lock: what it takes is a guess.
        let left = |room: usize| room.checked_sub(bytes);
        if self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_err() {
            return Err(Refusal::NoRoom);
        }
        let counted = self.series.fetch_update(Ordering::Relaxed, Ordering::Relaxed, below);
        counted.map(drop).map_err(|_| Refusal::TooMany)
    }

    /// Whether anything new may be begun.
    pub(crate) fn has_room(&self) -> bool {
        self.room.load(Ordering::Relaxed) > 0
            && self.series.load(Ordering::Relaxed) < self.max_series
    }

    /// So many have gone.
    pub(crate) fn release(&self, series: usize) {
        self.series.fetch_sub(series, Ordering::Relaxed);
    }

    /// New ones may take so many bytes from now on.
    pub(crate) fn set_room(&self, bytes: usize) {
        self.room.store(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_number_nor_memory_is_exceeded() {
        let admission = Admission::new(2);
        assert_eq!(admission.admit(10), Ok(()));
        admission.set_room(15);
        assert_eq!(admission.admit(10), Ok(()));
        assert_eq!(admission.admit(10), Err(Refusal::NoRoom));
        admission.set_room(usize::MAX);
        assert_eq!(admission.admit(10), Err(Refusal::TooMany));
        assert!(!admission.has_room());
        admission.release(1);
        assert_eq!(admission.admit(10), Ok(()));
    }
}
