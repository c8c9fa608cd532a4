//! Stores that earlier versions wrote are read, with all of their content.
//!
//! `tests/stored/format-N.redb` is a store in format N, and `format-N.json` says what is in it. Once a version with that
//! format is released, neither is ever written again. For a new format:
//! `STORED=tests/stored/format-2 cargo test -p store-tests --test stored`.
//!
//! The records of a store are also what the fuzz target `records` starts from. To write them again:
//! `SEEDS=../../fuzz/seeds/records cargo test -p store-tests --test stored`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use portcullis::store::{Position, Record, RecordKind};
use portcullis::testing::ManualClock;
use portcullis::{
    Action, Actor, Authority, Clock, Error, Filter, Issued, NewToken, Pattern, Pepper, Permission, RedbStore, Rotation,
    Secret, Standing, Timestamp, TokenId, TokenKind, TokenStore, Update,
};
use redb::Database;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use test_support::fixture::{HOUR, START, bucket, custom, hex, host, listed, org, set, user};
use test_support::naive::{self, Domain};

/// What is in a store, in no words but those of JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Content {
    now: Timestamp,
    /// The revision and, in hexadecimal digits, the commit id.
    position: (u64, String),
    tokens: Vec<Value>,
    /// Each with its token and what is said to whoever presents it.
    secrets: Vec<(String, TokenId, String)>,
    /// Secrets that nobody may choose any more, and one that anybody may.
    taken: Vec<String>,
    free: String,
    owners: BTreeMap<String, Standing>,
    organizations: BTreeMap<String, Standing>,
    /// What `revoke_all` on the All-Access token revokes.
    created_under: (TokenId, usize),
    /// The records as they are stored, in hexadecimal digits, after the revision that wrote them.
    records: Vec<(u64, String)>,
}

fn chosen(what: &str) -> Secret {
    Secret::new(format!("chosen-by-somebody-for-a-token-that-{what}"))
}

fn open(store: RedbStore, clock: &ManualClock, pepper: bool) -> Authority {
    let mut builder = Authority::builder().clock(clock.clone()).follow(Duration::MAX);
    if pepper {
        builder = builder.pepper(Pepper::new('k', &[7; 32]).unwrap());
    }
    builder.open(store).wait().unwrap()
}

/// Makes a store with everything in it that can be.
fn make(file: &Path) -> Content {
    let clock = ManualClock::new(START);
    let mut secrets = Vec::new();
    let mut note = |issued: &Issued, said: &str| {
        secrets.push((issued.secret.expose().to_owned(), issued.token.id(), said.to_owned()));
    };

    // Without a pepper, then with one.
    let authority = open(RedbStore::open(file).unwrap(), &clock, false);
    let root = authority.setup(user(1)).wait().unwrap();
    note(&root, "accepted");
    let forgotten = NewToken::all_access(org(1)).owner(user(1)).secret(chosen("was-forgotten"));
    let forgotten = authority.create(host(), forgotten).wait().unwrap();
    note(&forgotten, "unknown");
    authority.delete(host(), forgotten.token.id()).wait().unwrap();
    clock.advance(HOUR);
    authority.purge(host(), clock.now()).wait().unwrap();
    authority.close().wait().unwrap();
    let authority = open(RedbStore::open(file).unwrap(), &clock, true);

    let create = |actor: &Actor, new: NewToken| authority.create(actor, new).wait().unwrap();
    let login = |issued: &Issued| Actor::from(&authority.authenticate(issued.secret.expose()).unwrap());
    let all_access = NewToken::all_access(org(1)).owner(user(2)).description("all of it: \u{fc}");
    let admin = create(&login(&root), all_access);
    note(&admin, "accepted");
    let buckets = NewToken::read_write(org(1)).read(bucket(1)).write(bucket(1)).write(bucket(2)).checked().unwrap();
    let sensor = create(&login(&admin), buckets.expires_in(900 * HOUR));
    note(&sensor, "unknown");
    let rotate = |id, rotation| authority.rotate(host(), id, rotation).wait().unwrap();
    let rotated = rotate(sensor.token.id(), Rotation::new());
    note(&rotated, "accepted");
    note(&rotate(sensor.token.id(), Rotation::new().overlap(20 * HOUR)), "accepted");
    let before = create(
        &login(&admin),
        NewToken::read_write(org(1)).read(bucket(1)).secret(chosen("was-rotated")).checked().unwrap(),
    );
    note(&before, "unknown");
    note(&rotate(before.token.id(), Rotation::new().secret(chosen("is-there"))), "accepted");
    let several = [
        "read:orgs/P/*",
        "write:orgs/P/tasks",
        "write:orgs/P/my-own_type/00000000000000b3",
        "*:orgs/P/labels",
        "run:orgs/P/tasks",
    ];
    let user_made = custom(org(2), &several).owner(user(3));
    note(&create(&host(), user_made), "accepted");
    let instance = ["write:instance", "read:users", "write:*/01890a5d-ac96-774b-bcce-b302099a8057"];
    note(
        &create(&host(), NewToken::of_kind(TokenKind::custom(None, set(&instance)).unwrap()).owner(user(3))),
        "accepted",
    );

    let of = |number| NewToken::read_write(org(number)).read(bucket(1)).owner(user(3)).checked().unwrap();
    let inactive = create(&host(), of(1));
    note(&inactive, "inactive");
    authority.update(host(), inactive.token.id(), Update::new().deactivate()).wait().unwrap();
    let revoked = create(&login(&admin), NewToken::read_write(org(1)).read(bucket(1)).checked().unwrap());
    note(&revoked, "revoked");
    authority.revoke(host(), revoked.token.id()).wait().unwrap();
    let deleted = create(&host(), of(1).secret(chosen("was-deleted")));
    note(&deleted, "unknown");
    authority.delete(host(), deleted.token.id()).wait().unwrap();
    note(&create(&host(), of(1).expires_in(HOUR)), "expired");
    for (number, standing, owners, organizations) in [
        (4, Standing::Suspended, "ownerSuspended", "organizationSuspended"),
        (5, Standing::Deleted, "ownerDeleted", "organizationDeleted"),
    ] {
        note(&create(&host(), of(1).owner(user(number))), owners);
        note(&create(&host(), of(number)), organizations);
        authority.set_owner_standing(host(), user(number), standing).wait().unwrap();
        authority.set_organization_standing(host(), org(number), standing).wait().unwrap();
    }
    clock.advance(10 * HOUR);
    authority.authenticate(admin.secret.expose()).unwrap();
    authority.close().wait().unwrap();
    assert!(Database::open(file).unwrap().compact().unwrap());

    let mut store = RedbStore::open(file).unwrap();
    let page = store.changes(Position::ORIGIN, usize::MAX).unwrap();
    let authority = open(store, &clock, true);
    Content {
        now: clock.now(),
        position: (page.position.revision, page.position.commit.to_string()),
        tokens: tokens(&authority),
        secrets,
        taken: ["is-there", "was-rotated", "was-deleted"].map(|what| chosen(what).expose().to_owned()).into(),
        free: chosen("was-forgotten").expose().to_owned(),
        owners: standings(&[1, 4, 5], |n| (user(n).to_string(), authority.owner_standing(user(n)).unwrap())),
        organizations: standings(&[1, 4, 5], |n| {
            (org(n).to_string(), authority.organization_standing(org(n)).unwrap())
        }),
        created_under: (admin.token.id(), 3),
        records: page.records.iter().map(|(revision, record)| (*revision, hex(&record.encode()))).collect(),
    }
}

fn standings(numbers: &[u64], of: impl Fn(u64) -> (String, Standing)) -> BTreeMap<String, Standing> {
    numbers.iter().map(|number| of(*number)).collect()
}

fn tokens(authority: &Authority) -> Vec<Value> {
    let tokens = listed(authority, host(), &Filter::default(), 5);
    tokens.iter().map(|token| serde_json::to_value(token).unwrap()).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

/// The store has all of that content, and means it.
fn check(file: &Path, content: &Content) {
    let mut store = RedbStore::open(file).unwrap();
    let page = store.changes(Position::ORIGIN, usize::MAX).unwrap();
    assert_eq!((page.position.revision, page.position.commit.to_string()), content.position);
    let stored = content.records.iter().map(|(revision, bytes)| (*revision, Record::decode(&unhex(bytes)).unwrap()));
    assert_eq!(page.records, stored.collect::<Vec<_>>());
    let kinds: BTreeSet<_> = page.records.iter().map(|(_, record)| record.kind()).collect();
    let all = [RecordKind::Token, RecordKind::Tombstone, RecordKind::Owner, RecordKind::Organization, RecordKind::Mark];
    assert_eq!(kinds, BTreeSet::from(all));
    let marks = page.records.iter().filter(|(_, record)| record.kind() == RecordKind::Mark).count();
    assert_eq!(marks, 3);

    let clock = ManualClock::new(content.now);
    let authority = open(store, &clock, true);
    assert_eq!(tokens(&authority), content.tokens);
    for (id, standing) in &content.owners {
        assert_eq!(authority.owner_standing(id.parse().unwrap()).unwrap(), *standing, "{id}");
    }
    for (id, standing) in &content.organizations {
        assert_eq!(authority.organization_standing(id.parse().unwrap()).unwrap(), *standing, "{id}");
    }
    for (secret, id, said) in &content.secrets {
        match authority.authenticate(secret) {
            Ok(principal) => {
                let token = serde_json::to_value(principal.token().unwrap()).unwrap();
                assert_eq!((token["id"].as_str(), said.as_str()), (Some(id.to_string().as_str()), "accepted"));
                let permissions: Vec<Permission> = serde_json::from_value(token["permissions"].clone()).unwrap();
                for resource in resources(content) {
                    for action in [Action::READ, Action::WRITE, Action::READ_WRITE] {
                        let allowed = naive::allows(&permissions, action, &resource);
                        assert_eq!(principal.authorize(action, resource).is_ok(), allowed, "{id}: {action} {resource}");
                    }
                }
            }
            Err(error) => assert_eq!(error.reason().as_str(), said, "{id}"),
        }
    }
    for secret in &content.taken {
        let again = NewToken::operator().owner(user(1)).secret(Secret::new(secret));
        assert!(matches!(authority.create(host(), again).wait(), Err(Error::SecretTaken)), "{secret}");
    }
    let again = NewToken::operator().owner(user(1)).secret(Secret::new(&content.free));
    assert!(authority.create(host(), again).wait().is_ok());
    assert!(matches!(authority.setup(user(1)).wait(), Err(Error::AlreadySetUp)));
    let (admin, under) = content.created_under;
    assert_eq!(authority.revoke_all(host(), admin).wait().unwrap().changed, under);
}

/// What the permissions in the store name, and of each field something that none does.
fn resources(content: &Content) -> Vec<portcullis::Resource> {
    let permissions = content
        .tokens
        .iter()
        .flat_map(|token| serde_json::from_value::<Vec<Permission>>(token["permissions"].clone()).unwrap());
    let patterns: Vec<_> = permissions.map(|permission| permission.pattern()).collect();
    let types = patterns.iter().filter_map(Pattern::resource_type).chain(["unheard-of".parse().unwrap()]);
    let orgs = patterns.iter().filter_map(Pattern::organization).chain([org(9)]);
    let ids = patterns.iter().filter_map(Pattern::id).chain([bucket(9)]);
    Domain { orgs: distinct(orgs), ids: distinct(ids), types: distinct(types) }.resources()
}

fn distinct<T: Ord>(all: impl Iterator<Item = T>) -> Vec<T> {
    all.collect::<BTreeSet<_>>().into_iter().collect()
}

#[test]
fn a_store_of_today_has_all_of_its_content() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens.redb");
    let content = make(&file);
    if let Some(kept) = std::env::var_os("STORED") {
        let kept = Path::new(&kept);
        fs::copy(&file, kept.with_extension("redb")).unwrap();
        fs::write(kept.with_extension("json"), serde_json::to_string_pretty(&content).unwrap()).unwrap();
    }
    if let Some(seeds) = std::env::var_os("SEEDS") {
        write_seeds(Path::new(&seeds), &content);
    }
    check(&file, &content);
}

/// In the form that the fuzz target `records` reads: six bytes of damage, and a whole record after a zero; in the last file
/// the fields of all records, each after its length, after a one.
fn write_seeds(directory: &Path, content: &Content) {
    let damage = [8, 0, 1, 0, 0, 0];
    let mut all = [&damage[..], &[1]].concat();
    for (number, (_, record)) in content.records.iter().enumerate() {
        let bytes = unhex(record);
        fs::write(directory.join(format!("{number:02}")), [&damage[..], &[0], &bytes].concat()).unwrap();
        let fields = &bytes[5..];
        all.extend(u16::try_from(fields.len()).unwrap().to_le_bytes());
        all.extend(fields);
    }
    fs::write(directory.join("store"), all).unwrap();
}

#[test]
fn a_store_of_format_1_has_all_of_its_content() {
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stored/format-1");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens.redb");
    fs::copy(stored.with_extension("redb"), &file).unwrap();
    let content = serde_json::from_slice(&fs::read(stored.with_extension("json")).unwrap()).unwrap();
    check(&file, &content);
}
