//! The store under several authorities. It knows what was ever committed, crashes, and is restored from backups.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portcullis::store::{Changes, ChangesError, CommitError, CommitId, Position, Record, StoreError};
use portcullis::{MemoryStore, Timestamp, TokenId, TokenStore};

/// Where a store is kept.
pub trait Place: Send {
    /// An empty store.
    fn empty(&mut self) -> Box<dyn TokenStore>;

    /// What is left of the store in use when the machine stops now; `None` where a crash leaves all as it was.
    fn crashed(&mut self) -> Option<Box<dyn TokenStore>>;
}

/// In memory.
pub struct InMemory;

impl Place for InMemory {
    fn empty(&mut self) -> Box<dyn TokenStore> {
        Box::new(MemoryStore::new())
    }

    fn crashed(&mut self) -> Option<Box<dyn TokenStore>> {
        None
    }
}

/// In files, each store in one of its own.
pub struct InFiles<D> {
    directory: D,
    path: fn(&D) -> PathBuf,
    number: u32,
}

impl<D> InFiles<D> {
    pub fn new(directory: D, path: fn(&D) -> PathBuf) -> Self {
        Self { directory, path, number: 0 }
    }

    fn file(&self) -> PathBuf {
        (self.path)(&self.directory).join(format!("tokens-{}.redb", self.number))
    }

    fn open(&self) -> Box<dyn TokenStore> {
        Box::new(portcullis::RedbStore::open(self.file()).unwrap())
    }
}

impl<D: Send> Place for InFiles<D> {
    fn empty(&mut self) -> Box<dyn TokenStore> {
        self.number += 1;
        self.open()
    }

    /// The file as it is, never closed.
    fn crashed(&mut self) -> Option<Box<dyn TokenStore>> {
        let before = self.file();
        self.number += 1;
        std::fs::copy(before, self.file()).unwrap();
        Some(self.open())
    }
}

type Commit = (Position, CommitId, Vec<Record>);

/// A handle on the store.
#[derive(Clone)]
pub struct Medium {
    inner: Arc<Mutex<Inner>>,
    /// By how much pages are smaller than asked for.
    shrink: usize,
}

struct Inner {
    place: Box<dyn Place>,
    store: Box<dyn TokenStore>,
    log: Vec<Commit>,
    used: Vec<(TokenId, Timestamp)>,
}

impl Medium {
    pub fn new(mut place: impl Place + 'static) -> Self {
        let store = place.empty();
        Self {
            inner: Arc::new(Mutex::new(Inner { place: Box::new(place), store, log: Vec::new(), used: Vec::new() })),
            shrink: 1,
        }
    }

    /// A handle with pages of a few records.
    pub fn paged(&self) -> Self {
        Self { shrink: 2_000, ..self.clone() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the store is, as those say who saw the commits pass.
    pub fn position(&self, revision: u64) -> Position {
        let inner = self.inner();
        let before = usize::try_from(revision).unwrap().checked_sub(1);
        before.map_or(Position::ORIGIN, |before| Position { revision, commit: inner.log[before].1 })
    }

    pub fn head(&self) -> Position {
        let revision = self.inner().log.len() as u64;
        self.position(revision)
    }

    pub fn crash(&self) {
        let inner = &mut *self.inner();
        if let Some(store) = inner.place.crashed() {
            inner.store = store;
        }
    }

    /// Puts the store back to where it was, but for when tokens were last used.
    pub fn restore(&self, revision: u64) {
        let inner = &mut *self.inner();
        inner.log.truncate(usize::try_from(revision).unwrap());
        inner.store = inner.place.empty();
        for (expected, id, records) in &inner.log {
            inner.store.commit(*expected, *id, records).unwrap();
        }
        inner.store.touch(&inner.used).unwrap();
    }
}

impl TokenStore for Medium {
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Result<Position, CommitError> {
        let inner = &mut *self.inner();
        let position = inner.store.commit(expected, id, records)?;
        if position.revision == inner.log.len() as u64 + 1 {
            inner.log.push((expected, id, records.to_vec()));
        }
        Ok(position)
    }

    fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError> {
        let limit = limit / self.shrink;
        self.inner().store.changes(since, limit)
    }

    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        let inner = &mut *self.inner();
        inner.used.extend_from_slice(used);
        inner.store.touch(used)
    }
}
