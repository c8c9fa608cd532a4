//! A vector that grows without moving what it holds, and that readers never block on.

use std::sync::OnceLock;

/// Numbered items in segments. Every sixteen segments their size doubles: so at most a sixteenth of the items is unused,
/// and none ever moves.
///
/// Any number of threads may read while one thread grows it.
pub(crate) struct Segments<T> {
    segments: [OnceLock<Box<[T]>>; SEGMENTS],
}

/// Enough for every `u32`.
const SEGMENTS: usize = 16 * (33 - FIRST as usize);

/// The first sixteen segments hold four items each. 64, which is two to this power, is added to each number before its bits
/// are looked at.
const FIRST: u32 = 6;

/// Returns the segment of the item with this number, its offset in there, and the segment's length.
#[inline]
const fn locate(number: u32) -> (usize, usize, usize) {
    let sum = number as u64 + (1 << FIRST);
    let power = sum.ilog2();
    let part = power - 4;
    let segment = (power - FIRST) as usize * 16 + ((sum >> part) & 15) as usize;
    #[allow(clippy::cast_possible_truncation)] // Below two to the power of 32.
    let offset = (sum & ((1 << part) - 1)) as usize;
    (segment, offset, 1 << part)
}

impl<T: Default> Segments<T> {
    pub(crate) fn new() -> Self {
        Self { segments: [const { OnceLock::new() }; SEGMENTS] }
    }

    /// Returns the item with this number; `None` where [`grow`](Self::grow) has not come to it.
    #[inline]
    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        let (segment, offset, _) = locate(number);
        self.segments.get(segment)?.get()?.get(offset)
    }

    /// Returns the item with this number, and makes its segment if need be.
    pub(crate) fn grow(&self, number: u32) -> Option<&T> {
        let (segment, offset, len) = locate(number);
        self.segments.get(segment)?.get_or_init(|| (0..len).map(|_| T::default()).collect()).get(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_own_item() {
        let mut next = (0, 0);
        for number in 0..100_000 {
            let (segment, offset, len) = locate(number);
            assert_eq!((segment, offset), next, "number {number}");
            next = if offset + 1 == len { (segment + 1, 0) } else { (segment, offset + 1) };
        }
        let (segment, offset, len) = locate(u32::MAX);
        assert!(segment < SEGMENTS && offset < len);
    }

    #[test]
    fn an_item_is_there_once_it_was_grown() {
        let segments = Segments::<u8>::new();
        assert!(segments.get(8).is_none());
        assert!(segments.grow(8).is_some());
        assert!(segments.get(8).is_some());
        assert!(segments.get(7).is_none());
        assert!(segments.get(u32::MAX).is_none());
    }
}
