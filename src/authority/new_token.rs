//! What a token is created from.

use std::sync::Arc;
use std::time::Duration;

use crate::authority::request::Lifetime;
use crate::model::action::{Action, Grant};
use crate::model::expiry::Expiry;
use crate::model::id::{OrgId, ResourceId, UserId};
use crate::model::kind::{KindError, TokenKind};
use crate::model::pattern::Pattern;
use crate::model::permission::Permission;
use crate::model::status::Status;
use crate::model::time::Timestamp;
use crate::secret::Secret;

/// A token to be created, by [`Authority::create`](crate::Authority::create).
///
/// It begins with its kind; `K` is the kind in the making, so that buckets can be given only to a Read/Write token.
///
/// # Defaults
///
/// | what | default | set by |
/// | --- | --- | --- |
/// | owner | the actor's own; the host states one | [`owner`](Self::owner) |
/// | description | empty | [`description`](Self::description) |
/// | status | active | [`inactive`](Self::inactive) |
/// | expiry | never | [`expires_at`](Self::expires_at), [`expires_in`](Self::expires_in) |
/// | secret | generated | [`secret`](Self::secret) |
///
/// ```
/// use std::time::Duration;
/// use portcullis::{NewToken, OrgId, ResourceId, ResourceType, Verb, resource_type, verb};
///
/// const PROJECTS: ResourceType = resource_type!("projects");
/// const EXECUTE: Verb = verb!("execute");
/// const NINETY_DAYS: Duration = Duration::from_secs(90 * 24 * 3600);
///
/// let (acme, website) = (OrgId::generate()?, ResourceId::generate()?);
/// let deploy = NewToken::custom(acme)
///     .read(PROJECTS)
///     .allow(EXECUTE, (PROJECTS, website))
///     .expires_in(NINETY_DAYS)
///     .description("deploys the website");
///
/// let bucket = ResourceId::generate()?;
/// let sensor = NewToken::read_write(acme).write(bucket).expires_in(NINETY_DAYS);
/// # Ok::<(), portcullis::RandomError>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct NewToken<K = TokenKind> {
    kind: K,
    details: Details,
}

/// Everything about a new token but its kind.
#[derive(Debug)]
pub(crate) struct Details {
    pub(crate) owner: Option<UserId>,
    pub(crate) description: Arc<str>,
    pub(crate) status: Status,
    pub(crate) lifetime: Lifetime,
    pub(crate) secret: Option<Secret>,
}

/// A Read/Write kind in the making: [`NewToken::read_write`].
#[derive(Debug)]
pub struct NewReadWrite {
    organization: OrgId,
    buckets: Vec<(ResourceId, Action)>,
}

/// A Custom kind in the making: [`NewToken::custom`].
#[derive(Debug)]
pub struct NewCustom {
    organization: OrgId,
    permissions: Vec<Permission>,
}

/// What a new token's kind can be made of: a [`TokenKind`], or one in the making.
pub trait NewKind: sealed::NewKind {}

mod sealed {
    use super::{KindError, TokenKind};

    pub trait NewKind {
        fn build(self) -> Result<TokenKind, KindError>;
    }
}

impl NewKind for TokenKind {}
impl sealed::NewKind for TokenKind {
    fn build(self) -> Result<TokenKind, KindError> {
        Ok(self)
    }
}

impl NewKind for NewReadWrite {}
impl sealed::NewKind for NewReadWrite {
    fn build(self) -> Result<TokenKind, KindError> {
        TokenKind::read_write(self.organization, self.buckets)
    }
}

impl NewKind for NewCustom {}
impl sealed::NewKind for NewCustom {
    fn build(self) -> Result<TokenKind, KindError> {
        TokenKind::custom(Some(self.organization), self.permissions.into_iter().collect())
    }
}

impl NewToken {
    /// The longest description, in bytes.
    pub const MAX_DESCRIPTION: usize = 1_024;

    /// The longest chain of tokens that created each other.
    pub const MAX_LINEAGE: usize = 32;

    /// Begins an Operator token: full power over everything (design rule 3). Only Operators and the host can create one
    /// (rule 9).
    ///
    /// ```
    /// use portcullis::{Actor, Authority, MemoryStore, NewToken, UserId};
    ///
    /// let authority = Authority::open(MemoryStore::new()).wait()?;
    /// let owner = UserId::generate()?;
    /// let issued = authority.create(Actor::host("recovery"), NewToken::operator().owner(owner)).wait()?;
    /// assert_eq!(issued.token.kind().name(), portcullis::KindName::Operator);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn operator() -> Self {
        Self::of_kind(TokenKind::operator())
    }

    /// Begins an All-Access token: full power over one organization (design rule 4).
    ///
    /// ```
    /// use portcullis::{NewToken, OrgId};
    ///
    /// let acme = OrgId::generate()?;
    /// let admin = NewToken::all_access(acme).description("acme's administrator");
    /// # Ok::<(), portcullis::RandomError>(())
    /// ```
    pub fn all_access(organization: OrgId) -> Self {
        Self::of_kind(TokenKind::all_access(organization))
    }

    /// Begins a Read/Write token: certain buckets of one organization (design rule 5). Say which with
    /// [`read`](NewToken::<NewReadWrite>::read) and [`write`](NewToken::<NewReadWrite>::write).
    ///
    /// ```
    /// use portcullis::{NewToken, OrgId, ResourceId};
    ///
    /// let (acme, metrics, logs) = (OrgId::generate()?, ResourceId::generate()?, ResourceId::generate()?);
    /// let sensor = NewToken::read_write(acme).write(metrics).read(logs).write(logs);
    /// # Ok::<(), portcullis::RandomError>(())
    /// ```
    pub fn read_write(organization: OrgId) -> NewToken<NewReadWrite> {
        NewToken::new(NewReadWrite { organization, buckets: Vec::new() })
    }

    /// Begins a Custom token: any permissions in one organization (design rule 6). Say which with
    /// [`read`](NewToken::<NewCustom>::read), [`write`](NewToken::<NewCustom>::write) and
    /// [`allow`](NewToken::<NewCustom>::allow).
    ///
    /// ```
    /// use portcullis::{NewToken, OrgId, ResourceType, resource_type, verb};
    ///
    /// const JOBS: ResourceType = resource_type!("jobs");
    ///
    /// let acme = OrgId::generate()?;
    /// let worker = NewToken::custom(acme).read(JOBS).allow(verb!("execute"), JOBS);
    /// # Ok::<(), portcullis::RandomError>(())
    /// ```
    pub fn custom(organization: OrgId) -> NewToken<NewCustom> {
        NewToken::new(NewCustom { organization, permissions: Vec::new() })
    }

    /// Begins a token of a kind that is already made, such as another token's, or a Custom one without an organization.
    ///
    /// ```
    /// use portcullis::{NewToken, Permission, PermissionSet, ResourceType, TokenKind};
    ///
    /// let auditor = PermissionSet::from_iter([Permission::read(ResourceType::AUTHORIZATIONS)]);
    /// let auditor = NewToken::of_kind(TokenKind::custom(None, auditor)?);
    /// # Ok::<(), portcullis::KindError>(())
    /// ```
    pub fn of_kind(kind: TokenKind) -> Self {
        Self::new(kind)
    }
}

impl<K> NewToken<K> {
    fn new(kind: K) -> Self {
        let (owner, description, secret) = (None, Arc::default(), None);
        Self {
            kind,
            details: Details {
                owner,
                description,
                status: Status::Active,
                lifetime: Lifetime::Until(Expiry::Never),
                secret,
            },
        }
    }

    /// Sets the owner. The host must state one. A principal's tokens have its own owner, and another one needs an Operator
    /// (design rule 10).
    pub fn owner(mut self, owner: UserId) -> Self {
        self.details.owner = Some(owner);
        self
    }

    /// Sets what people should know about the token: at most 1,024 bytes, no control characters. Empty by default.
    pub fn description(mut self, description: impl Into<Arc<str>>) -> Self {
        self.details.description = description.into();
        self
    }

    /// Creates the token inactive: it is refused until it is activated. Active by default.
    pub fn inactive(mut self) -> Self {
        self.details.status = Status::Inactive;
        self
    }

    /// Sets the time from which on the token is refused. By default it never expires.
    pub fn expires_at(mut self, time: Timestamp) -> Self {
        self.details.lifetime = Lifetime::Until(time.into());
        self
    }

    /// Sets how long after its creation the token expires. By default it never expires.
    pub fn expires_in(mut self, duration: Duration) -> Self {
        self.details.lifetime = Lifetime::For(duration);
        self
    }

    /// Sets the secret, for infrastructure as code (design rule 14). By default it is generated, which is safer.
    ///
    /// It has 32 to 512 bytes of visible ASCII, and is none that any token has or is remembered to have had: of each token,
    /// deleted ones included until they are purged, the last eight secrets that are not accepted any more.
    ///
    /// ```
    /// use portcullis::{NewToken, OrgId, Secret};
    ///
    /// let chosen = Secret::new("correct-horse-battery-staple-0123456789");
    /// let admin = NewToken::all_access(OrgId::generate()?).secret(chosen);
    /// # Ok::<(), portcullis::RandomError>(())
    /// ```
    pub fn secret(mut self, secret: Secret) -> Self {
        self.details.secret = Some(secret);
        self
    }
}

impl<K: NewKind> NewToken<K> {
    /// Checks the kind, so that tokens of different kinds have one type.
    ///
    /// [`Authority::create`](crate::Authority::create) checks it too, so this is needed only to hold such tokens together.
    ///
    /// ```
    /// use portcullis::{NewToken, OrgId, ResourceType};
    ///
    /// let acme = OrgId::generate()?;
    /// let both = [NewToken::all_access(acme), NewToken::custom(acme).read(ResourceType::TASKS).checked()?];
    /// assert!(NewToken::custom(acme).checked().is_err()); // a token needs at least one permission
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The kind cannot be, as [`TokenKind::read_write`] and [`TokenKind::custom`] say.
    pub fn checked(self) -> Result<NewToken, KindError> {
        Ok(NewToken { kind: self.kind.build()?, details: self.details })
    }

    /// Returns the kind, checked, and the rest.
    pub(crate) fn build(self) -> (Result<TokenKind, KindError>, Details) {
        (self.kind.build(), self.details)
    }
}

impl NewToken<NewReadWrite> {
    /// Grants read on `bucket`.
    pub fn read(self, bucket: impl Into<ResourceId>) -> Self {
        self.grant(bucket, Action::READ)
    }

    /// Grants write on `bucket`.
    pub fn write(self, bucket: impl Into<ResourceId>) -> Self {
        self.grant(bucket, Action::WRITE)
    }

    fn grant(mut self, bucket: impl Into<ResourceId>, action: Action) -> Self {
        self.kind.buckets.push((bucket.into(), action));
        self
    }
}

impl NewToken<NewCustom> {
    /// Grants read on what the pattern matches in the organization: a type (`PROJECTS`), or one resource of it
    /// (`(PROJECTS, id)`).
    pub fn read(self, pattern: impl Into<Pattern>) -> Self {
        self.allow(Grant::Read, pattern)
    }

    /// Grants write on what the pattern matches in the organization.
    pub fn write(self, pattern: impl Into<Pattern>) -> Self {
        self.allow(Grant::Write, pattern)
    }

    /// Grants a [`Verb`](crate::Verb), or any action ([`Grant::Any`]), on what the pattern matches in the organization.
    pub fn allow(self, grant: impl Into<Grant>, pattern: impl Into<Pattern>) -> Self {
        self.permissions([Permission::new(grant, pattern)])
    }

    /// Grants these permissions. One that names no organization is read as one in the token's (design rule 7).
    pub fn permissions(mut self, permissions: impl IntoIterator<Item = Permission>) -> Self {
        self.kind.permissions.extend(permissions);
        self
    }
}
