//! Rule 18, and what else several callers do at once, on one authority and on several of one store.

use std::sync::Barrier;

use portcullis::store::{Changes, ChangesError, CommitError, CommitId, Position, Record, StoreError};
use portcullis::{
    Authority, Error, MemoryStore, NewToken, Reason, Rotation, Standing, Status, Timestamp, TokenId, TokenStore, Update,
};

use test_support::fixture::{HOUR, START, World, all, host, ok, org, text, user};

/// Runs it on as many threads at once as there are authorities.
fn race<T: Send>(authorities: &[&Authority], run: impl Fn(usize, &Authority) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(authorities.len());
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for (number, authority) in authorities.iter().enumerate() {
            let (barrier, run) = (&barrier, &run);
            threads.push(scope.spawn(move || {
                barrier.wait();
                run(number, authority)
            }));
        }
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// An authority that learns what others did only when it has to.
fn behind(world: &World) -> Authority {
    world.node_with(|builder| builder.follow(HOUR))
}

#[test]
fn rule_18_of_updates_on_one_revision_exactly_one_wins() {
    let world = World::new();
    let node = world.node();
    for _ in 0..20 {
        let token = world.issue(NewToken::all_access(org(1))).token;
        let (a, b) = (&world.authority, &node);
        let answers = race(&[a, b, a, b, a, b], |number, authority| {
            let update = Update::new().description(number.to_string()).if_revision(token.revision());
            authority.update(host(), token.id(), update).wait()
        });
        let won: Vec<_> = answers.iter().flatten().collect();
        assert_eq!(won.len(), 1);
        assert_eq!(world.token(token.id()).description(), won[0].token.description());
        assert!(
            answers
                .iter()
                .filter_map(|answer| answer.as_ref().err())
                .all(|error| matches!(error, Error::RevisionMismatch { .. }))
        );
    }
}

#[test]
fn rule_18_conditional_updates_never_lose_one() {
    let world = World::new();
    let (node, behind) = (world.node(), behind(&world));
    let id = world.issue(NewToken::all_access(org(1))).token.id();
    let (a, b) = (&world.authority, &node);
    race(&[a, b, a, b, &behind], |number, authority| {
        for _ in 0..20 {
            loop {
                let Ok(token) = authority.get(host(), id) else {
                    // It learns of the token when it first has to look for it.
                    ok(authority.update(host(), id, Update::new()));
                    continue;
                };
                let update = Update::new().description(format!("{}{number}", token.description()));
                match authority.update(host(), id, update.if_revision(token.revision())).wait() {
                    Ok(_) => break,
                    Err(Error::RevisionMismatch { .. } | Error::Busy(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
    });
    assert_eq!(world.authority.update(host(), id, Update::new()).wait().unwrap().token.description().len(), 100);
}

#[test]
fn rule_18_updates_of_different_fields_never_undo_each_other() {
    let world = World::new();
    let (node, end) = (world.node(), START.saturating_add(HOUR));
    for round in 0..20 {
        let id = world.issue(NewToken::all_access(org(1))).token.id();
        let (a, b) = (&world.authority, &node);
        race(&[a, b, a, b], |number, authority| match number {
            0 => ok(authority.update(host(), id, Update::new().description("described"))),
            1 => ok(authority.update(host(), id, Update::new().expires_at(end))),
            2 => ok(authority.update(host(), id, Update::new().deactivate())),
            _ => ok(authority.rotate(host(), id, Rotation::new().overlap(HOUR * round))),
        });
        let token = world.authority.update(host(), id, Update::new()).wait().unwrap().token;
        assert_eq!(
            (token.description(), token.status(), token.expires_at()),
            ("described", Status::Inactive, Some(end))
        );
    }
}

#[test]
fn rule_18_an_update_that_races_a_delete_never_brings_the_token_back() {
    let world = World::new();
    let node = world.node();
    let (a, b) = (&world.authority, &node);
    for round in 0..20 {
        let issued = world.issue(NewToken::all_access(org(1)));
        let id = issued.token.id();
        let held = world.login(&issued);
        race(&[a, b, a, b], |number, authority| match (number + round) % 4 {
            0 => ok(authority.delete(host(), id)),
            1 => drop(authority.update(host(), id, Update::new().description("x")).wait()),
            2 => drop(authority.rotate(host(), id, Rotation::new()).wait()),
            _ => drop(authority.revoke(host(), id).wait()),
        });
        assert_eq!(text(a.update(host(), id, Update::new().activate())), format!("token `{id}` not found"));
        assert_eq!(text(b.revoke(host(), id)), format!("token `{id}` not found"));
        assert_eq!(held.check(), Err(Reason::Unknown));
        assert_eq!(all(&world.node()), []);
    }
}

#[test]
fn rule_18_a_call_is_planned_anew_on_what_others_did() {
    let world = World::new();
    let root = world.issue(NewToken::operator());
    let token = world.issue(NewToken::all_access(org(1))).token;
    let late = behind(&world);
    let actor = late.authenticate(root.secret.expose()).unwrap();
    ok(world.authority.delete(host(), token.id()));
    assert_eq!(
        text(late.update(&actor, token.id(), Update::new().description("x"))),
        format!("token `{}` not found", token.id())
    );

    let late = behind(&world);
    let actor = late.authenticate(root.secret.expose()).unwrap();
    ok(world.authority.revoke(host(), root.token.id()));
    // It still takes the actor for live, until it commits.
    actor.check().unwrap();
    let refused = "the acting token is not accepted: the token is revoked";
    assert_eq!(text(late.create(&actor, NewToken::operator())), refused);
    assert_eq!(actor.check(), Err(Reason::Revoked));
    assert_eq!(all(&world.authority).len(), 1);
}

#[test]
fn a_principal_does_not_outlive_rotations_that_are_learned_of_together() {
    let world = World::new();
    let issued = world.issue(NewToken::all_access(org(1)));
    let late = behind(&world);
    let held = late.authenticate(issued.secret.expose()).unwrap();
    let second = world.authority.rotate(host(), issued.token.id(), Rotation::new()).wait().unwrap();
    let third = world.authority.rotate(host(), issued.token.id(), Rotation::new().overlap(HOUR)).wait().unwrap();
    ok(late.update(host(), issued.token.id(), Update::new()));
    // The overlap is that of the second secret, not of the first.
    assert_eq!(held.check(), Err(Reason::Unknown));
    for issued in [&second, &third] {
        late.authenticate(issued.secret.expose()).unwrap();
    }
}

#[test]
fn rule_18_what_changes_nothing_is_answered_as_of_the_store_too() {
    let world = World::new();
    ok(world.authority.set_owner_standing(host(), user(1), Standing::Suspended));
    let issued = world.issue(NewToken::all_access(org(1)));
    let late = behind(&world);
    ok(world.authority.set_owner_standing(host(), user(1), Standing::Active));
    // As far as the late one knows, the owner is suspended. It must not say so without a look.
    assert_eq!(late.set_owner_standing(host(), user(1), Standing::Suspended).wait().unwrap().changed, 1);
    let anew = world.node();
    assert_eq!(anew.owner_standing(user(1)).unwrap(), Standing::Suspended);
    ok(anew.set_owner_standing(host(), user(1), Standing::Active));
    // The same for one token.
    let id = issued.token.id();
    ok(anew.update(host(), id, Update::new().deactivate()));
    let late = behind(&world);
    ok(anew.update(host(), id, Update::new().activate()));
    let answer = late.update(host(), id, Update::new().deactivate()).wait().unwrap();
    assert_eq!(
        (answer.token.status(), world.node().get(host(), id).unwrap().status()),
        (Status::Inactive, Status::Inactive)
    );
}

#[test]
fn rule_18_what_is_refused_is_refused_as_of_the_store_too() {
    let world = World::new();
    let late = behind(&world);
    let token = world.issue(NewToken::all_access(org(1))).token;
    let update = Update::new().description("found").if_revision(token.revision());
    assert_eq!(late.update(host(), token.id(), update).wait().unwrap().token.description(), "found");
    let refusals = |authority: &Authority| {
        let answer = text(authority.setup(user(1)));
        assert_eq!(answer, "setup was done before; an operator, or the host, makes further operator tokens");
    };
    ok(world.authority.setup(user(1)));
    refusals(&late);
    refusals(&world.authority);
}

#[test]
fn many_callers_share_commits_and_each_gets_its_own_answer() {
    let world = World::new();
    let pending: Vec<_> = (0..300)
        .map(|number| {
            let new = NewToken::all_access(org(1)).description(number.to_string());
            let new = if number % 10 == 9 { new } else { new.owner(user(number)) };
            world.authority.create(host(), new)
        })
        .collect();
    let mut secrets = std::collections::BTreeSet::new();
    for (number, pending) in (0..).zip(pending) {
        match pending.wait() {
            Ok(issued) => {
                assert_eq!((issued.token.description(), issued.token.owner()), (&*number.to_string(), user(number)));
                assert!(secrets.insert(issued.secret.expose().to_owned()));
            }
            Err(error) => assert!(number % 10 == 9 && matches!(error, Error::NoOwner)),
        }
    }
    assert_eq!((secrets.len(), all(&world.authority).len()), (270, 270));
    assert!(world.authority.position().revision < 270);
}

/// A store that others are always quicker to change.
struct Contended(MemoryStore);

impl TokenStore for Contended {
    fn commit(&mut self, expected: Position, _: CommitId, _: &[Record]) -> Result<Position, CommitError> {
        self.0.commit(expected, CommitId::generate().unwrap(), &[]).map(CommitError::Conflict).and_then(Err)
    }

    fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError> {
        self.0.changes(since, limit)
    }

    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        self.0.touch(used)
    }
}

#[test]
fn a_call_that_others_are_always_quicker_than_gives_up_and_says_so() {
    let authority = Authority::builder()
        .follow(HOUR)
        .availability_over_revocation()
        .open(Contended(MemoryStore::new()))
        .wait()
        .unwrap();
    let error = authority.setup(user(1)).wait().unwrap_err();
    assert_eq!(error.to_string(), "the store is busy: others changed it 10 times meanwhile; try again");
    assert!(error.is_temporary() && !error.is_refusal());
    assert_eq!(all(&authority), []);
}
