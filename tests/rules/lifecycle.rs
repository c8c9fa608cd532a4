//! Rules 16 and 17: standings, revocation, deletion.

use std::sync::atomic::{AtomicU32, Ordering};

use portcullis::{
    Authority, NewToken, Principal, Read, Reason, Resource, Rotation, Standing, Status, TokenId, TokenKind, Update,
    Write,
};

use test_support::fixture::{HOUR, World, all, bucket, eventually, host, id_of, ok, org, text, user};

#[test]
fn rule_16_a_standing_is_one_record_however_many_tokens_it_covers() {
    let world = World::new();
    let tokens: Vec<_> = (0..50).map(|_| world.principal(NewToken::all_access(org(1)))).collect();
    let other_owner = world.authority.create(host(), NewToken::all_access(org(1)).owner(user(2))).wait().unwrap();
    let other_organization = world.principal(NewToken::all_access(org(2)));
    let other_owner = world.login(&other_owner);
    let asleep = id_of(&tokens[7]);
    ok(world.authority.update(host(), asleep, Update::new().deactivate()));
    let listed = all(&world.authority).len();

    let check = |expected: Result<(), Reason>, others: [Result<(), Reason>; 2]| {
        for (number, principal) in tokens.iter().enumerate() {
            // Restoring never reactivates a token that was deactivated by itself.
            assert_eq!(principal.check(), if number == 7 { Err(Reason::Inactive) } else { expected });
        }
        assert_eq!([other_owner.check(), other_organization.check()], others);
        assert_eq!(all(&world.authority).len(), listed);
    };
    let set_owner_standing = |standing| world.authority.set_owner_standing(host(), user(1), standing).wait().unwrap();
    let set_organization_standing =
        |standing| world.authority.set_organization_standing(host(), org(1), standing).wait().unwrap();

    assert_eq!((set_owner_standing(Standing::Active).changed, set_owner_standing(Standing::Suspended).changed), (0, 1));
    assert_eq!(world.authority.owner_standing(user(1)).unwrap(), Standing::Suspended);
    check(Err(Reason::OwnerSuspended), [Ok(()), Err(Reason::OwnerSuspended)]);
    assert_eq!(set_owner_standing(Standing::Suspended).changed, 0);
    assert_eq!(set_owner_standing(Standing::Active).changed, 1);
    check(Ok(()), [Ok(()), Ok(())]);

    assert_eq!(
        (set_organization_standing(Standing::Active).changed, set_organization_standing(Standing::Suspended).changed),
        (0, 1)
    );
    assert_eq!(world.authority.organization_standing(org(1)).unwrap(), Standing::Suspended);
    check(Err(Reason::OrganizationSuspended), [Err(Reason::OrganizationSuspended), Ok(())]);
    assert_eq!(set_organization_standing(Standing::Suspended).changed, 0);
    assert_eq!(set_organization_standing(Standing::Active).changed, 1);
    check(Ok(()), [Ok(()), Ok(())]);
    assert_eq!(world.token(asleep).status(), Status::Inactive);

    assert_eq!(set_organization_standing(Standing::Deleted).changed, 1);
    check(Err(Reason::OrganizationDeleted), [Err(Reason::OrganizationDeleted), Ok(())]);
}

#[test]
fn rule_16_deleting_an_owner_or_an_organization_is_final() {
    let world = World::new();
    let issued = world.issue(NewToken::all_access(org(1)));
    ok(world.authority.set_owner_standing(host(), user(1), Standing::Deleted));
    ok(world.authority.set_organization_standing(host(), org(1), Standing::Deleted));
    for standing in [Standing::Active, Standing::Suspended] {
        let answer = world.authority.set_owner_standing(host(), user(1), standing);
        assert_eq!(text(answer), format!("owner `{}` was deleted", user(1)));
        let answer = world.authority.set_organization_standing(host(), org(1), standing);
        assert_eq!(text(answer), format!("organization `{}` was deleted", org(1)));
    }
    let answer = world.authority.create(host(), NewToken::operator().owner(user(1)));
    assert_eq!(text(answer), format!("owner `{}` was deleted", user(1)));
    let answer = world.authority.create(host(), NewToken::all_access(org(1)).owner(user(2)));
    assert_eq!(text(answer), format!("organization `{}` was deleted", org(1)));
    // They stay listable, and can be ended, by an operator too.
    assert_eq!(world.token(issued.token.id()).check(world.now()), Err(Reason::OwnerDeleted));
    let operator = world.authority.create(host(), NewToken::operator().owner(user(2))).wait().unwrap();
    ok(world.authority.delete(&world.login(&operator), issued.token.id()));
    // Another authority that reads the store knows it all.
    let node = world.node();
    assert_eq!(
        (node.owner_standing(user(1)).unwrap(), node.organization_standing(org(1)).unwrap()),
        (Standing::Deleted, Standing::Deleted)
    );
    assert_eq!(
        (node.owner_standing(user(2)).unwrap(), node.organization_standing(org(2)).unwrap()),
        (Standing::Active, Standing::Active)
    );
}

#[test]
fn rule_16_a_standing_that_is_known_before_any_token_holds_for_the_first() {
    let world = World::new();
    ok(world.authority.set_owner_standing(host(), user(1), Standing::Suspended));
    ok(world.authority.set_organization_standing(host(), org(2), Standing::Suspended));
    let issued = world.issue(NewToken::all_access(org(1)));
    for authority in [&world.authority, &world.node()] {
        assert_eq!(authority.authenticate(issued.secret.expose()).unwrap_err().reason(), Reason::OwnerSuspended);
    }
    let issued = world.authority.create(host(), NewToken::all_access(org(2)).owner(user(2))).wait().unwrap();
    let refused = world.authority.authenticate(issued.secret.expose()).unwrap_err();
    assert_eq!(refused.reason(), Reason::OrganizationSuspended);
}

#[test]
fn rule_17_a_revocation_holds_at_once_and_for_good() {
    let world = World::new();
    let issued = world.issue(NewToken::all_access(org(1)));
    let (id, held) = (issued.token.id(), world.login(&issued));
    let owned = held.clone().into_owned();
    assert_eq!(world.authority.revoke(host(), id).wait().unwrap().changed, 1);
    for principal in [&held, &owned] {
        assert_eq!(principal.authorize(Read, Resource::buckets(org(1))).unwrap_err().reason(), Reason::Revoked);
    }
    assert_eq!(world.authority.authenticate(issued.secret.expose()).unwrap_err().reason(), Reason::Revoked);
    // Final, and listable.
    let before = world.token(id);
    assert_eq!(before.status(), Status::Revoked);
    assert_eq!(all(&world.authority), std::slice::from_ref(&before));
    let final_ = format!("token `{id}` is revoked, which is final; create a new one");
    assert_eq!(text(world.authority.update(host(), id, Update::new().activate())), final_);
    assert_eq!(text(world.authority.update(host(), id, Update::new().description("x"))), final_);
    assert_eq!(text(world.authority.rotate(host(), id, Rotation::new())), final_);
    assert_eq!(world.authority.revoke(host(), id).wait().unwrap().changed, 0);
    assert_eq!(world.token(id), before);
    assert_eq!(world.node().get(host(), id).unwrap().status(), Status::Revoked);
    // Also of a token that is inactive.
    let inactive = world.issue(NewToken::all_access(org(1))).token.id();
    ok(world.authority.update(host(), inactive, Update::new().deactivate()));
    ok(world.authority.revoke(host(), inactive));
    assert_eq!(world.token(inactive).status(), Status::Revoked);
}

#[test]
fn rule_17_deletion_leaves_nothing_to_be_seen() {
    let world = World::new();
    let issued = world.issue(NewToken::all_access(org(1)));
    let (id, held) = (issued.token.id(), world.login(&issued));
    ok(world.authority.delete(host(), id));
    assert_eq!(held.authorize(Read, Resource::buckets(org(1))).unwrap_err().reason(), Reason::Unknown);
    assert_eq!(format!("{held:?}"), "Principal(unknown)");
    let gone = format!("token `{id}` not found");
    assert_eq!(text(world.authority.update(host(), id, Update::new())), gone);
    assert_eq!(text(world.authority.rotate(host(), id, Rotation::new())), gone);
    assert_eq!(text(world.authority.revoke(host(), id)), gone);
    assert_eq!(text(world.authority.delete(host(), id)), gone);
    assert_eq!(world.authority.get(host(), id).unwrap_err().to_string(), gone);
    assert_eq!((all(&world.authority), all(&world.node())), (vec![], vec![]));
    // Not even when other tokens take its place in memory does it come to life.
    for _ in 0..10 {
        _ = world.issue(NewToken::operator());
        assert_eq!(held.check(), Err(Reason::Unknown));
        assert_eq!(held.token().unwrap_err(), Reason::Unknown);
    }
}

/// Many threads ask on principals that they hold; each time that `change` has returned, none that begins says yes.
fn seen_by_every_thread(rounds: u32, change: impl Fn(&Authority, TokenId, u32)) {
    let world = World::new();
    let tokens: Vec<_> = (0..rounds).map(|_| world.issue(NewToken::read_write(org(1)).write(bucket(1)))).collect();
    let principals: Vec<_> = tokens.iter().map(|issued| world.login(issued)).collect();
    let ended = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let before = ended.load(Ordering::SeqCst);
                    for (number, (principal, issued)) in (0..).zip(principals.iter().zip(&tokens)) {
                        let answer = principal.authorize(Write, Resource::bucket(org(1), bucket(1)));
                        let again = world.authority.authenticate(issued.secret.expose());
                        assert!(number >= before || (answer.is_err() && again.is_err()), "number {number}");
                    }
                    if before == rounds {
                        break;
                    }
                }
            });
        }
        for (number, issued) in (0..).zip(&tokens) {
            change(&world.authority, issued.token.id(), number);
            ended.store(number + 1, Ordering::SeqCst);
        }
    });
}

#[test]
fn rule_17_every_thread_sees_a_revocation_on_principals_already_held() {
    seen_by_every_thread(60, |authority, id, _| ok(authority.revoke(host(), id)));
}

#[test]
fn rule_17_every_thread_sees_every_other_end_too() {
    seen_by_every_thread(60, |authority, id, number| match number % 4 {
        0 => ok(authority.delete(host(), id)),
        1 => ok(authority.rotate(host(), id, Rotation::new())),
        2 => ok(authority.update(host(), id, Update::new().deactivate())),
        _ => ok(authority.revoke_all(host(), id)),
    });
}

#[test]
fn rule_17_no_thread_ever_sees_half_a_change() {
    let world = World::new();
    let principal = world.principal(NewToken::read_write(org(1)).write(bucket(1)));
    let kind = |number: u64, several: bool| {
        let action = if number == 1 { portcullis::Action::WRITE } else { portcullis::Action::READ };
        let buckets = [number].into_iter().chain(several.then_some(number + 2));
        TokenKind::read_write(org(1), buckets.map(|number| (bucket(number), action))).unwrap()
    };
    let done = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while done.load(Ordering::SeqCst) == 0 {
                    // Granted at no time: the one action on the other's bucket.
                    assert!(principal.authorize(Write, Resource::bucket(org(1), bucket(2))).is_err());
                    assert!(principal.authorize(Read, Resource::bucket(org(1), bucket(1))).is_err());
                    principal.check().unwrap();
                }
            });
        }
        for round in 0..200 {
            let kind = kind(1 + round % 2, round % 3 == 0);
            ok(world.authority.update(host(), principal.token().unwrap().id(), Update::new().kind(kind)));
        }
        done.store(1, Ordering::SeqCst);
    });
}

#[test]
fn rule_17_the_other_authorities_of_a_store_follow() {
    let world = World::new();
    let node = world.node();
    let issued = world.issue(NewToken::all_access(org(1)));
    let rotated = world.issue(NewToken::all_access(org(1)));
    let deleted = world.issue(NewToken::all_access(org(1)));
    eventually("followed", || node.position() == world.authority.position());
    let held: Vec<Principal<'_>> =
        [&issued, &rotated, &deleted].map(|issued| node.authenticate(issued.secret.expose()).unwrap()).into();
    ok(world.authority.revoke(host(), issued.token.id()));
    ok(world.authority.rotate(host(), rotated.token.id(), Rotation::new().overlap(HOUR)));
    ok(world.authority.delete(host(), deleted.token.id()));
    eventually("followed", || node.position() == world.authority.position());
    let answers: Vec<_> = held.iter().map(Principal::check).collect();
    assert_eq!(answers, [Err(Reason::Revoked), Ok(()), Err(Reason::Unknown)]);
    ok(world.authority.set_owner_standing(host(), user(1), Standing::Suspended));
    eventually("followed", || held[1].check() == Err(Reason::OwnerSuspended));
}
