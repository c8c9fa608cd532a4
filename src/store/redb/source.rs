//! Where a store's file comes from, and whether it is still the one that was opened.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{Builder, Database, StorageBackend};

use super::error::RedbError;
use super::held::{Held, Lock};
use super::layout::{self, Layout};
use crate::store::{Position, StoreError};

/// Records are read once, when an authority opens, and pages are written once: little is worth keeping in memory.
const CACHE_BYTES: usize = 16 << 20;

/// Where a store's file comes from.
pub(super) struct Source {
    name: PathBuf,
    medium: Medium,
    /// The handle that has the lock: kept when redb fails, so that no other process comes in between. Its authority goes on
    /// deciding meanwhile, and would miss what that process changes.
    locked: Option<Opened>,
}

enum Medium {
    /// A file, by its absolute path: the working directory may change before the file is opened again.
    File(PathBuf),
    /// What stands for a file in tests.
    #[cfg(feature = "testing")]
    Backend(Box<dyn FnMut() -> io::Result<Arc<dyn StorageBackend>> + Send>),
}

struct Opened {
    file: Arc<dyn StorageBackend>,
    /// What tells it from all other files, where something does. The same path may lead to another one later.
    identity: Option<Identity>,
}

/// The number of the device, and of the file on it.
type Identity = (u64, u64);

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere files have no such numbers")]
fn identity(metadata: &fs::Metadata) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_: &fs::Metadata) -> Option<Identity> {
    None
}

/// A database that is open.
pub(super) struct Open {
    pub(super) database: Database,
    held: Held,
}

impl Drop for Open {
    /// Closing a database writes to its file. What something else put there stays as it is.
    fn drop(&mut self) {
        if matches!(self.held.is_as_left(), Ok(false)) {
            self.held.abandon();
        }
    }
}

impl Source {
    pub(super) fn file(name: &Path) -> Result<Self, RedbError> {
        let name = name.to_owned();
        let path = std::path::absolute(&name).map_err(|source| RedbError::Open { file: name.clone(), source })?;
        Ok(Self { name, medium: Medium::File(path), locked: None })
    }

    #[cfg(feature = "testing")]
    pub(super) fn backend<B: StorageBackend>(mut open: impl FnMut() -> io::Result<B> + Send + 'static) -> Self {
        let open = move || open().map(|file| Arc::new(file) as Arc<dyn StorageBackend>);
        Self { name: "(a backend)".into(), medium: Medium::Backend(Box::new(open)), locked: None }
    }

    pub(super) fn name(&self) -> &Path {
        &self.name
    }

    /// Opens the database, and tells where it is. With the last position that the store is known to have had, it must be the
    /// same store, opened again; without, the file may be a new one.
    pub(super) fn open(&mut self, last: Option<Position>) -> Result<(Open, Position), RedbError> {
        if last.is_some() && self.is_elsewhere()? {
            return Err(RedbError::Replaced(self.name.clone()));
        }
        let may_create = last.is_none();
        let opened = self.medium.open(may_create).map_err(|source| self.opening(source))?;
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
            .map_err(|error| RedbError::opening(&self.name, error))?;
        let failed = |error| RedbError::failed(&self.name, error);
        if lock != Lock::Others {
            self.medium.is_locked(opened.identity, &self.name)?;
        }
        match layout::of(&database).map_err(failed)? {
            Layout::Known => {}
            Layout::Empty => {
                self.medium.make_private().map_err(|source| self.opening(source))?;
                layout::create(&database).map_err(failed)?;
            }
            Layout::Newer(found) => return Err(RedbError::NewerLayout { file: self.name.clone(), found }),
            Layout::Foreign => return Err(RedbError::NotAStore(self.name.clone())),
        }
        let (head, has_last) = layout::position(&database, last).map_err(failed)?;
        if !has_last {
            return Err(RedbError::Replaced(self.name.clone()));
        }
        held.let_through().map_err(|error| RedbError::failed(&self.name, redb::Error::Io(error)))?;
        if lock == Lock::Handles {
            self.locked = Some(opened);
        }
        Ok((Open { database, held }, head))
    }

    /// Fails unless the path still leads to the file that was opened, and nothing else has written to it.
    pub(super) fn check(&self, open: &Open) -> Result<(), RedbError> {
        let as_left = open.held.is_as_left().map_err(|error| RedbError::failed(&self.name, redb::Error::Io(error)))?;
        if !as_left || self.is_elsewhere()? {
            return Err(RedbError::Replaced(self.name.clone()));
        }
        Ok(())
    }

    /// Whether the path leads to no file, or to another one than the one that is locked.
    fn is_elsewhere(&self) -> Result<bool, RedbError> {
        let Some(locked) = &self.locked else { return Ok(false) };
        match self.medium.identity() {
            Ok(identity) => Ok(identity != locked.identity),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(RedbError::failed(&self.name, redb::Error::Io(error))),
        }
    }

    pub(super) fn failed(&self, error: impl Into<redb::Error>) -> StoreError {
        StoreError::new(RedbError::failed(&self.name, error))
    }

    fn opening(&self, source: io::Error) -> RedbError {
        RedbError::Open { file: self.name.clone(), source }
    }
}

impl Medium {
    fn open(&mut self, may_create: bool) -> io::Result<Opened> {
        match self {
            Self::File(path) => {
                let mut options = OpenOptions::new();
                options.read(true).write(true).create(may_create).truncate(false);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let file = options.open(&*path)?;
                let metadata = file.metadata()?;
                #[cfg(unix)]
                if let (0, Some(directory)) = (metadata.len(), path.parent()) {
                    // A new file survives a power cut only when its directory does.
                    File::open(directory)?.sync_all()?;
                }
                let file = Arc::new(FileBackend::new(file).map_err(io::Error::other)?);
                Ok(Opened { file, identity: identity(&metadata) })
            }
            #[cfg(feature = "testing")]
            Self::Backend(open) => Ok(Opened { file: open()?, identity: None }),
        }
    }

    /// What the path leads to now.
    fn identity(&self) -> io::Result<Option<Identity>> {
        match self {
            Self::File(path) => fs::metadata(path).map(|metadata| identity(&metadata)),
            #[cfg(feature = "testing")]
            Self::Backend(_) => Ok(None),
        }
    }

    /// Fails unless the lock on the file keeps others out. redb goes on without a lock where the file system has none.
    fn is_locked(&self, of: Option<Identity>, name: &Path) -> Result<(), RedbError> {
        match self {
            Self::File(path) => {
                let opening = |source| RedbError::Open { file: name.to_owned(), source };
                let second = OpenOptions::new().read(true).write(true).open(path).map_err(opening)?;
                if identity(&second.metadata().map_err(opening)?) != of {
                    return Err(RedbError::Replaced(name.to_owned()));
                }
                let second = FileBackend::new(second).map_err(|error| RedbError::opening(name, error))?;
                match second.try_lock_range(std::ops::Bound::Unbounded, std::ops::Bound::Unbounded) {
                    Ok(false) => Ok(()),
                    _ => Err(RedbError::NoLocks(name.to_owned())),
                }
            }
            #[cfg(feature = "testing")]
            Self::Backend(_) => Ok(()),
        }
    }

    /// Takes the permissions of everybody but the owner off a file that becomes a store.
    fn make_private(&self) -> io::Result<()> {
        #[cfg(unix)]
        #[allow(irrefutable_let_patterns)] // There is no other source, but in tests.
        if let Self::File(path) = self {
            use std::os::unix::fs::PermissionsExt as _;
            if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
                fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
            }
        }
        Ok(())
    }
}
