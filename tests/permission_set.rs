//! Properties of sets of permissions, each against lists and linear scans.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use portcullis::{
    Action, Grant, OrgId, Pattern, Permission, PermissionSet, Reach, Resource, ResourceId, ResourceType, Verb,
    resource_type, verb,
};
use proptest::prelude::*;
use proptest::sample::select;
use test_support::naive::{self, Domain, covers, minimal};

const EXECUTE: Verb = verb!("execute");
const APPROVE: Verb = verb!("approve");
const GRANTS: [Grant; 5] = [Grant::Read, Grant::Write, Grant::Any, Grant::Verb(EXECUTE), Grant::Verb(APPROVE)];

/// What can be asked, with a verb that no permission names.
fn actions() -> Vec<Action> {
    naive::actions(&[EXECUTE, APPROVE, verb!("unheard-of")])
}

/// Few values a field, so that permissions cover and meet each other often.
fn world() -> Domain {
    Domain::new(3, 6, &[ResourceType::BUCKETS, resource_type!("invoices"), ResourceType::INSTANCE])
}

/// The resources of the world, and of each type, organization and id one that no permission can name.
fn resources() -> Vec<Resource> {
    Domain::new(
        4,
        7,
        &[ResourceType::BUCKETS, resource_type!("invoices"), ResourceType::INSTANCE, resource_type!("unheard-of")],
    )
    .resources()
}

fn permission() -> impl Strategy<Value = Permission> {
    (select(world().patterns()), select(GRANTS.to_vec())).prop_map(|(pattern, grant)| Permission::new(grant, pattern))
}

fn permissions() -> impl Strategy<Value = Vec<Permission>> {
    // Short lists are scanned, longer ones looked up.
    prop_oneof![prop::collection::vec(permission(), 0..4), prop::collection::vec(permission(), 0..40)]
}

fn set(permissions: &[Permission]) -> PermissionSet {
    permissions.iter().copied().collect()
}

fn hash_of(set: &PermissionSet) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(set)
}

/// Asserts that the set is in canonical form: like the one that its own permissions make, down to the hash.
fn assert_canonical(set: &PermissionSet) -> Result<(), TestCaseError> {
    let again: PermissionSet = set.iter().collect();
    prop_assert_eq!(set, &again);
    prop_assert_eq!(hash_of(set), hash_of(&again));
    prop_assert_eq!(minimal(&set.iter().collect::<Vec<_>>()).len(), set.iter().count());
    let verb = |permission: &Permission| match permission.grant() {
        Grant::Verb(verb) => Some(verb),
        _ => None,
    };
    let places: Vec<_> = set.iter().map(|each| (verb(&each), each.pattern())).collect();
    prop_assert!(places.is_sorted());
    prop_assert_eq!(places.into_iter().collect::<BTreeSet<_>>().len(), set.len());
    prop_assert_eq!(set.is_empty(), set.iter().next().is_none());
    Ok(())
}

/// A universe for `naive::allows`.
fn requests() -> impl Iterator<Item = (Action, Resource)> {
    resources().into_iter().flat_map(|resource| actions().into_iter().map(move |action| (action, resource)))
}

proptest! {
    #[test]
    fn a_set_allows_what_a_scan_of_its_permissions_does(list in permissions()) {
        let set = set(&list);
        for resource in resources() {
            for action in actions() {
                prop_assert_eq!(
                    set.allows(action, &resource),
                    naive::allows(&list, action, &resource),
                    "{:?} on {}", action, resource
                );
            }
        }
    }

    #[test]
    fn canonical_form_keeps_exactly_what_no_other_covers(list in permissions()) {
        let set = set(&list);
        assert_canonical(&set)?;
        prop_assert_eq!(set.iter().collect::<BTreeSet<_>>(), minimal(&list));
    }

    #[test]
    fn order_duplicates_and_covered_permissions_make_no_difference(
        (list, shuffled) in permissions().prop_flat_map(|list| (Just(list.clone()), Just(list).prop_shuffle())),
        again in any::<prop::sample::Index>(),
        special in permission(),
    ) {
        let plain = set(&list);
        let mut other = shuffled;
        if !list.is_empty() {
            other.push(*again.get(&list));
        }
        if covers(&list, &[special]) {
            other.push(special);
        }
        let other = set(&other);
        prop_assert_eq!(&plain, &other);
        prop_assert_eq!(hash_of(&plain), hash_of(&other));
        prop_assert_eq!(plain.to_string(), other.to_string());
    }

    #[test]
    fn sets_are_equal_exactly_when_they_allow_the_same(one in permissions(), other in permissions()) {
        let same = requests().all(|(actions, resource)| {
            naive::allows(&one, actions, &resource) == naive::allows(&other, actions, &resource)
        });
        prop_assert_eq!(set(&one) == set(&other), same);
    }

    #[test]
    fn covers_agrees_with_matching(one in permissions(), other in permissions()) {
        let every_request = requests().all(|(actions, resource)| {
            !naive::allows(&other, actions, &resource) || naive::allows(&one, actions, &resource)
        });
        prop_assert_eq!(set(&one).covers(&set(&other)), every_request);
        prop_assert_eq!(covers(&one, &other), every_request);
    }

    #[test]
    fn covers_is_a_partial_order(a in permissions(), b in permissions(), c in permissions()) {
        let (a, b, c) = (set(&a), set(&b), set(&c));
        prop_assert!(a.covers(&a));
        prop_assert!(a.covers(&PermissionSet::empty()));
        prop_assert_eq!(a.covers(&b) && b.covers(&a), a == b);
        // Unrelated sets say little about transitivity; these are related.
        let (ab, abc) = (a.union(&b), a.union(&b).union(&c));
        prop_assert!(abc.covers(&ab) && ab.covers(&a) && abc.covers(&a));
        prop_assert!(!(a.covers(&b) && b.covers(&c)) || a.covers(&c));
    }

    #[test]
    fn union_allows_what_the_lists_together_do(one in permissions(), other in permissions()) {
        let union = set(&one).union(&set(&other));
        assert_canonical(&union)?;
        prop_assert_eq!(&union, &set(&[one, other].concat()));
    }

    #[test]
    fn intersection_allows_what_both_do(one in permissions(), other in permissions()) {
        let intersection = set(&one).intersection(&set(&other));
        assert_canonical(&intersection)?;
        for (action, resource) in requests() {
            prop_assert_eq!(
                intersection.allows(action, &resource),
                naive::allows(&one, action, &resource) && naive::allows(&other, action, &resource),
                "{:?} on {}", action, resource
            );
        }
    }

    #[test]
    fn union_and_intersection_are_a_lattice(a in permissions(), b in permissions(), c in permissions()) {
        let (a, b, c) = (set(&a), set(&b), set(&c));
        let empty = PermissionSet::empty();
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.intersection(&b), b.intersection(&a));
        prop_assert_eq!(a.union(&b).union(&c), a.union(&b.union(&c)));
        prop_assert_eq!(a.intersection(&b).intersection(&c), a.intersection(&b.intersection(&c)));
        prop_assert_eq!(a.union(&a), a.clone());
        prop_assert_eq!(a.intersection(&a), a.clone());
        prop_assert_eq!(a.union(&empty), a.clone());
        prop_assert_eq!(a.intersection(&empty), empty);
        prop_assert_eq!(a.union(&a.intersection(&b)), a.clone());
        prop_assert_eq!(a.intersection(&a.union(&b)), a.clone());
        prop_assert_eq!(
            a.intersection(&b.union(&c)),
            a.intersection(&b).union(&a.intersection(&c))
        );
        prop_assert_eq!(a.covers(&b), a.union(&b) == a);
        prop_assert_eq!(a.covers(&b), a.intersection(&b) == b);
    }

    #[test]
    fn not_covered_by_keeps_each_uncovered_permission_whole(one in permissions(), other in permissions()) {
        let rest = set(&one).not_covered_by(&set(&other));
        assert_canonical(&rest)?;
        let uncovered: BTreeSet<_> =
            minimal(&one).into_iter().filter(|each| !covers(&other, &[*each])).collect();
        prop_assert_eq!(rest.iter().collect::<BTreeSet<_>>(), uncovered);
        prop_assert_eq!(rest.is_empty(), set(&other).covers(&set(&one)));
        prop_assert!(rest.union(&set(&other)).covers(&set(&one)));
        prop_assert!(set(&one).covers(&rest));
    }

    #[test]
    fn reach_agrees_with_allows_id_by_id(list in permissions()) {
        let set = set(&list);
        for whole in resources().into_iter().filter(|resource| resource.id().is_none()) {
            for action in actions() {
                let reach = set.reach(action, whole.organization(), whole.resource_type());
                prop_assert_eq!(reach == Reach::All, naive::allows(&list, action, &whole));
                let ids = (1..=7).map(|id| ResourceId::try_from(id).unwrap());
                let allowed: Vec<_> = ids.filter(|id| naive::allows(&list, action, &whole.with_id(*id))).collect();
                match reach {
                    Reach::All => prop_assert_eq!(allowed.len(), 7),
                    Reach::Only(ids) => {
                        prop_assert!(!ids.is_empty());
                        prop_assert_eq!(ids, allowed);
                    }
                    Reach::None => prop_assert_eq!(allowed, vec![]),
                }
            }
        }
    }

    #[test]
    fn json_and_text_give_the_same_set_back(list in permissions()) {
        let set = set(&list);
        let json = serde_json::to_string(&set).unwrap();
        prop_assert_eq!(&serde_json::from_str::<PermissionSet>(&json).unwrap(), &set);
        let texts: Vec<Permission> = set.iter().map(|each| each.to_string().parse().unwrap()).collect();
        prop_assert_eq!(texts.into_iter().collect::<PermissionSet>(), set);
    }
}

#[test]
fn no_resource_of_the_instance_is_reached_in_an_organization() {
    let org = OrgId::try_from(1).unwrap();
    let all = PermissionSet::from_iter([Permission::read(Pattern::all_of(org)), Permission::read(Pattern::ANY)]);
    assert_eq!(all.reach(Action::READ, Some(org), ResourceType::INSTANCE), Reach::None);
    assert_eq!(all.reach(Action::READ, None, ResourceType::INSTANCE), Reach::All);
}

#[test]
fn large_sets_find_each_of_their_permissions_and_no_other() {
    let org = OrgId::try_from(1).unwrap();
    // Ids that differ in their lowest bits, in their highest bits, and at random.
    let spreads: [fn(u128) -> u128; 3] =
        [|n| n, |n| n << 112, |n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)];
    for spread in spreads {
        let bucket = |n: u128| {
            let id = ResourceId::try_from(uuid::Uuid::from_u128(spread(n))).unwrap();
            Resource::bucket(org, id)
        };
        let even: PermissionSet = (1..=10_000).map(|n| Permission::read(bucket(2 * n))).collect();
        assert_eq!(even.len(), 10_000);
        for n in 2..=20_001 {
            assert_eq!(even.allows(Action::READ, &bucket(n)), n % 2 == 0, "{n}");
            assert!(!even.allows(Action::WRITE, &bucket(n)), "{n}");
        }
    }
}

/// One of some resources that agree in a field, or another that differs from it there.
type Ask<'a> = &'a dyn Fn(u8, bool) -> Resource;

/// Such a field tells no two permissions apart, so a look-up could do without it. What is asked for differs there, by the
/// same bits in each word, so that the differences must not cancel out.
#[test]
fn a_field_in_which_all_permissions_agree_is_compared_all_the_same() {
    const KINDS: [ResourceType; 5] = [
        ResourceType::BUCKETS,
        ResourceType::TASKS,
        ResourceType::LABELS,
        ResourceType::SECRETS,
        ResourceType::VARIABLES,
    ];
    const KIND: ResourceType = resource_type!("aword-ofaword-of");
    const OTHER_KIND: ResourceType = resource_type!("bword-ofbword-of");
    let uuid = |n: u128| uuid::Uuid::from_u128(n);
    let alike = 1 << 64 | 1;
    let org = |n| OrgId::try_from(uuid(n)).unwrap();
    let id = |n| ResourceId::try_from(uuid(n)).unwrap();
    let resource = |org, kind, id| Resource::within(org, kind).with_id(id);
    let organizations: Ask<'_> =
        &|n, other| resource(org(if other { 6 ^ alike } else { 6 }), KINDS[0], id(u128::from(n) + 1));
    let ids: Ask<'_> = &|n, other| resource(org(6), KINDS[usize::from(n)], id(if other { 6 ^ alike } else { 6 }));
    let kinds: Ask<'_> = &|n, other| resource(org(6), if other { OTHER_KIND } else { KIND }, id(u128::from(n) + 1));
    for ask in [organizations, ids, kinds] {
        for count in 1..=5 {
            let set: PermissionSet = (0..count).map(|n| Permission::read(ask(n, false))).collect();
            for n in 0..count {
                assert!(set.allows(Action::READ, &ask(n, false)));
                assert!(!set.allows(Action::READ, &ask(n, true)), "{} of {count}", ask(n, true));
            }
        }
    }
}

#[test]
fn a_set_is_shown_as_its_permissions_and_hashed_by_them() {
    let read = |text: &str| text.parse::<Permission>().unwrap();
    let hash = |set: &PermissionSet| BuildHasherDefault::<DefaultHasher>::default().hash_one(set);
    let (one, two) = ("read:orgs/0a1b2c3d4e5f6071/tasks", "write:orgs/0a1b2c3d4e5f6071/buckets");
    let set = PermissionSet::from_iter([read(one), read(two)]);
    let shown: Vec<_> = set.iter().map(|each| each.to_string()).collect();
    assert_eq!(BTreeSet::from_iter(&shown), BTreeSet::from([&one.to_owned(), &two.to_owned()]));
    assert_eq!(set.to_string(), format!("`{}`, `{}`", shown[0], shown[1]));
    assert_eq!(format!("{set:?}"), format!("{{Permission({}), Permission({})}}", shown[0], shown[1]));
    assert_eq!(PermissionSet::empty().to_string(), "");
    assert_eq!(format!("{:?}", PermissionSet::empty()), "{}");
    assert_eq!(hash(&set), hash(&PermissionSet::from_iter([read(two), read(one)])));
    assert_ne!(hash(&set), hash(&PermissionSet::from_iter([read(one)])));
}
