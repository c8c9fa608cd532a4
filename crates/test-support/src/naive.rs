//! The rules written down a second time, as naively as possible: lists, linear scans, one field after the other.
//!
//! It shares only public types with the library, and none of its functions that match, cover or merge.

use std::collections::BTreeSet;

use portcullis::{
    Action, Liveness, OrgId, Pattern, Permission, Reason, Resource, ResourceId, ResourceType, Standing, Status,
    Timestamp, TokenKind,
};

/// A token's kind, as the rules describe it.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Operator,
    AllAccess(OrgId),
    ReadWrite(OrgId, Vec<(ResourceId, Action)>),
    Custom(Option<OrgId>, Vec<Permission>),
}

impl Kind {
    /// The library's own.
    pub fn build(&self) -> TokenKind {
        match self {
            Self::Operator => TokenKind::operator(),
            Self::AllAccess(org) => TokenKind::all_access(*org),
            Self::ReadWrite(org, buckets) => TokenKind::read_write(*org, buckets.clone()).unwrap(),
            Self::Custom(org, permissions) => TokenKind::custom(*org, permissions.iter().copied().collect()).unwrap(),
        }
    }

    /// Whether one action is granted: rules 3 to 7.
    pub fn grants(&self, action: Action, resource: &Resource) -> bool {
        match self {
            Self::Operator => true,
            Self::AllAccess(org) => resource.org() == Some(*org) && resource.kind() != ResourceType::INSTANCE,
            Self::ReadWrite(org, buckets) => {
                resource.kind() == ResourceType::BUCKETS
                    && resource.org() == Some(*org)
                    && buckets.iter().any(|(id, actions)| resource.id() == Some(*id) && has(*actions, action))
            }
            Self::Custom(_, permissions) => grants(permissions, action, resource),
        }
    }
}

/// Whether the bit of `action` is among those of `actions`.
pub fn has(actions: Action, action: Action) -> bool {
    actions.bits() & action.bits() != 0
}

/// Rule 6: every field that the pattern sets is set in the request and equal.
pub fn matches(pattern: &Pattern, resource: &Resource) -> bool {
    if let Some(kind) = pattern.kind()
        && kind.as_str() != resource.kind().as_str()
    {
        return false;
    }
    if let Some(org) = pattern.org() {
        match resource.org() {
            Some(theirs) if theirs.as_uuid() == org.as_uuid() => {}
            _ => return false,
        }
    }
    if let Some(id) = pattern.id() {
        match resource.id() {
            Some(theirs) if theirs.as_uuid() == id.as_uuid() => {}
            _ => return false,
        }
    }
    true
}

/// Whether one permission of the list grants this one action.
pub fn grants(permissions: &[Permission], action: Action, resource: &Resource) -> bool {
    permissions.iter().any(|each| has(each.action(), action) && matches(&each.pattern(), resource))
}

/// Whether the list allows the request: all of its actions, each by any permission, none of them unknown (rules 1, 6).
pub fn allows(permissions: &[Permission], actions: Action, resource: &Resource) -> bool {
    let asked = |action| has(actions, action);
    let granted = |action| grants(permissions, action, resource);
    matches!(actions.bits(), 1..=3)
        && (!asked(Action::READ) || granted(Action::READ))
        && (!asked(Action::WRITE) || granted(Action::WRITE))
}

/// Whether `general` matches whatever `special` does: it matches the request that sets just the same fields, of a type
/// that nobody named where `special` takes any.
fn covers_pattern(general: &Pattern, special: &Pattern) -> bool {
    fn field<T: PartialEq + Copy>(general: Option<T>, special: Option<T>) -> bool {
        general.is_none() || general == special
    }
    field(general.kind(), special.kind()) && field(general.org(), special.org()) && field(general.id(), special.id())
}

/// Whether every permission of `fewer` is covered by one of `more`.
pub fn covers(more: &[Permission], fewer: &[Permission]) -> bool {
    fewer.iter().all(|special| {
        more.iter().any(|general| {
            general.action() == special.action() && covers_pattern(&general.pattern(), &special.pattern())
        })
    })
}

/// The permissions that no other of the list covers.
pub fn minimal(permissions: &[Permission]) -> BTreeSet<Permission> {
    let distinct: BTreeSet<_> = permissions.iter().copied().collect();
    let needed = |each: &&Permission| distinct.iter().all(|other| other == *each || !covers(&[*other], &[**each]));
    distinct.iter().filter(needed).copied().collect()
}

/// The answers that the rules allow. Where several things are wrong with a token, any of them may be told.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Allowed,
    /// The token itself is refused, for one of these reasons.
    Refused(Vec<Reason>),
    /// The request is no request.
    Senseless(Reason),
    /// These are missing.
    Missing(Vec<Permission>),
}

/// Rules 1 to 8.
pub fn decide(kind: &Kind, live: &Liveness, actions: Action, resource: &Resource, now: Timestamp) -> Answer {
    let wrong = [
        (live.status == Status::Inactive, Reason::Inactive),
        (live.status == Status::Revoked, Reason::Revoked),
        (live.owner == Standing::Suspended, Reason::OwnerSuspended),
        (live.owner == Standing::Deleted, Reason::OwnerDeleted),
        (live.organization == Standing::Suspended, Reason::OrganizationSuspended),
        (live.organization == Standing::Deleted, Reason::OrganizationDeleted),
        (live.expires_at.is_some_and(|at| now.as_micros() >= at.as_micros()), Reason::Expired),
    ];
    let reasons: Vec<_> = wrong.into_iter().filter(|(is, _)| *is).map(|(_, reason)| reason).collect();
    if !reasons.is_empty() {
        return Answer::Refused(reasons);
    }
    match actions.bits() {
        0 => return Answer::Senseless(Reason::NoAction),
        1..=3 => {}
        _ => return Answer::Senseless(Reason::UnknownAction),
    }
    let mut missing = Vec::new();
    if has(actions, Action::READ) && !kind.grants(Action::READ, resource) {
        missing.push(Permission::read(*resource));
    }
    if has(actions, Action::WRITE) && !kind.grants(Action::WRITE, resource) {
        missing.push(Permission::write(*resource));
    }
    if missing.is_empty() { Answer::Allowed } else { Answer::Missing(missing) }
}

/// A small domain: a few organizations, ids and types, and everything that can be said with them.
pub struct Domain {
    pub orgs: Vec<OrgId>,
    pub ids: Vec<ResourceId>,
    pub types: Vec<ResourceType>,
}

/// `None`, then each.
fn or_none<T: Copy>(all: &[T]) -> Vec<Option<T>> {
    std::iter::once(None).chain(all.iter().copied().map(Some)).collect()
}

impl Domain {
    /// The first so many organizations and ids. An organization and an id share their bits, which must not matter.
    pub fn new(orgs: u64, ids: u64, types: &[ResourceType]) -> Self {
        Self {
            orgs: (1..=orgs).map(|n| OrgId::try_from(n).unwrap()).collect(),
            ids: (1..=ids).map(|n| ResourceId::try_from(n).unwrap()).collect(),
            types: types.to_vec(),
        }
    }

    /// Every resource that can be built.
    pub fn resources(&self) -> Vec<Resource> {
        let mut all = Vec::new();
        for kind in &self.types {
            for org in or_none(&self.orgs) {
                let Ok(whole) = org.map_or(Ok(Resource::global(*kind)), |org| Resource::within(org, *kind)) else {
                    continue;
                };
                all.push(whole);
                all.extend(self.ids.iter().map(|id| whole.with_id(*id)));
            }
        }
        all
    }

    /// Every pattern that can be built.
    pub fn patterns(&self) -> Vec<Pattern> {
        let mut all = Vec::new();
        for kind in or_none(&self.types) {
            for org in or_none(&self.orgs) {
                for id in or_none(&self.ids) {
                    all.extend(Pattern::new(kind, org, id));
                }
            }
        }
        all
    }
}
