//! Whether a token is accepted, whatever it asks for.

use crate::model::expiry::Expiry;
use crate::model::reason::Reason;
use crate::model::status::{Standing, Status};
use crate::model::time::Timestamp;

/// Everything besides its permissions that decides whether a token is accepted (design rule 2).
///
/// ```
/// use portcullis::{Liveness, Reason, Standing, Timestamp};
///
/// let live = Liveness::ACTIVE.expires_at(Timestamp::MAX);
/// assert_eq!(live.check(|| Timestamp::EPOCH), Ok(()));
/// assert_eq!(live.owner(Standing::Suspended).check(|| Timestamp::EPOCH), Err(Reason::OwnerSuspended));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Liveness {
    /// The token's own status.
    pub status: Status,
    /// When the token expires.
    pub expires_at: Expiry,
    /// The standing of the token's owner.
    pub owner: Standing,
    /// The standing of the token's organization; [`Standing::Active`] for a token without one.
    pub organization: Standing,
}

impl Liveness {
    /// Of a token that nothing is against and that never expires.
    pub const ACTIVE: Self = Self {
        status: Status::Active,
        expires_at: Expiry::Never,
        owner: Standing::Active,
        organization: Standing::Active,
    };

    /// Sets the token's own status.
    #[must_use]
    pub const fn status(mut self, status: Status) -> Self {
        self.status = status;
        self
    }

    /// Sets when the token expires.
    #[must_use]
    pub fn expires_at(mut self, expiry: impl Into<Expiry>) -> Self {
        self.expires_at = expiry.into();
        self
    }

    /// Sets the standing of the token's owner.
    #[must_use]
    pub const fn owner(mut self, standing: Standing) -> Self {
        self.owner = standing;
        self
    }

    /// Sets the standing of the token's organization.
    #[must_use]
    pub const fn organization(mut self, standing: Standing) -> Self {
        self.organization = standing;
        self
    }

    /// Returns `Ok` where a token like this is accepted at the time that `now` returns. `now` is called only where the
    /// token expires and nothing else is against it.
    ///
    /// # Errors
    /// The first of these that is so, in this order:
    ///
    /// - [`Reason::Inactive`], [`Reason::Revoked`]: the token's own status.
    /// - [`Reason::OwnerSuspended`], [`Reason::OwnerDeleted`].
    /// - [`Reason::OrganizationSuspended`], [`Reason::OrganizationDeleted`].
    /// - [`Reason::Expired`].
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
