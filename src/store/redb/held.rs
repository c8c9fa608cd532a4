//! A file that is read but not written until it has turned out to be ours.

use std::io;
use std::mem;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

/// What a redb file begins with.
const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";
/// The length of the header, which redb writes at every commit.
const HEADER: usize = 320;

/// A backend whose writes are kept in memory until [`let_through`](Self::let_through).
///
/// redb writes to every file that it opens, and repairs one that was not closed. Only what a table says shows whose the
/// file is. A clone is another handle on the same file.
#[derive(Debug, Clone)]
pub(super) struct Held(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: Arc<dyn StorageBackend>,
    lock: Lock,
    may_create: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// What redb did, in order, none of which is in the file.
    Held(Vec<Change>),
    /// All is let through. The header is as redb wrote it last.
    Through(Vec<u8>),
    /// The file is somebody else's, and is written no more.
    Abandoned,
}

/// How the file is locked while this has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    /// As long as redb says.
    Redbs,
    /// As long as there is a handle on it: redb's giving it back is not passed on.
    Handles,
    /// By another handle, which stays.
    Others,
}

#[derive(Debug)]
enum Change {
    SetLen(u64),
    Write(u64, Vec<u8>),
    Sync,
}

impl Held {
    pub(super) fn new(file: Arc<dyn StorageBackend>, lock: Lock, may_create: bool) -> Self {
        Self(Arc::new(Inner { file, lock, may_create, state: Mutex::new(State::Held(Vec::new())) }))
    }

    /// Does to the file all that was held back, in the order in which redb did it, so that a crash in between is like a
    /// crash of redb; from now on nothing is held back.
    pub(super) fn let_through(&self) -> io::Result<()> {
        let mut state = self.state();
        // Should a step fail, the rest and all that follows stays out.
        if let State::Held(changes) = mem::replace(&mut *state, State::Abandoned) {
            for change in changes {
                match change {
                    Change::SetLen(len) => self.0.file.set_len(len)?,
                    Change::Write(offset, data) => self.0.file.write(offset, &data)?,
                    Change::Sync => self.0.file.sync_data()?,
                }
            }
        }
        let len = usize::try_from(self.0.file.len()?).unwrap_or(usize::MAX);
        let mut header = vec![0; len.min(HEADER)];
        self.0.file.read(0, &mut header)?;
        *state = State::Through(header);
        Ok(())
    }

    /// Whether the file's header is as redb wrote it last. Each commit changes it, so no other state of the file has the same.
    pub(super) fn is_as_left(&self) -> io::Result<bool> {
        let state = self.state();
        let State::Through(left) = &*state else { return Ok(false) };
        let mut header = vec![0; left.len()];
        match self.0.file.read(0, &mut header) {
            Ok(()) => Ok(header == *left),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes nothing more.
    pub(super) fn abandon(&self) {
        *self.state() = State::Abandoned;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a power cut left nothing but the beginning of a new file: redb sets its length, then writes the header,
    /// and its magic number last.
    fn is_unborn(&self, len: u64) -> io::Result<bool> {
        let mut start = [0; MAGIC.len()];
        let Some(rest) = len.checked_sub(HEADER as u64) else { return Ok(false) };
        self.0.file.read(0, &mut start)?;
        if start == MAGIC || start.iter().zip(MAGIC).any(|(byte, magic)| *byte != 0 && *byte != magic) {
            return Ok(false);
        }
        let mut offset = HEADER as u64;
        let mut buffer = vec![0; usize::try_from(rest.min(1 << 16)).unwrap_or_default()];
        while offset < len {
            let chunk = usize::try_from(len - offset).unwrap_or(usize::MAX).min(buffer.len());
            let (chunk, _) = buffer.split_at_mut(chunk);
            self.0.file.read(offset, chunk)?;
            if chunk.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            offset += chunk.len() as u64;
        }
        Ok(true)
    }
}

fn abandoned() -> io::Error {
    io::Error::other("something else has written to the file")
}

/// The length after these changes to a file of that length.
fn len_after(changes: &[Change], len: u64) -> u64 {
    let set = |change: &Change| if let Change::SetLen(len) = change { Some(*len) } else { None };
    changes.iter().rev().find_map(set).unwrap_or(len)
}

/// The part of `out`, which begins at `offset` of the file, from position `at` of the file on, and how much of what
/// begins at `at` lies before it.
fn overlap(out: &mut [u8], offset: u64, at: u64) -> (&mut [u8], usize) {
    let skip = usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX).min(out.len());
    let before = usize::try_from(offset.saturating_sub(at)).unwrap_or(usize::MAX);
    (out.split_at_mut(skip).1, before)
}

impl StorageBackend for Held {
    // redb asks for the length first, when it has the lock.
    fn len(&self) -> io::Result<u64> {
        let mut state = self.state();
        let len = self.0.file.len()?;
        let State::Held(changes) = &mut *state else { return Ok(len) };
        if changes.is_empty() {
            if len > 0 && self.is_unborn(len)? {
                changes.push(Change::SetLen(0));
            } else if len > 0 {
                return Ok(len);
            }
            if !self.0.may_create {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty"));
            }
        }
        Ok(len_after(changes, len))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let State::Held(changes) = &*state else { return self.0.file.read(offset, out) };
        let len = self.0.file.len()?;
        if offset.saturating_add(out.len() as u64) > len_after(changes, len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let stored = usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX).min(out.len());
        let (stored, beyond) = out.split_at_mut(stored);
        // A backend may refuse to read nothing beyond its end.
        if !stored.is_empty() {
            self.0.file.read(offset, stored)?;
        }
        beyond.fill(0);
        for change in changes {
            match change {
                Change::SetLen(len) => overlap(out, offset, *len).0.fill(0),
                Change::Write(at, data) => {
                    let (part, before) = overlap(out, offset, *at);
                    let data = data.get(before..).unwrap_or_default();
                    part.iter_mut().zip(data).for_each(|(byte, written)| *byte = *written);
                }
                Change::Sync => {}
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        match &mut *self.state() {
            State::Held(changes) => changes.push(Change::SetLen(len)),
            State::Through(_) => return self.0.file.set_len(len),
            State::Abandoned => return Err(abandoned()),
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        match &mut *self.state() {
            State::Held(changes) => changes.push(Change::Sync),
            State::Through(_) => return self.0.file.sync_data(),
            State::Abandoned => return Err(abandoned()),
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        match &mut *self.state() {
            State::Held(changes) => changes.push(Change::Write(offset, data.to_vec())),
            State::Through(header) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(header.len());
                header.split_at_mut(start).1.iter_mut().zip(data).for_each(|(byte, written)| *byte = *written);
                return self.0.file.write(offset, data);
            }
            State::Abandoned => return Err(abandoned()),
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        if self.0.lock == Lock::Redbs { self.0.file.close() } else { Ok(()) }
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if self.0.lock == Lock::Others { Ok(true) } else { self.0.file.try_lock_range(start, end) }
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if self.0.lock == Lock::Others { Ok(true) } else { self.0.file.try_lock_shared_range(start, end) }
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.0.lock == Lock::Others { Ok(()) } else { self.0.file.lock_range(start, end) }
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.0.lock == Lock::Others { Ok(()) } else { self.0.file.lock_shared_range(start, end) }
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if self.0.lock == Lock::Redbs { self.0.file.unlock_range(start, end) } else { Ok(()) }
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if self.0.lock == Lock::Others { Ok(false) } else { self.0.file.query_lock_range(start, end) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use redb::backends::InMemoryBackend;

    use super::*;

    fn backend(bytes: &[u8]) -> InMemoryBackend {
        let file = InMemoryBackend::new();
        file.set_len(bytes.len() as u64).unwrap();
        file.write(0, bytes).unwrap();
        file
    }

    fn all(file: &dyn StorageBackend) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
        file.read(0, &mut bytes).unwrap();
        bytes
    }

    proptest! {
        /// What is held back is read as if it was written, and the file is as it was until all is let through.
        #[test]
        fn what_is_held_back_is_read(
            before in prop::collection::vec(1_u8.., 1..40),
            steps in prop::collection::vec((any::<bool>(), 0_usize..60, prop::collection::vec(1_u8.., 0..20)), 0..10),
        ) {
            let held = Held::new(Arc::new(backend(&before)), Lock::Redbs, true);
            let mut model = before.clone();
            held.len().unwrap();
            for (resize, at, data) in steps {
                if resize {
                    model.resize(at, 0);
                    held.set_len(at as u64).unwrap();
                } else if at + data.len() <= model.len() {
                    model[at..at + data.len()].copy_from_slice(&data);
                    held.write(at as u64, &data).unwrap();
                }
                held.sync_data().unwrap();
                prop_assert_eq!(held.len().unwrap(), model.len() as u64);
                for start in 0..=model.len() {
                    let mut part = vec![9; (model.len() - start).min(7)];
                    held.read(start as u64, &mut part).unwrap();
                    prop_assert_eq!(&part, &model[start..start + part.len()]);
                }
                prop_assert!(held.read(model.len() as u64, &mut [0]).is_err());
                prop_assert_eq!(all(&*held.0.file), before.as_slice());
            }
            held.let_through().unwrap();
            prop_assert_eq!(all(&*held.0.file), model.as_slice());
            prop_assert_eq!(all(&held), model);
        }
    }
}
