//! The algebra of permission sets against lists and linear scans.
#![no_main]

use std::collections::BTreeSet;

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use portcullis::{
    Grant, OrgId, Pattern, Permission, PermissionSet, Reach, Resource, ResourceId, ResourceType, Verb, resource_type,
    verb,
};
use test_support::naive::{self, covers, minimal};
use uuid::Uuid;

const TYPES: [ResourceType; 4] =
    [ResourceType::BUCKETS, ResourceType::INSTANCE, resource_type!("buckets2"), resource_type!("b")];
/// No permission names it.
const UNHEARD_OF: ResourceType = resource_type!("unheard-of");
const EXECUTE: Verb = verb!("execute");
const APPROVE: Verb = verb!("approve");
const GRANTS: [Grant; 5] = [Grant::Read, Grant::Write, Grant::Any, Grant::Verb(EXECUTE), Grant::Verb(APPROVE)];

#[derive(Debug)]
struct One(Permission);

impl<'a> Arbitrary<'a> for One {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let [action, kind, org, id] = u.arbitrary::<[u8; 4]>()?;
        let kind = TYPES.get(usize::from(kind) % (TYPES.len() + 1)).copied();
        let org = OrgId::try_from(u64::from(org) % 4).ok();
        let pattern = Pattern::new(org, kind, id_of(id)).unwrap_or(Pattern::ANY);
        Ok(Self(Permission::new(GRANTS[usize::from(action) % GRANTS.len()], pattern)))
    }
}

/// Few ids, so that they meet, and many, so that tables grow; in the low half, the high half, or both.
fn id_of(number: u8) -> Option<ResourceId> {
    let bits = u64::from(number >> 1);
    let (high, low) = if number & 1 == 0 { (0, bits) } else { (bits, bits / 2) };
    ResourceId::try_from(Uuid::from_u64_pair(high, low)).ok()
}

fn requests(lists: [&[Permission]; 2]) -> BTreeSet<Resource> {
    let mut all = BTreeSet::new();
    for pattern in lists.into_iter().flatten().map(Permission::pattern) {
        for kind in
            pattern.resource_type().into_iter().chain([ResourceType::BUCKETS, ResourceType::INSTANCE, UNHEARD_OF])
        {
            for org in pattern.organization().map(Some).into_iter().chain([
                None,
                OrgId::try_from(1).ok(),
                OrgId::try_from(9).ok(),
            ]) {
                let whole = org.map_or(Resource::global(kind), |org| Resource::within(org, kind));
                all.insert(whole);
                all.extend(pattern.id().into_iter().chain(id_of(4)).map(|id| whole.with_id(id)));
            }
        }
    }
    all
}

/// The set is exactly what its list says, in the one canonical form.
fn check(list: &[Permission], set: &PermissionSet) {
    let least = minimal(list);
    assert_eq!(set.iter().collect::<BTreeSet<_>>(), least);
    assert_eq!(set.iter().count(), least.len());
    assert_eq!(set.is_empty(), least.is_empty());
    let verb = |permission: &Permission| match permission.grant() {
        Grant::Verb(verb) => Some(verb),
        _ => None,
    };
    let places: Vec<_> = set.iter().map(|each| (verb(&each), each.pattern())).collect();
    assert!(places.is_sorted());
    assert_eq!(places.into_iter().collect::<BTreeSet<_>>().len(), set.len());
    assert_eq!(*set, set.iter().collect());
    assert_eq!(*set, list.iter().rev().copied().collect());
}

fuzz_target!(|lists: (Vec<One>, Vec<One>)| {
    let list = |list: Vec<One>| list.into_iter().take(60).map(|One(permission)| permission).collect::<Vec<_>>();
    let (a, b) = (list(lists.0), list(lists.1));
    let [one, other]: [PermissionSet; 2] = [&a, &b].map(|list| list.iter().copied().collect());
    check(&a, &one);
    check(&b, &other);
    let (union, intersection, rest) = (one.union(&other), one.intersection(&other), one.not_covered_by(&other));
    let both = [&a[..], &b[..]].concat();
    check(&both, &union);
    let uncovered: Vec<_> = minimal(&a).into_iter().filter(|each| !covers(&b, &[*each])).collect();
    check(&uncovered, &rest);
    check(&intersection.iter().collect::<Vec<_>>(), &intersection);

    assert_eq!(one.covers(&other), covers(&a, &b));
    assert_eq!(other.covers(&one), covers(&b, &a));
    assert_eq!(one == other, covers(&a, &b) && covers(&b, &a));
    assert_eq!(intersection, other.intersection(&one));
    assert_eq!(union, other.union(&one));
    assert!(one.covers(&intersection) && other.covers(&intersection) && one.covers(&rest));

    for resource in requests([&a, &b]) {
        for actions in naive::actions(&[EXECUTE, APPROVE, verb!("unheard-of")]) {
            let (in_a, in_b) = (naive::allows(&a, actions, &resource), naive::allows(&b, actions, &resource));
            assert_eq!(one.allows(actions, &resource), in_a);
            assert_eq!(other.allows(actions, &resource), in_b);
            assert_eq!(union.allows(actions, &resource), naive::allows(&both, actions, &resource));
            assert_eq!(intersection.allows(actions, &resource), in_a && in_b);
            let id = resource.id();
            let reached = match one.reach(actions, resource.organization(), resource.resource_type()) {
                Reach::All => true,
                Reach::Only(ids) => id.is_some_and(|id| ids.contains(&id)),
                Reach::None => false,
            };
            assert_eq!(reached, in_a, "{actions} {resource}");
        }
    }
});
