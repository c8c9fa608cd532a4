//! From the secret to the decision, among many tokens.

use std::time::Duration;

use portcullis::{Authority, Resource, Write};

use crate::fill::{self, Nowhere, bucket, org, presented, sensor};
use crate::measure::{Contender, Table, medians, nanos};
use crate::ratio;
use crate::straightforward::{Plain, Straightforward, TwoMaps};

/// As in the crate's own `check`: long enough for each to bring what it has into the caches that it fits into.
const ROUNDS: usize = 9;
const TURN: Duration = Duration::from_millis(150);

/// One number of tokens: everyone's median, ours first. Each token may write one bucket, and asks for it.
fn measure(count: usize) -> Vec<(String, f64)> {
    let authority = Authority::open(Nowhere).wait().expect("nothing fails there");
    let secrets = fill::create(&authority, count, |n| sensor(n, 1), presented);
    let (straightforward, two_maps) = (Straightforward::default(), TwoMaps::default());
    let ids = |n: usize| (org(n).as_uuid().as_u128(), bucket(n).as_uuid().as_u128());
    for (n, secret) in secrets.iter().enumerate() {
        let (org, bucket) = ids(n);
        let plain = || Plain { active: true, expires_at: None, org, grants: vec![(bucket, 2)] };
        straightforward.insert(secret, plain());
        two_maps.insert(secret, plain());
    }
    let contenders = vec![
        Contender::drawn("portcullis", count, |n| {
            let caller = authority.authenticate(&secrets[n]);
            caller.is_ok_and(|caller| caller.authorize(Write, Resource::bucket(org(n), bucket(n))).is_ok())
        }),
        Contender::drawn("straightforward: RwLock<HashMap>", count, |n| {
            let (org, bucket) = ids(n);
            straightforward.allows(&secrets[n], org, bucket, 2)
        }),
        Contender::drawn("InfluxDB 3's way: SHA-512, two maps", count, |n| {
            let (org, bucket) = ids(n);
            two_maps.allows(&secrets[n], org, bucket, 2)
        }),
    ];
    medians(contenders, ROUNDS, TURN)
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
