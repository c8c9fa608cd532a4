//! Portcullis beside other authorization engines, on the same decisions.
//!
//! `cargo run --release --manifest-path benches/rivals/Cargo.toml`
//!
//! A token may read a number of buckets of one organization. It asks to read one of them (hit), or another of the same
//! organization (miss). The rivals get the benefit of the doubt: one token's policies and no other's, requests built
//! beforehand in their own terms, warm caches.
//!
//! The second table is about finding the token first: from the secret to the decision, among many tokens.

mod engines;
#[path = "../../fill/mod.rs"]
mod fill;
mod hand_written;
mod lookup;
#[path = "../../measure/mod.rs"]
mod measure;

#[path = "../../straightforward/mod.rs"]
mod straightforward;

use std::time::Duration;

use measure::{Contender, RING, Random, Table, medians, nanos};
use portcullis::{Action, Expiry, Liveness, OrgId, Resource, ResourceId, Timestamp, TokenKind, decide};

const ROUNDS: usize = 15;
const TURN: Duration = Duration::from_millis(2);

/// One token and what it is asked.
pub struct Case {
    org: OrgId,
    /// The buckets that it may read.
    ids: Vec<ResourceId>,
    /// The buckets that it asks to read.
    asked: Vec<ResourceId>,
}

impl Case {
    fn new(count: usize, hit: bool) -> Self {
        let mut random = Random(count as u64);
        // InfluxDB's ids have 64 bits.
        let mut id = || ResourceId::try_from(random.next() | 1).expect("odd, so not zero");
        let ids: Vec<_> = (0..count).map(|_| id()).collect();
        let others: Vec<_> = (0..RING).map(|_| id()).collect();
        let asked =
            (0..RING).map(|_| if hit { ids[random.below(count)] } else { others[random.below(RING)] }).collect();
        Self { org: OrgId::try_from(0x0a1b_2c3d_4e5f_6071).expect("not zero"), ids, asked }
    }

    fn requests(&self) -> Vec<Resource> {
        self.asked.iter().map(|id| Resource::bucket(self.org, *id)).collect()
    }
}

/// Everyone's median on one case, ours first.
fn measure(count: usize, hit: bool) -> Vec<(String, f64)> {
    let case = Case::new(count, hit);
    let kind = TokenKind::read_write(case.org, case.ids.iter().map(|id| (*id, Action::READ))).expect("a valid kind");
    let live = Liveness::ACTIVE.expires_at(Expiry::At(Timestamp::MAX));
    let requests = case.requests();
    let influxdb = hand_written::InfluxDb::new(&case);
    let influxdb_requests = hand_written::InfluxDb::requests(&case);
    let scan = hand_written::Scan::new(&case);
    let hash_set = hand_written::permissions(&case);
    let places: Vec<usize> = (0..RING).collect();

    let mut contenders = vec![
        Contender::decision("portcullis", &requests, |request| {
            decide(&kind, &live, Action::READ, request, Timestamp::EPOCH).is_ok()
        }),
        Contender::decision("linear scan", &requests, |request| scan.allows(request)),
        Contender::decision("InfluxDB 2's matching, ported", &influxdb_requests, |request| influxdb.allows(request)),
        Contender::decision("HashSet<Permission>, probed four times", &requests, |request| {
            hand_written::probe(&hash_set, request)
        }),
    ];
    let engines = [
        ("casbin, cached and warm", engines::casbin_cached(&case)),
        ("casbin", engines::casbin(&case)),
        ("regorus RVM, indexed data", engines::regorus(&case)),
        ("Cedar, two policies, sets as attributes", engines::cedar_sets(&case)),
        ("Cedar, a policy per grant", engines::cedar_policies(&case)),
        ("biscuit-auth, already verified", engines::biscuit(&case)),
    ];
    for (name, allows) in engines {
        for place in 0..8 {
            assert_eq!(allows(&place), hit, "{name} disagrees");
        }
        contenders.push(Contender::decision(name, &places, allows));
    }
    medians(contenders, ROUNDS, TURN)
}

fn main() {
    let cases = [1, 8, 50, 1_000].map(|count| (count, measure(count, true), measure(count, false)));
    let header = cases.iter().flat_map(|(count, ..)| [format!("P={count} hit/miss"), "ratio".to_owned()]);
    let mut table = Table::new(std::iter::once("the decision, ns".to_owned()).chain(header));
    let rows = cases[0].1.len();
    for row in 0..rows {
        let cells = cases.iter().flat_map(|(_, hits, misses)| {
            let (hit, miss) = (hits[row].1, misses[row].1);
            let ratio = format!("{}/{}", ratio(hit / hits[0].1), ratio(miss / misses[0].1));
            [format!("{}/{}", nanos(hit), nanos(miss)), ratio]
        });
        table.row(std::iter::once(cases[0].1[row].0.clone()).chain(cells));
    }
    table.print("The decision beside rivals; ratios to ours");
    lookup::table();
}

fn ratio(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.1}x") } else { format!("{ratio:.0}x") }
}
