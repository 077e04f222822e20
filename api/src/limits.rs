//! How many answers may be in the making at a time. Who finds no room waits a little, then is turned
//! away.
//!
//! Making takes processors and is limited; sending takes as long as the reader likes and is not: an
//! answer that waits for its reader has given its place back. Small questions have places of their
//! own, and so has metrics.k8s.io.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

use crate::errors::ApiError;

/// How long a request waits for a place.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many of a kind wait for one.
const WAITING: usize = 1024;
/// Small answers begun and not all sent: each has a thread, and up to 2 MiB of pieces.
const SMALL_UNDER_WAY: usize = 48;
/// Large ones: each also has all of its list.
const LARGE_UNDER_WAY: usize = 16;
/// Small answers in the making.
const SMALL: usize = 16;
/// Large answers in the making: each uses all processors.
const LARGE: usize = 4;

/// How large an answer may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// One entity, or one page.
    Small,
    /// A whole list.
    Large,
}

/// The places for answers in the making.
#[derive(Debug)]
pub(crate) struct Making {
    small: Arc<Places>,
    large: Arc<Places>,
    metrics_api: Arc<Places>,
}

impl Default for Making {
    fn default() -> Self {
        let [small, large, metrics_api] = [
            ("small", SMALL, SMALL_UNDER_WAY),
            ("large", LARGE, LARGE_UNDER_WAY),
            ("metrics.k8s.io", LARGE, LARGE_UNDER_WAY),
        ]
        .map(Places::new);
        Self { small, large, metrics_api }
    }
}

impl Making {
    /// A place for an answer of the REST API.
    pub(crate) async fn enter(&self, size: Size) -> Result<Place, ApiError> {
        let places = match size {
            Size::Small => &self.small,
            Size::Large => &self.large,
        };
        Places::enter(places).await
    }

    /// A place for an answer of metrics.k8s.io.
    pub(crate) async fn enter_metrics_api(&self) -> Result<Place, ApiError> {
        Places::enter(&self.metrics_api).await
    }
}

/// The places of one kind.
#[derive(Debug)]
struct Places {
    kind: &'static str,
    making: Arc<Semaphore>,
    under_way: Arc<Semaphore>,
    waiting: Semaphore,
    parked: Mutex<BTreeMap<Parked, Arc<Notify>>>,
    next_id: AtomicU64,
    /// How many wait until one under way ends.
    wanting: AtomicUsize,
}

/// One that waits until another answer ends, until this is dropped.
struct Wanting<'a>(&'a AtomicUsize);

impl Drop for Wanting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// An answer that waits for its reader, since when, and which.
type Parked = (Instant, u64);

impl Places {
    fn new((kind, making, under_way): (&'static str, usize, usize)) -> Arc<Self> {
        Arc::new(Self {
            kind,
            making: Arc::new(Semaphore::new(making)),
            under_way: Arc::new(Semaphore::new(under_way)),
            waiting: Semaphore::new(WAITING),
            parked: Mutex::default(),
            next_id: AtomicU64::new(0),
            wanting: AtomicUsize::new(0),
        })
    }

    async fn enter(places: &Arc<Self>) -> Result<Place, ApiError> {
        let busy = || ApiError::Busy(format!("too many {} answers are in the making", places.kind));
        let Ok(_waiting) = places.waiting.try_acquire() else { return Err(busy()) };
        // No semaphore here is ever closed.
        let entering = async {
            let under_way = places.begin().await?;
            let making = Arc::clone(&places.making).acquire_owned().await.ok()?;
            Some((making, under_way))
        };
        let Ok(Some((making, under_way))) = timeout(PATIENCE, entering).await else {
            return Err(busy());
        };
        Ok(Place { places: Arc::clone(places), making: Some(making), _under_way: under_way })
    }

    /// A place among those under way, if need be that of one that waits for its reader.
    async fn begin(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.under_way).try_acquire_owned() {
            return Some(permit);
        }
        self.wanting.fetch_add(1, Relaxed);
        let _wanting = Wanting(&self.wanting);
        // If all are still making, the first that waits for its reader gives way.
        self.cut_longest_parked();
        Arc::clone(&self.under_way).acquire_owned().await.ok()
    }

    /// The one whose reader has kept it waiting longest makes room.
    fn cut_longest_parked(&self) {
        if let Some((_, cut)) = self.parked.lock().pop_first() {
            cut.notify_one();
        }
    }
}

/// A place for one answer, from its first piece to its last.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    making: Option<OwnedSemaphorePermit>,
    _under_way: OwnedSemaphorePermit,
}

impl Place {
    /// Waits for the reader, and lets others make their answers meanwhile. `None` if the answer has
    /// to give way to others.
    pub(crate) async fn park<T>(&mut self, reader: impl Future<Output = T>) -> Option<T> {
        self.making = None;
        let parked = (Instant::now(), self.places.next_id.fetch_add(1, Relaxed));
        let cut = Arc::new(Notify::new());
        self.places.parked.lock().insert(parked, Arc::clone(&cut));
        if self.places.wanting.load(Relaxed) > 0 {
            self.places.cut_longest_parked();
        }
        let outcome = tokio::select! {
            outcome = reader => Some(outcome),
            () = cut.notified() => None,
        };
        self.places.parked.lock().remove(&parked);
        if outcome.is_some() {
            self.making = Arc::clone(&self.places.making).acquire_owned().await.ok();
        }
        outcome
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
    use std::future::{pending, ready};

    use super::*;

    async fn all(making: &Making, size: Size, count: usize) -> Vec<Place> {
        let mut places = Vec::new();
        for _ in 0..count {
            places.push(making.enter(size).await.unwrap());
        }
        places
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_place_waits_and_is_turned_away() {
        let making = Arc::new(Making::default());
        let mut held = all(&making, Size::Large, LARGE).await;
        let refusal = making.enter(Size::Large).await.unwrap_err();
        assert!(matches!(refusal, ApiError::Busy(_)), "{refusal}");
        let waiting = tokio::spawn({
            let making = Arc::clone(&making);
            async move { making.enter(Size::Large).await.is_ok() }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        held.pop();
        assert!(waiting.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn small_answers_and_metrics_have_places_of_their_own() {
        let making = Making::default();
        let _held = all(&making, Size::Large, LARGE).await;
        let began = Instant::now();
        assert!(making.enter(Size::Small).await.is_ok());
        assert!(making.enter_metrics_api().await.is_ok());
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn answers_that_wait_for_their_readers_leave_room_for_others() {
        let making = Making::default();
        let mut parked = all_parked(&making, LARGE_UNDER_WAY).await;
        // The one that has waited longest gives way.
        let mut newcomer = making.enter(Size::Large).await.unwrap();
        assert_eq!(newcomer.park(ready(1)).await, Some(1));
        assert!(parked.remove(0).await.unwrap().is_none());
        assert!(parked.iter().all(|place| !place.is_finished()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_came_while_all_were_making_gets_the_place_of_the_first_that_waits() {
        let making = Arc::new(Making::default());
        let mut parked = all_parked(&making, LARGE_UNDER_WAY - 1).await;
        let mut last = making.enter(Size::Large).await.unwrap();
        making.large.parked.lock().clear();
        let waiting = tokio::spawn({
            let making = Arc::clone(&making);
            async move { making.enter(Size::Large).await.is_ok() }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(last.park(pending::<()>()).await, None);
        drop(last);
        assert!(waiting.await.unwrap());
        parked.clear();
    }

    async fn all_parked(making: &Making, count: usize) -> Vec<tokio::task::JoinHandle<Option<()>>> {
        let mut parked = Vec::new();
        for _ in 0..count {
            let mut place = making.enter(Size::Large).await.unwrap();
            parked.push(tokio::spawn(async move { place.park(pending::<()>()).await }));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        parked
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_wait_than_are_worth_it() {
        let making = Arc::new(Making::default());
        let _held = all(&making, Size::Small, SMALL).await;
        let mut waiting = Vec::new();
        for _ in 0..WAITING {
            let making = Arc::clone(&making);
            waiting.push(tokio::spawn(async move { making.enter(Size::Small).await.is_ok() }));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        let began = Instant::now();
        assert!(making.enter(Size::Small).await.is_err());
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
