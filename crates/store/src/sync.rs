//! What this crate takes from the system to run threads and to tell the time: as it is or, under
//! `cfg(shuttle)`, a model of it whose scheduler decides who goes on at every lock. The package in
//! `crates/store/interleavings` builds the crate that way, and has other locks in `parking_lot`'s place.

#[cfg(shuttle)]
pub use self::model::set_clock;
#[cfg(shuttle)]
pub(crate) use self::model::{Condvar, atomic, mpsc, now, thread};
#[cfg(not(shuttle))]
pub(crate) use self::system::{Condvar, atomic, mpsc, now, thread};

#[cfg(not(shuttle))]
mod system {
    pub(crate) use std::{
        sync::{atomic, mpsc},
        thread,
    };

    pub(crate) use parking_lot::Condvar;

    pub(crate) use crate::system_time::now;
}

#[cfg(shuttle)]
mod model {
    use std::{
        cell::Cell,
        sync::{Mutex, PoisonError},
        time::Instant,
    };

    use kubemonitor_model::UnixMillis;
    use parking_lot::MutexGuard;
    use shuttle::thread::Thread;
    pub(crate) use shuttle::{
        sync::{atomic, mpsc},
        thread,
    };

    thread_local! {
        static CLOCK: Cell<UnixMillis> = const { Cell::new(UnixMillis(0)) };
    }

    /// The clock that the writer sees. All threads of a model are one thread of the system.
    pub(crate) fn now() -> UnixMillis {
        CLOCK.get()
    }

    /// Sets the clock that the writer sees.
    pub fn set_clock(now: UnixMillis) {
        CLOCK.set(now);
    }

    /// Who waits for a notification, each with a number of its own: as `parking_lot`'s nobody goes on
    /// without one, and a thread that is parked may. The list has a lock of the system, which is
    /// never held when another thread of the model goes on.
    #[derive(Debug, Default)]
    pub(crate) struct Condvar(Mutex<Waiting>);

    #[derive(Debug, Default)]
    struct Waiting {
        threads: Vec<(u64, Thread)>,
        next: u64,
    }

    impl Condvar {
        pub(crate) fn new() -> Self {
            Self::default()
        }

        pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            let number = {
                let mut waiting = self.waiting();
                let number = waiting.next;
                waiting.next += 1;
                waiting.threads.push((number, thread::current()));
                number
            };
            let waits = || self.waiting().threads.iter().any(|thread| thread.0 == number);
            MutexGuard::unlocked(guard, || {
                while waits() {
                    thread::park();
                }
            });
        }

        /// Time may pass whenever the scheduler wants: nobody who waits for it needs a notification.
        #[expect(clippy::unused_self, reason = "called as `parking_lot`'s is")]
        pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, _: Instant) {
            MutexGuard::unlocked(guard, thread::yield_now);
        }

        pub(crate) fn notify_one(&self) {
            let first = self.waiting().threads.pop();
            if let Some((_, thread)) = first {
                thread.unpark();
            }
        }

        pub(crate) fn notify_all(&self) {
            let all = std::mem::take(&mut self.waiting().threads);
            for (_, thread) in all {
                thread.unpark();
            }
        }

        fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}
