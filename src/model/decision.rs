//! The decision: may this token do this to that resource?

use std::fmt;

use crate::model::action::{Access, Action, AsAction};
use crate::model::expiry::Expiry;
use crate::model::kind::TokenKind;
use crate::model::permission::Permission;
use crate::model::resource::{AsResource, Resource};
use crate::model::time::Timestamp;
use crate::model::token::{Standing, Status};

/// Why a token is not accepted, or a request is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The token was deactivated. It can be reactivated.
    Inactive,
    /// The token was revoked, for good.
    Revoked,
    /// The token's time is over.
    Expired,
    /// The token's owner is suspended.
    OwnerSuspended,
    /// The token's owner was deleted.
    OwnerDeleted,
    /// The token's organization is suspended.
    OrganizationSuspended,
    /// The token's organization was deleted.
    OrganizationDeleted,
    /// The secret is no token's: it never was, it was replaced, or its token was deleted.
    Unknown,
    /// The text has the prefix of our secrets but not their form, or no secret can look like that: a typo, or cut off.
    Malformed,
    /// The token does not have the permission.
    NotPermitted,
    /// The authority could not read its store for too long, so that a revocation elsewhere may have passed it by
    /// ([`Builder::stale_after`](crate::Builder::stale_after)).
    Stale,
    /// The authority cannot tell: it was closed, or is reading its store anew.
    Unavailable,
}

impl Reason {
    /// A stable name for logs and metrics: `revoked`, `notPermitted`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::OwnerSuspended => "ownerSuspended",
            Self::OwnerDeleted => "ownerDeleted",
            Self::OrganizationSuspended => "organizationSuspended",
            Self::OrganizationDeleted => "organizationDeleted",
            Self::Unknown => "unknown",
            Self::Malformed => "malformed",
            Self::NotPermitted => "notPermitted",
            Self::Stale => "stale",
            Self::Unavailable => "unavailable",
        }
    }

    /// Whether the authority cannot tell for now, which says nothing about the token.
    #[must_use]
    pub const fn is_temporary(self) -> bool {
        matches!(self, Self::Stale | Self::Unavailable)
    }
}

impl serde::Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inactive => "the token is inactive",
            Self::Revoked => "the token is revoked",
            Self::Expired => "the token has expired",
            Self::OwnerSuspended => "the token's owner is suspended",
            Self::OwnerDeleted => "the token's owner was deleted",
            Self::OrganizationSuspended => "the token's organization is suspended",
            Self::OrganizationDeleted => "the token's organization was deleted",
            Self::Unknown => "no token has this secret",
            Self::Malformed => "the secret is malformed",
            Self::NotPermitted => "the token does not have the permission",
            Self::Stale => "the authority could not read its store for too long",
            Self::Unavailable => "the authority is closed or reading its store anew",
        })
    }
}

impl std::error::Error for Reason {}

/// A request was denied, and why (design rule 8).
///
/// Its text is for the host's own log and for the token's holder, where the host chooses to tell them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Denial {
    pub(crate) reason: Reason,
    /// What is missing, or, when the token itself is refused, what was asked for.
    pub(crate) action: Action,
    pub(crate) resource: Resource,
    pub(crate) revision: Option<u64>,
}

impl Denial {
    /// Why.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// The resource that the request was about.
    #[must_use]
    pub const fn resource(&self) -> Resource {
        self.resource
    }

    /// The store's revision that the decision was made at: it took into account at least what was in the store then. `None`
    /// from the pure [`decide`], and where a management call was refused.
    #[must_use]
    pub const fn revision(&self) -> Option<u64> {
        self.revision
    }

    /// Returns the smallest permissions that would have allowed the request: those on this one resource that the token
    /// lacks. Any action is never among them. There are none unless the reason is [`Reason::NotPermitted`].
    ///
    /// ```
    /// use portcullis::{Action, Expiry, Liveness, OrgId, Permission, Resource, ResourceType, Timestamp, TokenKind, decide};
    /// # use portcullis::{Standing, Status};
    ///
    /// let acme: OrgId = "0a1b2c3d4e5f6071".parse()?;
    /// let kind = TokenKind::all_access(acme);
    /// let live = Liveness {
    ///     status: Status::Active,
    ///     expires_at: Expiry::Never,
    ///     owner: Standing::Active,
    ///     organization: Standing::Active,
    /// };
    /// let users = Resource::global(ResourceType::USERS);
    /// let denial = decide(&kind, &live, Action::READ, &users, Timestamp::EPOCH).unwrap_err();
    /// assert!(denial.missing().eq([Permission::read(ResourceType::USERS)]));
    /// # Ok::<(), portcullis::IdError>(())
    /// ```
    pub fn missing(&self) -> impl Iterator<Item = Permission> + use<> {
        let (missing, resource) = (self.reason == Reason::NotPermitted, self.resource);
        self.action.grants().filter(move |_| missing).map(move |grant| Permission::new(grant, resource))
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut missing = self.missing();
        match (missing.next(), missing.next()) {
            (Some(one), Some(other)) => write!(f, "missing permissions `{one}` and `{other}`"),
            (Some(one), None) => write!(f, "missing permission `{one}`"),
            _ => self.reason.fmt(f),
        }
    }
}

impl fmt::Debug for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Denial({self})")
    }
}

impl std::error::Error for Denial {}

/// The answer to a request, without a permit: what [`Authority::explain`](crate::Authority::explain) returns.
///
/// It is for logs, and for people who ask what a token may do. To guard an operation, ask for a [`Permit`].
///
/// ```
/// # use portcullis::{Authority, MemoryStore, Resource, UserId, Write};
/// use portcullis::Decision;
///
/// # let authority = Authority::open(MemoryStore::new()).wait()?;
/// # let root = authority.setup(UserId::generate()?).wait()?;
/// # let caller = authority.authenticate(root.secret.expose())?;
/// let decision = Decision::from(caller.authorize(Write, Resource::INSTANCE));
/// assert!(decision.is_allowed());
/// assert_eq!(decision.to_string(), "allowed");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The token may.
    Allowed {
        /// The store's revision that the decision was made at: it took into account at least what was in the store then.
        revision: u64,
    },
    /// The token may not, and why.
    Denied(Denial),
}

impl Decision {
    /// Reports whether the request is allowed.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }

    /// Returns why the request is denied; `None` where it is allowed.
    #[must_use]
    pub const fn denial(&self) -> Option<Denial> {
        match self {
            Self::Allowed { .. } => None,
            Self::Denied(denial) => Some(*denial),
        }
    }
}

/// Gives the permit up.
impl<A: AsAction> From<Result<Permit<A>, Denial>> for Decision {
    fn from(decision: Result<Permit<A>, Denial>) -> Self {
        decision.map_or_else(Self::Denied, |permit| Self::Allowed { revision: permit.revision })
    }
}

/// `allowed`, or the text of the [`Denial`].
impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed { .. } => f.write_str("allowed"),
            Self::Denied(denial) => denial.fmt(f),
        }
    }
}

/// Everything besides its permissions that decides whether a token is accepted (design rule 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Liveness {
    /// The token's own status.
    pub status: Status,
    /// From when on the token is refused.
    pub expires_at: Expiry,
    /// The standing of the token's owner.
    pub owner: Standing,
    /// The standing of the token's organization; [`Standing::Active`] for a token without one.
    pub organization: Standing,
}

impl Liveness {
    /// Whether a token like this is accepted at the time that `now` tells. It is asked only where the token expires.
    ///
    /// # Errors
    /// It is not, and why.
    #[inline]
    pub fn check(&self, now: impl FnOnce() -> Timestamp) -> Result<(), Reason> {
        match self.status {
            Status::Active => {}
            Status::Inactive => return Err(Reason::Inactive),
            Status::Revoked => return Err(Reason::Revoked),
        }
        match self.owner {
            Standing::Active => {}
            Standing::Suspended => return Err(Reason::OwnerSuspended),
            Standing::Deleted => return Err(Reason::OwnerDeleted),
        }
        match self.organization {
            Standing::Active => {}
            Standing::Suspended => return Err(Reason::OrganizationSuspended),
            Standing::Deleted => return Err(Reason::OrganizationDeleted),
        }
        if self.expires_at.has_passed(now) { Err(Reason::Expired) } else { Ok(()) }
    }
}

/// Decides on a request, given what of it is granted.
#[inline]
pub(crate) fn judge(action: Action, granted: Access, resource: &Resource, revision: Option<u64>) -> Result<(), Denial> {
    match action.missing(granted) {
        None => Ok(()),
        Some(action) => Err(Denial { reason: Reason::NotPermitted, action, resource: *resource, revision }),
    }
}

/// The pure decision: may a token of this kind, in this state, at this time, do this to that resource?
///
/// Total, without I/O, clock or state, and without allocation. [`Principal::authorize`](crate::Principal::authorize)
/// gives the same answer for a token that an authority holds, with a [`Permit`] as proof.
///
/// ```
/// use portcullis::{Action, Expiry, Liveness, OrgId, Reason, Resource, Standing, Status, Timestamp, TokenKind, decide};
///
/// let org: OrgId = "0a1b2c3d4e5f6071".parse()?;
/// let kind = TokenKind::all_access(org);
/// let live = Liveness {
///     status: Status::Active,
///     expires_at: Expiry::Never,
///     owner: Standing::Active,
///     organization: Standing::Active,
/// };
/// let now = Timestamp::EPOCH;
///
/// assert!(decide(&kind, &live, Action::WRITE, &Resource::buckets(org), now).is_ok());
///
/// let denial = decide(&kind, &live, Action::WRITE, &Resource::INSTANCE, now).unwrap_err();
/// assert_eq!(denial.to_string(), "missing permission `write:instance`");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The token or the request is refused, and why.
#[inline]
pub fn decide(
    kind: &TokenKind,
    liveness: &Liveness,
    action: impl Into<Action>,
    resource: &Resource,
    now: Timestamp,
) -> Result<(), Denial> {
    let action = action.into();
    liveness.check(|| now).map_err(|reason| Denial { reason, action, resource: *resource, revision: None })?;
    judge(action, kind.granted(&action, resource), resource, None)
}

/// Proof that an action on a resource was allowed: what a storage layer can demand as an argument.
///
/// Only [`Principal::authorize`](crate::Principal::authorize) and [`Authority::authorize`](crate::Authority::authorize) make
/// one. `A` says for which action: `Permit<Write>` cannot be had from a read decision, and `Permit<Action>` carries an
/// action that was known only at run time. `R` says on what: a [`Resource`], or a type of the host's own
/// ([`AsResource`]), so that a permit for one type cannot be used for another.
///
/// The guarded operation takes its resource from the permit, so that what was checked is what is touched. A permit is
/// valid for the operation that begins then. It is neither `Clone` nor stored, and does not notice a later revocation.
///
/// ```compile_fail
/// use portcullis::{Permit, Read, Write};
///
/// fn read(permit: Permit<Read>) {}
/// fn sneak(permit: Permit<Write>) {
///     read(permit);
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit is the proof that the operation it is for may begin"]
pub struct Permit<A: AsAction, R: AsResource = Resource> {
    action: A,
    resource: R,
    revision: u64,
}

impl<A: AsAction, R: AsResource> Permit<A, R> {
    pub(crate) const fn new(action: A, resource: R, revision: u64) -> Self {
        Self { action, resource, revision }
    }

    /// Returns what was allowed.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action.as_action()
    }

    /// Returns what it was allowed on.
    #[must_use]
    pub const fn resource(&self) -> &R {
        &self.resource
    }

    /// Returns the store's revision that the decision was made at. The decision took into account at least what was in the
    /// store then.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }
}
