//! An authority's settings.

use std::fmt;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::authority::Authority;
use crate::authority::error::Error;
use crate::authority::event::Observer;
use crate::authority::manager::{Manager, Rhythm};
use crate::authority::pending::{Pending, pending};
use crate::authority::shared::{Failures, Shared};
use crate::index::Index;
use crate::model::time::{Clock, SystemClock};
use crate::secret::{Format, Keyring, Pepper, PrefixError};
use crate::store::TokenStore;

/// An authority's settings. The defaults are fine.
#[must_use]
pub struct Builder {
    clock: Box<dyn Clock>,
    observer: Option<Box<dyn Observer>>,
    keyring: Keyring,
    format: Format,
    rhythm: Rhythm,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            clock: Box::new(SystemClock),
            observer: None,
            keyring: Keyring::default(),
            format: Format::default(),
            rhythm: Rhythm { follow: Duration::from_secs(1), stale_after: None, touch: Duration::from_mins(1) },
        }
    }
}

impl Builder {
    /// Where the time comes from. The system's clock by default.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Where events go. Nowhere by default.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// The pepper that new secrets are digested with. None by default. Secrets made before without one, or with the
    /// [`previous_pepper`](Self::previous_pepper), are still accepted.
    pub fn pepper(mut self, pepper: Pepper) -> Self {
        self.keyring.current = Some(pepper);
        self
    }

    /// The pepper before the current one, until no token needs it
    /// ([`Authority::tokens_by_pepper`]).
    pub fn previous_pepper(mut self, pepper: Pepper) -> Self {
        self.keyring.previous = Some(pepper);
        self
    }

    /// What generated secrets begin with, before `_`: up to five letters and digits, `pcs` by default. Choose one of
    /// your own, so that scanners for leaked secrets can tell whose they are.
    ///
    /// Secrets made under another prefix stay valid, unless they begin with the new one and `_`.
    ///
    /// # Errors
    /// It is empty, longer, or has other characters.
    pub fn secret_prefix(mut self, prefix: &str) -> Result<Self, PrefixError> {
        self.format.set_prefix(prefix)?;
        Ok(self)
    }

    /// The fewest characters of a chosen secret: 32 by default, at least 16.
    pub fn chosen_secret_floor(mut self, floor: usize) -> Self {
        self.format.set_floor(floor);
        self
    }

    /// How often to read what other authorities changed in the store: once a second by default. So long after a
    /// revocation elsewhere, at most, this authority knows of it, as long as the store answers; for when it does not,
    /// see [`stale_after`](Self::stale_after).
    pub fn follow(mut self, interval: Duration) -> Self {
        self.rhythm.follow = interval;
        self
    }

    /// Denies everything from so long after the last successful reading of the store on, until the next: the bound on
    /// a revocation elsewhere holds then also while the store fails, or hangs. Choose several times
    /// [`follow`](Self::follow), by the same clock as expiry.
    ///
    /// By default there is no such end: an authority that is alone on its store misses nothing while that fails.
    pub fn stale_after(mut self, bound: Duration) -> Self {
        self.rhythm.stale_after = Some(bound);
        self
    }

    /// How often to write last-used times to the store: once a minute by default.
    pub fn write_last_used(mut self, interval: Duration) -> Self {
        self.rhythm.touch = interval;
        self
    }

    /// Opens a store, and reads all of it.
    ///
    /// # Errors
    /// The store cannot be read, or was written by a newer version; or both peppers have the same id.
    pub fn open(self, store: impl TokenStore + 'static) -> Pending<Authority> {
        let Self { clock, observer, keyring, format, rhythm } = self;
        if let Some(id) = keyring.ambiguous() {
            return Pending::ready(Err(Error::SamePepperId(id)));
        }
        let failures = Failures::default();
        let shared = Arc::new(Shared { index: Index::new(), clock, keyring, format, failures });
        let (queue, receiver) = channel();
        let thread = Arc::new(Mutex::new(None));
        let mut manager = Manager::new(Arc::clone(&shared), Box::new(store), observer, rhythm);

        let (answer, opened) = pending();
        let handle = Arc::clone(&thread);
        // Held until the handle is in place: whoever drops the authority waits for it.
        let mut place = thread.lock().unwrap_or_else(PoisonError::into_inner);
        let work = move || match manager.open() {
            Ok(()) => {
                answer.send(Ok(Authority { shared, queue: Some(queue), thread: handle }));
                manager.run(&receiver);
            }
            Err(error) => {
                // First, so that whoever is told can open the store again.
                drop(manager);
                answer.send(Err(error));
            }
        };
        match std::thread::Builder::new().name("portcullis".into()).spawn(work) {
            Ok(thread) => *place = Some(thread),
            Err(error) => return Pending::ready(Err(Error::Thread(Arc::new(error)))),
        }
        drop(place);
        opened
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("keyring", &self.keyring)
            .field("format", &self.format)
            .field("rhythm", &self.rhythm)
            .finish_non_exhaustive()
    }
}
