//! A store in one file.

mod error;
mod held;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{
    Builder, Database, ReadTransaction, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, TableError,
    TableHandle, WriteTransaction,
};

pub use error::RedbError;
use held::{Held, Lock};

use crate::model::id::TokenId;
use crate::model::time::Timestamp;
use crate::store::record::{Record, RecordKey, RecordKind};
use crate::store::{Changes, ChangesError, CommitError, CommitId, Position, StoreError, TokenStore};

/// The layout below. A later one gets a higher number.
const LAYOUT: u64 = 1;

/// Where a record stands: the revision that wrote it, and its place in that commit.
type Place = (u64, u32);

/// The layout, which marks the file as ours, and the horizon of forgetting.
const META: TableDefinition<&str, u64> = TableDefinition::new("portcullis");
/// The current records in the order in which they were written, so that opening is one scan.
const RECORDS: TableDefinition<Place, &[u8]> = TableDefinition::new("records");
/// Where the record with a key is.
const PLACES: TableDefinition<[u8; 17], Place> = TableDefinition::new("places");
/// Where the tombstones are, and their keys, so that forgetting reads nothing else.
const TOMBSTONES: TableDefinition<Place, [u8; 17]> = TableDefinition::new("tombstones");
/// When the token at a place was last used. By place, so that a scan reads it along with the records.
const USED: TableDefinition<Place, u64> = TableDefinition::new("used");
/// The commit id of each revision.
const HISTORY: TableDefinition<u64, [u8; 16]> = TableDefinition::new("history");

/// So many of the latest commit ids are kept whatever was forgotten, so that a commit in doubt can be settled.
const LATEST_COMMITS: u64 = 1_000;

/// Records are read once, when an authority opens, and pages are written once: little is worth keeping in memory.
const CACHE_BYTES: usize = 16 << 20;

/// A store in one file, in the format of the [redb](https://docs.rs/redb) database.
///
/// One store at a time, in one process, has the file: opening it again fails with [`RedbError::Locked`]. A new file is, on
/// Unix, readable and writable by its owner only; it holds digests of secrets, never secrets.
///
/// When the file is opened, every page of it is verified against its checksum, so that a damaged file is refused rather
/// than believed. Trusted: whoever can write to the file, and a disk that says that it has written.
///
/// After an error the store opens the file anew for the next call, so an authority recovers when its disk does. On Unix the
/// lock stays meanwhile. A file that was deleted or emptied is not made again.
pub struct RedbStore {
    /// `None` after an error: redb does nothing more after one. Dropped before the handle that has the lock.
    database: Option<Database>,
    source: Source,
}

/// Where the file comes from.
struct Source {
    name: PathBuf,
    /// Opens it; it may be created if the argument says so.
    open: Box<dyn FnMut(bool) -> io::Result<Opened> + Send>,
    /// The handle that has the lock: kept when redb fails, so that no other process comes in between. Its authority goes on
    /// deciding meanwhile, and would miss what that one changes.
    locked: Option<Opened>,
}

struct Opened {
    file: Arc<dyn StorageBackend>,
    /// What tells it from all other files, where something does. The same path may lead to another one later.
    identity: Option<Identity>,
}

/// The number of the device, and of the file on it.
type Identity = (u64, u64);

fn identity(file: &File) -> io::Result<Option<Identity>> {
    #[cfg(unix)]
    return {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = file.metadata()?;
        Ok(Some((metadata.dev(), metadata.ino())))
    };
    #[cfg(not(unix))]
    return {
        let _ = file;
        Ok(None)
    };
}

impl RedbStore {
    /// Opens the store in that file, or makes a new one if there is no such file or an empty one.
    ///
    /// # Errors
    /// The file is in use, is no token store, is damaged, was made by a later version, or cannot be read and written. It
    /// is then left as it is, to the byte.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RedbError> {
        let name = path.as_ref().to_owned();
        // The working directory may change before the file is opened again.
        let path = std::path::absolute(&name).map_err(|source| RedbError::Open { file: name.clone(), source })?;
        let open = move |may_create: bool| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(may_create).truncate(false);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(&path)?;
            #[cfg(unix)]
            if file.metadata()?.len() == 0
                && let Some(directory) = path.parent()
            {
                // A new file survives a power cut only when its directory does.
                File::open(directory)?.sync_all()?;
            }
            let identity = identity(&file)?;
            Ok(Opened { file: Arc::new(FileBackend::new(file).map_err(io::Error::other)?), identity })
        };
        Self::from_source(Source { name, open: Box::new(open), locked: None })
    }

    /// The store on the backend that `open` gives; it is called again after every error. For tests that let the disk fail.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn on_backend<B: StorageBackend>(
        mut open: impl FnMut() -> io::Result<B> + Send + 'static,
    ) -> Result<Self, RedbError> {
        let open = move |_| Ok(Opened { file: Arc::new(open()?), identity: None });
        Self::from_source(Source { name: "(a backend)".into(), open: Box::new(open), locked: None })
    }

    fn from_source(mut source: Source) -> Result<Self, RedbError> {
        let database = source.open(true)?;
        Ok(Self { database: Some(database), source })
    }

    /// The database, which the caller puts back unless it fails.
    fn database(&mut self) -> Result<Database, RedbError> {
        match self.database.take() {
            Some(database) => Ok(database),
            None => self.source.open(false),
        }
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedbStore").field(&self.source.name).finish()
    }
}

impl Source {
    fn open(&mut self, may_create: bool) -> Result<Database, RedbError> {
        let file = &self.name;
        let opening = |source| RedbError::Open { file: file.clone(), source };
        let opened = (self.open)(may_create).map_err(opening)?;
        let lock = match (opened.identity, &self.locked) {
            (None, _) => Lock::Redbs,
            (identity, Some(locked)) if locked.identity == identity => Lock::Others,
            _ => Lock::Handles,
        };
        let held = Held::new(Arc::clone(&opened.file), lock, may_create);
        let database = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(true)
            .create_with_backend(held.clone())
            .map_err(|error| RedbError::opening(file, error))?;
        match layout(&database).map_err(|error| RedbError::failed(file, error))? {
            Layout::Known => {}
            Layout::Empty => create(&database).map_err(|error| RedbError::failed(file, error))?,
            Layout::Newer(found) => return Err(RedbError::NewerLayout { file: file.clone(), found }),
            Layout::Foreign => return Err(RedbError::NotAStore(file.clone())),
        }
        held.let_through().map_err(|error| RedbError::failed(file, redb::Error::Io(error)))?;
        if lock == Lock::Handles {
            self.locked = Some(opened);
        }
        Ok(database)
    }

    fn failed(&self, error: impl Into<redb::Error>) -> StoreError {
        StoreError::new(RedbError::failed(&self.name, error))
    }
}

enum Layout {
    Known,
    Newer(u64),
    /// A database without tables: the store was never made, and nothing is lost by making it.
    Empty,
    Foreign,
}

fn layout(database: &Database) -> Result<Layout, redb::Error> {
    let read = database.begin_read()?;
    if !read.list_tables()?.any(|table| table.name() == META.name()) {
        let empty = read.list_tables()?.next().is_none() && read.list_multimap_tables()?.next().is_none();
        return Ok(if empty { Layout::Empty } else { Layout::Foreign });
    }
    let meta = match read.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::Storage(error)) => return Err(error.into()),
        Err(_) => return Ok(Layout::Foreign),
    };
    Ok(match meta.get("layout")?.map(|layout| layout.value()) {
        Some(LAYOUT) => Layout::Known,
        Some(found) if found > LAYOUT => Layout::Newer(found),
        _ => Layout::Foreign,
    })
}

fn create(database: &Database) -> Result<(), redb::Error> {
    let write = begin_write(database)?;
    write.open_table(META)?.insert("layout", LAYOUT)?;
    write.open_table(RECORDS)?;
    write.open_table(PLACES)?;
    write.open_table(TOMBSTONES)?;
    write.open_table(USED)?;
    write.open_table(HISTORY)?;
    write.commit()?;
    Ok(())
}

/// In two phases: redb then never takes damage to the last commit for a crash, and never undoes what was acknowledged.
fn begin_write(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut write = database.begin_write()?;
    write.set_two_phase_commit(true);
    Ok(write)
}

/// The last position in that history.
fn head(history: &impl ReadableTable<u64, [u8; 16]>) -> Result<Position, redb::Error> {
    Ok(history.last()?.map_or(Position::ORIGIN, |(revision, commit)| Position {
        revision: revision.value(),
        commit: CommitId::from_bytes(commit.value()),
    }))
}

/// Whether the history has that commit.
fn has(history: &impl ReadableTable<u64, [u8; 16]>, position: Position) -> Result<bool, redb::Error> {
    let commit = history.get(position.revision)?;
    Ok(commit.is_some_and(|commit| commit.value() == position.commit.to_bytes()))
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
        // Before the history was asked, an error leaves open whether this commit was made by an earlier call; between
        // that and redb's commit, it is certain that it was not; from then on it is open again.
        let database = self.database().map_err(|error| CommitError::InDoubt(StoreError::new(error)))?;
        let in_doubt = |error| CommitError::InDoubt(self.source.failed(error));
        let attempt = || {
            let write = begin_write(&database).map_err(in_doubt)?;
            match find(&write, expected, next).map_err(in_doubt)? {
                Found::Made => return Ok(next),
                Found::Elsewhere(head) => return Err(CommitError::Conflict(head)),
                Found::Expected => {}
            }
            put(&write, next, records).map_err(|error| CommitError::Refused(self.source.failed(error)))?;
            write.commit().map_err(|error| in_doubt(error.into()))?;
            Ok(next)
        };
        let result = attempt();
        if matches!(result, Ok(_) | Err(CommitError::Conflict(_))) {
            self.database = Some(database);
        }
        result
    }

    fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError> {
        let database = self.database().map_err(|error| ChangesError::Failed(StoreError::new(error)))?;
        let changes = database
            .begin_read()
            .map_err(redb::Error::from)
            .and_then(|read| read_page(&read, since, limit))
            .map_err(|error| ChangesError::Failed(self.source.failed(error)))?;
        self.database = Some(database);
        match changes {
            Page::Changes(changes) => Ok(changes),
            Page::Diverged => Err(ChangesError::Diverged),
            Page::TooOld => Err(ChangesError::TooOld),
            Page::Unreadable(revision, source) => {
                let file = self.source.name.clone();
                Err(ChangesError::Failed(StoreError::new(RedbError::Record { file, revision, source })))
            }
        }
    }

    /// The file is locked while it is open.
    fn is_shared(&self) -> bool {
        false
    }

    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        let database = self.database().map_err(StoreError::new)?;
        let attempt = || {
            let write = begin_write(&database)?;
            if put_used(&write, used)? {
                write.commit()?;
            }
            Ok(())
        };
        attempt().map_err(|error: redb::Error| self.source.failed(error))?;
        self.database = Some(database);
        Ok(())
    }
}

enum Page {
    Changes(Changes),
    Diverged,
    TooOld,
    Unreadable(u64, crate::store::schema::DecodeError),
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
