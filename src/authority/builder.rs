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

/// The settings of an [`Authority`], from [`Authority::builder`].
///
/// ```
/// use std::time::Duration;
/// use portcullis::{Authority, MemoryStore, NewToken, OrgId, ResourceType, UserId, Actor, resource_type, verb};
///
/// const PROJECTS: ResourceType = resource_type!("projects");
///
/// let authority = Authority::builder()
///     .secret_prefix("acme")?
///     .stale_after(Duration::from_secs(10))
///     .open(MemoryStore::new())
///     .wait()?;
///
/// let new = NewToken::custom(OrgId::generate()?).allow(verb!("execute"), PROJECTS).owner(UserId::generate()?);
/// let issued = authority.create(Actor::host("sign-up"), new).wait()?;
/// assert!(issued.secret.expose().starts_with("acme_"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Defaults
///
/// | setting | default |
/// | --- | --- |
/// | [`clock`](Self::clock) | [`SystemClock`] |
/// | [`observer`](Self::observer) | none: events are dropped |
/// | [`pepper`](Self::pepper), [`previous_pepper`](Self::previous_pepper) | none |
/// | [`secret_prefix`](Self::secret_prefix) | `pcs` |
/// | [`chosen_secret_floor`](Self::chosen_secret_floor) | 32 characters |
/// | [`follow`](Self::follow) | 1 second |
/// | [`stale_after`](Self::stale_after) | 5 seconds |
/// | [`availability_over_revocation`](Self::availability_over_revocation) | off |
/// | [`write_last_used`](Self::write_last_used) | 1 minute |
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
    /// Sets the clock. The default is [`SystemClock`].
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

    /// Sets the observer, which receives every [`Event`](crate::Event). By default there is none.
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

    /// Sets the pepper: the key with which the digests of new secrets are computed. By default there is none.
    ///
    /// Secrets that were made without a pepper, or with the [`previous_pepper`](Self::previous_pepper), are still accepted.
    ///
    /// ```
    /// use portcullis::{Authority, MemoryStore, Pepper};
    ///
    /// # let key = [7; 32];
    /// let authority = Authority::builder().pepper(Pepper::new('a', &key)?).open(MemoryStore::new()).wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pepper(mut self, pepper: Pepper) -> Self {
        self.keyring.current = Some(pepper);
        self
    }

    /// Sets the pepper that was in use before the current one. By default there is none.
    ///
    /// Keep it until [`Authority::secrets_by_pepper`] counts no secret that was made with it. Its id must differ from that of the
    /// current pepper.
    ///
    /// ```
    /// use portcullis::{Authority, MemoryStore, Pepper};
    ///
    /// # let (key, old_key) = ([7; 32], [8; 32]);
    /// let authority = Authority::builder()
    ///     .pepper(Pepper::new('b', &key)?)
    ///     .previous_pepper(Pepper::new('a', &old_key)?)
    ///     .open(MemoryStore::new())
    ///     .wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn previous_pepper(mut self, pepper: Pepper) -> Self {
        self.keyring.previous = Some(pepper);
        self
    }

    /// Sets the prefix of generated secrets, which stands before `_`: one to five letters and digits. The default is `pcs`.
    ///
    /// Choose a prefix of your own. A scanner that finds a leaked secret can then tell which service it belongs to.
    ///
    /// Secrets made under another prefix stay valid, unless they begin with the new prefix and `_`.
    ///
    /// ```
    /// use portcullis::{Authority, MemoryStore};
    ///
    /// let authority = Authority::builder().secret_prefix("acme")?.open(MemoryStore::new()).wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`PrefixError`]: the prefix is empty, is longer than five characters, or has a character that is neither a letter nor a
    ///   digit.
    pub fn secret_prefix(mut self, prefix: &str) -> Result<Self, PrefixError> {
        self.format.set_prefix(prefix)?;
        Ok(self)
    }

    /// Sets the minimum length of a chosen secret, in characters. The default is 32. A value below 16 is raised to 16.
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

    /// Sets the interval between two reads of the changes that other authorities made in the store. The default is one second.
    ///
    /// A store that reports changes by itself is read sooner. An interval above one second is rounded up to whole seconds.
    ///
    /// While the store answers, this authority starts to read a revocation made elsewhere within this interval. While the store does
    /// not answer, [`stale_after`](Self::stale_after) applies.
    ///
    /// ```
    /// use std::time::Duration;
    /// use portcullis::{Authority, MemoryStore};
    ///
    /// let authority = Authority::builder().follow(Duration::from_millis(200)).open(MemoryStore::new()).wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn follow(mut self, interval: Duration) -> Self {
        self.rhythm.follow = interval;
        self
    }

    /// Sets the maximum age of the view of a shared store. The default is five seconds.
    ///
    /// Once this much time has passed since the start of the last successful read, every request is denied
    /// ([`Reason::Stale`](crate::Reason::Stale)), until the next successful read. A revocation made elsewhere therefore holds here by
    /// then, even while the store fails or hangs ([design rule 17](crate::_rules)).
    ///
    /// Each decision compares this bound with [`Clock::uptime`], so it needs no thread. Time for which the machine is suspended
    /// counts too. Choose a bound of several times the [`follow`](Self::follow) interval.
    ///
    /// Give every authority of a store the same bound: a [`Receipt`](crate::Receipt) uses the bound of the authority that returned it.
    /// A store that is not shared ([`TokenStore::is_shared`]) ignores this setting.
    ///
    /// ```
    /// use std::time::Duration;
    /// use portcullis::{Authority, MemoryStore};
    ///
    /// let authority = Authority::builder().stale_after(Duration::from_secs(10)).open(MemoryStore::new()).wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stale_after(mut self, bound: Duration) -> Self {
        self.staleness = Staleness::Within(bound);
        self
    }

    /// Removes the bound of [`stale_after`](Self::stale_after): the authority keeps deciding while a shared store cannot be read.
    ///
    /// A token that was revoked elsewhere may then be accepted without a limit in time, and receipts promise none
    /// ([`Everywhere::Unbounded`](crate::Everywhere::Unbounded)). By default this is off.
    ///
    /// ```
    /// use portcullis::{Authority, MemoryStore};
    ///
    /// let authority = Authority::builder().availability_over_revocation().open(MemoryStore::new()).wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn availability_over_revocation(mut self) -> Self {
        self.staleness = Staleness::Unbounded;
        self
    }

    /// Sets the interval between two writes of last-used times to the store. The default is one minute.
    ///
    /// ```
    /// use std::time::Duration;
    /// use portcullis::{Authority, MemoryStore};
    ///
    /// let authority = Authority::builder().write_last_used(Duration::from_secs(300)).open(MemoryStore::new()).wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_last_used(mut self, interval: Duration) -> Self {
        self.rhythm.touch = interval;
        self
    }

    /// Opens a store with these settings, and reads all of it.
    ///
    /// ```
    /// use portcullis::{Authority, MemoryStore};
    ///
    /// let authority = Authority::builder().open(MemoryStore::new()).wait()?;
    /// assert!(!authority.is_set_up()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`OpenError::Store`]: the store cannot be read.
    /// - [`OpenError::NewerFormat`]: a newer version of this library wrote it.
    /// - [`OpenError::SamePepperId`]: both peppers have the same id.
    /// - [`OpenError::FollowsTooRarely`]: the store is shared, and the [`follow`](Self::follow) interval is not below
    ///   [`stale_after`](Self::stale_after).
    /// - [`OpenError::Thread`]: the management thread could not be started.
    /// - [`OpenError::Ended`]: the management thread panicked.
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
