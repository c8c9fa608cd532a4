//! Why a token is not accepted, or a request is denied.

use std::fmt;

/// Why a token is not accepted, or a request is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The token was deactivated. It can be reactivated.
    Inactive,
    /// The token was revoked, which is final.
    Revoked,
    /// The token has expired.
    Expired,
    /// The token's owner is suspended.
    OwnerSuspended,
    /// The token's owner was deleted.
    OwnerDeleted,
    /// The token's organization is suspended.
    OrganizationSuspended,
    /// The token's organization was deleted.
    OrganizationDeleted,
    /// No token has the secret: none ever had it, it was replaced, or its token was deleted.
    Unknown,
    /// The secret has the prefix of generated secrets but not their form, or no secret can look like this: it was mistyped
    /// or cut off.
    Malformed,
    /// The token does not have the permission.
    NotPermitted,
    /// The authority could not read its store for too long, so it may have missed a revocation made elsewhere
    /// ([`AuthorityBuilder::stale_after`](crate::AuthorityBuilder::stale_after)).
    Stale,
    /// The authority cannot tell: it was closed, or it is reading its whole store again.
    Unavailable,
}

impl Reason {
    /// Returns a stable name for logs and metrics: `revoked`, `notPermitted`.
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

    /// Reports whether the authority cannot tell for now. That says nothing about the token.
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
