//! Owners and organizations, as far as the check needs them.

use crate::index::halves::Halves;
use crate::index::segments::Segments;
use crate::model::status::Standing;
use crate::sync::TRIED;
use crate::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// Owners, or organizations, by their numbers.
///
/// Nearly all are active. A bit says so, in a table that stays in the first cache; the subject itself is looked at only
/// where the bit says otherwise.
pub(super) struct Subjects {
    subjects: Segments<Subject>,
    /// A bit for all numbers that are the same modulo [`BITS`]: set while one of these subjects is not active.
    restricted: [AtomicU64; BITS.div_ceil(64) as usize],
}

const BITS: u32 = if TRIED { 1 } else { 4_096 };

#[derive(Default)]
struct Subject {
    id: Halves,
    standing: AtomicU8,
}

impl Subject {
    fn standing(&self) -> Standing {
        match self.standing.load(Ordering::Acquire) {
            0 => Standing::Active,
            1 => Standing::Suspended,
            _ => Standing::Deleted,
        }
    }
}

impl Subjects {
    pub(super) fn new() -> Self {
        Self { subjects: Segments::new(), restricted: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// Adds the subject with this id under a new number.
    pub(super) fn add(&self, number: u32, id: u128) {
        if let Some(subject) = self.subjects.grow(number) {
            subject.id.store(id, Ordering::Release);
        }
    }

    /// Reports whether the subject with this number has that id.
    #[inline]
    pub(super) fn is(&self, number: u32, id: u128) -> bool {
        self.subjects.get(number).is_some_and(|subject| subject.id.load(Ordering::Acquire) == id)
    }

    /// Returns the standing of the subject with this number. Number 0 stands for no subject, which is active.
    #[inline]
    pub(super) fn standing(&self, number: u32) -> Standing {
        let restricted = self.word(number).is_none_or(|word| word.load(Ordering::Acquire) & bit(number) != 0);
        if restricted { self.own_standing(number) } else { Standing::Active }
    }

    /// Kept out of line so that the usual case stays short.
    #[inline(never)]
    fn own_standing(&self, number: u32) -> Standing {
        self.subjects.get(number).map_or(Standing::Deleted, Subject::standing)
    }

    #[inline]
    fn word(&self, number: u32) -> Option<&AtomicU64> {
        self.restricted.get((number % BITS / 64) as usize)
    }

    /// Sets a subject's standing. The bit is set before a subject stops being active, and cleared after all are active.
    pub(super) fn set_standing(&self, number: u32, standing: Standing) {
        let (Some(subject), Some(word)) = (self.subjects.get(number), self.word(number)) else { return };
        if standing != Standing::Active {
            word.fetch_or(bit(number), Ordering::Release);
        }
        subject.standing.store(standing as u8, Ordering::Release);
        let mut sharing =
            (number % BITS..=u32::MAX).step_by(BITS as usize).map_while(|number| self.subjects.get(number));
        if standing == Standing::Active && sharing.all(|subject| subject.standing() == Standing::Active) {
            word.fetch_and(!bit(number), Ordering::Release);
        }
    }

    /// Makes every subject active.
    pub(super) fn clear(&self) {
        for subject in (0..=u32::MAX).map_while(|number| self.subjects.get(number)) {
            subject.standing.store(Standing::Active as u8, Ordering::Release);
        }
        self.restricted.iter().for_each(|word| word.store(0, Ordering::Release));
    }
}

const fn bit(number: u32) -> u64 {
    1 << (number % BITS % 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that share a bit, and some that do not.
    const NUMBERS: [u32; 6] = [1, 2, 1 + BITS, 65, 1 + 2 * BITS, BITS];

    #[test]
    fn each_has_its_own_standing_whatever_shares_its_bit() {
        let subjects = Subjects::new();
        (0..=2 * BITS + 1).for_each(|number| subjects.add(number, u128::from(number)));
        let mut model = [Standing::Active; NUMBERS.len()];
        let mut state = 1_usize;
        for step in 0..5_000 {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let (at, to) = ((state >> 33) % NUMBERS.len(), (state >> 50) % 4);
            model[at] = [Standing::Active, Standing::Active, Standing::Suspended, Standing::Deleted][to];
            subjects.set_standing(NUMBERS[at], model[at]);
            for (number, standing) in NUMBERS.iter().zip(model) {
                assert_eq!(subjects.standing(*number), standing, "step {step}, number {number}");
                // And nothing is looked at in vain.
                let sharing = NUMBERS.iter().zip(model).filter(|(other, _)| *other % BITS == number % BITS);
                let restricted = sharing.map(|(_, standing)| standing).any(|standing| standing != Standing::Active);
                let told = subjects.word(*number).unwrap().load(Ordering::Relaxed) & bit(*number) != 0;
                assert_eq!(told, restricted, "step {step}, number {number}");
            }
            assert_eq!(subjects.standing(0), Standing::Active);
        }
        subjects.clear();
        assert!((0..BITS).all(|number| subjects.standing(number) == Standing::Active));
        assert!(NUMBERS.iter().all(|number| subjects.own_standing(*number) == Standing::Active));
    }

    #[test]
    fn each_number_has_its_id() {
        let subjects = Subjects::new();
        assert!(!subjects.is(1, 7));
        subjects.add(1, 7 << 64);
        subjects.add(2, 7);
        assert!(subjects.is(1, 7 << 64) && subjects.is(2, 7) && !subjects.is(1, 7) && !subjects.is(2, 7 << 64));
    }
}
