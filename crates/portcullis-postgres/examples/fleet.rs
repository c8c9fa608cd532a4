//! Three nodes on one PostgreSQL, and a token that is revoked on one of them: when is it dead everywhere?
//!
//! `cargo run -p portcullis-postgres --example fleet` starts a server of its own, in a temporary directory, if PostgreSQL is
//! installed. Else name one: `DATABASE_URL=postgres://… cargo run -p portcullis-postgres --example fleet`; it gets a
//! schema `portcullis_example`.

#[path = "../tests/server/mod.rs"]
mod server;

use std::error::Error;
use std::time::{Duration, Instant, SystemTime};

use portcullis::{
    Actor, Authority, Event, Everywhere, NewToken, OrgId, Resource, ResourceId, Timestamp, UserId, Write,
};
use portcullis_postgres::PostgresStore;
use portcullis_postgres::sqlx::postgres::PgConnectOptions;

/// One node: an authority with connections of its own.
fn node(name: &'static str, options: &PgConnectOptions) -> Result<Authority, Box<dyn Error>> {
    let store = PostgresStore::open_with(options)?.schema("portcullis_example")?;
    store.migrate().wait()?;
    let watch = move |event: &Event| println!("  [{name}] {event}");
    Ok(Authority::builder().stale_after(Duration::from_secs(3)).observer(watch).open(store).wait()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut own = None;
    let options = if let Ok(url) = std::env::var("DATABASE_URL") {
        url.parse()?
    } else {
        let mut server = server::Server::new(&[])?;
        server::run(server.up());
        own.insert(server).options()
    };
    let one = node("one", &options)?;
    let two = node("two", &options)?;
    let three = node("three", &options)?;

    println!("One makes a token; two accepts it as soon as it has followed to its revision:");
    let (host, org, bucket) = (Actor::host("example"), OrgId::generate()?, ResourceId::generate()?);
    let new = NewToken::read_write(org).write(bucket).owner(UserId::generate()?);
    let sensor = one.create(&host, new).wait()?;
    two.follow_to(sensor.receipt.revision).wait()?;
    three.follow_to(sensor.receipt.revision).wait()?;
    let on_two = two.authenticate(sensor.secret.expose())?;
    let on_three = three.authenticate(sensor.secret.expose())?;
    let permit = on_two.authorize(Write, Resource::bucket(org, bucket))?;
    println!("  allowed on two, as of revision {}", permit.revision());

    println!("Three revokes it, and gets a receipt:");
    let receipt = three.revoke(&host, sensor.token.id()).wait()?;
    let revoked = Instant::now();
    println!("  at revision {}; everywhere: {:?}", receipt.revision, receipt.everywhere);
    println!("  on three, at once: {}", on_three.check().unwrap_err());
    two.follow_to(receipt.revision).wait()?;
    println!("  on two, after {:?}: {}", revoked.elapsed(), on_two.check().unwrap_err());

    if let Some(server) = &own {
        println!(
            "The database hangs. Nobody can tell any more what is revoked, so after three seconds nobody says yes:"
        );
        let new = NewToken::all_access(org).owner(UserId::generate()?);
        let other = one.create(&host, new).wait()?;
        let held = one.authenticate(other.secret.expose())?;
        server.pause(true)?;
        while held.check().is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
        println!("  on one: {}; {:?} behind", held.check().unwrap_err(), one.health().behind);
        server.pause(false)?;
        while held.check().is_err() {
            std::thread::sleep(Duration::from_millis(50));
        }
        println!("  and when it is back: {:?}", held.check());
    }
    if let Everywhere::By(time) = receipt.everywhere {
        let past = Timestamp::from(SystemTime::now()) >= time;
        println!(
            "The receipt's time is {}.",
            if past { "over: the revoked token is dead everywhere" } else { "not over yet" }
        );
    }
    Ok(())
}
