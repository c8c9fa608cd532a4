//! From the secret to the decision, among many tokens.

use std::hint::black_box;
use std::time::Duration;

use portcullis::{Authority, Resource, Write};

use crate::fill::{self, Nowhere, bucket, org, secret, sensor};
use crate::measure::{Contender, Random, Table, medians, nanos};
use crate::ratio;
use crate::straightforward::{Plain, Straightforward, TwoMaps};

const ROUNDS: usize = 30;
const TURN: Duration = Duration::from_millis(4);
/// Tokens asked about, drawn at random beforehand.
const DRAWN: usize = 1 << 20;

/// One number of tokens: everyone's median, ours first. Each token may write one bucket, and asks for it.
fn measure(count: usize) -> Vec<(String, f64)> {
    let authority = Authority::open(Nowhere).wait().expect("nothing fails there");
    let secrets = fill::create(&authority, count, |n| sensor(n, 1), secret);
    let (straightforward, two_maps) = (Straightforward::default(), TwoMaps::default());
    for (n, secret) in secrets.iter().enumerate() {
        let (org, bucket) = (org(n).as_uuid().as_u128(), bucket(n).as_uuid().as_u128());
        let plain = || Plain { active: true, expires_at: None, org, grants: vec![(bucket, 2)] };
        straightforward.insert(secret, plain());
        two_maps.insert(secret, plain());
    }
    let mut random = Random(1);
    let drawn: Vec<u32> = (0..DRAWN).map(|_| u32::try_from(random.below(count)).expect("a small number")).collect();
    let ids = |n: usize| (org(n).as_uuid().as_u128(), bucket(n).as_uuid().as_u128());
    let contenders = vec![
        contender(
            "portcullis",
            &drawn,
            Box::new(|n| {
                let caller = authority.authenticate(&secrets[n]);
                caller.is_ok_and(|caller| caller.authorize(Write, Resource::bucket(org(n), bucket(n))).is_ok())
            }),
        ),
        contender(
            "straightforward: RwLock<HashMap>",
            &drawn,
            Box::new(|n| {
                let (org, bucket) = ids(n);
                straightforward.allows(&secrets[n], org, bucket, 2)
            }),
        ),
        contender(
            "InfluxDB 3's way: SHA-512, two maps",
            &drawn,
            Box::new(|n| {
                let (org, bucket) = ids(n);
                two_maps.allows(&secrets[n], org, bucket, 2)
            }),
        ),
    ];
    medians(contenders, ROUNDS, TURN)
}

/// Repeats `check` of one token drawn after the other.
fn contender<'a>(name: &str, drawn: &'a [u32], check: Box<dyn Fn(usize) -> bool + 'a>) -> Contender<'a> {
    let mut at = 0;
    Contender::new(name, move |times| {
        for _ in 0..times {
            let allowed = check(drawn[at % DRAWN] as usize);
            assert!(black_box(allowed));
            // The next one depends on the answer.
            at += usize::from(allowed);
        }
    })
}

pub fn table() {
    let cases = [1_000, 100_000, 1_000_000].map(|count| (count, measure(count)));
    let header = cases.iter().flat_map(|(count, _)| [format!("{count} tokens"), "ratio".to_owned()]);
    let mut table = Table::new(std::iter::once("from secret to decision, ns".to_owned()).chain(header));
    for (row, (name, _)) in cases[0].1.iter().enumerate() {
        let cells = cases.iter().flat_map(|(_, times)| [nanos(times[row].1), ratio(times[row].1 / times[0].1)]);
        table.row(std::iter::once(name.clone()).chain(cells));
    }
    table.print("From the secret to the decision; ratios to ours");
}
