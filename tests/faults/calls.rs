//! Every management call, with how to see that it was done.

use std::time::Duration;

use portcullis::testing::{FaultyStore, ManualClock};
use portcullis::{
    Authority, Error, Issued, MemoryStore, NewToken, Pending, Receipt, Rotation, Standing, Status, Token, Update,
    Updated, UserId,
};
use test_support::company::{self, Company};
use test_support::fixture::{NEVER, START, following, host};

/// A call under way, whatever it answers: a new secret, if there is one.
pub(crate) trait Started: Send {
    fn wait(self: Box<Self>) -> Result<Option<String>, Error>;
    fn is_answered_within(&mut self, timeout: Duration) -> bool;
}

pub(crate) trait Answer: Send + 'static {
    fn secret(self) -> Option<String>;
}

impl Answer for Issued {
    fn secret(self) -> Option<String> {
        Some(self.secret.expose().to_owned())
    }
}

impl Answer for Updated {
    fn secret(self) -> Option<String> {
        None
    }
}

impl Answer for Receipt {
    fn secret(self) -> Option<String> {
        None
    }
}

impl<T: Answer> Started for Pending<T> {
    fn wait(self: Box<Self>) -> Result<Option<String>, Error> {
        (*self).wait().map(Answer::secret)
    }

    fn is_answered_within(&mut self, timeout: Duration) -> bool {
        !matches!(self.wait_for(timeout), Ok(None))
    }
}

pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// How many commits it takes.
    pub(crate) commits: u64,
    /// How many tokens there are besides.
    pub(crate) crowd: usize,
    pub(crate) prepare: fn(&Company),
    pub(crate) call: fn(&Company) -> Box<dyn Started>,
    /// Whether an authority on the store shows that it was done.
    pub(crate) done: fn(&Company, &Authority) -> bool,
}

fn nothing(_: &Company) {}

fn started<T: Answer>(pending: Pending<T>) -> Box<dyn Started> {
    Box::new(pending)
}

fn status(authority: &Authority, token: &company::Token) -> Option<Status> {
    authority.get(host(), token.id).ok().map(|token| token.status())
}

fn count(authority: &Authority) -> usize {
    authority.list(host(), &portcullis::Filter::default(), None, usize::MAX).unwrap().tokens.len()
}

/// More than fit into one commit.
const CROWD: usize = 1_050;

pub(crate) const CASES: [Case; 11] = [
    Case {
        name: "create",
        commits: 1,
        crowd: 0,
        prepare: nothing,
        call: |world| {
            let new = NewToken::all_access(world.organization).owner(world.owner);
            started(world.authority.create(&world.operator(), new))
        },
        done: |_, authority| count(authority) == 6,
    },
    Case {
        name: "update that widens",
        commits: 1,
        crowd: 0,
        prepare: nothing,
        call: |world| started(world.authority.update(&world.operator(), world.idle.id, Update::new().activate())),
        done: |world, authority| status(authority, &world.idle) == Some(Status::Active),
    },
    Case {
        name: "update that narrows",
        commits: 1,
        crowd: 0,
        prepare: nothing,
        call: |world| started(world.authority.update(&world.operator(), world.sensor.id, Update::new().deactivate())),
        done: |world, authority| status(authority, &world.sensor) == Some(Status::Inactive),
    },
    Case {
        name: "rotate",
        commits: 1,
        crowd: 0,
        prepare: nothing,
        call: |world| started(world.authority.rotate(&world.operator(), world.sensor.id, Rotation::new())),
        done: |world, authority| authority.authenticate(&world.sensor.secret).is_err(),
    },
    Case {
        name: "revoke",
        commits: 1,
        crowd: 0,
        prepare: nothing,
        call: |world| started(world.authority.revoke(&world.operator(), world.sensor.id)),
        done: |world, authority| status(authority, &world.sensor) == Some(Status::Revoked),
    },
    Case {
        name: "revoke_all",
        commits: 2,
        crowd: CROWD,
        prepare: nothing,
        call: |world| started(world.authority.revoke_all(&world.operator(), world.admin.id)),
        done: |world, authority| {
            let page = authority.list(host(), &portcullis::Filter::default(), None, usize::MAX).unwrap();
            let under = |token: &&Token| token.creator().lineage().contains(&world.admin.id);
            page.tokens.iter().filter(under).all(|token| token.status() == Status::Revoked)
                && status(authority, &world.admin) == Some(Status::Revoked)
        },
    },
    Case {
        name: "delete",
        commits: 1,
        crowd: 0,
        prepare: nothing,
        call: |world| started(world.authority.delete(&world.operator(), world.sensor.id)),
        done: |world, authority| status(authority, &world.sensor).is_none(),
    },
    Case {
        name: "set_owner",
        commits: 1,
        crowd: 0,
        prepare: nothing,
        call: |world| started(world.authority.set_owner_standing(&world.operator(), world.owner, Standing::Suspended)),
        done: |world, authority| authority.owner_standing(world.owner).unwrap() == Standing::Suspended,
    },
    Case {
        name: "set_organization that restores",
        commits: 1,
        crowd: 0,
        prepare: |world| {
            let suspended = world.authority.set_organization_standing(host(), world.organization, Standing::Suspended);
            suspended.wait().unwrap();
        },
        call: |world| {
            started(world.authority.set_organization_standing(&world.operator(), world.organization, Standing::Active))
        },
        done: |world, authority| authority.organization_standing(world.organization).unwrap() == Standing::Active,
    },
    Case {
        name: "purge",
        commits: 2,
        crowd: CROWD,
        prepare: |world| {
            world.authority.delete(host(), world.idle.id).wait().unwrap();
            world.clock.advance(Duration::from_hours(2));
        },
        call: |world| started(world.authority.purge(&world.operator(), portcullis::Timestamp::MAX)),
        done: |_, authority| count(authority) == 3,
    },
    Case {
        name: "revoke what is revoked",
        commits: 0,
        crowd: 0,
        prepare: |world| _ = world.authority.revoke(host(), world.sensor.id).wait().unwrap(),
        call: |world| started(world.authority.revoke(&world.operator(), world.sensor.id)),
        done: |world, authority| status(authority, &world.sensor) == Some(Status::Revoked),
    },
];

/// Setup on a new store, whose first commit meets whatever `inject` says; then what a second authority says to a setup.
pub(crate) fn set_up(
    inject: impl FnOnce(&portcullis::testing::Faults),
) -> (Result<Issued, Error>, MemoryStore, Authority) {
    let store = MemoryStore::new();
    let (faulty, faults) = FaultyStore::new(store.clone());
    let clock = ManualClock::new(START);
    let authority = following(NEVER).clock(clock).open(faulty).wait().unwrap();
    inject(&faults);
    let answer = authority.setup(UserId::generate().unwrap()).wait();
    faults.heal();
    (answer, store, authority)
}
