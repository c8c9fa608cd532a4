//! Files that cannot be written, or that are in use.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use portcullis::store::{CommitId, Position, RedbError};
use portcullis::testing::records::{owner, token};
use portcullis::{RedbStore, TokenStore};

use crate::child::{child, on_small_disk, succeeds, this_program, without_locks};

/// Whom nothing belongs to.
const NOBODY: u32 = 65_534;

fn write(store: &mut RedbStore, at: Position) -> Position {
    store.commit(at, CommitId::generate().unwrap(), &[token(7), owner(1)]).unwrap()
}

/// It is refused for that reason, with what to do, and left as it is.
fn is_refused(file: &Path, reason: ErrorKind) {
    let before = fs::read(file).ok();
    let error = RedbStore::open(file).unwrap_err();
    let advice = "make sure that it can be read and written and that its directory exists";
    assert_eq!(error.to_string(), format!("`{}` cannot be opened; {advice}", file.display()));
    assert!(matches!(&error, RedbError::Open { source, .. } if source.kind() == reason), "{error:?}");
    assert!(fs::read(file).ok() == before);
}

pub(crate) fn read_only() {
    let directory = tempfile::tempdir().unwrap();
    succeeds(on_small_disk("open read-only", directory.path()));
}

pub(crate) fn open_read_only(directory: &Path) {
    let file = directory.join("tokens.redb");
    let at = write(&mut RedbStore::open(&file).unwrap(), Position::ORIGIN);
    let remount = |how: &str| {
        let mut mount = Command::new("mount");
        mount.args(["-o", &format!("remount,{how}")]).arg(directory);
        succeeds(mount);
    };
    remount("ro");
    is_refused(&file, ErrorKind::ReadOnlyFilesystem);
    is_refused(&directory.join("new.redb"), ErrorKind::ReadOnlyFilesystem);
    remount("rw");
    write(&mut RedbStore::open(&file).unwrap(), at);
}

pub(crate) fn another_user() {
    let directory = tempfile::tempdir().unwrap();
    let (file, inner) = (directory.path().join("tokens.redb"), directory.path().join("inner"));
    let at = write(&mut RedbStore::open(&file).unwrap(), Position::ORIGIN);
    fs::create_dir(&inner).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o444)).unwrap();
    for directory in [directory.path(), &inner] {
        fs::set_permissions(directory, Permissions::from_mode(0o555)).unwrap();
    }
    if fs::OpenOptions::new().write(true).open(&file).is_err() {
        open_as_another_user(directory.path());
    } else {
        // The superuser may write to it all the same.
        let program = directory.path().join("program");
        fs::copy(this_program(), &program).unwrap();
        let mut command = child(program, "open as another user", directory.path());
        command.uid(NOBODY).gid(NOBODY);
        succeeds(command);
    }
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    write(&mut RedbStore::open(&file).unwrap(), at);
}

pub(crate) fn open_as_another_user(directory: &Path) {
    is_refused(&directory.join("tokens.redb"), ErrorKind::PermissionDenied);
    is_refused(&directory.join("inner").join("new.redb"), ErrorKind::PermissionDenied);
}

pub(crate) fn second_process() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens.redb");
    let mut store = RedbStore::open(&file).unwrap();
    let mut at = write(&mut store, Position::ORIGIN);
    for _ in 0..3 {
        succeeds(child(this_program(), "open second", directory.path()));
        at = write(&mut store, at);
    }
    drop(store);
    succeeds(child(this_program(), "open alone", directory.path()));
    let mut store = RedbStore::open(&file).unwrap();
    // And one by the child.
    assert_eq!(store.changes(Position::ORIGIN, 100).unwrap().position.revision, at.revision + 1);
    assert_eq!(store.changes(at, 100).unwrap().records.len(), 2);
}

pub(crate) fn open_second(directory: &Path) {
    let file = directory.join("tokens.redb");
    let before = fs::read(&file).unwrap();
    let error = RedbStore::open(&file).unwrap_err();
    let advice = "close the other process or store that has it open, or use another file";
    assert_eq!(error.to_string(), format!("`{}` is in use; {advice}", file.display()));
    assert!(error.is_locked());
    assert!(fs::read(&file).unwrap() == before);
}

pub(crate) fn open_alone(directory: &Path) {
    let mut store = RedbStore::open(directory.join("tokens.redb")).unwrap();
    let at = store.changes(Position::ORIGIN, 100).unwrap().position;
    write(&mut store, at);
}

pub(crate) fn no_locks() {
    for error in ["ENOSYS", "EOPNOTSUPP"] {
        let directory = tempfile::tempdir().unwrap();
        succeeds(without_locks(error, "open without locks", directory.path()));
        // What is left is no obstacle.
        write(&mut RedbStore::open(directory.path().join("tokens.redb")).unwrap(), Position::ORIGIN);
        succeeds(without_locks(error, "open without locks", directory.path()));
    }
}

pub(crate) fn open_without_locks(directory: &Path) {
    let file = directory.join("tokens.redb");
    let before = fs::read(&file).unwrap_or_default();
    let error = RedbStore::open(&file).unwrap_err();
    let advice = "use a file on a local disk";
    assert_eq!(
        error.to_string(),
        format!("`{}` is on a file system that does not lock files; {advice}", file.display())
    );
    assert!(matches!(error, RedbError::NoLocks(_)));
    assert!(fs::read(&file).unwrap() == before);
}
