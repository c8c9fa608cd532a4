//! How old an authority's view of its store is, and how old it may get.

use std::sync::PoisonError;
use std::time::Duration;

use crate::authority::error::Error;
use crate::authority::request::Everywhere;
use crate::index::Index;
use crate::model::reason::Reason;
use crate::model::time::{Clock, Timestamp};
use crate::store::Position;
use crate::sync::{Mutex, MutexGuard};

/// How old an authority's view of its store may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Staleness {
    /// Nobody else changes the store: the view is never old.
    Never,
    /// Everything is denied once this much time has passed since the start of the last successful read.
    Within(Duration),
    /// The authority goes on deciding, however old the view is.
    Unbounded,
}

impl Staleness {
    /// Returns until when an index that was in step at that uptime may be asked. `None`: without end.
    pub(crate) fn end(self, uptime: Duration) -> Option<Duration> {
        match self {
            Self::Within(bound) => Some(uptime.saturating_add(bound)),
            Self::Never | Self::Unbounded => None,
        }
    }

    /// Returns when what is in the store now holds on every authority that has the same bound.
    pub(crate) fn everywhere(self, now: Timestamp) -> Everywhere {
        match self {
            Self::Never => Everywhere::Now,
            // A clock that is being adjusted runs up to 500 millionths too fast or too slow: theirs, and ours.
            Self::Within(bound) => Everywhere::By(now.saturating_add(bound.saturating_add(bound / 1_000))),
            Self::Unbounded => Everywhere::Unbounded,
        }
    }
}

/// What is known of the last reads of the store.
#[derive(Debug, Clone)]
struct Readings {
    /// When the last successful read began, by the clock and by its uptime.
    at: Timestamp,
    uptime: Duration,
    /// Why the last read since then failed.
    error: Option<Error>,
}

/// When an authority last read its store.
#[derive(Debug)]
pub(crate) struct Contact(Mutex<Readings>);

impl Contact {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Readings { at: Timestamp::EPOCH, uptime: Duration::ZERO, error: None }))
    }

    pub(crate) fn made(&self, at: Timestamp, uptime: Duration) {
        *self.lock() = Readings { at, uptime, error: None };
    }

    pub(crate) fn failed(&self, error: Error) {
        self.lock().error = Some(error);
    }

    pub(crate) fn health(&self, index: &Index, staleness: Staleness, clock: &dyn Clock) -> Health {
        let Readings { at, uptime, error } = self.lock().clone();
        let behind = match staleness {
            Staleness::Never => Duration::ZERO,
            _ => clock.uptime().saturating_sub(uptime),
        };
        let bound = if let Staleness::Within(bound) = staleness { Some(bound) } else { None };
        let denies = index.check_current(clock).err();
        Health { position: index.position(), denies, behind, bound, last_contact: at, error }
    }

    fn lock(&self) -> MutexGuard<'_, Readings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How current an authority's view of its store is: the answer of [`Authority::health`](crate::Authority::health).
///
/// ```
/// use portcullis::{Authority, MemoryStore};
///
/// let authority = Authority::open(MemoryStore::new()).wait()?;
/// let health = authority.health();
/// match health.denies {
///     None => println!("200: at {}, {:?} behind", health.position, health.behind),
///     Some(reason) => println!("503: {reason}"),
/// }
/// # assert_eq!(health.denies, None);
/// # Ok::<(), portcullis::OpenError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Health {
    /// The position up to which the authority knows the store.
    pub position: Position,
    /// Why everything is denied now: [`Reason::Stale`] or [`Reason::Unavailable`]. `None` while requests are decided.
    pub denies: Option<Reason>,
    /// The time since the start of the last successful read. Changes of other authorities that are older than this are known here.
    /// Zero where no other authority can change the store.
    pub behind: Duration,
    /// The value of `behind` from which on everything is denied
    /// ([`AuthorityBuilder::stale_after`](crate::AuthorityBuilder::stale_after)). `None` where there is no bound.
    pub bound: Option<Duration>,
    /// The start of the last successful read, on the authority's clock.
    pub last_contact: Timestamp,
    /// Why the latest read failed. `None` if it succeeded.
    pub error: Option<Error>,
}
