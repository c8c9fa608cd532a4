//! What a slot's secret leads to.

use crate::index::state::State;
use crate::model::action::Access;
use crate::model::kind::KindName;

/// One secret of one token: what a principal is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handle(
    /// The slot's number above the serial. One word, which a call returns in a register.
    u64,
);

impl Handle {
    #[inline]
    pub(super) const fn new(slot: u32, serial: u32) -> Self {
        Self((slot as u64) << 32 | serial as u64)
    }

    /// Returns the number of the token's slot.
    #[inline]
    pub(super) const fn slot(self) -> u32 {
        #[allow(clippy::cast_possible_truncation)] // The upper half.
        let slot = (self.0 >> 32) as u32;
        slot
    }

    #[inline]
    pub(super) const fn serial(self) -> u32 {
        #[allow(clippy::cast_possible_truncation)] // The lower half.
        let serial = self.0 as u32;
        serial
    }
}

/// What a slot's secret leads to: what its token may do, or the token that the secret belonged to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The slot is free.
    Nothing,
    /// Every action everywhere.
    Everything,
    /// Every action in the token's organization.
    Organization,
    /// These actions on the bucket with this id, in the token's organization.
    Bucket(u128, Access),
    /// The permissions in the set with this number.
    Set(u32),
    /// The secret is a former one; this is the token that it is still accepted for.
    Successor(Handle),
}

impl Target {
    /// Returns the target's part of a slot's state, and its value. The state needs the token's kind besides.
    pub(super) fn encode(self) -> (State, u128) {
        match self {
            // The kind says which.
            Self::Nothing | Self::Everything | Self::Organization => (State::empty(), 0),
            Self::Bucket(bucket, access) => (State::of_access(access), bucket),
            Self::Set(number) => (State::SET, number.into()),
            Self::Successor(Handle(word)) => (State::OVERLAPPING, word.into()),
        }
    }

    /// Returns the target that a slot's whole state and this value mean.
    #[inline]
    pub(super) fn decode(state: State, value: u128) -> Self {
        #[allow(clippy::cast_possible_truncation)] // What was encoded is as short.
        let (number, word) = (value as u32, value as u64);
        match state.kind() {
            Some(KindName::Operator) => Self::Everything,
            Some(KindName::AllAccess) => Self::Organization,
            Some(KindName::ReadWrite | KindName::Custom) if state.contains(State::SET) => Self::Set(number),
            Some(KindName::ReadWrite | KindName::Custom) => Self::Bucket(value, state.access()),
            None if state.contains(State::OVERLAPPING) => Self::Successor(Handle(word)),
            None => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_holds_a_slot_and_a_serial() {
        for (slot, serial) in [(0, 0), (0, u32::MAX), (u32::MAX, 0), (7, 9)] {
            let handle = Handle::new(slot, serial);
            assert_eq!((handle.slot(), handle.serial()), (slot, serial));
        }
    }

    #[test]
    fn targets_are_read_as_they_were_written() {
        let mut targets = vec![
            (None, Target::Nothing),
            (None, Target::Successor(Handle::new(7, 9))),
            (None, Target::Successor(Handle::new(u32::MAX, u32::MAX))),
            (Some(KindName::Operator), Target::Everything),
            (Some(KindName::AllAccess), Target::Organization),
        ];
        for bucket in [1, u128::MAX] {
            for access in [Access::READ, Access::WRITE, Access::READ_WRITE] {
                targets.push((Some(KindName::ReadWrite), Target::Bucket(bucket, access)));
            }
        }
        for number in [0, 7, u32::MAX] {
            targets.push((Some(KindName::ReadWrite), Target::Set(number)));
            targets.push((Some(KindName::Custom), Target::Set(number)));
        }
        for (kind, target) in targets {
            let (state, value) = target.encode();
            let state = state | kind.map_or(State::empty(), State::of_kind);
            assert_eq!(Target::decode(state.with_key(0xff), value), target);
        }
    }
}
