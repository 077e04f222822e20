//! How much may be under way at a time. Who finds no room waits a little, then is turned away.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::errors::ApiError;

/// How long a request waits for room.
const PATIENCE: Duration = Duration::from_secs(5);
/// KiB of written bodies in memory: 5,000 collectors' frames of 13 KiB at once.
const INGEST_KIB: u32 = 64 << 10;
/// Answers in the making. The largest take 200 MB each while they last.
const ANSWERS: usize = 16;

/// How many bytes of writes may be in memory.
#[derive(Clone, Debug)]
pub(crate) struct IngestBudget(Arc<Semaphore>);

impl Default for IngestBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(INGEST_KIB as usize)))
    }
}

impl IngestBudget {
    /// Room for a body.
    pub(crate) async fn room_for(&self, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(INGEST_KIB);
        let busy = || format!("{} MiB of writes are under way", INGEST_KIB >> 10);
        enter(&self.0, kib.clamp(1, INGEST_KIB), PATIENCE, busy).await
    }
}

/// How many answers may be in the making.
#[derive(Clone, Debug)]
pub(crate) struct Answering(Arc<Semaphore>);

impl Default for Answering {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ANSWERS)))
    }
}

impl Answering {
    /// Room for an answer.
    pub(crate) async fn enter(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        enter(&self.0, 1, PATIENCE, || format!("{ANSWERS} answers are in the making")).await
    }
}

/// Waits for room in a semaphore that is never closed.
pub(crate) async fn enter(
    room: &Arc<Semaphore>,
    amount: u32,
    patience: Duration,
    busy: impl FnOnce() -> String,
) -> Result<OwnedSemaphorePermit, ApiError> {
    match timeout(patience, Arc::clone(room).acquire_many_owned(amount)).await {
        Ok(Ok(permit)) => Ok(permit),
        _ => Err(ApiError::Busy(busy())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_room_waits_and_is_turned_away() {
        let budget = IngestBudget::default();
        let all = budget.room_for(INGEST_KIB as usize * 1024).await.unwrap();
        let refusal = budget.room_for(1).await.unwrap_err();
        assert!(matches!(refusal, ApiError::Busy(_)), "{refusal}");
        drop(all);
        assert!(budget.room_for(1).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn room_that_becomes_free_in_time_is_taken() {
        let answering = Answering::default();
        let mut held = Vec::new();
        for _ in 0..ANSWERS {
            held.push(answering.enter().await.unwrap());
        }
        let waiting = tokio::spawn(async move { answering.enter().await.is_ok() });
        tokio::time::sleep(Duration::from_secs(1)).await;
        held.pop();
        assert!(waiting.await.unwrap());
    }
}
