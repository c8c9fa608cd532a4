//! What requests and the management thread share.

use std::sync::TryLockError;

use crate::authority::error::{AuthenticateError, AuthorizeError};
use crate::authority::health::{Contact, Staleness};
use crate::index::{Handle, Index};
use crate::model::action::Action;
use crate::model::reason::Reason;
use crate::model::resource::Resource;
use crate::model::time::Clock;
use crate::secret::{Digest, Format, Keyring, Presented};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};

/// What requests and the management thread share: the index, and what is needed to read a secret.
pub(crate) struct Shared {
    pub(crate) index: Index,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) keyring: Keyring,
    pub(crate) format: Format,
    pub(crate) failures: Failures,
    pub(crate) contact: Contact,
    pub(crate) staleness: Staleness,
}

impl Shared {
    #[inline]
    pub(crate) fn authenticate(&self, secret: &[u8]) -> Result<Handle, AuthenticateError> {
        self.accept(secret, |digest, key| self.index.authenticate(digest, key, &*self.clock))
    }

    /// Returns the revision that the request was allowed at.
    #[inline]
    pub(crate) fn authorize(&self, secret: &[u8], action: Action, resource: &Resource) -> Result<u64, AuthorizeError> {
        let ask = |digest: &Digest, key| self.index.authorize_secret(digest, key, action, resource, &*self.clock);
        Ok(self.accept(secret, ask)??)
    }

    /// Returns what `find` says of the secret's digest and of the id of the key that the digest was made with.
    #[inline]
    fn accept<T>(
        &self,
        secret: &[u8],
        find: impl Fn(&Digest, u8) -> Result<T, Reason>,
    ) -> Result<T, AuthenticateError> {
        self.find(secret, find).map_err(|reason| {
            self.failures.note(reason);
            AuthenticateError { reason }
        })
    }

    #[inline]
    fn find<T>(&self, secret: &[u8], find: impl Fn(&Digest, u8) -> Result<T, Reason>) -> Result<T, Reason> {
        let keys = match self.format.read(secret) {
            Presented::Ours(key) => [Some(key), None, None],
            Presented::Foreign => self.keyring.candidates(),
            Presented::Malformed => return Err(Reason::Malformed),
        };
        let mut found = Err(Reason::Unknown);
        for key in keys.into_iter().flatten() {
            let Some(digest) = self.keyring.digest(key, secret) else { continue };
            found = find(&digest, key);
            if !matches!(found, Err(Reason::Unknown)) {
                break;
            }
        }
        found
    }
}

/// Rejected secrets that the observer was not told of yet. A few are kept one by one, the rest is a number: a flood of them
/// must fill neither the memory nor the log.
#[derive(Default)]
pub(crate) struct Failures {
    first: Mutex<Vec<Reason>>,
    more: AtomicU64,
}

/// How many are kept one by one between two calls of [`Failures::take`].
const TOLD: usize = 16;

impl Failures {
    #[cold]
    fn note(&self, reason: Reason) {
        let told = match self.first.try_lock() {
            Ok(mut first) if first.len() < TOLD => {
                first.push(reason);
                true
            }
            // A request never waits for the lock. Where another has it, this one is only counted.
            Ok(_) | Err(TryLockError::WouldBlock | TryLockError::Poisoned(_)) => false,
        };
        if !told {
            self.more.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes the reasons of the first ones, and the number of further ones.
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
