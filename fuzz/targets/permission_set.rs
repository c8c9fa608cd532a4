//! The algebra of permission sets against lists and linear scans.
#![no_main]

use std::collections::BTreeSet;

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use portcullis::{
    Action, OrgId, Pattern, Permission, PermissionSet, Reach, Resource, ResourceId, ResourceType, resource_type,
};
use test_support::naive::{self, covers, minimal};
use uuid::Uuid;

const TYPES: [ResourceType; 4] =
    [ResourceType::BUCKETS, ResourceType::INSTANCE, resource_type!("buckets2"), resource_type!("b")];
/// No permission names it.
const UNHEARD_OF: ResourceType = resource_type!("unheard-of");
const ALL_ACTIONS: [Action; 3] = [Action::READ, Action::WRITE, Action::READ_WRITE];

#[derive(Debug)]
struct One(Permission);

impl<'a> Arbitrary<'a> for One {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let [action, kind, org, id] = u.arbitrary::<[u8; 4]>()?;
        let kind = TYPES.get(usize::from(kind) % (TYPES.len() + 1)).copied();
        let org = OrgId::try_from(u64::from(org) % 4).ok();
        let pattern = Pattern::new(org, kind, id_of(id)).unwrap_or(Pattern::ANY);
        Ok(Self(if action & 1 == 0 { Permission::read(pattern) } else { Permission::write(pattern) }))
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
        for kind in pattern.kind().into_iter().chain([ResourceType::BUCKETS, ResourceType::INSTANCE, UNHEARD_OF]) {
            for org in
                pattern.organization().map(Some).into_iter().chain([None, OrgId::try_from(1).ok(), OrgId::try_from(9).ok()])
            {
                let Ok(whole) = org.map_or(Ok(Resource::global(kind)), |org| Resource::within(org, kind)) else {
                    continue;
                };
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
    assert_eq!(set.len(), set.patterns().count());
    assert!(set.patterns().map(|(pattern, _)| pattern).is_sorted());
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
        for actions in ALL_ACTIONS {
            let (in_a, in_b) = (naive::allows(&a, actions, &resource), naive::allows(&b, actions, &resource));
            assert_eq!(one.allows(actions, &resource), in_a);
            assert_eq!(other.allows(actions, &resource), in_b);
            assert_eq!(union.allows(actions, &resource), naive::allows(&both, actions, &resource));
            assert_eq!(intersection.allows(actions, &resource), in_a && in_b);
            let id = resource.id();
            let reached = match one.reach(actions, resource.kind(), resource.organization()) {
                Reach::All => true,
                Reach::Only(ids) => id.is_some_and(|id| ids.contains(&id)),
                Reach::None => false,
            };
            assert_eq!(reached, in_a, "{actions} {resource}");
        }
        for nothing in [Action::empty(), Action::from_bits_retain(4), Action::from_bits_retain(0xff)] {
            assert!(!one.allows(nothing, &resource));
        }
    }
});
