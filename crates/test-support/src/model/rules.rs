//! What each call may do, and what it changes: rules 9 to 16 and 18, one after the other.

use std::collections::BTreeSet;

use portcullis::{
    Action, Error, OrgId, Pattern, Permission, Reason, Resource, ResourceId, ResourceType, Standing, Status, Timestamp,
    TokenId, UserId,
};

use super::calls::{Call, Change, End, New};
use super::state::{Creator, Grave, State, Token, texts};
use crate::naive::{self, Kind};

/// How many earlier secrets of a token are remembered.
const REMEMBERED: usize = 8;
const LONGEST_LINEAGE: usize = 32;

/// Who acts, and is accepted.
#[derive(Debug, Clone)]
pub enum Acting {
    Host(String),
    Token(Box<Token>),
}

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objection {
    /// With this text.
    Text(String),
    /// These permissions are lacking.
    Exceeds(BTreeSet<String>),
}

impl Objection {
    pub fn of(error: &Error) -> Self {
        match error {
            Error::Exceeds(set) => Self::Exceeds(set.iter().map(|each| each.to_string()).collect()),
            error => Self::Text(error.to_string()),
        }
    }
}

/// What a call comes to.
#[derive(Debug)]
pub enum Verdict {
    /// It is refused, for any of these reasons.
    Refused(Vec<Objection>),
    /// What is there afterwards; whether anything was to be changed; what is answered.
    Done(Box<State>, bool, Told),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Token(TokenId),
    /// How many records changed.
    Count(usize),
    /// Not laid down: the token is not remembered by anything that a store has, but perhaps by an authority.
    MayBeForgotten(TokenId),
}

/// What only the authority itself chooses, and the test learns from its answer.
#[derive(Debug, Clone)]
pub struct Learned {
    pub id: TokenId,
    pub secret: String,
}

type Objections = Vec<Objection>;

fn text(text: impl Into<String>) -> Objection {
    Objection::Text(text.into())
}

fn operators_only(what: &str) -> Objection {
    text(format!("{what} needs an operator token"))
}

pub fn not_accepted(reason: Reason) -> Objection {
    text(format!("the acting token is not accepted: {reason}"))
}

pub fn foreign() -> Objection {
    text("the acting principal belongs to another authority")
}

pub fn not_found(id: TokenId) -> Objection {
    text(format!("token `{id}` not found"))
}

impl Acting {
    pub fn is_operator(&self) -> bool {
        match self {
            Self::Host(_) => true,
            Self::Token(token) => matches!(token.kind, Kind::Operator),
        }
    }

    fn is(&self, id: TokenId) -> bool {
        matches!(self, Self::Token(token) if token.id == id)
    }

    fn may(&self, action: Action, resource: &Resource) -> bool {
        match self {
            Self::Host(_) => true,
            Self::Token(token) => naive::parts(action).into_iter().all(|part| token.kind.grants(part, resource)),
        }
    }

    /// Rule 12.
    pub fn sees(&self, token: &Token) -> bool {
        if self.is_operator() || self.is(token.id) {
            return true;
        }
        match token.kind.organization() {
            Some(organization) => self.may(Action::READ, &authorization(organization, token.id)),
            None => false,
        }
    }

    /// Rules 10 and 11: that it has write on the organization's authorizations.
    fn writes(&self, kind: &Kind, id: Option<TokenId>, objections: &mut Objections) {
        let Some(organization) = kind.organization() else {
            if !self.is_operator() {
                objections.push(without_organization(kind));
            }
            return;
        };
        let resource = match id {
            Some(id) => authorization(organization, id),
            None => Resource::authorizations(organization),
        };
        if !self.may(Action::WRITE, &resource) {
            objections.push(text(format!("missing permission `{}`", Permission::write(resource))));
        }
    }

    /// Rules 10 and 11: that it has all that the kind has.
    fn covers(&self, kind: &Kind, objections: &mut Objections) {
        if let Self::Token(token) = self {
            let lacking = token.kind.lacks(kind);
            if !lacking.is_empty() {
                objections.push(Objection::Exceeds(lacking));
            }
            if kind.organization().is_none() && !self.is_operator() {
                objections.push(without_organization(kind));
            }
        }
    }

    /// Rule 10: that what it makes does not outlive it.
    fn outlasts(&self, end: Option<Timestamp>, objections: &mut Objections) {
        if let Self::Token(token) = self
            && let Some(own) = token.expires
            && end.is_none_or(|end| end > own)
        {
            objections.push(text(format!("the acting token expires at {own}, and the other would outlive it")));
        }
    }

    fn creator(&self) -> Creator {
        match self {
            Self::Host(label) => Creator::Host(label.clone()),
            Self::Token(token) => {
                let mut lineage = token.creator.lineage().to_vec();
                lineage.push(token.id);
                Creator::Tokens(lineage)
            }
        }
    }
}

fn without_organization(kind: &Kind) -> Objection {
    match kind {
        Kind::Operator => operators_only("managing an operator token"),
        _ => operators_only("managing a token without an organization"),
    }
}

fn authorization(organization: OrgId, id: TokenId) -> Resource {
    Resource::authorizations(organization).with_id(ResourceId::from(id))
}

/// Rule 14: what is said against a chosen secret.
fn against_secret(state: &State, secret: &str, objections: &mut Objections) {
    if let Some(at) = secret.bytes().position(|byte| !(0x21..=0x7e).contains(&byte)) {
        objections.push(text(format!(
            "a chosen secret consists of visible ASCII characters; the one at position {at} is none"
        )));
    }
    if secret.len() < 32 {
        let len = secret.len();
        objections.push(text(format!("a chosen secret has at least 32 characters, this one has {len}")));
    }
    if secret.starts_with("pcs_") {
        objections.push(text("a chosen secret cannot begin with `pcs_`, as generated ones do"));
    }
    if secret.starts_with('$') && secret.matches('$').count() > 1 {
        objections.push(text("a chosen secret cannot be shaped like a stored hash, `$...$`"));
    }
    if state.knows(secret) {
        objections.push(text("the chosen secret was used before"));
    }
}

fn against_description(description: &str, objections: &mut Objections) {
    if description.len() > 1_024 {
        objections.push(text(format!("a description has at most 1024 bytes, this one has {}", description.len())));
    }
    if let Some(at) = description.find(char::is_control) {
        objections.push(text(format!("a description has no control characters, this one has one at position {at}")));
    }
}

fn against_past(end: Option<Timestamp>, now: Timestamp, objections: &mut Objections) {
    if let Some(end) = end.filter(|end| *end <= now) {
        objections.push(text(format!("the expiry {end} is not in the future")));
    }
}

/// Rule 7: a token of an organization has permissions of it only; one that names none is read as one of it.
fn inside(pattern: &Pattern, organization: OrgId) -> bool {
    pattern.organization().is_none_or(|named| named == organization)
        && pattern.resource_type() != Some(ResourceType::INSTANCE)
}

/// What is said against permissions that make no token.
fn against_kind(kind: &Kind, objections: &mut Objections) {
    if kind.permissions().is_empty() {
        objections.push(text("a token needs at least one permission"));
    }
    if let Kind::Custom(Some(organization), permissions) = kind {
        for permission in permissions.iter().filter(|each| !inside(&each.pattern(), *organization)) {
            objections.push(text(format!("permission `{permission}` is not for organization `{organization}`")));
        }
    }
}

fn owner_deleted(owner: UserId) -> Objection {
    text(format!("owner `{owner}` was deleted"))
}

fn organization_deleted(organization: OrgId) -> Objection {
    text(format!("organization `{organization}` was deleted"))
}

/// A call on a state that nobody changes meanwhile.
pub struct Plan<'a> {
    pub state: &'a State,
    pub now: Timestamp,
    /// At which revision it is written.
    pub revision: u64,
    pub learned: &'a Learned,
}

impl Plan<'_> {
    pub fn judge(&self, acting: Result<Acting, Objection>, call: &Call) -> Verdict {
        // Setup is open to anyone, once.
        if let Call::Setup(owner) = call {
            return self.setup(*owner);
        }
        let acting = match acting {
            Ok(acting) => acting,
            Err(objection) => return Verdict::Refused(vec![objection]),
        };
        match call {
            Call::Setup(owner) => self.setup(*owner),
            Call::Create(new) => self.create(&acting, new),
            Call::Update(id, change) => self.on(&acting, *id, |token| self.update(&acting, token, change)),
            Call::Rotate(id, overlap, secret) => {
                let end = self.now.saturating_add(*overlap);
                let end = (!overlap.is_zero()).then_some(end);
                self.on(&acting, *id, |token| self.rotate(&acting, token, end, secret.as_deref()))
            }
            Call::Revoke(id) => self.on(&acting, *id, |token| self.revoke(&acting, token)),
            Call::RevokeAll(id) => self.revoke_all(&acting, *id),
            Call::Delete(id) => self.on(&acting, *id, |token| self.delete(&acting, token)),
            Call::SetOwner(owner, standing) => self.set_owner_standing(&acting, *owner, *standing),
            Call::SetOrganization(id, standing) => self.set_organization_standing(&acting, *id, *standing),
            Call::Purge(by) => self.purge(&acting, *by),
        }
    }

    fn unchanged(&self, told: Told) -> Verdict {
        Verdict::Done(Box::new(self.state.clone()), false, told)
    }

    /// What it comes to, unless something is said against it.
    fn done(&self, objections: Objections, told: Told, change: impl FnOnce(&mut State)) -> Verdict {
        if !objections.is_empty() {
            return Verdict::Refused(objections);
        }
        let mut state = self.state.clone();
        change(&mut state);
        Verdict::Done(Box::new(state), true, told)
    }

    /// The token that a call is about. One that the actor may neither see nor end is not there (rules 11 and 12).
    fn on(&self, acting: &Acting, id: TokenId, then: impl FnOnce(&Token) -> Verdict) -> Verdict {
        let known = self.state.tokens.get(&id).filter(|token| {
            let mut objections = Vec::new();
            Self::against_ending(acting, token, &mut objections);
            acting.sees(token) || objections.is_empty()
        });
        known.map_or_else(|| Verdict::Refused(vec![not_found(id)]), then)
    }

    /// Rule 9.
    fn setup(&self, owner: UserId) -> Verdict {
        if self.state.set_up {
            let before = "setup was done before; an operator, or the host, makes further operator tokens";
            return Verdict::Refused(vec![text(before)]);
        }
        let new =
            New { kind: Kind::Operator, owner: Some(owner), description: String::new(), expires: None, secret: None };
        self.create(&Acting::Host("setup".into()), &new)
    }

    /// Rule 10.
    fn create(&self, acting: &Acting, new: &New) -> Verdict {
        let (state, now) = (self.state, self.now);
        let mut objections = Vec::new();
        against_kind(&new.kind, &mut objections);
        against_description(&new.description, &mut objections);
        against_past(new.expires, now, &mut objections);
        acting.writes(&new.kind, None, &mut objections);
        acting.covers(&new.kind, &mut objections);
        acting.outlasts(new.expires, &mut objections);
        let owner = match (acting, new.owner) {
            (_, Some(owner)) => owner,
            (Acting::Token(token), None) => token.owner,
            (Acting::Host(_), None) => {
                return Verdict::Refused([objections, vec![text("a token made by the host needs an owner")]].concat());
            }
        };
        if let Acting::Token(token) = acting
            && owner != token.owner
            && !acting.is_operator()
        {
            objections.push(operators_only("managing a token of another owner"));
        }
        if state.owner(owner) == Standing::Deleted {
            objections.push(owner_deleted(owner));
        }
        if let Some(organization) = new.kind.organization()
            && state.organization(organization) == Standing::Deleted
        {
            objections.push(organization_deleted(organization));
        }
        if acting.creator().lineage().len() > LONGEST_LINEAGE {
            let most = LONGEST_LINEAGE;
            objections.push(text(format!("a chain of tokens that created each other has at most {most} links")));
        }
        if let Some(secret) = &new.secret {
            against_secret(state, secret, &mut objections);
        }
        let token = Token {
            id: self.learned.id,
            kind: new.kind.clone(),
            owner,
            description: new.description.clone(),
            status: Status::Active,
            creator: acting.creator(),
            created: now,
            updated: now,
            expires: new.expires,
            secret: new.secret.clone().unwrap_or_else(|| self.learned.secret.clone()),
            overlap: None,
            former: Vec::new(),
            revision: self.revision,
        };
        self.done(objections, Told::Token(token.id), |state| {
            state.set_up |= matches!(token.kind, Kind::Operator);
            state.tokens.insert(token.id, token);
        })
    }

    /// Rule 13.
    fn update(&self, acting: &Acting, before: &Token, change: &Change) -> Verdict {
        let mut objections = Vec::new();
        let mut after = before.clone();
        if let Some(expected) = change.revision
            && expected != before.revision
        {
            let (id, found) = (before.id, before.revision);
            objections.push(text(format!("token `{id}` is at revision {found}, not {expected}; read it again")));
        }
        acting.writes(&before.kind, Some(before.id), &mut objections);
        acting.covers(&before.kind, &mut objections);
        against_revoked(before, &mut objections);
        if let Some(description) = &change.description {
            against_description(description, &mut objections);
            after.description.clone_from(description);
        }
        match change.active {
            Some(true) => after.status = Status::Active,
            Some(false) => after.status = Status::Inactive,
            None => {}
        }
        match change.end {
            Some(End::Never) => after.expires = None,
            Some(End::At(end)) => after.expires = Some(end),
            None => {}
        }
        if after.expires != before.expires {
            against_past(after.expires, self.now, &mut objections);
        }
        if let Some(kind) = &change.kind {
            if kind.organization() != before.kind.organization() {
                objections.push(text("a token cannot move to another organization"));
            }
            acting.covers(kind, &mut objections);
            if !kind.is(&before.kind) {
                after.kind = kind.clone();
            }
        }
        let reactivated = before.status != Status::Active && after.status == Status::Active;
        let extended = match (before.expires, after.expires) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(before), Some(after)) => after > before,
        };
        if reactivated || extended || after.kind != before.kind {
            acting.outlasts(after.expires, &mut objections);
        }
        if objections.is_empty() && after == *before {
            return self.unchanged(Told::Token(before.id));
        }
        after.updated = self.now;
        after.revision = self.revision;
        self.done(objections, Told::Token(before.id), |state| {
            state.set_up |= matches!(after.kind, Kind::Operator);
            state.tokens.insert(after.id, after);
        })
    }

    /// Rule 15.
    fn rotate(&self, acting: &Acting, token: &Token, overlap: Option<Timestamp>, secret: Option<&str>) -> Verdict {
        let mut objections = Vec::new();
        acting.writes(&token.kind, Some(token.id), &mut objections);
        acting.covers(&token.kind, &mut objections);
        acting.outlasts(token.expires, &mut objections);
        if acting.creator().lineage().contains(&token.id) {
            objections.push(text(
                "a token can rotate neither itself nor one that it was created under: a thief would lock the owner out",
            ));
        }
        against_revoked(token, &mut objections);
        if let Some(secret) = secret {
            against_secret(self.state, secret, &mut objections);
        }
        let mut after = token.clone();
        // At most one former secret is accepted at a time.
        if let Some((ended, _)) = after.overlap.take() {
            after.former.push(ended);
        }
        match overlap {
            None => after.former.push(token.secret.clone()),
            Some(end) => {
                let end = token.expires.map_or(end, |expiry| expiry.min(end));
                after.overlap = Some((token.secret.clone(), end));
            }
        }
        while after.former.len() > REMEMBERED {
            after.former.remove(0);
        }
        after.secret = secret.map_or_else(|| self.learned.secret.clone(), str::to_owned);
        after.updated = self.now;
        after.revision = self.revision;
        self.done(objections, Told::Token(token.id), |state| _ = state.tokens.insert(after.id, after))
    }

    /// Rule 11: that the actor may end a token. Expiry does not matter.
    fn against_ending(acting: &Acting, token: &Token, objections: &mut Objections) {
        acting.writes(&token.kind, Some(token.id), objections);
        acting.covers(&token.kind, objections);
    }

    /// Rules 11 and 17.
    fn revoke(&self, acting: &Acting, token: &Token) -> Verdict {
        let mut objections = Vec::new();
        if !acting.is(token.id) {
            Self::against_ending(acting, token, &mut objections);
        }
        if objections.is_empty() && token.status == Status::Revoked {
            return self.unchanged(Told::Count(0));
        }
        self.done(objections, Told::Count(1), |state| self.put_revoked(state, token.id))
    }

    fn put_revoked(&self, state: &mut State, id: TokenId) {
        if let Some(token) = state.tokens.get_mut(&id) {
            token.status = Status::Revoked;
            token.updated = self.now;
            token.revision = self.revision;
        }
    }

    /// Rule 10: with everything created under it.
    fn revoke_all(&self, acting: &Acting, root: TokenId) -> Verdict {
        let is_under = |token: &&Token| token.creator.lineage().contains(&root);
        let under: Vec<_> =
            self.state.tokens.values().filter(is_under).filter(|token| token.status != Status::Revoked).collect();
        let mut ids: Vec<_> = under.iter().map(|token| token.id).collect();
        let end = |ids: Vec<TokenId>| {
            if ids.is_empty() {
                return self.unchanged(Told::Count(0));
            }
            self.done(Vec::new(), Told::Count(ids.len()), |state| {
                ids.iter().for_each(|id| self.put_revoked(state, *id));
            })
        };
        let remembered = self.state.graves.iter().any(|grave| grave.id == root)
            || self.state.tokens.values().any(|token| is_under(&token));
        if !self.state.tokens.contains_key(&root) && acting.is_operator() {
            return if remembered { end(ids) } else { self.unchanged(Told::MayBeForgotten(root)) };
        }
        self.on(acting, root, |token| {
            let mut objections = Vec::new();
            Self::against_ending(acting, token, &mut objections);
            for token in &under {
                let mut theirs = Vec::new();
                Self::against_ending(acting, token, &mut theirs);
                if let Some(organization) =
                    token.kind.organization().filter(|_| !acting.sees(token) && !theirs.is_empty())
                {
                    let read = Permission::read(Resource::authorizations(organization));
                    theirs = vec![text(format!("missing permission `{read}`"))];
                }
                objections.extend(theirs);
            }
            if !objections.is_empty() {
                return Verdict::Refused(objections);
            }
            if token.status != Status::Revoked {
                ids.push(root);
            }
            end(ids)
        })
    }

    /// Rules 11, 14 and 17.
    fn delete(&self, acting: &Acting, token: &Token) -> Verdict {
        let mut objections = Vec::new();
        Self::against_ending(acting, token, &mut objections);
        self.done(objections, Told::Count(1), |state| self.bury(state, token.id))
    }

    fn bury(&self, state: &mut State, id: TokenId) {
        if let Some(Token { mut former, overlap, secret, .. }) = state.tokens.remove(&id) {
            former.extend(overlap.map(|(before, _)| before));
            former.push(secret);
            state.graves.push(Grave { id, secrets: former, deleted: self.now, revision: self.revision });
        }
    }

    /// Rule 16.
    fn set_owner_standing(&self, acting: &Acting, owner: UserId, standing: Standing) -> Verdict {
        if !acting.is_operator() {
            return Verdict::Refused(vec![operators_only("changing an owner's standing")]);
        }
        match self.state.owner(owner) {
            before if before == standing => self.unchanged(Told::Count(0)),
            Standing::Deleted => Verdict::Refused(vec![owner_deleted(owner)]),
            _ => self.done(Vec::new(), Told::Count(1), |state| _ = state.owners.insert(owner, standing)),
        }
    }

    /// Rule 16.
    fn set_organization_standing(&self, acting: &Acting, organization: OrgId, standing: Standing) -> Verdict {
        if !acting.is_operator() {
            return Verdict::Refused(vec![operators_only("changing an organization's standing")]);
        }
        match self.state.organization(organization) {
            before if before == standing => self.unchanged(Told::Count(0)),
            Standing::Deleted => Verdict::Refused(vec![organization_deleted(organization)]),
            _ => self.done(Vec::new(), Told::Count(1), |state| _ = state.organizations.insert(organization, standing)),
        }
    }

    /// Rules 14 and 18: what may be forgotten. A store forgets by revision, so nothing after a grave that stays.
    fn purge(&self, acting: &Acting, by: Timestamp) -> Verdict {
        if !acting.is_operator() {
            return Verdict::Refused(vec![operators_only("purging")]);
        }
        let graves = &self.state.graves;
        let first_kept = graves.iter().filter(|grave| grave.deleted > by).map(|grave| grave.revision).min();
        let forgets = |grave: &&Grave| first_kept.is_none_or(|kept| grave.revision < kept);
        let forgotten: Vec<_> = graves.iter().filter(forgets).map(|grave| grave.revision).collect();
        let is_over = |token: &&Token| token.expires.is_some_and(|end| end <= by && end <= self.now);
        let expired: Vec<_> = self.state.tokens.values().filter(is_over).map(|token| token.id).collect();
        if forgotten.is_empty() && expired.is_empty() {
            return self.unchanged(Told::Count(0));
        }
        self.done(Vec::new(), Told::Count(forgotten.len() + expired.len()), |state| {
            if let Some(horizon) = forgotten.iter().max() {
                state.horizon = *horizon;
                state.graves.retain(|grave| grave.revision > *horizon);
            }
            expired.iter().for_each(|id| self.bury(state, *id));
        })
    }
}

fn against_revoked(token: &Token, objections: &mut Objections) {
    if token.status == Status::Revoked {
        objections.push(text(format!("token `{}` is revoked, which is final; create a new one", token.id)));
    }
}

/// A page of all that an actor sees and that fits, in order.
pub fn list<'a>(
    state: &'a State,
    acting: &Acting,
    filter: &portcullis::Filter,
    after: Option<TokenId>,
) -> Vec<&'a Token> {
    let fits = |token: &&Token| {
        let name = match token.kind {
            Kind::Operator => portcullis::KindName::Operator,
            Kind::AllAccess(_) => portcullis::KindName::AllAccess,
            Kind::ReadWrite(..) => portcullis::KindName::ReadWrite,
            Kind::Custom(..) => portcullis::KindName::Custom,
        };
        filter.organization.is_none_or(|organization| token.kind.organization() == Some(organization))
            && filter.owner.is_none_or(|owner| token.owner == owner)
            && filter.creator.is_none_or(|creator| token.creator.lineage().last() == Some(&creator))
            && filter.kind.is_none_or(|kind| name == kind)
            && filter.status.is_none_or(|status| token.status == status)
            && filter.expires_by.is_none_or(|by| token.expires.is_some_and(|end| end <= by))
    };
    let after = |token: &&Token| after.is_none_or(|after| token.id > after);
    state.tokens.values().filter(after).filter(|token| acting.sees(token)).filter(fits).collect()
}

/// What a decision comes to: rules 1 to 8.
pub fn decide(state: &State, token: &Token, actions: Action, resource: &Resource, now: Timestamp) -> naive::Answer {
    match state.accepts(token, now) {
        Err(reason) => naive::Answer::Refused(vec![reason]),
        Ok(()) => naive::decide(&token.kind, &state.liveness(token), actions, resource, now),
    }
}

/// How a token's kind shows itself.
pub fn shown(kind: &Kind) -> BTreeSet<String> {
    texts(&kind.permissions())
}
