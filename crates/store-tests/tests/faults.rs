//! What `RedbStore` does when the disk fails: at every single access in turn.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs::{self, OpenOptions};
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use portcullis::store::{ChangesError, CommitError, CommitId, Position, Record, RedbError};
use portcullis::testing::records::{horizon, owner, token, token_described, token_id, tombstone};
use portcullis::{RedbStore, Timestamp, TokenStore};
use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

/// Which accesses to the disk fail, counted from now on.
#[derive(Debug, Clone, Default)]
struct Disk(Arc<State>);

#[derive(Debug, Default)]
struct State {
    accesses: AtomicU64,
    /// This one and as many after it.
    fails_from: AtomicU64,
    fails: AtomicU64,
    /// As on a full disk: what only reads is not counted, and works.
    only_writes: AtomicBool,
    syncs: AtomicU64,
    /// After this one something else writes to the file, too.
    last_sync: AtomicU64,
}

impl Disk {
    fn fail(&self, from: u64, count: u64) {
        self.0.accesses.store(0, Ordering::SeqCst);
        self.0.fails_from.store(from, Ordering::SeqCst);
        self.0.fails.store(count, Ordering::SeqCst);
    }

    /// From that one on, writes fail.
    fn fill(&self, from: u64) {
        self.0.only_writes.store(true, Ordering::SeqCst);
        self.fail(from, u64::MAX);
    }

    fn heal(&self) -> u64 {
        self.0.fails.store(0, Ordering::SeqCst);
        self.0.only_writes.store(false, Ordering::SeqCst);
        self.0.accesses.load(Ordering::SeqCst)
    }

    fn read(&self) -> io::Result<()> {
        if self.0.only_writes.load(Ordering::SeqCst) { Ok(()) } else { self.write() }
    }

    fn write(&self) -> io::Result<()> {
        let access = self.0.accesses.fetch_add(1, Ordering::SeqCst);
        let from = self.0.fails_from.load(Ordering::SeqCst);
        if (from..from.saturating_add(self.0.fails.load(Ordering::SeqCst))).contains(&access) {
            return Err(io::Error::other("the disk failed"));
        }
        Ok(())
    }

    fn open(&self, file: &Path) -> Result<RedbStore, RedbError> {
        let (disk, file) = (self.clone(), PathBuf::from(file));
        RedbStore::on_backend(move || {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&file)?;
            let file = FileBackend::new(file).map_err(io::Error::other)?;
            Ok(Failing { file, disk: disk.clone() })
        })
    }
}

#[derive(Debug)]
struct Failing {
    file: FileBackend,
    disk: Disk,
}

impl StorageBackend for Failing {
    fn len(&self) -> io::Result<u64> {
        self.disk.read()?;
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.read()?;
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.write()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.read()?;
        self.file.sync_data()?;
        let syncs = self.disk.0.syncs.fetch_add(1, Ordering::SeqCst) + 1;
        if syncs == self.disk.0.last_sync.load(Ordering::SeqCst) {
            self.file.write(64, b"something else")?;
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.write()?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens.redb");
    (directory, file)
}

fn read(store: &mut RedbStore) -> (Position, Vec<(u64, Record)>) {
    let page = store.changes(Position::ORIGIN, 100_000).unwrap();
    (page.position, page.records)
}

/// The file as it is now, which a crash would leave.
fn copy_of(file: &Path) -> PathBuf {
    let copy = file.with_extension("copy");
    fs::copy(file, &copy).unwrap();
    copy
}

/// Tokens, some of them replaced and some deleted.
fn fill(store: &mut RedbStore) -> Position {
    let mut at = Position::ORIGIN;
    for number in 0..5 {
        let records: Vec<_> = (0..50).map(|place| token(number * 40 + place)).collect();
        at = store.commit(at, CommitId::generate().unwrap(), &records).unwrap();
    }
    store.commit(at, CommitId::generate().unwrap(), &[tombstone(1), tombstone(100)]).unwrap()
}

/// A commit is made, refused or in doubt; repeated on a disk that works, it is made, and once.
#[test]
fn a_commit_that_failed_is_settled_by_repeating_it() {
    // The failing access alone; all after it; and on a full disk, where only writing fails.
    let faults: [fn(&Disk, u64); 3] = [
        |disk, access| disk.fail(access, 1),
        |disk, access| disk.fail(access, u64::MAX),
        |disk, access| disk.fill(access),
    ];
    for fail in faults {
        let (mut refused, mut in_doubt) = (0, 0);
        for access in 0.. {
            let (_directory, file) = place();
            let disk = Disk::default();
            let at = fill(&mut disk.open(&file).unwrap());
            // Opened again, so that nothing is in redb's cache.
            let mut store = disk.open(&file).unwrap();
            let (_, before) = read(&mut disk.open(&copy_of(&file)).unwrap());
            let id = CommitId::generate().unwrap();
            let next = Position { revision: at.revision + 1, commit: id };
            let records = [token_described(7, "changed"), owner(1), horizon(6), tombstone(8)];

            fail(&disk, access);
            let outcome = store.commit(at, id, &records);
            let accesses = disk.heal();
            match &outcome {
                Ok(position) => assert_eq!(*position, next),
                Err(CommitError::Refused(_)) => {
                    refused += 1;
                    assert!(read(&mut store) == (at, before), "access {access}: a refused commit left a trace");
                }
                Err(CommitError::InDoubt(error)) => {
                    in_doubt += 1;
                    let text = "`(a backend)` could not be read or written; check the disk and try again";
                    assert_eq!(error.to_string(), text);
                }
                Err(error) => panic!("access {access}: {error}"),
            }
            assert_eq!(store.commit(at, id, &records).unwrap(), next, "access {access}");
            let (position, written) = read(&mut store);
            assert_eq!(position, next);
            let new = written.iter().filter(|(revision, _)| *revision == next.revision).map(|(_, record)| record);
            assert!(new.eq(&records), "access {access}");
            drop(store);
            assert!(read(&mut disk.open(&file).unwrap()) == (position, written), "access {access}");
            if access >= accesses {
                assert!(outcome.is_ok());
                break;
            }
        }
        assert!(refused > 0 && in_doubt > 0, "{refused} refused, {in_doubt} in doubt");
    }
}

/// Until the history was asked, an earlier call may have made the commit.
#[test]
fn a_commit_in_doubt_stays_in_doubt_while_the_disk_fails() {
    let (_directory, file) = place();
    let disk = Disk::default();
    let mut store = disk.open(&file).unwrap();
    let at = fill(&mut store);
    let id = CommitId::generate().unwrap();
    disk.fail(0, u64::MAX);
    for _ in 0..3 {
        assert!(matches!(store.commit(at, id, &[owner(1)]), Err(CommitError::InDoubt(_))));
    }
    assert!(matches!(store.changes(at, 1), Err(ChangesError::Failed(_))));
    assert!(store.touch(&[(token_id(7), Timestamp::MAX)]).is_err());
    disk.heal();
    assert_eq!(store.commit(at, id, &[owner(1)]).unwrap().commit, id);
    store.touch(&[(token_id(7), Timestamp::MAX)]).unwrap();
}

#[test]
fn a_commit_that_was_made_is_never_refused() {
    for access in 0.. {
        let (_directory, file) = place();
        let disk = Disk::default();
        let mut store = disk.open(&file).unwrap();
        let at = fill(&mut store);
        let id = CommitId::generate().unwrap();
        store.commit(at, id, &[owner(1)]).unwrap();
        drop(store);
        let mut store = disk.open(&file).unwrap();
        disk.fail(access, 1);
        let outcome = store.commit(at, id, &[owner(1)]);
        let accesses = disk.heal();
        assert!(matches!(outcome, Ok(_) | Err(CommitError::InDoubt(_))), "access {access}: {outcome:?}");
        if access >= accesses {
            break;
        }
    }
}

#[test]
fn opening_that_failed_can_be_repeated() {
    for new in [true, false] {
        for count in [1, u64::MAX] {
            for access in 0.. {
                let (_directory, file) = place();
                let disk = Disk::default();
                let mut written = (Position::ORIGIN, Vec::new());
                if !new {
                    let mut store = disk.open(&file).unwrap();
                    fill(&mut store);
                    written = read(&mut store);
                    // As after a crash, so that it is repaired.
                    let copy = copy_of(&file);
                    drop(store);
                    fs::rename(&copy, &file).unwrap();
                }
                disk.fail(access, count);
                let opened = disk.open(&file);
                let accesses = disk.heal();
                let failed = opened.is_err();
                drop(opened);
                let mut store = disk.open(&file).unwrap_or_else(|error| panic!("access {access}: {error:?}"));
                assert!(read(&mut store) == written, "access {access}");
                if access >= accesses {
                    assert!(!failed);
                    break;
                }
            }
        }
    }
}

#[test]
fn a_commit_that_was_overwritten_is_not_acknowledged() {
    let (_directory, file) = place();
    let disk = Disk::default();
    let mut store = disk.open(&file).unwrap();
    let at = fill(&mut store);
    let before = disk.0.syncs.load(Ordering::SeqCst);
    let at = store.commit(at, CommitId::generate().unwrap(), &[owner(1)]).unwrap();
    let syncs = disk.0.syncs.load(Ordering::SeqCst);
    disk.0.last_sync.store(syncs + (syncs - before), Ordering::SeqCst);
    let id = CommitId::generate().unwrap();
    for _ in 0..2 {
        let outcome = store.commit(at, id, &[owner(2)]);
        let Err(CommitError::InDoubt(error)) = outcome else { panic!("{outcome:?}") };
        assert!(error.to_string().contains("was removed, replaced or overwritten while it was open"), "{error}");
    }
}

#[test]
fn an_older_file_is_not_taken_for_the_one_that_failed() {
    let (_directory, file) = place();
    let disk = Disk::default();
    let mut store = disk.open(&file).unwrap();
    let at = fill(&mut store);
    drop(store);
    let older = fs::read(&file).unwrap();
    let mut store = disk.open(&file).unwrap();
    let at = store.commit(at, CommitId::generate().unwrap(), &[owner(1)]).unwrap();
    disk.fail(0, u64::MAX);
    assert!(store.changes(at, 1).is_err());
    disk.heal();
    fs::write(&file, &older).unwrap();
    for _ in 0..2 {
        let refused = store.commit(at, CommitId::generate().unwrap(), &[owner(2)]);
        let Err(CommitError::Refused(error)) = refused else { panic!("{refused:?}") };
        assert_eq!(
            error.to_string(),
            "`(a backend)` was removed, replaced or overwritten while it was open; put the file that is to be used there and restart"
        );
    }
    drop(store);
    assert!(fs::read(&file).unwrap() == older);
}

#[test]
fn reading_recovers_when_the_disk_does() {
    let (_directory, file) = place();
    let disk = Disk::default();
    fill(&mut disk.open(&file).unwrap());
    let mut failures = 0;
    for access in 0.. {
        let mut store = disk.open(&file).unwrap();
        disk.fail(access, 1);
        let outcome = store.changes(Position::ORIGIN, 1_000);
        let accesses = disk.heal();
        failures += u32::from(outcome.is_err());
        assert_eq!(read(&mut store).1.len(), 5 * 40 + 10);
        if access >= accesses {
            break;
        }
    }
    assert!(failures > 0);
}

#[test]
fn a_file_that_was_deleted_or_emptied_is_not_made_again() {
    let (_directory, file) = place();
    let disk = Disk::default();
    drop(disk.open(&file).unwrap());
    let moved = file.with_extension("moved");
    let empty: [fn(&Path); 2] = [
        |file| fs::remove_file(file).unwrap(),
        |file| {
            fs::remove_file(file).unwrap();
            fs::write(file, b"").unwrap();
        },
    ];
    fs::copy(&file, &moved).unwrap();
    for empty in empty {
        let mut store = disk.open(&file).unwrap();
        let at = fill(&mut store);
        disk.fail(0, u64::MAX);
        let id = CommitId::generate().unwrap();
        assert!(store.commit(at, id, &[owner(1)]).is_err());
        disk.heal();
        empty(&file);
        let Err(CommitError::InDoubt(error)) = store.commit(at, id, &[owner(1)]) else { panic!() };
        assert_eq!(
            error.to_string(),
            "`(a backend)` is not a token store and was left as it is; name a token store, or a file that does not exist yet"
        );
        drop(store);
        fs::copy(&moved, &file).unwrap();
    }
}
