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
/// Each call reads the current state of the token. A change of the token, a revocation, or a suspension of its owner therefore
/// takes effect on principals already held, too ([design rule 17](crate::_rules)). A principal is denied everything once the secret
/// that it was authenticated with is no longer accepted, and once its authority is closed.
///
/// A clone is cheap. To keep a principal longer than the borrow of the authority, for example in the extensions of a request, use
/// [`into_owned`](Self::into_owned).
///
/// ```
/// # use portcullis::*;
/// # let authority = Authority::open(MemoryStore::new()).wait()?;
/// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
/// const PROJECTS: ResourceType = resource_type!("projects");
///
/// let new = NewToken::custom(acme).read(PROJECTS).owner(alice);
/// let issued = authority.create(Actor::host("sign-up"), new).wait()?;
///
/// let caller: Principal<'_> = authority.authenticate(issued.secret.expose())?;
/// let projects = Resource::within(acme, PROJECTS);
/// assert!(caller.authorize(Read, projects).is_ok());
/// assert!(caller.authorize(Write, projects).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// # let caller = authority.authenticate(deploy.secret.expose())?;
    /// let invoices = Resource::within(acme, resource_type!("invoices"));
    /// let permit: Permit<Read> = caller.authorize(Read, invoices)?;
    /// assert_eq!(*permit.resource(), invoices);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Denial`]: the token may not do this. Its text names the smallest missing permission ([design rule 8](crate::_rules)).
    #[inline]
    pub fn authorize<A: AsAction, R: AsResource>(&self, action: A, resource: R) -> Result<Permit<A, R>, Denial> {
        let shared = self.authority.shared();
        let revision =
            shared.index.authorize(self.handle, action.as_action(), &resource.as_resource(), &*shared.clock)?;
        Ok(Permit::new(action, resource, revision))
    }

    /// Decides several requests, each as [`authorize`](Self::authorize) does. Returns the answers in the order of the requests.
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// const PROJECTS: ResourceType = resource_type!("projects");
    ///
    /// # let new = NewToken::custom(acme).read(PROJECTS).owner(alice);
    /// # let issued = authority.create(Actor::host("example"), new).wait()?;
    /// # let caller = authority.authenticate(issued.secret.expose())?;
    /// let projects = Resource::within(acme, PROJECTS);
    /// let answers = caller.authorize_each([(Action::READ, projects), (Action::WRITE, projects)]);
    /// assert!(answers[0].is_ok());
    /// assert!(answers[1].is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    /// # let caller = authority.authenticate(deploy.secret.expose())?;
    /// let reach = caller.reach(Action::READ, Some(acme), resource_type!("projects"))?;
    /// assert_eq!(reach, Reach::All);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Reason`]: why the token is not accepted.
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
    /// # let caller = authority.authenticate(deploy.secret.expose())?;
    /// assert_eq!(caller.check(), Ok(()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Reason`]: why the token is not accepted.
    #[inline]
    pub fn check(&self) -> Result<(), Reason> {
        let shared = self.authority.shared();
        shared.index.check(self.handle, &*shared.clock)
    }

    /// Returns the token itself (*whoami*). A live token may always look at itself ([design rule 11](crate::_rules)).
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// # let host = Actor::host("example");
    /// # let deploy = authority.create(&host, NewToken::all_access(acme).owner(alice)).wait()?;
    /// # let caller = authority.authenticate(deploy.secret.expose())?;
    /// assert_eq!(caller.token()?.owner(), alice);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Reason`]: why the token is not accepted.
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
