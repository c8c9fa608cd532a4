//! A host's own store: tokens in a directory that several processes may share, each commit a file.
//!
//! `cargo run --example custom_store` shows that it keeps the contract of `TokenStore`.
//!
//! All that it asks of its place is what every database and object store has in some form: to create something under a
//! name, whole, only if nothing has that name yet. That makes a commit atomic and conditional. Commits are never merged, so
//! the directory only grows: a real store would write a snapshot from time to time.
#![allow(clippy::print_stdout, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use portcullis::store::{
    Changes, ChangesError, CommitError, CommitId, Position, Record, RecordKey, RecordKind, StoreError,
};
use portcullis::{Timestamp, TokenId, TokenStore, testing};

/// A store in a directory: `7` is the commit of revision 7, and `used-ID` says when a token was last used.
#[derive(Debug)]
pub struct DirectoryStore {
    directory: PathBuf,
    /// The id of each commit that was read so far.
    history: Vec<CommitId>,
    /// What these commits left: for each key its last record, and the revision that wrote it.
    records: BTreeMap<[u8; 17], (u64, Record)>,
    /// Tombstones up to this revision are forgotten.
    horizon: u64,
}

impl DirectoryStore {
    /// Opens the store in that directory, or makes a new one.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn open(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        Ok(Self { directory: directory.into(), history: Vec::new(), records: BTreeMap::new(), horizon: 0 })
    }

    fn file(&self, name: impl ToString) -> PathBuf {
        self.directory.join(name.to_string())
    }

    fn used(&self, token: TokenId) -> PathBuf {
        self.file(format!("used-{token}"))
    }

    /// Where the store was at that revision; `None` if it was not there yet.
    fn at(&self, revision: u64) -> Option<Position> {
        let Some(last) = revision.checked_sub(1) else { return Some(Position::ORIGIN) };
        let commit = *self.history.get(usize::try_from(last).ok()?)?;
        Some(Position { revision, commit })
    }

    fn head(&self) -> Position {
        self.at(self.history.len() as u64).unwrap_or_default()
    }

    /// Reads what was committed since, by whichever process.
    fn catch_up(&mut self) -> io::Result<()> {
        loop {
            let revision = self.head().revision + 1;
            let bytes = match fs::read(self.file(revision)) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            };
            let (id, records) =
                read(&bytes).ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "a damaged commit"))?;
            let horizon = records.iter().filter_map(Record::forgets).max();
            self.records.extend(records.into_iter().map(|record| (record.key().to_bytes(), (revision, record))));
            if let Some(horizon) = horizon {
                self.forget(horizon)?;
            }
            self.history.push(id);
        }
    }

    /// Drops the tombstones up to that revision, and when their tokens were last used.
    fn forget(&mut self, horizon: u64) -> io::Result<()> {
        self.horizon = self.horizon.max(horizon);
        let mut dropped = Vec::new();
        self.records.retain(|_, (revision, record)| {
            let is_old = record.kind() == RecordKind::Tombstone && *revision <= horizon;
            dropped.extend(record.token().filter(|_| is_old));
            !is_old
        });
        for token in dropped {
            match fs::remove_file(self.used(token)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes a file durably, under a name that nobody else uses.
    fn write(&self, id: CommitId, bytes: &[u8]) -> io::Result<PathBuf> {
        let path = self.file(format!("new-{id}"));
        let mut file = File::create(&path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(path)
    }

    /// Makes the names in the directory durable.
    fn sync(&self) -> io::Result<()> {
        // Elsewhere directories are no files, and their names are durable.
        if cfg!(unix) { File::open(&self.directory)?.sync_all() } else { Ok(()) }
    }
}

/// A commit's file: its id, then each record after its length.
fn bytes(id: CommitId, records: &[Record]) -> Vec<u8> {
    let mut bytes = id.to_bytes().to_vec();
    for record in records.iter().map(Record::encode) {
        bytes.extend((record.len() as u64).to_le_bytes());
        bytes.extend(record);
    }
    bytes
}

fn read(bytes: &[u8]) -> Option<(CommitId, Vec<Record>)> {
    let (id, mut rest) = bytes.split_first_chunk()?;
    let mut records = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let (record, after) = after.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        records.push(Record::decode(record).ok()?);
        rest = after;
    }
    rest.is_empty().then_some((CommitId::from_bytes(*id), records))
}

impl TokenStore for DirectoryStore {
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Result<Position, CommitError> {
        // Until it is known that this commit is not in the history, an error leaves it in doubt; then it is certain that
        // nothing happened; and from the moment that the commit has its name, it is in doubt again.
        let in_doubt = |error: io::Error| CommitError::InDoubt(StoreError::new(error));
        let refused = |error: io::Error| CommitError::Refused(StoreError::new(error));
        self.catch_up().map_err(in_doubt)?;
        let next = Position { revision: expected.revision + 1, commit: id };
        if self.at(next.revision) == Some(next) {
            // Its name may not have been durable when it was in doubt.
            self.sync().map_err(in_doubt)?;
            return Ok(next);
        }
        if self.head() != expected {
            return Err(CommitError::Conflict(self.head()));
        }
        let file = self.write(id, &bytes(id, records)).map_err(refused)?;
        // Of all who try at once, one gets the name.
        let named = fs::hard_link(&file, self.file(next.revision));
        _ = fs::remove_file(file);
        match named {
            Ok(()) => self.sync().map_err(in_doubt)?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                self.catch_up().map_err(refused)?;
                return Err(CommitError::Conflict(self.head()));
            }
            Err(error) => return Err(in_doubt(error)),
        }
        Ok(next)
    }

    fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError> {
        let failed = |error: io::Error| ChangesError::Failed(StoreError::new(error));
        self.catch_up().map_err(failed)?;
        if self.at(since.revision) != Some(since) {
            return Err(ChangesError::Diverged);
        }
        if since.revision < self.horizon && since != Position::ORIGIN {
            return Err(ChangesError::TooOld);
        }
        let mut records: Vec<_> = self.records.values().filter(|(revision, _)| *revision > since.revision).collect();
        records.sort_by_key(|(revision, _)| *revision);
        // A page ends with a revision.
        let mut pages = records.chunk_by(|(one, _), (other, _)| one == other);
        let mut page = Changes::new(self.head());
        while page.records.len() < limit.max(1) {
            let Some(revision) = pages.next() else { break };
            page.records.extend(revision.iter().map(|entry| (*entry).clone()));
        }
        if pages.next().is_some() {
            page.more = true;
            page.position = page.records.last().and_then(|(revision, _)| self.at(*revision)).unwrap_or(since);
        }
        for token in page.records.iter().filter_map(|(_, record)| record.token()) {
            page.used.extend(last_use(&self.used(token)).map_err(failed)?.map(|time| (token, time)));
        }
        Ok(page)
    }

    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        self.catch_up().map_err(StoreError::new)?;
        for (token, time) in used {
            let file = self.used(*token);
            let is_known = self.records.contains_key(&RecordKey::token(*token).to_bytes());
            if is_known && last_use(&file).map_err(StoreError::new)?.is_none_or(|before| before < *time) {
                let new = CommitId::generate().map_err(StoreError::new)?;
                let new = self.write(new, &time.as_micros().to_le_bytes()).map_err(StoreError::new)?;
                fs::rename(new, file).map_err(StoreError::new)?;
            }
        }
        Ok(())
    }
}

/// When a token was last used, if that was ever written.
fn last_use(file: &Path) -> io::Result<Option<Timestamp>> {
    match fs::read(file) {
        Ok(bytes) => Ok(bytes.first_chunk().map(|micros| Timestamp::from_micros(u64::from_le_bytes(*micros)))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Runs the suites on stores in that directory.
fn check(directory: &Path) -> [testing::Report; 2] {
    let number = std::cell::Cell::new(0);
    let new_place = || directory.join(number.replace(number.get() + 1).to_string());
    let open = |path: &PathBuf| DirectoryStore::open(path).expect("the directory is made");
    [testing::conformance(new_place, open), testing::shared_conformance(new_place, open)]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let [alone, shared] = check(directory.path());
    println!("A token store in a directory\n\nOn its own:\n{alone}\n\nSeveral on one directory:\n{shared}");
    if alone.is_ok() && shared.is_ok() { Ok(()) } else { Err("the store breaks the contract".into()) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_store_in_a_directory_keeps_the_contract() {
        let directory = tempfile::tempdir().unwrap();
        for report in super::check(directory.path()) {
            assert!(report.is_ok(), "{report}");
        }
    }
}
