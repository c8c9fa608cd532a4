//! A damaged file: it is refused with an error, or answers what the undamaged one did. Never a panic, never more.
#![no_main]

use std::io;
use std::sync::{Arc, LazyLock, Mutex};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use portcullis::store::{ChangesError, CommitId, Position, Record};
use portcullis::testing::records::{horizon, owner, token, token_described, token_id, tombstone};
use portcullis::{RedbStore, Timestamp, TokenId, TokenStore};
use redb::StorageBackend;

/// A file in memory. Nobody else has it, so it needs no lock.
#[derive(Debug, Clone, Default)]
struct File(Arc<Mutex<Vec<u8>>>);

impl StorageBackend for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.lock().unwrap();
        let part = usize::try_from(offset).ok().and_then(|at| bytes.get(at..at.checked_add(out.len())?));
        out.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().unwrap().resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        self.0.lock().unwrap()[at..at + data.len()].copy_from_slice(data);
        Ok(())
    }
}

type Content = (Vec<(u64, Record)>, Vec<(TokenId, Timestamp)>, Position);

/// The file at each of its last two commits, closed and as a crash left it, and what is in it.
struct Whole {
    closed: Vec<u8>,
    crashed: Vec<u8>,
    last: Content,
    before: Content,
}

static WHOLE: LazyLock<Whole> = LazyLock::new(|| {
    let file = File::default();
    let mut store = open(&file).unwrap();
    let mut commit = {
        let mut number = 0_u128;
        move |store: &mut RedbStore, at, records: &[Record]| {
            number += 1;
            store.commit(at, CommitId::from_bytes(number.to_be_bytes()), records).unwrap()
        }
    };
    let tokens: Vec<_> = (0..60).map(token).collect();
    let at = commit(&mut store, Position::ORIGIN, &tokens);
    let at = commit(&mut store, at, &[tombstone(3), owner(3)]);
    let at = commit(&mut store, at, &[horizon(2), token_described(4, &"x".repeat(500))]);
    store.touch(&[(token_id(2), Timestamp::MAX)]).unwrap();
    let at = commit(&mut store, at, &[tombstone(5)]);
    let before = read(&mut store).unwrap();
    commit(&mut store, at, &[tombstone(6), owner(4)]);
    let last = read(&mut store).unwrap();
    let crashed = file.0.lock().unwrap().clone();
    drop(store);
    let closed = file.0.lock().unwrap().clone();
    Whole { closed, crashed, last, before }
});

fn open(file: &File) -> Option<RedbStore> {
    let file = file.clone();
    RedbStore::on_backend(move || Ok(file.clone())).ok()
}

/// Everything in the store, in two pages: the first has to reach the horizon.
fn read(store: &mut RedbStore) -> Result<Content, ChangesError> {
    let (mut records, mut used, mut at) = (Vec::new(), Vec::new(), Position::ORIGIN);
    loop {
        let page = store.changes(at, 60)?;
        assert!(!page.more || page.position.revision > at.revision);
        records.extend(page.records);
        used.extend(page.used);
        at = page.position;
        if !page.more {
            return Ok((records, used, at));
        }
    }
}

#[derive(Debug, Arbitrary)]
enum Damage {
    Flip(u32, u8),
    Write(u32, Vec<u8>),
    Zero(u32, u16),
    /// What is at one place is also at another, in pages.
    Copy(u16, u16),
    Cut(u32),
    Grow(u16),
}

impl Damage {
    /// Also says whether it may have touched the byte that says which of the last two commits counts. That byte has no
    /// checksum.
    fn apply(&self, bytes: &mut Vec<u8>) {
        const PAGE: usize = 4096;
        let len = bytes.len().max(1);
        let place = |at: u32| at as usize % len;
        match self {
            Self::Cut(at) => bytes.truncate(place(*at)),
            Self::Grow(by) => bytes.resize(len + usize::from(*by), 0),
            _ if bytes.is_empty() => {}
            Self::Flip(at, bit) => bytes[place(*at)] ^= 1 << (bit % 8),
            Self::Write(at, data) => bytes[place(*at)..].iter_mut().zip(data).for_each(|(byte, new)| *byte = *new),
            Self::Zero(at, count) => {
                bytes[place(*at)..].iter_mut().take(usize::from(*count)).for_each(|byte| *byte = 0);
            }
            Self::Copy(from, to) => {
                let pages = bytes.len() / PAGE;
                if pages > 0 {
                    let (from, to) = (usize::from(*from) % pages * PAGE, usize::from(*to) % pages * PAGE);
                    bytes.copy_within(from..from + PAGE, to);
                }
            }
        }
    }
}

#[derive(Debug, Arbitrary)]
struct Input {
    closed: bool,
    damage: Vec<Damage>,
}

/// redb's byte of flags.
const FLAGS: usize = 9;
const HEADER: usize = 320;

fuzz_target!(|input: Input| {
    let original = if input.closed { &WHOLE.closed } else { &WHOLE.crashed };
    let mut bytes = original.clone();
    input.damage.iter().take(8).for_each(|damage| damage.apply(&mut bytes));
    let flags = bytes.get(FLAGS).copied();
    // As a power cut leaves a file that was just made: nothing but, in part, its header.
    let unborn = bytes.iter().skip(HEADER).all(|byte| *byte == 0);
    let file = File(Arc::new(Mutex::new(bytes)));
    let damaged = file.0.lock().unwrap().clone();
    let Some(mut store) = open(&file) else {
        assert!(*file.0.lock().unwrap() == damaged, "a file that is refused is left as it is");
        return;
    };
    let Ok(found) = read(&mut store) else { return };
    if found == WHOLE.last || unborn && found == (Vec::new(), Vec::new(), Position::ORIGIN) {
        return;
    }
    // Which of the last two commits counts is one bit without a checksum.
    assert!(found == WHOLE.before && flags != Some(original[FLAGS]), "{:?}", found.2);
});
