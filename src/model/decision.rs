//! The decision: may this token do this to that resource?

use std::fmt;

use crate::model::action::{Access, Action, AsAction};
use crate::model::kind::TokenKind;
use crate::model::liveness::Liveness;
use crate::model::permission::Permission;
use crate::model::permit::Permit;
use crate::model::reason::Reason;
use crate::model::resource::{AsResource, Resource};
use crate::model::time::Timestamp;

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
    /// Returns why.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// Returns the resource that the request was about.
    #[must_use]
    pub const fn resource(&self) -> Resource {
        self.resource
    }

    /// Returns the store's revision that the decision was made at. The decision took into account at least what was in the
    /// store then. `None` from the pure [`decide`], and where a management call was refused.
    #[must_use]
    pub const fn revision(&self) -> Option<u64> {
        self.revision
    }

    /// Returns the smallest permissions that would have allowed the request: those on this one resource that the token
    /// lacks. Any action is never among them. There are none unless the reason is [`Reason::NotPermitted`].
    ///
    /// ```
    /// use portcullis::{Action, Liveness, OrgId, Permission, Resource, ResourceType, Timestamp, TokenKind, decide};
    ///
    /// let acme: OrgId = "0a1b2c3d4e5f6071".parse()?;
    /// let kind = TokenKind::all_access(acme);
    /// let users = Resource::global(ResourceType::USERS);
    /// let denial = decide(&kind, &Liveness::ACTIVE, Action::READ, &users, Timestamp::EPOCH).unwrap_err();
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
impl<A: AsAction, R: AsResource> From<Result<Permit<A, R>, Denial>> for Decision {
    fn from(decision: Result<Permit<A, R>, Denial>) -> Self {
        decision.map_or_else(Self::Denied, |permit| Self::Allowed { revision: permit.revision() })
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

/// Decides on a request, given what of it is granted.
#[inline]
pub(crate) fn judge(action: Action, granted: Access, resource: &Resource, revision: Option<u64>) -> Result<(), Denial> {
    if action.is_in(granted) {
        return Ok(());
    }
    // What is granted is left out; a verb is missing as a whole.
    let action = action.missing(granted).unwrap_or(action);
    Err(Denial { reason: Reason::NotPermitted, action, resource: *resource, revision })
}

/// Decides, as a pure function: may a token of this kind, in this state, at this time, do this to that resource?
///
/// It is total: without I/O, clock or state, and without allocation. [`Principal::authorize`](crate::Principal::authorize)
/// gives the same answer for a token that an authority holds, with a [`Permit`] as proof.
///
/// ```
/// use portcullis::{Action, Liveness, OrgId, Resource, Timestamp, TokenKind, decide, resource_type};
///
/// let acme: OrgId = "0a1b2c3d4e5f6071".parse()?;
/// let (kind, live, now) = (TokenKind::all_access(acme), Liveness::ACTIVE, Timestamp::EPOCH);
///
/// let invoices = Resource::within(acme, resource_type!("invoices"));
/// assert!(decide(&kind, &live, Action::WRITE, &invoices, now).is_ok());
///
/// let denial = decide(&kind, &live, Action::WRITE, &Resource::INSTANCE, now).unwrap_err();
/// assert_eq!(denial.to_string(), "missing permission `write:instance`");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// - Why the token is refused, as by [`Liveness::check`].
/// - [`Reason::NotPermitted`]: a permission is missing. [`Denial::missing`] names it.
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
