//! The decision allocates nothing, allow or deny, however many permissions there are; nor does asking it of a secret.
//!
//! A binary of its own, since it replaces the allocator.
#![allow(clippy::unwrap_used)]

use allocation_counter::measure;
use portcullis::{
    Action, Actor, Authority, Expiry, Liveness, MemoryStore, NewToken, OrgId, Pattern, Permission, Resource,
    ResourceId, Timestamp, TokenKind, UserId, Write, decide, verb,
};

#[test]
fn the_decision_allocates_nothing() {
    let org = OrgId::try_from(1).unwrap();
    let bucket = |n: u64| Resource::bucket(org, ResourceId::try_from(n).unwrap());
    let mut kinds = vec![TokenKind::operator(), TokenKind::all_access(org)];
    for count in [1, 2, 3, 8, 50, 1_000, 10_000] {
        let ids = (1..=count).map(|n| (ResourceId::try_from(n).unwrap(), Action::READ_WRITE));
        kinds.push(TokenKind::read_write(org, ids).unwrap());
        let patterns = (1..=count).map(|n| match n % 3 {
            0 => Pattern::new(Some(org), None, Some(ResourceId::try_from(n).unwrap())).unwrap(),
            _ => Pattern::from(bucket(n)),
        });
        kinds.push(TokenKind::custom(Some(org), patterns.map(Permission::read).collect()).unwrap());
    }
    let live = Liveness::ACTIVE.expires_at(Expiry::At(Timestamp::MAX));

    assert_eq!(measure(|| drop(vec![0_u8; 1])).count_total, 1, "the counter counts");

    let mut allowed = 0;
    let decisions = || {
        for kind in &kinds {
            for resource in [bucket(1), bucket(9_999), bucket(10_001), Resource::buckets(org), Resource::INSTANCE] {
                for action in [Action::READ, Action::READ_WRITE, verb!("execute").into()] {
                    allowed += usize::from(decide(kind, &live, action, &resource, Timestamp::EPOCH).is_ok());
                    allowed += usize::from(decide(kind, &live, action, &resource, Timestamp::MAX).is_ok());
                }
            }
        }
    };
    assert_eq!(measure(decisions).count_total, 0);
    // An operator everything; all access but for the instance; of the others none executes.
    assert_eq!(allowed, 15 + 12 + 7 * 2 + 7 + 2 + 1);
}

#[test]
fn a_request_allocates_nothing() {
    let org = OrgId::try_from(1).unwrap();
    let bucket = |n: u64| ResourceId::try_from(n).unwrap();
    let authority = Authority::open(MemoryStore::new()).wait().unwrap();
    for count in [1, 50] {
        let new = (1..=count).fold(NewToken::read_write(org), |new, n| new.write(bucket(n)));
        let new = new.owner(UserId::try_from(1).unwrap()).expires_at(Timestamp::MAX);
        let issued = authority.create(Actor::host("test"), new).wait().unwrap();
        let secret = issued.secret.expose();
        let request = || {
            let caller = authority.authenticate(secret).unwrap();
            for n in [1, 99] {
                let resource = Resource::bucket(org, bucket(n));
                assert_eq!(caller.authorize(Write, resource).is_ok(), n == 1);
                assert_eq!(authority.authorize(secret, Write, resource).is_ok(), n == 1);
            }
        };
        // What a thread needs once is not counted.
        request();
        assert_eq!(measure(request).count_total, 0, "{count} buckets");
    }
}
