//! A host's own store in SQL: tokens in an SQLite file that several processes may share. It keeps the contract.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use portcullis::store::{
    Changes, ChangesError, CommitError, CommitId, Position, Record, RecordKey, RecordKind, StoreError,
};
use portcullis::{Timestamp, TokenId, TokenStore, testing};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior};

/// One row for each key, with the revision that wrote it, so that a new record replaces the one before it.
const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS commits (revision INTEGER PRIMARY KEY, id BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS horizons (revision INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS records (
        key BLOB PRIMARY KEY,
        revision INTEGER NOT NULL,
        is_tombstone INTEGER NOT NULL,
        record BLOB NOT NULL,
        last_used INTEGER
    ) STRICT;
    CREATE INDEX IF NOT EXISTS records_by_revision ON records (revision);
";

const PUT: &str = "
    INSERT INTO records (key, revision, is_tombstone, record) VALUES (?, ?, ?, ?)
    ON CONFLICT (key) DO UPDATE
    SET revision = excluded.revision, is_tombstone = excluded.is_tombstone, record = excluded.record
";

/// A store in an SQLite file.
#[derive(Debug)]
struct SqliteStore(Connection);

impl SqliteStore {
    /// Opens the store in that file, or makes a new one.
    fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self(connection))
    }
}

fn position(row: &Row<'_>) -> rusqlite::Result<Position> {
    Ok(Position { revision: row.get(0)?, commit: CommitId::from_bytes(row.get(1)?) })
}

/// Where the store is.
fn head(transaction: &Transaction<'_>) -> rusqlite::Result<Position> {
    let last = "SELECT revision, id FROM commits ORDER BY revision DESC LIMIT 1";
    Ok(transaction.query_row(last, (), position).optional()?.unwrap_or(Position::ORIGIN))
}

/// Where it was at that revision.
fn at(transaction: &Transaction<'_>, revision: u64) -> rusqlite::Result<Option<Position>> {
    if revision == 0 {
        return Ok(Some(Position::ORIGIN));
    }
    let query = "SELECT revision, id FROM commits WHERE revision = ?";
    transaction.query_row(query, (revision,), position).optional()
}

fn put(transaction: &Transaction<'_>, next: Position, records: &[Record]) -> rusqlite::Result<()> {
    transaction.execute("INSERT INTO commits VALUES (?, ?)", (next.revision, next.commit.to_bytes()))?;
    let mut put = transaction.prepare_cached(PUT)?;
    for record in records {
        let is_tombstone = record.kind() == RecordKind::Tombstone;
        put.execute((record.key().to_bytes(), next.revision, is_tombstone, record.encode()))?;
    }
    for horizon in records.iter().filter_map(Record::forgets) {
        transaction.execute("DELETE FROM records WHERE is_tombstone AND revision <= ?", (horizon,))?;
        transaction.execute("INSERT INTO horizons VALUES (?)", (horizon,))?;
    }
    Ok(())
}

impl TokenStore for SqliteStore {
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Result<Position, CommitError> {
        // Until it is known that this commit is not in the history, an error leaves it in doubt; then it is certain that
        // nothing happened; and from SQLite's commit on it is in doubt again.
        let in_doubt = |error: rusqlite::Error| CommitError::InDoubt(StoreError::new(error));
        let refused = |error: rusqlite::Error| CommitError::Refused(StoreError::new(error));
        // Immediate: no other process writes between the comparison and the commit.
        let transaction = self.0.transaction_with_behavior(TransactionBehavior::Immediate).map_err(in_doubt)?;
        let next = Position { revision: expected.revision + 1, commit: id };
        if at(&transaction, next.revision).map_err(in_doubt)? == Some(next) {
            return Ok(next);
        }
        let head = head(&transaction).map_err(refused)?;
        if head != expected {
            return Err(CommitError::Conflict(head));
        }
        put(&transaction, next, records).map_err(refused)?;
        transaction.commit().map_err(in_doubt)?;
        Ok(next)
    }

    fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError> {
        let failed = |error: rusqlite::Error| ChangesError::Failed(StoreError::new(error));
        // One transaction: all that it reads is of one moment.
        let transaction = self.0.transaction().map_err(failed)?;
        if at(&transaction, since.revision).map_err(failed)? != Some(since) {
            return Err(ChangesError::Diverged);
        }
        let horizon = "SELECT coalesce(max(revision), 0) FROM horizons";
        let horizon: u64 = transaction.query_row(horizon, (), |row| row.get(0)).map_err(failed)?;
        if since.revision < horizon && since != Position::ORIGIN {
            return Err(ChangesError::TooOld);
        }

        let position = head(&transaction).map_err(failed)?;
        let mut page = Changes::new(position);
        let query = "SELECT revision, record, last_used FROM records WHERE revision > ? ORDER BY revision";
        let mut query = transaction.prepare_cached(query).map_err(failed)?;
        let mut rows = query.query((since.revision,)).map_err(failed)?;
        let mut last = since.revision;
        while let Some(row) = rows.next().map_err(failed)? {
            let revision = row.get(0).map_err(failed)?;
            if page.records.len() >= limit.max(1) && revision != last {
                page.position = at(&transaction, last).map_err(failed)?.unwrap_or(since);
                page.more = true;
                break;
            }
            last = revision;
            let bytes: Vec<u8> = row.get(1).map_err(failed)?;
            let record = Record::decode(&bytes).map_err(|error| ChangesError::Failed(StoreError::new(error)))?;
            let last_used: Option<u64> = row.get(2).map_err(failed)?;
            page.used.extend(record.token().zip(last_used.map(Timestamp::from_micros)));
            page.records.push((revision, record));
        }
        Ok(page)
    }

    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        let transaction = self.0.transaction().map_err(StoreError::new)?;
        let update = "UPDATE records SET last_used = max(coalesce(last_used, 0), ?) WHERE key = ?";
        let mut update = transaction.prepare_cached(update).map_err(StoreError::new)?;
        for (id, time) in used {
            update.execute((time.as_micros(), RecordKey::token(*id).to_bytes())).map_err(StoreError::new)?;
        }
        drop(update);
        transaction.commit().map_err(StoreError::new)
    }
}

#[test]
fn the_store_in_sqlite_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    let new_place = || directory.path().join(format!("{}.sqlite", number.replace(number.get() + 1)));
    let open = |path: &std::path::PathBuf| SqliteStore::open(path).unwrap();
    for report in [testing::conformance(new_place, open), testing::shared_conformance(new_place, open)] {
        assert!(report.is_ok(), "{report}");
    }
}
