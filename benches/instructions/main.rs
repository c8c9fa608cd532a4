//! What `.ci/instructions` counts the instructions of: each function in `measured` is run under callgrind, which counts
//! only while one of them runs.
//!
//! `cargo bench --bench instructions` alone runs everything once and prints nothing; `list` prints the names.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

#[path = "../fill/mod.rs"]
mod fill;

use std::hint::black_box;

use fill::{Nowhere, bucket, org, owner, secret, sensor};
use portcullis::{
    Action, Actor, Authority, Liveness, NewToken, Permission, PermissionSet, Principal, Resource, Timestamp, TokenKind,
};

/// How often each is run: enough that none of it is the first time only.
const TIMES: usize = 1_000;
const FAR: Timestamp = Timestamp::from_micros(4_000_000_000_000_000);

/// What is counted.
mod measured {
    use portcullis::{Authority, Liveness, Principal, Resource, Timestamp, TokenKind, Write};

    #[inline(never)]
    pub(super) fn decide(kind: &TokenKind, live: &Liveness, resource: &Resource) -> bool {
        portcullis::decide(kind, live, portcullis::Action::WRITE, resource, Timestamp::EPOCH).is_ok()
    }

    #[inline(never)]
    pub(super) fn authorize(principal: &Principal<'_>, resource: &Resource) -> bool {
        principal.authorize(Write, *resource).is_ok()
    }

    #[inline(never)]
    pub(super) fn authenticate(authority: &Authority, secret: &str) -> bool {
        authority.authenticate(secret).is_ok()
    }

    #[inline(never)]
    pub(super) fn both(authority: &Authority, secret: &str, resource: &Resource) -> bool {
        authority.authorize(secret, Write, *resource).is_ok()
    }
}

fn main() {
    let chosen = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    for (name, run) in scenarios() {
        match chosen.as_deref() {
            Some("list") => println!("{name}"),
            Some(chosen) if chosen != name => {}
            _ => run(),
        }
    }
}

type Run = Box<dyn Fn()>;

fn scenarios() -> Vec<(String, Run)> {
    let mut scenarios: Vec<(String, Run)> = Vec::new();
    for kind in ["operator", "all-access", "bucket", "buckets-50", "custom-1000"] {
        for hit in [true, false] {
            let name = |what: &str| format!("{what}/{kind}/{}", if hit { "hit" } else { "miss" });
            scenarios.push((name("decide"), Box::new(move || run_decide(&kind_of(kind), hit))));
            scenarios.push((name("authorize"), Box::new(move || run_authorize(&kind_of(kind), hit))));
        }
    }
    for what in ["known", "expiring", "unknown", "malformed"] {
        scenarios.push((format!("authenticate/{what}"), Box::new(move || run_authenticate(what))));
    }
    for what in ["known", "expiring"] {
        scenarios.push((format!("both/{what}"), Box::new(move || run_both(what))));
    }
    scenarios
}

fn kind_of(name: &str) -> TokenKind {
    let buckets = |count: usize| (0..count).map(|n| (bucket(n), Action::WRITE));
    match name {
        "operator" => TokenKind::operator(),
        "all-access" => TokenKind::all_access(org(0)),
        "bucket" => TokenKind::read_write(org(0), buckets(1)).unwrap(),
        "buckets-50" => TokenKind::read_write(org(0), buckets(50)).unwrap(),
        _ => {
            let permissions = (0..1_000).map(|n| Permission::write(Resource::bucket(org(0), bucket(n))));
            TokenKind::custom(Some(org(0)), permissions.collect::<PermissionSet>()).unwrap()
        }
    }
}

/// What is asked: one of the buckets, or, for a miss, one of another organization.
fn resource(kind: &TokenKind, hit: bool, n: usize) -> Resource {
    let resource = Resource::bucket(org(0), bucket(n % kind.permissions().len()));
    if hit { resource } else { Resource::bucket(org(1), bucket(n)) }
}

fn run_decide(kind: &TokenKind, hit: bool) {
    let live = Liveness::ACTIVE;
    let expected = hit || *kind == TokenKind::operator();
    for n in 0..TIMES {
        let resource = resource(kind, hit, n);
        assert_eq!(measured::decide(black_box(kind), black_box(&live), black_box(&resource)), expected);
    }
}

fn run_authorize(kind: &TokenKind, hit: bool) {
    let authority = Authority::open(Nowhere).wait().unwrap();
    let new = NewToken::of_kind(kind.clone()).owner(owner(0));
    let issued = authority.create(Actor::host("bench"), new).wait().unwrap();
    let principal: Principal<'_> = authority.authenticate(issued.secret.expose()).unwrap();
    let expected = hit || *kind == TokenKind::operator();
    for n in 0..TIMES {
        let resource = resource(kind, hit, n);
        assert_eq!(measured::authorize(black_box(&principal), black_box(&resource)), expected);
    }
}

/// A token that expires, or one that does not.
fn new(what: &str, n: usize) -> NewToken {
    if what == "expiring" { sensor(n, 1).expires_at(FAR) } else { sensor(n, 1) }
}

fn run_authenticate(what: &str) {
    let authority = Authority::open(Nowhere).wait().unwrap();
    let new = |n| new(what, n);
    // Few, so that where random digests fall hardly matters.
    let mut secrets = fill::create(&authority, 16, new, secret);
    match what {
        "unknown" => secrets = fill::create(&Authority::open(Nowhere).wait().unwrap(), 16, new, secret),
        "malformed" => secrets.iter_mut().for_each(|secret| {
            let last = secret.pop().unwrap();
            secret.push(if last == '0' { '1' } else { '0' });
        }),
        _ => {}
    }
    let expected = matches!(what, "known" | "expiring");
    for n in 0..TIMES {
        assert_eq!(measured::authenticate(black_box(&authority), black_box(&secrets[n % secrets.len()])), expected);
    }
}

fn run_both(what: &str) {
    let authority = Authority::open(Nowhere).wait().unwrap();
    let secrets = fill::create(&authority, 16, |n| new(what, n), secret);
    for (n, secret) in (0..secrets.len()).zip(&secrets).cycle().take(TIMES) {
        let resource = Resource::bucket(org(n), bucket(n));
        assert!(measured::both(black_box(&authority), black_box(secret), black_box(&resource)));
    }
}
