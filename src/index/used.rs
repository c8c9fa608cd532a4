//! When tokens were last used.

use crate::index::Index;
use crate::index::slot::Slot;
use crate::model::id::TokenId;
use crate::model::time::Timestamp;
use crate::sync::atomic::Ordering;

/// Returns when the slot's token was last used, to the second.
pub(super) fn last_used(slot: &Slot) -> Option<Timestamp> {
    match slot.used.load(Ordering::Relaxed) {
        0 => None,
        seconds => Some(Timestamp::from_micros(u64::from(seconds) * 1_000_000)),
    }
}

fn seconds(time: Timestamp) -> u32 {
    u32::try_from(time.as_micros() / 1_000_000).unwrap_or(u32::MAX)
}

impl Index {
    /// Sets the time that tokens used from now on are marked with.
    pub(crate) fn set_time(&self, now: Timestamp) {
        self.seconds.store(seconds(now), Ordering::Relaxed);
    }

    /// Notes that the token in the slot with this number was used about now. The later time stays when the clock was set
    /// back.
    pub(super) fn mark_used(&self, number: u32) {
        let Some(slot) = self.slots.get(number) else { return };
        slot.used.fetch_max(self.seconds.load(Ordering::Relaxed), Ordering::Relaxed);
        if let Some(bits) = self.used.get(number / 64) {
            let bit = 1 << (number % 64);
            if bits.load(Ordering::Relaxed) & bit == 0 {
                bits.fetch_or(bit, Ordering::Relaxed);
            }
        }
    }

    /// Notes when tokens were last used as the store knew it.
    pub(crate) fn apply_used(&self, used: &[(TokenId, Timestamp)]) {
        let catalog = self.read_catalog();
        for (id, time) in used {
            if let Some(slot) = self.find(&catalog, *id).and_then(|number| self.slots.get(number)) {
                slot.used.fetch_max(seconds(*time), Ordering::Relaxed);
            }
        }
    }

    /// Returns about this many of the tokens that were used since the last call, and when. It starts from the group of slots
    /// `from`; where there may be more, the group to go on from is returned, too.
    pub(crate) fn take_used(&self, from: u32, about: usize) -> (Vec<(TokenId, Timestamp)>, Option<u32>) {
        let mut used = Vec::new();
        for group in from..self.read_catalog().slots.ever_taken().end.div_ceil(64) {
            if used.len() >= about {
                return (used, Some(group));
            }
            let mut bits = self.used.get(group).map_or(0, |bits| bits.swap(0, Ordering::Relaxed));
            while bits != 0 {
                let slot = self.slots.get(group * 64 + bits.trailing_zeros());
                bits &= bits - 1;
                used.extend(slot.and_then(|slot| Some((TokenId::from_u128(slot.id())?, last_used(slot)?))));
            }
        }
        (used, None)
    }

    /// Lets [`take_used`](Self::take_used) return these again: the store did not take them.
    pub(crate) fn return_used(&self, used: &[(TokenId, Timestamp)]) {
        let catalog = self.read_catalog();
        for (id, _) in used {
            let number = self.find(&catalog, *id);
            if let Some((number, bits)) = number.and_then(|number| Some((number, self.used.get(number / 64)?))) {
                bits.fetch_or(1 << (number % 64), Ordering::Relaxed);
            }
        }
    }
}
