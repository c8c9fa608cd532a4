//! The rules written down a second time, as naively as possible: lists, linear scans, one field after the other.
//!
//! It shares only public types with the library, and none of its functions that match, cover or merge.

use std::collections::BTreeSet;

use portcullis::{
    Action, Grant, Liveness, OrgId, Pattern, Permission, Reason, Resource, ResourceId, ResourceType, Standing, Status,
    Timestamp, TokenKind, Verb,
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

    /// Reports whether one part of a request is granted: rules 3 to 7.
    pub fn grants(&self, part: Grant, resource: &Resource) -> bool {
        match self {
            Self::Operator => true,
            Self::AllAccess(org) => {
                resource.organization() == Some(*org) && resource.resource_type() != ResourceType::INSTANCE
            }
            Self::ReadWrite(org, buckets) => {
                resource.resource_type() == ResourceType::BUCKETS
                    && resource.organization() == Some(*org)
                    && buckets.iter().any(|(id, action)| resource.id() == Some(*id) && parts(*action).contains(&part))
            }
            Self::Custom(org, permissions) => {
                // Rule 7: what names no organization is read as in the token's.
                (org.is_none() || resource.organization() == *org) && grants(permissions, part, resource)
            }
        }
    }
}

/// Returns what a request asks for, one by one.
pub fn parts(action: Action) -> Vec<Grant> {
    if let Some(verb) = action.verb() {
        vec![Grant::Verb(verb)]
    } else if action == Action::READ {
        vec![Grant::Read]
    } else if action == Action::WRITE {
        vec![Grant::Write]
    } else {
        vec![Grant::Read, Grant::Write]
    }
}

/// Reports whether what is given includes a part of a request: any action includes each.
fn includes(given: Grant, part: Grant) -> bool {
    given == Grant::Any || given == part
}

/// Rule 6: every field that the pattern sets is set in the request and equal.
pub fn matches(pattern: &Pattern, resource: &Resource) -> bool {
    if let Some(named) = pattern.resource_type()
        && named.as_str() != resource.resource_type().as_str()
    {
        return false;
    }
    if let Some(org) = pattern.organization() {
        match resource.organization() {
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

/// Reports whether one permission of the list grants this part of a request.
pub fn grants(permissions: &[Permission], part: Grant, resource: &Resource) -> bool {
    permissions.iter().any(|each| includes(each.grant(), part) && matches(&each.pattern(), resource))
}

/// Reports whether the list allows the request: all parts of it, each by any permission (rule 6).
pub fn allows(permissions: &[Permission], action: Action, resource: &Resource) -> bool {
    parts(action).into_iter().all(|part| grants(permissions, part, resource))
}

/// Whether `general` matches whatever `special` does: it matches the request that sets just the same fields, of a type
/// that nobody named where `special` takes any.
fn covers_pattern(general: &Pattern, special: &Pattern) -> bool {
    fn field<T: PartialEq + Copy>(general: Option<T>, special: Option<T>) -> bool {
        general.is_none() || general == special
    }
    field(general.resource_type(), special.resource_type())
        && field(general.organization(), special.organization())
        && field(general.id(), special.id())
}

/// Whether every permission of `fewer` is covered by one of `more`.
pub fn covers(more: &[Permission], fewer: &[Permission]) -> bool {
    fewer.iter().all(|special| {
        more.iter().any(|general| {
            includes(general.grant(), special.grant()) && covers_pattern(&general.pattern(), &special.pattern())
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
    /// These are missing.
    Missing(Vec<Permission>),
}

/// Rules 1 to 8.
pub fn decide(kind: &Kind, live: &Liveness, action: Action, resource: &Resource, now: Timestamp) -> Answer {
    let wrong = [
        (live.status == Status::Inactive, Reason::Inactive),
        (live.status == Status::Revoked, Reason::Revoked),
        (live.owner == Standing::Suspended, Reason::OwnerSuspended),
        (live.owner == Standing::Deleted, Reason::OwnerDeleted),
        (live.organization == Standing::Suspended, Reason::OrganizationSuspended),
        (live.organization == Standing::Deleted, Reason::OrganizationDeleted),
        (live.expires_at.time().is_some_and(|at| now.as_micros() >= at.as_micros()), Reason::Expired),
    ];
    let reasons: Vec<_> = wrong.into_iter().filter(|(is, _)| *is).map(|(_, reason)| reason).collect();
    if !reasons.is_empty() {
        return Answer::Refused(reasons);
    }
    let lacking = parts(action).into_iter().filter(|part| !kind.grants(*part, resource));
    let missing: Vec<_> = lacking.map(|part| Permission::new(part, *resource)).collect();
    if missing.is_empty() { Answer::Allowed } else { Answer::Missing(missing) }
}

/// A small domain: a few organizations, ids and types, and everything that can be said with them.
pub struct Domain {
    pub orgs: Vec<OrgId>,
    pub ids: Vec<ResourceId>,
    pub types: Vec<ResourceType>,
}

/// Every request of one resource: with each verb, one of which no permission names.
pub fn actions(verbs: &[Verb]) -> Vec<Action> {
    let own = verbs.iter().copied().map(Action::from);
    [Action::READ, Action::WRITE, Action::READ_WRITE].into_iter().chain(own).collect()
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
                if org.is_some() && *kind == ResourceType::INSTANCE {
                    continue;
                }
                let whole = org.map_or(Resource::global(*kind), |org| Resource::within(org, *kind));
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
                    all.extend(Pattern::new(org, kind, id));
                }
            }
        }
        all
    }
}
