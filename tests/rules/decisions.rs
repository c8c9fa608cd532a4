//! Rules 1 to 8: decisions.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis::store::{Changes, ChangesError, CommitError, CommitId, Position, Record, StoreError};
use portcullis::{
    Action, Authority, AuthorizeError, Denial, Error, Grant, Issued, KindError, Liveness, MemoryStore, NewToken,
    Permission, PermissionSet, Permit, Principal, Read, ReadWrite, Reason, Resource, ResourceType, Rotation, Secret,
    Standing, Timestamp, TokenId, TokenKind, TokenStore, Update, Verb, Write, decide, resource_type, verb,
};

use test_support::fixture::{HOUR, START, TICK, World, bucket, custom, eventually, host, id_of, ok, org, set, user};

const INVENTED: ResourceType = resource_type!("invented");
const EXECUTE: Verb = verb!("execute");
const UNHEARD_OF: Verb = verb!("unheard-of");

/// Resources of every shape, in two organizations and outside of them.
fn resources() -> Vec<Resource> {
    let mut resources = vec![
        Resource::INSTANCE,
        Resource::INSTANCE.with_id(bucket(1)),
        Resource::organization_itself(org(1)),
        Resource::organization_itself(org(2)),
    ];
    for kind in [ResourceType::BUCKETS, ResourceType::AUTHORIZATIONS, ResourceType::ORGS, INVENTED] {
        for whole in [Resource::global(kind), Resource::within(org(1), kind), Resource::within(org(2), kind)] {
            resources.extend([whole, whole.with_id(bucket(1)), whole.with_id(bucket(2))]);
        }
    }
    resources
}

/// A token of every kind in the first organization, with one bucket and with several, with few permissions and many.
fn kinds() -> Vec<TokenKind> {
    let many = (1..40).map(|number| (bucket(number), Action::READ));
    let custom = |permissions: &[&str]| TokenKind::custom(Some(org(1)), set(permissions)).unwrap();
    vec![
        TokenKind::operator(),
        TokenKind::all_access(org(1)),
        TokenKind::read_write(org(1), [(bucket(1), Action::READ)]).unwrap(),
        TokenKind::read_write(org(1), [(bucket(1), Action::READ_WRITE)]).unwrap(),
        TokenKind::read_write(org(1), [(bucket(1), Action::READ), (bucket(2), Action::WRITE)]).unwrap(),
        TokenKind::read_write(org(1), many).unwrap(),
        custom(&["read:orgs/O/buckets"]),
        custom(&["write:orgs/O/invented", "read:orgs/O/*", "write:orgs/O/buckets/00000000000000b1"]),
        custom(&["execute:orgs/O/invented", "read:orgs/O/invented", "*:orgs/O/buckets/00000000000000b2"]),
        TokenKind::custom(None, set(&["read:instance"])).unwrap(),
        TokenKind::custom(None, set(&["execute:*", "*:orgs"])).unwrap(),
        TokenKind::custom(None, set(&["read:*", "write:buckets"])).unwrap(),
        TokenKind::custom(None, set(&["read:*/00000000000000b1", "write:orgs/P/buckets"])).unwrap(),
    ]
}

/// Every kind of request, with a verb that no permission names.
fn actions() -> [Action; 5] {
    [Action::READ, Action::WRITE, Action::READ_WRITE, EXECUTE.into(), UNHEARD_OF.into()]
}

/// Which of the resources a principal may act on.
fn allowed(principal: &Principal<'_>, action: Action) -> Vec<Resource> {
    resources().into_iter().filter(|resource| principal.authorize(action, *resource).is_ok()).collect()
}

#[test]
fn rule_01_a_verb_that_nothing_grants_is_denied_and_named() {
    let world = World::new();
    for kind in kinds() {
        let any = kind.permissions().iter().any(|permission| permission.grant() == Grant::Any);
        let principal = world.principal(NewToken::of_kind(kind));
        for resource in resources() {
            let answer = principal.authorize(UNHEARD_OF, resource);
            if any {
                continue;
            }
            let denial = answer.unwrap_err();
            assert_eq!(denial.to_string(), format!("missing permission `unheard-of:{resource}`"));
        }
    }
}

#[test]
fn rules_03_04_any_action_covers_verbs_to_come() {
    let world = World::new();
    let operator = world.principal(NewToken::operator());
    assert_eq!(allowed(&operator, UNHEARD_OF.into()), resources());
    let all_access = world.principal(NewToken::all_access(org(1)));
    let mine: Vec<_> = resources().into_iter().filter(|resource| resource.organization() == Some(org(1))).collect();
    assert_eq!(allowed(&all_access, UNHEARD_OF.into()), mine);
    // Reading and writing everything is not it.
    let both = custom(org(1), &["read:orgs/O/*", "write:orgs/O/*"]);
    let both = world.principal(both);
    assert_eq!(allowed(&both, Action::READ_WRITE), mine);
    assert!(allowed(&both, UNHEARD_OF.into()).is_empty());
}

#[test]
fn rule_05_a_read_write_token_is_granted_no_verb() {
    let refused = TokenKind::read_write(org(1), [(bucket(1), EXECUTE.into())]).unwrap_err();
    let text = format!("a read/write token only reads and writes; bucket `{}` is granted `execute`", bucket(1));
    assert_eq!(refused.to_string(), text);
}

#[test]
fn rule_06_a_verb_is_granted_by_itself() {
    let world = World::new();
    let token = custom(org(1), &["execute:orgs/O/invented", "read:orgs/O/invented"]);
    let principal = world.principal(token);
    let invented = Resource::within(org(1), INVENTED);
    assert!(principal.authorize(EXECUTE, invented).is_ok() && principal.authorize(Read, invented).is_ok());
    assert!(principal.authorize(EXECUTE, invented.with_id(bucket(1))).is_ok());
    for (action, elsewhere) in [
        (Action::WRITE, invented),
        (UNHEARD_OF.into(), invented),
        (EXECUTE.into(), Resource::within(org(2), INVENTED)),
        (EXECUTE.into(), Resource::buckets(org(1))),
    ] {
        assert!(principal.authorize(action, elsewhere).is_err(), "{action} {elsewhere}");
    }
}

#[test]
fn rule_07_a_permission_without_an_organization_is_read_in_the_tokens() {
    let world = World::new();
    let narrowed = world.issue(custom(org(1), &["read:invented", "execute:*"])).token;
    let shown = format!("`read:orgs/{0}/invented`, `execute:orgs/{0}/*`", org(1));
    assert_eq!(narrowed.kind().permissions().to_string(), shown);
    let principal = world.principal(custom(org(1), &["read:invented", "execute:*"]));
    for resource in resources() {
        let mine = resource.organization() == Some(org(1));
        assert_eq!(principal.authorize(EXECUTE, resource).is_ok(), mine, "{resource}");
        let read = mine && resource.resource_type() == INVENTED;
        assert_eq!(principal.authorize(Read, resource).is_ok(), read, "{resource}");
    }
}

#[test]
fn rule_01_a_token_or_an_authority_that_is_gone_is_denied() {
    let world = World::new();
    let operator = world.principal(NewToken::operator());
    world.authority.delete(host(), id_of(&operator)).wait().unwrap();
    assert_eq!(operator.authorize(Read, Resource::INSTANCE).unwrap_err().reason(), Reason::Unknown);

    let operator = world.principal(NewToken::operator()).into_owned();
    _ = operator.authorize(Read, Resource::INSTANCE).unwrap();
    let World { authority, .. } = world;
    // Whoever holds it may close it; it stays closed.
    let authority = Arc::new(authority);
    authority.close().wait().unwrap();
    assert!(matches!(authority.close().wait(), Err(Error::Closed)));
    assert!(matches!(authority.setup(user(1)).wait(), Err(Error::Closed)));
    assert_eq!(operator.authorize(Read, Resource::INSTANCE).unwrap_err().reason(), Reason::Unavailable);
    assert_eq!(operator.check(), Err(Reason::Unavailable));
}

/// A store whose file was replaced by a backup, and that cannot be read from the start for a while.
#[derive(Clone, Default)]
struct Restored {
    store: Arc<Mutex<MemoryStore>>,
    broken: Arc<AtomicBool>,
}

impl TokenStore for Restored {
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Result<Position, CommitError> {
        self.store.lock().unwrap().commit(expected, id, records)
    }

    fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError> {
        if since == Position::ORIGIN && self.broken.load(Ordering::SeqCst) {
            return Err(ChangesError::Failed(StoreError::new("broken")));
        }
        self.store.lock().unwrap().changes(since, limit)
    }

    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        self.store.lock().unwrap().touch(used)
    }
}

#[test]
fn rule_01_a_store_that_was_replaced_and_cannot_be_read_denies_everything() {
    let store = Restored::default();
    let authority = Authority::builder().follow(Duration::from_millis(1)).open(store.clone()).wait().unwrap();
    let root = authority.setup(user(1)).wait().unwrap();
    let held = authority.authenticate(root.secret.expose()).unwrap();
    _ = held.authorize(Write, Resource::INSTANCE).unwrap();

    ok(authority.set_owner_standing(host(), user(9), Standing::Suspended));
    ok(authority.set_organization_standing(host(), org(9), Standing::Deleted));

    let others: Vec<_> = (0..5)
        .map(|_| authority.create(host(), NewToken::operator().owner(user(1))).wait().unwrap())
        .map(|issued| authority.authenticate(issued.secret.expose()).unwrap())
        .collect();

    let backup = MemoryStore::new();
    let other = Authority::open(backup.clone()).wait().unwrap();
    let kept = other.setup(user(1)).wait().unwrap();
    let theirs = other.create(host(), NewToken::all_access(org(1)).owner(user(2))).wait().unwrap();
    store.broken.store(true, Ordering::SeqCst);
    *store.store.lock().unwrap() = backup;
    eventually("denied", || held.check() == Err(Reason::Unavailable));
    for secret in [root.secret.expose(), kept.secret.expose()] {
        assert_eq!(authority.authenticate(secret).unwrap_err().reason(), Reason::Unavailable);
    }
    let refused = authority.create(&held, NewToken::operator()).wait().unwrap_err();
    assert_eq!(refused.to_string(), "the store failed, nothing changed");
    for actor in [host(), (&held).into()] {
        let refused = authority.list(&actor, &portcullis::Filter::default(), None, 10).unwrap_err();
        assert_eq!(refused.to_string(), "the authority is closed or reading its store anew");
        let refused = authority.get(&actor, root.token.id()).unwrap_err();
        assert_eq!(refused.to_string(), "the authority is closed or reading its store anew");
    }
    assert!(matches!(authority.is_set_up(), Err(Error::Unavailable)), "or strangers could set it up");

    store.broken.store(false, Ordering::SeqCst);
    eventually("read anew", || held.check() == Err(Reason::Unknown));
    assert_eq!(authority.authenticate(root.secret.expose()).unwrap_err().reason(), Reason::Unknown);
    // Nothing of the former store is left: no principal, and not even who was suspended there.
    assert!(others.iter().all(|principal| principal.check() == Err(Reason::Unknown)));
    authority.authenticate(theirs.secret.expose()).unwrap();
    assert_eq!(
        (authority.owner_standing(user(9)).unwrap(), authority.organization_standing(org(9)).unwrap()),
        (Standing::Active, Standing::Active)
    );
    _ = authority.authenticate(kept.secret.expose()).unwrap().authorize(Write, Resource::INSTANCE).unwrap();
}

#[test]
fn rule_02_a_token_that_is_not_live_is_denied_everything_and_the_reason_says_which() {
    type Change = fn(&World, TokenId);
    let ways: [(Reason, bool, Change); 7] = [
        (Reason::Inactive, true, |world, id| {
            world.authority.update(host(), id, Update::new().deactivate()).wait().unwrap();
        }),
        (Reason::Revoked, true, |world, id| _ = world.authority.revoke(host(), id).wait().unwrap()),
        (Reason::Expired, true, |world, _| world.clock.advance(HOUR)),
        (Reason::OwnerSuspended, true, |world, _| {
            world.authority.set_owner_standing(host(), user(1), Standing::Suspended).wait().unwrap();
        }),
        (Reason::OwnerDeleted, true, |world, _| {
            world.authority.set_owner_standing(host(), user(1), Standing::Deleted).wait().unwrap();
        }),
        (Reason::OrganizationSuspended, false, |world, _| {
            world.authority.set_organization_standing(host(), org(1), Standing::Suspended).wait().unwrap();
        }),
        (Reason::OrganizationDeleted, false, |world, _| {
            world.authority.set_organization_standing(host(), org(1), Standing::Deleted).wait().unwrap();
        }),
    ];
    for kind in kinds() {
        for (reason, always, change) in ways {
            let world = World::new();
            let issued = world.issue(NewToken::of_kind(kind.clone()).expires_in(HOUR));
            let principal = world.login(&issued);
            let before = allowed(&principal, Action::READ).len() + allowed(&principal, Action::WRITE).len();
            assert!(before > 0);
            change(&world, issued.token.id());
            if !always && kind.organization().is_none() {
                principal.check().unwrap();
                continue;
            }
            for resource in resources() {
                for action in [Action::READ, Action::WRITE, Action::READ_WRITE] {
                    let denial = principal.authorize(action, resource).unwrap_err();
                    assert_eq!(denial.reason(), reason);
                    assert_eq!((denial.resource(), denial.missing().count()), (resource, 0));
                    assert_eq!(denial.to_string(), reason.to_string());
                }
            }
            assert_eq!(principal.check(), Err(reason));
            assert_eq!(principal.token().unwrap_err(), reason);
            assert_eq!(principal.reach(Action::READ, Some(org(1)), ResourceType::BUCKETS).unwrap_err(), reason);
            let refused = world.authority.authenticate(issued.secret.expose()).unwrap_err();
            assert_eq!((refused.reason(), refused.to_string().as_str()), (reason, "the token is not accepted"));
        }
    }
}

#[test]
fn rule_02_expired_is_from_the_very_moment_on_and_no_expiry_is_never() {
    let world = World::new();
    let ends = world.principal(NewToken::operator().expires_at(START.saturating_add(HOUR)));
    let never = world.principal(NewToken::operator());
    world.clock.set(START.saturating_add(HOUR).saturating_sub(TICK));
    ends.check().unwrap();
    world.clock.advance(TICK);
    assert_eq!(ends.check(), Err(Reason::Expired));
    world.clock.set(Timestamp::MAX);
    assert_eq!(ends.check(), Err(Reason::Expired));
    never.check().unwrap();
    assert_eq!(never.token().unwrap().expires_at(), None);
    // An expiry follows the clock, back too.
    world.clock.set(START);
    ends.check().unwrap();
}

#[test]
fn rule_03_an_operator_may_do_everything_everywhere() {
    let world = World::new();
    let operator = world.principal(NewToken::operator());
    assert_eq!(allowed(&operator, Action::READ_WRITE), resources());
}

#[test]
fn rule_04_all_access_is_everything_in_its_organization_and_nothing_else() {
    let world = World::new();
    let all_access = world.principal(NewToken::all_access(org(1)));
    let mine: Vec<_> = resources().into_iter().filter(|resource| resource.organization() == Some(org(1))).collect();
    assert!(mine.iter().any(|resource| resource.resource_type() == INVENTED));
    for action in [Action::READ, Action::WRITE, Action::READ_WRITE] {
        assert_eq!(allowed(&all_access, action), mine);
    }
}

#[test]
fn rule_05_read_write_is_exactly_its_actions_on_exactly_its_buckets() {
    let world = World::new();
    let new = || NewToken::read_write(org(1)).read(bucket(1));
    let (first, second) = (Resource::bucket(org(1), bucket(1)), Resource::bucket(org(1), bucket(2)));
    for (new, reads, writes) in [
        (new(), vec![first], vec![]),
        (new().write(bucket(1)), vec![first], vec![first]),
        (new().write(bucket(2)), vec![first], vec![second]),
        (new().read(bucket(2)), vec![first, second], vec![]),
    ] {
        let principal = world.principal(new);
        assert_eq!(allowed(&principal, Action::READ), reads);
        assert_eq!(allowed(&principal, Action::WRITE), writes);
    }
}

#[test]
fn rule_06_a_permission_matches_when_every_field_that_it_sets_is_equal() {
    let world = World::new();
    let held = |permissions: &[&str]| world.principal(custom(org(1), permissions));
    let within = |kind| Resource::within(org(1), kind);
    let principal = held(&["read:orgs/O/buckets"]);
    let buckets = within(ResourceType::BUCKETS);
    assert_eq!(allowed(&principal, Action::READ), [buckets, buckets.with_id(bucket(1)), buckets.with_id(bucket(2))]);
    // Not the whole type by a permission on one id.
    let principal = held(&["write:orgs/O/buckets/00000000000000b1"]);
    assert_eq!(allowed(&principal, Action::WRITE), [buckets.with_id(bucket(1))]);
    // Any type by one that sets none.
    let principal = held(&["read:orgs/O/*/00000000000000b2"]);
    assert!(allowed(&principal, Action::READ).contains(&within(INVENTED).with_id(bucket(2))));
    assert!(!allowed(&principal, Action::READ).contains(&within(INVENTED)));
}

#[test]
fn rule_06_actions_may_be_granted_by_different_permissions() {
    let world = World::new();
    let principal = world.principal(custom(org(1), &["read:orgs/O/buckets", "write:orgs/O/*/00000000000000b1"]));
    let permit = principal.authorize(ReadWrite, Resource::bucket(org(1), bucket(1))).unwrap();
    assert_eq!(permit.action(), Action::READ_WRITE);
    let denial = principal.authorize(ReadWrite, Resource::bucket(org(1), bucket(2))).unwrap_err();
    assert_eq!(denial.to_string(), format!("missing permission `write:orgs/{}/buckets/{}`", org(1), bucket(2)));
}

#[test]
fn rule_06_instance_covers_the_instance_only_and_only_an_operator_gives_it() {
    let world = World::new();
    let new = || NewToken::of_kind(TokenKind::custom(None, set(&["read:instance", "write:instance"])).unwrap());
    let principal = world.principal(new());
    assert_eq!(allowed(&principal, Action::READ_WRITE), [Resource::INSTANCE, Resource::INSTANCE.with_id(bucket(1))]);

    let operator = world.principal(NewToken::operator());
    ok(world.authority.create(&operator, new()));
    let mighty = world.principal(NewToken::of_kind(TokenKind::custom(None, set(&["read:*", "write:*"])).unwrap()));
    for actor in [mighty, world.principal(NewToken::all_access(org(1)))] {
        let refused = world.authority.create(&actor, new()).wait().unwrap_err();
        assert_eq!(refused.to_string(), "managing a token without an organization needs an operator token");
    }
    let inside = TokenKind::custom(Some(org(1)), set(&["read:instance"])).unwrap_err();
    let text = format!("permission `read:instance` is not for organization `{}`", org(1));
    assert_eq!(inside.to_string(), text);
    assert!(matches!(inside, KindError::Organization { .. }));
}

#[test]
fn rule_06_the_authority_decides_as_the_pure_decision_does() {
    let world = World::new();
    // All but the revision, which only an authority has.
    let told = |denial: Denial| (denial.reason(), denial.resource(), denial.missing().collect::<Vec<_>>());
    for kind in kinds() {
        let principal = world.principal(NewToken::of_kind(kind.clone()));
        assert_eq!(principal.token().unwrap().kind(), &kind);
        for resource in resources() {
            for action in actions() {
                let answer = principal.authorize(action, resource).map(|_| ()).map_err(told);
                let expected = decide(&kind, &Liveness::ACTIVE, action, &resource, START).map_err(told);
                assert_eq!(answer, expected, "{kind:?} {resource}");
            }
        }
    }
}

#[test]
fn rule_07_no_permission_of_one_organization_matches_in_another_or_in_none() {
    let world = World::new();
    for kind in kinds().into_iter().filter(|kind| kind.organization() == Some(org(1))) {
        let principal = world.principal(NewToken::of_kind(kind));
        for action in [Action::READ, Action::WRITE] {
            assert!(allowed(&principal, action).iter().all(|resource| resource.organization() == Some(org(1))));
        }
    }
    // Also where a token without an organization names one.
    let principal = world.principal(NewToken::of_kind(
        TokenKind::custom(None, set(&["write:orgs/P/buckets/00000000000000b1"])).unwrap(),
    ));
    assert_eq!(allowed(&principal, Action::WRITE), [Resource::bucket(org(2), bucket(1))]);
}

#[test]
fn rule_08_a_denial_names_the_smallest_permission_that_would_have_allowed_it() {
    let world = World::new();
    let (mine, wanted) = (Resource::bucket(org(1), bucket(1)), Resource::bucket(org(1), bucket(2)));
    let missing = |principal: &Principal<'_>, action: Action, resource| -> Vec<Permission> {
        principal.authorize(action, resource).unwrap_err().missing().collect()
    };
    let reader = world.principal(NewToken::read_write(org(1)).read(bucket(1)));
    assert_eq!(missing(&reader, Action::WRITE, mine), [Permission::write(mine)]);
    assert_eq!(missing(&reader, Action::READ_WRITE, mine), [Permission::write(mine)]);
    assert_eq!(missing(&reader, Action::READ_WRITE, wanted), [Permission::read(wanted), Permission::write(wanted)]);
    let denial = reader.authorize(ReadWrite, wanted).unwrap_err();
    assert_eq!(denial.reason(), Reason::NotPermitted);
    let place = format!("orgs/{}/buckets/{}", org(1), bucket(2));
    assert_eq!(denial.to_string(), format!("missing permissions `read:{place}` and `write:{place}`"));

    // What is named is enough.
    for resource in resources() {
        let permissions: PermissionSet = missing(&reader, Action::READ_WRITE, resource).into_iter().collect();
        let both: PermissionSet =
            permissions.iter().chain(reader.token().unwrap().kind().permissions().iter()).collect();
        assert!(both.allows(Action::READ_WRITE, &resource));
    }
}

#[test]
fn rule_08_in_one_call_a_secret_that_is_not_accepted_is_told_from_a_token_that_may_not() {
    let world = World::new();
    let resource = Resource::bucket(org(1), bucket(1));
    let secret = Secret::new("a secret that the caller chose, as ever".replace(' ', "-"));
    let issued = world.issue(NewToken::read_write(org(1)).read(bucket(1)).expires_in(HOUR).secret(secret));
    let ask = |issued: &Issued, action| world.authority.authorize(issued.secret.expose(), action, resource);
    let refused = |error: AuthorizeError| (error.to_string(), error.reason());
    let unauthenticated = |reason| ("the token is not accepted".to_owned(), reason);

    assert_eq!(ask(&issued, Action::READ).unwrap().action(), Action::READ);
    let missing = format!("missing permission `write:{resource}`");
    assert_eq!(refused(ask(&issued, Action::WRITE).unwrap_err()), (missing, Reason::NotPermitted));
    for (secret, reason) in [("pcs_0", Reason::Malformed), ("a-secret-that-nobody-ever-had", Reason::Unknown)] {
        let error = world.authority.authorize(secret, Read, resource).unwrap_err();
        assert_eq!(refused(error), unauthenticated(reason));
    }

    // The former secret too, as long as it overlaps.
    let id = issued.token.id();
    let rotated = world.authority.rotate(host(), id, Rotation::new().overlap(HOUR / 2)).wait().unwrap();
    world.clock.advance(HOUR / 4);
    assert!([&issued, &rotated].into_iter().all(|issued| ask(issued, Action::READ).is_ok()));
    world.clock.advance(HOUR / 4);
    assert_eq!(refused(ask(&issued, Action::READ).unwrap_err()), unauthenticated(Reason::Unknown));
    assert!(ask(&rotated, Action::READ).is_ok());
    world.clock.advance(HOUR / 2);
    assert_eq!(refused(ask(&rotated, Action::READ).unwrap_err()), unauthenticated(Reason::Expired));
    ok(world.authority.revoke(host(), id));
    assert_eq!(refused(ask(&rotated, Action::READ).unwrap_err()), unauthenticated(Reason::Revoked));
}

#[test]
fn rule_08_an_allow_is_a_permit_for_what_was_asked() {
    let world = World::new();
    let principal = world.principal(NewToken::all_access(org(1)));
    let resource = Resource::bucket(org(1), bucket(1));
    let permit: Permit<Write> = principal.authorize(Write, resource).unwrap();
    assert_eq!((permit.action(), permit.resource()), (Action::WRITE, &resource));
    let permit: Permit<Action> = principal.authorize(Action::READ, resource).unwrap();
    assert_eq!((permit.action(), permit.resource()), (Action::READ, &resource));
    let answers = principal.authorize_each([(Read, resource), (Read, Resource::INSTANCE)]);
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
}
