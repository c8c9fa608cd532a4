//! Rule 20: secrets and digests never reach anything that is printed, logged, serialized or told.

use std::sync::Arc;
use std::time::Duration;

use portcullis::store::{ChangesError, CommitError, CommitId, Position, StoreError};
use portcullis::testing::broken::{BrokenStore, Flaw};
use portcullis::testing::{Call, Fault, FaultyStore, ManualClock, conformance};
use portcullis::{
    Action, Actor, Authority, AuthorityBuilder, CallName, Error, Everywhere, Filter, Grant, Issued, KindName, Liveness,
    NewToken, OpenError, Pattern, Pepper, Permission, Read, ReadWrite, RedbStore, Resource, ResourceId, ResourceType,
    Rotation, Secret, Standing, Status, SystemClock, Timestamp, TokenId, TokenKind, TokenStore, TracingObserver,
    Update, Verb, Write, decide, verb,
};
use sha2::{Digest, Sha256};

use test_support::fixture::{
    Events, HOUR, START, TICK, World, bucket, custom, eventually, host, id_of, ok, org, set, user,
};
use test_support::look;
use test_support::stores::Restorable;
use test_support::walk::{self, Hidden, KEY, Walk};

/// Public, and not walked.
const NOT_WALKED: &[&str] = &[
    // Traits.
    "AsAction",
    "AsResource",
    "NewKind",
    // Parts of a `NewToken`, which is walked.
    "NewCustom",
    "NewReadWrite",
    "Clock",
    "Observer",
    "TokenStore",
    // The operating system would have to fail.
    "RandomError",
];

#[test]
fn rule_20_secrets_and_digests_are_in_nothing_that_is_printed_or_told() {
    let mut walk = Walk::default();
    walk.hidden.add_bytes(&KEY);
    let world = World::new();
    settings(&world, &mut walk);
    for peppered in [false, true] {
        let node = world.node_with(|builder| if peppered { builder.pepper(pepper()) } else { builder });
        life(&world, &node, &mut walk, if peppered { "peppered" } else { "plain" });
        look!(walk, node);
        look!(walk, node.close());
    }
    denials(&world, &mut walk);
    refusals(&world, &mut walk);
    failures(&world, &mut walk);
    stores(&world, &mut walk);
    pure(&mut walk);
    for event in world.events.all() {
        look!(walk, event, event.kind);
        event.actor.iter().for_each(|actor| look!(walk, *actor));
    }
    assert!(world.events.all().len() > 50 && walk.hidden.len() > 1_000);
    assert_eq!(walk.leaks(), [""; 0]);

    // All that there is was walked.
    let types = [include_str!("../../src/lib.rs"), include_str!("../../src/testing/mod.rs")].map(walk::types);
    let mut missed = walk.missed(types.into_iter().flatten());
    missed.retain(|name| !NOT_WALKED.contains(&name.as_str()));
    assert!(missed.is_empty(), "types that are not walked: {missed:?}");
    let errors = walk::variants(include_str!("../../src/authority/error.rs"), "Error");
    let opening = walk::variants(include_str!("../../src/authority/open_error.rs"), "OpenError");
    let events = walk::variants(include_str!("../../src/authority/event.rs"), "EventKind");
    assert_eq!(walk.missed(errors.into_iter().chain(opening).chain(events)), ["Error::Random"]);
}

fn pepper() -> Pepper {
    Pepper::new('k', &KEY).unwrap()
}

fn chosen(name: &str, number: u32) -> Secret {
    Secret::new(format!("a-secret-that-somebody-chose-{name}-{number}"))
}

fn new() -> NewToken {
    NewToken::all_access(org(1)).owner(user(1)).description("described")
}

/// What is asked for.
fn settings(world: &World, walk: &mut Walk) {
    (1..10).for_each(|number| walk.hidden.add(chosen("asked", number).expose()));
    look!(walk, pepper(), chosen("asked", 1), new().secret(chosen("asked", 2)), Update::new().description("x"));
    look!(walk, Rotation::new().secret(chosen("asked", 3)).overlap(HOUR));
    look!(walk, Authority::builder().pepper(pepper()).previous_pepper(pepper()));
    look!(walk, world.authority.create(host(), new().secret(chosen("asked", 4))));
    look!(walk, Pepper::new('k', &KEY[..20]).unwrap_err(), Pepper::new('-', &KEY).unwrap_err());
    // Where something else belongs.
    let secret = world.issue(new()).secret;
    walk.hidden.add(secret.expose());
    let secret = secret.expose();
    look!(walk, Authority::builder().secret_prefix(secret).unwrap_err(), secret.parse::<TokenId>().unwrap_err());
    look!(walk, format!("read:buckets/{secret}").parse::<Permission>().unwrap_err());
    look!(walk, format!("{secret}:buckets").parse::<Permission>().unwrap_err());
    look!(walk, secret.parse::<KindName>().unwrap_err(), secret.parse::<Status>().unwrap_err());
    look!(walk, format!("{secret}!").parse::<ResourceType>().unwrap_err());
}

/// Does everything that there is to do, and looks at whatever comes back.
fn life(world: &World, node: &Authority, walk: &mut Walk, name: &str) {
    let chosen = |number| chosen(name, number);
    (1..10).for_each(|number| walk.hidden.add(chosen(number).expose()));
    let shown = |issued: &Issued, walk: &mut Walk| {
        walk.hidden.add(issued.secret.expose());
        look!(walk, *issued, issued.secret, issued.token, issued.receipt, issued.receipt.everywhere);
        look!(walk, *issued.token.creator(), *issued.token.kind());
    };
    let generated = node.create(host(), new()).wait().unwrap();
    let given = node.create(host(), new().secret(chosen(1))).wait().unwrap();
    shown(&generated, walk);
    shown(&given, walk);
    for (issued, rotation) in [(&generated, Rotation::new()), (&given, Rotation::new().secret(chosen(2)).overlap(HOUR))]
    {
        shown(&node.rotate(host(), issued.token.id(), rotation).wait().unwrap(), walk);
    }
    let operator = node.create(host(), NewToken::operator().owner(user(1)).secret(chosen(3))).wait().unwrap();
    shown(&operator, walk);
    let deleted = node.create(host(), new().secret(chosen(4))).wait().unwrap();
    shown(&deleted, walk);
    look!(walk, node.delete(host(), deleted.token.id()).wait().unwrap());

    let principal = node.authenticate(operator.secret.expose()).unwrap();
    look!(walk, principal, Actor::from(&principal), host(), node.health(), node.position(), node.position().commit);
    look!(walk, node.update(&principal, given.token.id(), Update::new().description("x")).wait().unwrap());
    look!(walk, node.list(&principal, &Filter::default(), None, 100).unwrap(), Filter::default());
    look!(walk, node.get(&principal, id_of(&principal)).unwrap());
    let caller = node.authenticate(given.secret.expose()).unwrap();
    look!(walk, caller.authorize(Read, Resource::bucket(org(1), bucket(1))).unwrap());
    look!(walk, caller.authorize(ReadWrite, Resource::INSTANCE).unwrap_err());
    look!(walk, caller.reach(Action::READ, Some(org(1)), ResourceType::BUCKETS).unwrap());
    let explained = node.explain(host(), given.token.id(), Action::WRITE, &Resource::INSTANCE).unwrap();
    look!(walk, explained, explained.denial().unwrap());

    let long = "a-secret-that-is-much-too-long-".repeat(20);
    for refused in [
        Secret::new(generated.secret.expose()),
        chosen(1),
        chosen(4),
        Secret::new(format!("${}$", chosen(7).expose())),
        Secret::new(format!("{}\n", chosen(8).expose())),
        Secret::new(long.as_str()),
        Secret::new("a-short-secret"),
    ] {
        walk.hidden.add(refused.expose());
        let error = node.create(&principal, new().secret(refused)).wait().unwrap_err();
        if let Error::Secret(why) = &error {
            look!(walk, *why);
        }
        look!(walk, error);
    }
    for refused in [generated.secret.expose(), &generated.secret.expose()[1..], chosen(9).expose(), &long] {
        walk.hidden.add(refused);
        look!(walk, node.authenticate(refused).unwrap_err());
        look!(walk, node.authorize(refused, Write, Resource::INSTANCE).unwrap_err());
    }
    ok(node.revoke_all(host(), operator.token.id()));
    ok(node.purge(host(), world.now()));
}

/// What makes a token refused.
type Change = fn(&World, &Authority, TokenId);

/// Tokens that are not accepted any more, for every reason: what they are told, and what is told of them.
fn denials(world: &World, walk: &mut Walk) {
    let node = world.node();
    let changes: [Change; 7] = [
        |_, node, id| ok(node.update(host(), id, Update::new().deactivate())),
        |world, node, id| {
            ok(node.update(host(), id, Update::new().expires_in(HOUR)));
            world.clock.advance(HOUR);
        },
        |_, node, id| ok(node.revoke(host(), id)),
        |_, node, id| ok(node.delete(host(), id)),
        |_, node, id| ok(node.rotate(host(), id, Rotation::new())),
        |_, node, _| ok(node.set_owner_standing(host(), user(5), Standing::Suspended)),
        |_, node, _| ok(node.set_owner_standing(host(), user(5), Standing::Deleted)),
    ];
    for change in changes {
        let issued = node.create(host(), new().owner(user(5)).expires_in(HOUR * 100)).wait().unwrap();
        walk.hidden.add(issued.secret.expose());
        let held = node.authenticate(issued.secret.expose()).unwrap();
        change(world, &node, issued.token.id());
        look!(walk, held, held.authorize(Write, Resource::bucket(org(1), bucket(1))).unwrap_err());
        look!(walk, held.check().unwrap_err(), node.authenticate(issued.secret.expose()).unwrap_err());
        look!(walk, node.authorize(issued.secret.expose(), Write, Resource::INSTANCE).unwrap_err());
        look!(walk, node.create(&held, new()).wait().unwrap_err());
        if held.check() == Err(portcullis::Reason::OwnerSuspended) {
            ok(node.set_owner_standing(host(), user(5), Standing::Active));
        }
    }
    look!(walk, node.create(host(), new().owner(user(5))).wait().unwrap_err());
}

/// Every error of the authority.
fn refusals(world: &World, walk: &mut Walk) {
    let node = &world.authority;
    let issue = |new: NewToken| {
        let issued = world.issue(new);
        (issued.token, issued.secret)
    };
    let (_, operator) = issue(NewToken::operator());
    let (admin, secret) = issue(NewToken::all_access(org(1)).expires_in(HOUR));
    let (revoked, former) = issue(NewToken::all_access(org(1)));
    let (_, sensor) = issue(NewToken::read_write(org(1)).write(bucket(1)).checked().unwrap());
    let (other, _) = issue(NewToken::all_access(org(2)));
    let (narrow, custom) = issue(custom(org(1), &["write:orgs/O/authorizations", "read:orgs/O/authorizations"]));
    [&operator, &secret, &former, &sensor, &custom].iter().for_each(|secret| walk.hidden.add(secret.expose()));
    let login = |secret: &Secret| node.authenticate(secret.expose()).unwrap();
    let (operator, caller, sensor, few) = (login(&operator), login(&secret), login(&sensor), login(&custom));
    let id = admin.id();
    ok(node.revoke(host(), revoked.id()));
    ok(node.set_organization_standing(host(), org(9), Standing::Deleted));

    let stale = Update::new().description("x").if_revision(1);
    let later = NewToken::all_access(org(1)).expires_in(HOUR * 2);
    look!(walk, node.update(host(), id, stale).wait().unwrap_err());
    look!(walk, node.create(&sensor, new()).wait().unwrap_err());
    look!(walk, node.create(&few, NewToken::all_access(org(1))).wait().unwrap_err());
    look!(walk, node.create(&caller, NewToken::operator()).wait().unwrap_err());
    look!(walk, node.create(&caller, later).wait().unwrap_err());
    look!(walk, node.rotate(&caller, id, Rotation::new().secret(chosen("asked", 5))).wait().unwrap_err());
    look!(walk, node.get(&caller, other.id()).unwrap_err());
    look!(walk, node.update(host(), revoked.id(), Update::new()).wait().unwrap_err());
    look!(walk, node.update(host(), id, Update::new().kind(TokenKind::all_access(org(2)))).wait().unwrap_err());
    let empty = node.create(host(), NewToken::custom(org(1)).owner(user(1)));
    let empty = empty.wait().unwrap_err();
    if let Error::Kind(why) = &empty {
        look!(walk, *why);
    }
    look!(walk, empty);
    look!(walk, node.create(host(), NewToken::operator()).wait().unwrap_err());
    look!(walk, node.create(host(), new().expires_at(START)).wait().unwrap_err());
    look!(walk, node.create(host(), new().description("x".repeat(2_000))).wait().unwrap_err());
    look!(walk, node.create(host(), new().description("\n")).wait().unwrap_err());
    look!(walk, node.create(host(), NewToken::all_access(org(9)).owner(user(1))).wait().unwrap_err());
    let (elsewhere, mistaken) = (World::new(), narrow.id());
    look!(walk, elsewhere.authority.revoke(&operator, mistaken).wait().unwrap_err());
    ok(elsewhere.authority.setup(user(1)));
    look!(walk, elsewhere.authority.setup(user(1)).wait().unwrap_err());
    let open = |settings: fn(AuthorityBuilder) -> AuthorityBuilder| {
        settings(Authority::builder()).open(elsewhere.store.clone()).wait().unwrap_err()
    };
    look!(walk, open(|builder| builder.pepper(pepper()).previous_pepper(pepper())));
    look!(walk, open(|builder| builder.follow(HOUR)));
    // That others keep changing the store, that a thread cannot be started and the like.
    look!(walk, Error::Busy(10), Error::LongLineage, Error::Closed, Error::Unavailable);
    look!(walk, Error::NewerFormat(2), Error::from("x".parse::<TokenId>().unwrap_err()));
    look!(walk, Error::from("read".parse::<Permission>().unwrap_err()));
    let store = || Arc::new(StoreError::new("full"));
    look!(walk, OpenError::Thread(Arc::new(std::io::Error::other("none left"))), OpenError::Store(store()));
    look!(walk, OpenError::NewerFormat(2), OpenError::Ended, Error::from(OpenError::Ended));
    look!(walk, OpenError::from(Pepper::new('k', &[1; 31]).unwrap_err()));
    look!(walk, OpenError::from(Authority::builder().secret_prefix("").unwrap_err()));
}

/// A store that fails, hangs behind, and comes back with another history.
fn failures(world: &World, walk: &mut Walk) {
    let (clock, restorable, events) = (ManualClock::new(START), Restorable::default(), Events::default());
    let (store, faults) = FaultyStore::new(restorable.clone());
    let log = (events.clone(), world.events.clone());
    let builder = Authority::builder().clock(clock.clone()).follow(Duration::from_millis(1)).stale_after(HOUR);
    let builder = builder.observer(move |event: &portcullis::Event| {
        log.0.push(event);
        log.1.push(event);
    });
    let node = builder.open(store).wait().unwrap();
    (1..10).for_each(|number| walk.hidden.add(chosen("failing", number).expose()));
    let issued = node.create(host(), new().secret(chosen("failing", 1))).wait().unwrap();
    let held = node.authenticate(issued.secret.expose()).unwrap();
    let mut fail = |call, fault, number| {
        faults.always(call, fault);
        let error = node.create(host(), new().secret(chosen("failing", number))).wait().unwrap_err();
        faults.heal();
        // What was in doubt is settled.
        ok(node.update(host(), issued.token.id(), Update::new()));
        look!(walk, error);
        error
    };
    fail(Call::Commit, Fault::Refuse, 2);
    let in_doubt = fail(Call::Commit, Fault::DoubtAfter, 3);
    fail(Call::Commit, Fault::Panic, 4);
    look!(walk, Error::Unfinished { changed: 1, source: Box::new(in_doubt) }, faults, Call::Commit, Fault::Hang);

    let told = |what: &str| events.take().iter().any(|event| event.contains(what));
    faults.always(Call::Changes, Fault::Refuse);
    clock.advance(HOUR * 2);
    eventually("denied", || told("denying everything"));
    look!(walk, node.authenticate(issued.secret.expose()).unwrap_err(), held.check().unwrap_err());
    look!(
        walk,
        held.authorize(Read, Resource::INSTANCE).unwrap_err(),
        node.get(host(), issued.token.id()).unwrap_err()
    );
    eventually("the reason is known", || node.health().error.is_some());
    look!(walk, node.health());
    faults.heal();
    eventually("decided again", || told("serving again"));
    restorable.restore(1);
    eventually("another history", || told("another history"));
    (0..100).for_each(|_| drop(node.authenticate(chosen("failing", 9).expose())));
    node.close().wait().unwrap();
}

/// The stores themselves, and what they hold.
fn stores(world: &World, walk: &mut Walk) {
    let mut store = world.store.clone();
    let changes = store.changes(Position::ORIGIN, 1_000).unwrap();
    assert!(changes.records.len() > 5 && !changes.used.is_empty());
    for (_, record) in &changes.records {
        look!(walk, *record, record.key(), record.kind(), record.summary());
    }
    let records: Vec<_> = changes.records.iter().map(|(_, record)| record.clone()).collect();
    let mut broken = BrokenStore::new(Flaw::WritesHalf);
    _ = broken.commit(Position::ORIGIN, CommitId::generate().unwrap(), &records);
    look!(walk, store, changes, broken, FaultyStore::new(store.clone()).0);
    let report = conformance(|| BrokenStore::new(Flaw::WritesHalf), BrokenStore::open);
    look!(walk, report, report.violations()[0], Flaw::WritesHalf, world.clock);

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens.redb");
    let mut store = RedbStore::open(&file).unwrap();
    store.commit(Position::ORIGIN, CommitId::generate().unwrap(), &records).unwrap();
    let elsewhere = Position { revision: 7, commit: CommitId::generate().unwrap() };
    look!(walk, store.commit(elsewhere, CommitId::generate().unwrap(), &records).unwrap_err());
    look!(walk, store, store.changes(elsewhere, 1).unwrap_err(), RedbStore::open(&file).unwrap_err());
    drop(store);
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    look!(walk, RedbStore::open(&file).unwrap_err());
    let failed = || StoreError::new(RedbStore::open(&file).unwrap_err());
    look!(walk, failed(), CommitError::Refused(failed()), ChangesError::Failed(failed()));
    for record in &records {
        let mut bytes = record.encode();
        for at in 0..bytes.len() {
            bytes[at] ^= 0x10;
            look!(walk, portcullis::store::Record::decode(&bytes).unwrap_err());
            bytes[at] ^= 0x10;
        }
    }
}

/// What never comes near a secret.
fn pure(walk: &mut Walk) {
    let resource = Resource::bucket(org(1), bucket(1));
    let pattern = Pattern::from(resource);
    look!(
        walk,
        Read,
        Write,
        ReadWrite,
        Action::READ,
        resource,
        resource.resource_type(),
        pattern,
        Permission::read(pattern)
    );
    look!(walk, set(&["read:orgs/O/buckets"]), TokenKind::operator(), KindName::Operator, Status::Active);
    look!(walk, org(1), user(1), bucket(1), ResourceId::generate().unwrap(), TokenId::generate().unwrap());
    look!(walk, "yesterday".parse::<Timestamp>().unwrap_err(), "gone".parse::<Standing>().unwrap_err());
    look!(walk, Grant::Any, verb!("execute"), "no verb".parse::<Verb>().unwrap_err());
    look!(walk, "no action".parse::<Action>().unwrap_err());
    look!(walk, NewToken::custom(org(1)).secret(chosen("custom", 1)), NewToken::read_write(org(1)).read(bucket(1)));
    look!(walk, CallName::Create, START, SystemClock, TracingObserver, Everywhere::By(START), Standing::Active);
    look!(walk, Pattern::new(Some(org(1)), Some(ResourceType::INSTANCE), None).unwrap_err());
    let live = Liveness::ACTIVE.expires_at(START);
    look!(
        walk,
        live,
        live.expires_at,
        decide(&TokenKind::operator(), &live, Action::READ, &resource, Timestamp::MAX).unwrap_err()
    );
}

/// One that shows it in the way in which it is asked to.
struct Leak(&'static str);

const LEAKED: &str = "a-secret-that-somebody-chose-0001";

impl Leak {
    fn show(&self, way: &str) -> &'static str {
        if self.0 == way { LEAKED } else { "" }
    }
}

impl std::fmt::Debug for Leak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.show("debug"))
    }
}

impl std::fmt::Display for Leak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.show("display"))
    }
}

impl serde::Serialize for Leak {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.show("json"))
    }
}

impl std::error::Error for Leak {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        (self.0 == "cause").then_some(&Leak("debug"))
    }
}

#[test]
fn rule_20_this_test_finds_what_it_looks_for() {
    let digest: [u8; 32] = Sha256::digest(LEAKED).into();
    let mut hidden = Hidden::default();
    hidden.add(LEAKED);
    let prefixed = [b"xy".as_slice(), &digest, b"z"].concat();
    for leak in [
        format!("<{LEAKED}>"),
        format!("<{}>", &LEAKED[5..21]),
        format!("{digest:?}"),
        format!("{digest:#04x?}"),
        serde_json::to_string(&digest).unwrap(),
        walk::base64(&prefixed[..33], "+/"),
        walk::base64(&prefixed[1..34], "-_"),
        walk::base64(&prefixed[2..35], "+/"),
    ] {
        assert!(hidden.is_in(&leak), "{leak}");
    }
    assert!(!hidden.is_in("harmless"));

    let mut walk = Walk::default();
    walk.hidden = hidden;
    look!(walk, Leak("nowhere"), TICK);
    assert_eq!(walk.leaks(), [""; 0]);
    for (way, leaks) in ["debug", "display", "json", "cause"].into_iter().zip(1..) {
        look!(walk, Leak(way));
        assert_eq!(walk.leaks().len(), leaks, "{way}");
    }
    assert_eq!(walk.missed(["Leak", "Duration", "Token"].map(String::from)), ["Token"]);
    let types = walk::types("\npub use a::{Bc, De as Fg, MAX};\npub use h::i;\n// pub use j::Kl;\nuse m::No;");
    assert_eq!(types, ["Bc", "Fg"]);
    assert_eq!(
        walk::variants("\npub enum A {\n    /// X\n    B(u8),\n    C {\n        d: u8,\n    },\n}\n", "A"),
        ["A::B", "A::C"]
    );
}

#[test]
fn rule_20_a_store_holds_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens.redb");
    let authority = Authority::open(RedbStore::open(&file).unwrap()).wait().unwrap();
    let new = || NewToken::all_access(org(1)).owner(user(1));
    let given = new().secret(Secret::new("a-secret-that-somebody-chose-0001"));
    let issued = [new(), given].map(|new| authority.create(host(), new).wait().unwrap());
    let rotated = authority.rotate(host(), issued[0].token.id(), Rotation::new().overlap(HOUR)).wait().unwrap();
    for secret in issued.iter().chain([&rotated]).map(|issued| &issued.secret) {
        authority.authenticate(secret.expose()).unwrap();
    }
    authority.close().wait().unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let has = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
    for secret in issued.iter().chain([&rotated]).map(|issued| issued.secret.expose().as_bytes()) {
        // The middle of it: what is random.
        assert!(!has(&secret[8..24]));
        assert!(has(&Sha256::digest(secret)), "this test looks where the tokens are");
    }
}

#[test]
fn an_actor_prints_who_it_is() {
    assert_eq!(format!("{:?}", portcullis::Actor::host("recovery")), "Actor::host(\"recovery\")");
}

#[test]
fn an_authority_prints_where_it_is_and_a_builder_what_was_chosen() {
    let world = World::new();
    drop(world.issue(NewToken::all_access(org(1))));
    let printed = format!("{:?}", world.authority);
    assert_eq!(printed, format!("Authority {{ position: {:?}, .. }}", world.authority.position()));
    let printed = format!("{:?}", Authority::builder().pepper(pepper()).follow(HOUR));
    assert!(printed.contains("Pepper(") && printed.contains("follow: 3600s"), "{printed}");
}
