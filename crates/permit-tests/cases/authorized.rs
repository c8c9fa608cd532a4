use portcullis::{Authority, Denial, MemoryStore, NewToken, OrgId, Permit, Principal, Resource, ResourceId, UserId, Write};
use permit_tests::write_points;

fn write(caller: &Principal<'_>, org: OrgId, bucket: ResourceId) -> Result<Resource, Denial> {
    let permit = caller.authorize(Write, Resource::bucket(org, bucket))?;
    Ok(write_points(permit, &[20.5]))
}

fn main() {
    let (alice, org) = (UserId::generate().unwrap(), OrgId::generate().unwrap());
    let (bucket, other) = (ResourceId::generate().unwrap(), ResourceId::generate().unwrap());
    let authority = Authority::open(MemoryStore::new()).wait().unwrap();
    let root = authority.setup(alice).wait().unwrap();
    let operator = authority.authenticate(root.secret.expose()).unwrap();
    let sensor = authority.create(&operator, NewToken::read_write(org).write(bucket)).wait().unwrap();
    let sensor = authority.authenticate(sensor.secret.expose()).unwrap();
    assert_eq!(write(&sensor, org, bucket).unwrap(), Resource::bucket(org, bucket));
    assert!(write(&sensor, org, other).is_err());
    // Nothing is allocated, counted or locked for it.
    assert!(!std::mem::needs_drop::<Permit<Write>>());
}
