//! An authority's settings.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::authority::Authority;
use crate::authority::event::Observer;
use crate::authority::health::{Contact, Staleness};
use crate::authority::manager::{Hint, Manager, Rhythm};
use crate::authority::open_error::OpenError;
use crate::authority::pending::{Pending, pending};
use crate::authority::shared::{Failures, Shared};
use crate::index::Index;
use crate::model::time::{Clock, SystemClock};
use crate::secret::{Format, Keyring, Pepper, PrefixError};
use crate::store::TokenStore;
use crate::sync::mpsc::channel;
use crate::sync::{Mutex, thread};

/// An authority's settings. The defaults are fine.
#[must_use]
pub struct AuthorityBuilder {
    clock: Box<dyn Clock>,
    observer: Option<Box<dyn Observer>>,
    keyring: Keyring,
    format: Format,
    rhythm: Rhythm,
    /// For a shared store.
    staleness: Staleness,
}

impl Default for AuthorityBuilder {
    fn default() -> Self {
        Self {
            clock: Box::new(SystemClock),
            observer: None,
            keyring: Keyring::default(),
            format: Format::default(),
            rhythm: Rhythm { follow: Duration::from_secs(1), touch: Duration::from_secs(60) },
            staleness: Staleness::Within(Duration::from_secs(5)),
        }
    }
}

impl AuthorityBuilder {
    /// Sets where the time comes from. By default it is the clock of the system.
    ///
    /// ```
    /// use portcullis::{Authority, MemoryStore, Timestamp};
    ///
    /// // A clock that stands still, for a test.
    /// let authority = Authority::builder().clock(|| Timestamp::EPOCH).open(MemoryStore::new()).wait()?;
    /// assert_eq!(authority.now(), Timestamp::EPOCH);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Sets where events go. By default they go nowhere.
    ///
    /// ```
    /// use portcullis::{Authority, Event, MemoryStore};
    ///
    /// let print = |event: &Event| println!("{event}");
    /// let authority = Authority::builder().observer(print).open(MemoryStore::new()).wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Sets the pepper that new secrets are digested with. There is none by default. Secrets made before without one, or with the
    /// [`previous_pepper`](Self::previous_pepper), are still accepted.
    pub fn pepper(mut self, pepper: Pepper) -> Self {
        self.keyring.current = Some(pepper);
        self
    }

    /// Sets the pepper before the current one. It is needed until no token needs it ([`Authority::secrets_by_pepper`]).
    pub fn previous_pepper(mut self, pepper: Pepper) -> Self {
        self.keyring.previous = Some(pepper);
        self
    }

    /// Sets what generated secrets begin with, before `_`: up to five letters and digits, `pcs` by default. Choose a prefix of your
    /// own, so that scanners for leaked secrets can tell whose they are.
    ///
    /// Secrets made under another prefix stay valid, unless they begin with the new one and `_`.
    ///
    /// ```
    /// use portcullis::{Authority, MemoryStore};
    ///
    /// let authority = Authority::builder().secret_prefix("acme")?.open(MemoryStore::new()).wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The prefix is empty, longer than five characters, or has a character that is neither a letter nor a digit.
    pub fn secret_prefix(mut self, prefix: &str) -> Result<Self, PrefixError> {
        self.format.set_prefix(prefix)?;
        Ok(self)
    }

    /// Sets the fewest characters of a chosen secret: 32 by default, at least 16.
    ///
    /// ```
    /// use portcullis::{Authority, MemoryStore};
    ///
    /// let authority = Authority::builder().chosen_secret_floor(20).open(MemoryStore::new()).wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn chosen_secret_floor(mut self, floor: usize) -> Self {
        self.format.set_floor(floor);
        self
    }

    /// Sets how often to read what other authorities changed in the store: once a second by default, sooner where the store tells of
    /// changes. An interval above one second is rounded up to whole seconds.
    ///
    /// As long as the store answers, this authority begins to read a revocation made elsewhere after this time at the latest. For when
    /// it does not answer, see [`stale_after`](Self::stale_after).
    pub fn follow(mut self, interval: Duration) -> Self {
        self.rhythm.follow = interval;
        self
    }

    /// Sets how old the view of a shared store may get: five seconds by default.
    ///
    /// Once this much time has passed since the start of the last successful read, every request is denied
    /// ([`Reason::Stale`](crate::Reason::Stale)), until the next successful read. So a revocation made elsewhere holds here by then,
    /// also while the store fails or hangs.
    ///
    /// The time is counted by [`Clock::uptime`] at each decision: no thread is needed to notice, and the time that the machine is
    /// suspended counts. Choose several times [`follow`](Self::follow).
    ///
    /// Give every authority of a store the same bound: a [`Receipt`](crate::Receipt) counts with the bound of the authority that it is
    /// from. A store that is not shared ([`TokenStore::is_shared`]) needs no bound, and has none.
    pub fn stale_after(mut self, bound: Duration) -> Self {
        self.staleness = Staleness::Within(bound);
        self
    }

    /// Decides by what is known, however long a shared store cannot be read. Revoked tokens may then be accepted without end, and
    /// receipts promise nothing ([`Everywhere::Unbounded`](crate::Everywhere::Unbounded)).
    pub fn availability_over_revocation(mut self) -> Self {
        self.staleness = Staleness::Unbounded;
        self
    }

    /// Sets how often to write last-used times to the store: once a minute by default.
    pub fn write_last_used(mut self, interval: Duration) -> Self {
        self.rhythm.touch = interval;
        self
    }

    /// Opens a store, and reads all of it.
    ///
    /// # Errors
    /// - [`OpenError::Store`]: the store cannot be read.
    /// - [`OpenError::NewerFormat`]: a newer version of this library wrote it.
    /// - [`OpenError::SamePepperId`]: both peppers have the same id.
    /// - [`OpenError::FollowsTooRarely`]: a shared store would be followed less often than
    ///   [`stale_after`](Self::stale_after) needs.
    /// - [`OpenError::Thread`], [`OpenError::Ended`]: the management thread could not be started, or panicked.
    pub fn open(self, mut store: impl TokenStore + 'static) -> Pending<Authority, OpenError> {
        let Self { clock, observer, keyring, format, rhythm, staleness } = self;
        if let Some(id) = keyring.ambiguous() {
            return refused(OpenError::SamePepperId(id));
        }
        let staleness = if store.is_shared() { staleness } else { Staleness::Never };
        if let Staleness::Within(stale_after) = staleness {
            if rhythm.follow >= stale_after {
                return refused(OpenError::FollowsTooRarely { follow: rhythm.follow, stale_after });
            }
        }
        let (failures, contact) = (Failures::default(), Contact::new());
        let shared = Arc::new(Shared { index: Index::new(), clock, keyring, format, failures, contact, staleness });
        let (queue, receiver) = channel();
        let queue = Arc::new(queue);
        store.wake_on_change(Hint::waker(&queue));
        let thread = Arc::new(Mutex::new(None));
        let mut manager = Manager::new(Arc::clone(&shared), Box::new(store), observer, rhythm);

        let (answer, opened) = pending(|| OpenError::Ended);
        let handle = Arc::clone(&thread);
        // Locked until the handle is in its place: dropping the authority waits for the thread.
        let mut place = thread.lock().unwrap_or_else(PoisonError::into_inner);
        let work = move || match manager.open() {
            Ok(()) => {
                answer.send(Ok(Authority { shared, queue: Some(queue), thread: handle }));
                manager.run(&receiver);
            }
            Err(error) => {
                // First: a caller that gets the error can open the store again at once.
                drop(manager);
                answer.send(Err(error.into()));
            }
        };
        match thread::Builder::new().name("portcullis".into()).spawn(work) {
            Ok(thread) => *place = Some(thread),
            Err(error) => return refused(OpenError::Thread(Arc::new(error))),
        }
        drop(place);
        opened
    }
}

fn refused(error: OpenError) -> Pending<Authority, OpenError> {
    Pending::ready(Err(error), || OpenError::Ended)
}

impl fmt::Debug for AuthorityBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorityBuilder")
            .field("keyring", &self.keyring)
            .field("format", &self.format)
            .field("rhythm", &self.rhythm)
            .field("staleness", &self.staleness)
            .finish_non_exhaustive()
    }
}
