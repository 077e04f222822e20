//! Frames that the server has not acknowledged yet.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use kubemonitor_model::Interval;
use tokio::sync::Notify;

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

/// The queue between the thread that samples and the task that sends: bounded, oldest first. A
/// frame stays until it is [removed](Self::remove), so that what fails on its way is sent again.
#[derive(Debug)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    added: Notify,
}

#[derive(Debug)]
struct Queue {
    capacity: Capacity,
    frames: VecDeque<Frame>,
    bytes: usize,
    lost: u64,
}

impl Outbox {
    pub(crate) fn new(capacity: Capacity) -> Self {
        let queue = Queue { capacity, frames: VecDeque::new(), bytes: 0, lost: 0 };
        Self { queue: Mutex::new(queue), added: Notify::new() }
    }

    /// Adds the newest frame and drops the oldest ones if there is no room for it.
    pub(crate) fn push(&self, frame: Frame) {
        self.lock().push(frame);
        self.added.notify_one();
    }

    /// The oldest frame; waits for one.
    pub(crate) async fn first(&self) -> Frame {
        loop {
            if let Some(frame) = self.peek() {
                return frame;
            }
            self.added.notified().await;
        }
    }

    /// The oldest frame, if there is one.
    pub(crate) fn peek(&self) -> Option<Frame> {
        self.lock().frames.front().cloned()
    }

    /// Takes out the frame with that number, if it still is the oldest.
    pub(crate) fn remove(&self, sequence: u64) {
        let mut queue = self.lock();
        if queue.frames.front().is_some_and(|frame| frame.sequence == sequence) {
            queue.drop_oldest();
        }
    }

    /// How many frames wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().frames.len()
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
    fn push(&mut self, frame: Frame) {
        self.bytes += frame.bytes.len();
        self.frames.push_back(frame);
        while self.frames.len() > self.capacity.frames || self.bytes > self.capacity.bytes {
            self.drop_oldest();
            self.lost += 1;
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(frame) = self.frames.pop_front() {
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
        outbox.lock().frames.iter().map(|frame| frame.sequence).collect()
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
