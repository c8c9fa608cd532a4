//! The small facts about a slot.

use crate::model::action::Access;
use crate::model::kind::KindName;
use crate::model::status::Status;

bitflags::bitflags! {
    /// The small facts about a slot, in one word.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub(super) struct State: u32 {
        /// A live token is [`State::TOKEN`] without the two below.
        const INACTIVE = 1;
        const REVOKED = 1 << 1;
        const TOKEN = 1 << 2;
        /// A former secret that is still accepted, instead of a token.
        const OVERLAPPING = 1 << 3;
        const EXPIRES = 1 << 4;
        /// The token's former secret may still be accepted.
        const OVERLAPPED = 1 << 5;
        /// The actions on the bucket of [`Target::Bucket`](super::target::Target::Bucket).
        const READ = 1 << 6;
        const WRITE = 1 << 7;
        /// The target is a [`Target::Set`](super::target::Target::Set).
        const SET = 1 << 8;
        /// The catalog has more: a description, former digests.
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
    pub(super) fn key(self) -> u8 {
        (self.bits() >> 16).to_le_bytes()[0]
    }

    pub(super) fn with_key(self, key: u8) -> Self {
        self.difference(Self::KEY).union(Self::from_bits_retain(u32::from(key) << 16))
    }

    #[inline]
    pub(super) fn status(self) -> Status {
        if self.contains(Self::REVOKED) {
            Status::Revoked
        } else if self.contains(Self::INACTIVE) {
            Status::Inactive
        } else {
            Status::Active
        }
    }

    pub(super) fn of_status(status: Status) -> Self {
        match status {
            Status::Active => Self::TOKEN,
            Status::Inactive => Self::TOKEN | Self::INACTIVE,
            Status::Revoked => Self::TOKEN | Self::REVOKED,
        }
    }

    /// Returns the token's kind; `None` where there is no token.
    #[inline]
    pub(super) fn kind(self) -> Option<KindName> {
        KindName::ALL.into_iter().find(|kind| self.contains(Self::of_kind(*kind)))
    }

    #[inline]
    pub(super) const fn of_kind(kind: KindName) -> Self {
        match kind {
            KindName::Operator => Self::OPERATOR,
            KindName::AllAccess => Self::ALL_ACCESS,
            KindName::ReadWrite => Self::READ_WRITE,
            KindName::Custom => Self::CUSTOM,
        }
    }

    pub(super) fn access(self) -> Access {
        Access::from_bits_truncate((self.bits() >> 6).to_le_bytes()[0]) & Access::READ_WRITE
    }

    pub(super) fn of_access(access: Access) -> Self {
        Self::from_bits_retain(u32::from((access & Access::READ_WRITE).bits()) << 6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_hold_what_is_put_in() {
        for status in [Status::Active, Status::Inactive, Status::Revoked] {
            for kind in KindName::ALL {
                for access in [Access::READ, Access::WRITE, Access::READ_WRITE] {
                    let state = State::of_status(status) | State::of_kind(kind) | State::of_access(access);
                    let state = state.with_key(b'x').with_key(b'z');
                    assert_eq!(
                        (state.status(), state.kind(), state.access(), state.key()),
                        (status, Some(kind), access, b'z')
                    );
                }
            }
        }
        assert_eq!(State::empty().kind(), None);
    }
}
