//! A clock that is set by hand.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::model::time::{Clock, Timestamp};

/// A clock that stands still until it is told to move. A clone shows the same time.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    now: AtomicU64,
    uptime: Mutex<Duration>,
}

impl ManualClock {
    /// Creates a clock that shows that time.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(Inner { now: AtomicU64::new(now.as_micros()), uptime: Mutex::default() }))
    }

    /// Lets that much time pass, at most until [`Timestamp::MAX`].
    pub fn advance(&self, duration: Duration) {
        let mut uptime = self.0.uptime.lock().unwrap_or_else(PoisonError::into_inner);
        *uptime = uptime.saturating_add(duration);
        self.set(self.now().saturating_add(duration));
    }

    /// Sets it to that time, be it earlier or later, as an administrator does: no time passes.
    pub fn set(&self, now: Timestamp) {
        self.0.now.store(now.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.now.load(Ordering::SeqCst))
    }

    fn uptime(&self) -> Duration {
        *self.0.uptime.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
