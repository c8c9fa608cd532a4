//! The one stateful type: it issues tokens, decides, and keeps a store and the memory in step.

mod acting;
pub(crate) mod actor;
mod builder;
mod call;
mod draft;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod health;
#[cfg(all(test, shuttle))]
mod interleavings;
mod manager;
pub(crate) mod new_token;
pub(crate) mod open_error;
mod operations;
pub(crate) mod pending;
pub(crate) mod principal;
pub(crate) mod request;
mod shared;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError};

pub use builder::AuthorityBuilder;

use crate::authority::acting::Acting;
use crate::authority::actor::Actor;
use crate::authority::call::{Operation, call};
use crate::authority::error::{AuthenticateError, AuthorizeError, Error};
use crate::authority::health::Health;
use crate::authority::manager::Message;
use crate::authority::new_token::{NewKind, NewToken};
use crate::authority::open_error::OpenError;
use crate::authority::operations::{
    Create, Delete, Purge, Revoke, RevokeAll, Rotate, SetOrganization, SetOwner, Setup, UpdateToken,
};
use crate::authority::pending::{Pending, pending};
use crate::authority::principal::{Link, Principal};
use crate::authority::request::{Issued, Receipt, Rotation, Update, Updated};
use crate::authority::shared::Shared;
use crate::index::list::{Filter, Page};
use crate::model::action::{Action, AsAction};
use crate::model::decision::{Decision, Denial, decide};
use crate::model::id::{OrgId, TokenId, UserId};
use crate::model::kind::{KindName, TokenKind};
use crate::model::permit::Permit;
use crate::model::resource::{AsResource, Resource};
use crate::model::status::Standing;
use crate::model::time::Timestamp;
use crate::model::token::Token;
use crate::store::{Position, TokenStore};
use crate::sync::Mutex;
use crate::sync::mpsc::Sender;
use crate::sync::thread::{self, JoinHandle};

/// Issues tokens and decides what they may do.
///
/// The *check plane*, [`authenticate`](Self::authenticate) and [`Principal::authorize`], or both in one call,
/// [`authorize`](Self::authorize), is synchronous and touches only memory. The *management plane* goes through one thread of
/// the authority's own, which plans the waiting calls, commits them together, and makes them visible before it answers;
/// its calls return [`Pending`], for async and plain callers alike. Besides what each says, they can fail as a store and a
/// thread can: [`Error::Store`], [`Error::InDoubt`], [`Error::Busy`], [`Error::Closed`]. Reading tokens ([`get`](Self::get),
/// [`list`](Self::list)) is synchronous too, and refused while the authority denies everything: [`Error::Unavailable`],
/// [`Error::Stale`].
///
/// Several authorities can share a store, where the store allows it. A change takes effect at once on the authority that
/// made it; on the others within about the [`AuthorityBuilder::follow`] interval as long as the store answers, and within
/// [`AuthorityBuilder::stale_after`] whatever happens, since an authority that could not read the store for so long denies
/// everything ([design rule 17](crate::_rules)). The [`Receipt`] of a change says when that is.
///
/// Dropping an authority waits until the calls under way are done and the store is closed; [`close`](Self::close) does
/// not block. Principals still held are then denied everything.
pub struct Authority {
    shared: Arc<Shared>,
    /// `None` only while being dropped.
    queue: Option<Arc<Sender<Message>>>,
    /// Empty when the thread need not be waited for.
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Authority {
    /// Opens a store with the [default settings](AuthorityBuilder#defaults), and reads all of it.
    ///
    /// ```
    /// use portcullis::{Authority, MemoryStore};
    ///
    /// let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # Ok::<(), portcullis::OpenError>(())
    /// ```
    ///
    /// # Errors
    /// - [`OpenError::Store`]: the store cannot be read.
    /// - [`OpenError::NewerFormat`]: a newer version of this library wrote it.
    /// - [`OpenError::Thread`]: the management thread could not be started.
    /// - [`OpenError::Ended`]: the management thread panicked.
    pub fn open(store: impl TokenStore + 'static) -> Pending<Self, OpenError> {
        Self::builder().open(store)
    }

    /// Returns the settings of a new authority, to be changed before it is opened.
    ///
    /// ```
    /// use portcullis::{Authority, MemoryStore};
    ///
    /// let authority = Authority::builder().secret_prefix("acme")?.open(MemoryStore::new()).wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder() -> AuthorityBuilder {
        AuthorityBuilder::default()
    }

    /// Returns the principal that this secret is for.
    ///
    /// The secret can be any text or bytes. What cannot be a secret is refused before anything is hashed. Digests are compared in
    /// constant time.
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// # let host = Actor::host("example");
    /// # let deploy = authority.create(&host, NewToken::all_access(acme).owner(alice)).wait()?;
    /// # let id = deploy.token.id();
    /// let caller = authority.authenticate(deploy.secret.expose())?;
    /// assert_eq!(caller.token_id(), Some(deploy.token.id()));
    ///
    /// let refused = authority.authenticate("no secret of ours").unwrap_err();
    /// assert_eq!(refused.to_string(), "the token is not accepted"); // what a client may be told
    /// assert_eq!(refused.reason(), Reason::Unknown); // for the host's own log
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`AuthenticateError`]: the secret is not accepted. [`AuthenticateError::reason`] says why. The text does not, because clients
    ///   see it.
    #[inline]
    pub fn authenticate(&self, secret: impl AsRef<[u8]>) -> Result<Principal<'_>, AuthenticateError> {
        let handle = self.shared.authenticate(secret.as_ref())?;
        Ok(Principal { authority: Link::Borrowed(&self.shared), handle })
    }

    /// Decides whether the token with this secret may do `action` to `resource` now.
    ///
    /// The same answer as [`authenticate`](Self::authenticate) and [`Principal::authorize`] give one after the other, for
    /// hosts that ask one thing of each secret: it looks at the token once, and where the token expires it reads the clock
    /// once instead of twice.
    ///
    /// ```
    /// # use portcullis::{Actor, MemoryStore, NewToken, OrgId, ResourceId, UserId};
    /// use portcullis::{Authority, AuthorizeError, Permit, Read, Resource, Write};
    ///
    /// # let (bob, org, bucket) = (UserId::generate()?, OrgId::generate()?, ResourceId::generate()?);
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let sensor = NewToken::read_write(org).write(bucket).owner(bob);
    /// # let secret = authority.create(Actor::host("example"), sensor).wait()?.secret;
    /// # let secret = secret.expose();
    /// let permit: Permit<Write> = authority.authorize(secret, Write, Resource::bucket(org, bucket))?;
    /// # assert_eq!(*permit.resource(), Resource::bucket(org, bucket));
    ///
    /// match authority.authorize(secret, Read, Resource::bucket(org, bucket)) {
    ///     Ok(permit) => drop(permit),
    ///     Err(error) if error.is_temporary() => println!("503: {error}"),
    ///     Err(AuthorizeError::Unauthenticated(error)) => println!("401: {error}"),
    ///     Err(AuthorizeError::Denied(denial)) => println!("403: {denial}"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`AuthorizeError::Unauthenticated`]: the secret is not accepted.
    /// - [`AuthorizeError::Denied`]: the token may not do this. The denial says what is missing.
    #[inline]
    pub fn authorize<A: AsAction, R: AsResource>(
        &self,
        secret: impl AsRef<[u8]>,
        action: A,
        resource: R,
    ) -> Result<Permit<A, R>, AuthorizeError> {
        let revision = self.shared.authorize(secret.as_ref(), action.as_action(), &resource.as_resource())?;
        Ok(Permit::new(action, resource, revision))
    }

    /// Creates the first Operator token, once, on a store that never held one ([design rule 9](crate::_rules)).
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// let root = authority.setup(alice).wait()?;
    /// println!("{}", root.secret.expose()); // shown here and never again
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::AlreadySetUp`]: setup was done before, here or elsewhere on the same store.
    /// - [`Error::OwnerDeleted`]: the owner was deleted.
    pub fn setup(&self, owner: UserId) -> Pending<Issued> {
        self.call(Setup::new(owner))
    }

    /// Creates a token, no more powerful than the actor's ([design rule 10](crate::_rules)).
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// # let host = Actor::host("example");
    /// const PROJECTS: ResourceType = resource_type!("projects");
    ///
    /// let new = NewToken::custom(acme).read(PROJECTS).allow(verb!("execute"), PROJECTS).owner(alice);
    /// let issued = authority.create(&host, new).wait()?;
    /// println!("{}", issued.secret.expose()); // shown here and never again
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::Denied`], [`Error::OperatorsOnly`], [`Error::Exceeds`], [`Error::Outlives`], [`Error::NotAccepted`]: the actor
    ///   may not.
    /// - [`Error::Kind`], [`Error::NoOwner`], [`Error::Past`], [`Error::LongDescription`], [`Error::ControlCharacter`],
    ///   [`Error::Secret`], [`Error::SecretTaken`], [`Error::LongLineage`]: the token cannot be.
    /// - [`Error::OwnerDeleted`], [`Error::OrganizationDeleted`]: it would belong to what was deleted.
    pub fn create(&self, actor: impl Into<Actor>, new: NewToken<impl NewKind>) -> Pending<Issued> {
        let (kind, details) = new.build();
        self.call(Create { actor: actor.into(), kind, details })
    }

    /// Changes a token's description, status, expiry or kind ([design rule 13](crate::_rules)). An actor that may change a token is shown it.
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// # let host = Actor::host("example");
    /// # let deploy = authority.create(&host, NewToken::all_access(acme).owner(alice)).wait()?;
    /// # let id = deploy.token.id();
    /// let update = Update::new().deactivate().if_revision(deploy.token.revision());
    /// let updated = authority.update(&host, id, update).wait()?;
    /// assert_eq!(updated.token.status(), Status::Inactive);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::NotFound`]: there is no such token, or none for this actor.
    /// - [`Error::Denied`], [`Error::OperatorsOnly`], [`Error::Exceeds`], [`Error::Outlives`], [`Error::NotAccepted`]: the actor
    ///   may not.
    /// - [`Error::Revoked`]: the token is revoked, which is final.
    /// - [`Error::RevisionMismatch`]: the token changed since the caller read it.
    /// - [`Error::Moves`], [`Error::Past`], [`Error::LongDescription`], [`Error::ControlCharacter`]: the token cannot become that.
    pub fn update(&self, actor: impl Into<Actor>, id: TokenId, update: Update) -> Pending<Updated> {
        self.call(UpdateToken { actor: actor.into(), id, update })
    }

    /// Gives a token a new secret ([design rule 15](crate::_rules)). Everything else stays.
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// # let host = Actor::host("example");
    /// # let deploy = authority.create(&host, NewToken::all_access(acme).owner(alice)).wait()?;
    /// # let id = deploy.token.id();
    /// use std::time::Duration;
    ///
    /// let day = Duration::from_secs(24 * 3600);
    /// let replaced = authority.rotate(&host, id, Rotation::new().overlap(day)).wait()?;
    /// println!("{}", replaced.secret.expose()); // the old one is accepted for a day more
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::NotFound`]: there is no such token, or none for this actor.
    /// - [`Error::Denied`], [`Error::OperatorsOnly`], [`Error::Exceeds`], [`Error::Outlives`], [`Error::RotatesItself`],
    ///   [`Error::NotAccepted`]: the actor may not.
    /// - [`Error::Revoked`]: the token is revoked, which is final.
    /// - [`Error::Secret`], [`Error::SecretTaken`]: the chosen secret is refused.
    pub fn rotate(&self, actor: impl Into<Actor>, id: TokenId, rotation: Rotation) -> Pending<Issued> {
        self.call(Rotate { actor: actor.into(), id, rotation })
    }

    /// Revokes a token, which is final ([design rules 11 and 17](crate::_rules)). The token stays listable. Tokens that were created under it stay as
    /// they are; see [`revoke_all`](Self::revoke_all).
    ///
    /// When this has returned, no decision that begins on this authority allows it anything, on principals already held too.
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// # let host = Actor::host("example");
    /// # let deploy = authority.create(&host, NewToken::all_access(acme).owner(alice)).wait()?;
    /// # let id = deploy.token.id();
    /// # let caller = authority.authenticate(deploy.secret.expose())?;
    /// let receipt = authority.revoke(&host, id).wait()?;
    /// assert_eq!(caller.check(), Err(Reason::Revoked));
    /// assert_eq!(receipt.everywhere, Everywhere::Now); // no other authority has this store
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::NotFound`]: there is no such token, or none for this actor.
    /// - [`Error::Denied`], [`Error::OperatorsOnly`], [`Error::Exceeds`], [`Error::NotAccepted`]: the actor may not.
    pub fn revoke(&self, actor: impl Into<Actor>, id: TokenId) -> Pending<Receipt> {
        self.call(Revoke { actor: actor.into(), id })
    }

    /// Revokes a token and everything created under it, directly or not ([design rule 10](crate::_rules)). The actor covers all of them
    /// ([rule 11](crate::_rules)). What was created under a token that was deleted is for Operators and the host to revoke.
    ///
    /// The first commit revokes the token itself and up to 998 more, fewer where they are large. Later commits revoke the rest. A
    /// token that is not revoked yet cannot create another one meanwhile. If the call is interrupted, repeat it.
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// # let host = Actor::host("example");
    /// # let admin = authority.create(&host, NewToken::all_access(acme).owner(alice)).wait()?;
    /// const PROJECTS: ResourceType = resource_type!("projects");
    ///
    /// let caller = authority.authenticate(admin.secret.expose())?;
    /// let child = authority.create(&caller, NewToken::custom(acme).read(PROJECTS)).wait()?;
    ///
    /// let receipt = authority.revoke_all(&host, admin.token.id()).wait()?;
    /// assert_eq!(receipt.changed, 2);
    /// assert!(authority.authenticate(child.secret.expose()).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::NotFound`]: there is no such token, or none for this actor.
    /// - [`Error::Denied`], [`Error::OperatorsOnly`], [`Error::Exceeds`], [`Error::NotAccepted`]: the actor may not.
    /// - [`Error::Unfinished`]: the call stopped after some of its commits. Repeat it.
    pub fn revoke_all(&self, actor: impl Into<Actor>, id: TokenId) -> Pending<Receipt> {
        self.call(RevokeAll { actor: actor.into(), id })
    }

    /// Deletes a token. What is left is a tombstone, which keeps its secret from being chosen again ([design rules 11 and 14](crate::_rules)).
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// # let host = Actor::host("example");
    /// # let deploy = authority.create(&host, NewToken::all_access(acme).owner(alice)).wait()?;
    /// # let id = deploy.token.id();
    /// authority.delete(&host, id).wait()?;
    /// assert!(authority.get(&host, id).unwrap_err().is_not_found());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::NotFound`]: there is no such token, or none for this actor.
    /// - [`Error::Denied`], [`Error::OperatorsOnly`], [`Error::Exceeds`], [`Error::NotAccepted`]: the actor may not.
    pub fn delete(&self, actor: impl Into<Actor>, id: TokenId) -> Pending<Receipt> {
        self.call(Delete { actor: actor.into(), id })
    }

    /// Suspends, restores or deletes an owner, and with it all its tokens ([design rule 16](crate::_rules)). It is one record, however many tokens
    /// the owner has. Deleting is final.
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// # let host = Actor::host("example");
    /// # let deploy = authority.create(&host, NewToken::all_access(acme).owner(alice)).wait()?;
    /// # let caller = authority.authenticate(deploy.secret.expose())?;
    /// authority.set_owner_standing(&host, alice, Standing::Suspended).wait()?;
    /// assert_eq!(caller.check(), Err(Reason::OwnerSuspended));
    /// authority.set_owner_standing(&host, alice, Standing::Active).wait()?;
    /// assert_eq!(caller.check(), Ok(()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::OperatorsOnly`]: the actor is neither an Operator nor the host.
    /// - [`Error::OwnerDeleted`]: the owner was deleted.
    pub fn set_owner_standing(&self, actor: impl Into<Actor>, owner: UserId, standing: Standing) -> Pending<Receipt> {
        self.call(SetOwner { actor: actor.into(), owner, standing })
    }

    /// Suspends, restores or deletes an organization, and with it all its tokens ([design rule 16](crate::_rules)). It is one record, however many
    /// tokens the organization has. Deleting is final.
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// # let host = Actor::host("example");
    /// # let deploy = authority.create(&host, NewToken::all_access(acme).owner(alice)).wait()?;
    /// # let caller = authority.authenticate(deploy.secret.expose())?;
    /// authority.set_organization_standing(&host, acme, Standing::Suspended).wait()?;
    /// assert_eq!(caller.check(), Err(Reason::OrganizationSuspended));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::OperatorsOnly`]: the actor is neither an Operator nor the host.
    /// - [`Error::OrganizationDeleted`]: the organization was deleted.
    pub fn set_organization_standing(
        &self,
        actor: impl Into<Actor>,
        organization: OrgId,
        standing: Standing,
    ) -> Pending<Receipt> {
        self.call(SetOrganization { actor: actor.into(), organization, standing })
    }

    /// Deletes the tokens that expired by a time, and forgets the tombstones of the tokens that were deleted by then. Their secrets
    /// can be chosen again.
    ///
    /// Choose a time further back than the longest time for which another authority of the store may lose contact with it. An
    /// authority that missed a forgotten deletion has to read the whole store again, and denies everything meanwhile.
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// # let host = Actor::host("example");
    /// # let id = authority.create(&host, NewToken::all_access(acme).owner(alice)).wait()?.token.id();
    /// authority.delete(&host, id).wait()?;
    /// authority.purge(&host, authority.now()).wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::OperatorsOnly`]: the actor is neither an Operator nor the host.
    /// - [`Error::NotAccepted`], [`Error::Foreign`]: the actor is not accepted here.
    /// - [`Error::Unfinished`]: the call stopped after some of its commits. Repeat it.
    pub fn purge(&self, actor: impl Into<Actor>, by: Timestamp) -> Pending<Receipt> {
        self.call(Purge { actor: actor.into(), by })
    }

    /// Returns one token, if the actor may see it ([design rule 12](crate::_rules)).
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// # let host = Actor::host("example");
    /// # let deploy = authority.create(&host, NewToken::all_access(acme).owner(alice)).wait()?;
    /// # let id = deploy.token.id();
    /// assert_eq!(authority.get(&host, id)?.owner(), alice);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::NotFound`]: there is no such token, or the actor may not see it.
    /// - [`Error::NotAccepted`], [`Error::Foreign`]: the actor is not accepted here.
    /// - [`Error::Unavailable`], [`Error::Stale`]: the store cannot be read now.
    pub fn get(&self, actor: impl Into<Actor>, id: TokenId) -> Result<Token, Error> {
        let sees = self.sight(&actor.into())?;
        let token = self.shared.index.token(id)?.ok_or(Error::NotFound(id))?;
        if sees.sees(id, token.organization()) { Ok(token) } else { Err(Error::NotFound(id)) }
    }

    /// Checks that the actor may change the tokens of an organization or, with `None`, those of no organization. With an id, checks
    /// it for that token only. Every change checks this again, and more ([design rules 10 and 11](crate::_rules)).
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// assert!(authority.may_manage(Actor::host("support"), Some(acme), None).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::Denied`], [`Error::OperatorsOnly`]: the actor may not.
    /// - [`Error::NotAccepted`], [`Error::Foreign`]: the actor is not accepted here.
    /// - [`Error::Unavailable`], [`Error::Stale`]: the store cannot be read now.
    pub fn may_manage(
        &self,
        actor: impl Into<Actor>,
        organization: Option<OrgId>,
        id: Option<TokenId>,
    ) -> Result<(), Error> {
        let any = TokenKind::restored(KindName::Custom, organization, Arc::default());
        self.sight(&actor.into())?.writes(&any, id)
    }

    /// Returns what [`Principal::authorize`] would answer this token now. It needs no secret and gives no permit. The actor
    /// must be allowed to see the token ([design rule 12](crate::_rules)).
    ///
    /// ```
    /// # use portcullis::{Actor, Authority, MemoryStore, NewToken, OrgId, ResourceId, UserId};
    /// use portcullis::{Action, Resource};
    ///
    /// # let (bob, org, bucket) = (UserId::generate()?, OrgId::generate()?, ResourceId::generate()?);
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let support = Actor::host("support");
    /// # let sensor = authority.create(&support, NewToken::read_write(org).write(bucket).owner(bob)).wait()?.token;
    /// let bucket = Resource::bucket(org, bucket);
    /// assert!(authority.explain(&support, sensor.id(), Action::WRITE, &bucket)?.is_allowed());
    ///
    /// let decision = authority.explain(&support, sensor.id(), Action::READ, &bucket)?;
    /// println!("{decision}"); // missing permission `read:orgs/…/buckets/…`
    /// # assert!(decision.to_string().starts_with("missing permission `read:orgs/"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::NotFound`]: there is no such token, or none that the actor may see.
    /// - [`Error::NotAccepted`], [`Error::Foreign`]: the actor may not ask anything.
    /// - [`Error::Stale`], [`Error::Unavailable`]: the authority denies everything for now.
    pub fn explain(
        &self,
        actor: impl Into<Actor>,
        id: TokenId,
        action: impl Into<Action>,
        resource: &Resource,
    ) -> Result<Decision, Error> {
        let revision = self.position().revision;
        let token = self.get(actor, id)?;
        Ok(match decide(&token.kind, &token.liveness, action, resource, self.now()) {
            Ok(()) => Decision::Allowed { revision },
            Err(denial) => Decision::Denied(Denial { revision: Some(revision), ..denial }),
        })
    }

    /// Returns the time on the authority's clock.
    ///
    /// ```
    /// use portcullis::{Authority, MemoryStore, Timestamp};
    ///
    /// let authority = Authority::open(MemoryStore::new()).wait()?;
    /// assert!(authority.now() > Timestamp::EPOCH);
    /// # Ok::<(), portcullis::OpenError>(())
    /// ```
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Returns a page of the tokens that the actor may see ([design rule 12](crate::_rules)), in the order of their ids.
    ///
    /// A page has at most `limit` tokens; 0 is taken for 1. It begins after the id `after`: hand in [`Page::next`] of the page before.
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// # let host = Actor::host("example");
    /// # let deploy = authority.create(&host, NewToken::all_access(acme).owner(alice)).wait()?;
    /// # let id = deploy.token.id();
    /// let mut after = None;
    /// loop {
    ///     let page = authority.list(&host, &Filter::default(), after, 100)?;
    ///     page.tokens.iter().for_each(|token| println!("{} {}", token.id(), token.kind().name()));
    ///     after = page.next;
    ///     if after.is_none() {
    ///         break;
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::NotAccepted`], [`Error::Foreign`]: the actor is not accepted here.
    /// - [`Error::Unavailable`], [`Error::Stale`]: the store cannot be read now.
    pub fn list(
        &self,
        actor: impl Into<Actor>,
        filter: &Filter,
        after: Option<TokenId>,
        limit: usize,
    ) -> Result<Page, Error> {
        let acting = self.sight(&actor.into())?;
        let mut filter = *filter;
        let own = if let Acting::Token(token) = &acting { token.kind.organization() } else { None };
        if let Some(own) = own {
            // It sees no other organization's tokens: such a list is empty.
            if filter.organization.is_some_and(|organization| organization != own) {
                return Ok(Page { tokens: Vec::new(), next: None });
            }
            filter.organization = Some(own);
        }
        let sees = |id: TokenId, organization: Option<OrgId>| acting.sees(id, organization);
        Ok(self.shared.index.list(&filter, acting.sees_only(), after, limit, sees)?)
    }

    /// Returns how many secrets that may still be accepted were made with each pepper, by its id. The id `0` stands for no
    /// pepper. A previous pepper that no secret needs can be removed.
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// # let host = Actor::host("example");
    /// # authority.create(&host, NewToken::all_access(acme).owner(alice)).wait()?;
    /// assert_eq!(authority.secrets_by_pepper()?[&'0'], 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::Unavailable`]: the authority is closed, or it is reading its whole store again.
    /// - [`Error::Stale`]: the store could not be read for too long.
    pub fn secrets_by_pepper(&self) -> Result<BTreeMap<char, usize>, Error> {
        self.check_current()?;
        Ok(self.shared.index.secrets_by_key(self.shared.clock.now())?)
    }

    /// Reports whether the store ever held an Operator token, so that [`setup`](Self::setup) is refused ([design rule 9](crate::_rules)).
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// assert!(!authority.is_set_up()?);
    /// let root = authority.setup(alice).wait()?;
    /// assert!(authority.is_set_up()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::Unavailable`]: the authority is closed, or it is reading its whole store again.
    /// - [`Error::Stale`]: the store could not be read for too long.
    pub fn is_set_up(&self) -> Result<bool, Error> {
        self.check_current()?;
        Ok(self.shared.index.is_set_up()?)
    }

    /// Returns where an owner stands. An owner that no call ever named is active.
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// assert_eq!(authority.owner_standing(alice)?, Standing::Active);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::Unavailable`]: the authority is closed, or it is reading its whole store again.
    /// - [`Error::Stale`]: the store could not be read for too long.
    pub fn owner_standing(&self, owner: UserId) -> Result<Standing, Error> {
        self.check_current()?;
        Ok(self.shared.index.owner_standing(owner)?)
    }

    /// Returns where an organization stands. An organization that no call ever named is active.
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// assert_eq!(authority.organization_standing(acme)?, Standing::Active);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::Unavailable`]: the authority is closed, or it is reading its whole store again.
    /// - [`Error::Stale`]: the store could not be read for too long.
    pub fn organization_standing(&self, organization: OrgId) -> Result<Standing, Error> {
        self.check_current()?;
        Ok(self.shared.index.organization_standing(organization)?)
    }

    /// Returns the position up to which this authority knows the store.
    ///
    /// ```
    /// use portcullis::{Authority, MemoryStore, store::Position};
    ///
    /// let authority = Authority::open(MemoryStore::new()).wait()?;
    /// assert_eq!(authority.position(), Position::ORIGIN); // an empty store
    /// # Ok::<(), portcullis::OpenError>(())
    /// ```
    #[must_use]
    pub fn position(&self) -> Position {
        self.shared.index.position()
    }

    /// Returns how this authority stands to its store: how far behind it may be, and whether it decides or denies everything.
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// let health = authority.health();
    /// assert_eq!(health.denies, None); // requests are decided
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn health(&self) -> Health {
        let Shared { index, contact, staleness, clock, .. } = &*self.shared;
        contact.health(index, *staleness, &**clock)
    }

    /// Reads the changes of other authorities at once, and answers when this authority is at the revision or a later one. With the
    /// revision of another authority's [`Receipt`], that change then holds here too.
    ///
    /// Wait with a deadline ([`Pending::wait_for`]): if the store never reaches the revision, there is no answer. Until the answer,
    /// or until the [`Pending`] is dropped, the store is read twenty times a second, even while it fails.
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
    /// let issued = authority.create(Actor::host("sign-up"), NewToken::all_access(acme).owner(alice)).wait()?;
    /// let position = authority.follow_to(issued.receipt.revision).wait()?;
    /// assert!(position.revision >= issued.receipt.revision);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::Closed`]: the authority was closed before the answer.
    pub fn follow_to(&self, revision: u64) -> Pending<Position> {
        let (answer, pending) = pending(|| Error::Closed);
        self.send(Message::FollowTo(revision, answer));
        pending
    }

    /// Closes the authority: finishes the calls under way, writes the last-used times, and closes the store.
    ///
    /// From then on every request is denied, every management call fails with [`Error::Closed`], and every read of tokens fails with
    /// [`Error::Unavailable`]. Dropping the authority does the same, but blocks.
    ///
    /// ```
    /// # use portcullis::*;
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// authority.close().wait()?;
    /// assert!(matches!(authority.is_set_up(), Err(Error::Unavailable)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::Closed`]: the authority was closed before.
    pub fn close(&self) -> Pending<()> {
        let (answer, closed) = pending(|| Error::Closed);
        self.send(Message::Close(answer));
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        closed
    }

    /// Who is asking for a list, or a token.
    fn sight(&self, actor: &Actor) -> Result<Acting, Error> {
        self.check_current()?;
        Acting::of(actor, &self.shared, |id| Ok(self.shared.index.record(id).map(|(_, token)| token)))
    }

    /// That the index was in step with the store not too long ago.
    fn check_current(&self) -> Result<(), Error> {
        self.shared.index.check_current(&*self.shared.clock).map_err(Error::from)
    }

    /// Sends an operation to the management thread.
    fn call<O: Operation>(&self, operation: O) -> Pending<O::Answer> {
        let (answer, pending) = pending(|| Error::Closed);
        self.send(Message::Call(call(operation, answer)));
        pending
    }

    fn send(&self, message: Message) {
        if let Some(queue) = &self.queue {
            // Fails only when the thread is gone. The message is then dropped, and its answer with it, which answers.
            _ = queue.send(message);
        }
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        self.queue = None;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The answer of `open` holds an authority. Where nobody waits for it, the management thread itself drops it.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id()) {
            _ = thread.join();
        }
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("position", &self.position()).finish_non_exhaustive()
    }
}
