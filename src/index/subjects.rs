//! Owners and organizations, as far as the check needs them.

use crate::index::segments::Segments;
use crate::index::{halves, whole};
use crate::model::status::Standing;
use crate::sync::TRIED;
use crate::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// Owners, or organizations, each by a small number, its *place*.
///
/// Nearly all are active, and that is told by a bit, in a table that stays in the first cache. Only where the bit says
/// otherwise is the subject itself looked at.
pub(super) struct Subjects {
    subjects: Segments<Subject>,
    /// A bit for all places that are the same modulo [`BITS`]: set while one of them is not active.
    restricted: [AtomicU64; BITS.div_ceil(64) as usize],
}

const BITS: u32 = if TRIED { 1 } else { 4_096 };

#[derive(Default)]
struct Subject {
    id: [AtomicU64; 2],
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

    /// Gives a place that is new to whoever has this id.
    pub(super) fn add(&self, place: u32, id: u128) {
        if let Some(subject) = self.subjects.grow(place) {
            for (half, value) in subject.id.iter().zip(halves(id)) {
                half.store(value, Ordering::Release);
            }
        }
    }

    /// Whether this id's place is that one.
    #[inline]
    pub(super) fn is(&self, place: u32, id: u128) -> bool {
        let id_of = |subject: &Subject| whole(subject.id.each_ref().map(|half| half.load(Ordering::Acquire)));
        self.subjects.get(place).is_some_and(|subject| id_of(subject) == id)
    }

    /// Where whoever has that place stands. Nobody has place 0, which stands for none, and is active.
    #[inline]
    pub(super) fn standing(&self, place: u32) -> Standing {
        let restricted = self.word(place).is_none_or(|word| word.load(Ordering::Acquire) & bit(place) != 0);
        if restricted { self.own_standing(place) } else { Standing::Active }
    }

    /// Apart, so that the usual case stays short.
    #[inline(never)]
    fn own_standing(&self, place: u32) -> Standing {
        self.subjects.get(place).map_or(Standing::Deleted, Subject::standing)
    }

    #[inline]
    fn word(&self, place: u32) -> Option<&AtomicU64> {
        self.restricted.get((place % BITS / 64) as usize)
    }

    /// The bit is set before anybody is not active, and cleared after all are.
    pub(super) fn set_standing(&self, place: u32, standing: Standing) {
        let (Some(subject), Some(word)) = (self.subjects.get(place), self.word(place)) else { return };
        if standing != Standing::Active {
            word.fetch_or(bit(place), Ordering::Release);
        }
        subject.standing.store(standing as u8, Ordering::Release);
        let mut sharing = (place % BITS..=u32::MAX).step_by(BITS as usize).map_while(|place| self.subjects.get(place));
        if standing == Standing::Active && sharing.all(|subject| subject.standing() == Standing::Active) {
            word.fetch_and(!bit(place), Ordering::Release);
        }
    }

    /// Everybody is active again.
    pub(super) fn clear(&self) {
        for subject in (0..=u32::MAX).map_while(|place| self.subjects.get(place)) {
            subject.standing.store(Standing::Active as u8, Ordering::Release);
        }
        self.restricted.iter().for_each(|word| word.store(0, Ordering::Release));
    }
}

const fn bit(place: u32) -> u64 {
    1 << (place % BITS % 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places that share a bit, and some that do not.
    const PLACES: [u32; 6] = [1, 2, 1 + BITS, 65, 1 + 2 * BITS, BITS];

    #[test]
    fn each_stands_where_it_was_put_whoever_shares_its_bit() {
        let subjects = Subjects::new();
        (0..=2 * BITS + 1).for_each(|place| subjects.add(place, u128::from(place)));
        let mut model = [Standing::Active; PLACES.len()];
        let mut state = 1_usize;
        for step in 0..5_000 {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let (at, to) = ((state >> 33) % PLACES.len(), (state >> 50) % 4);
            model[at] = [Standing::Active, Standing::Active, Standing::Suspended, Standing::Deleted][to];
            subjects.set_standing(PLACES[at], model[at]);
            for (place, standing) in PLACES.iter().zip(model) {
                assert_eq!(subjects.standing(*place), standing, "step {step}, place {place}");
                // And nothing is looked at in vain.
                let sharing = PLACES.iter().zip(model).filter(|(other, _)| *other % BITS == place % BITS);
                let restricted = sharing.map(|(_, standing)| standing).any(|standing| standing != Standing::Active);
                let told = subjects.word(*place).unwrap().load(Ordering::Relaxed) & bit(*place) != 0;
                assert_eq!(told, restricted, "step {step}, place {place}");
            }
            assert_eq!(subjects.standing(0), Standing::Active);
        }
        subjects.clear();
        assert!((0..BITS).all(|place| subjects.standing(place) == Standing::Active));
        assert!(PLACES.iter().all(|place| subjects.own_standing(*place) == Standing::Active));
    }

    #[test]
    fn ids_are_those_of_their_places() {
        let subjects = Subjects::new();
        assert!(!subjects.is(1, 7));
        subjects.add(1, 7 << 64);
        subjects.add(2, 7);
        assert!(subjects.is(1, 7 << 64) && subjects.is(2, 7) && !subjects.is(1, 7) && !subjects.is(2, 7 << 64));
    }
}
