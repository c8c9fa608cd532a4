//! A store in one file.

mod error;
mod held;
mod layout;
mod source;

use std::fmt;
use std::path::Path;

pub use error::RedbError;
use layout::{HISTORY, META, PLACES, RECORDS, TOMBSTONES, USED, begin_write, has, head};
use redb::{ReadTransaction, ReadableDatabase, ReadableTable, WriteTransaction};
use source::{Open, Source};

use crate::model::id::TokenId;
use crate::model::time::Timestamp;
use crate::store::record::{Record, RecordKey, RecordKind};
use crate::store::schema::DecodeError;
use crate::store::{Changes, ChangesError, CommitError, CommitId, Position, StoreError, TokenStore};

/// So many of the latest commit ids are kept whatever was forgotten, so that a commit in doubt can be settled.
const LATEST_COMMITS: u64 = 1_000;

/// A store in one file, in the format of the [redb](https://docs.rs/redb) database.
///
/// # The file
/// - **One store has it.** The file is locked while it is open: opening it again, in this process or another, fails with
///   [`RedbError::Locked`]. A file system that has no locks is refused with [`RedbError::NoLocks`].
/// - **It is private.** On Unix a new store is readable and writable by its owner only, also where the file existed and was
///   empty. It holds digests of secrets, never secrets.
/// - **It is verified.** Opening compares every page with its checksum, so that a damaged file is refused and not believed.
/// - **It is watched.** Before a change, and again before the change is acknowledged, the store makes sure that the path still
///   leads to the file that it opened (on Unix), and that nothing else has written to it. If the file was replaced, removed or
///   overwritten, the change fails with [`RedbError::Replaced`], and what is there now is left as it is. The authority goes on
///   deciding from memory.
/// - **Trusted**: anyone who can write to the file, and a disk that claims to have written.
///
/// # Errors
/// After an error the store opens the file again for the next call, so an authority recovers when its disk does. On Unix the
/// lock stays meanwhile. A file that was deleted or emptied is not made again.
///
/// ```
/// use portcullis::{Authority, RedbStore, UserId};
///
/// # let directory = tempfile::tempdir()?;
/// # let file = directory.path().join("tokens.redb");
/// // Creates the file, if there is none.
/// let authority = Authority::open(RedbStore::open(&file)?).wait()?;
/// let root = authority.setup(UserId::generate()?).wait()?;
/// authority.close().wait()?;
///
/// // The token is there at the next start.
/// let authority = Authority::open(RedbStore::open(&file)?).wait()?;
/// assert!(authority.authenticate(root.secret.expose()).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RedbStore {
    /// `None` after an error: redb does nothing more after one. Dropped before the handle that has the lock.
    open: Option<Open>,
    source: Source,
    /// The last position that the store is known to have had.
    last: Position,
    /// Whether the store is known to be at `last`; otherwise one more commit may have been made.
    settled: bool,
}

impl RedbStore {
    /// Opens the store in the file at `path`. Creates it if there is no such file, or an empty one.
    ///
    /// # Errors
    /// The file is then left as it is, to the byte.
    ///
    /// | error | the file |
    /// | --- | --- |
    /// | [`Locked`](RedbError::Locked) | is open elsewhere |
    /// | [`NoLocks`](RedbError::NoLocks) | cannot be locked |
    /// | [`NotAStore`](RedbError::NotAStore) | holds something else |
    /// | [`NewerLayout`](RedbError::NewerLayout) | was made by a later version |
    /// | [`Damaged`](RedbError::Damaged) | was altered or cut off |
    /// | [`Open`](RedbError::Open) | may not be read and written, or its directory does not exist |
    /// | [`Failed`](RedbError::Failed) | cannot be read or written: the disk failed, or is full |
    /// | [`Replaced`](RedbError::Replaced) | was replaced in this moment |
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RedbError> {
        Self::from_source(Source::file(path.as_ref())?)
    }

    /// Opens the store on the backend that `open` returns. It is called again after every error. For tests that let the disk
    /// fail.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn on_backend<B: redb::StorageBackend>(
        open: impl FnMut() -> std::io::Result<B> + Send + 'static,
    ) -> Result<Self, RedbError> {
        Self::from_source(Source::backend(open))
    }

    fn from_source(mut source: Source) -> Result<Self, RedbError> {
        let (open, last) = source.open(None)?;
        Ok(Self { open: Some(open), source, last, settled: true })
    }

    /// The database, if its file is as it was left. The caller puts it back unless it fails.
    fn take(&mut self) -> Result<Open, RedbError> {
        let open = if let Some(open) = self.open.take() {
            open
        } else {
            let (open, head) = self.source.open(Some(self.last))?;
            (self.last, self.settled) = (head, true);
            open
        };
        match self.source.check(&open) {
            Ok(()) => Ok(open),
            Err(error) => {
                // Opening it again would only take the other file for this one.
                if matches!(error, RedbError::Replaced(_)) {
                    self.open = Some(open);
                }
                Err(error)
            }
        }
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedbStore").field(&self.source.name()).finish()
    }
}

enum Found {
    /// The commit was made before.
    Made,
    /// The store is at the expected position.
    Expected,
    Elsewhere(Position),
}

fn find(write: &WriteTransaction, expected: Position, next: Position) -> Result<Found, redb::Error> {
    let history = write.open_table(HISTORY)?;
    if has(&history, next)? {
        return Ok(Found::Made);
    }
    let head = head(&history)?;
    Ok(if head == expected { Found::Expected } else { Found::Elsewhere(head) })
}

fn put(write: &WriteTransaction, next: Position, records: &[Record]) -> Result<(), redb::Error> {
    let mut stored = write.open_table(RECORDS)?;
    let mut places = write.open_table(PLACES)?;
    let mut tombstones = write.open_table(TOMBSTONES)?;
    let mut used = write.open_table(USED)?;
    for (record, number) in records.iter().zip(0..) {
        let place = (next.revision, number);
        let key = record.key().to_bytes();
        let before = places.insert(key, place)?.map(|before| before.value());
        if let Some(before) = before {
            stored.remove(before)?;
            tombstones.remove(before)?;
            let time = used.remove(before)?.map(|time| time.value());
            if let Some(time) = time {
                used.insert(place, time)?;
            }
        }
        stored.insert(place, record.encode().as_slice())?;
        if record.kind() == RecordKind::Tombstone {
            tombstones.insert(place, key)?;
        }
    }
    let mut history = write.open_table(HISTORY)?;
    history.insert(next.revision, next.commit.to_bytes())?;
    if let Some(horizon) = records.iter().filter_map(Record::forgets).max() {
        for tombstone in tombstones.extract_from_if(..=(horizon, u32::MAX), |_, _| true)? {
            let (place, key) = tombstone?;
            stored.remove(place.value())?;
            used.remove(place.value())?;
            places.remove(key.value())?;
        }
        let kept = horizon.min(next.revision.saturating_sub(LATEST_COMMITS));
        history.retain_in(..kept, |_, _| false)?;
        let mut meta = write.open_table(META)?;
        let before = meta.get("horizon")?.map_or(0, |before| before.value());
        meta.insert("horizon", horizon.max(before))?;
    }
    Ok(())
}

/// Remembers when tokens were last used, and says whether there was anything new.
fn put_used(write: &WriteTransaction, times: &[(TokenId, Timestamp)]) -> Result<bool, redb::Error> {
    let places = write.open_table(PLACES)?;
    let mut used = write.open_table(USED)?;
    let mut changed = false;
    for (id, time) in times {
        let place = places.get(RecordKey::token(*id).to_bytes())?.map(|place| place.value());
        let Some(place) = place else { continue };
        let before = used.get(place)?.map(|before| before.value());
        if before.is_none_or(|before| before < time.as_micros()) {
            used.insert(place, time.as_micros())?;
            changed = true;
        }
    }
    Ok(changed)
}

impl TokenStore for RedbStore {
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Result<Position, CommitError> {
        let next = Position { revision: expected.revision.saturating_add(1), commit: id };
        // Before the history was asked, an error leaves open whether this commit was made by an earlier call. Between that and
        // redb's commit, it is certain that it was not; from then on it is open again.
        let open = match self.take() {
            Ok(open) => open,
            // Nothing follows the position at which the store is.
            Err(error @ RedbError::Replaced(_)) if self.settled && self.last == expected => {
                return Err(CommitError::Refused(StoreError::new(error)));
            }
            Err(error) => return Err(CommitError::InDoubt(StoreError::new(error))),
        };
        let in_doubt = |error| CommitError::InDoubt(self.source.failed(error));
        let write = begin_write(&open.database).map_err(in_doubt)?;
        match find(&write, expected, next).map_err(in_doubt)? {
            Found::Made => {
                drop(write);
                self.open = Some(open);
                return Ok(next);
            }
            Found::Elsewhere(head) => {
                drop(write);
                self.open = Some(open);
                return Err(CommitError::Conflict(head));
            }
            Found::Expected => {}
        }
        put(&write, next, records).map_err(|error| CommitError::Refused(self.source.failed(error)))?;
        self.settled = false;
        write.commit().map_err(|error| CommitError::InDoubt(self.source.failed(error)))?;
        // A file that was replaced meanwhile does not have it.
        let checked = self.source.check(&open);
        self.open = Some(open);
        checked.map_err(|error| CommitError::InDoubt(StoreError::new(error)))?;
        (self.last, self.settled) = (next, true);
        Ok(next)
    }

    fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError> {
        let open = self.take().map_err(|error| ChangesError::Failed(StoreError::new(error)))?;
        let changes = open
            .database
            .begin_read()
            .map_err(redb::Error::from)
            .and_then(|read| read_page(&read, since, limit))
            .map_err(|error| ChangesError::Failed(self.source.failed(error)))?;
        self.open = Some(open);
        match changes {
            Page::Changes(changes) => Ok(changes),
            Page::Diverged => Err(ChangesError::Diverged),
            Page::TooOld => Err(ChangesError::TooOld),
            Page::Unreadable(revision, source) => {
                let file = self.source.name().to_owned();
                Err(ChangesError::Failed(StoreError::new(RedbError::Record { file, revision, source })))
            }
        }
    }

    /// The file is locked while it is open.
    fn is_shared(&self) -> bool {
        false
    }

    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        let open = self.take().map_err(StoreError::new)?;
        let attempt = || {
            let write = begin_write(&open.database)?;
            if put_used(&write, used)? {
                write.commit()?;
            }
            Ok(())
        };
        attempt().map_err(|error: redb::Error| self.source.failed(error))?;
        self.open = Some(open);
        Ok(())
    }
}

enum Page {
    Changes(Changes),
    Diverged,
    TooOld,
    Unreadable(u64, DecodeError),
}

fn read_page(read: &ReadTransaction, since: Position, limit: usize) -> Result<Page, redb::Error> {
    let history = read.open_table(HISTORY)?;
    if since != Position::ORIGIN {
        let horizon = read.open_table(META)?.get("horizon")?.map_or(0, |horizon| horizon.value());
        if since.revision < horizon {
            return Ok(Page::TooOld);
        }
        if !has(&history, since)? {
            return Ok(Page::Diverged);
        }
    }
    let mut page = Changes::new(head(&history)?);
    let start = (since.revision.saturating_add(1), 0);
    let mut used = read.open_table(USED)?.range(start..)?;
    let mut next_used = used.next().transpose()?;
    let mut last = since.revision;
    for stored in read.open_table(RECORDS)?.range(start..)? {
        let (place, bytes) = stored?;
        let place = place.value();
        let (revision, _) = place;
        if page.records.len() >= limit.max(1) && revision != last {
            let commit =
                history.get(last)?.map_or(Position::ORIGIN.commit, |commit| CommitId::from_bytes(commit.value()));
            page.position = Position { revision: last, commit };
            page.more = true;
            break;
        }
        last = revision;
        let record = match Record::decode(bytes.value()) {
            Ok(record) => record,
            Err(error) => return Ok(Page::Unreadable(revision, error)),
        };
        while let Some((at, time)) = &next_used
            && at.value() <= place
        {
            if at.value() == place
                && let Some(id) = record.token()
            {
                page.used.push((id, Timestamp::from_micros(time.value())));
            }
            next_used = used.next().transpose()?;
        }
        page.records.push((revision, record));
    }
    Ok(Page::Changes(page))
}
