//! One token in memory: 128 bytes that one thread writes and any thread reads.

use subtle::ConstantTimeEq;

use crate::index::halves::Halves;
use crate::index::state::State;
use crate::index::target::Target;
use crate::index::words::Words;
use crate::model::expiry::Expiry;
use crate::model::liveness::Liveness;
use crate::model::status::Standing;
use crate::model::time::Timestamp;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use crate::sync::spin_loop;

/// A token, or a secret that overlaps with its successor, or nothing.
///
/// It takes two cache lines in one page of memory. Where it is in no cache, the first line costs as much as hashing; the
/// second, which the processor fetches with it, hardly more.
///
/// A writer makes the count in [`Slot::state`] odd, changes the rest, and makes the count even again. A reader that saw it odd
/// or changed reads again (a *seqlock*, on atomics). So readers take no lock, and what they read belongs together.
#[derive(Default)]
#[repr(C, align(128))]
pub(crate) struct Slot {
    /// [`State`] in the lower half. In the upper half, a count: twice the number of writes.
    state: AtomicU64,
    digest: [AtomicU64; 4],
    /// In microseconds; only if [`State::EXPIRES`].
    expires: AtomicU64,
    /// The owner's number.
    owner: AtomicU32,
    /// The organization's number; 0 for none.
    organization: AtomicU32,
    /// The number of the secret that the slot holds now, among all that it ever held. A principal dies with its secret.
    serial: AtomicU32,
    /// When its secret was last accepted, in seconds since 1970; 0 for never.
    pub(crate) used: AtomicU32,

    /// The value of the [`Target`].
    target: Halves,
    /// This and what follows is read by the management plane only, under the catalog's lock.
    id: Halves,
    pub(crate) created: AtomicU64,
    pub(crate) updated: AtomicU64,
    pub(crate) revision: AtomicU64,
    pub(crate) creator: AtomicU32,
    /// The number of the overlapping secret's slot, if [`State::OVERLAPPED`].
    overlap: AtomicU32,
}

/// All that decides about a slot, except its digest.
#[derive(Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) state: State,
    pub(crate) expires: u64,
    pub(crate) owner: u32,
    pub(crate) organization: u32,
    pub(crate) serial: u32,
    /// The value of the [`Target`].
    pub(crate) value: u128,
    pub(crate) overlap: u32,
}

impl Facts {
    /// Returns the facts about a free slot.
    pub(crate) const fn empty(serial: u32) -> Self {
        Self { state: State::empty(), expires: 0, owner: 0, organization: 0, serial, value: 0, overlap: 0 }
    }

    pub(crate) fn expires_at(&self) -> Expiry {
        let ends = self.state.contains(State::EXPIRES);
        if ends { Expiry::At(Timestamp::from_micros(self.expires)) } else { Expiry::Never }
    }

    #[inline]
    pub(crate) fn target(&self) -> Target {
        Target::decode(self.state, self.value)
    }

    /// Sets the target of a slot that had none.
    pub(crate) fn set_target(&mut self, target: Target) {
        let (state, value) = target.encode();
        self.state |= state;
        self.value = value;
    }

    pub(crate) fn liveness(&self, owner: Standing, organization: Standing) -> Liveness {
        Liveness { status: self.state.status(), expires_at: self.expires_at(), owner, organization }
    }
}

impl Slot {
    /// Returns what `read` makes of the slot. It may be called several times; the result is that of a call during which
    /// nothing was written.
    #[inline]
    fn consistent<R>(&self, read: impl Fn(State) -> R) -> R {
        loop {
            let before = self.state.load(Ordering::Acquire);
            let result = read(state_of(before));
            fence(Ordering::Acquire);
            if before >> 32 & 1 == 0 && self.state.load(Ordering::Relaxed) == before {
                return result;
            }
            spin_loop();
        }
    }

    /// Returns what `read` makes of the slot's facts and of what else it looks up by them.
    #[inline]
    pub(crate) fn facts<R>(&self, read: impl Fn(&Facts) -> R) -> R {
        self.consistent(|state| read(&self.load(state)))
    }

    /// Returns the same where the slot has this digest, made with that key. They are compared in constant time.
    #[inline]
    pub(crate) fn facts_of<R>(&self, digest: &Words, key: u8, read: impl Fn(&Facts) -> R) -> Option<R> {
        self.consistent(|state| {
            let differences =
                load(&self.digest).iter().zip(digest).fold(0, |all, (ours, theirs)| all | (ours ^ theirs));
            let differences = differences | u64::from(state.key() ^ key);
            let present = state.intersects(State::TOKEN | State::OVERLAPPING);
            (bool::from(differences.ct_eq(&0)) && present).then(|| read(&self.load(state)))
        })
    }

    #[inline]
    fn load(&self, state: State) -> Facts {
        Facts {
            state,
            expires: self.expires.load(Ordering::Relaxed),
            owner: self.owner.load(Ordering::Relaxed),
            organization: self.organization.load(Ordering::Relaxed),
            serial: self.serial.load(Ordering::Relaxed),
            value: self.target.load(Ordering::Relaxed),
            overlap: self.overlap.load(Ordering::Relaxed),
        }
    }

    /// Returns the digest, for the management plane.
    pub(crate) fn digest(&self) -> Words {
        load(&self.digest)
    }

    /// Returns the token's id; 0 for none.
    pub(crate) fn id(&self) -> u128 {
        self.id.load(Ordering::Relaxed)
    }

    pub(crate) fn set_id(&self, id: u128) {
        self.id.store(id, Ordering::Relaxed);
    }

    /// Changes what readers see, all at once. One thread at a time may call it.
    pub(crate) fn write(&self, facts: &Facts, digest: &Words) {
        let writes = (self.state.load(Ordering::Relaxed) >> 32).wrapping_add(1) | 1;
        self.state.store(writes << 32, Ordering::Relaxed);
        fence(Ordering::Release);
        self.digest.iter().zip(digest).for_each(|(word, value)| word.store(*value, Ordering::Relaxed));
        self.target.store(facts.value, Ordering::Relaxed);
        self.expires.store(facts.expires, Ordering::Relaxed);
        self.owner.store(facts.owner, Ordering::Relaxed);
        self.organization.store(facts.organization, Ordering::Relaxed);
        self.serial.store(facts.serial, Ordering::Relaxed);
        self.overlap.store(facts.overlap, Ordering::Relaxed);
        let done = writes.wrapping_add(1) << 32 | u64::from(facts.state.bits());
        self.state.store(done, Ordering::Release);
    }
}

fn state_of(word: u64) -> State {
    #[allow(clippy::cast_possible_truncation)] // The lower half.
    let bits = word as u32;
    State::from_bits_retain(bits)
}

#[inline]
fn load(words: &[AtomicU64; 4]) -> Words {
    words.each_ref().map(|word| word.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use crate::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn it_takes_two_cache_lines() {
        assert_eq!((size_of::<Slot>(), align_of::<Slot>()), (128, 128));
        assert_eq!(std::mem::offset_of!(Slot, used) + size_of::<AtomicU32>(), 64);
    }

    #[test]
    fn readers_never_see_half_a_write() {
        let slot = Slot::default();
        let stop = AtomicBool::new(false);
        let write = |n: u32| {
            let word = u64::from(n);
            let value = u128::from(word) << 64 | u128::from(word);
            let facts = Facts { state: State::TOKEN, expires: word, value, owner: n, ..Facts::empty(n) };
            slot.write(&facts, &[word; 4]);
        };
        write(0);
        std::thread::scope(|scope| {
            let reader = || {
                while !stop.load(Ordering::Relaxed) {
                    let facts = slot.facts(|facts| *facts);
                    let word = u64::from(facts.serial);
                    let value = u128::from(word) << 64 | u128::from(word);
                    assert_eq!((facts.expires, facts.value, facts.owner), (word, value, facts.serial));
                    let digest = slot.consistent(|_| slot.digest());
                    assert!(digest.iter().all(|word| *word == digest[0]));
                }
            };
            scope.spawn(reader);
            scope.spawn(reader);
            (0..200_000).for_each(write);
            stop.store(true, Ordering::Relaxed);
        });
    }
}
