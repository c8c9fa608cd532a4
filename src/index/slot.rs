//! One token in memory: 128 bytes that one thread writes and any thread reads.

use subtle::ConstantTimeEq;

use crate::index::lookup::Words;
use crate::index::whole;
use crate::model::action::Access;
use crate::model::expiry::Expiry;
use crate::model::kind::KindName;
use crate::model::liveness::Liveness;
use crate::model::status::{Standing, Status};
use crate::model::time::Timestamp;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use crate::sync::spin_loop;

/// A token, or a secret that overlaps with its successor, or nothing.
///
/// Two cache lines in one page of memory: at random, the first costs as much as hashing, and the second, fetched with it,
/// hardly more.
///
/// A writer makes [`Slot::state`] odd, changes the rest, and makes it even again; a reader that saw it odd or changed
/// reads again (a *seqlock*, on atomics). So readers take no lock, and what they read belongs together.
#[derive(Default)]
#[repr(C, align(128))]
pub(crate) struct Slot {
    /// [`State`] in the lower half; in the upper half how often the slot was written, times two.
    state: AtomicU64,
    digest: [AtomicU64; 4],
    /// In microseconds; only if [`State::EXPIRES`].
    expires: AtomicU64,
    /// The owner's place among the owners.
    owner: AtomicU32,
    /// The organization's place among the organizations; 0 for none.
    organization: AtomicU32,
    /// Which of the secrets that this slot ever held it holds now. A principal dies with the one that it came with.
    serial: AtomicU32,
    /// When its secret was last accepted, in seconds since 1970; 0 for never.
    pub(crate) used: AtomicU32,

    /// The bucket, or the place of the permission set; in an overlapping secret the token's slot, and its serial then.
    target: [AtomicU64; 2],
    /// What follows, only the management plane reads, under the catalog's lock.
    pub(crate) id: [AtomicU64; 2],
    pub(crate) created: AtomicU64,
    pub(crate) updated: AtomicU64,
    pub(crate) revision: AtomicU64,
    pub(crate) creator: AtomicU32,
    /// The slot of the overlapping secret, if [`State::OVERLAPPED`].
    overlap: AtomicU32,
}

bitflags::bitflags! {
    /// The small facts about a slot, in one word.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub(crate) struct State: u32 {
        /// A live token is [`State::TOKEN`] without the two below.
        const INACTIVE = 1;
        const REVOKED = 1 << 1;
        const TOKEN = 1 << 2;
        /// A former secret that is still accepted, instead of a token.
        const OVERLAPPING = 1 << 3;
        const EXPIRES = 1 << 4;
        /// The token's former secret may still be accepted.
        const OVERLAPPED = 1 << 5;
        /// Read and write on the bucket that `target` is.
        const READ = 1 << 6;
        const WRITE = 1 << 7;
        /// Its permissions are in the set that `target` tells; else it has one bucket, or what its kind says.
        const SET = 1 << 8;
        /// The catalog knows more: a description, former digests.
        const MORE = 1 << 9;
        const OPERATOR = 1 << 10;
        const ALL_ACCESS = 1 << 11;
        const READ_WRITE = 1 << 12;
        const CUSTOM = 1 << 13;
        /// The id of the digest's pepper.
        const KEY = 0xff << 16;
    }
}

impl State {
    pub(crate) fn key(self) -> u8 {
        (self.bits() >> 16).to_le_bytes()[0]
    }

    pub(crate) fn with_key(self, key: u8) -> Self {
        self.difference(Self::KEY).union(Self::from_bits_retain(u32::from(key) << 16))
    }

    #[inline]
    pub(crate) fn status(self) -> Status {
        if self.contains(Self::REVOKED) {
            Status::Revoked
        } else if self.contains(Self::INACTIVE) {
            Status::Inactive
        } else {
            Status::Active
        }
    }

    pub(crate) fn of_status(status: Status) -> Self {
        match status {
            Status::Active => Self::TOKEN,
            Status::Inactive => Self::TOKEN | Self::INACTIVE,
            Status::Revoked => Self::TOKEN | Self::REVOKED,
        }
    }

    pub(crate) fn kind(self) -> KindName {
        if self.contains(Self::OPERATOR) {
            KindName::Operator
        } else if self.contains(Self::ALL_ACCESS) {
            KindName::AllAccess
        } else if self.contains(Self::READ_WRITE) {
            KindName::ReadWrite
        } else {
            KindName::Custom
        }
    }

    pub(crate) fn of_kind(kind: KindName) -> Self {
        match kind {
            KindName::Operator => Self::OPERATOR,
            KindName::AllAccess => Self::ALL_ACCESS,
            KindName::ReadWrite => Self::READ_WRITE,
            KindName::Custom => Self::CUSTOM,
        }
    }

    /// What is granted on the one bucket.
    pub(crate) fn access(self) -> Access {
        Access::from_bits_truncate((self.bits() >> 6).to_le_bytes()[0]) & Access::READ_WRITE
    }

    pub(crate) fn of_access(access: Access) -> Self {
        Self::from_bits_retain(u32::from((access & Access::READ_WRITE).bits()) << 6)
    }
}

/// What decides about a slot, but for its digest.
#[derive(Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) state: State,
    pub(crate) expires: u64,
    pub(crate) owner: u32,
    pub(crate) organization: u32,
    pub(crate) serial: u32,
    pub(crate) target: [u64; 2],
    pub(crate) overlap: u32,
}

impl Facts {
    /// Nothing is here; the next secret that comes is another than any before.
    pub(crate) const fn empty(serial: u32) -> Self {
        Self { state: State::empty(), expires: 0, owner: 0, organization: 0, serial, target: [0; 2], overlap: 0 }
    }

    pub(crate) fn expires_at(&self) -> Expiry {
        self.state.contains(State::EXPIRES).then(|| Timestamp::from_micros(self.expires)).into()
    }

    pub(crate) fn liveness(&self, owner: Standing, organization: Standing) -> Liveness {
        Liveness { status: self.state.status(), expires_at: self.expires_at(), owner, organization }
    }
}

impl Slot {
    /// What `read` makes of the slot, from values that belong together.
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

    /// What `read` makes of the slot's facts and of whatever else it looks up by them.
    #[inline]
    pub(crate) fn facts<R>(&self, read: impl Fn(&Facts) -> R) -> R {
        self.consistent(|state| read(&self.load(state)))
    }

    /// The same if the slot has this digest, made with that key. They are compared in constant time.
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
            target: load(&self.target),
            overlap: self.overlap.load(Ordering::Relaxed),
        }
    }

    /// The digest, for the management plane.
    pub(crate) fn digest(&self) -> Words {
        load(&self.digest)
    }

    /// The token's id; 0 for none.
    pub(crate) fn id(&self) -> u128 {
        whole(load(&self.id))
    }

    /// Changes what readers see, all at once. One thread at a time.
    pub(crate) fn write(&self, facts: &Facts, digest: &Words) {
        let writes = (self.state.load(Ordering::Relaxed) >> 32).wrapping_add(1) | 1;
        self.state.store(writes << 32, Ordering::Relaxed);
        fence(Ordering::Release);
        store(&self.digest, digest);
        store(&self.target, &facts.target);
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
pub(crate) fn load<const N: usize>(words: &[AtomicU64; N]) -> [u64; N] {
    words.each_ref().map(|word| word.load(Ordering::Relaxed))
}

pub(crate) fn store<const N: usize>(words: &[AtomicU64; N], values: &[u64; N]) {
    words.iter().zip(values).for_each(|(word, value)| word.store(*value, Ordering::Relaxed));
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
    fn states_hold_what_is_put_in() {
        for status in [Status::Active, Status::Inactive, Status::Revoked] {
            for kind in [KindName::Operator, KindName::AllAccess, KindName::ReadWrite, KindName::Custom] {
                for access in [Access::READ, Access::WRITE, Access::READ_WRITE] {
                    let state = State::of_status(status) | State::of_kind(kind) | State::of_access(access) | State::SET;
                    let state = state.with_key(b'x').with_key(b'z');
                    assert_eq!(
                        (state.status(), state.kind(), state.access(), state.key()),
                        (status, kind, access, b'z')
                    );
                }
            }
        }
    }

    #[test]
    fn readers_never_see_half_a_write() {
        let slot = Slot::default();
        let stop = AtomicBool::new(false);
        let write = |n: u32| {
            let word = u64::from(n);
            let facts = Facts { state: State::TOKEN, expires: word, target: [word; 2], owner: n, ..Facts::empty(n) };
            slot.write(&facts, &[word; 4]);
        };
        write(0);
        std::thread::scope(|scope| {
            let reader = || {
                while !stop.load(Ordering::Relaxed) {
                    let facts = slot.facts(|facts| *facts);
                    let word = u64::from(facts.serial);
                    assert_eq!((facts.expires, facts.target, facts.owner), (word, [word; 2], facts.serial));
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
