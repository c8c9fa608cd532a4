//! A value of 128 bits in two atomic words.

use crate::sync::atomic::{AtomicU64, Ordering};

/// An id, or another value of 128 bits: two words, the lower half first. Each word is atomic by itself.
///
/// A reader can see one half of an old value with the other half of a new one. So a value that changes while it is read
/// needs a guard around it, such as a slot's sequence number.
#[derive(Default)]
pub(super) struct Halves([AtomicU64; 2]);

impl Halves {
    #[inline]
    pub(super) fn load(&self, ordering: Ordering) -> u128 {
        let [low, high] = self.0.each_ref().map(|half| half.load(ordering));
        u128::from(high) << 64 | u128::from(low)
    }

    pub(super) fn store(&self, value: u128, ordering: Ordering) {
        let [low, high] = &self.0;
        #[allow(clippy::cast_possible_truncation)] // Both halves are kept.
        let halves = (value as u64, (value >> 64) as u64);
        low.store(halves.0, ordering);
        high.store(halves.1, ordering);
    }
}
