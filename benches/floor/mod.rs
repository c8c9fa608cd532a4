//! What the decision is measured against: the least code that answers the same requests.
#![allow(dead_code, unreachable_pub, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]
#![allow(clippy::cast_possible_truncation)] // Of a hash any bits will do, and there are 23 types.

use std::collections::BTreeMap;

use portcullis::{Pattern, Permission, ResourceType, TokenKind};

/// A request in the floor's terms. Zero for no organization or id; a type is its place among InfluxDB's.
#[derive(Clone, Copy)]
pub struct Request {
    pub org: u128,
    pub id: u128,
    pub kind: u8,
    pub actions: u8,
}

/// One organization's mask of types and actions, and one probe of a table from ids to such masks.
///
/// A mask has two bits for each of the 23 types.
pub struct Masks {
    /// Any organization and none: an Operator.
    everywhere: u64,
    org: u128,
    types: u64,
    /// Open addressing, at most half full; the id zero is free.
    ids: Vec<(u128, u64)>,
}

impl Masks {
    pub fn new(kind: &TokenKind) -> Self {
        let mut floor = Self {
            everywhere: 0,
            org: kind.organization().map_or(0, |org| org.as_uuid().as_u128()),
            types: 0,
            ids: vec![(0, 0); (kind.permissions().len() * 2).next_power_of_two()],
        };
        for (pattern, actions) in kind.permissions().iter().map(bits) {
            let types = match pattern.resource_type() {
                Some(kind) => place(kind)..place(kind) + 1,
                None => 0..ResourceType::INFLUXDB.len(),
            };
            let mask = types.fold(0, |mask, kind| mask | u64::from(actions) << (2 * kind));
            match pattern.id() {
                Some(id) => floor.insert(id.as_uuid().as_u128(), mask),
                None if pattern.organization().is_none() => floor.everywhere |= mask,
                None => floor.types |= mask,
            }
        }
        floor
    }

    fn insert(&mut self, id: u128, mask: u64) {
        let mut at = self.start(id);
        while self.ids[at].0 != 0 && self.ids[at].0 != id {
            at = (at + 1) & (self.ids.len() - 1);
        }
        self.ids[at] = (id, self.ids[at].1 | mask);
    }

    #[inline]
    fn start(&self, id: u128) -> usize {
        let wide =
            u128::from((id >> 64) as u64 ^ 0x9e37_79b9_7f4a_7c15) * u128::from(id as u64 ^ 0x8bb8_4b93_962e_acc9);
        ((wide >> 64) as u64 ^ wide as u64) as usize & (self.ids.len() - 1)
    }

    #[inline]
    pub fn allows(&self, request: &Request) -> bool {
        let wanted = u64::from(request.actions) << (2 * request.kind);
        let mut granted = self.everywhere;
        if request.org == self.org {
            granted |= self.types;
            if granted & wanted != wanted {
                granted |= self.on(request.id);
            }
        }
        granted & wanted == wanted
    }

    #[inline]
    fn on(&self, id: u128) -> u64 {
        let mut at = self.start(id);
        loop {
            match self.ids[at] {
                (found, mask) if found == id => return mask,
                (0, _) => return 0,
                _ => at = (at + 1) & (self.ids.len() - 1),
            }
        }
    }
}

fn place(kind: ResourceType) -> usize {
    ResourceType::INFLUXDB.iter().position(|each| *each == kind).unwrap()
}

/// A permission's pattern, and its actions as bits: 1 for reading, 2 for writing.
fn bits(permission: Permission) -> (Pattern, u8) {
    let actions = match permission.grant() {
        portcullis::Grant::Read => 1,
        portcullis::Grant::Write => 2,
        portcullis::Grant::Any => 3,
        portcullis::Grant::Verb(verb) => panic!("{verb} is not measured"),
    };
    (permission.pattern(), actions)
}

/// A permission as a linear scan would have it.
enum Grant {
    All { actions: u8 },
    Organization { org: u128, actions: u8 },
    Type { org: u128, kind: u8, actions: u8 },
    One { org: u128, kind: u8, id: u128, actions: u8 },
    Id { org: u128, id: u128, actions: u8 },
}

/// A linear scan over enums.
pub struct Scan {
    grants: Vec<Grant>,
}

impl Scan {
    pub fn new(kind: &TokenKind) -> Self {
        let grant = |(pattern, actions): (Pattern, u8)| {
            let org = pattern.organization().map(|org| org.as_uuid().as_u128());
            let id = pattern.id().map(|id| id.as_uuid().as_u128());
            match (pattern.resource_type().map(|kind| place(kind) as u8), org, id) {
                (None, None, None) => Grant::All { actions },
                (None, Some(org), None) => Grant::Organization { org, actions },
                (Some(kind), Some(org), None) => Grant::Type { org, kind, actions },
                (Some(kind), Some(org), Some(id)) => Grant::One { org, kind, id, actions },
                (None, Some(org), Some(id)) => Grant::Id { org, id, actions },
                other => panic!("{other:?} is not measured"),
            }
        };
        // Reading and writing of one pattern together, as a host would keep them.
        let mut patterns = BTreeMap::<Pattern, u8>::new();
        for (pattern, actions) in kind.permissions().iter().map(bits) {
            *patterns.entry(pattern).or_default() |= actions;
        }
        Self { grants: patterns.into_iter().map(grant).collect() }
    }

    #[inline]
    pub fn allows(&self, request: &Request) -> bool {
        let mut wanted = request.actions;
        for grant in &self.grants {
            let granted = match grant {
                Grant::All { actions } => *actions,
                Grant::Organization { org, actions } if *org == request.org => *actions,
                Grant::Type { org, kind, actions } if *org == request.org && *kind == request.kind => *actions,
                Grant::One { org, kind, id, actions }
                    if *id == request.id && *org == request.org && *kind == request.kind =>
                {
                    *actions
                }
                Grant::Id { org, id, actions } if *id == request.id && *org == request.org => *actions,
                _ => 0,
            };
            wanted &= !granted;
            if wanted == 0 {
                return true;
            }
        }
        false
    }
}
