//! Stores between an authority and its store.

use std::sync::{Arc, Mutex};

use portcullis::store::{Changes, ChangesError, CommitError, CommitId, Position, Record, StoreError};
use portcullis::{MemoryStore, Timestamp, TokenId, TokenStore};

/// The store with pages of about so many records, where others have ten thousand.
pub fn paged<S: TokenStore>(store: S, records: usize) -> impl TokenStore {
    let page = move |store: &mut S, since, limit: usize| store.changes(since, limit.saturating_mul(records) / 10_000);
    Reads(store, page)
}

/// What others do before a call reaches the store.
#[derive(Clone, Default)]
pub struct Others(Arc<Mutex<Option<Act>>>);

type Act = Box<dyn FnMut() + Send>;

impl Others {
    /// Before the next call only.
    pub fn once(&self, act: impl FnOnce() + Send + 'static) {
        let mut act = Some(act);
        self.always(move || act.take().into_iter().for_each(|act| act()));
    }

    /// Before each call.
    pub fn always(&self, act: impl FnMut() + Send + 'static) {
        *self.0.lock().unwrap() = Some(Box::new(act));
    }

    fn act(&self) {
        if let Some(act) = &mut *self.0.lock().unwrap() {
            act();
        }
    }
}

/// A store to which others always come first.
pub struct Shared<S>(pub S, pub Others);

impl<S: TokenStore> TokenStore for Shared<S> {
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Result<Position, CommitError> {
        self.1.act();
        self.0.commit(expected, id, records)
    }

    fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError> {
        self.1.act();
        self.0.changes(since, limit)
    }

    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        self.0.touch(used)
    }
}

/// A store that can be put back to where it was. A clone is another handle on it.
#[derive(Clone, Default)]
pub struct Restorable(Arc<Mutex<(MemoryStore, Vec<Commit>)>>);

type Commit = (Position, CommitId, Vec<Record>);

impl Restorable {
    /// Restores the backup that was made at that revision.
    pub fn restore(&self, revision: usize) {
        let (store, log) = &mut *self.0.lock().unwrap();
        log.truncate(revision);
        *store = MemoryStore::new();
        for (expected, id, records) in log {
            store.commit(*expected, *id, records).unwrap();
        }
    }
}

impl TokenStore for Restorable {
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Result<Position, CommitError> {
        let (store, log) = &mut *self.0.lock().unwrap();
        let position = store.commit(expected, id, records)?;
        log.push((expected, id, records.to_vec()));
        Ok(position)
    }

    fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError> {
        self.0.lock().unwrap().0.changes(since, limit)
    }

    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        self.0.lock().unwrap().0.touch(used)
    }
}

/// A store whose reading is done otherwise, by a function of the store and of what is asked.
pub struct Reads<S, F>(pub S, pub F);

impl<S, F> TokenStore for Reads<S, F>
where
    S: TokenStore,
    F: FnMut(&mut S, Position, usize) -> Result<Changes, ChangesError> + Send,
{
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Result<Position, CommitError> {
        self.0.commit(expected, id, records)
    }

    fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError> {
        (self.1)(&mut self.0, since, limit)
    }

    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        self.0.touch(used)
    }
}
