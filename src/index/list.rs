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

/// Which tokens [`Authority::list`](crate::Authority::list) returns: those that match every field that is set. By default no
/// field is set, and every token matches.
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
    /// Only tokens of this organization.
    pub organization: Option<OrgId>,
    /// Only tokens of this owner.
    pub owner: Option<UserId>,
    /// Only tokens that this token created itself.
    pub creator: Option<TokenId>,
    /// Only tokens of this kind.
    pub kind: Option<KindName>,
    /// Only tokens with this status. It is the status of the token itself, not that of its owner or organization.
    pub status: Option<Status>,
    /// Only tokens that expire at this time or before.
    pub expires_by: Option<Timestamp>,
}

impl Filter {
    /// Returns a filter that every token matches.
    ///
    /// ```
    /// use portcullis::Filter;
    ///
    /// assert_eq!(Filter::new(), Filter::default());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the tokens of this organization.
    ///
    /// ```
    /// use portcullis::{Filter, OrgId};
    ///
    /// let id = OrgId::generate()?;
    /// assert_eq!(Filter::new().organization(id).organization, Some(id));
    /// # Ok::<(), portcullis::RandomError>(())
    /// ```
    #[must_use]
    pub const fn organization(mut self, organization: OrgId) -> Self {
        self.organization = Some(organization);
        self
    }

    /// Keeps the tokens of this owner.
    ///
    /// ```
    /// use portcullis::{Filter, UserId};
    ///
    /// let id = UserId::generate()?;
    /// assert_eq!(Filter::new().owner(id).owner, Some(id));
    /// # Ok::<(), portcullis::RandomError>(())
    /// ```
    #[must_use]
    pub const fn owner(mut self, owner: UserId) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Keeps the tokens that this token created itself.
    ///
    /// ```
    /// use portcullis::{Filter, TokenId};
    ///
    /// let id = TokenId::generate()?;
    /// assert_eq!(Filter::new().creator(id).creator, Some(id));
    /// # Ok::<(), portcullis::RandomError>(())
    /// ```
    #[must_use]
    pub const fn creator(mut self, creator: TokenId) -> Self {
        self.creator = Some(creator);
        self
    }

    /// Keeps the tokens of this kind.
    ///
    /// ```
    /// use portcullis::{Filter, KindName};
    ///
    /// let filter = Filter::new().kind(KindName::Custom);
    /// assert_eq!(filter.kind, Some(KindName::Custom));
    /// ```
    #[must_use]
    pub const fn kind(mut self, kind: KindName) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Keeps the tokens with this status.
    ///
    /// ```
    /// use portcullis::{Filter, Status};
    ///
    /// let filter = Filter::new().status(Status::Active);
    /// assert_eq!(filter.status, Some(Status::Active));
    /// ```
    #[must_use]
    pub const fn status(mut self, status: Status) -> Self {
        self.status = Some(status);
        self
    }

    /// Keeps the tokens that expire at this time or before.
    ///
    /// ```
    /// use portcullis::{Filter, Timestamp};
    ///
    /// let filter = Filter::new().expires_by(Timestamp::EPOCH);
    /// assert_eq!(filter.expires_by, Some(Timestamp::EPOCH));
    /// ```
    #[must_use]
    pub const fn expires_by(mut self, time: Timestamp) -> Self {
        self.expires_by = Some(time);
        self
    }
}

/// One page of a list: the answer of [`Authority::list`](crate::Authority::list).
///
/// ```
/// # use portcullis::*;
/// # let authority = Authority::open(MemoryStore::new()).wait()?;
/// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
/// const PROJECTS: ResourceType = resource_type!("projects");
///
/// let host = Actor::host("support");
/// let issued = authority.create(&host, NewToken::custom(acme).read(PROJECTS).owner(alice)).wait()?;
///
/// let page = authority.list(&host, &Filter::new().owner(alice), None, 100)?;
/// assert_eq!(page.tokens, [issued.token]);
/// assert_eq!(page.next, None); // the last page
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The tokens, in the order of their ids. Ids that this library generated are in the order of their creation, to the
    /// millisecond.
    pub tokens: Vec<Token>,
    /// Where the next page starts: pass it to the next call as `after`. `None` on the last page.
    ///
    /// A page that is short, or empty, need not be the last: where few tokens match the filter, one call looks at 10,000 tokens at
    /// most.
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
