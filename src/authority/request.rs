//! What management calls ask for, and what they return.

use std::sync::Arc;
use std::time::Duration;

use crate::model::expiry::Expiry;
use crate::model::kind::TokenKind;
use crate::model::time::Timestamp;
use crate::model::token::Token;
use crate::secret::Secret;

/// When a token is to expire: at a time, never, or some time after the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    Until(Expiry),
    For(Duration),
}

impl Lifetime {
    pub(crate) fn ends(self, now: Timestamp) -> Expiry {
        match self {
            Self::Until(expiry) => expiry,
            Self::For(duration) => now.saturating_add(duration).into(),
        }
    }
}

/// A change to a token, for [`Authority::update`](crate::Authority::update). What it does not set stays as it is
/// ([design rule 13](crate::_rules)).
///
/// ```
/// # use portcullis::*;
/// # let authority = Authority::open(MemoryStore::new()).wait()?;
/// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
/// const PROJECTS: ResourceType = resource_type!("projects");
///
/// let host = Actor::host("support");
/// let token = authority.create(&host, NewToken::custom(acme).read(PROJECTS).owner(alice)).wait()?.token;
///
/// let update = Update::new().description("reads projects").deactivate();
/// let updated = authority.update(&host, token.id(), update).wait()?;
/// assert_eq!(updated.token.status(), Status::Inactive);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Update {
    pub(crate) description: Option<Arc<str>>,
    pub(crate) active: Option<bool>,
    pub(crate) lifetime: Option<Lifetime>,
    pub(crate) kind: Option<TokenKind>,
    pub(crate) revision: Option<u64>,
}

impl Update {
    /// Returns an update that changes nothing.
    ///
    /// ```
    /// use portcullis::Update;
    ///
    /// let update = Update::new();
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the description: at most 1,024 bytes ([`NewToken::MAX_DESCRIPTION`](crate::NewToken::MAX_DESCRIPTION)), without control
    /// characters.
    ///
    /// ```
    /// use portcullis::Update;
    ///
    /// let update = Update::new().description("deploys the website");
    /// ```
    pub fn description(mut self, description: impl Into<Arc<str>>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Deactivates the token: it is denied everything until it is activated again.
    ///
    /// ```
    /// use portcullis::Update;
    ///
    /// let update = Update::new().deactivate();
    /// ```
    pub fn deactivate(mut self) -> Self {
        self.active = Some(false);
        self
    }

    /// Activates the token: it is accepted again, unless it expired.
    ///
    /// ```
    /// use portcullis::Update;
    ///
    /// let update = Update::new().activate();
    /// ```
    pub fn activate(mut self) -> Self {
        self.active = Some(true);
        self
    }

    /// Sets the expiry. From this time on, the token is denied everything. The time must be in the future.
    ///
    /// ```
    /// use portcullis::{Timestamp, Update};
    ///
    /// let update = Update::new().expires_at("2030-01-01T00:00:00Z".parse::<Timestamp>()?);
    /// # Ok::<(), portcullis::TimestampError>(())
    /// ```
    pub fn expires_at(mut self, time: Timestamp) -> Self {
        self.lifetime = Some(Lifetime::Until(time.into()));
        self
    }

    /// Sets the expiry to this much time after the change.
    ///
    /// ```
    /// use std::time::Duration;
    /// use portcullis::Update;
    ///
    /// let update = Update::new().expires_in(Duration::from_secs(90 * 24 * 3600));
    /// ```
    pub fn expires_in(mut self, duration: Duration) -> Self {
        self.lifetime = Some(Lifetime::For(duration));
        self
    }

    /// Removes the expiry: the token never expires.
    ///
    /// ```
    /// use portcullis::Update;
    ///
    /// let update = Update::new().never_expires();
    /// ```
    pub fn never_expires(mut self) -> Self {
        self.lifetime = Some(Lifetime::Until(Expiry::Never));
        self
    }

    /// Sets the kind, and with it the permissions. A token cannot move to another organization.
    ///
    /// ```
    /// use portcullis::{OrgId, TokenKind, Update};
    ///
    /// let acme = OrgId::generate()?;
    /// let update = Update::new().kind(TokenKind::all_access(acme));
    /// # Ok::<(), portcullis::RandomError>(())
    /// ```
    pub fn kind(mut self, kind: TokenKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Makes the update conditional: it fails with [`Error::RevisionMismatch`](crate::Error::RevisionMismatch) unless the token is
    /// still at this revision ([`Token::revision`]). By default there is no condition.
    ///
    /// ```
    /// use portcullis::Update;
    ///
    /// let update = Update::new().deactivate().if_revision(7);
    /// ```
    pub fn if_revision(mut self, revision: u64) -> Self {
        self.revision = Some(revision);
        self
    }
}

/// How to replace a token's secret, for [`Authority::rotate`](crate::Authority::rotate)
/// ([design rule 15](crate::_rules)).
///
/// ```
/// # use std::time::Duration;
/// # use portcullis::*;
/// # let authority = Authority::open(MemoryStore::new()).wait()?;
/// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
/// const PROJECTS: ResourceType = resource_type!("projects");
///
/// let host = Actor::host("support");
/// let old = authority.create(&host, NewToken::custom(acme).read(PROJECTS).owner(alice)).wait()?;
///
/// let hour = Duration::from_secs(3600);
/// let new = authority.rotate(&host, old.token.id(), Rotation::new().overlap(hour)).wait()?;
/// assert!(authority.authenticate(new.secret.expose()).is_ok());
/// assert!(authority.authenticate(old.secret.expose()).is_ok()); // for one hour
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Defaults
///
/// | setting | default |
/// | --- | --- |
/// | [`overlap`](Self::overlap) | zero: the old secret stops at once |
/// | [`secret`](Self::secret) | generated |
#[derive(Debug, Default)]
#[must_use]
pub struct Rotation {
    pub(crate) overlap: Duration,
    pub(crate) secret: Option<Secret>,
}

impl Rotation {
    /// Returns a rotation to a generated secret. The old secret stops at once.
    ///
    /// ```
    /// use portcullis::Rotation;
    ///
    /// let rotation = Rotation::new();
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets for how long the old secret is still accepted, beside the new one. The default is zero.
    ///
    /// The old secret stops earlier when the token expires or is rotated again: at most one former secret is accepted at a time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use portcullis::Rotation;
    ///
    /// let rotation = Rotation::new().overlap(Duration::from_secs(24 * 3600));
    /// ```
    pub fn overlap(mut self, overlap: Duration) -> Self {
        self.overlap = overlap;
        self
    }

    /// Sets the new secret ([design rule 14](crate::_rules)). By default it is generated, which is safer.
    ///
    /// ```
    /// use portcullis::{Rotation, Secret};
    ///
    /// let rotation = Rotation::new().secret(Secret::new("correct-horse-battery-staple-0123456789"));
    /// ```
    pub fn secret(mut self, secret: Secret) -> Self {
        self.secret = Some(secret);
        self
    }
}

/// A new token, or a rotated one, and its secret. The secret is shown here and never again.
///
/// ```
/// # use portcullis::*;
/// # let authority = Authority::open(MemoryStore::new()).wait()?;
/// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
/// const PROJECTS: ResourceType = resource_type!("projects");
///
/// let new = NewToken::custom(acme).allow(verb!("execute"), PROJECTS).owner(alice);
/// let Issued { token, secret, .. } = authority.create(Actor::host("sign-up"), new).wait()?;
/// println!("{}: {}", token.id(), secret.expose());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "the secret is shown here and never again"]
pub struct Issued {
    /// The token.
    pub token: Token,
    /// The secret. Hand it to the user: it cannot be read again.
    pub secret: Secret,
    /// When each authority of the store accepts the secret.
    pub receipt: Receipt,
}

/// A token after a change: the answer of [`Authority::update`](crate::Authority::update).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Updated {
    /// The token, after the change.
    pub token: Token,
    /// When the change holds on each authority of the store.
    pub receipt: Receipt,
}

/// What a change did, and when it holds. On the authority that made it, it holds when the call returns. On the other
/// authorities of the store, it holds when [`everywhere`](Self::everywhere) says.
///
/// ```
/// # use portcullis::*;
/// # let authority = Authority::open(MemoryStore::new()).wait()?;
/// # let (acme, alice) = (OrgId::generate()?, UserId::generate()?);
/// let host = Actor::host("support");
/// let id = authority.create(&host, NewToken::all_access(acme).owner(alice)).wait()?.token.id();
///
/// let receipt = authority.revoke(&host, id).wait()?;
/// assert_eq!(receipt.changed, 1);
/// match receipt.everywhere {
///     Everywhere::Now => println!("revoked"),
///     Everywhere::By(time) => println!("revoked on every node by {time}"),
///     Everywhere::Unbounded => println!("revoked on this node"),
/// }
///
/// // Revoking it again changes nothing.
/// assert_eq!(authority.revoke(&host, id).wait()?.changed, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The revision of the store at which the change took effect. Where the change was in effect already, the revision at which
    /// that was found. [`Authority::follow_to`](crate::Authority::follow_to) waits for a revision on another authority.
    pub revision: u64,
    /// The number of records that the call changed. 0 if the change was in effect already.
    pub changed: usize,
    /// When the change holds on every authority of the store ([design rule 17](crate::_rules)).
    pub everywhere: Everywhere,
}

/// When a change holds on every authority of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Everywhere {
    /// Now: no other authority has the store.
    Now,
    /// At this time. Until then, another authority may not have applied the change. From then on, each authority has applied it, or
    /// denies everything.
    ///
    /// It is the time of the commit, plus the bound ([`AuthorityBuilder::stale_after`](crate::AuthorityBuilder::stale_after)), plus a
    /// thousandth of the bound for clocks that run unevenly. It assumes:
    ///
    /// - The time is read on the clock of the authority that committed. To compare it with another clock, add the most that the two
    ///   clocks may differ.
    /// - Every authority of the store has the same bound.
    /// - The store keeps what it acknowledged. A store that is restored from an earlier backup loses the change.
    By(Timestamp),
    /// At no known time: the host chose
    /// [`availability_over_revocation`](crate::AuthorityBuilder::availability_over_revocation).
    Unbounded,
}
