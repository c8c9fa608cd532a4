//! Makes calls from numbers: who makes them, and what about.

use std::time::Duration;

use portcullis::{Standing, Timestamp};

use super::calls::{Call, Change, End, HOUR, New, START, chosen, description, kind, organization, user};
use super::run::{Run, Who};
use super::steps::Numbers;

impl Run {
    pub fn who(&self, seat: usize, numbers: &mut Numbers<'_>) -> Who {
        let (own, others) = (self.seats[seat].node.held.len(), self.seats[1 - seat].node.held.len());
        match numbers.below(16) {
            0..=4 => Who::Host,
            5 if others > 0 => Who::Foreign(numbers.below(others)),
            _ if own > 0 => Who::Held(numbers.below(own)),
            _ => Who::Host,
        }
    }

    pub fn any(&self, numbers: &mut Numbers<'_>) -> Call {
        let id = |numbers: &mut Numbers<'_>| self.ids[numbers.below(self.ids.len())];
        let secret = |numbers: &mut Numbers<'_>| (numbers.below(3) == 0).then(|| chosen(numbers.next()));
        let standing = |numbers: &mut Numbers<'_>| match numbers.below(16) {
            0 => Standing::Deleted,
            1..=7 => Standing::Suspended,
            _ => Standing::Active,
        };
        let now = self.now();
        let end = |numbers: &mut Numbers<'_>| match numbers.below(8) {
            0 => Some(now),
            1 => Some(now.saturating_sub(HOUR)),
            2 => Some(now.saturating_add(HOUR)),
            3 => Some(START.saturating_add(HOUR)),
            4 => Some(START.saturating_add(HOUR * 2)),
            _ => None,
        };
        match numbers.below(32) {
            0 => Call::Setup(user(numbers.next())),
            1..=9 => Call::Create(New {
                kind: kind(numbers.next(), id(numbers)),
                owner: (numbers.below(3) > 0).then(|| user(numbers.next())),
                description: description(numbers.next() / 4 + 2),
                expires: end(numbers),
                secret: secret(numbers),
            }),
            10..=15 => {
                let id = id(numbers);
                let mut some = |one_in: usize| numbers.below(one_in) == 0;
                let [described, status, ends, changed, conditional] = [4, 3, 3, 3, 4].map(&mut some);
                let found = self.head().tokens.get(&id).map_or(0, |token| token.revision);
                Call::Update(
                    id,
                    Change {
                        description: described.then(|| description(numbers.next())),
                        active: status.then(|| numbers.bool()),
                        end: ends.then(|| end(numbers).map_or(End::Never, End::At)),
                        kind: changed.then(|| kind(numbers.below(16), self.ids[numbers.below(self.ids.len())])),
                        revision: conditional.then(|| found + u64::from(numbers.below(4) == 0)),
                    },
                )
            }
            16..=20 => {
                let overlap = numbers.of(&[Duration::ZERO, HOUR / 2, HOUR, Duration::MAX]);
                Call::Rotate(id(numbers), overlap, secret(numbers))
            }
            21..=22 => Call::Revoke(id(numbers)),
            23 => Call::RevokeAll(id(numbers)),
            24..=25 => Call::Delete(id(numbers)),
            26..=27 => Call::SetOwner(user(numbers.next()), standing(numbers)),
            28..=29 => Call::SetOrganization(organization(numbers.next()), standing(numbers)),
            _ => Call::Purge(numbers.of(&[now, now.saturating_sub(HOUR), Timestamp::MAX])),
        }
    }
}
