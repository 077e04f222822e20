//! Memory for answers in the making: of a large list, what was found is held until it is written.

use std::{num::NonZero, sync::Arc, thread::available_parallelism, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{errors::ApiError, limits::enter};

/// What all answers may hold where memory is ample: sixteen lists of 150,000 pods.
const MOST_KIB: u64 = 160 << 10;
/// The share of the process's memory that they may hold where it is not.
const SHARE: u64 = 8;

/// How long a list waits for its turn: it holds nothing meanwhile, and each takes a fraction of a second.
const TURN_PATIENCE: Duration = Duration::from_secs(30);
/// How long it waits for room for what was found.
const ROOM_PATIENCE: Duration = Duration::from_secs(10);

/// How much memory answers in the making may hold.
#[derive(Clone, Debug)]
pub(crate) struct AnswerMemory {
    /// Whoever looks through everything for a page holds twice as much meanwhile.
    turns: Arc<Semaphore>,
    room: Arc<Semaphore>,
    kib: u32,
}

impl AnswerMemory {
    /// What suits a process of so many bytes.
    pub(crate) fn within(limit_bytes: Option<u64>) -> Self {
        let kib = limit_bytes.map_or(MOST_KIB, |bytes| (bytes / SHARE / 1024).min(MOST_KIB));
        let kib = u32::try_from(kib).unwrap_or(u32::MAX).max(1);
        let turns = available_parallelism().map_or(1, NonZero::get);
        Self {
            turns: Arc::new(Semaphore::new(turns)),
            room: Arc::new(Semaphore::new(kib as usize)),
            kib,
        }
    }

    /// A turn to look for what is on a page of a list: one for each processor.
    pub(crate) async fn turn(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let busy = || "other lists are being looked through".to_owned();
        enter(&self.turns, 1, TURN_PATIENCE, busy).await
    }

    /// Room for what was found, of so many bytes. More than there is takes all.
    pub(crate) async fn room_for(&self, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(self.kib).clamp(1, self.kib);
        let busy = || format!("answers in the making hold {} MiB", self.kib >> 10);
        enter(&self.room, kib, ROOM_PATIENCE, busy).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn large_answers_wait_for_each_other_and_small_ones_for_none() {
        let memory = AnswerMemory::within(None);
        let bytes = 100 << 20;
        let first = memory.room_for(bytes).await.unwrap();
        assert!(memory.room_for(bytes).await.is_err());
        assert!(memory.room_for(1000).await.is_ok());
        drop(first);
        assert!(memory.room_for(bytes).await.is_ok());
        assert!(memory.room_for(usize::MAX).await.is_ok(), "it takes all there is");
    }

    #[test]
    fn a_small_process_gives_answers_a_share() {
        assert_eq!(AnswerMemory::within(Some(64 << 20)).kib, 8 << 10);
        assert_eq!(u64::from(AnswerMemory::within(Some(1 << 40)).kib), MOST_KIB);
    }
}
