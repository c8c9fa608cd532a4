//! The management plane: `cargo bench --bench manage`.
//!
//! Wall-clock medians, for much of it is waiting for the disk. `SIZES=1000,100000` measures pages among only these
//! numbers of tokens; `OPEN=100000` opens so many.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::cast_precision_loss)]

mod fill;
mod measure;

use std::time::{Duration, Instant};

use fill::{Nowhere, bucket, org, owner, sensor};
use measure::{Contender, Table, medians, nanos};
use portcullis::store::Position;
use portcullis::{
    Actor, Authority, Filter, Issued, MemoryStore, NewToken, Pending, RedbStore, Rotation, TokenId, TokenStore,
};

fn main() {
    let list = |name: &str, default: &str| -> Vec<usize> {
        let list = std::env::var(name).unwrap_or_else(|_| default.into());
        list.split(',').filter(|size| !size.is_empty()).map(|size| size.parse().unwrap()).collect()
    };
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let redb = |name: &str| RedbStore::open(directory.path().join(name)).unwrap();
    changes("memory", &Authority::open(MemoryStore::new()).wait().unwrap());
    changes("redb", &Authority::open(redb("changes")).wait().unwrap());
    pages(&list("SIZES", "1000,100000,1000000"));
    for size in list("OPEN", "1000000") {
        let memory = MemoryStore::new();
        open("memory", size, || memory.clone());
        open("redb", size, || redb(&format!("open-{size}")));
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed(), result)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn micros(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e6)
}

/// Create, rotate and revoke, one at a time and 64 at once.
fn changes(store: &str, authority: &Authority) {
    const TOGETHER: usize = 64;
    const ROUNDS: usize = 9;
    let host = Actor::host("bench");
    let new = |n: usize| sensor(n, 1);
    let id = |issued: Issued| issued.token.id();
    // Before measuring: the first commits make the tables.
    let _ = fill::create(authority, 100, new, id);

    let mut times: [[Vec<Duration>; 2]; 3] = Default::default();
    for _ in 0..ROUNDS {
        let (alone, ids): (_, Vec<TokenId>) =
            timed(|| (0..TOGETHER).map(|n| id(authority.create(&host, new(n)).wait().unwrap())).collect());
        times[0][0].push(alone);
        let (together, more): (_, Vec<TokenId>) = timed(|| {
            let waiting: Vec<Pending<Issued>> = (0..TOGETHER).map(|n| authority.create(&host, new(n))).collect();
            waiting.into_iter().map(|issued| id(issued.wait().unwrap())).collect()
        });
        times[0][1].push(together);

        let rotate = |id: &TokenId| authority.rotate(&host, *id, Rotation::new());
        times[1][0].push(timed(|| ids.iter().for_each(|id| drop(rotate(id).wait().unwrap()))).0);
        let rotate_all = || {
            let waiting: Vec<_> = more.iter().map(rotate).collect();
            for issued in waiting {
                drop(issued.wait().unwrap());
            }
        };
        times[1][1].push(timed(rotate_all).0);

        let revoke = |id: &TokenId| authority.revoke(&host, *id);
        times[2][0].push(timed(|| ids.iter().for_each(|id| _ = revoke(id).wait().unwrap())).0);
        let revoke_all = || {
            let waiting: Vec<_> = more.iter().map(revoke).collect();
            for receipt in waiting {
                _ = receipt.wait().unwrap();
            }
        };
        times[2][1].push(timed(revoke_all).0);
    }

    let mut table = Table::new(["", "one at a time", "64 at once, each", "gain"]);
    for (name, [alone, together]) in ["create", "rotate", "revoke"].into_iter().zip(times) {
        let each = u32::try_from(TOGETHER).unwrap();
        let (alone, together) = (median(alone) / each, median(together) / each);
        let gain = alone.as_secs_f64() / together.as_secs_f64();
        table.row([name.to_owned(), micros(alone), micros(together), format!("{gain:.1}x")]);
    }
    table.print(&format!("Changes on {store}, in us"));
}

/// A page of 100 tokens of one organization, of four.
fn pages(sizes: &[usize]) {
    let new = |n: usize| NewToken::read_write(org(n % 4)).owner(owner(n)).write(bucket(n)).checked().expect("a kind");
    let host = Actor::host("bench");
    let filled = sizes.iter().map(|size| {
        let authority = Authority::open(Nowhere).wait().unwrap();
        let mut ids = fill::create(&authority, *size, new, |issued| issued.token.id());
        ids.sort();
        // Half way through.
        (*size, authority, ids[size / 2])
    });
    let filled: Vec<_> = filled.collect();
    let contenders = filled.iter().flat_map(|(size, authority, middle)| {
        [("the first page", None), ("a page from the middle", Some(*middle))].map(|(name, after)| {
            let (filter, host) = (organization(), host.clone());
            Contender::new(format!("{size} tokens, {name}"), move |times| {
                for _ in 0..times {
                    let page = authority.list(&host, &filter, after, 100).unwrap();
                    assert_eq!(page.tokens.len(), 100);
                }
            })
        })
    });
    let mut table = Table::new(["", "us", "ratio"]);
    let medians = medians(contenders.collect(), 30, Duration::from_millis(2));
    let base: Vec<f64> = medians.iter().take(2).map(|(_, time)| *time).collect();
    for (at, (name, time)) in medians.iter().enumerate() {
        table.row([name.clone(), nanos(time / 1e3), format!("{:.2}", time / base[at % 2])]);
    }
    table.print("A page of 100 tokens of one organization (ratio to the smallest)");
}

fn organization() -> Filter {
    Filter::new().organization(org(0))
}

/// Opening a store full of tokens, beside reading and decoding the same records and dropping them.
fn open<S: TokenStore + 'static>(name: &str, size: usize, store: impl Fn() -> S) {
    const ROUNDS: usize = 3;
    let (took, ()) = timed(|| {
        let authority = Authority::open(store()).wait().unwrap();
        fill::create(&authority, size, |n| sensor(n, 1), drop);
    });
    println!("\n({size} tokens made on {name} in {:.1} s)", took.as_secs_f64());
    let (mut scans, mut opens) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        // Opening the file, which checks all of it, is part of neither.
        let mut scanned = store();
        scans.push(timed(|| scan(&mut scanned, size)).0);
        drop(scanned);
        let opened = store();
        let (took, authority) = timed(|| Authority::open(opened).wait().unwrap());
        opens.push(took);
        drop(authority);
    }
    let (scan, open) = (median(scans).as_secs_f64(), median(opens).as_secs_f64());
    println!("Opening {size} tokens on {name}: {open:.2} s, a bare scan {scan:.2} s: {:.2}x", open / scan);
}

fn scan(store: &mut impl TokenStore, size: usize) {
    let (mut since, mut tokens) = (Position::ORIGIN, 0);
    loop {
        let page = store.changes(since, 10_000).unwrap();
        since = page.position;
        tokens += page.records.iter().filter(|(_, record)| record.token().is_some()).count();
        if !page.more {
            break;
        }
    }
    assert_eq!(tokens, size);
}
