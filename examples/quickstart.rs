//! The main job, from a new file to a revoked token: `cargo run --example quickstart`.
//!
//! Opens a store in a temporary directory, sets it up, hands out tokens, asks what each may do and why not where not,
//! tries what must fail, and opens the file again to see that all of it survived.

use std::error::Error;
use std::time::Duration;

use portcullis::{
    Action, Authority, Filter, NewToken, OrgId, Permit, Principal, RedbStore, Resource, ResourceId, ResourceType,
    Update, UserId, Verb, Write, resource_type, verb,
};

const NINETY_DAYS: Duration = Duration::from_hours(90 * 24);

/// A type of the host's own: nobody had heard of it when the tokens were made.
const INVOICES: ResourceType = resource_type!("invoices");
/// An action of the host's own: no token names it, but any action covers it.
const APPROVE: Verb = verb!("approve");

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("tokens.redb");

    heading("A new store");
    let authority = Authority::open(RedbStore::open(&path)?).wait()?;
    let (alice, bob) = (UserId::generate()?, UserId::generate()?);
    let root = authority.setup(alice).wait()?;
    println!("Set up, once. The operator's secret is shown here and never again:\n\n  {}\n", root.secret.expose());
    let again = authority.setup(alice).wait();
    println!("Setting up again: {}", refused(again));

    heading("Three tokens");
    let (acme, globex) = (OrgId::generate()?, OrgId::generate()?);
    let (metrics, logs, theirs) = (ResourceId::generate()?, ResourceId::generate()?, ResourceId::generate()?);

    let operator = authority.authenticate(root.secret.expose())?;
    let admin = NewToken::all_access(acme).owner(bob).description("acme: everything");
    let admin = authority.create(&operator, admin).wait()?;
    let admin_caller = authority.authenticate(admin.secret.expose())?;
    let sensor = NewToken::read_write(acme).write(metrics).expires_in(NINETY_DAYS).description("acme: a sensor");
    let sensor = authority.create(&admin_caller, sensor).wait()?;
    let sensor_caller = authority.authenticate(sensor.secret.expose())?;
    for issued in [&root, &admin, &sensor] {
        let token = &issued.token;
        let end = token.expires_at().map_or_else(|| "never expires".into(), |end| format!("until {end}"));
        println!("  {:<10} {}  {:<16} {end}", token.kind().name(), token.id(), token.description());
    }

    heading("What each may do");
    let requests = [
        ("write acme's metrics", Action::WRITE, Resource::bucket(acme, metrics)),
        ("read acme's metrics", Action::READ, Resource::bucket(acme, metrics)),
        ("read and write acme's metrics", Action::READ_WRITE, Resource::bucket(acme, metrics)),
        ("write acme's logs", Action::WRITE, Resource::bucket(acme, logs)),
        ("list acme's buckets", Action::READ, Resource::buckets(acme)),
        ("create a task in acme", Action::WRITE, Resource::within(acme, ResourceType::TASKS)),
        ("read acme's invoices, a new type", Action::READ, Resource::within(acme, INVOICES)),
        ("approve acme's invoices, a new verb", APPROVE.into(), Resource::within(acme, INVOICES)),
        ("list acme's tokens", Action::READ, Resource::authorizations(acme)),
        ("rename acme", Action::WRITE, Resource::organization_itself(acme)),
        ("write globex's bucket", Action::WRITE, Resource::bucket(globex, theirs)),
        ("name globex's bucket as acme's", Action::WRITE, Resource::bucket(globex, metrics)),
        ("list globex's tokens", Action::READ, Resource::authorizations(globex)),
        ("create an organization", Action::WRITE, Resource::global(ResourceType::ORGS)),
        ("list all users", Action::READ, Resource::global(ResourceType::USERS)),
        ("configure the server", Action::WRITE, Resource::INSTANCE),
    ];
    decisions(&requests, [("operator", &operator), ("all-access", &admin_caller), ("sensor", &sensor_caller)]);

    heading("Why the sensor may not");
    for (name, action, resource) in requests {
        if let Err(denial) = sensor_caller.authorize(action, resource) {
            let short = denial.to_string().replace(&acme.to_string(), "ACME").replace(&globex.to_string(), "GLOBEX");
            println!("  {name:<36} {}", short_ids(&short, &[(metrics, "METRICS"), (logs, "LOGS"), (theirs, "THEIRS")]));
        }
    }

    heading("A permit is proof");
    let permit = sensor_caller.authorize(Write, Resource::bucket(acme, metrics))?;
    write_points(&permit, 3);

    heading("What must fail");
    let mint = authority.create(&sensor_caller, NewToken::operator()).wait();
    println!("  The sensor makes an operator:          {}", refused(mint));
    let elsewhere = authority.create(&admin_caller, NewToken::read_write(globex).read(theirs)).wait();
    let elsewhere = refused(elsewhere).replace(&globex.to_string(), "GLOBEX");
    println!("  The admin makes a token for globex:    {elsewhere}");
    let immortal = Update::new().never_expires();
    let immortal = authority.update(&sensor_caller, sensor.token.id(), immortal).wait();
    println!("  The sensor makes itself immortal:      {}", refused(immortal).replace(&acme.to_string(), "ACME"));

    heading("Revoked while in use");
    println!("  Before: {}", outcome(&sensor_caller, acme, metrics));
    authority.revoke(&admin_caller, sensor.token.id()).wait()?;
    println!("  After, on the principal held already: {}", outcome(&sensor_caller, acme, metrics));

    heading("Opened again");
    drop(authority);
    let authority = Authority::open(RedbStore::open(&path)?).wait()?;
    let operator = authority.authenticate(root.secret.expose())?;
    for token in authority.list(&operator, &Filter::default(), None, 100)?.tokens {
        println!("  {:<10} {}  {:<16} {}", token.kind().name(), token.id(), token.description(), token.status());
    }
    let refused = authority.authenticate(sensor.secret.expose()).map(|_| ()).unwrap_err();
    println!("\n  The sensor's secret: {refused} (the host is told why: {})", refused.reason());
    Ok(())
}

/// A storage layer that cannot be called without a permit, and that takes its resource from it.
fn write_points(permit: &Permit<Write>, points: usize) {
    println!("  {points} points written to {}", permit.resource());
}

fn decisions(requests: &[(&str, Action, Resource)], callers: [(&str, &Principal<'_>); 3]) {
    print!("  {:<36}", "");
    callers.iter().for_each(|(name, _)| print!(" {name:^10}"));
    println!("\n  {}", "-".repeat(36 + 3 * 11));
    for (name, action, resource) in requests {
        print!("  {name:<36}");
        for (_, caller) in callers {
            let mark = if caller.authorize(*action, *resource).is_ok() { "yes" } else { "-" };
            print!(" {mark:^10}");
        }
        println!();
    }
}

fn outcome(caller: &Principal<'_>, org: OrgId, bucket: ResourceId) -> String {
    match caller.authorize(Write, Resource::bucket(org, bucket)) {
        Ok(_) => "allowed".into(),
        Err(denial) => format!("denied, {denial}"),
    }
}

fn refused<T>(answer: Result<T, portcullis::Error>) -> String {
    answer.map_or_else(|error| error.to_string(), |_| "allowed, which it should not be".into())
}

fn short_ids(text: &str, names: &[(ResourceId, &str)]) -> String {
    names.iter().fold(text.into(), |text, (id, name)| text.replace(&id.to_string(), name))
}

fn heading(text: &str) {
    println!("\n{text}\n{}\n", "=".repeat(text.len()));
}
