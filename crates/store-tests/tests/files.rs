//! What `RedbStore` does with files: its own, other people's, and damaged ones.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use portcullis::store::{ChangesError, CommitId, Position, Record, RedbError};
use portcullis::testing::records::{horizon, owner, token, token_described, token_id, tombstone};
use portcullis::{RedbStore, Timestamp, TokenStore};
use redb::{Database, TableDefinition};

const META: TableDefinition<&str, u64> = TableDefinition::new("portcullis");
const RECORDS: TableDefinition<(u64, u32), &[u8]> = TableDefinition::new("records");

fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens.redb");
    (directory, file)
}

fn commit(store: &mut RedbStore, at: Position, records: &[Record]) -> Position {
    store.commit(at, CommitId::generate().unwrap(), records).unwrap()
}

fn read(store: &mut RedbStore) -> Vec<(u64, Record)> {
    let page = store.changes(Position::ORIGIN, 100_000).unwrap();
    assert!(!page.more);
    page.records
}

/// A store of some size, and what it holds.
fn fill(file: &Path) -> Vec<(u64, Record)> {
    let mut store = RedbStore::open(file).unwrap();
    let mut at = Position::ORIGIN;
    for number in 0..4 {
        let records: Vec<_> = (0..40).map(|place| token(number * 37 + place)).collect();
        at = commit(&mut store, at, &records);
    }
    commit(&mut store, at, &[tombstone(3), owner(3)]);
    read(&mut store)
}

/// The error and its causes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text} <- {cause}");
        source = cause.source();
    }
    text
}

/// The file is refused with that message, and not changed.
#[track_caller]
fn refused(file: &Path, message: &str) -> RedbError {
    let before = fs::read(file).unwrap();
    let modified = fs::metadata(file).unwrap().modified().unwrap();
    let error = RedbStore::open(file).unwrap_err();
    assert_eq!(chain(&error), message.replace('%', file.to_str().unwrap()));
    assert!(fs::read(file).unwrap() == before, "the file changed");
    assert_eq!(fs::metadata(file).unwrap().modified().unwrap(), modified);
    error
}

const NOT_A_STORE: &str =
    "`%` is not a token store and was left as it is; name a token store, or a file that does not exist yet";

#[test]
fn what_was_committed_is_there_after_a_crash() {
    let (_directory, file) = place();
    let mut store = RedbStore::open(&file).unwrap();
    let at = commit(&mut store, Position::ORIGIN, &[token(1), token(2)]);
    let at = commit(&mut store, at, &[tombstone(1)]);
    store.touch(&[(token_id(2), Timestamp::MAX)]).unwrap();
    let written = read(&mut store);
    // The file as it is on the disk now, never closed.
    let copy = file.with_extension("copy");
    fs::copy(&file, &copy).unwrap();
    let mut store = RedbStore::open(&copy).unwrap();
    assert_eq!(read(&mut store), written);
    assert_eq!(store.changes(at, 1).unwrap().position, at);
    assert_eq!(store.changes(Position::ORIGIN, 10).unwrap().used, [(token_id(2), Timestamp::MAX)]);
}

#[test]
fn an_empty_file_and_an_empty_database_become_stores() {
    let (_directory, file) = place();
    fs::write(&file, b"").unwrap();
    let mut store = RedbStore::open(&file).unwrap();
    commit(&mut store, Position::ORIGIN, &[token(1)]);
    drop(store);
    fs::remove_file(&file).unwrap();
    drop(Database::create(&file).unwrap());
    let mut store = RedbStore::open(&file).unwrap();
    commit(&mut store, Position::ORIGIN, &[token(1)]);
    drop(store);
    assert_eq!(read(&mut RedbStore::open(&file).unwrap()).len(), 1);
}

#[test]
fn what_a_power_cut_left_of_a_new_file_becomes_a_store() {
    let (_directory, file) = place();
    drop(RedbStore::open(&file).unwrap());
    let whole = fs::read(&file).unwrap();
    for magic in 0..9 {
        let mut bytes = vec![0; whole.len()];
        bytes[9..320].copy_from_slice(&whole[9..320]);
        bytes[..magic].copy_from_slice(&whole[..magic]);
        fs::write(&file, &bytes).unwrap();
        drop(RedbStore::open(&file).unwrap());
        // One byte of something else makes it a foreign file.
        *bytes.last_mut().unwrap() = 1;
        fs::write(&file, &bytes).unwrap();
        refused(&file, NOT_A_STORE);
    }
}

#[cfg(unix)]
#[test]
fn a_new_file_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let (_directory, file) = place();
    drop(RedbStore::open(&file).unwrap());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[cfg(unix)]
#[test]
fn an_empty_file_becomes_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |file: &Path| fs::metadata(file).unwrap().permissions().mode() & 0o777;
    let (_directory, file) = place();
    fs::write(&file, b"").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o664)).unwrap();
    let store = RedbStore::open(&file).unwrap();
    assert_eq!(mode(&file), 0o600);
    drop(store);
    // Those of a store are its owner's choice.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    drop(RedbStore::open(&file).unwrap());
    assert_eq!(mode(&file), 0o640);
}

const REPLACED: &str =
    "`%` was removed, replaced or overwritten while it was open; put the file that is to be used there and restart";

/// What somebody does to a file and with a backup of it, and its name.
#[cfg(unix)]
type Accident = (&'static str, fn(&Path, &Path));

#[cfg(unix)]
const ACCIDENTS: [Accident; 6] = [
    ("mv backup file", |file, backup| fs::rename(backup, file).unwrap()),
    ("rm file", |file, _| fs::remove_file(file).unwrap()),
    ("rm file; cp backup file", |file, backup| {
        fs::remove_file(file).unwrap();
        fs::copy(backup, file).unwrap();
    }),
    ("cat backup > file", |file, backup| fs::write(file, fs::read(backup).unwrap()).unwrap()),
    ("> file", |file, _| fs::write(file, b"").unwrap()),
    ("echo > file", |file, _| fs::write(file, b"\n").unwrap()),
];

#[cfg(unix)]
#[test]
fn a_file_replaced_while_open_takes_no_changes() {
    use portcullis::store::CommitError;
    for (accident, replace) in ACCIDENTS {
        let (_directory, file) = place();
        let backup = file.with_extension("backup");
        fill(&file);
        fs::copy(&file, &backup).unwrap();
        let mut store = RedbStore::open(&file).unwrap();
        let at = store.changes(Position::ORIGIN, 100_000).unwrap().position;
        let before = at;
        let at = commit(&mut store, at, &[owner(1)]);
        replace(&file, &backup);
        let there = fs::read(&file).ok();
        let message = REPLACED.replace('%', file.to_str().unwrap());
        for _ in 0..3 {
            match store.commit(at, CommitId::generate().unwrap(), &[owner(2)]) {
                Err(CommitError::Refused(error)) => assert_eq!(error.to_string(), message, "{accident}"),
                other => panic!("{accident}: {other:?}"),
            }
        }
        // Whether this one was made nobody can tell any more.
        let elsewhere = store.commit(before, at.commit, &[owner(1)]);
        assert!(matches!(elsewhere, Err(CommitError::InDoubt(_))), "{accident}: {elsewhere:?}");
        assert_eq!(store.touch(&[(token_id(7), Timestamp::MAX)]).unwrap_err().to_string(), message, "{accident}");
        assert!(matches!(store.changes(at, 1), Err(ChangesError::Failed(_))), "{accident}");
        drop(store);
        assert!(fs::read(&file).ok() == there, "{accident}: what is there now was changed");
    }
}

#[cfg(unix)]
#[test]
fn a_file_moved_back_takes_changes_again() {
    let (_directory, file) = place();
    fill(&file);
    let mut store = RedbStore::open(&file).unwrap();
    let at = store.changes(Position::ORIGIN, 100_000).unwrap().position;
    let away = file.with_extension("away");
    fs::rename(&file, &away).unwrap();
    let id = CommitId::generate().unwrap();
    assert!(store.commit(at, id, &[owner(1)]).is_err());
    fs::rename(&away, &file).unwrap();
    let at = store.commit(at, id, &[owner(1)]).unwrap();
    drop(store);
    assert_eq!(RedbStore::open(&file).unwrap().changes(at, 1).unwrap().position, at);
}

#[test]
fn a_foreign_file_is_refused_and_left_as_it_is() {
    let (_directory, file) = place();
    let foreign: [&[u8]; 5] = [b"x", b"redb", b"SQLite format 3\0", &[0; 319], &[b'a'; 10_000]];
    for bytes in foreign {
        fs::write(&file, bytes).unwrap();
        assert!(matches!(refused(&file, NOT_A_STORE), RedbError::NotAStore(_)));
    }
}

#[test]
fn a_database_of_something_else_is_refused_and_left_as_it_is() {
    let (_directory, file) = place();
    let copy = file.with_extension("copy");
    let others: [fn(&redb::WriteTransaction); 4] = [
        |write| drop(write.open_table(TableDefinition::<u64, u64>::new("theirs")).unwrap()),
        |write| drop(write.open_multimap_table(redb::MultimapTableDefinition::<u64, u64>::new("theirs")).unwrap()),
        // A table of the same name.
        |write| drop(write.open_table(TableDefinition::<u64, u64>::new("portcullis")).unwrap()),
        |write| drop(write.open_table(META).unwrap()),
    ];
    for make in others {
        let database = Database::create(&file).unwrap();
        let write = database.begin_write().unwrap();
        make(&write);
        write.commit().unwrap();
        // Never closed: redb would repair it.
        fs::copy(&file, &copy).unwrap();
        drop(database);
        assert!(matches!(refused(&file, NOT_A_STORE), RedbError::NotAStore(_)));
        refused(&copy, NOT_A_STORE);
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn a_newer_layout_is_refused_and_left_as_it_is() {
    let (_directory, file) = place();
    fill(&file);
    let database = Database::open(&file).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(META).unwrap().insert("layout", 2).unwrap();
    write.commit().unwrap();
    drop(database);
    let error = refused(&file, "`%` has layout 2, this version reads up to 1; use the version that wrote it");
    assert!(matches!(error, RedbError::NewerLayout { found: 2, .. }));
}

#[test]
fn records_that_cannot_be_read_are_named() {
    let whole = token(1).encode();
    let mut newer = whole.clone();
    newer[0] = 2;
    let mut flipped = whole.clone();
    flipped[9] ^= 1;
    // A kind of record that does not exist, with the right checksum.
    let unknown = [&[1], &crc32(&[9]).to_le_bytes()[..], &[9]].concat();
    for (bytes, cause) in [
        (&newer[..], "a stored record has format 2, this version reads up to 1; use the version that wrote it"),
        (&flipped, "a stored record is damaged: its checksum does not fit"),
        (&whole[..4], "a stored record is cut off"),
        (&unknown, "a stored record is not understood: a `Record` has an unknown number"),
    ] {
        let (_directory, file) = place();
        let written = fill(&file);
        let database = Database::open(&file).unwrap();
        let write = database.begin_write().unwrap();
        write.open_table(RECORDS).unwrap().insert((2, 1), bytes).unwrap();
        write.commit().unwrap();
        drop(database);
        let mut store = RedbStore::open(&file).unwrap();
        let Err(ChangesError::Failed(error)) = store.changes(Position::ORIGIN, 100_000) else { panic!("{cause}") };
        assert_eq!(
            error.to_string(),
            format!(
                "`{}` holds an unreadable record at revision 2; use the version that wrote it, or restore a backup",
                file.display()
            )
        );
        assert!(chain(&error).contains(cause), "{}", chain(&error));
        // The pages before it can be read.
        let page = store.changes(Position::ORIGIN, 1).unwrap();
        assert!(page.records.iter().eq(written.iter().filter(|(revision, _)| *revision == 1)));
    }
}

/// CRC-32 as in zip, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

#[test]
fn a_damaged_header_is_refused() {
    let (_directory, file) = place();
    fill(&file);
    let whole = fs::read(&file).unwrap();
    // The magic number, the size of a page, and both slots, one of which is the last commit.
    for (offsets, message) in [
        (&[0][..], NOT_A_STORE),
        (
            &[12],
            "`%` is damaged; restore it from a backup <- DB corrupted: Database page size 4097 does not match expected 4096",
        ),
        (
            &[72, 200],
            "`%` is damaged; restore it from a backup <- DB corrupted: Primary is corrupted despite 2-phase commit",
        ),
    ] {
        let mut bytes = whole.clone();
        for offset in offsets {
            bytes[*offset] ^= 1;
        }
        fs::write(&file, &bytes).unwrap();
        refused(&file, message);
    }
}

#[test]
fn a_file_that_is_cut_off_is_refused() {
    let (_directory, file) = place();
    fill(&file);
    let whole = fs::read(&file).unwrap();
    for len in [9, 319, 320, 4_096, 10_000, whole.len() / 2, whole.len() - 4_096, whole.len() - 1] {
        fs::write(&file, &whole[..len]).unwrap();
        let error = RedbStore::open(&file).unwrap_err();
        assert!(matches!(error, RedbError::Damaged { .. }), "{len}: {}", chain(&error));
        assert_eq!(error.to_string(), format!("`{}` is damaged; restore it from a backup", file.display()));
        assert!(fs::read(&file).unwrap() == whole[..len], "{len}: the file changed");
    }
}

/// A file with a flipped bit is either refused and left as it is, or the bit means nothing.
#[test]
fn a_flipped_bit_never_changes_what_is_read() {
    let (_directory, file) = place();
    let written = fill(&file);
    flip(&file, &written, 0);
}

/// Nor in a file that was not closed: damage is not taken for a commit that a crash cut off, and nothing is undone.
#[test]
fn a_flipped_bit_never_undoes_a_commit() {
    let (_directory, file) = place();
    fill(&file);
    let mut store = RedbStore::open(&file).unwrap();
    let at = store.changes(Position::ORIGIN, 100_000).unwrap().position;
    commit(&mut store, at, &[tombstone(5)]);
    let written = read(&mut store);
    let copy = file.with_extension("copy");
    fs::copy(&file, &copy).unwrap();
    // The byte before says which of the two slots counts, and has no checksum.
    flip(&copy, &written, 10);
}

fn flip(file: &Path, written: &[(u64, Record)], from: usize) {
    let whole = fs::read(file).unwrap();
    let (mut damaged, mut harmless) = (0, 0);
    let meaningful = (320..whole.len()).filter(|at| whole[*at] != 0).step_by(151);
    for at in (from..320).step_by(2).chain(meaningful) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(file, &bytes).unwrap();
        match RedbStore::open(file) {
            Ok(mut store) => {
                assert!(read(&mut store) == written, "byte {at}");
                harmless += 1;
            }
            Err(RedbError::Damaged { .. } | RedbError::NotAStore(_)) => {
                assert!(fs::read(file).unwrap() == bytes, "byte {at}: the file changed");
                damaged += 1;
            }
            Err(error) => panic!("byte {at}: {}", chain(&error)),
        }
    }
    assert!(damaged > 100, "{damaged} damaged, {harmless} harmless");
}

#[test]
fn a_file_in_use_is_refused_and_left_as_it_is() {
    let (_directory, file) = place();
    let mut store = RedbStore::open(&file).unwrap();
    let at = commit(&mut store, Position::ORIGIN, &[token(1)]);
    let message = "`%` is in use; close the other process or store that has it open, or use another file";
    assert!(refused(&file, message).is_locked());
    let at = commit(&mut store, at, &[token(2)]);
    drop(store);
    assert_eq!(RedbStore::open(&file).unwrap().changes(at, 1).unwrap().position, at);
}

#[test]
fn what_cannot_be_opened_is_refused() {
    let (directory, _) = place();
    let message = |path: &Path| {
        format!(
            "`{}` cannot be opened; make sure that it can be read and written and that its directory exists",
            path.display()
        )
    };
    let error = RedbStore::open(directory.path()).unwrap_err();
    assert_eq!(error.to_string(), message(directory.path()));
    assert!(matches!(error, RedbError::Open { source, .. } if source.kind() == std::io::ErrorKind::IsADirectory));

    let missing = directory.path().join("missing").join("tokens.redb");
    let error = RedbStore::open(&missing).unwrap_err();
    assert_eq!(error.to_string(), message(&missing));
    assert!(!missing.parent().unwrap().exists());
}

#[test]
fn forgetting_keeps_the_latest_commit_ids() {
    let (_directory, file) = place();
    let mut store = RedbStore::open(&file).unwrap();
    let mut positions = vec![Position::ORIGIN];
    for number in 0..1_100 {
        let at = *positions.last().unwrap();
        positions.push(commit(&mut store, at, &[token_described(1, &number.to_string())]));
    }
    commit(&mut store, positions[1_100], &[horizon(1_100)]);
    let mut repeat = |revision: usize| {
        let before = positions[revision - 1];
        store.commit(before, positions[revision].commit, &[]).is_ok_and(|position| position == positions[revision])
    };
    assert!(repeat(1_100));
    assert!(repeat(101));
    assert!(!repeat(100));
}
