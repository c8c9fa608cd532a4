//! A store in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};

use crate::model::id::TokenId;
use crate::model::time::Timestamp;
use crate::store::record::{Record, RecordKey, RecordKind};
use crate::store::{Changes, ChangesError, CommitError, CommitId, Position, StoreError, TokenStore};
use crate::sync::Mutex;

/// A store in memory, for tests and for hosts that create their tokens at every start.
///
/// A clone is another handle on the same store, so that several authorities can share it. What is in it is lost with the last
/// handle.
///
/// ```
/// use portcullis::{Authority, MemoryStore, UserId};
///
/// let store = MemoryStore::new();
/// let authority = Authority::open(store.clone()).wait()?;
/// let root = authority.setup(UserId::generate()?).wait()?;
///
/// // Another authority on the same store knows the token, too.
/// let other = Authority::open(store).wait()?;
/// assert!(other.authenticate(root.secret.expose()).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The current records in the order in which they were written.
    by_revision: BTreeMap<(u64, RecordKey), Record>,
    /// The revision that wrote each of them.
    revisions: HashMap<RecordKey, u64>,
    /// The commit id of each revision from 1 on.
    history: Vec<CommitId>,
    /// Tombstones at or below this revision are forgotten.
    horizon: u64,
    used: HashMap<TokenId, Timestamp>,
}

impl MemoryStore {
    /// Creates an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl State {
    /// Where the store was at a revision that it has seen.
    fn position(&self, revision: u64) -> Option<Position> {
        let Some(before) = revision.checked_sub(1) else { return Some(Position::ORIGIN) };
        let commit = *self.history.get(usize::try_from(before).ok()?)?;
        Some(Position { revision, commit })
    }

    fn head(&self) -> Position {
        self.position(self.history.len() as u64).unwrap_or(Position::ORIGIN)
    }

    fn put(&mut self, revision: u64, record: &Record) {
        let key = record.key();
        if let Some(before) = self.revisions.insert(key, revision) {
            self.by_revision.remove(&(before, key));
        }
        self.by_revision.insert((revision, key), record.clone());
    }

    fn forget(&mut self, horizon: u64) {
        self.by_revision.retain(|(revision, key), record| {
            let kept = *revision > horizon || record.kind() != RecordKind::Tombstone;
            if !kept {
                self.revisions.remove(key);
                record.token().map(|id| self.used.remove(&id));
            }
            kept
        });
        self.horizon = self.horizon.max(horizon);
    }
}

impl TokenStore for MemoryStore {
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Result<Position, CommitError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = Position { revision: expected.revision.saturating_add(1), commit: id };
        if state.position(next.revision) == Some(next) {
            return Ok(next);
        }
        if state.head() != expected {
            return Err(CommitError::Conflict(state.head()));
        }
        for record in records {
            state.put(next.revision, record);
        }
        if let Some(horizon) = records.iter().filter_map(Record::forgets).max() {
            state.forget(horizon);
        }
        state.history.push(id);
        Ok(next)
    }

    fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.position(since.revision) != Some(since) {
            return Err(ChangesError::Diverged);
        }
        if since.revision < state.horizon && since != Position::ORIGIN {
            return Err(ChangesError::TooOld);
        }
        let mut page = Changes::new(state.head());
        let mut last = since.revision;
        for ((revision, _), record) in state.by_revision.range((since.revision + 1, RecordKey::FIRST)..) {
            if page.records.len() >= limit.max(1) && *revision != last {
                page.position = state.position(last).unwrap_or(since);
                page.more = true;
                break;
            }
            last = *revision;
            page.records.push((*revision, record.clone()));
            page.used.extend(record.token().and_then(|id| Some((id, *state.used.get(&id)?))));
        }
        Ok(page)
    }

    /// Only a clone is another handle, and only the owner of this one can clone it.
    fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, time) in used {
            if state.revisions.contains_key(&RecordKey::token(*id)) {
                let last = state.used.entry(*id).or_insert(*time);
                *last = (*last).max(*time);
            }
        }
        Ok(())
    }
}
