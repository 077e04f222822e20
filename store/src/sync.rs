//! What this crate takes from the system to run threads and to tell the time: as it is or, under
//! `cfg(shuttle)`, a model of it whose scheduler decides who goes on at every lock. The package in
//! `store/interleavings` builds the crate that way, and has other locks in `parking_lot`'s place.

#[cfg(shuttle)]
pub use self::model::set_clock;
#[cfg(shuttle)]
pub(crate) use self::model::{Condvar, atomic, now, thread};
#[cfg(not(shuttle))]
pub(crate) use self::system::{Condvar, atomic, now, thread};

#[cfg(not(shuttle))]
mod system {
    pub(crate) use std::{sync::atomic, thread};

    use kubemonitor_model::UnixMillis;
    pub(crate) use parking_lot::Condvar;

    /// The clock of this machine.
    pub(crate) fn now() -> UnixMillis {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let millis = since_epoch.map_or(0, |elapsed| elapsed.as_millis());
        UnixMillis(i64::try_from(millis).unwrap_or(i64::MAX))
    }
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
    pub(crate) use shuttle::{sync::atomic, thread};

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

    /// Who waits for a notification. The list has a lock of the system, which is never held when
    /// another thread of the model goes on.
    #[derive(Debug, Default)]
    pub(crate) struct Condvar(Mutex<Vec<Thread>>);

    impl Condvar {
        pub(crate) fn new() -> Self {
            Self::default()
        }

        pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            self.waiting().push(thread::current());
            MutexGuard::unlocked(guard, thread::park);
        }

        /// Time may pass whenever the scheduler wants: nobody who waits for it needs a notification.
        #[expect(clippy::unused_self, reason = "called as `parking_lot`'s is")]
        pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, _: Instant) {
            MutexGuard::unlocked(guard, thread::yield_now);
        }

        pub(crate) fn notify_one(&self) {
            if let Some(thread) = self.waiting().pop() {
                thread.unpark();
            }
        }

        pub(crate) fn notify_all(&self) {
            let waiting = std::mem::take(&mut *self.waiting());
            waiting.iter().for_each(Thread::unpark);
        }

        fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Thread>> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}
