//! The way from a digest to the slot that holds it.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use crate::index::segments::Segments;
use crate::index::words::Words;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use crate::sync::{TRIED, spin_loop};

/// A hash table that grows one page at a time (*extendible hashing*). Readers take no lock and count no references, and a
/// writer never copies the whole table.
///
/// An entry is only a hint: the slot's number and a few bits of the digest. The slot has the whole digest, and a reader
/// compares it there. So a slot that is found is never wrong. Only a reader that finds none has to make sure that no entry was
/// being moved.
pub(crate) struct Lookup {
    pages: Segments<Page>,
    /// For each depth, the page of each value of that many leading bits of the hash. The directory that was made last is in use.
    directories: [OnceLock<Box<[AtomicU32]>>; MAX_DEPTH as usize + 1],
    depth: AtomicU32,
    /// How often entries began or ended moving. It is odd while they move.
    moves: AtomicU64,
    /// How many pages are in use. Only the writer looks at it.
    count: AtomicU32,
    /// Random, so that nobody can choose secrets that crowd into a page.
    seeds: [u64; 2],
}

/// A page of entries, with open addressing. A search stays in one cache line until it was through all of it, then goes on in
/// the next: with many tokens, each line that is read costs as much as hashing.
///
/// An entry is a slot's number plus one in the low bits, and bits of the digest in the others. So four bytes a token are enough
/// for any number of tokens.
#[repr(align(64))]
struct Page {
    entries: [AtomicU32; PAGE],
    /// A mask: the bits of an entry that belong to the number. They are the low ones, and more than any number here needs.
    numbers: AtomicU32,
    /// How many entries are not [`FREE`], the [`DEAD`] included. Like the next, only the writer looks at it.
    filled: AtomicU32,
    /// How many leading bits of the hash all digests here share.
    depth: AtomicU32,
}

const PAGE: usize = if TRIED { 4 } else { 512 };
/// Entries in a cache line.
const LINE: usize = if TRIED { 4 } else { 16 };
/// A page with this many entries is split, or swept.
const FULL: u32 = if TRIED { 3 } else { 416 };
/// Random digests need a depth of about 25 for a thousand million tokens.
const MAX_DEPTH: u32 = 31;
const FREE: u32 = 0;
/// A removed entry, which does not end a search. No number is all ones.
const DEAD: u32 = u32::MAX;

impl Default for Page {
    fn default() -> Self {
        Self {
            entries: std::array::from_fn(|_| AtomicU32::new(FREE)),
            numbers: AtomicU32::new(0),
            filled: AtomicU32::new(0),
            depth: AtomicU32::new(0),
        }
    }
}

/// Returns the entry of a slot, where `numbers` is the mask of the number's bits.
const fn entry_of(digest: &Words, slot: u32, numbers: u32) -> u32 {
    (tag_of(digest) & !numbers) | slot.wrapping_add(1)
}

const fn tag_of(digest: &Words) -> u32 {
    #[allow(clippy::cast_possible_truncation)] // The upper half.
    let tag = (digest[2] >> 32) as u32;
    tag
}

const fn slot_of(entry: u32, numbers: u32) -> u32 {
    (entry & numbers).wrapping_sub(1)
}

/// Returns the mask of the bits that a slot's number needs in an entry, so that it is not all ones.
const fn bits_of(slot: u32) -> u32 {
    u32::MAX >> slot.saturating_add(2).leading_zeros()
}

/// Returns the first `depth` bits of a hash.
const fn leading(hash: u64, depth: u32) -> usize {
    #[allow(clippy::cast_possible_truncation)] // At most 31 bits.
    let bits = (hash >> 32 >> (32 - depth)) as usize;
    bits
}

impl Page {
    /// Shows `take` the entries from where the hash belongs to the first free one, and returns the first result that is not
    /// `None`.
    #[inline]
    fn probe<R>(&self, hash: u64, mut take: impl FnMut(&AtomicU32, u32) -> Option<R>) -> Option<R> {
        #[allow(clippy::cast_possible_truncation)] // The low bits choose the entry.
        let start = hash as usize;
        for step in 0..PAGE {
            let line = (start & !(LINE - 1)).wrapping_add(step & !(LINE - 1));
            let entry = self.entries.get((line | (start.wrapping_add(step) % LINE)) % PAGE)?;
            let value = entry.load(Ordering::Acquire);
            if let Some(found) = take(entry, value) {
                return Some(found);
            }
            if value == FREE {
                break;
            }
        }
        None
    }

    /// Writes an entry over the first free one.
    fn put(&self, hash: u64, entry: u32) {
        let written = self.probe(hash, |old, value| (value == FREE).then(|| old.store(entry, Ordering::Release)));
        if written.is_some() {
            self.filled.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes all entries out.
    fn drain(&self) -> Vec<u32> {
        self.filled.store(0, Ordering::Relaxed);
        let entries = self.entries.iter().map(|entry| entry.swap(FREE, Ordering::AcqRel));
        entries.filter(|entry| *entry != FREE && *entry != DEAD).collect()
    }

    /// Gives more bits of each entry to the number: fewer bits of the digest remain.
    fn widen(&self, numbers: u32) {
        let before = self.numbers.load(Ordering::Relaxed);
        for entry in &self.entries {
            let value = entry.load(Ordering::Relaxed);
            if value != DEAD {
                entry.store(value & (before | !numbers), Ordering::Release);
            }
        }
        self.numbers.store(numbers, Ordering::Release);
    }
}

impl Lookup {
    pub(crate) fn new() -> Self {
        let seed = |n: u64| if TRIED { n } else { RandomState::new().hash_one(n) };
        let lookup = Self {
            pages: Segments::new(),
            directories: [const { OnceLock::new() }; MAX_DEPTH as usize + 1],
            depth: AtomicU32::new(0),
            moves: AtomicU64::new(0),
            count: AtomicU32::new(1),
            seeds: [0, 1].map(seed),
        };
        lookup.pages.grow(0);
        lookup.directory(0);
        lookup
    }

    #[inline]
    fn hash(&self, digest: &Words) -> u64 {
        let wide = u128::from(digest[0] ^ self.seeds[0]) * u128::from(digest[1] ^ self.seeds[1]);
        #[allow(clippy::cast_possible_truncation)] // Both halves are kept.
        let hash = (wide as u64) ^ ((wide >> 64) as u64);
        hash
    }

    /// Returns the directory of that depth. A new one leads to page zero everywhere.
    fn directory(&self, depth: u32) -> &[AtomicU32] {
        let made = || (0..1_usize << depth).map(|_| AtomicU32::new(0)).collect();
        self.directories.get(depth as usize).map_or(&[], |directory| directory.get_or_init(made))
    }

    #[inline]
    fn page(&self, hash: u64) -> Option<&Page> {
        let depth = self.depth.load(Ordering::Acquire);
        let number = self.directories.get(depth as usize)?.get()?.get(leading(hash, depth))?;
        self.pages.get(number.load(Ordering::Acquire))
    }

    /// Shows `accept` the slots that may hold the digest, and returns the first result that is not `None`.
    #[inline]
    pub(crate) fn find<R>(&self, digest: &Words, mut accept: impl FnMut(u32) -> Option<R>) -> Option<R> {
        let (hash, tag) = (self.hash(digest), tag_of(digest));
        loop {
            let moves = self.moves.load(Ordering::Acquire);
            let page = self.page(hash)?;
            let numbers = page.numbers.load(Ordering::Acquire);
            let found = page.probe(hash, |_, entry| {
                let other = (entry ^ tag) & !numbers != 0 || entry == FREE || entry == DEAD;
                if other { None } else { accept(slot_of(entry, numbers)) }
            });
            if found.is_some() {
                return found;
            }
            fence(Ordering::Acquire);
            if moves % 2 == 0 && self.moves.load(Ordering::Relaxed) == moves {
                return None;
            }
            spin_loop();
        }
    }

    /// Adds a slot, which must not be here under another digest. `digest_in` returns the digest of a slot that is already
    /// here; it is called where the page is full.
    pub(crate) fn insert(&self, digest: &Words, slot: u32, digest_in: impl Fn(u32) -> Words) {
        let hash = self.hash(digest);
        while let Some(page) = self.page(hash) {
            let numbers = page.numbers.load(Ordering::Relaxed);
            if bits_of(slot) > numbers {
                self.moving(|| page.widen(bits_of(slot)));
                continue;
            }
            // A page that cannot be split is filled completely. With random hashes that never happens.
            if page.filled.load(Ordering::Relaxed) < FULL || page.depth.load(Ordering::Relaxed) == MAX_DEPTH {
                return page.put(hash, entry_of(digest, slot, numbers));
            }
            self.moving(|| self.make_room(hash, page, &digest_in));
        }
    }

    /// Does work that moves entries. Meanwhile a reader that finds none tries again.
    fn moving(&self, work: impl FnOnce()) {
        self.moves.fetch_add(1, Ordering::AcqRel);
        work();
        self.moves.fetch_add(1, Ordering::AcqRel);
    }

    /// Sweeps a full page, or splits it in two.
    fn make_room(&self, hash: u64, page: &Page, digest_in: impl Fn(u32) -> Words) {
        let numbers = page.numbers.load(Ordering::Relaxed);
        let hash_of = |entry| self.hash(&digest_in(slot_of(entry, numbers)));
        let kept: Vec<_> = page.drain().into_iter().map(|entry| (hash_of(entry), entry)).collect();
        let depth = page.depth.load(Ordering::Relaxed);
        if kept.len() * 2 < FULL as usize {
            return kept.into_iter().for_each(|(hash, entry)| page.put(hash, entry));
        }
        if depth == self.depth.load(Ordering::Relaxed) {
            self.double(depth);
        }
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let Some(other) = self.pages.grow(number) else { return };
        other.numbers.store(numbers, Ordering::Relaxed);
        page.depth.store(depth + 1, Ordering::Relaxed);
        other.depth.store(depth + 1, Ordering::Relaxed);
        for (hash, entry) in kept {
            if leading(hash, depth + 1) % 2 == 0 { page.put(hash, entry) } else { other.put(hash, entry) }
        }
        // The upper half of what led to the old page now leads to the new one.
        let whole = self.depth.load(Ordering::Relaxed);
        let width = 1_usize << (whole - depth - 1);
        let first = (leading(hash, depth) * 2 + 1) * width;
        for page in self.directory(whole).iter().skip(first).take(width) {
            page.store(number, Ordering::Release);
        }
    }

    /// Doubles the directory: each page is in it twice.
    fn double(&self, depth: u32) {
        let pairs = self.directory(depth + 1).chunks_exact(2);
        for (pair, page) in pairs.zip(self.directory(depth)) {
            let number = page.load(Ordering::Relaxed);
            for page in pair {
                page.store(number, Ordering::Relaxed);
            }
        }
        self.depth.store(depth + 1, Ordering::Release);
    }

    /// Removes a slot's entry under that digest.
    pub(crate) fn remove(&self, digest: &Words, slot: u32) {
        let hash = self.hash(digest);
        if let Some(page) = self.page(hash) {
            let wanted = entry_of(digest, slot, page.numbers.load(Ordering::Relaxed));
            _ = page.probe(hash, |entry, value| (value == wanted).then(|| entry.store(DEAD, Ordering::Release)));
        }
    }

    /// Removes everything.
    pub(crate) fn clear(&self) {
        let pages = (0..self.count.load(Ordering::Relaxed)).filter_map(|number| self.pages.get(number));
        self.moving(|| pages.for_each(|page| _ = page.drain()));
    }
}

#[cfg(test)]
mod tests {
    use crate::sync::atomic::AtomicBool;
    use std::collections::HashSet;

    use super::*;

    fn digest(n: u32) -> Words {
        let mix = |k: u64| (u64::from(n) + 1).wrapping_mul(k).rotate_left(29).wrapping_mul(k);
        [mix(0x9e37_79b9_7f4a_7c15), mix(0xd1b5_4a32_d192_ed03), mix(0x8bb8_4b93_962e_acc9), u64::from(n)]
    }

    fn finds(lookup: &Lookup, n: u32) -> bool {
        lookup.find(&digest(n), |slot| (slot == n).then_some(())).is_some()
    }

    #[test]
    fn it_finds_what_a_hash_set_finds() {
        let lookup = Lookup::new();
        let mut model = HashSet::new();
        for step in 0..60_000u32 {
            let n = step.wrapping_mul(7919) % 20_000;
            if model.insert(n) {
                lookup.insert(&digest(n), n, digest);
            } else {
                lookup.remove(&digest(n), n);
                model.remove(&n);
            }
            let probe = step % 20_000;
            assert_eq!(finds(&lookup, probe), model.contains(&probe), "step {step}");
        }
        for n in 0..20_000 {
            assert_eq!(finds(&lookup, n), model.contains(&n));
        }
        lookup.clear();
        assert!((0..20_000).all(|n| !finds(&lookup, n)));
        lookup.insert(&digest(1), 1, digest);
        assert!(finds(&lookup, 1));
    }

    #[test]
    fn slots_of_all_numbers_share_a_page() {
        let lookup = Lookup::new();
        let slots = || (0..32).map(|power| (1_u32 << power) - 1).chain([u32::MAX - 2]);
        for slot in slots() {
            lookup.insert(&digest(slot), slot, digest);
            assert!(slots().take_while(|other| *other <= slot).all(|other| finds(&lookup, other)), "{slot}");
        }
        for slot in slots() {
            lookup.remove(&digest(slot), slot);
            assert!(!finds(&lookup, slot));
        }
        assert_eq!(lookup.count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_page_of_removed_entries_is_swept_not_split() {
        let lookup = Lookup::new();
        for n in 0..100_000 {
            lookup.insert(&digest(n), n, digest);
            lookup.remove(&digest(n), n);
        }
        assert_eq!(lookup.count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_reader_finds_what_is_there_while_pages_split() {
        let lookup = Lookup::new();
        (0..100).for_each(|n| lookup.insert(&digest(n), n, digest));
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    (0..100).for_each(|n| assert!(finds(&lookup, n), "{n}"));
                }
            });
            (100..200_000).for_each(|n| lookup.insert(&digest(n), n, digest));
            done.store(true, Ordering::Relaxed);
        });
    }
}
