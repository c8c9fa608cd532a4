//! The life of a token on a store in memory.

use portcullis::{Actor, Authority, MemoryStore, NewToken, OrgId, Permit, Read, Resource, ResourceId, UserId, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (alice, org, bucket) = (UserId::generate()?, OrgId::generate()?, ResourceId::generate()?);
    let resource = Resource::bucket(org, bucket);
    let authority = Authority::open(MemoryStore::new()).wait()?;

    let root = authority.setup(alice).wait()?;
    let operator = authority.authenticate(root.secret.expose())?;
    let sensor = authority.create(&operator, NewToken::read_write(org).write(bucket)).wait()?;

    let caller = authority.authenticate(sensor.secret.expose())?;
    let permit: Permit<Write> = caller.authorize(Write, resource)?;
    assert_eq!(permit.resource().id(), Some(bucket));
    assert!(caller.authorize(Read, resource).is_err());

    authority.revoke(Actor::host("maintenance"), sensor.token.id()).wait()?;
    assert!(caller.authorize(Write, resource).is_err());
    assert!(authority.authenticate(sensor.secret.expose()).is_err());
    println!("created, authorized and revoked a token");
    Ok(())
}
