//! Atomics, locks, channels and threads. They are the standard library's, except in two builds for tools that try orders of
//! events which an ordinary test would hardly meet.
//!
//! With `--cfg loom` the atomics are loom's, which tries every order that the memory model allows. With `--cfg shuttle`
//! everything is shuttle's, which tries many schedules of whole threads. `docs/testing.md` says how to run them.

/// Whether this build is for such a tool. Tables are then small, so that rare events happen, and not random, so that they happen
/// again.
pub(crate) const TRIED: bool = cfg!(any(loom, shuttle));

#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::{
    hint::spin_loop,
    sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic, mpsc},
    thread,
};

#[cfg(loom)]
pub(crate) use {
    loom::{hint::spin_loop, sync::atomic},
    // In the tests with loom only one thread takes these.
    std::sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, mpsc},
    std::thread,
};

#[cfg(not(loom))]
pub(crate) use arc_swap::ArcSwapOption;

/// A model of [`arc_swap::ArcSwapOption`] for loom: a thread that sees a value sees all that happened before it was stored.
#[cfg(loom)]
pub(crate) struct ArcSwapOption<T> {
    newest: atomic::AtomicUsize,
    values: Mutex<Vec<Option<std::sync::Arc<T>>>>,
}

#[cfg(loom)]
impl<T> Default for ArcSwapOption<T> {
    fn default() -> Self {
        Self { newest: atomic::AtomicUsize::new(0), values: Mutex::new(vec![None]) }
    }
}

#[cfg(loom)]
impl<T> ArcSwapOption<T> {
    pub(crate) fn store(&self, value: Option<std::sync::Arc<T>>) {
        let mut values = self.values.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        values.push(value);
        let newest = values.len() - 1;
        drop(values);
        self.newest.store(newest, atomic::Ordering::Release);
    }

    pub(crate) fn load(&self) -> Option<std::sync::Arc<T>> {
        let newest = self.newest.load(atomic::Ordering::Acquire);
        self.values.lock().ok().and_then(|values| values.get(newest).cloned().flatten())
    }

    pub(crate) fn load_full(&self) -> Option<std::sync::Arc<T>> {
        self.load()
    }
}

#[cfg(shuttle)]
pub(crate) use shuttle::{
    hint::spin_loop,
    sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic},
    thread,
};

/// Shuttle's channels, which know no time: a timeout of zero does not wait, any other waits for good.
#[cfg(shuttle)]
pub(crate) mod mpsc {
    use std::time::Duration;

    use shuttle::sync::mpsc::{self, TryRecvError};
    pub(crate) use shuttle::sync::mpsc::{RecvTimeoutError, Sender};

    pub(crate) struct Receiver<T>(mpsc::Receiver<T>);

    pub(crate) fn channel<T>() -> (Sender<T>, Receiver<T>) {
        let (sender, receiver) = mpsc::channel();
        (sender, Receiver(receiver))
    }

    impl<T> Receiver<T> {
        pub(crate) fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
            if !timeout.is_zero() {
                return self.0.recv().map_err(|_| RecvTimeoutError::Disconnected);
            }
            self.0.try_recv().map_err(|error| match error {
                TryRecvError::Empty => RecvTimeoutError::Timeout,
                TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
            })
        }
    }
}
