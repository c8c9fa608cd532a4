//! Where tokens are kept: the trait that a backend implements, and the backends of this crate.
//!
//! Most hosts name a store once, when they open an authority, and need nothing else of this module:
//!
//! ```
//! use portcullis::{Authority, MemoryStore};
//!
//! let authority = Authority::open(MemoryStore::new()).wait()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! To write a backend of your own, implement [`TokenStore`] and run `testing::conformance` (feature `testing`) on it.
//! The example `custom_store` is one.

mod memory;
pub(crate) mod record;
#[cfg(feature = "redb")]
mod redb;
mod schema;

use std::error::Error;
use std::fmt;
use std::task::Waker;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use memory::MemoryStore;
pub use record::{Record, RecordKey, RecordKind, RecordSummary};
#[cfg(feature = "redb")]
pub use redb::{RedbError, RedbStore};
pub use schema::DecodeError;

use crate::model::id::TokenId;
use crate::model::time::Timestamp;
use crate::random::{self, RandomError};

/// The name of one commit, which its author chooses at random, so that no two commits share one.
///
/// ```
/// use portcullis::store::CommitId;
///
/// let id = CommitId::generate()?;
/// assert_eq!(CommitId::from_bytes(id.to_bytes()), id);
/// assert_eq!(id.to_string().len(), 32); // hexadecimal digits
/// # Ok::<(), portcullis::RandomError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CommitId([u8; 16]);

impl CommitId {
    /// Creates a random id.
    ///
    /// # Errors
    /// [`RandomError`]: the operating system gave no randomness.
    pub fn generate() -> Result<Self, RandomError> {
        let mut bytes = [0; 16];
        random::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Returns the id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the id's bytes, in the form in which a store keeps them.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).as_simple().fmt(f)
    }
}

/// Where a store is: the number of its commits, and the id of the last one. Two stores at the same position have the same
/// history.
///
/// ```
/// use portcullis::store::{CommitId, Position};
///
/// let first = Position { revision: 1, commit: CommitId::from_bytes([0xab; 16]) };
/// assert_eq!(first.to_string(), "revision 1 (abababababababababababababababab)");
/// assert_eq!(Position::default(), Position::ORIGIN);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The number of commits. Every commit raises it by one.
    pub revision: u64,
    /// The id of the last commit.
    pub commit: CommitId,
}

impl Position {
    /// The position of a store that never had a commit: revision 0, and an id of zeros.
    pub const ORIGIN: Self = Self { revision: 0, commit: CommitId([0; 16]) };
}

/// [`Position::ORIGIN`].
impl Default for Position {
    fn default() -> Self {
        Self::ORIGIN
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "revision {} ({})", self.revision, self.commit)
    }
}

/// The error of a backend. It prints as that error does, and has its source.
///
/// ```
/// use portcullis::store::StoreError;
///
/// let error = StoreError::new(std::io::Error::other("the disk is gone"));
/// assert_eq!(error.to_string(), "the disk is gone");
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct StoreError(Box<dyn Error + Send + Sync>);

impl StoreError {
    /// Wraps the backend's error, or a text.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// Why a commit was not acknowledged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The store is not at the expected position, and this commit is not in its history. Nothing changed. Holds where the
    /// store is.
    #[error("the store is at {0}")]
    Conflict(Position),
    /// The commit is certainly not in the store's history, and nothing changed.
    #[error("the store refused the commit")]
    Refused(#[source] StoreError),
    /// The commit may be in the store's history or not. Repeating it with the same id tells which.
    #[error("the store did not say whether the commit happened")]
    InDoubt(#[source] StoreError),
}

/// Why changes cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangesError {
    /// The position is not in the store's history, as after the restoration of a backup. Read everything from
    /// [`Position::ORIGIN`].
    #[error("the position is not in the store's history")]
    Diverged,
    /// Some of the changes since the position were forgotten. Read everything from [`Position::ORIGIN`].
    #[error("the changes since that position were compacted away")]
    TooOld,
    /// The store failed.
    #[error("the store could not be read")]
    Failed(#[source] StoreError),
}

/// One page of what changed in a store.
///
/// A store starts from [`Changes::new`] and fills the fields. More fields may come in later versions: they start empty.
///
/// ```
/// use portcullis::store::{Changes, Position};
///
/// let page = Changes::new(Position::ORIGIN);
/// assert!(page.records.is_empty() && page.used.is_empty() && !page.more);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Changes {
    /// The records as they are now, each with the revision that wrote it, in the order of these revisions.
    pub records: Vec<(u64, Record)>,
    /// When tokens among these records were last used, as [`TokenStore::touch`] was told. In any order.
    pub used: Vec<(TokenId, Timestamp)>,
    /// Where this page ends: it has every record whose revision is above the position asked for and not above this one.
    pub position: Position,
    /// Whether more pages follow. On the last page, `position` is where the store is.
    pub more: bool,
}

impl Changes {
    /// Creates a last page that has no records and ends at `position`.
    #[must_use]
    pub const fn new(position: Position) -> Self {
        Self { records: Vec::new(), used: Vec::new(), position, more: false }
    }
}

/// A place where an authority keeps its tokens.
///
/// A store keeps one [`Record`] for each [`RecordKey`]: the last one written, with the revision that wrote it. It also keeps
/// a short history of commit ids and, apart from all that, when each token was last used. It needs to understand nothing
/// about tokens, because a record encodes itself ([`Record::encode`], [`Record::decode`]).
///
/// # Users
/// Hand a store to [`Authority::open`](crate::Authority::open). The authority enforces every rule; a store that keeps the
/// contract cannot break one.
///
/// # Contract
/// Implementors must guarantee the following. `testing::conformance` (feature `testing`) checks it, and
/// `testing::shared_conformance` checks stores that can be shared.
///
/// - **Calls** come from the authority's management thread, one at a time, and may block. Only
///   [`is_shared`](TokenStore::is_shared) and [`wake_on_change`](TokenStore::wake_on_change) are called by the code that
///   opens the authority, which may be async: they return at once. Other authorities, in other processes too, may use the
///   same data at the same time, each through a store of its own.
/// - **Atomic and durable**: a commit is visible as a whole or not at all. Once it is acknowledged it survives a crash and a
///   power cut.
/// - **Conditional**: a commit is made only when the store is at the expected position, however many callers try at once.
/// - **Idempotent**: a commit that was made is acknowledged again, with the same position, when it is repeated with the same
///   id and expected position, also after others have committed. So repeating a commit in doubt settles it.
///   [`CommitError::Refused`] is for when the store is certain that the commit is not in its history. An error before it has
///   looked there is [`CommitError::InDoubt`], and so is an error of the backend's own commit.
/// - **Replace by key**: a record replaces the one with the same key. A [`RecordKind::Tombstone`] has the key of its token,
///   and is kept like any other record.
/// - **Forgetting**: a committed record whose [`Record::forgets`] is `Some(horizon)` is kept like any other. In addition, the
///   store drops every tombstone that was written at or below that revision, those of the same commit included. From then
///   on it answers [`ChangesError::TooOld`] for every position below the horizon except [`Position::ORIGIN`]. This also
///   holds between the pages of one reading of everything, because a token on an earlier page may have been deleted and
///   forgotten since. The authority then starts again with larger pages, until the first page reaches the horizon.
/// - **Changes in order**: pages are in the order of revisions, never end in the middle of a revision, and leave none out,
///   also while others commit. A record that was replaced appears only where it was last written.
/// - **History**: a store answers [`ChangesError::Diverged`] for a position whose commit id is not the one that the store
///   has at that revision. It may forget commit ids below the last horizon. It should still keep the latest thousand,
///   because a commit whose id is forgotten is in conflict when it is repeated.
/// - **Last use** belongs to the token: it stays when the token's record is replaced, and goes when the token's tombstone is
///   dropped.
/// - **Trusted**: the authority believes what a store returns. Anyone who can write to the store can make tokens. The store
///   holds digests of secrets, never secrets; do not log the bytes of a record all the same.
pub trait TokenStore: Send {
    /// Writes every record atomically and durably, moves on to the next revision under the commit id, and returns the new
    /// position, if the store is at `expected`. Otherwise changes nothing and tells where the store is.
    ///
    /// There are at most [`MAX_COMMIT`] records, and no two of them have the same key.
    ///
    /// # Errors
    /// The commit was not acknowledged. [`CommitError`] tells by its variants what may have happened.
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Result<Position, CommitError>;

    /// Returns what changed after `since`, in the order of revisions, in pages of whole revisions: at least one revision if
    /// there is any, and about `limit` records.
    ///
    /// # Errors
    /// - [`ChangesError::Diverged`], [`ChangesError::TooOld`]: no sequence of changes leads from `since` to here.
    /// - [`ChangesError::Failed`]: the store failed.
    fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError>;

    /// Records when tokens were last used. This is not a commit: the later time wins, unknown tokens are skipped, and losing
    /// the times is harmless.
    ///
    /// # Errors
    /// The store failed. The authority offers the times again later.
    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError>;

    /// Reports whether another authority may commit to the store while this one has it. Called once, when an authority opens
    /// the store.
    ///
    /// The default is `true`, which is always safe. A store that excludes all others, for example by a lock on its file,
    /// returns `false`: then its authority misses nothing however long the store fails, and its receipts hold at once.
    fn is_shared(&self) -> bool {
        true
    }

    /// Takes a waker, to be woken when another authority has committed, so that this one reads sooner. Called once, when an
    /// authority opens the store.
    ///
    /// The default does nothing, and nothing depends on it: one wake too many costs one reading, one too few costs only time.
    fn wake_on_change(&mut self, _waker: Waker) {}
}

/// The largest number of records in one commit.
pub const MAX_COMMIT: usize = 1_000;
