//! Frames that the server has not acknowledged yet.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use kubemonitor_model::Interval;
use tokio::{sync::Notify, time::Instant};

/// One encoded tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Its number, as the frame itself has it.
    pub(crate) sequence: u64,
    /// The frame.
    pub(crate) bytes: Bytes,
}

/// How much an outbox holds before it drops the oldest frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capacity {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

impl Capacity {
    /// What a restart of the server, or of the network, may take.
    const OUTAGE: Duration = Duration::from_secs(600);

    /// The frames of ten minutes, at least ten, and at most 4 MiB of them.
    pub(crate) fn for_interval(interval: Interval) -> Self {
        let frames = Self::OUTAGE.as_millis() / interval.duration().as_millis();
        Self { frames: usize::try_from(frames).unwrap_or(usize::MAX).max(10), bytes: 4 << 20 }
    }
}

/// How long a frame whose time the server does not take is held back.
const HOLD: Duration = Duration::from_secs(60);

/// The queue between the thread that samples and the task that sends: bounded, oldest first. A
/// frame stays until it is [removed](Self::remove), so that what fails on its way is sent again.
/// A frame that cannot be taken yet is [held back](Self::hold) and lets others pass.
#[derive(Debug)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    added: Notify,
    /// How long a frame is held back.
    hold: Duration,
}

#[derive(Debug)]
struct Queue {
    capacity: Capacity,
    /// In order of their numbers.
    frames: VecDeque<Waiting>,
    bytes: usize,
    lost: u64,
}

#[derive(Debug)]
struct Waiting {
    frame: Frame,
    /// Not to be sent before, while others are.
    held_until: Option<Instant>,
}

impl Outbox {
    pub(crate) fn new(capacity: Capacity) -> Self {
        let queue = Queue { capacity, frames: VecDeque::new(), bytes: 0, lost: 0 };
        Self { queue: Mutex::new(queue), added: Notify::new(), hold: HOLD }
    }

    /// Holds frames back for as long as a test can wait.
    #[cfg(test)]
    pub(crate) fn holding_for(self, hold: Duration) -> Self {
        Self { hold, ..self }
    }

    /// Adds the newest frame and drops the oldest ones if there is no room for it.
    pub(crate) fn push(&self, frame: Frame) {
        self.lock().push(frame);
        self.added.notify_one();
    }

    /// The oldest frame that is not held back; waits for one.
    pub(crate) async fn first(&self) -> Frame {
        loop {
            if let Some(frame) = self.peek() {
                return frame;
            }
            self.added.notified().await;
        }
    }

    /// The oldest frame that is not held back, if there is one.
    pub(crate) fn peek(&self) -> Option<Frame> {
        self.lock().free().next().cloned()
    }

    /// Of the frames that were held back for long enough the one that was tried longest ago.
    pub(crate) fn due(&self) -> Option<Frame> {
        let now = Instant::now();
        let queue = self.lock();
        let due = |waiting: &&Waiting| waiting.held_until.is_some_and(|until| until <= now);
        let held = queue.frames.iter().filter(due).min_by_key(|waiting| waiting.held_until);
        held.map(|waiting| waiting.frame.clone())
    }

    /// Takes out the frame with that number, if it still is there.
    pub(crate) fn remove(&self, sequence: u64) {
        let mut queue = self.lock();
        if let Some(place) = queue.place_of(sequence)
            && let Some(waiting) = queue.frames.remove(place)
        {
            queue.bytes -= waiting.frame.bytes.len();
        }
    }

    /// Has the frame with that number let others pass for a while.
    pub(crate) fn hold(&self, sequence: u64) {
        let mut queue = self.lock();
        if let Some(place) = queue.place_of(sequence) {
            queue.frames[place].held_until = Some(Instant::now() + self.hold);
        }
    }

    /// What was held back is in its place again.
    pub(crate) fn release(&self) {
        self.lock().frames.iter_mut().for_each(|waiting| waiting.held_until = None);
        self.added.notify_one();
    }

    /// How many frames wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().frames.len()
    }

    /// How many of them are not held back.
    pub(crate) fn free(&self) -> usize {
        self.lock().free().count()
    }

    /// How many frames were dropped since the last call.
    pub(crate) fn take_lost(&self) -> u64 {
        std::mem::take(&mut self.lock().lost)
    }

    /// No code panics while it holds the lock in the midst of a change.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn free(&self) -> impl Iterator<Item = &Frame> {
        let free = self.frames.iter().filter(|waiting| waiting.held_until.is_none());
        free.map(|waiting| &waiting.frame)
    }

    fn place_of(&self, sequence: u64) -> Option<usize> {
        self.frames.binary_search_by_key(&sequence, |waiting| waiting.frame.sequence).ok()
    }

    fn push(&mut self, frame: Frame) {
        self.bytes += frame.bytes.len();
        self.frames.push_back(Waiting { frame, held_until: None });
        while self.frames.len() > self.capacity.frames || self.bytes > self.capacity.bytes {
            self.drop_oldest();
            self.lost += 1;
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(Waiting { frame, .. }) = self.frames.pop_front() {
            self.bytes -= frame.bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(sequence: u64, len: usize) -> Frame {
        Frame { sequence, bytes: vec![0; len].into() }
    }

    fn waiting(outbox: &Outbox) -> Vec<u64> {
        outbox.lock().frames.iter().map(|waiting| waiting.frame.sequence).collect()
    }

    #[test]
    fn the_oldest_frames_make_room_and_are_counted() {
        let outbox = Outbox::new(Capacity { frames: 3, bytes: 1000 });
        (1..=5).for_each(|sequence| outbox.push(frame(sequence, 10)));
        assert_eq!(waiting(&outbox), [3, 4, 5]);
        assert_eq!((outbox.take_lost(), outbox.take_lost()), (2, 0));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let outbox = Outbox::new(Capacity { frames: 100, bytes: 100 });
        for (sequence, len) in [(1, 40), (2, 40), (3, 90)] {
            outbox.push(frame(sequence, len));
        }
        assert_eq!((waiting(&outbox), outbox.take_lost()), (vec![3], 2));
        outbox.push(frame(4, 101));
        assert_eq!((waiting(&outbox), outbox.take_lost()), (vec![], 2));
        outbox.push(frame(5, 100));
        assert_eq!(waiting(&outbox), [5]);
    }

    #[test]
    fn a_frame_that_made_room_meanwhile_is_not_mistaken_for_the_next() {
        let outbox = Outbox::new(Capacity { frames: 1, bytes: 100 });
        outbox.push(frame(1, 1));
        outbox.push(frame(2, 1));
        outbox.remove(1);
        assert_eq!(waiting(&outbox), [2]);
        outbox.remove(2);
        assert_eq!(outbox.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_that_is_held_back_lets_others_pass_and_keeps_its_place() {
        let outbox = Outbox::new(Capacity { frames: 4, bytes: 100 });
        (1..=3).for_each(|sequence| outbox.push(frame(sequence, 10)));
        outbox.hold(1);
        outbox.hold(2);
        let numbers = || (outbox.peek().map(|f| f.sequence), outbox.due().map(|f| f.sequence));
        assert_eq!((numbers(), outbox.free(), outbox.len()), ((Some(3), None), 1, 3));
        tokio::time::advance(HOLD).await;
        assert_eq!(numbers(), (Some(3), Some(1)));
        outbox.hold(1);
        assert_eq!(numbers(), (Some(3), Some(2)));
        outbox.remove(2);
        outbox.release();
        assert_eq!((numbers(), waiting(&outbox)), ((Some(1), None), vec![1, 3]));
    }

    #[test]
    fn what_is_held_back_makes_room_as_all_do() {
        let outbox = Outbox::new(Capacity { frames: 2, bytes: 100 });
        outbox.push(frame(1, 10));
        outbox.hold(1);
        (2..=3).for_each(|sequence| outbox.push(frame(sequence, 10)));
        assert_eq!((waiting(&outbox), outbox.take_lost()), (vec![2, 3], 1));
        outbox.hold(1);
        outbox.remove(1);
        assert_eq!(outbox.len(), 2);
    }

    #[test]
    fn ten_minutes_fit_whatever_the_interval() {
        for (interval, frames) in
            [("5", 120), ("1s", 600), ("500ms", 1200), ("1m", 10), ("60m", 10)]
        {
            let interval = interval.parse().expect("an interval");
            assert_eq!(Capacity::for_interval(interval).frames, frames);
        }
    }

    #[tokio::test]
    async fn the_sender_is_woken_by_another_thread() {
        let outbox = Outbox::new(Capacity { frames: 3, bytes: 1000 });
        std::thread::scope(|scope| {
            scope.spawn(|| outbox.push(frame(7, 1)));
        });
        assert_eq!(outbox.first().await.sequence, 7);
    }
}
