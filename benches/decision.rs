//! The pure decision beside hand-written floors: `cargo bench --bench decision`.
//!
//! The floor is what one would write for nothing but the question at hand: an organization to compare, a table of
//! what is allowed on whole types, and one probe of a table from a 128-bit id to what is allowed on it.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::cast_possible_truncation)]

mod floor;
mod measure;

use std::time::Duration;

use measure::{Contender, RING, Random, Table, medians, nanos};
use portcullis::{
    Action, Expiry, Liveness, OrgId, Pattern, Permission, Resource, ResourceId, ResourceType, Timestamp, TokenKind,
    decide,
};
use uuid::Uuid;

const ROUNDS: usize = 60;
const TURN: Duration = Duration::from_micros(500);
const NOW: Timestamp = Timestamp::from_micros(1_000_000);

/// What is asked: ours, and the same in the floor's terms.
#[derive(Clone)]
struct Request {
    actions: Action,
    resource: Resource,
    floor: floor::Request,
}

fn request(actions: Action, resource: Resource) -> Request {
    let floor = floor::Request {
        org: resource.organization().map_or(0, |org| org.as_uuid().as_u128()),
        id: resource.id().map_or(0, |id| id.as_uuid().as_u128()),
        kind: ResourceType::INFLUXDB.iter().position(|kind| *kind == resource.resource_type()).unwrap() as u8,
        actions: if actions == Action::READ {
            1
        } else if actions == Action::WRITE {
            2
        } else {
            3
        },
    };
    Request { actions, resource, floor }
}

fn id(random: &mut Random) -> ResourceId {
    Uuid::from_u128(random.next_u128() | 1).try_into().unwrap()
}

fn live(expires_at: Expiry) -> Liveness {
    Liveness::ACTIVE.expires_at(expires_at)
}

/// A token, and rings of requests that it allows and denies.
struct Case {
    name: String,
    kind: TokenKind,
    hits: Vec<Request>,
    misses: Vec<Request>,
}

fn ring(mut request: impl FnMut(usize) -> Request) -> Vec<Request> {
    (0..RING).map(&mut request).collect()
}

/// Hits and misses in random order.
fn mixed(case: &Case, random: &mut Random) -> Vec<Request> {
    ring(|at| if random.next() & 1 == 0 { case.hits[at].clone() } else { case.misses[at].clone() })
}

/// Tokens that are granted whole organizations: the ids asked for do not matter.
fn wide(name: &str, kind: TokenKind, org: OrgId, foreign: impl Fn(ResourceId) -> Resource) -> Case {
    let mut random = Random(1);
    let actions = [Action::READ, Action::WRITE, Action::READ_WRITE];
    let hits = ring(|at| request(actions[at % 3], Resource::bucket(org, id(&mut random))));
    let misses = ring(|at| request(actions[at % 3], foreign(id(&mut random))));
    Case { name: name.into(), kind, hits, misses }
}

/// A token with permissions on that many buckets. A miss is another bucket of the same organization: all but the id is
/// right.
fn buckets(name: &str, count: usize, org: OrgId, kind: impl Fn(&[ResourceId]) -> TokenKind) -> Case {
    let mut random = Random(count as u64);
    let ids: Vec<_> = (0..count).map(|_| id(&mut random)).collect();
    let hits = ring(|_| request(Action::READ, Resource::bucket(org, ids[random.below(count)])));
    let misses = ring(|_| request(Action::READ, Resource::bucket(org, id(&mut random))));
    Case { name: format!("{name}, {count}"), kind: kind(&ids), hits, misses }
}

fn cases() -> Vec<Case> {
    let mut random = Random(7);
    let org = OrgId::try_from(Uuid::from_u128(random.next_u128())).unwrap();
    let elsewhere = OrgId::try_from(Uuid::from_u128(random.next_u128())).unwrap();
    let mut cases = vec![
        // An Operator is denied nothing; these are hits too.
        wide("Operator", TokenKind::operator(), org, |id| Resource::global(ResourceType::USERS).with_id(id)),
        wide("All-Access", TokenKind::all_access(org), org, |id| Resource::bucket(elsewhere, id)),
    ];
    for count in [1, 8, 50, 1_000] {
        cases.push(buckets("Read/Write", count, org, |ids| {
            TokenKind::read_write(org, ids.iter().map(|id| (*id, Action::READ))).unwrap()
        }));
    }
    for count in [8, 1_000] {
        // Single buckets and whole types: their ids alone do not tell them apart.
        for types in [2, 5] {
            cases.push(buckets(&format!("{types} types and buckets"), count, org, |ids| {
                let whole = ResourceType::INFLUXDB.iter().skip(5).take(types);
                let whole = whole.map(|kind| Pattern::from(Resource::within(org, *kind)));
                let permissions = ids.iter().map(|id| Pattern::from(Resource::bucket(org, *id))).chain(whole);
                TokenKind::custom(Some(org), permissions.map(Permission::read).collect()).unwrap()
            }));
        }
    }
    for count in [1, 8, 50, 1_000] {
        // Permissions of three shapes: on single buckets, on a whole type, on everything of one id.
        cases.push(buckets("Custom", count, org, |ids| {
            let shapes = |(at, id): (usize, &ResourceId)| match at % 8 {
                6 => Pattern::new(Some(org), None, Some(*id)).unwrap(),
                _ => Pattern::from(Resource::bucket(org, *id)),
            };
            let tasks = Pattern::from(Resource::within(org, ResourceType::TASKS));
            let permissions = ids.iter().enumerate().map(shapes).chain([tasks]).map(Permission::read);
            TokenKind::custom(Some(org), permissions.collect()).unwrap()
        }));
    }
    cases
}

fn main() {
    let mut table = Table::new(["token, grants", "", "floor", "scan", "decide", "x floor", "expiring", "x floor"]);
    for case in cases() {
        let floor = floor::Masks::new(&case.kind);
        let scan = floor::Scan::new(&case.kind);
        let forever = live(Expiry::Never);
        let expiring = live(Expiry::At(Timestamp::MAX));
        let mixture = mixed(&case, &mut Random(3));
        for (what, ring) in [("hit", &case.hits), ("miss", &case.misses), ("mixed", &mixture)] {
            for request in ring {
                let ours = decide(&case.kind, &forever, request.actions, &request.resource, NOW).is_ok();
                assert_eq!(floor.allows(&request.floor), ours, "{}: {what} {}", case.name, request.resource);
                assert_eq!(scan.allows(&request.floor), ours, "{}: {what} {}", case.name, request.resource);
            }
            let answer = |live: Liveness| {
                let kind = &case.kind;
                move |request: &Request| decide(kind, &live, request.actions, &request.resource, NOW).is_ok()
            };
            let measured = medians(
                vec![
                    Contender::decision("floor", ring, |request| floor.allows(&request.floor)),
                    Contender::decision("scan", ring, |request| scan.allows(&request.floor)),
                    Contender::decision("decide", ring, answer(forever)),
                    Contender::decision("expiring", ring, answer(expiring)),
                ],
                ROUNDS,
                TURN,
            );
            let [floor, scan, decide, expiring] = [0, 1, 2, 3].map(|place: usize| measured[place].1);
            table.row([
                if what == "hit" { case.name.clone() } else { String::new() },
                what.to_owned(),
                nanos(floor),
                nanos(scan),
                nanos(decide),
                format!("{:.2}", decide / floor),
                nanos(expiring),
                format!("{:.2}", expiring / floor),
            ]);
        }
    }
    table.print("The decision, ns until the answer (median of rounds in which all took turns)");
}
