//! From a digest to the slot that holds it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

/// A hash table in many small parts, each replaced whole when it is full: readers take no lock, and a writer copies
/// one part, never the whole.
///
/// An entry is written once. What it says is only a hint (32 bits of the digest and the slot's number): the slot has
/// the whole digest, and a reader compares it there.
pub(crate) struct Lookup {
    parts: Box<[ArcSwap<Part>]>,
}

/// Open addressing with linear probing.
#[derive(Default)]
struct Part {
    entries: Box<[AtomicU64]>,
    /// Entries that are not [`FREE`], the [`DEAD`] included. Only the writer looks at it.
    filled: AtomicU64,
}

/// Ten bits of a digest choose the part.
const PARTS: usize = 1 << 10;
const FREE: u64 = 0;
/// Removed. Not used again until the part is replaced, so that a reader on its way is not misled.
const DEAD: u64 = u64::MAX;

/// A digest as four words.
pub(crate) type Words = [u64; 4];

fn part_of(digest: &Words) -> usize {
    #[allow(clippy::cast_possible_truncation)] // Ten bits.
    let part = (digest[0] >> 54) as usize;
    part
}

/// The entry: 32 bits of the digest above the slot's number plus one, so that it is neither free nor dead.
fn entry_of(digest: &Words, slot: u32) -> u64 {
    (tag_of(digest) << 32) | (u64::from(slot) + 1)
}

fn tag_of(digest: &Words) -> u64 {
    digest[2] >> 32
}

impl Part {
    fn with_room_for(count: usize) -> Self {
        // At most 64 % full when new, and 80 % when it is replaced.
        let len = (count * 25).div_ceil(16).max(8);
        Self { entries: (0..len).map(|_| AtomicU64::new(FREE)).collect(), filled: AtomicU64::new(0) }
    }

    /// The entries from where the digest belongs to the first free one.
    #[inline]
    fn probe(&self, digest: &Words) -> impl Iterator<Item = (&AtomicU64, u64)> {
        // Scales the second word to the length; a remainder would cost a division.
        let start = (u128::from(digest[1]) * self.entries.len() as u128) >> 64;
        #[allow(clippy::cast_possible_truncation)] // Below the length.
        let (before, after) = self.entries.split_at_checked(start as usize).unwrap_or_default();
        after.iter().chain(before).map(|entry| (entry, entry.load(Ordering::Acquire)))
    }

    /// Writes an entry into the first free place.
    fn put(&self, digest: &Words, value: u64) {
        if let Some((entry, _)) = self.probe(digest).find(|(_, found)| *found == FREE) {
            entry.store(value, Ordering::Release);
            self.filled.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn is_full(&self) -> bool {
        (self.filled.load(Ordering::Relaxed) + 1) * 5 > self.entries.len() as u64 * 4
    }
}

impl Lookup {
    pub(crate) fn new() -> Self {
        let empty = Arc::new(Part::default());
        Self { parts: (0..PARTS).map(|_| ArcSwap::new(Arc::clone(&empty))).collect() }
    }

    /// The first slot that may hold the digest and that `accept` takes.
    #[inline]
    pub(crate) fn find<R>(&self, digest: &Words, mut accept: impl FnMut(u32) -> Option<R>) -> Option<R> {
        let part = self.parts.get(part_of(digest))?.load();
        part.probe(digest)
            .take_while(|(_, found)| *found != FREE)
            .filter(|(_, found)| *found >> 32 == tag_of(digest) && *found != DEAD)
            .find_map(|(_, found)| accept(slot_of(found)))
    }

    /// Adds a slot. `digest_in` tells the digest of a slot that is already here, for when the part is replaced.
    pub(crate) fn insert(&self, digest: &Words, slot: u32, digest_in: impl Fn(u32) -> Words) {
        let Some(current) = self.parts.get(part_of(digest)) else { return };
        let part = current.load();
        if !part.is_full() {
            return part.put(digest, entry_of(digest, slot));
        }
        let kept: Vec<u64> = part
            .entries
            .iter()
            .map(|entry| entry.load(Ordering::Relaxed))
            .filter(|found| *found != FREE && *found != DEAD)
            .collect();
        let larger = Part::with_room_for(kept.len() + 1);
        for found in kept {
            // The slot's digest may have changed since; its entry under the old one is about to be removed.
            let there = digest_in(slot_of(found));
            if entry_of(&there, slot_of(found)) == found {
                larger.put(&there, found);
            }
        }
        larger.put(digest, entry_of(digest, slot));
        current.store(Arc::new(larger));
    }

    /// Removes a slot's entry under that digest.
    pub(crate) fn remove(&self, digest: &Words, slot: u32) {
        let Some(current) = self.parts.get(part_of(digest)) else { return };
        let part = current.load();
        let wanted = entry_of(digest, slot);
        let found = part.probe(digest).take_while(|(_, found)| *found != FREE).find(|(_, found)| *found == wanted);
        if let Some((entry, _)) = found {
            entry.store(DEAD, Ordering::Release);
        }
    }

    /// Removes everything.
    pub(crate) fn clear(&self) {
        let empty = Arc::new(Part::default());
        for part in &self.parts {
            part.store(Arc::clone(&empty));
        }
    }
}

fn slot_of(entry: u64) -> u32 {
    #[allow(clippy::cast_possible_truncation)] // The lower half.
    let number = entry as u32;
    number.wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Digests that crowd into few parts, so that these grow and wrap around.
    fn digest(n: u32) -> Words {
        let mix = |k: u64| (u64::from(n) + 1).wrapping_mul(k).rotate_left(29).wrapping_mul(k);
        [mix(0x9e37_79b9_7f4a_7c15) & (3 << 54), mix(0xd1b5_4a32_d192_ed03), mix(0x8bb8_4b93_962e_acc9), u64::from(n)]
    }

    #[test]
    fn it_finds_what_a_hash_map_finds() {
        let lookup = Lookup::new();
        let mut model: HashMap<u32, Words> = HashMap::new();
        for step in 0..20_000u32 {
            let n = step.wrapping_mul(7919) % 5_000;
            if model.remove(&n).is_some() {
                lookup.remove(&digest(n), n);
            } else {
                lookup.insert(&digest(n), n, digest);
                model.insert(n, digest(n));
            }
            let probe = step % 5_000;
            let found = lookup.find(&digest(probe), |slot| (digest(slot) == digest(probe)).then_some(slot));
            assert_eq!(found.is_some(), model.contains_key(&probe), "step {step}");
        }
        for n in 0..5_000 {
            assert_eq!(lookup.find(&digest(n), |slot| (slot == n).then_some(())).is_some(), model.contains_key(&n));
        }
        lookup.clear();
        assert!(lookup.find(&digest(1), Some).is_none());
    }
}
