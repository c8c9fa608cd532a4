//! What management calls ask for, and what they return.

use std::sync::Arc;
use std::time::Duration;

use crate::model::action::Action;
use crate::model::expiry::Expiry;
use crate::model::id::{OrgId, ResourceId, UserId};
use crate::model::kind::{KindError, TokenKind};
use crate::model::permission_set::PermissionSet;
use crate::model::time::Timestamp;
use crate::model::token::{Status, Token};
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

/// A token to be created.
///
/// ```
/// use std::time::Duration;
/// use portcullis::{NewToken, OrgId, ResourceId};
///
/// let (org, bucket) = (OrgId::generate()?, ResourceId::generate()?);
/// let sensor = NewToken::read_write(org).write(bucket).expires_in(Duration::from_secs(90 * 24 * 3600));
/// # Ok::<(), portcullis::RandomError>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct NewToken {
    kind: NewKind,
    buckets: Vec<(ResourceId, Action)>,
    pub(crate) owner: Option<UserId>,
    pub(crate) description: Arc<str>,
    pub(crate) status: Status,
    pub(crate) lifetime: Lifetime,
    pub(crate) secret: Option<Secret>,
}

/// What a token is to be for.
#[derive(Debug)]
enum NewKind {
    Whole(TokenKind),
    ReadWrite(OrgId),
    Custom(Option<OrgId>, PermissionSet),
}

impl NewToken {
    /// The longest description, in bytes.
    pub const MAX_DESCRIPTION: usize = 1_024;

    /// The longest chain of tokens that created each other.
    pub const MAX_LINEAGE: usize = 32;

    fn of(kind: NewKind) -> Self {
        Self {
            kind,
            buckets: Vec::new(),
            owner: None,
            description: Arc::default(),
            status: Status::Active,
            lifetime: Lifetime::Until(Expiry::Never),
            secret: None,
        }
    }

    /// Full power over everything (design rule 3). Only Operators and the host can create one (rule 9).
    pub fn operator() -> Self {
        Self::of(NewKind::Whole(TokenKind::operator()))
    }

    /// Full power over one organization (design rule 4).
    pub fn all_access(organization: OrgId) -> Self {
        Self::of(NewKind::Whole(TokenKind::all_access(organization)))
    }

    /// Certain buckets of one organization (design rule 5): say which with [`read`](Self::read) and
    /// [`write`](Self::write).
    pub fn read_write(organization: OrgId) -> Self {
        Self::of(NewKind::ReadWrite(organization))
    }

    /// Any permissions of one organization or, with `None`, without one (design rule 6).
    pub fn custom(organization: Option<OrgId>, permissions: PermissionSet) -> Self {
        Self::of(NewKind::Custom(organization, permissions))
    }

    /// A token of a kind that is already made.
    pub fn of_kind(kind: TokenKind) -> Self {
        Self::of(NewKind::Whole(kind))
    }

    /// And reading that bucket. Only for [`read_write`](Self::read_write).
    pub fn read(self, bucket: ResourceId) -> Self {
        self.bucket(bucket, Action::READ)
    }

    /// And writing that bucket. Only for [`read_write`](Self::read_write).
    pub fn write(self, bucket: ResourceId) -> Self {
        self.bucket(bucket, Action::WRITE)
    }

    fn bucket(mut self, bucket: ResourceId, action: Action) -> Self {
        self.buckets.push((bucket, action));
        self
    }

    /// Whose it is. Needed from a host; a principal's tokens have its own owner, and another needs an Operator
    /// (design rule 10).
    pub fn owner(mut self, owner: UserId) -> Self {
        self.owner = Some(owner);
        self
    }

    /// What people should know about it: at most 1,024 bytes, no control characters.
    pub fn description(mut self, description: impl Into<Arc<str>>) -> Self {
        self.description = description.into();
        self
    }

    /// Refused until it is activated.
    pub fn inactive(mut self) -> Self {
        self.status = Status::Inactive;
        self
    }

    /// From that time on it is refused. Without this, never.
    pub fn expires_at(mut self, time: Timestamp) -> Self {
        self.lifetime = Lifetime::Until(time.into());
        self
    }

    /// That long after it is created, it is refused.
    pub fn expires_in(mut self, duration: Duration) -> Self {
        self.lifetime = Lifetime::For(duration);
        self
    }

    /// The secret that it shall have, for infrastructure as code (design rule 14): 32 to 512 bytes of visible ASCII, and none
    /// that any token has or is remembered to have had: the last eight of each that are not accepted any more, also of deleted tokens
    /// until they are purged.
    pub fn secret(mut self, secret: Secret) -> Self {
        self.secret = Some(secret);
        self
    }

    /// The kind, checked.
    pub(crate) fn kind(&self) -> Result<TokenKind, KindError> {
        let buckets = self.buckets.iter().copied();
        match &self.kind {
            NewKind::ReadWrite(organization) => TokenKind::read_write(*organization, buckets),
            _ if !self.buckets.is_empty() => Err(KindError::Buckets),
            NewKind::Whole(kind) => Ok(kind.clone()),
            NewKind::Custom(organization, permissions) => TokenKind::custom(*organization, permissions.clone()),
        }
    }
}

/// A change to a token: what is not said stays (design rule 13).
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
    /// No change.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another description.
    pub fn description(mut self, description: impl Into<Arc<str>>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Refused until it is reactivated.
    pub fn deactivate(mut self) -> Self {
        self.active = Some(false);
        self
    }

    /// In use again.
    pub fn activate(mut self) -> Self {
        self.active = Some(true);
        self
    }

    /// Another end.
    pub fn expires_at(mut self, time: Timestamp) -> Self {
        self.lifetime = Some(Lifetime::Until(time.into()));
        self
    }

    /// Another end, that long after the change.
    pub fn expires_in(mut self, duration: Duration) -> Self {
        self.lifetime = Some(Lifetime::For(duration));
        self
    }

    /// No end.
    pub fn never_expires(mut self) -> Self {
        self.lifetime = Some(Lifetime::Until(Expiry::Never));
        self
    }

    /// Another kind, in the same organization.
    pub fn kind(mut self, kind: TokenKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Only if the token is still at the revision that the caller read ([`Token::revision`]).
    pub fn if_revision(mut self, revision: u64) -> Self {
        self.revision = Some(revision);
        self
    }
}

/// How to give a token a new secret (design rule 15). By default a generated one, and the old one stops at once.
#[derive(Debug, Default)]
#[must_use]
pub struct Rotation {
    pub(crate) overlap: Duration,
    pub(crate) secret: Option<Secret>,
}

impl Rotation {
    /// A generated secret; the old one stops at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// The old secret is accepted that much longer, but not beyond the token's own end, nor beyond its next rotation:
    /// at most one former secret is accepted at a time.
    pub fn overlap(mut self, overlap: Duration) -> Self {
        self.overlap = overlap;
        self
    }

    /// The secret that it shall have (design rule 14).
    pub fn secret(mut self, secret: Secret) -> Self {
        self.secret = Some(secret);
        self
    }
}

/// A token and its secret, which is shown here and never again.
#[derive(Debug)]
#[must_use = "the secret is shown here and never again"]
pub struct Issued {
    /// The token.
    pub token: Token,
    /// Its secret.
    pub secret: Secret,
    /// When it is accepted where.
    pub receipt: Receipt,
}

/// A token after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Updated {
    /// The token.
    pub token: Token,
    /// Since when the change holds where.
    pub receipt: Receipt,
}

/// What a change did, and since when it holds: here since the call returned, elsewhere as
/// [`everywhere`](Self::everywhere) says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The revision at which it took effect, or at which it was found to be in effect already.
    /// [`Authority::follow_to`](crate::Authority::follow_to) waits for it on another authority.
    pub revision: u64,
    /// How many records it changed; 0 when it was in effect already.
    pub changed: usize,
    /// When it holds on every authority of the store (design rule 17).
    pub everywhere: Everywhere,
}

/// When a change holds on every authority of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Everywhere {
    /// Since the call returned: nobody else has the store.
    Now,
    /// From that time on every authority has applied it, or denies everything: the time of the commit and the bound
    /// ([`Builder::stale_after`](crate::Builder::stale_after)), with a thousandth for clocks that run unevenly.
    ///
    /// By the clock of the authority that committed, as it ran then: whoever compares it with another clock adds what the
    /// two may differ by. It counts on all authorities having the same bound, and on the store keeping what it
    /// acknowledged: a store that is restored from an earlier backup takes the change back.
    By(Timestamp),
    /// At no time that can be told: the host chose
    /// [`availability_over_revocation`](crate::Builder::availability_over_revocation).
    Unbounded,
}
