//! Whether the time that authenticating takes tells how much of a secret, or of a digest, was right:
//! `cargo bench --bench timing`.
//!
//! As Reparaz, Balasch and Verbauwhede do it (*Dude, is my code constant time?*, 2017): calls of two classes in random order,
//! each timed by itself, and a t-test of whether their times have the same mean, on all and without the longest. Beyond 4.5
//! they do not. Two comparisons that must be told apart show that this could be seen; where it is, or they are not, the bench
//! fails. `SAMPLES=20000000` takes more of each than a million.
//!
//! Times have also to do with where in memory things happen to be, and calls that share this are not independent. So each round
//! has new secrets and new authorities, each secret and each place serves both classes, and the test is of the differences that
//! the rounds found: paired, where the paper has Welch's of all calls, which here found differences that were none.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::cast_precision_loss, clippy::print_stdout)]

mod measure;

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::{Ordering, fence};
use std::time::Instant;

use measure::{Random, Table, nanos};
use portcullis::store::{CommitId, Position, Record};
use portcullis::{Actor, Authority, MemoryStore, NewToken, OrgId, Secret, TokenStore, UserId};
use sha2::{Digest, Sha256};

/// Tokens in a round.
const TOKENS: usize = 64;
/// Calls in a round.
const ROUND: usize = 5_000;
/// So much of each round's calls counts, the longest left out, in hundredths.
const KEPT: [usize; 4] = [50, 75, 90, 100];
/// Beyond this the means differ.
const DIFFERENT: f64 = 4.5;
const LEN: usize = 48;

/// What is called, for a token and a class, and what is presented there.
struct Round {
    present: Box<Present>,
    call: Box<Call>,
}

type Presented = [u8; LEN];
type Present = dyn Fn(usize, usize, &mut Random) -> Presented;
type Call = dyn Fn(usize, usize, &Presented) -> bool;

/// Makes a round of a comparison.
type Comparison = fn(&mut Random) -> Round;

fn main() -> ExitCode {
    let samples = std::env::var("SAMPLES").map_or(1_000_000, |samples| samples.parse().unwrap());
    let mut table = Table::new(["", "one, ns", "other, ns", "t", ""]);
    let mut fails = false;
    let comparisons: [(&str, bool, Comparison); 4] = [
        ("authenticate: a secret wrong in its first characters, or in its last", false, wrong_character),
        ("authenticate: a stored digest other in byte 16, or in byte 31", false, other_digest),
        ("authenticate: accepted, or not (its answer says so, too)", true, accepted_or_not),
        ("control that leaves early: a digest other in byte 16, or in byte 31", true, leaving_early),
    ];
    for (name, must_differ, round) in comparisons {
        let (t, means) = compare(samples, round);
        let verdict = match (t.abs() > DIFFERENT, must_differ) {
            (false, false) => "no difference found",
            (true, true) => "differ, as they must",
            (true, false) => "DIFFER",
            (false, true) => "NOT TOLD APART",
        };
        fails |= (t.abs() > DIFFERENT) != must_differ;
        table.row([name.into(), nanos(means[0]), nanos(means[1]), format!("{t:.1}"), verdict.to_owned()]);
    }
    table.print(&format!(
        "{samples} calls each; means and the t that is farthest from 0 (|t| up to {DIFFERENT}: no difference found)"
    ));
    if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Sums for a mean and a variance, as Welford has them.
#[derive(Clone, Copy, Default)]
struct Times {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Times {
    fn add(&mut self, time: f64) {
        self.count += 1.0;
        let off = time - self.mean;
        self.mean += off / self.count;
        self.squares += off * (time - self.mean);
    }

    /// The variance of the mean.
    fn variance(&self) -> f64 {
        self.squares / (self.count - 1.0) / self.count
    }
}

/// How far the classes are apart, where that is farthest of all shares: t, and the means of both there.
fn compare(samples: usize, round: Comparison) -> (f64, [f64; 2]) {
    let mut random = Random(Instant::now().elapsed().subsec_nanos().into());
    let mut kept = [Kept::default(); KEPT.len()];
    for _ in 0..samples.div_ceil(ROUND) {
        let times = run(round(&mut random), &mut random);
        for (share, kept) in KEPT.iter().zip(&mut kept) {
            let longest = times[(ROUND * share / 100).min(ROUND - 1)].0;
            // All that took as long or none: a class must not be cut off in the middle of a time that both have.
            let counted = times.iter().take_while(|(took, _)| *took < longest || *share == 100);
            let mut classes = [Times::default(); 2];
            counted.for_each(|(took, class)| classes[*class].add(*took as f64));
            kept.add(classes.map(|times| times.mean));
        }
    }
    let farthest = kept.iter().max_by(|one, other| one.t().abs().total_cmp(&other.t().abs())).unwrap();
    (farthest.t(), farthest.means.map(|times| times.mean))
}

/// What was found of a share of the calls, round by round.
#[derive(Clone, Copy, Default)]
struct Kept {
    means: [Times; 2],
    differences: Times,
}

impl Kept {
    fn add(&mut self, means: [f64; 2]) {
        self.means.iter_mut().zip(means).for_each(|(times, mean)| times.add(mean));
        self.differences.add(means[0] - means[1]);
    }

    fn t(&self) -> f64 {
        self.differences.mean / self.differences.variance().sqrt()
    }
}

/// The time of each call of a round and its class, the shortest first.
fn run(Round { present, call }: Round, random: &mut Random) -> Vec<(u128, usize)> {
    let mut times = Vec::with_capacity(ROUND);
    // The first call for each token finds nothing in the caches.
    for turn in 0..ROUND + 4 * TOKENS {
        let (class, token) = (random.below(2), random.below(TOKENS));
        let presented = present(token, class, random);
        // What is presented was written just now, and is in memory before it is read.
        fence(Ordering::SeqCst);
        let start = Instant::now();
        black_box(call(token, class, black_box(&presented)));
        let took = start.elapsed();
        if turn >= 4 * TOKENS {
            times.push((took.as_nanos(), class));
        }
    }
    times.sort_unstable();
    times
}

/// Visible characters, as chosen secrets have them: other forms would be refused by their checksum, unhashed.
fn secret(random: &mut Random) -> Presented {
    std::array::from_fn(|_| letter(random))
}

fn letter(random: &mut Random) -> u8 {
    b"abcdefghijklmnopqrstuvwxyz"[random.below(26)]
}

fn secrets(random: &mut Random) -> Vec<Presented> {
    (0..TOKENS).map(|_| secret(random)).collect()
}

/// An authority that reads no clock.
fn open(store: MemoryStore) -> Authority {
    Authority::builder().availability_over_revocation().open(store).wait().unwrap()
}

/// A store with a token for each secret.
fn store(secrets: &[Presented]) -> MemoryStore {
    let (store, host) = (MemoryStore::new(), Actor::host("bench"));
    let authority = open(store.clone());
    let pending: Vec<_> = secrets
        .iter()
        .map(|secret| {
            let secret = Secret::new(str::from_utf8(secret).unwrap());
            let new = NewToken::all_access(OrgId::try_from(1).unwrap()).owner(UserId::try_from(1).unwrap());
            authority.create(&host, new.secret(secret))
        })
        .collect();
    pending.into_iter().for_each(|pending| drop(pending.wait().unwrap()));
    authority.close().wait().unwrap();
    store
}

/// Texts that are close to right.
fn wrong_character(random: &mut Random) -> Round {
    let secrets = secrets(random);
    let authority = open(store(&secrets));
    let present = move |token: usize, class: usize, random: &mut Random| {
        // One of eight, so that hardly a text comes twice in a round: each is searched for in a place of its own.
        let at = [0, LEN - 8][class] + random.below(8);
        let mut wrong = secrets[token];
        while wrong[at] == secrets[token][at] {
            wrong[at] = letter(random);
        }
        wrong
    };
    let call = move |_, _, secret: &Presented| authority.authenticate(secret).is_ok();
    Round { present: Box::new(present), call: Box::new(call) }
}

/// Right secrets and unknown ones.
fn accepted_or_not(random: &mut Random) -> Round {
    let secrets = secrets(random);
    let authority = open(store(&secrets));
    let present =
        move |token: usize, class, random: &mut Random| if class == 0 { secrets[token] } else { secret(random) };
    let call = move |_, _, secret: &Presented| authority.authenticate(secret).is_ok();
    Round { present: Box::new(present), call: Box::new(call) }
}

/// The byte of its stored digest in which a token is other than its secret, for a class. The search before the comparison
/// looks at bytes 0 to 15 and 20 to 23, so that it takes these for a hit.
const BYTES: [usize; 2] = [16, 31];

/// Nobody can choose a digest, so it is the store that is forged: each token's digest is almost its secret's.
fn other_digest(random: &mut Random) -> Round {
    let secrets = secrets(random);
    let mut whole = store(&secrets);
    let records = whole.changes(Position::ORIGIN, usize::MAX).unwrap().records;
    let forged = |other: &dyn Fn(usize) -> Option<usize>| {
        let mut store = MemoryStore::new();
        let forge = |(_, record): &(u64, Record)| forge(record, &secrets, other);
        let records: Vec<_> = records.iter().map(forge).collect();
        store.commit(Position::ORIGIN, CommitId::generate().unwrap(), &records).unwrap();
        open(store)
    };
    let right = forged(&|_| None);
    assert!(secrets.iter().all(|secret| right.authenticate(secret).is_ok()), "the forger knows what it does");
    // Two authorities, so that each token is in each class in one of them.
    let authorities = [0, 1].map(|authority| forged(&move |token| Some(BYTES[(token + authority) % 2])));
    let call = move |token: usize, class: usize, secret: &Presented| {
        authorities[(token + class) % 2].authenticate(secret).is_ok()
    };
    Round { present: Box::new(move |token, _, _| secrets[token]), call: Box::new(call) }
}

/// The record, if it is of the token with one of these secrets, with another byte in its digest.
fn forge(record: &Record, secrets: &[Presented], other: &dyn Fn(usize) -> Option<usize>) -> Record {
    let mut bytes = record.encode();
    for (token, secret) in secrets.iter().enumerate() {
        let digest = Sha256::digest(secret);
        if let (Some(at), Some(byte)) = (bytes.windows(32).position(|part| part == &digest[..]), other(token)) {
            bytes[at + byte] ^= 1;
        }
    }
    // The format, the checksum of the rest, the rest.
    let checksum = crc32fast::hash(&bytes[5..]);
    bytes[1..5].copy_from_slice(&checksum.to_le_bytes());
    Record::decode(&bytes).unwrap()
}

/// The same without an authority, compared as one should not.
fn leaving_early(random: &mut Random) -> Round {
    let secrets = secrets(random);
    let stored: Vec<_> = secrets
        .iter()
        .map(|secret| {
            BYTES.map(|byte| {
                let mut digest: [u8; 32] = Sha256::digest(secret).into();
                digest[byte] ^= 1;
                digest
            })
        })
        .collect();
    let call = move |token: usize, class: usize, secret: &Presented| {
        let digest = Sha256::digest(secret);
        digest.iter().zip(&stored[token][class]).all(|(one, other)| black_box(*one) == *other)
    };
    Round { present: Box::new(move |token, _, _| secrets[token]), call: Box::new(call) }
}
