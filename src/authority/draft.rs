//! A commit in the making, and the one consistent view that it is planned on.

use std::collections::HashSet;
use std::sync::Arc;

use crate::authority::actor::{Actor, Who};
use crate::authority::error::Error;
use crate::authority::event::EventKind;
use crate::authority::shared::Shared;
use crate::index::Index;
use crate::model::action::{Access, Action};
use crate::model::decision::judge;
use crate::model::expiry::Expiry;
use crate::model::id::{OrgId, TokenId, UserId};
use crate::model::kind::{KindName, TokenKind};
use crate::model::permission_set::Reach;
use crate::model::reason::Reason;
use crate::model::resource::Resource;
use crate::model::resource_type::ResourceType;
use crate::model::status::Standing;
use crate::model::time::Timestamp;
use crate::model::token::Creator;
use crate::secret::{Credential, Digest, Secret};
use crate::store::MAX_COMMIT;
use crate::store::record::{Body, Mark, Record, RecordKey, TokenRecord};

/// A commit in the making.
///
/// Calls are planned one after another on the index. One that would read what an earlier call in the same draft
/// changes waits for the next draft ([`Stop::Wait`]), so that every call sees the effects of all before it.
pub(crate) struct Draft<'a> {
    shared: &'a Arc<Shared>,
    pub(crate) now: Timestamp,
    records: Vec<Record>,
    keys: HashSet<RecordKey>,
    digests: HashSet<[u8; 32]>,
    permissions: usize,
    /// What the call that is being planned would add.
    own: Part,
}

/// One call's part of a commit.
#[derive(Default)]
pub(crate) struct Part {
    records: Vec<Record>,
    digests: Vec<Digest>,
    permissions: usize,
    pub(crate) events: Vec<(Option<TokenId>, EventKind)>,
}

/// The most permissions of all tokens in one commit, some megabytes: a store has to write them while others wait. One token
/// has a tenth of that at most.
const MAX_PERMISSIONS: usize = 10 * TokenKind::MAX_PATTERNS;

/// Why a call is not part of this draft.
pub(crate) enum Stop {
    /// It has to wait for the next one.
    Wait,
    /// It is refused.
    Fail(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Fail(error.into())
    }
}

/// Who is acting, as of this draft.
pub(crate) enum Acting {
    Host(Arc<str>),
    Token(Box<TokenRecord>),
}

impl<'a> Draft<'a> {
    pub(crate) fn new(shared: &'a Arc<Shared>) -> Self {
        let (now, own) = (shared.clock.now(), Part::default());
        let (records, keys, digests) = (Vec::new(), HashSet::new(), HashSet::new());
        let mut draft = Self { shared, now, records, keys, digests, permissions: 0, own };
        if shared.index.marks().format.is_none() {
            draft.records.push(Record(Body::Mark(Mark::Format(Record::NEWEST_FORMAT))));
        }
        draft
    }

    pub(crate) fn index(&self) -> &'a Index {
        &self.shared.index
    }

    /// Makes what a call added part of the commit, and returns what is to be told about it.
    pub(crate) fn keep(&mut self) -> Result<Part, Stop> {
        let mut own = std::mem::take(&mut self.own);
        let permissions = self.permissions + own.permissions;
        if self.records.len() + own.records.len() > MAX_COMMIT || permissions > MAX_PERMISSIONS {
            return Err(Stop::Wait);
        }
        self.permissions = permissions;
        self.keys.extend(own.records.iter().map(Record::key));
        self.digests.extend(own.digests.iter().map(Digest::bytes));
        self.records.append(&mut own.records);
        Ok(own)
    }

    /// Drops what a call added.
    pub(crate) fn drop_own(&mut self) {
        self.own = Part::default();
    }

    pub(crate) fn into_records(self) -> Vec<Record> {
        self.records
    }

    /// Whether any call changes anything. The format mark alone is no reason to commit.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Adds a record, and what is to be told about it.
    pub(crate) fn put(&mut self, body: Body, event: Option<EventKind>) {
        let record = Record(body);
        if let Some(kind) = event {
            self.own.events.push((record.token(), kind));
        }
        if let Body::Token(token) = &record.0 {
            self.own.permissions += permissions(token);
        }
        self.own.records.push(record);
    }

    /// Whether a call that goes alone can add that token, or its tombstone: beside the format mark, if there is one.
    pub(crate) fn has_room(&self, token: &TokenRecord) -> bool {
        self.own.records.len() < MAX_COMMIT - 1 && self.own.permissions + permissions(token) <= MAX_PERMISSIONS
    }

    /// That no call in this draft changes that record.
    fn unchanged(&self, key: RecordKey) -> Result<(), Stop> {
        if self.keys.contains(&key) { Err(Stop::Wait) } else { Ok(()) }
    }

    /// For a call that reads everything: it goes alone, or first.
    pub(crate) fn alone(&self) -> Result<(), Stop> {
        if self.is_empty() { Ok(()) } else { Err(Stop::Wait) }
    }

    pub(crate) fn set_up(&self) -> Result<Option<Timestamp>, Stop> {
        self.unchanged(RecordKey::SET_UP)?;
        Ok(self.index().marks().set_up)
    }

    pub(crate) fn find(&self, id: TokenId) -> Result<Option<(u64, TokenRecord)>, Stop> {
        self.unchanged(RecordKey::token(id))?;
        Ok(self.index().record(id))
    }

    pub(crate) fn owner_standing(&self, owner: UserId) -> Result<Standing, Stop> {
        self.unchanged(RecordKey::owner(owner))?;
        Ok(self.index().owner_standing(owner)?)
    }

    pub(crate) fn organization_standing(&self, organization: OrgId) -> Result<Standing, Stop> {
        self.unchanged(RecordKey::organization(organization))?;
        Ok(self.index().organization_standing(organization)?)
    }

    /// That no call in this draft changes where the token's owner or organization stands.
    pub(crate) fn standings_unchanged(&self, token: &TokenRecord) -> Result<(), Stop> {
        self.owner_standing(token.owner)?;
        token.kind.organization().map_or(Ok(()), |organization| self.organization_standing(organization).map(|_| ()))
    }

    /// A new secret and its digest: the chosen one, if it may be chosen (design rule 14), or a generated one.
    pub(crate) fn secret(&mut self, chosen: Option<&Secret>) -> Result<(Secret, Credential), Stop> {
        let Shared { keyring, format, index, .. } = &**self.shared;
        let key = keyring.current();
        let secret = match chosen {
            None => format.generate(key)?,
            Some(chosen) => {
                format.check_chosen(chosen)?;
                Secret::new(chosen.expose())
            }
        };
        let bytes = secret.expose().as_bytes();
        let keys = if chosen.is_some() { keyring.candidates().into_iter().flatten().collect() } else { vec![key] };
        for digest in keys.into_iter().filter_map(|key| keyring.digest(key, bytes)) {
            if self.digests.contains(digest.bytes()) {
                return Err(Stop::Wait);
            }
            if index.knows(&digest) {
                return Err(Error::SecretTaken.into());
            }
        }
        let credential = keyring.credential(bytes);
        self.own.digests.push(credential.digest);
        Ok((secret, credential))
    }

    /// The actor, if it is accepted (design rule 2).
    pub(crate) fn acting(&self, actor: &Actor) -> Result<Acting, Stop> {
        Acting::of(actor, self.shared, |id| {
            let found = self.find(id)?.map(|(_, token)| token);
            if let Some(token) = &found {
                self.standings_unchanged(token)?;
            }
            Ok(found)
        })
    }
}

fn permissions(token: &TokenRecord) -> usize {
    token.kind.permissions().len()
}

impl Acting {
    /// The actor, if it is accepted now (design rule 2). `find` reads its token.
    pub(crate) fn of<E: From<Error>>(
        actor: &Actor,
        shared: &Arc<Shared>,
        find: impl FnOnce(TokenId) -> Result<Option<TokenRecord>, E>,
    ) -> Result<Self, E> {
        let principal = match &actor.0 {
            Who::Host(label) => return Ok(Self::Host(Arc::clone(label))),
            Who::Principal(principal) => principal,
        };
        if !Arc::ptr_eq(principal.authority.shared(), shared) {
            return Err(Error::Foreign.into());
        }
        let found = principal.token_id().map(find).transpose()?.flatten();
        // After it was read: what was read then was this token's, and not of one that took its place.
        principal.check().map_err(Error::from)?;
        let token = found.ok_or(Error::NotAccepted(Reason::Unknown))?;
        Ok(Self::Token(Box::new(token)))
    }

    /// Whether it is an Operator, or the host, who may do all that an Operator may.
    pub(crate) fn is_operator(&self) -> bool {
        match self {
            Self::Host(_) => true,
            Self::Token(token) => token.kind.name() == KindName::Operator,
        }
    }

    pub(crate) fn is(&self, id: TokenId) -> bool {
        matches!(self, Self::Token(token) if token.id == id)
    }

    fn granted(&self, action: &Action, resource: &Resource) -> Access {
        match self {
            Self::Host(_) => Access::ANY,
            Self::Token(token) => token.kind.granted(action, resource),
        }
    }

    /// Whether it may see a token of this kind (design rule 12). A token may always look at itself.
    pub(crate) fn sees(&self, id: TokenId, organization: Option<OrgId>) -> bool {
        match organization {
            _ if self.is_operator() || self.is(id) => true,
            Some(organization) => self.has(Action::READ, &authorization(organization, id)).is_ok(),
            None => false,
        }
    }

    /// The tokens of its own organization that it sees, in order, if those are not all.
    pub(crate) fn sees_only(&self) -> Option<Vec<TokenId>> {
        let Self::Token(token) = self else { return None };
        let organization = token.kind.organization()?;
        let reach = token.kind.permissions().reach(Action::READ, Some(organization), ResourceType::AUTHORIZATIONS);
        let granted = match reach {
            Reach::All => return None,
            Reach::Only(ids) => ids,
            Reach::None => Vec::new(),
        };
        let mut ids: Vec<_> = granted.into_iter().filter_map(|id| TokenId::from_u128(id.to_u128())).collect();
        ids.push(token.id);
        ids.sort_unstable();
        ids.dedup();
        Some(ids)
    }

    /// That it may see every token of the kind's organization.
    pub(crate) fn reads_all(&self, kind: &TokenKind) -> Result<(), Error> {
        let Some(organization) = kind.organization() else { return Err(Error::operators_only(kind.name())) };
        self.has(Action::READ, &Resource::authorizations(organization))
    }

    /// That it has everything that the kind has (design rules 10 and 11).
    pub(crate) fn covers(&self, kind: &TokenKind) -> Result<(), Error> {
        match self {
            Self::Token(token) if !token.kind.covers(kind) => {
                Err(Error::exceeds(kind.permissions(), token.kind.permissions()))
            }
            _ if kind.organization().is_none() && !self.is_operator() => Err(Error::operators_only(kind.name())),
            _ => Ok(()),
        }
    }

    /// That it is accepted at least as long (design rule 10).
    pub(crate) fn outlasts(&self, end: Expiry) -> Result<(), Error> {
        let Self::Token(token) = self else { return Ok(()) };
        match token.expires_at {
            Expiry::At(own) if end > token.expires_at => Err(Error::Outlives(own)),
            _ => Ok(()),
        }
    }

    /// That it has write on the `authorizations` of the kind's organization: on the one, or on all of them.
    pub(crate) fn writes(&self, kind: &TokenKind, id: Option<TokenId>) -> Result<(), Error> {
        let Some(organization) = kind.organization() else {
            return if self.is_operator() { Ok(()) } else { Err(Error::operators_only(kind.name())) };
        };
        let resource = match id {
            Some(id) => authorization(organization, id),
            None => Resource::authorizations(organization),
        };
        self.has(Action::WRITE, &resource)
    }

    fn has(&self, action: Action, resource: &Resource) -> Result<(), Error> {
        judge(action, self.granted(&action, resource), resource, None).map_err(Error::Denied)
    }

    /// Who created what this actor creates.
    pub(crate) fn creator(&self) -> Creator {
        match self {
            Self::Host(label) => Creator::Host(Arc::clone(label)),
            Self::Token(token) => Creator::Token(token.creator.lineage().iter().copied().chain([token.id]).collect()),
        }
    }
}

fn authorization(organization: OrgId, id: TokenId) -> Resource {
    Resource::authorizations(organization).with_id(id)
}
