//! Who manages tokens.

use std::fmt;
use std::sync::Arc;

use crate::authority::event::ActorName;
use crate::authority::principal::Principal;

/// Who makes a management call: an authenticated principal, or the host itself.
///
/// A `&Principal` converts into an actor.
///
/// ```
/// # use portcullis::*;
/// # let authority = Authority::open(MemoryStore::new()).wait()?;
/// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
/// const PROJECTS: ResourceType = resource_type!("projects");
///
/// // The host itself, which no permission limits.
/// let admin = authority.create(Actor::host("sign-up"), NewToken::all_access(acme).owner(alice)).wait()?;
///
/// // A principal, which can give no more than it has.
/// let caller = authority.authenticate(admin.secret.expose())?;
/// authority.create(&caller, NewToken::custom(acme).read(PROJECTS)).wait()?;
/// assert!(authority.create(&caller, NewToken::operator()).wait().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Actor(pub(crate) Who);

#[derive(Clone)]
pub(crate) enum Who {
    Host(Arc<str>),
    Principal(Principal<'static>),
}

impl Actor {
    /// Returns the host itself as an actor, under a label that says what for: `Actor::host("recovery tool")`.
    ///
    /// The host is trusted: its calls need no permission. Every event that it causes has the label, and `grep` finds the calls.
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// # let host = Actor::host("example");
    /// let issued = authority.create(Actor::host("sign-up"), NewToken::all_access(acme).owner(alice)).wait()?;
    /// assert_eq!(issued.token.creator().to_string(), "host: sign-up");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn host(label: impl Into<Arc<str>>) -> Self {
        Self(Who::Host(label.into()))
    }

    /// Its name in events.
    pub(crate) fn name(&self) -> Option<ActorName> {
        match &self.0 {
            Who::Host(label) => Some(ActorName::Host(Arc::clone(label))),
            Who::Principal(principal) => principal.token_id().map(ActorName::Token),
        }
    }
}

impl From<&Principal<'_>> for Actor {
    fn from(principal: &Principal<'_>) -> Self {
        Self(Who::Principal(principal.clone().into_owned()))
    }
}

impl From<&Actor> for Actor {
    fn from(actor: &Actor) -> Self {
        actor.clone()
    }
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Who::Host(label) => write!(f, "Actor::host({label:?})"),
            Who::Principal(principal) => write!(f, "Actor({principal:?})"),
        }
    }
}
