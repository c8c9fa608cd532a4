//! Where tokens are kept: the trait that a backend implements.

mod codec;
mod memory;
pub(crate) mod record;
#[cfg(feature = "redb")]
mod redb;

use std::error::Error;
use std::fmt;
use std::task::Waker;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use codec::DecodeError;
pub use memory::MemoryStore;
pub use record::{Record, RecordKey, RecordKind, RecordSummary};
#[cfg(feature = "redb")]
pub use redb::{RedbError, RedbStore};

use crate::model::id::TokenId;
use crate::model::time::Timestamp;
use crate::random::{self, RandomError};

/// The name of one commit, chosen by whoever commits. Random, so that no two commits share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CommitId([u8; 16]);

impl CommitId {
    /// A new random id.
    ///
    /// # Errors
    /// The operating system gave no randomness.
    pub fn generate() -> Result<Self, RandomError> {
        let mut bytes = [0; 16];
        random::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be stored.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).as_simple().fmt(f)
    }
}

/// Where a store is: how many commits it has seen, and the last one's id. Two stores at one position have the same
/// history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The number of commits. Every commit raises it by one.
    pub revision: u64,
    /// The last commit's id.
    pub commit: CommitId,
}

impl Position {
    /// Where a store that never held anything is.
    pub const ORIGIN: Self = Self { revision: 0, commit: CommitId([0; 16]) };
}

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

/// A store failed, in its own words.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct StoreError(Box<dyn Error + Send + Sync>);

impl StoreError {
    /// The backend's error, or a text.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// Why a commit was not acknowledged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The store is not at the expected position and this commit is not in its history. Nothing changed.
    #[error("the store is at {0}")]
    Conflict(Position),
    /// The store is certain that this commit is not in its history, and nothing changed.
    #[error("the store refused the commit")]
    Refused(#[source] StoreError),
    /// It may have happened or not: repeating it will tell.
    #[error("the store did not say whether the commit happened")]
    InDoubt(#[source] StoreError),
}

/// Why changes cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangesError {
    /// The position is not in this store's history, as when a backup was restored: read everything from
    /// [`Position::ORIGIN`].
    #[error("the position is not in the store's history")]
    Diverged,
    /// What changed since then was compacted away: read everything from [`Position::ORIGIN`].
    #[error("the changes since that position were compacted away")]
    TooOld,
    /// The store failed.
    #[error("the store could not be read")]
    Failed(#[source] StoreError),
}

/// A page of what changed.
#[derive(Debug)]
pub struct Changes {
    /// The records as they are now, each with the revision that wrote it, in the order of those revisions.
    pub records: Vec<(u64, Record)>,
    /// When tokens among these records were last used, as far as [`TokenStore::touch`] said. Their order means nothing.
    pub used: Vec<(TokenId, Timestamp)>,
    /// How far this page goes: every record whose revision is above the position asked for and at most this one's is
    /// in it.
    pub position: Position,
    /// Whether there is more after it. On the last page, `position` is where the store is.
    pub more: bool,
}

/// Where an authority keeps its tokens.
///
/// A store keeps one [`Record`] for each [`RecordKey`], the last one written, with the revision that wrote it; a short
/// history of commit ids; and, apart from all that, when each token was last used. It needs to understand nothing
/// about tokens: a record encodes itself ([`Record::encode`], [`Record::decode`]).
///
/// # Users
/// Hand a store to [`Authority::open`](crate::Authority::open) and forget about it. Every rule is enforced in the
/// authority; a store that keeps the contract can get nothing wrong.
///
/// # Contract
/// Implementors must guarantee the following. `testing::conformance` (feature `testing`) checks it,
/// `testing::shared_conformance` for stores that can be shared.
///
/// - **Calls** come from the authority's management thread, one at a time: blocking is fine. Only
///   [`is_shared`](TokenStore::is_shared) and [`wake_on_change`](TokenStore::wake_on_change) come from whoever opens it, which may
///   be async code: they return at once. Other authorities, in other processes too, may use the same store at the same time
///   through stores of their own.
/// - **Atomic and durable**: a commit is visible whole or not at all, and once it is acknowledged it survives a
///   crash and a power cut.
/// - **Conditional**: a commit is made only when the store is at the expected position, however many ask at once.
/// - **Idempotent**: a commit that was made is acknowledged again, with the same position, when it is repeated with its
///   id and expected position, also after others have committed. So a commit in doubt is settled by repeating it.
///   [`CommitError::Refused`] is for when the store is certain that the commit is not in its history: an error before
///   it has looked there is [`CommitError::InDoubt`], as is one of the backend's own commit.
/// - **Replace by key**: a record replaces the one with the same key. A [`RecordKind::Tombstone`] has its token's
///   key: it is kept like any other record.
/// - **Forgetting**: a committed record whose [`Record::forgets`] is `Some(horizon)` is kept like any other; besides,
///   the store drops every tombstone that was written at or below that revision, those of the same commit included,
///   and from then on answers [`ChangesError::TooOld`] for every position below it but [`Position::ORIGIN`]. That holds
///   between the pages of a reading of everything, too, since a token that an earlier page has may have been deleted and
///   forgotten meanwhile: the authority then begins anew with larger pages, until the first reaches the horizon.
/// - **Changes in order**: pages are in the order of revisions, never end in the middle of one, and leave none out,
///   also while others commit. A record that was replaced appears only where it was last written.
/// - **History**: a store answers [`ChangesError::Diverged`] for a position whose commit id is not the one that it
///   has at that revision. It may forget commit ids below the last forgetting horizon; it should keep the latest
///   thousand all the same, since a commit whose id is forgotten is in conflict when it is repeated.
/// - **Last use** belongs to the token: it stays when the token's record is replaced, and goes when its tombstone is
///   dropped.
/// - **Trusted**: what a store returns is believed. Whoever can write to it can make tokens. It holds digests
///   of secrets, never secrets; a record's bytes are still not for logs.
pub trait TokenStore: Send {
    /// If the store is at `expected`, writes every record atomically and durably, moves on to the next revision under
    /// the commit id, and returns the new position. Otherwise changes nothing and says where it is.
    ///
    /// There are at most [`MAX_COMMIT`] records, no two with the same key.
    ///
    /// # Errors
    /// Nothing was acknowledged. See [`CommitError`] for what may have happened.
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Result<Position, CommitError>;

    /// What changed after `since`, in revision order, in pages of whole revisions: at least one revision if there is
    /// any, and about `limit` records.
    ///
    /// # Errors
    /// There is no way from `since` to here, or the store failed.
    fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError>;

    /// Remembers when tokens were last used. This is no commit: the later time wins, tokens that are unknown are left
    /// out, and losing it is harmless.
    ///
    /// # Errors
    /// The store failed. The times are offered again later.
    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError>;

    /// Whether another authority may commit to the store while this one has it. Asked once, when an authority opens it.
    ///
    /// Provided: yes, which is always safe. A store that is sure that nobody else can, as one that holds a lock on its
    /// file, says no: its authority then misses nothing however long the store fails, and its receipts hold at once.
    fn is_shared(&self) -> bool {
        true
    }

    /// Takes what to wake when another authority has committed, so that this one looks sooner than its next turn. Called
    /// once, when an authority opens the store.
    ///
    /// Provided: does nothing, and nothing depends on it. A wake too many costs a reading; one too few costs only time.
    fn wake_on_change(&mut self, _waker: Waker) {}
}

/// The most records in one commit.
pub const MAX_COMMIT: usize = 1_000;
