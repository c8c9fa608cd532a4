//! Lists of tokens, page by page.

use crate::index::Index;
use crate::index::catalog::Incomplete;
use crate::index::slot::{Facts, Slot};
use crate::model::id::{OrgId, TokenId, UserId};
use crate::model::kind::KindName;
use crate::model::status::Status;
use crate::model::time::Timestamp;
use crate::model::token::{Creator, Token};
use crate::sync::atomic::Ordering::Relaxed;

/// Which tokens to list: those that fit everything that is set. The default is all.
///
/// ```
/// use portcullis::{Filter, KindName, OrgId};
///
/// let admins = Filter::new().organization(OrgId::generate()?).kind(KindName::AllAccess);
/// # Ok::<(), portcullis::RandomError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// Of this organization.
    pub organization: Option<OrgId>,
    /// Of this owner.
    pub owner: Option<UserId>,
    /// Created by this token, directly.
    pub creator: Option<TokenId>,
    /// Of this kind.
    pub kind: Option<KindName>,
    /// With this status of their own.
    pub status: Option<Status>,
    /// That expire at or before this time.
    pub expires_by: Option<Timestamp>,
}

impl Filter {
    /// Returns the filter that lets every token through.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the tokens of this organization.
    #[must_use]
    pub const fn organization(mut self, organization: OrgId) -> Self {
        self.organization = Some(organization);
        self
    }

    /// Keeps the tokens of this owner.
    #[must_use]
    pub const fn owner(mut self, owner: UserId) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Keeps the tokens that this token created, directly.
    #[must_use]
    pub const fn creator(mut self, creator: TokenId) -> Self {
        self.creator = Some(creator);
        self
    }

    /// Keeps the tokens of this kind.
    #[must_use]
    pub const fn kind(mut self, kind: KindName) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Keeps the tokens with this status.
    #[must_use]
    pub const fn status(mut self, status: Status) -> Self {
        self.status = Some(status);
        self
    }

    /// Keeps the tokens that expire at or before this time.
    #[must_use]
    pub const fn expires_by(mut self, time: Timestamp) -> Self {
        self.expires_by = Some(time);
        self
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The tokens, by id: those with ids of ours in the order of their creation, to the
    /// millisecond.
    pub tokens: Vec<Token>,
    /// Where to go on: hand it to the next call. `None` on the last page.
    ///
    /// A page can be short, or empty, and still not be the last: when a filter fits few tokens, a call looks at some
    /// thousands and returns.
    pub next: Option<TokenId>,
}

/// How many visible tokens one call looks at, at most: a filter that fits few must not keep the catalog locked.
const EXAMINED: usize = 10_000;

impl Index {
    /// Returns a page of the tokens after that id, in the order of ids: those that fit the filter, and that `visible` lets
    /// through by id and organization. `only` names these in order where they are known to be few: then no other token is
    /// looked at.
    pub(crate) fn list(
        &self,
        filter: &Filter,
        only: Option<Vec<TokenId>>,
        after: Option<TokenId>,
        limit: usize,
        visible: impl Fn(TokenId, Option<OrgId>) -> bool,
    ) -> Result<Page, Incomplete> {
        let catalog = self.complete_catalog()?;
        let mut page = Page { tokens: Vec::new(), next: None };
        let order = match filter.organization {
            None => Some(&catalog.by_id),
            Some(organization) => {
                catalog.organizations.find(&organization).and_then(|number| catalog.by_organization.get(&number))
            }
        };
        let owner = filter.owner.map(|owner| catalog.owners.find(&owner));
        let fits = |slot: &Slot, facts: &Facts| {
            let creator = || catalog.creators.value(slot.creator.load(Relaxed)).and_then(Creator::token);
            filter.kind.is_none_or(|kind| facts.state.kind() == Some(kind))
                && filter.status.is_none_or(|status| facts.state.status() == status)
                && owner.is_none_or(|owner| owner == Some(facts.owner))
                && filter.expires_by.is_none_or(|by| facts.expires_at().has_passed(|| by))
                && filter.creator.is_none_or(|token| creator() == Some(token))
        };
        let shown = |slot: &Slot, facts: &Facts| {
            let organization = catalog.organizations.value(facts.organization).copied();
            TokenId::from_u128(slot.id()).filter(|id| visible(*id, organization))
        };
        let slots: Box<dyn Iterator<Item = u32>> = if let Some(ids) = only {
            let rest = ids.into_iter().filter(|id| after.is_none_or(|after| *id > after));
            Box::new(rest.filter_map(|id| self.find(&catalog, id)))
        } else {
            let after = after.map(TokenId::to_u128);
            Box::new(order.into_iter().flat_map(move |order| order.after(after, |slot| self.id_in(slot))))
        };
        let (mut last, mut examined) = (None, 0);
        for number in slots {
            let Some(slot) = self.slots.get(number) else { continue };
            let facts = slot.facts(|facts| *facts);
            // What is not shown does not count: a page that ended because of it would reveal it.
            let Some(id) = shown(slot, &facts) else { continue };
            if page.tokens.len() >= limit.max(1) || examined >= EXAMINED {
                page.next = last;
                break;
            }
            (last, examined) = (Some(id), examined + 1);
            if fits(slot, &facts) {
                page.tokens.extend(self.token_in(&catalog, number));
            }
        }
        Ok(page)
    }
}
