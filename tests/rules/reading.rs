//! Rule 12, and what else is read: pages, filters, purging, last use.

use std::collections::BTreeSet;
use std::time::Duration;

use portcullis::{
    Actor, AuthorityBuilder, Filter, KindName, NewToken, Principal, Status, Timestamp, Token, TokenId, TokenKind,
    Update,
};

use test_support::fixture::{
    HOUR, START, TICK, World, all, bucket, custom, eventually, host, id_of, ids, listed, ok, org, set, user,
};

type Shown<'a> = &'a dyn Fn(&Token) -> bool;

/// Tokens of every kind, in two organizations and without one.
fn crowd(world: &World) -> Vec<Token> {
    let news = [
        NewToken::operator(),
        NewToken::all_access(org(1)),
        NewToken::all_access(org(2)),
        NewToken::read_write(org(1)).read(bucket(1)).checked().unwrap(),
        NewToken::read_write(org(2)).read(bucket(1)).checked().unwrap(),
        custom(org(1), &["read:orgs/O/buckets"]),
        NewToken::of_kind(TokenKind::custom(None, set(&["read:orgs/O/buckets"])).unwrap()),
    ];
    news.into_iter().map(|new| world.issue(new).token).collect()
}

#[test]
fn rule_12_a_token_is_shown_to_those_with_read_on_its_organizations_authorizations() {
    let world = World::new();
    let crowd = crowd(&world);
    let one = crowd.iter().find(|token| token.organization() == Some(org(2))).unwrap().id();
    let one_of_them = format!("read:orgs/P/authorizations/{one}");
    let in_first = |token: &Token| token.organization() == Some(org(1));
    let cases: [(NewToken, Shown<'_>); 8] = [
        (NewToken::operator(), &|_| true),
        (NewToken::all_access(org(1)), &in_first),
        (custom(org(1), &["read:orgs/O/authorizations"]), &in_first),
        (custom(org(1), &["write:orgs/O/authorizations", "read:orgs/O/buckets"]), &|_| false),
        (NewToken::read_write(org(1)).read(bucket(1)).checked().unwrap(), &|_| false),
        (custom(org(2), &[&one_of_them]), &|token| token.id() == one),
        // Not even with read on everything: tokens without an organization are shown to Operators only.
        (NewToken::of_kind(TokenKind::custom(None, set(&["read:*", "write:*"])).unwrap()), &|token| {
            token.organization().is_some()
        }),
        (NewToken::of_kind(TokenKind::custom(None, set(&["read:instance"])).unwrap()), &|_| false),
    ];
    for (new, shown) in cases {
        let principal = world.principal(new);
        // A live token may look at itself.
        let shown = |token: &Token| token.id() == id_of(&principal) || shown(token);
        let everything = all(&world.authority);
        let expected: Vec<_> = everything.iter().filter(|token| shown(token)).cloned().collect();
        assert_eq!(listed(&world.authority, &principal, &Filter::default(), 3), expected);
        for token in &everything {
            let answer = world.authority.get(&principal, token.id());
            // One that is hidden looks like one that there is not.
            let hidden = format!("token `{}` not found", token.id());
            assert_eq!(
                answer.map_err(|error| error.to_string()),
                if shown(token) { Ok(token.clone()) } else { Err(hidden) }
            );
        }
        for organization in [org(1), org(2), org(3)] {
            let filter = of(|filter| filter.organization = Some(organization));
            let there: Vec<_> =
                expected.iter().filter(|token| token.organization() == Some(organization)).cloned().collect();
            assert_eq!(listed(&world.authority, &principal, &filter, 2), there);
        }
        world.authority.delete(host(), id_of(&principal)).wait().unwrap();
    }
}

fn of(set: impl FnOnce(&mut Filter)) -> Filter {
    let mut filter = Filter::default();
    set(&mut filter);
    filter
}

#[test]
fn rule_12_lists_page_in_a_stable_order() {
    let world = World::new();
    let created: Vec<_> = (0..5)
        .flat_map(|_| {
            world.clock.advance(HOUR);
            crowd(&world)
        })
        .collect();
    let mut expected = ids(&created);
    expected.sort_unstable();
    for limit in [1, 2, 7, 34, 35, 36] {
        assert_eq!(ids(&listed(&world.authority, host(), &Filter::default(), limit)), expected);
    }
    // One that goes and one that comes between two pages neither repeat nor hide another.
    let first = world.authority.list(host(), &Filter::default(), None, 10).unwrap();
    let last = first.next.unwrap();
    assert_eq!(last, first.tokens[9].id());
    world.authority.delete(host(), last).wait().unwrap();
    world.authority.delete(host(), first.tokens[0].id()).wait().unwrap();
    world.clock.advance(HOUR);
    let new = world.issue(NewToken::operator()).token.id();
    let rest = world.authority.list(host(), &Filter::default(), Some(last), 100).unwrap();
    assert_eq!(rest.next, None);
    expected.push(new);
    assert_eq!(ids(&rest.tokens), expected[10..]);
}

#[test]
fn rule_12_where_a_page_ends_tells_nothing_of_tokens_that_are_not_shown() {
    let world = World::new();
    let new = || NewToken::all_access(org(1)).owner(user(1));
    // More than one call looks at.
    let pending: Vec<_> = (0..10_050).map(|_| world.authority.create(host(), new())).collect();
    let issued: Vec<_> = pending.into_iter().map(|pending| pending.wait().unwrap()).collect();
    let sensor = world.principal(NewToken::read_write(org(1)).read(bucket(1)));
    let page = world.authority.list(&sensor, &Filter::default(), None, 100).unwrap();
    assert_eq!((ids(&page.tokens), page.next), (vec![id_of(&sensor)], None));

    let shown = issued[10_020].token.id();
    let reader = world.principal(custom(org(1), &[&format!("read:orgs/O/authorizations/{shown}")]));
    // Of one millisecond, so their order is by chance.
    let mut seen = [shown, id_of(&reader)];
    seen.sort_unstable();
    assert_eq!(ids(&listed(&world.authority, &reader, &Filter::default(), 1)), seen);
    let page = world.authority.list(&reader, &Filter::default(), None, 1).unwrap();
    assert_eq!((ids(&page.tokens), page.next), (vec![seen[0]], Some(seen[0])));
    // Nor where it sees those of some organizations, or of all, and none that has no organization.
    let of_others =
        world.principal(NewToken::of_kind(TokenKind::custom(None, set(&["read:orgs/P/authorizations"])).unwrap()));
    let page = world.authority.list(&of_others, &Filter::default(), None, 1).unwrap();
    assert_eq!((ids(&page.tokens), page.next), (vec![id_of(&of_others)], None));
    let of_all = world.principal(NewToken::of_kind(TokenKind::custom(None, set(&["read:authorizations"])).unwrap()));
    world.clock.advance(HOUR);
    let hidden = world.issue(NewToken::operator()).token.id();
    world.clock.advance(HOUR);
    _ = world.issue(new());
    // The hidden one would be the last that one call looks at.
    let everything = ids(&all(&world.authority));
    let at = everything.iter().position(|id| *id == hidden).unwrap();
    let filter = of(|filter| filter.kind = Some(KindName::Operator));
    let page = world.authority.list(&of_all, &filter, Some(everything[at - 10_000]), 1).unwrap();
    assert_eq!((ids(&page.tokens), page.next), (vec![], None));
}

#[test]
fn rule_12_a_page_that_ends_with_the_list_is_the_last() {
    let world = World::new();
    crowd(&world);
    let page = world.authority.list(host(), &Filter::default(), None, 7).unwrap();
    assert_eq!((page.tokens.len(), page.next), (7, None));
    let page = world.authority.list(host(), &Filter::default(), None, 6).unwrap();
    assert_eq!((page.tokens.len(), page.next), (6, Some(page.tokens[5].id())));
}

#[test]
fn rule_12_lists_filter_by_everything_and_by_all_at_once() {
    let world = World::new();
    let root = world.principal(NewToken::operator());
    let creators: [Actor; 2] = [host(), (&root).into()];
    let mut number = 0;
    for creator in &creators {
        for owner in [user(1), user(2)] {
            for kind in crowd(&world).into_iter().map(|token| token.kind().clone()) {
                number += 1;
                let new = NewToken::of_kind(kind).owner(owner).expires_in(HOUR * (number % 4 + 1));
                let new = if number % 5 == 0 { new.expires_in(HOUR * 100) } else { new };
                let id = world.authority.create(creator, new).wait().unwrap().token.id();
                if number % 3 == 0 {
                    world.authority.update(host(), id, Update::new().deactivate()).wait().unwrap();
                } else if number % 7 == 0 {
                    world.authority.revoke(host(), id).wait().unwrap();
                }
            }
        }
    }
    let everything = all(&world.authority);
    let fits = |filter: &Filter, token: &Token| {
        filter.organization.is_none_or(|organization| token.organization() == Some(organization))
            && filter.owner.is_none_or(|owner| token.owner() == owner)
            && filter.creator.is_none_or(|creator| token.creator().token() == Some(creator))
            && filter.kind.is_none_or(|kind| token.kind().name() == kind)
            && filter.status.is_none_or(|status| token.status() == status)
            && filter.expires_by.is_none_or(|by| token.expires_at().is_some_and(|end| end <= by))
    };
    let mut sizes = BTreeSet::new();
    let mut check = |set: &dyn Fn(&mut Filter)| {
        let filter = of(set);
        let expected: Vec<_> = everything.iter().filter(|token| fits(&filter, token)).cloned().collect();
        assert_eq!(listed(&world.authority, host(), &filter, 3), expected, "{filter:?}");
        sizes.insert(expected.len());
    };
    for organization in [org(1), org(2), org(3)] {
        check(&|filter| filter.organization = Some(organization));
    }
    for owner in [user(1), user(2), user(3)] {
        check(&|filter| filter.owner = Some(owner));
        check(&|filter| (filter.owner, filter.organization) = (Some(owner), Some(org(1))));
    }
    for creator in [id_of(&root), TokenId::generate().unwrap()] {
        check(&|filter| filter.creator = Some(creator));
    }
    for kind in [KindName::Operator, KindName::AllAccess, KindName::ReadWrite, KindName::Custom] {
        check(&|filter| filter.kind = Some(kind));
    }
    for status in [Status::Active, Status::Inactive, Status::Revoked] {
        check(&|filter| filter.status = Some(status));
    }
    for by in [Timestamp::EPOCH, START.saturating_add(HOUR * 2).saturating_sub(TICK), START.saturating_add(HOUR * 2)] {
        check(&|filter| filter.expires_by = Some(by));
    }
    check(&|filter| {
        filter.organization = Some(org(1));
        filter.owner = Some(user(1));
        filter.creator = Some(id_of(&root));
        filter.kind = Some(KindName::ReadWrite);
        filter.expires_by = Some(START.saturating_add(HOUR * 200));
    });
    assert!(sizes.len() > 8, "{sizes:?}");
}

#[test]
fn purging_deletes_what_expired_and_forgets_what_was_deleted_by_then() {
    let world = World::new();
    let chosen =
        |number: u32| portcullis::Secret::new(format!("a secret that somebody chose {number:08}").replace(' ', "-"));
    let expired = world.issue(NewToken::all_access(org(1)).expires_in(HOUR).secret(chosen(1))).token.id();
    world.clock.advance(TICK * 1_000);
    let later = world.issue(NewToken::all_access(org(1)).expires_in(3 * HOUR)).token.id();
    world.clock.advance(TICK * 1_000);
    let revoked = world.issue(NewToken::all_access(org(1))).token.id();
    world.authority.revoke(host(), revoked).wait().unwrap();
    let deleted = world.issue(NewToken::all_access(org(1)).secret(chosen(4))).token.id();
    ok(world.authority.rotate(host(), deleted, portcullis::Rotation::new().secret(chosen(2)).overlap(HOUR)));
    world.authority.delete(host(), deleted).wait().unwrap();
    world.clock.advance(2 * HOUR);
    let deleted_later = world.issue(NewToken::all_access(org(1)).secret(chosen(3))).token.id();
    world.authority.delete(host(), deleted_later).wait().unwrap();

    let purged = world.authority.purge(host(), START.saturating_add(HOUR)).wait().unwrap();
    // The one that expired, and the trace of the one that was deleted by then.
    assert_eq!(purged.changed, 2);
    assert_eq!(ids(&all(&world.authority)), [later, revoked]);
    assert!(world.authority.get(host(), expired).is_err());
    let again =
        |number| world.authority.create(host(), NewToken::operator().owner(user(1)).secret(chosen(number))).wait();
    assert!(again(1).is_err(), "remembered, because it was deleted only now");
    assert!(again(3).is_err(), "remembered");
    assert!(again(2).is_ok() && again(4).is_ok(), "forgotten");
    let before = world.authority.position();
    assert_eq!(world.authority.purge(host(), START.saturating_add(HOUR)).wait().unwrap().changed, 0);
    assert_eq!(world.authority.position(), before);
    // Never what expires only later, whatever the time that is asked for.
    assert_eq!(world.authority.purge(host(), Timestamp::MAX).wait().unwrap().changed, 2);
    assert!(world.authority.get(host(), later).is_ok());
    assert!(again(1).is_ok());
    assert_eq!(all(&world.node()), all(&world.authority));
}

#[test]
fn purging_forgets_nothing_too_early_when_the_clock_was_set_back() {
    let world = World::new();
    let delete = |number: u32| {
        let secret = portcullis::Secret::new(format!("a-secret-that-somebody-chose-{number:08}"));
        let id = world.issue(NewToken::all_access(org(1)).secret(secret)).token.id();
        world.authority.delete(host(), id).wait().unwrap();
    };
    world.clock.advance(2 * HOUR);
    delete(1);
    world.clock.set(START);
    delete(2);
    // The store forgets by revision, and the older revision has the later time.
    assert_eq!(world.authority.purge(host(), START.saturating_add(HOUR)).wait().unwrap().changed, 0);
    assert_eq!(world.authority.purge(host(), START.saturating_add(2 * HOUR)).wait().unwrap().changed, 2);
}

#[test]
fn more_than_fit_into_a_commit_are_purged_all_the_same() {
    let world = World::new();
    let new = || NewToken::all_access(org(1)).owner(user(1)).expires_in(HOUR);
    let pending: Vec<_> = (0..1_500).map(|_| world.authority.create(host(), new())).collect();
    pending.into_iter().for_each(ok);
    // What is forgotten along with them takes a place, too.
    ok(world.authority.delete(host(), world.issue(NewToken::operator()).token.id()));
    world.clock.advance(HOUR);
    assert_eq!(world.authority.purge(host(), world.now()).wait().unwrap().changed, 1_501);
    assert_eq!(all(&world.authority), []);
    assert_eq!(world.authority.purge(host(), world.now()).wait().unwrap().changed, 1_500);
}

#[test]
fn last_use_is_told_to_the_second_and_survives() {
    let world = World::new();
    let issued = world.issue(NewToken::operator());
    let id = issued.token.id();
    assert_eq!(world.token(id).last_used_at(), None);
    let principal = world.login(&issued);
    assert_eq!(world.token(id).last_used_at(), Some(START));
    // Refused is not used; a decision on a held principal is none of a secret.
    world.clock.advance(HOUR);
    world.authority.update(host(), id, Update::new().deactivate()).wait().unwrap();
    assert!(world.authority.authenticate(issued.secret.expose()).is_err());
    world.authority.update(host(), id, Update::new().activate()).wait().unwrap();
    principal.check().unwrap();
    assert_eq!(world.token(id).last_used_at(), Some(START));
    _ = world.login(&issued);
    let used = Some(START.saturating_add(HOUR));
    assert_eq!(world.token(id).last_used_at(), used);
    // A change keeps it, a clock that steps back too.
    world.clock.set(START);
    world.authority.update(host(), id, Update::new().description("x")).wait().unwrap();
    _ = world.login(&issued);
    assert_eq!(world.token(id).last_used_at(), used);

    let World { authority, store, .. } = world;
    let revision = authority.position();
    authority.close().wait().unwrap();
    let reopened = portcullis::Authority::open(store).wait().unwrap();
    assert_eq!(reopened.get(host(), id).unwrap().last_used_at(), used);
    assert_eq!(reopened.position(), revision);
}

#[test]
fn last_use_by_a_former_secret_never_goes_back_either() {
    let world = World::new();
    let before = world.issue(NewToken::operator());
    ok(world.authority.rotate(host(), before.token.id(), portcullis::Rotation::new().overlap(9 * HOUR)));
    world.clock.advance(HOUR);
    // A call makes it look at the clock.
    ok(world.authority.update(host(), before.token.id(), Update::new().description("x")));
    _ = world.login(&before);
    let used = Some(world.now());
    assert_eq!(world.token(before.token.id()).last_used_at(), used);
    world.clock.set(START);
    ok(world.authority.update(host(), before.token.id(), Update::new().description("y")));
    _ = world.login(&before);
    assert_eq!(world.token(before.token.id()).last_used_at(), used);
}

#[test]
fn last_use_and_failures_are_told_however_rarely_the_store_is_followed() {
    let world = World::new();
    let rarely = |builder: AuthorityBuilder| builder.follow(HOUR).write_last_used(Duration::ZERO);
    let node = world.node_with(rarely);
    let issued = world.authority.create(host(), NewToken::operator().owner(user(1))).wait().unwrap();
    assert!(node.authenticate(issued.secret.expose()).is_err(), "not followed yet");
    eventually("told", || {
        world.events.take().iter().any(|event| event == "not authenticated: no token has this secret")
    });
    assert!(node.get(host(), issued.token.id()).is_err(), "still not followed");

    // A call finds that it has to follow.
    ok(node.update(host(), issued.token.id(), Update::new().description("followed")));
    node.authenticate(issued.secret.expose()).unwrap();
    eventually("written", || world.node().get(host(), issued.token.id()).unwrap().last_used_at() == Some(world.now()));
}

#[test]
fn last_use_of_a_token_is_not_that_of_another_which_takes_its_place() {
    let world = World::new();
    let first = world.issue(NewToken::operator());
    _ = world.login(&first);
    world.authority.delete(host(), first.token.id()).wait().unwrap();
    let tokens: Vec<_> = (0..20).map(|_| world.issue(NewToken::operator()).token.id()).collect();
    assert!(tokens.iter().all(|id| world.token(*id).last_used_at().is_none()));
    world.authority.close().wait().unwrap();
    let reopened = portcullis::Authority::open(world.store).wait().unwrap();
    assert!(tokens.iter().all(|id| reopened.get(host(), *id).unwrap().last_used_at().is_none()));
}

#[test]
fn last_use_on_another_node_is_seen_with_the_next_change() {
    let world = World::new();
    let node = world.node_with(|builder| {
        builder.follow(std::time::Duration::from_millis(1)).write_last_used(std::time::Duration::ZERO)
    });
    let issued = world.issue(NewToken::operator());
    eventually("followed", || node.get(host(), issued.token.id()).is_ok());
    let used = |principal: &Principal<'_>| principal.token().unwrap().last_used_at();
    assert_eq!(used(&node.authenticate(issued.secret.expose()).unwrap()), Some(START));
    node.close().wait().unwrap();
    assert_eq!(world.token(issued.token.id()).last_used_at(), None);
    assert_eq!(world.node().get(host(), issued.token.id()).unwrap().last_used_at(), Some(START));
}
