//! A vector that grows without moving what it holds, and that readers never block on.

use std::sync::OnceLock;

/// Segments whose size doubles every sixteen: at most a sixteenth of the places is unused, and none ever moves.
///
/// Any number of threads read; one thread at a time grows it.
pub(crate) struct Segments<T> {
    segments: [OnceLock<Box<[T]>>; SEGMENTS],
}

/// Enough for every `u32`.
const SEGMENTS: usize = 16 * (33 - FIRST as usize);

/// The first sixteen segments hold four places each: the numbers from 64 (two to this power) on, less 64.
const FIRST: u32 = 6;

/// In which segment a place is, where in it, and how long that segment is.
#[inline]
const fn locate(place: u32) -> (usize, usize, usize) {
    let number = place as u64 + (1 << FIRST);
    let power = number.ilog2();
    let part = power - 4;
    let segment = (power - FIRST) as usize * 16 + ((number >> part) & 15) as usize;
    #[allow(clippy::cast_possible_truncation)] // Below two to the power of 32.
    let offset = (number & ((1 << part) - 1)) as usize;
    (segment, offset, 1 << part)
}

impl<T: Default> Segments<T> {
    pub(crate) fn new() -> Self {
        Self { segments: [const { OnceLock::new() }; SEGMENTS] }
    }

    /// What is at this place; `None` where [`grow`](Self::grow) has not been.
    #[inline]
    pub(crate) fn get(&self, place: u32) -> Option<&T> {
        let (segment, offset, _) = locate(place);
        self.segments.get(segment)?.get()?.get(offset)
    }

    /// What is at this place, made if need be.
    pub(crate) fn grow(&self, place: u32) -> Option<&T> {
        let (segment, offset, len) = locate(place);
        self.segments.get(segment)?.get_or_init(|| (0..len).map(|_| T::default()).collect()).get(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_its_own() {
        let mut next = (0, 0);
        for place in 0..100_000 {
            let (segment, offset, len) = locate(place);
            assert_eq!((segment, offset), next, "place {place}");
            next = if offset + 1 == len { (segment + 1, 0) } else { (segment, offset + 1) };
        }
        let (segment, offset, len) = locate(u32::MAX);
        assert!(segment < SEGMENTS && offset < len);
    }

    #[test]
    fn nothing_is_there_before_it_is_grown() {
        let segments = Segments::<u8>::new();
        assert!(segments.get(8).is_none());
        assert!(segments.grow(8).is_some());
        assert!(segments.get(8).is_some());
        assert!(segments.get(7).is_none());
        assert!(segments.get(u32::MAX).is_none());
    }
}
