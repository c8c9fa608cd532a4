//! What was acknowledged survives a power cut at any point (design rule 19).
//!
//! A kill leaves what the system still holds; a power cut does not. Here the disk keeps a journal of all that was written to it.
//! A cut at any entry leaves what was synced by then, and of what came after any part: sectors in any order, torn writes, the
//! new length of the file or the old one.

use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use portcullis::store::{CommitId, Position, Record, RedbError};
use portcullis::testing::records::{horizon, owner, token, token_described, tombstone};
use portcullis::{RedbStore, TokenStore};
use redb::{BackendError, StorageBackend};

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

#[derive(Debug, Clone)]
enum Entry {
    Write(usize, Vec<u8>),
    Length(usize),
    Sync,
}

/// A disk that remembers how it came to what it holds.
#[derive(Debug, Clone, Default)]
struct Disk(Arc<Mutex<(Vec<u8>, Vec<Entry>)>>);

impl Disk {
    fn holding(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new((bytes, Vec::new()))))
    }

    fn open(&self) -> Result<RedbStore, RedbError> {
        let disk = self.clone();
        RedbStore::on_backend(move || Ok(disk.clone()))
    }

    fn entries(&self) -> usize {
        self.0.lock().unwrap().1.len()
    }

    fn enter(&self, entry: Entry) {
        let (bytes, journal) = &mut *self.0.lock().unwrap();
        apply(bytes, &entry);
        journal.push(entry);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().0.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        let (bytes, _) = &*self.0.lock().unwrap();
        let read = bytes.get(offset..offset + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(read);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.enter(Entry::Length(usize::try_from(len).unwrap()));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.enter(Entry::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.enter(Entry::Write(usize::try_from(offset).unwrap(), data.to_vec()));
        Ok(())
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }
}

fn apply(bytes: &mut Vec<u8>, entry: &Entry) {
    match entry {
        Entry::Write(offset, data) => {
            let end = offset + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*offset..end].copy_from_slice(data);
        }
        Entry::Length(length) => bytes.resize(*length, 0),
        Entry::Sync => {}
    }
}

/// The parts of a write that reach the disk by themselves.
fn sectors(entry: &Entry) -> Vec<Entry> {
    let Entry::Write(offset, data) = entry else { return vec![entry.clone()] };
    let (mut at, mut rest, mut parts) = (*offset, &data[..], Vec::new());
    while !rest.is_empty() {
        let (part, after) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
        parts.push(Entry::Write(at, part.to_vec()));
        (at, rest) = (at + part.len(), after);
    }
    parts
}

/// Which of the sectors that were not synced reached the disk.
#[derive(Debug, Clone, Copy)]
enum Reached {
    All,
    None,
    /// Drawn with that seed, few or many of them.
    Some(u64),
}

impl Reached {
    fn draw(&mut self) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Some(state) => {
                *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (*state >> 60) < (*state & 0xf)
            }
        }
    }
}

/// The bytes that were synced, and with those of the later entries that reached the disk.
fn left(synced: &[u8], later: &[Entry], mut reached: Reached) -> Vec<u8> {
    let mut bytes = synced.to_vec();
    for part in later.iter().flat_map(sectors) {
        if reached.draw() {
            apply(&mut bytes, &part);
        }
    }
    bytes
}

type State = (Position, Vec<(u64, Record)>);

fn read(store: &mut RedbStore) -> State {
    let page = store.changes(Position::ORIGIN, 100_000).unwrap();
    (page.position, page.records)
}

/// All that happened: the journal; every state, with the number of entries when its commit began and when it was acknowledged.
struct Run {
    journal: Vec<Entry>,
    states: Vec<(usize, usize, State)>,
}

/// New tokens, replaced and deleted ones, deletions that are forgotten, commits of one record and of many, a file that is
/// closed and opened again.
fn run() -> Run {
    let disk = Disk::default();
    let mut store = disk.open().unwrap();
    let created = disk.entries();
    let mut states = vec![(0, created, read(&mut store))];
    let commits: Vec<Vec<Record>> = vec![
        (0..40).map(token).collect(),
        vec![token(100)],
        (0..20).map(|number| token_described(number, "changed")).chain([owner(1)]).collect(),
        vec![tombstone(3), tombstone(4)],
        (200..230).map(|number| token_described(number, &"long".repeat(250))).collect(),
        vec![horizon(4), tombstone(100)],
        vec![token(101)],
        (0..100).map(|number| token_described(number + 1_000, "many")).collect(),
    ];
    for (number, records) in commits.iter().enumerate() {
        if number == 4 {
            drop(store);
            store = disk.open().unwrap();
        }
        let at = states.last().unwrap().2.0;
        let began = disk.entries();
        store.commit(at, CommitId::generate().unwrap(), records).unwrap();
        let acknowledged = disk.entries();
        states.push((began, acknowledged, read(&mut store)));
    }
    drop(store);
    let journal = disk.0.lock().unwrap().1.clone();
    Run { journal, states }
}

/// What is wrong with the file that a cut leaves.
fn wrong(run: &Run, before: usize, left: Vec<u8>) -> Option<String> {
    let promised = run.states.iter().filter(|(_, acknowledged, _)| *acknowledged <= before).count();
    let begun = run.states.iter().filter(|(began, ..)| *began < before).count();
    let disk = Disk::holding(left);
    let mut store = match disk.open() {
        Ok(store) => store,
        // Until the file was made, nothing was promised.
        Err(_) if promised == 0 => return None,
        Err(error) => return Some(format!("does not open: {error}")),
    };
    let found = store.changes(Position::ORIGIN, 100_000).map(|page| (page.position, page.records));
    let Ok(found) = found else { return Some("cannot be read".into()) };
    if !run.states[promised.saturating_sub(1)..begun].iter().any(|(_, _, state)| *state == found) {
        return Some(format!("holds {}, and {promised} to {begun} states were promised", found.0));
    }
    // And it goes on.
    match store.commit(found.0, CommitId::generate().unwrap(), &[owner(7)]) {
        Ok(_) => None,
        Err(error) => Some(format!("takes no commit: {error}")),
    }
}

/// Every cut, with all, nothing, and some of what was not synced. Returns how many there were, and what was wrong.
fn cuts(run: &Run, draws: u64) -> (usize, Vec<String>) {
    let (mut found, mut count) = (Vec::new(), 0);
    let (mut synced, mut later) = (Vec::new(), 0);
    for before in 1..=run.journal.len() {
        if matches!(run.journal[before - 1], Entry::Sync) {
            run.journal[later..before].iter().for_each(|entry| apply(&mut synced, entry));
            later = before;
        }
        for reached in [Reached::All, Reached::None].into_iter().chain((0..draws).map(Reached::Some)) {
            count += 1;
            let what = wrong(run, before, left(&synced, &run.journal[later..before], reached));
            found.extend(what.map(|what| format!("cut before entry {before}, {reached:?}: {what}")));
        }
    }
    (count, found)
}

/// `POWER_CUT_DRAWS=200 cargo test --release -p store-tests --test power_cuts -- --nocapture` tries more of each.
fn draws() -> u64 {
    std::env::var("POWER_CUT_DRAWS").map_or(2, |draws| draws.parse().unwrap())
}

#[test]
fn what_was_acknowledged_survives_a_power_cut() {
    let run = run();
    let (count, found) = cuts(&run, draws());
    println!("{} entries, {count} cuts", run.journal.len());
    assert!(found.is_empty(), "{} of {count}: {found:#?}", found.len());
}

/// The same on a disk that only pretends to sync, as if the store did not: the test above would notice.
#[test]
fn a_store_that_does_not_sync_is_noticed() {
    let mut run = run();
    let entries = std::mem::take(&mut run.journal);
    // Entries keep their numbers.
    let pretended = |entry| if matches!(entry, Entry::Sync) { Entry::Write(0, Vec::new()) } else { entry };
    run.journal = entries.into_iter().map(pretended).collect();
    let (count, found) = cuts(&run, 1);
    assert!(found.len() > count / 4, "{} of {count}", found.len());
}

/// The same where each commit syncs once only, after all was written: a header could reach the disk before what it points to.
#[test]
fn a_commit_that_syncs_only_at_its_end_is_noticed() {
    let mut run = run();
    let last = |entry: usize| run.states.iter().any(|(_, acknowledged, _)| entry + 1 == *acknowledged);
    let kept: Vec<_> = (0..run.journal.len()).map(last).collect();
    for (entry, keep) in run.journal.iter_mut().zip(kept) {
        if !keep && matches!(entry, Entry::Sync) {
            *entry = Entry::Write(0, Vec::new());
        }
    }
    let (count, found) = cuts(&run, 8);
    assert!(!found.is_empty(), "none of {count}");
}
