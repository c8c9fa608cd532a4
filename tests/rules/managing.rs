//! Rules 9 to 11 and 13: who may make, change and end tokens.

use std::sync::Barrier;

use portcullis::{
    Creator, Error, MemoryStore, NewToken, Principal, RedbStore, Rotation, Standing, Status, TokenKind, Update, Updated,
};

use test_support::fixture::{
    HOUR, START, TICK, World, all, bucket, custom, host, id_of, ids, ok, org, set, text, user,
};

const SET_UP_BEFORE: &str = "setup was done before; an operator, or the host, makes further operator tokens";

#[test]
fn rule_09_setup_makes_the_first_operator_once() {
    let world = World::new();
    assert!(!world.authority.is_set_up().unwrap());
    let root = world.authority.setup(user(1)).wait().unwrap();
    assert_eq!(root.token.kind(), &TokenKind::operator());
    assert_eq!((root.token.owner(), root.token.expires_at()), (user(1), None));
    assert_eq!(root.token.creator(), &Creator::Host("setup".into()));
    assert_eq!(text(world.authority.setup(user(2))), SET_UP_BEFORE);

    // Deleting the operator, and forgetting it, does not reopen setup.
    world.authority.delete(host(), root.token.id()).wait().unwrap();
    world.authority.purge(host(), START).wait().unwrap();
    assert_eq!(all(&world.authority), []);
    for authority in [&world.authority, &world.node()] {
        assert!(authority.is_set_up().unwrap());
        assert_eq!(text(authority.setup(user(1))), SET_UP_BEFORE);
    }
}

#[test]
fn rule_09_setup_is_for_a_store_that_never_held_an_operator() {
    let world = World::new();
    _ = world.issue(NewToken::all_access(org(1)));
    assert!(!world.authority.is_set_up().unwrap());
    let recovered = world.issue(NewToken::operator());
    assert!(world.authority.is_set_up().unwrap());
    world.authority.delete(host(), recovered.token.id()).wait().unwrap();
    assert_eq!(text(world.authority.setup(user(1))), SET_UP_BEFORE);
}

#[test]
fn rule_09_an_operator_that_was_another_kind_before_counts_too() {
    let world = World::new();
    let id = world.issue(NewToken::of_kind(TokenKind::custom(None, set(&["read:users"])).unwrap())).token.id();
    ok(world.authority.update(host(), id, Update::new().kind(TokenKind::operator())));
    assert_eq!(text(world.authority.setup(user(1))), SET_UP_BEFORE);
    ok(world.authority.delete(host(), id));
    assert_eq!(text(world.node().setup(user(1))), SET_UP_BEFORE);
}

#[test]
fn rule_09_that_setup_was_done_is_durable() {
    let directory = tempfile::tempdir().unwrap();
    let open = || RedbStore::open(directory.path().join("tokens.redb")).unwrap();
    let authority = portcullis::Authority::open(open()).wait().unwrap();
    let root = authority.setup(user(1)).wait().unwrap();
    authority.delete(host(), root.token.id()).wait().unwrap();
    drop(authority);
    let authority = portcullis::Authority::open(open()).wait().unwrap();
    assert_eq!(text(authority.setup(user(1))), SET_UP_BEFORE);
}

#[test]
fn rule_10_who_may_manage_tokens_can_be_asked_before() {
    let world = World::new();
    let one = world.issue(NewToken::all_access(org(1))).token.id();
    let asked = |new: NewToken, organization, id| {
        let answer = world.authority.may_manage(&world.principal(new), organization, id);
        answer.map_err(|error| error.to_string())
    };
    let missing = |what: String| Err(format!("missing permission `write:{what}`"));
    let all = format!("orgs/{}/authorizations", org(1));
    let on_one = || custom(org(1), &[&format!("write:orgs/O/authorizations/{one}")]);
    assert_eq!(asked(NewToken::operator(), None, None), Ok(()));
    assert_eq!(asked(NewToken::all_access(org(1)), Some(org(1)), None), Ok(()));
    assert_eq!(asked(NewToken::all_access(org(2)), Some(org(1)), None), missing(all.clone()));
    assert_eq!(asked(on_one(), Some(org(1)), Some(one)), Ok(()));
    assert_eq!(asked(on_one(), Some(org(1)), None), missing(all));
    let operators = "managing a token without an organization needs an operator token";
    assert_eq!(asked(NewToken::all_access(org(1)), None, None), Err(operators.into()));
    world.authority.may_manage(host(), None, None).unwrap();
    let revoked = world.principal(NewToken::operator());
    ok(world.authority.revoke(host(), id_of(&revoked)));
    let refused = world.authority.may_manage(&revoked, None, None).unwrap_err();
    assert_eq!(refused.to_string(), "the acting token is not accepted: the token is revoked");
}

#[test]
fn rule_09_of_racing_setups_exactly_one_wins() {
    for _ in 0..20 {
        let mut world = World::new();
        world.store = MemoryStore::new();
        // Two authorities, as in two processes, and two threads on each.
        let nodes = [world.node(), world.node()];
        let barrier = Barrier::new(4);
        let race = |number: usize| {
            barrier.wait();
            nodes[number % 2].setup(user(1)).wait()
        };
        let answers: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|number| scope.spawn(move || race(number))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 3));
        assert!(lost.iter().all(|error| matches!(error, Err(Error::AlreadySetUp))));
        assert_eq!(all(&world.node()).len(), 1);
    }
}

#[test]
fn rule_09_later_only_an_operator_or_the_host_makes_operators() {
    let world = World::new();
    let root = world.authority.setup(user(1)).wait().unwrap();
    let operator = world.login(&root);
    for actor in [
        world.principal(NewToken::all_access(org(1))),
        world.principal(NewToken::of_kind(TokenKind::custom(None, set(&["read:*", "write:*"])).unwrap())),
        world.principal(NewToken::read_write(org(1)).read(bucket(1))),
    ] {
        let answer = world.authority.create(&actor, NewToken::operator());
        assert_eq!(text(answer), "managing an operator token needs an operator token");
    }
    ok(world.authority.create(&operator, NewToken::operator()));
    // Recovery: no operator is left, the host makes one.
    for token in all(&world.authority) {
        world.authority.delete(host(), token.id()).wait().unwrap();
    }
    _ = world.issue(NewToken::operator());
}

#[test]
fn rule_10_no_amplification_by_kind() {
    let world = World::new();
    let missing = |number| format!("missing permission `write:orgs/{}/authorizations`", org(number));
    let all_access = world.principal(NewToken::all_access(org(1)));
    for new in [
        NewToken::all_access(org(1)),
        NewToken::read_write(org(1)).write(bucket(1)).checked().unwrap(),
        custom(org(1), &["write:orgs/O/invented"]),
    ] {
        ok(world.authority.create(&all_access, new));
    }
    assert_eq!(text(world.authority.create(&all_access, NewToken::all_access(org(2)))), missing(2));
    let reader = world.principal(NewToken::read_write(org(1)).read(bucket(1)));
    assert_eq!(text(world.authority.create(&reader, NewToken::read_write(org(1)).read(bucket(1)))), missing(1));
    // Read is not write, and one token's authorization is not all of them.
    for permission in ["read:orgs/O/*", "write:orgs/O/authorizations/00000000000000b1"] {
        let actor = world.principal(custom(org(1), &[permission]));
        assert_eq!(text(world.authority.create(&actor, custom(org(1), &[permission]))), missing(1));
    }
    let issuer = world.principal(custom(org(1), &["write:orgs/O/authorizations", "read:orgs/O/buckets"]));
    ok(world.authority.create(&issuer, NewToken::read_write(org(1)).read(bucket(1))));
    let refused = world.authority.create(&issuer, NewToken::read_write(org(1)).read(bucket(1)).write(bucket(2)));
    let lacking = format!("the acting token does not have `write:orgs/{}/buckets/{}`", org(1), bucket(2));
    assert_eq!(text(refused), lacking);
    // The same for the changes that give power again.
    let mighty = world.issue(NewToken::all_access(org(1)));
    let id = mighty.token.id();
    world.authority.update(host(), id, Update::new().deactivate().expires_in(HOUR)).wait().unwrap();
    let reading = world.principal(custom(org(1), &["write:orgs/O/authorizations", "read:orgs/O/*"]));
    let lacking = format!("the acting token does not have `*:orgs/{}/*`", org(1));
    for update in [Update::new().activate(), Update::new().never_expires(), Update::new().expires_in(2 * HOUR)] {
        assert_eq!(text(world.authority.update(&reading, id, update)), lacking);
    }
    assert_eq!(text(world.authority.rotate(&reading, id, Rotation::new())), lacking);
}

#[test]
fn rule_10_a_refusal_names_the_first_of_many_permissions() {
    let world = World::new();
    let actor = world.principal(custom(org(1), &["write:orgs/O/authorizations"]));
    let wanted =
        |buckets: u64| (1..=buckets).fold(NewToken::read_write(org(1)), |new, number| new.read(bucket(number)));
    let named = |buckets: std::ops::RangeInclusive<u64>| {
        let named = buckets.map(|number| format!("`read:orgs/{}/buckets/{}`", org(1), bucket(number)));
        format!("the acting token does not have {}", named.collect::<Vec<_>>().join(", "))
    };
    assert_eq!(text(world.authority.create(&actor, wanted(8))), named(1..=8));
    assert_eq!(text(world.authority.create(&actor, wanted(10_000))), named(1..=8) + " and 9992 more");
    match world.authority.create(&actor, wanted(10_000)).wait() {
        Err(Error::Exceeds(all)) => assert_eq!(all.len(), 10_000),
        answer => panic!("{answer:?}"),
    }
}

#[test]
fn rule_10_no_amplification_by_expiry() {
    let world = World::new();
    let end = START.saturating_add(HOUR);
    let outlives = format!("the acting token expires at {end}, and the other would outlive it");
    for kind in [TokenKind::operator(), TokenKind::all_access(org(1))] {
        let actor = world.principal(NewToken::of_kind(kind).expires_at(end));
        let new = || NewToken::read_write(org(1)).read(bucket(1)).owner(user(1));
        for longer in [new(), new().expires_at(end.saturating_add(TICK)), new().expires_in(2 * HOUR)] {
            assert_eq!(text(world.authority.create(&actor, longer)), outlives);
        }
        let equal = world.authority.create(&actor, new().expires_at(end)).wait().unwrap().token;
        assert_eq!(equal.expires_at(), Some(end));
        for longer in [Update::new().never_expires(), Update::new().expires_at(end.saturating_add(TICK))] {
            assert_eq!(text(world.authority.update(&actor, equal.id(), longer.clone())), outlives);
            // Itself neither.
            assert_eq!(text(world.authority.update(&actor, id_of(&actor), longer)), outlives);
        }
        let longer = world.issue(new()).token.id();
        assert_eq!(text(world.authority.rotate(&actor, longer, Rotation::new())), outlives);
        let kind = TokenKind::read_write(org(1), [(bucket(2), portcullis::Action::READ)]).unwrap();
        assert_eq!(text(world.authority.update(&actor, longer, Update::new().kind(kind))), outlives);
        // What neither gives it more nor makes it last longer is allowed, its own end said again too.
        for harmless in [Update::new().description("longer"), Update::new().activate(), Update::new().never_expires()] {
            ok(world.authority.update(&actor, longer, harmless));
        }
        let later = end.saturating_add(HOUR);
        let other = world.issue(new().expires_at(later)).token.id();
        ok(world.authority.update(&actor, other, Update::new().expires_at(later)));
        // Ending it is dominance, where expiry does not matter; reactivating it is not.
        world.authority.update(&actor, longer, Update::new().deactivate()).wait().unwrap();
        assert_eq!(text(world.authority.update(&actor, longer, Update::new().activate())), outlives);
        let shorter = Update::new().activate().expires_at(end);
        assert_eq!(world.authority.update(&actor, longer, shorter).wait().unwrap().token.status(), Status::Active);
    }
}

#[test]
fn rule_10_a_token_that_expired_comes_back_only_within_the_actors_own_end() {
    let world = World::new();
    let id = world.issue(NewToken::all_access(org(1)).expires_in(HOUR)).token.id();
    let end = START.saturating_add(3 * HOUR);
    let actor = world.principal(NewToken::all_access(org(1)).expires_at(end));
    world.clock.advance(2 * HOUR);
    let outlives = format!("the acting token expires at {end}, and the other would outlive it");
    assert_eq!(text(world.authority.update(&actor, id, Update::new().expires_in(2 * HOUR))), outlives);
    world.authority.update(&actor, id, Update::new().expires_at(end)).wait().unwrap();
}

#[test]
fn rule_10_a_principals_tokens_take_its_own_owner() {
    let world = World::new();
    let all_access = world.principal(NewToken::all_access(org(1)));
    let new = || NewToken::all_access(org(1));
    assert_eq!(world.authority.create(&all_access, new()).wait().unwrap().token.owner(), user(1));
    assert_eq!(world.authority.create(&all_access, new().owner(user(1))).wait().unwrap().token.owner(), user(1));
    let refused = world.authority.create(&all_access, new().owner(user(2)));
    assert_eq!(text(refused), "managing a token of another owner needs an operator token");
    let operator = world.principal(NewToken::operator());
    assert_eq!(world.authority.create(&operator, new().owner(user(2))).wait().unwrap().token.owner(), user(2));
    assert_eq!(world.authority.create(&operator, new()).wait().unwrap().token.owner(), user(1));
    assert_eq!(text(world.authority.create(host(), new())), "a token made by the host needs an owner");
}

#[test]
fn rule_10_who_created_a_token_is_stored_for_good_and_can_be_revoked_with_it() {
    let world = World::new();
    let new = || NewToken::all_access(org(1));
    let child = |parent: &portcullis::Issued| world.authority.create(&world.login(parent), new()).wait().unwrap();
    let root = world.issue(new());
    let (first, sibling) = (child(&root), child(&root));
    let (second, third) = (child(&first), child(&first));
    let last = child(&second);
    let lineage = [root.token.id(), first.token.id(), second.token.id()];
    assert_eq!(last.token.creator().lineage(), lineage);
    assert_eq!(last.token.creator().token(), Some(second.token.id()));
    // Changed by others, rotated, its creator deleted, read again: it stays.
    world.authority.update(host(), last.token.id(), Update::new().description("x")).wait().unwrap();
    ok(world.authority.rotate(host(), last.token.id(), Rotation::new()));
    world.authority.delete(host(), second.token.id()).wait().unwrap();
    assert_eq!(world.token(last.token.id()).creator().lineage(), lineage);
    assert_eq!(world.node().get(host(), last.token.id()).unwrap().creator().lineage(), lineage);

    // One that is inactive only could be reactivated.
    ok(world.authority.update(host(), third.token.id(), Update::new().deactivate()));
    let revoked = world.authority.revoke_all(host(), first.token.id()).wait().unwrap();
    assert_eq!(revoked.changed, 3);
    for (token, status) in [(&root, Status::Active), (&sibling, Status::Active), (&first, Status::Revoked)] {
        assert_eq!(world.token(token.token.id()).status(), status);
    }
    assert_eq!(world.token(third.token.id()).status(), Status::Revoked);
    assert_eq!(world.token(last.token.id()).status(), Status::Revoked);
    assert_eq!(world.authority.revoke_all(host(), first.token.id()).wait().unwrap().changed, 0);
    // A deleted one's, too; of one that never was there is nothing to revoke.
    let orphan = child(&sibling);
    world.authority.delete(host(), sibling.token.id()).wait().unwrap();
    assert_eq!(world.authority.revoke_all(host(), sibling.token.id()).wait().unwrap().changed, 1);
    assert_eq!(world.authority.revoke_all(host(), sibling.token.id()).wait().unwrap().changed, 0);
    assert_eq!(world.token(orphan.token.id()).status(), Status::Revoked);
    let unknown = portcullis::TokenId::generate().unwrap();
    assert_eq!(text(world.authority.revoke_all(host(), unknown)), format!("token `{unknown}` not found"));
}

#[test]
fn rule_10_more_than_fit_into_a_commit_are_revoked_all_the_same() {
    let world = World::new();
    let root = world.issue(NewToken::all_access(org(1)));
    let principal = world.login(&root);
    let pending: Vec<_> =
        (0..2_100).map(|_| world.authority.create(&principal, NewToken::all_access(org(1)))).collect();
    pending.into_iter().for_each(ok);
    // By itself: it goes first, and the rest is still done.
    let receipt = world.authority.revoke_all(&principal, root.token.id()).wait().unwrap();
    assert_eq!((receipt.changed, receipt.revision), (2_101, world.authority.position().revision));
    assert!(all(&world.authority).iter().all(|token| token.status() == Status::Revoked));
}

#[test]
fn rule_10_a_lineage_has_an_end() {
    let world = World::new();
    let mut last = world.issue(NewToken::all_access(org(1)));
    for _ in 0..NewToken::MAX_LINEAGE {
        last = world.authority.create(&world.login(&last), NewToken::all_access(org(1))).wait().unwrap();
    }
    let answer = world.authority.create(&world.login(&last), NewToken::all_access(org(1)));
    assert_eq!(text(answer), "a chain of tokens that created each other has at most 32 links");
}

#[test]
fn rule_11_to_end_a_token_the_actor_covers_its_kind_and_has_write() {
    let world = World::new();
    let new = || NewToken::read_write(org(1)).write(bucket(1));
    let may = ["write:orgs/O/authorizations", "write:orgs/O/buckets", "read:orgs/O/authorizations"];
    let issuer = world.principal(custom(org(1), &may).expires_in(HOUR));
    // Without read on them.
    let blind = world.principal(custom(org(1), &may[..2]).expires_in(HOUR));
    let end = |actor: &Principal<'_>, id| {
        [
            world.authority.update(actor, id, Update::new().deactivate()).wait().map(|_| ()),
            world.authority.revoke(actor, id).wait().map(|_| ()),
            world.authority.revoke_all(actor, id).wait().map(|_| ()),
            world.authority.delete(actor, id).wait().map(|_| ()),
        ]
    };
    // One that it covers, though that one never expires.
    for actor in [&issuer, &blind] {
        assert!(end(actor, world.issue(new()).token.id()).iter().all(Result::is_ok));
    }
    // One that it does not cover. Who may not see it does not learn what it can do.
    let stronger = world.issue(new().read(bucket(1))).token.id();
    let power = format!("the acting token does not have `read:orgs/{}/buckets/{}`", org(1), bucket(1));
    for (actor, refusal) in [(&issuer, power), (&blind, format!("token `{stronger}` not found"))] {
        for answer in end(actor, stronger) {
            assert_eq!(answer.unwrap_err().to_string(), refusal);
        }
    }
    // Without that write it may not, and does not even learn that there is such a token.
    let target = world.issue(new()).token.id();
    let reader = world.principal(custom(org(1), &["read:orgs/O/authorizations", "write:orgs/O/buckets"]));
    let missing = format!("missing permission `write:orgs/{}/authorizations/{target}`", org(1));
    assert_eq!(text(world.authority.revoke(&reader, target)), missing);
    let outsider = world.principal(NewToken::all_access(org(2)));
    let sibling = world.principal(new());
    for actor in [outsider, sibling] {
        assert_eq!(text(world.authority.revoke(&actor, target)), format!("token `{target}` not found"));
        assert_eq!(text(world.authority.delete(&actor, target)), format!("token `{target}` not found"));
    }
    // Write on that one token's authorization is enough.
    let one = format!("write:orgs/O/authorizations/{target}");
    let janitor = world.principal(custom(org(1), &[&one, "write:orgs/O/buckets"]));
    world.authority.revoke(&janitor, target).wait().unwrap();
    // Operators are ended by operators only.
    let operator = world.principal(NewToken::operator());
    let everything = world.principal(NewToken::of_kind(TokenKind::custom(None, set(&["read:*", "write:*"])).unwrap()));
    let answer = world.authority.revoke(&everything, id_of(&operator));
    assert_eq!(text(answer), format!("token `{}` not found", id_of(&operator)));
    world.authority.revoke(&operator, id_of(&everything)).wait().unwrap();
}

#[test]
fn rule_11_what_was_created_under_a_token_is_ended_only_by_who_covers_it() {
    let world = World::new();
    let parent = world.issue(NewToken::all_access(org(1)));
    let child = world.authority.create(&world.login(&parent), NewToken::all_access(org(1))).wait().unwrap();
    // The parent has little power now, its child still all.
    let little = TokenKind::custom(Some(org(1)), set(&["write:orgs/O/authorizations"])).unwrap();
    world.authority.update(host(), parent.token.id(), Update::new().kind(little)).wait().unwrap();
    let may = ["write:orgs/O/authorizations", "read:orgs/O/authorizations"];
    let reader = world.principal(custom(org(1), &may));
    let answer = world.authority.revoke_all(&reader, parent.token.id());
    let (all, authorizations) = (format!("orgs/{}/*", org(1)), "the acting token does not have");
    assert_eq!(text(answer), format!("{authorizations} `*:{all}`"));
    // Who may not see the child does not learn what it can do.
    let issuer = world.principal(custom(org(1), &may[..1]));
    let answer = world.authority.revoke_all(&issuer, parent.token.id());
    assert_eq!(text(answer), format!("missing permission `read:orgs/{}/authorizations`", org(1)));
    assert_eq!(world.token(child.token.id()).status(), Status::Active);
    assert_eq!(world.token(parent.token.id()).status(), Status::Active);
    world.authority.revoke(&issuer, parent.token.id()).wait().unwrap();
}

#[test]
fn a_principal_has_its_tokens_id_as_long_as_its_secret_is_the_tokens() {
    let world = World::new();
    let authority = &world.authority;
    let principals = [1, 2, 3].map(|_| world.principal(NewToken::operator()).into_owned());
    let ids = principals.each_ref().map(|principal| principal.token_id().unwrap());
    assert_eq!(ids, principals.each_ref().map(|principal| principal.token().unwrap().id()));
    let [revoked, rotated, deleted] = &principals;
    // Refused, and the token's all the same.
    authority.revoke(host(), ids[0]).wait().unwrap();
    assert_eq!((revoked.token_id(), revoked.token()), (Some(ids[0]), Err(portcullis::Reason::Revoked)));
    _ = authority.rotate(host(), ids[1], Rotation::new().overlap(HOUR)).wait().unwrap();
    assert_eq!(rotated.token_id(), Some(ids[1]));
    world.clock.advance(HOUR);
    assert_eq!(rotated.token_id(), None);
    authority.delete(host(), ids[2]).wait().unwrap();
    assert_eq!(deleted.token_id(), None);
    authority.close().wait().unwrap();
    assert_eq!(principals.map(|principal| principal.token_id()), [Some(ids[0]), None, None]);
}

#[test]
fn rule_11_a_live_token_looks_at_itself_and_revokes_itself_but_does_not_rotate_itself() {
    let world = World::new();
    let reader = NewToken::read_write(org(1)).read(bucket(1)).checked().unwrap();
    for new in [NewToken::operator(), NewToken::all_access(org(1)), reader] {
        let principal = world.principal(new);
        let id = id_of(&principal);
        assert_eq!(world.authority.get(&principal, id).unwrap(), principal.token().unwrap());
        assert!(world.authority.rotate(&principal, id, Rotation::new()).wait().is_err());
        world.authority.revoke(&principal, id).wait().unwrap();
        assert_eq!(principal.check(), Err(portcullis::Reason::Revoked));
        let refused = world.authority.get(&principal, id).unwrap_err();
        assert_eq!(refused.to_string(), "the acting token is not accepted: the token is revoked");
    }
    // Nor through a token that it makes for that, or one that that one makes.
    let refusal =
        "a token can rotate neither itself nor one that it was created under: a thief would lock the owner out";
    let mighty = world.principal(NewToken::all_access(org(1)));
    let create = |actor: &portcullis::Principal<'_>| {
        let issued = world.authority.create(actor, NewToken::all_access(org(1))).wait().unwrap();
        world.authority.authenticate(issued.secret.expose()).unwrap()
    };
    let child = create(&mighty);
    let grandchild = create(&child);
    for actor in [&mighty, &child, &grandchild] {
        assert_eq!(text(world.authority.rotate(actor, id_of(&mighty), Rotation::new())), refusal);
    }
    _ = world.authority.rotate(&mighty, id_of(&grandchild), Rotation::new()).wait().unwrap();
}

#[test]
fn rule_13_update_changes_description_status_expiry_and_kind_and_nothing_else() {
    let world = World::new();
    let issued = world.issue(NewToken::all_access(org(1)).description("before"));
    let before = issued.token.clone();
    world.clock.advance(HOUR);
    let end = START.saturating_add(9 * HOUR);
    let kind = TokenKind::read_write(org(1), [(bucket(1), portcullis::Action::READ)]).unwrap();
    let update = Update::new().description("after").deactivate().expires_at(end).kind(kind.clone());
    let Updated { token: after, receipt, .. } = world.authority.update(host(), before.id(), update).wait().unwrap();
    assert_eq!((receipt.revision, receipt.changed), (after.revision(), 1));
    assert_eq!((after.description(), after.status(), after.expires_at()), ("after", Status::Inactive, Some(end)));
    assert_eq!(after.kind(), &kind);
    assert_eq!((after.id(), after.owner(), after.creator()), (before.id(), before.owner(), before.creator()));
    assert_eq!((after.created_at(), after.updated_at()), (START, START.saturating_add(HOUR)));
    assert!(after.revision() > before.revision());
    // What is not said stays, and no change is no commit.
    let revision = world.authority.position();
    let unchanged = world.authority.update(host(), before.id(), Update::new()).wait().unwrap();
    assert_eq!((unchanged.token, unchanged.receipt.changed), (after, 0));
    assert_eq!(world.authority.position(), revision);
    let back = world.authority.update(host(), before.id(), Update::new().activate().never_expires()).wait().unwrap();
    let back = back.token;
    assert_eq!((back.status(), back.expires_at(), back.description()), (Status::Active, None, "after"));
    world.login(&issued).check().unwrap();
    for kind in
        [TokenKind::operator(), TokenKind::all_access(org(2)), TokenKind::custom(None, set(&["read:*"])).unwrap()]
    {
        let answer = world.authority.update(host(), before.id(), Update::new().kind(kind));
        assert_eq!(text(answer), "a token cannot move to another organization");
    }
}

#[test]
fn rule_13_whoever_changes_the_kind_covers_both() {
    let world = World::new();
    let issuer = world.principal(custom(
        org(1),
        &["write:orgs/O/authorizations", "read:orgs/O/authorizations", "read:orgs/O/buckets"],
    ));
    let kind = |action| TokenKind::read_write(org(1), [(bucket(1), action)]).unwrap();
    let (read, write) = (kind(portcullis::Action::READ), kind(portcullis::Action::WRITE));
    let lacking = format!("the acting token does not have `write:orgs/{}/buckets/{}`", org(1), bucket(1));
    for (old, new) in [(&read, &write), (&write, &read)] {
        let id = world.issue(NewToken::of_kind(old.clone())).token.id();
        assert_eq!(text(world.authority.update(&issuer, id, Update::new().kind(new.clone()))), lacking);
    }
    let id = world.issue(NewToken::of_kind(read.clone())).token.id();
    let both = TokenKind::read_write(org(1), [1, 2].map(|number| (bucket(number), portcullis::Action::READ))).unwrap();
    assert_eq!(
        world.authority.update(&issuer, id, Update::new().kind(both.clone())).wait().unwrap().token.kind(),
        &both
    );
}

#[test]
fn rule_13_a_change_takes_effect_on_principals_already_held() {
    let world = World::new();
    let principal = world.principal(NewToken::all_access(org(1)));
    let resource = portcullis::Resource::bucket(org(1), bucket(1));
    for kind in [
        TokenKind::read_write(org(1), [(bucket(1), portcullis::Action::READ)]).unwrap(),
        TokenKind::read_write(org(1), [1, 2].map(|number| (bucket(number), portcullis::Action::READ))).unwrap(),
        TokenKind::custom(Some(org(1)), set(&["read:orgs/O/buckets"])).unwrap(),
        TokenKind::read_write(org(1), [(bucket(2), portcullis::Action::READ)]).unwrap(),
        TokenKind::all_access(org(1)),
    ] {
        world.authority.update(host(), id_of(&principal), Update::new().kind(kind.clone())).wait().unwrap();
        for action in [portcullis::Action::READ, portcullis::Action::WRITE] {
            assert_eq!(principal.authorize(action, resource).is_ok(), kind.permissions().allows(action, &resource));
        }
    }
}

#[test]
fn rule_13_an_update_can_depend_on_the_revision_that_was_read() {
    let world = World::new();
    let before = world.issue(NewToken::all_access(org(1))).token;
    let conditional = |revision, description: &str| {
        let update = Update::new().description(description).if_revision(revision);
        world.authority.update(host(), before.id(), update)
    };
    // Another token's change does not count, nor does what is no change of the token itself.
    _ = world.issue(NewToken::all_access(org(1)));
    world.authority.set_owner_standing(host(), user(1), Standing::Suspended).wait().unwrap();
    let after = conditional(before.revision(), "first").wait().unwrap().token;
    let stale = format!(
        "token `{}` is at revision {}, not {}; read it again",
        before.id(),
        after.revision(),
        before.revision()
    );
    assert_eq!(text(conditional(before.revision(), "second")), stale);
    assert_eq!(world.token(before.id()).description(), "first");
    conditional(after.revision(), "third").wait().unwrap();
}

#[test]
fn an_actor_that_is_not_accepted_or_belongs_elsewhere_manages_nothing() {
    let world = World::new();
    let operator = world.principal(NewToken::operator());
    let id = id_of(&operator);
    let node = world.node();
    let foreign = "the acting principal belongs to another authority";
    let answers = [
        text(node.create(&operator, NewToken::operator())),
        text(node.update(&operator, id, Update::new())),
        text(node.rotate(&operator, id, Rotation::new())),
        text(node.revoke(&operator, id)),
        text(node.revoke_all(&operator, id)),
        text(node.delete(&operator, id)),
        text(node.set_owner_standing(&operator, user(1), Standing::Deleted)),
        text(node.set_organization_standing(&operator, org(1), Standing::Deleted)),
        text(node.purge(&operator, START)),
        node.get(&operator, id).unwrap_err().to_string(),
        node.list(&operator, &portcullis::Filter::default(), None, 1).unwrap_err().to_string(),
    ];
    assert!(answers.iter().all(|answer| answer == foreign), "{answers:?}");

    world.authority.update(host(), id, Update::new().deactivate()).wait().unwrap();
    let inactive = "the acting token is not accepted: the token is inactive";
    assert_eq!(text(world.authority.update(&operator, id, Update::new().activate())), inactive);
    assert_eq!(text(world.authority.revoke(&operator, id)), inactive);
    assert_eq!(ids(&all(&world.authority)), [id]);
    // Planned together: the actor dies before its own call.
    let actor = world.principal(NewToken::operator());
    let revoked = world.authority.revoke(host(), id_of(&actor));
    let refused = world.authority.create(&actor, NewToken::operator());
    revoked.wait().unwrap();
    assert_eq!(text(refused), "the acting token is not accepted: the token is revoked");
}

#[test]
fn only_operators_and_the_host_change_standings_and_purge() {
    let world = World::new();
    let actor = world.principal(NewToken::of_kind(TokenKind::custom(None, set(&["read:*", "write:*"])).unwrap()));
    let needs = "needs an operator token";
    let suspended = Standing::Suspended;
    let answers = [
        (text(world.authority.set_owner_standing(&actor, user(1), suspended)), "changing an owner's standing"),
        (
            text(world.authority.set_organization_standing(&actor, org(1), suspended)),
            "changing an organization's standing",
        ),
        (text(world.authority.purge(&actor, START)), "purging"),
    ];
    for (answer, what) in answers {
        assert_eq!(answer, format!("{what} {needs}"));
    }
    let operator = world.principal(NewToken::operator());
    world.authority.set_owner_standing(&operator, user(2), Standing::Suspended).wait().unwrap();
    world.authority.set_organization_standing(&operator, org(2), Standing::Suspended).wait().unwrap();
    world.authority.purge(&operator, START).wait().unwrap();
}
