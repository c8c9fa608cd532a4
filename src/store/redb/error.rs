//! Why a token store's file cannot be used.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use redb::{DatabaseError, StorageError};

use crate::store::schema::DecodeError;

/// Why a [`RedbStore`](crate::RedbStore) cannot be opened, read or written.
///
/// A file that is not opened is left as it is, to the byte.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedbError {
    /// Another process, or another store of this one, has the file open.
    #[error("`{file}` is in use; close the other process or store that has it open, or use another file", file = .0.display())]
    Locked(PathBuf),
    /// The file system does not lock files, so nothing would keep another process from opening the same file.
    #[error("`{file}` is on a file system that does not lock files; use a file on a local disk", file = .0.display())]
    NoLocks(PathBuf),
    /// The file was removed, replaced or overwritten while the store had it open. The change was not acknowledged.
    ///
    /// The authority goes on deciding from memory. A file that was moved can be moved back; otherwise decide which file is to
    /// be used, put it there, and restart.
    #[error(
        "`{file}` was removed, replaced or overwritten while it was open; put the file that is to be used there and restart",
        file = .0.display()
    )]
    Replaced(PathBuf),
    /// The file holds something else.
    #[error(
        "`{file}` is not a token store and was left as it is; name a token store, or a file that does not exist yet",
        file = .0.display()
    )]
    NotAStore(PathBuf),
    /// The file was made by a later version of this library.
    #[error(
        "`{file}` has layout {found}, this version reads up to {newest}; use the version that wrote it",
        file = .file.display(), newest = super::layout::LAYOUT
    )]
    NewerLayout {
        /// The file.
        file: PathBuf,
        /// Its layout.
        found: u64,
    },
    /// The file was altered or cut off since it was written.
    #[error("`{file}` is damaged; restore it from a backup", file = .file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What was found.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A record in the file cannot be read.
    #[error(
        "`{file}` holds an unreadable record at revision {revision}; use the version that wrote it, or restore a backup",
        file = .file.display()
    )]
    Record {
        /// The file.
        file: PathBuf,
        /// The revision that wrote the record.
        revision: u64,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The file cannot be opened for reading and writing.
    #[error(
        "`{file}` cannot be opened; make sure that it can be read and written and that its directory exists",
        file = .file.display()
    )]
    Open {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Reading or writing failed. The store opens the file again for the next call.
    #[error("`{file}` could not be read or written; check the disk and try again", file = .file.display())]
    Failed {
        /// The file.
        file: PathBuf,
        /// What the disk or the database says.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl RedbError {
    /// Reports whether another process or store has the file open. Trying again later may help.
    #[must_use]
    pub const fn is_locked(&self) -> bool {
        matches!(self, Self::Locked(_))
    }

    pub(super) fn failed(file: &Path, error: impl Into<redb::Error>) -> Self {
        let file = file.to_owned();
        match error.into() {
            error @ redb::Error::Corrupted(_) => Self::Damaged { file, source: Box::new(error) },
            // It is shorter than it says.
            redb::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Damaged { file, source: Box::new(redb::Error::Io(error)) }
            }
            error => Self::Failed { file, source: Box::new(error) },
        }
    }

    pub(super) fn opening(file: &Path, error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => Self::Locked(file.to_owned()),
            // Every store was made in a format that needs no upgrade.
            DatabaseError::UpgradeRequired(_) => Self::NotAStore(file.to_owned()),
            DatabaseError::Storage(StorageError::Io(source)) if source.kind() == io::ErrorKind::InvalidData => {
                Self::NotAStore(file.to_owned())
            }
            error => Self::failed(file, error),
        }
    }
}
