//! An authenticated secret, on which decisions are asked.

use std::fmt;
use std::sync::Arc;

use crate::authority::shared::Shared;
use crate::index::Handle;
use crate::index::catalog::Incomplete;
use crate::model::action::{Action, AsAction};
use crate::model::decision::Denial;
use crate::model::id::{OrgId, TokenId};
use crate::model::permission_set::Reach;
use crate::model::permit::Permit;
use crate::model::reason::Reason;
use crate::model::resource::AsResource;
use crate::model::resource_type::ResourceType;
use crate::model::token::Token;

/// An authenticated secret, on which decisions are asked.
///
/// It reads its token's current state at every call: a token that is revoked, changed, or whose owner is suspended is
/// treated so from then on, on principals already held too (design rule 17). It dies with the secret that authenticated
/// it, and when its authority is closed.
///
/// Cheap to clone. To keep one beyond a borrow of the authority, as in the extensions of a request, see
/// [`into_owned`](Self::into_owned).
#[derive(Clone)]
pub struct Principal<'a> {
    pub(crate) authority: Link<'a>,
    pub(crate) handle: Handle,
}

/// The way back to the authority: mostly borrowed, so that threads need not count references together.
#[derive(Clone)]
pub(crate) enum Link<'a> {
    Borrowed(&'a Arc<Shared>),
    Owned(Arc<Shared>),
}

impl Link<'_> {
    #[inline]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        match self {
            Self::Borrowed(shared) => shared,
            Self::Owned(shared) => shared,
        }
    }
}

impl Principal<'_> {
    /// Decides whether this token may do `action` to `resource` now.
    ///
    /// `Ok` is the proof for the operation that begins then, which takes its resource from it. `action` is a marker, such as
    /// [`Write`](crate::Write), or an [`Action`] known only at run time. `resource` is a [`Resource`](crate::Resource), or a type of the
    /// host's own ([`AsResource`]).
    ///
    /// It touches only memory and takes no lock. It reads the clock only for a token that expires or a secret in its overlap, and once
    /// where the authority's view of the store may be too old ([`Builder::stale_after`](crate::AuthorityBuilder::stale_after)).
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// # let host = Actor::host("example");
    /// # let deploy = authority.create(&host, NewToken::all_access(acme).owner(alice)).wait()?;
    /// # let id = deploy.token.id();
    /// # let caller = authority.authenticate(deploy.secret.expose())?;
    /// let invoices = Resource::within(acme, resource_type!("invoices"));
    /// let permit: Permit<Read> = caller.authorize(Read, invoices)?;
    /// assert_eq!(*permit.resource(), invoices);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The token may not, and why: the text names the smallest missing permission (design rule 8).
    #[inline]
    pub fn authorize<A: AsAction, R: AsResource>(&self, action: A, resource: R) -> Result<Permit<A, R>, Denial> {
        let shared = self.authority.shared();
        let revision =
            shared.index.authorize(self.handle, action.as_action(), &resource.as_resource(), &*shared.clock)?;
        Ok(Permit::new(action, resource, revision))
    }

    /// Decides each of many requests, in their order, as [`authorize`](Self::authorize) does.
    pub fn authorize_each<A: AsAction, R: AsResource>(
        &self,
        requests: impl IntoIterator<Item = (A, R)>,
    ) -> Vec<Result<Permit<A, R>, Denial>> {
        requests.into_iter().map(|(action, resource)| self.authorize(action, resource)).collect()
    }

    /// Returns which resources of a type the token may act on now, in an organization or, with `None`, among those of the instance
    /// itself: what a list may show.
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// # let host = Actor::host("example");
    /// # let deploy = authority.create(&host, NewToken::all_access(acme).owner(alice)).wait()?;
    /// # let id = deploy.token.id();
    /// # let caller = authority.authenticate(deploy.secret.expose())?;
    /// let reach = caller.reach(Action::READ, Some(acme), resource_type!("projects"))?;
    /// assert_eq!(reach, Reach::All);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The token is not accepted, and why.
    pub fn reach(
        &self,
        action: impl Into<Action>,
        organization: Option<OrgId>,
        resource_type: ResourceType,
    ) -> Result<Reach, Reason> {
        Ok(self.token()?.kind().permissions().reach(action, organization, resource_type))
    }

    /// Returns `Ok` where the token is accepted now.
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// # let host = Actor::host("example");
    /// # let deploy = authority.create(&host, NewToken::all_access(acme).owner(alice)).wait()?;
    /// # let id = deploy.token.id();
    /// # let caller = authority.authenticate(deploy.secret.expose())?;
    /// assert_eq!(caller.check(), Ok(()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The token is not accepted, and why.
    #[inline]
    pub fn check(&self) -> Result<(), Reason> {
        let shared = self.authority.shared();
        shared.index.check(self.handle, &*shared.clock)
    }

    /// Returns the token itself (*whoami*). A live token may always look at itself (design rule 11).
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// # let host = Actor::host("example");
    /// # let deploy = authority.create(&host, NewToken::all_access(acme).owner(alice)).wait()?;
    /// # let id = deploy.token.id();
    /// # let caller = authority.authenticate(deploy.secret.expose())?;
    /// assert_eq!(caller.token()?.owner(), alice);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The token is not accepted, and why.
    pub fn token(&self) -> Result<Token, Reason> {
        let token = self.token_id().map(|id| self.authority.shared().index.token(id));
        // After the token was read, not before. So it was this principal's token.
        self.check()?;
        token.transpose().map_err(|Incomplete| Reason::Unavailable)?.flatten().ok_or(Reason::Unknown)
    }

    /// Returns the id of the token that the secret was for, accepted or not: for the host's own log. `None` once no token has the
    /// secret: it was replaced, or its token was deleted.
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// # let host = Actor::host("example");
    /// # let deploy = authority.create(&host, NewToken::all_access(acme).owner(alice)).wait()?;
    /// # let id = deploy.token.id();
    /// # let caller = authority.authenticate(deploy.secret.expose())?;
    /// assert_eq!(caller.token_id(), Some(id));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn token_id(&self) -> Option<TokenId> {
        let shared = self.authority.shared();
        shared.index.id_of_handle(self.handle, &*shared.clock)
    }

    /// Returns the same principal without the borrow, to be kept as in the extensions of a request. It counts a reference to the
    /// authority's memory. It does not keep the authority open.
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// # let host = Actor::host("example");
    /// # let deploy = authority.create(&host, NewToken::all_access(acme).owner(alice)).wait()?;
    /// # let id = deploy.token.id();
    /// # let caller = authority.authenticate(deploy.secret.expose())?;
    /// let kept: Principal<'static> = caller.into_owned();
    /// assert_eq!(kept.token_id(), Some(id));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn into_owned(self) -> Principal<'static> {
        Principal { authority: Link::Owned(Arc::clone(self.authority.shared())), handle: self.handle }
    }
}

/// The token's id, and nothing else.
impl fmt::Debug for Principal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.token_id() {
            Some(id) => write!(f, "Principal({id})"),
            None => f.write_str("Principal(unknown)"),
        }
    }
}
