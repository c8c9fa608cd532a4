//! What requests and the management thread share.

use std::sync::TryLockError;

use crate::authority::error::AuthenticateError;
use crate::authority::health::{Contact, Staleness};
use crate::index::{Handle, Index};
use crate::model::decision::Reason;
use crate::model::time::Clock;
use crate::secret::{Format, Keyring, Presented};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};

/// What requests and the management thread share: the index and what it takes to read a secret.
pub(crate) struct Shared {
    pub(crate) index: Index,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) keyring: Keyring,
    pub(crate) format: Format,
    pub(crate) failures: Failures,
    pub(crate) contact: Contact,
    pub(crate) staleness: Staleness,
    /// The newest format of records that is understood.
    pub(crate) newest_format: u8,
}

impl Shared {
    #[inline]
    pub(crate) fn authenticate(&self, secret: &[u8]) -> Result<Handle, AuthenticateError> {
        self.find(secret).map_err(|reason| {
            self.failures.note(reason);
            AuthenticateError { reason }
        })
    }

    #[inline]
    fn find(&self, secret: &[u8]) -> Result<Handle, Reason> {
        match self.format.read(secret) {
            Presented::Ours(key) => self.find_under(key, secret),
            Presented::Foreign => self.find_chosen(secret),
            Presented::Malformed => Err(Reason::Malformed),
        }
    }

    #[inline(never)]
    fn find_chosen(&self, secret: &[u8]) -> Result<Handle, Reason> {
        let mut found = self.keyring.candidates().map(|key| self.find_under(key, secret));
        found.find(|found| *found != Err(Reason::Unknown)).unwrap_or(Err(Reason::Unknown))
    }

    #[allow(clippy::inline_always)] // It is called from two places, which keeps it out of the one that must be short.
    #[inline(always)]
    fn find_under(&self, key: u8, secret: &[u8]) -> Result<Handle, Reason> {
        let digest = self.keyring.digest(key, secret).ok_or(Reason::Unknown)?;
        self.index.authenticate(&digest, key, &*self.clock)
    }
}

/// Secrets that were not accepted and not told yet: a few one by one, the rest as a number, so that a flood of them
/// costs neither memory nor the log.
#[derive(Default)]
pub(crate) struct Failures {
    first: Mutex<Vec<Reason>>,
    more: AtomicU64,
}

/// How many are told one by one between two calls of [`Failures::take`].
const TOLD: usize = 16;

impl Failures {
    #[cold]
    fn note(&self, reason: Reason) {
        let told = match self.first.try_lock() {
            Ok(mut first) if first.len() < TOLD => {
                first.push(reason);
                true
            }
            // Never blocks a request: who meets another is counted.
            Ok(_) | Err(TryLockError::WouldBlock | TryLockError::Poisoned(_)) => false,
        };
        if !told {
            self.more.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The reasons of the first ones, and how many more there were.
    pub(crate) fn take(&self) -> (Vec<Reason>, u64) {
        let first = self.first.lock().map(|mut first| std::mem::take(&mut *first)).unwrap_or_default();
        (first, self.more.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_flood_of_failures_sixteen_are_told_and_the_rest_counted() {
        let failures = Failures::default();
        for (noted, told) in [(15, (15, 0)), (16, (16, 0)), (20, (16, 4))] {
            (0..noted).for_each(|_| failures.note(Reason::Unknown));
            let (first, more) = failures.take();
            assert_eq!((first.len(), more), told);
            assert!(first.iter().all(|reason| *reason == Reason::Unknown));
        }
    }
}
