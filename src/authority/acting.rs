//! The actor of a call, with the token that it has now, and what it may do.

use std::sync::Arc;

use crate::authority::actor::{Actor, Who};
use crate::authority::error::Error;
use crate::authority::shared::Shared;
use crate::model::action::{Access, Action};
use crate::model::decision::judge;
use crate::model::expiry::Expiry;
use crate::model::id::{OrgId, TokenId};
use crate::model::kind::{KindName, TokenKind};
use crate::model::permission_set::Reach;
use crate::model::reason::Reason;
use crate::model::resource::Resource;
use crate::model::resource_type::ResourceType;
use crate::model::token::Creator;
use crate::store::record::TokenRecord;

/// The actor of a call, with its token as it is now.
pub(crate) enum Acting {
    Host(Arc<str>),
    Token(Box<TokenRecord>),
}

impl Acting {
    /// Returns the actor, if it is accepted now (design rule 2). `find` reads its token.
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
        // After the token was read, not before. So it was this principal's token, and not another that took its slot.
        principal.check().map_err(Error::from)?;
        let token = found.ok_or(Error::NotAccepted(Reason::Unknown))?;
        Ok(Self::Token(Box::new(token)))
    }

    /// Reports whether it is an Operator or the host. The host may do all that an Operator may.
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

    /// Reports whether it may see this token of this organization (design rule 12). A token may always look at itself.
    pub(crate) fn sees(&self, id: TokenId, organization: Option<OrgId>) -> bool {
        match organization {
            _ if self.is_operator() || self.is(id) => true,
            Some(organization) => self.has(Action::READ, &authorization(organization, id)).is_ok(),
            None => false,
        }
    }

    /// Returns the tokens of its own organization that it may see, in order; `None` if it may see all of them.
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

    /// Checks that it may see every token of the kind's organization.
    pub(crate) fn reads_all(&self, kind: &TokenKind) -> Result<(), Error> {
        let Some(organization) = kind.organization() else { return Err(Error::operators_only(kind.name())) };
        self.has(Action::READ, &Resource::authorizations(organization))
    }

    /// Checks that it has everything that the kind has (design rules 10 and 11).
    pub(crate) fn covers(&self, kind: &TokenKind) -> Result<(), Error> {
        match self {
            Self::Token(token) if !token.kind.covers(kind) => {
                Err(Error::exceeds(kind.permissions(), token.kind.permissions()))
            }
            _ if kind.organization().is_none() && !self.is_operator() => Err(Error::operators_only(kind.name())),
            _ => Ok(()),
        }
    }

    /// Checks that it is accepted until `end` or longer (design rule 10).
    pub(crate) fn outlasts(&self, end: Expiry) -> Result<(), Error> {
        let Self::Token(token) = self else { return Ok(()) };
        match token.expires_at {
            Expiry::At(own) if end > token.expires_at => Err(Error::Outlives(own)),
            _ => Ok(()),
        }
    }

    /// Checks that it has write on `authorizations` of the kind's organization: on the one with that id, or on all.
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

    /// Returns what is stored as the creator of a token that this actor creates.
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
