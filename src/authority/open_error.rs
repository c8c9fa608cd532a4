//! Why an authority cannot be opened.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::secret::{PepperError, PrefixError};
use crate::store::StoreError;

/// Why [`Authority::open`](crate::Authority::open) or [`AuthorityBuilder::open`](crate::AuthorityBuilder::open) failed. The store was not
/// changed.
///
/// `?` makes an [`Error`](crate::Error) of it.
///
/// ```
/// use portcullis::{Authority, MemoryStore, OpenError, Pepper};
///
/// fn open(key: &[u8]) -> Result<Authority, OpenError> {
///     let settings = Authority::builder().secret_prefix("acme")?.pepper(Pepper::new('a', key)?);
///     settings.open(MemoryStore::new()).wait()
/// }
///
/// assert!(open(&[7; 32]).is_ok());
/// assert!(matches!(open(b"short"), Err(OpenError::Pepper(_))));
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The store could not be read.
    #[error("the store failed, nothing changed")]
    Store(#[source] Arc<StoreError>),
    /// The store was written by a newer version of this library.
    #[error("the store has format {0}, this version knows up to {newest}; use a newer version", newest = crate::store::Record::NEWEST_FORMAT)]
    NewerFormat(u8),
    /// The current and the previous pepper have the same id, so that one of them would never be used.
    #[error("the current and the previous pepper have the same id `{0}`")]
    SamePepperId(char),
    /// The store would be read less often than the authority denies without a reading.
    #[error(
        "following the store every {follow:?} cannot keep the view younger than {stale_after:?}; follow it more often, or choose a longer `stale_after`"
    )]
    FollowsTooRarely {
        /// [`AuthorityBuilder::follow`](crate::AuthorityBuilder::follow).
        follow: Duration,
        /// [`AuthorityBuilder::stale_after`](crate::AuthorityBuilder::stale_after).
        stale_after: Duration,
    },
    /// A pepper is refused: from [`Pepper::new`](crate::Pepper::new), by `?`.
    #[error(transparent)]
    Pepper(#[from] PepperError),
    /// A prefix is refused: from [`AuthorityBuilder::secret_prefix`](crate::AuthorityBuilder::secret_prefix), by `?`.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// The management thread could not be started.
    #[error("the management thread could not be started")]
    Thread(#[source] Arc<io::Error>),
    /// The management thread ended before the store was read: the host's clock panicked.
    #[error("the management thread ended before the store was read")]
    Ended,
}

impl OpenError {
    /// Reports whether the same store can perhaps be opened later, with the same settings.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        match self {
            Self::Store(_) => true,
            Self::NewerFormat(_)
            | Self::SamePepperId(_)
            | Self::FollowsTooRarely { .. }
            | Self::Pepper(_)
            | Self::Prefix(_)
            | Self::Thread(_)
            | Self::Ended => false,
        }
    }
}
