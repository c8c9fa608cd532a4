//! The check plane beside SHA-256 and what one would write first: `cargo bench --bench check`.
//!
//! Every contender's next token is drawn from the clock once the last answer is there, so times are until the answer is
//! there. Tokens are drawn from all, each with its secret in a line of memory of its own, so that beyond a few thousand
//! neither is in the cache.
//! `SIZES=1000,100000` measures only these numbers of tokens.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]

mod fill;
mod measure;
mod straightforward;

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use fill::{Nowhere, Presented, bucket, org, presented, sensor};
use measure::{Contender, RING, Random, Table, medians, nanos};
use portcullis::{
    Action, Actor, Authority, Liveness, NewToken, Permission, PermissionSet, Principal, Resource, Rotation, Timestamp,
    TokenKind, Write, decide,
};
use sha2::{Digest, Sha256};
use straightforward::{Plain, Straightforward, TwoMaps};

const ROUNDS: usize = 30;
const TURN: Duration = Duration::from_millis(1);
const FAR: Timestamp = Timestamp::from_micros(4_000_000_000_000_000);

fn main() {
    let sizes = std::env::var("SIZES").unwrap_or_else(|_| "1,1000,100000,1000000".into());
    let sizes: Vec<usize> = sizes.split(',').map(|size| size.parse().unwrap()).collect();
    clock_and_hash();
    authorize();
    for size in &sizes {
        authenticate(*size);
    }
    threads();
}

/// Hashing `len` bytes.
fn sha256<'a>(name: &str, len: usize) -> Contender<'a> {
    let mut input = vec![7; len];
    Contender::drawn(name, RING, move |n| {
        input[0] = n.to_le_bytes()[0];
        black_box(Sha256::digest(black_box(&input)))[0] != 0
    })
}

/// Reading one line of so many tokens' slots: what one cache miss costs here.
fn miss<'a>(name: &str, len: usize) -> Contender<'a> {
    let lines = vec![[1_u64; 16]; len];
    Contender::drawn(name, len, move |n| lines[n][0] == 1)
}

fn table(title: &str, base: &str, medians: &[(String, f64)]) {
    let floor = medians.iter().find(|(name, _)| name == base).unwrap().1;
    let mut table = Table::new(["", "ns", "ratio"]);
    for (name, time) in medians {
        table.row([name.clone(), nanos(*time), format!("{:.2}", time / floor)]);
    }
    table.print(&format!("{title} (ratio to {base})"));
}

fn clock_and_hash() {
    let clock = Contender::drawn("reading the clock", RING, |_| black_box(std::time::SystemTime::now()) > UNIX_EPOCH);
    let contenders = vec![sha256("SHA-256 of 53 bytes", 53), sha256("SHA-256 of 88 bytes", 88), clock];
    table("What hashing and the clock cost", "SHA-256 of 53 bytes", &medians(contenders, ROUNDS, TURN));
}

fn kinds() -> Vec<(&'static str, TokenKind, NewToken)> {
    let buckets = |count: usize| TokenKind::read_write(org(0), (0..count).map(|n| (bucket(n), Action::WRITE))).unwrap();
    let custom = |count: usize| {
        let permissions = (0..count).map(|n| Permission::write(Resource::bucket(org(0), bucket(n))));
        TokenKind::custom(Some(org(0)), permissions.collect::<PermissionSet>()).unwrap()
    };
    let kinds = vec![
        ("operator", TokenKind::operator()),
        ("all-access", TokenKind::all_access(org(0))),
        ("read/write, 1 bucket", buckets(1)),
        ("read/write, 8 buckets", buckets(8)),
        ("read/write, 50 buckets", buckets(50)),
        ("read/write, 1,000 buckets", buckets(1_000)),
        ("custom, 1,000 permissions", custom(1_000)),
    ];
    kinds.into_iter().map(|(name, kind)| (name, kind.clone(), NewToken::of_kind(kind).owner(fill::owner(0)))).collect()
}

fn authorize() {
    let authority = Authority::open(Nowhere).wait().unwrap();
    let live = Liveness::ACTIVE;
    let mut rows = Table::new(["", "decide", "authorize", "more", "expiring", "more"]);
    for (name, kind, new) in kinds() {
        let permissions = kind.permissions().len();
        for (answer, shift) in [("hit", 0), ("miss", 1_000_000)] {
            let requests: Vec<Resource> =
                (0..RING).map(|n| Resource::bucket(org(0), bucket(n % permissions + shift))).collect();
            let principal = |new: NewToken| {
                let issued = authority.create(Actor::host("bench"), new).wait().unwrap();
                authority.authenticate(issued.secret.expose()).unwrap().into_owned()
            };
            let ask = |principal: &Principal<'static>, at: usize| principal.authorize(Write, requests[at]).is_ok();
            let plain = principal(NewToken::of_kind(kind.clone()).owner(fill::owner(0)));
            let expiring = principal(NewToken::of_kind(kind.clone()).owner(fill::owner(0)).expires_at(FAR));
            let contenders = vec![
                Contender::drawn("decide", RING, |at| {
                    decide(&kind, &live, Action::WRITE, &requests[at], Timestamp::EPOCH).is_ok()
                }),
                Contender::drawn("authorize", RING, |at| ask(&plain, at)),
                Contender::drawn("expiring", RING, |at| ask(&expiring, at)),
            ];
            let medians = medians(contenders, ROUNDS, TURN);
            let [pure, plain, expiring] = [0, 1, 2].map(|at| medians[at].1);
            let more = |time: f64| format!("{:+.1}", time - pure);
            rows.row([
                format!("{name}, {answer}"),
                nanos(pure),
                nanos(plain),
                more(plain),
                nanos(expiring),
                more(expiring),
            ]);
        }
        drop(new);
    }
    rows.print("Principal::authorize, in ns, and how much more than the pure decision");
}

fn authenticate(size: usize) {
    let begun = Instant::now();
    let authority = Authority::open(Nowhere).wait().unwrap();
    let secrets = fill::create(&authority, size, |n| sensor(n, 1), presented);
    let (straightforward, two_maps) = (Straightforward::default(), TwoMaps::default());
    let plain = |n: usize| Plain {
        active: true,
        expires_at: None,
        org: org(n).as_uuid().as_u128(),
        grants: vec![(bucket(n).as_uuid().as_u128(), 2)],
    };
    for (n, secret) in secrets.iter().enumerate() {
        straightforward.insert(secret, plain(n));
        two_maps.insert(secret, plain(n));
    }
    println!("\n({size} tokens made in {:.1} s)", begun.elapsed().as_secs_f64());

    let allowed = |secret: &Presented, n: usize| {
        authority
            .authenticate(secret)
            .is_ok_and(|caller| caller.authorize(Write, Resource::bucket(org(n), bucket(n))).is_ok())
    };
    let ids = |n: usize| (org(n).as_uuid().as_u128(), bucket(n).as_uuid().as_u128());
    // Of our form and unknown: made by another authority.
    let elsewhere = Authority::open(Nowhere).wait().unwrap();
    let unknown = fill::create(&elsewhere, 1_024.min(size), |n| sensor(n, 1), presented);
    let typos: Vec<String> =
        unknown.iter().map(|secret| String::from_utf8_lossy(secret.as_ref()).replace('_', "_x")).collect();
    let contenders = vec![
        sha256("SHA-256 of 53 bytes", 53),
        sha256("SHA-256 of 88 bytes", 88),
        miss("one line of memory at random", size),
        Contender::drawn("authenticate", size, |n| authority.authenticate(&secrets[n]).is_ok()),
        Contender::drawn("authenticate and authorize", size, |n| allowed(&secrets[n], n)),
        Contender::drawn("both in one call", size, |n| {
            authority.authorize(&secrets[n], Write, Resource::bucket(org(n), bucket(n))).is_ok()
        }),
        Contender::drawn("straightforward", size, |n| {
            let (org, bucket) = ids(n);
            straightforward.allows(&secrets[n], org, bucket, 2)
        }),
        Contender::drawn("two maps and SHA-512", size, |n| {
            let (org, bucket) = ids(n);
            two_maps.allows(&secrets[n], org, bucket, 2)
        }),
        Contender::drawn("unknown secret", unknown.len(), |n| authority.authenticate(&unknown[n]).is_ok()),
        Contender::drawn("malformed secret", typos.len(), |n| authority.authenticate(&typos[n]).is_ok()),
    ];
    let base = if size <= 1_000 { "SHA-256 of 53 bytes" } else { "SHA-256 of 88 bytes" };
    // Long enough for each to bring what it has into the caches that it fits into.
    let (rounds, turn) = if size <= 1_000 { (ROUNDS, TURN * 4) } else { (9, TURN * 150) };
    table(&format!("{size} tokens, drawn at random"), base, &medians(contenders, rounds, turn));
    drop((authority, secrets, straightforward, two_maps));

    // By themselves, so that they do not crowd the others out of the caches.
    let authority = Authority::open(Nowhere).wait().unwrap();
    let secrets = fill::create(&authority, size, |n| sensor(n, 1).expires_at(FAR), presented);
    let allowed = |n: usize| {
        authority
            .authenticate(&secrets[n])
            .is_ok_and(|caller| caller.authorize(Write, Resource::bucket(org(n), bucket(n))).is_ok())
    };
    let hashes = [sha256("SHA-256 of 53 bytes", 53), sha256("SHA-256 of 88 bytes", 88)];
    let one_call = |n: usize| authority.authorize(&secrets[n], Write, Resource::bucket(org(n), bucket(n))).is_ok();
    let ours = [
        Contender::drawn("authenticate and authorize", size, allowed),
        Contender::drawn("both in one call", size, one_call),
    ];
    let contenders = hashes.into_iter().chain(ours).collect();
    table(&format!("{size} tokens that expire"), base, &medians(contenders, rounds, turn));
}

/// How many operations two threads do in the time in which one does one.
fn gain(work: impl Fn(usize) + Sync) -> f64 {
    let run = |threads: usize| {
        let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let (stop, done, work) = (&stop, &done, &work);
                scope.spawn(move || {
                    let mut count = 0;
                    while !stop.load(Ordering::Relaxed) {
                        work(thread);
                        count += 1;
                    }
                    done.fetch_add(count, Ordering::Relaxed);
                });
            }
            std::thread::sleep(Duration::from_millis(200));
            stop.store(true, Ordering::Relaxed);
        });
        done.into_inner() as f64
    };
    let mut gains: Vec<f64> = (0..9).map(|_| run(2) / run(1)).collect();
    gains.sort_by(f64::total_cmp);
    gains[gains.len() / 2]
}

fn threads() {
    const SIZE: usize = 10_000;
    let authority = Authority::open(Nowhere).wait().unwrap();
    let secrets = fill::create(&authority, SIZE, |n| sensor(n, 1), presented);
    let check = |n: usize| {
        let caller = authority.authenticate(&secrets[n]).unwrap();
        caller.authorize(Write, Resource::bucket(org(n), bucket(n))).is_ok()
    };
    // A hundred operations at a time, so that counting them costs nothing.
    let ours = gain(|thread| {
        let mut random = Random(thread as u64);
        for _ in 0..100 {
            black_box(check(random.below(SIZE)));
        }
    });
    let hash = gain(|thread| {
        let mut input = [thread as u8; 53];
        for _ in 0..100 {
            input[0] = black_box(Sha256::digest(input))[0];
        }
    });
    println!("\nTwo reader threads gain {ours:.2}, bare SHA-256 {hash:.2}: {:.2} of it", ours / hash);

    // Latencies of one reader, alone and beside 1,000 changes a second.
    let quiet = latencies(check, SIZE, || ());
    let changing = fill::create(&authority, 100, |n| sensor(n, 1), |issued| issued.token.id());
    let host = Actor::host("bench");
    let mut random = Random(1);
    let mut next = Instant::now();
    let busy = latencies(check, SIZE, || {
        let token = changing[random.below(changing.len())];
        _ = authority.rotate(&host, token, Rotation::new()).wait().unwrap();
        next += Duration::from_millis(1);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    });
    let mut rows = Table::new(["", "p50", "p99", "p99.9"]);
    for (name, times) in [("alone", &quiet), ("beside 1,000 changes a second", &busy)] {
        let at = |part: f64| nanos(times[(times.len() as f64 * part) as usize]);
        rows.row([name.to_string(), at(0.5), at(0.99), at(0.999)]);
    }
    rows.print("Authenticate and authorize among 10,000 tokens, in ns, each timed with two readings of the clock");
}

/// Sorted times of single checks, while `change` is repeated on another thread.
fn latencies(check: impl Fn(usize) -> bool + Sync, size: usize, mut change: impl FnMut() + Send) -> Vec<f64> {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut random, mut times) = (Random(1), Vec::with_capacity(3_000_000));
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(2) && times.len() < times.capacity() {
                let start = Instant::now();
                let answer = black_box(check(random.below(size)));
                times.push(start.elapsed().as_secs_f64() * 1e9);
                assert!(answer);
            }
            stop.store(true, Ordering::Relaxed);
            times
        });
        while !stop.load(Ordering::Relaxed) {
            change();
            std::hint::spin_loop();
        }
        let mut times = reader.join().unwrap();
        times.sort_by(f64::total_cmp);
        times
    })
}
