//! The pure decision against the naive model, exhaustively on a small domain, and the exact text of denials.
//!
//! # Why the domain is enough
//!
//! - **Equality only.** Matching compares organizations, ids and types for equality and never orders them. So requests
//!   that agree on which fields are equal to which get the same answer, and each field needs only as many values as
//!   there can be different ones in one question: those of the permissions, and one that none of them has. One
//!   permission needs two values a field, two permissions three. Three organizations, three ids and at least three
//!   ordinary types give them that, and organizations share their bits with ids in case anything confuses them.
//! - **Types.** `instance` is the only type with a rule of its own. Beside it stand an ordinary type, `orgs` (whose ids
//!   are organizations), one that a host made up, and one whose name begins with another's.
//! - **Actions.** Reading, writing, both, and verbs, which are compared for equality only: one that permissions name, one
//!   whose name begins with it, and one that none names.
//! - **Permissions.** Rule 6 takes each action by itself and asks for *any* permission, so a set answers as the union
//!   of its members. Every set of one pattern is tried. Bringing sets into canonical form removes a permission because
//!   of *one* other, so pairs show every such removal; and sets of three are the first that are looked up in a table
//!   rather than scanned. Every pair is tried; triples are exhaustive over a smaller world, larger sets are random in
//!   `permission_set.rs`.
//! - **Liveness.** It sees neither the kind nor the request, and its four parts are a status, two standings and a
//!   comparison of two times. All combinations are tried, with times just before, at and just after expiry and at both
//!   ends of time, for a token of each kind and every resource.
#![allow(clippy::unwrap_used)]

use portcullis::{
    Action, Denial, Expiry, Grant, Liveness, OrgId, Permission, Reason, Resource, ResourceId, ResourceType, Standing,
    Status, Timestamp, Verb, decide, resource_type, verb,
};
use test_support::naive::{self, Answer, Domain, Kind};

const LIVE: Liveness = Liveness::ACTIVE;
const NOW: Timestamp = Timestamp::from_micros(1_000_000);
const INVOICES: ResourceType = resource_type!("invoices");
const BUCKET: ResourceType = resource_type!("bucket");
const EXECUTE: Verb = verb!("execute");
const READ_WRITE: [Action; 3] = [Action::READ, Action::WRITE, Action::READ_WRITE];
/// What one pattern of a permission can be given, in sets that differ in what they allow.
const GRANTS: [&[Grant]; 6] = [
    &[Grant::Read],
    &[Grant::Write],
    &[Grant::Read, Grant::Write],
    &[Grant::Any],
    &[Grant::Verb(EXECUTE)],
    &[Grant::Read, Grant::Verb(EXECUTE)],
];

fn world() -> Domain {
    Domain::new(3, 3, &[ResourceType::BUCKETS, BUCKET, ResourceType::ORGS, INVOICES, ResourceType::INSTANCE])
}

fn small_world() -> Domain {
    Domain::new(2, 2, &[ResourceType::BUCKETS, INVOICES, ResourceType::INSTANCE])
}

fn actions() -> Vec<Action> {
    naive::actions(&[EXECUTE, verb!("execute2"), verb!("approve")])
}

/// The permissions that give these on that pattern.
fn permissions(pattern: portcullis::Pattern, grants: &[Grant]) -> impl Iterator<Item = Permission> {
    grants.iter().map(move |grant| Permission::new(*grant, pattern))
}

/// The library's answer is the one of the rules, to the letter.
fn check(expected: &Answer, answer: &Result<(), Denial>, context: &dyn Fn() -> String) {
    let right = match (expected, answer) {
        (Answer::Allowed, Ok(())) => true,
        (Answer::Refused(reasons), Err(denial)) => {
            reasons.contains(&denial.reason()) && denial.missing().next().is_none()
        }
        (Answer::Missing(missing), Err(denial)) => {
            denial.reason() == Reason::NotPermitted && denial.missing().eq(missing.iter().copied())
        }
        _ => false,
    };
    assert!(right, "{}: expected {expected:?}, got {answer:?}", context());
}

fn compare(kind: &Kind, live: &Liveness, now: Timestamp, actions: &[Action], resources: &[Resource]) {
    let built = kind.build();
    for resource in resources {
        for action in actions.iter().copied() {
            let answer = decide(&built, live, action, resource, now);
            if let Err(denial) = &answer {
                assert_eq!(denial.resource(), *resource);
            }
            let expected = naive::decide(kind, live, action, resource, now);
            check(&expected, &answer, &|| format!("{kind:?} {live:?} at {now:?} asked {action:?} on {resource:?}"));
        }
    }
}

#[test]
fn rules_1_3_operators_may_do_everything_that_can_be_asked() {
    compare(&Kind::Operator, &LIVE, NOW, &actions(), &world().resources());
}

#[test]
fn rules_1_4_all_access_ends_with_its_organization() {
    let world = world();
    for org in &world.orgs {
        compare(&Kind::AllAccess(*org), &LIVE, NOW, &actions(), &world.resources());
    }
}

#[test]
fn rules_1_5_read_write_ends_with_its_buckets() {
    let world = world();
    // For each bucket nothing, or one of the three sets of actions; at least one bucket.
    for choice in 1..64_u32 {
        let granted = |place: u32| choice >> (2 * place) & 3;
        let buckets: Vec<_> = (0..)
            .zip(&world.ids)
            .filter_map(|(place, id)| READ_WRITE.get(granted(place).checked_sub(1)? as usize).map(|some| (*id, *some)))
            .collect();
        let kind = Kind::ReadWrite(world.orgs[0], buckets);
        compare(&kind, &LIVE, NOW, &actions(), &world.resources());
    }
}

#[test]
fn rules_1_6_7_every_single_pattern_matches_what_its_fields_say() {
    let world = world();
    let resources = world.resources();
    for pattern in world.patterns() {
        for grants in GRANTS {
            let kind = Kind::Custom(None, permissions(pattern, grants).collect());
            compare(&kind, &LIVE, NOW, &actions(), &resources);
            // The same in a token of an organization: of one that the pattern names, or of any where it names none.
            if pattern.resource_type() == Some(ResourceType::INSTANCE) {
                continue;
            }
            for org in pattern.organization().map_or_else(|| world.orgs.clone(), |org| vec![org]) {
                let kind = Kind::Custom(Some(org), permissions(pattern, grants).collect());
                compare(&kind, &LIVE, NOW, &actions(), &resources);
            }
        }
    }
}

#[test]
fn rules_6_7_every_pair_of_patterns_allows_what_either_does() {
    let world = Domain::new(3, 3, &[ResourceType::BUCKETS, BUCKET, INVOICES, ResourceType::INSTANCE]);
    let resources = world.resources();
    let patterns = world.patterns();
    // Reading and writing, and then verbs beside any action: neither knows of the other but for any action.
    let read_write = (&GRANTS[..3], naive::actions(&[]));
    let verbs = (&[GRANTS[0], GRANTS[3], GRANTS[4]][..], vec![Action::READ, EXECUTE.into(), verb!("approve").into()]);
    for (grants, actions) in [read_write, verbs] {
        for (at, one) in patterns.iter().enumerate() {
            for other in &patterns[at..] {
                for (first, second) in grants.iter().flat_map(|first| grants.iter().map(move |second| (first, second)))
                {
                    let both = permissions(*one, first).chain(permissions(*other, second)).collect();
                    compare(&Kind::Custom(None, both), &LIVE, NOW, &actions, &resources);
                }
            }
        }
    }
}

#[test]
fn rules_6_7_every_triple_of_patterns_allows_what_any_does() {
    let world = small_world();
    let resources = world.resources();
    let (patterns, actions) = (world.patterns(), naive::actions(&[EXECUTE]));
    for (a, first) in patterns.iter().enumerate() {
        for (b, second) in patterns.iter().enumerate().skip(a + 1) {
            for third in patterns.iter().skip(b + 1) {
                // One on each, in some of the ways: the third disagrees with the first, and with both.
                let verb = Grant::Verb(EXECUTE);
                for grants in [
                    [Grant::Read, Grant::Read, Grant::Write],
                    [Grant::Read, Grant::Write, Grant::Write],
                    [verb, Grant::Any, verb],
                    [verb, verb, Grant::Read],
                ] {
                    let three = [first, second, third].into_iter().zip(grants);
                    let three = three.map(|(pattern, grant)| Permission::new(grant, *pattern)).collect();
                    compare(&Kind::Custom(None, three), &LIVE, NOW, &actions, &resources);
                }
            }
        }
    }
}

#[test]
fn rule_2_a_token_that_is_not_live_may_do_nothing_whatever_its_kind() {
    let world = small_world();
    let org = world.orgs[0];
    let kinds = [
        Kind::Operator,
        Kind::AllAccess(org),
        Kind::ReadWrite(org, vec![(world.ids[0], Action::READ)]),
        Kind::Custom(None, vec![Permission::write(Resource::INSTANCE)]),
        Kind::Custom(Some(org), Permission::read_write(Resource::buckets(org)).to_vec()),
    ];
    let standings = [Standing::Active, Standing::Suspended, Standing::Deleted];
    let micros = NOW.as_micros();
    let times = [0, 1, micros - 1, micros, micros + 1, Timestamp::MAX.as_micros() - 1, Timestamp::MAX.as_micros()]
        .map(Timestamp::from_micros);
    let asked = actions();
    for status in [Status::Active, Status::Inactive, Status::Revoked] {
        for owner in standings {
            for organization in standings {
                for expires_at in std::iter::once(Expiry::Never).chain(times.map(Expiry::At)) {
                    let live =
                        Liveness::ACTIVE.status(status).expires_at(expires_at).owner(owner).organization(organization);
                    for now in [Timestamp::EPOCH, NOW, Timestamp::MAX] {
                        for kind in &kinds {
                            compare(kind, &live, now, &asked, &world.resources());
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn rule_2_the_first_reason_is_told_in_a_fixed_order() {
    let all_wrong = Liveness::ACTIVE
        .status(Status::Revoked)
        .expires_at(Expiry::At(NOW))
        .owner(Standing::Deleted)
        .organization(Standing::Suspended);
    let owner_wrong = all_wrong.status(Status::Active);
    let organization_wrong = owner_wrong.owner(Standing::Active);
    let expired = organization_wrong.organization(Standing::Active);
    for (live, reason) in [
        (all_wrong, Reason::Revoked),
        (owner_wrong, Reason::OwnerDeleted),
        (organization_wrong, Reason::OrganizationSuspended),
        (expired, Reason::Expired),
    ] {
        assert_eq!(live.check(|| NOW), Err(reason));
    }
}

#[test]
fn the_clock_is_read_only_for_tokens_that_expire_and_are_otherwise_live() {
    assert_eq!(LIVE.check(|| panic!("read the clock")), Ok(()));
    let inactive = LIVE.status(Status::Inactive).expires_at(Expiry::At(NOW));
    assert_eq!(inactive.check(|| panic!("read the clock")), Err(Reason::Inactive));
}

fn org() -> OrgId {
    "0a1b2c3d4e5f6071".parse().unwrap()
}

fn bucket() -> ResourceId {
    "1111111111111111".parse().unwrap()
}

/// The text of the denial of that request to a token that may read one bucket.
fn denial(actions: Action, resource: Resource) -> String {
    let kind = Kind::ReadWrite(org(), vec![(bucket(), Action::READ)]).build();
    let denial = decide(&kind, &LIVE, actions, &resource, NOW).unwrap_err();
    assert_eq!(format!("{denial:?}"), format!("Denial({denial})"));
    denial.to_string()
}

#[test]
fn rule_8_a_denial_names_the_smallest_permission_that_is_missing() {
    let other = "2222222222222222".parse().unwrap();
    for (actions, resource, text) in [
        (
            Action::WRITE,
            Resource::bucket(org(), bucket()),
            "missing permission `write:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111`",
        ),
        // Reading is granted, so only writing is missing.
        (
            Action::READ_WRITE,
            Resource::bucket(org(), bucket()),
            "missing permission `write:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111`",
        ),
        (
            Action::READ_WRITE,
            Resource::bucket(org(), other),
            "missing permissions `read:orgs/0a1b2c3d4e5f6071/buckets/2222222222222222` \
             and `write:orgs/0a1b2c3d4e5f6071/buckets/2222222222222222`",
        ),
        (Action::READ, Resource::buckets(org()), "missing permission `read:orgs/0a1b2c3d4e5f6071/buckets`"),
        (Action::READ, Resource::INSTANCE, "missing permission `read:instance`"),
        (Action::WRITE, Resource::global(INVOICES), "missing permission `write:invoices`"),
        (
            Action::READ,
            Resource::global(ResourceType::USERS).with_id(other),
            "missing permission `read:users/2222222222222222`",
        ),
        (
            Action::READ,
            Resource::within(org(), ResourceType::ORGS).with_id(org()),
            "missing permission `read:orgs/0a1b2c3d4e5f6071/orgs/0a1b2c3d4e5f6071`",
        ),
        (EXECUTE.into(), Resource::INSTANCE, "missing permission `execute:instance`"),
    ] {
        assert_eq!(denial(actions, resource), text);
    }
}

#[test]
fn rule_8_what_is_named_as_missing_would_have_sufficed() {
    let world = small_world();
    for resource in world.resources() {
        for action in actions() {
            let kind = Kind::ReadWrite(world.orgs[0], vec![(world.ids[0], Action::READ)]).build();
            let Err(denial) = decide(&kind, &LIVE, action, &resource, NOW) else { continue };
            let more = kind.permissions().union(&denial.missing().collect());
            assert!(more.allows(action, &resource), "{denial}");
        }
    }
}

#[test]
fn rule_8_the_denial_of_a_refused_token_says_why() {
    let live = LIVE;
    for (live, text) in [
        (live.status(Status::Inactive), "the token is inactive"),
        (live.status(Status::Revoked), "the token is revoked"),
        (live.expires_at(Expiry::At(NOW)), "the token has expired"),
        (live.owner(Standing::Suspended), "the token's owner is suspended"),
        (live.owner(Standing::Deleted), "the token's owner was deleted"),
        (live.organization(Standing::Suspended), "the token's organization is suspended"),
        (live.organization(Standing::Deleted), "the token's organization was deleted"),
    ] {
        let kind = Kind::Operator.build();
        let denial = decide(&kind, &live, Action::READ, &Resource::INSTANCE, NOW).unwrap_err();
        assert_eq!(denial.to_string(), text);
        assert_eq!(denial.reason().to_string(), text);
    }
}

#[test]
fn reasons_have_stable_names_and_texts() {
    for (reason, name) in [
        (Reason::Inactive, "inactive"),
        (Reason::Revoked, "revoked"),
        (Reason::Expired, "expired"),
        (Reason::OwnerSuspended, "ownerSuspended"),
        (Reason::OwnerDeleted, "ownerDeleted"),
        (Reason::OrganizationSuspended, "organizationSuspended"),
        (Reason::OrganizationDeleted, "organizationDeleted"),
        (Reason::Unknown, "unknown"),
        (Reason::Malformed, "malformed"),
        (Reason::NotPermitted, "notPermitted"),
        (Reason::Stale, "stale"),
        (Reason::Unavailable, "unavailable"),
    ] {
        assert_eq!(reason.as_str(), name);
    }
    // The texts of the others are in denials.
    for (reason, text) in [
        (Reason::Unknown, "no token has this secret"),
        (Reason::Malformed, "the secret is malformed"),
        (Reason::NotPermitted, "the token does not have the permission"),
        (Reason::Unavailable, "the authority is closed or reading its store anew"),
    ] {
        assert_eq!(reason.to_string(), text);
    }
}

#[test]
fn only_what_says_nothing_of_the_token_is_temporary() {
    for (reason, temporary) in [
        (Reason::Revoked, false),
        (Reason::Expired, false),
        (Reason::Unknown, false),
        (Reason::NotPermitted, false),
        (Reason::Stale, true),
        (Reason::Unavailable, true),
    ] {
        assert_eq!(reason.is_temporary(), temporary, "{reason}");
    }
}

#[test]
fn actions_print_as_people_read_them() {
    let printed = actions().into_iter().map(|action| action.to_string()).collect::<Vec<_>>();
    assert_eq!(printed, ["read", "write", "read and write", "execute", "execute2", "approve"]);
}
