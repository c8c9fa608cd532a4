//! Why a management call fails, and why a secret is not accepted.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::index::catalog::Incomplete;
use crate::model::decision::Denial;
use crate::model::id::{OrgId, TokenId, UserId};
use crate::model::kind::{KindError, KindName};
use crate::model::permission_set::PermissionSet;
use crate::model::reason::Reason;
use crate::model::time::Timestamp;
use crate::random::RandomError;
use crate::secret::SecretError;
use crate::store::StoreError;

/// Why a management call failed. Unless it says otherwise, nothing changed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // Who is asking.
    /// The actor's own token is not accepted any more (design rule 2).
    #[error("the acting token is not accepted: {0}")]
    NotAccepted(Reason),
    /// The principal was authenticated by another authority.
    #[error("the acting principal belongs to another authority")]
    Foreign,
    /// The actor lacks a permission.
    #[error(transparent)]
    Denied(Denial),
    /// The call needs an Operator, or the host.
    #[error("{0} needs an operator token")]
    OperatorsOnly(&'static str),
    /// The token would have, or has, permissions that the actor lacks (design rules 10 and 11).
    #[error("the acting token does not have {}", First(.0))]
    Exceeds(PermissionSet),
    /// The token would be accepted longer than the actor's own (design rule 10).
    #[error("the acting token expires at {0}, and the other would outlive it")]
    Outlives(Timestamp),
    /// A token can give neither itself nor one that it was created under a new secret (design rule 11): else a thief
    /// would make another token and lock the owner out.
    #[error("a token can rotate neither itself nor one that it was created under: a thief would lock the owner out")]
    RotatesItself,

    // What is asked.
    /// No such token, or none that the actor may see.
    #[error("token `{0}` not found")]
    NotFound(TokenId),
    /// The token was revoked, which is final (design rule 17).
    #[error("token `{0}` is revoked, which is final; create a new one")]
    Revoked(TokenId),
    /// The token changed since the caller read it (design rule 13).
    #[error("token `{token}` is at revision {found}, not {expected}; read it again")]
    RevisionMismatch {
        /// The token.
        token: TokenId,
        /// The revision that the caller read.
        expected: u64,
        /// The revision that it is at.
        found: u64,
    },
    /// Permissions that make no token.
    #[error(transparent)]
    Kind(#[from] KindError),
    /// A token never changes organization.
    #[error("a token cannot move to another organization")]
    Moves,
    /// A host must say whose token it is.
    #[error("a token made by the host needs an owner")]
    NoOwner,
    /// The time is not in the future.
    #[error("the expiry {0} is not in the future")]
    Past(Timestamp),
    /// The description is too long.
    #[error("a description has at most {max} bytes, this one has {0}", max = crate::NewToken::MAX_DESCRIPTION)]
    LongDescription(usize),
    /// The description has a control character at this position (in bytes).
    #[error("a description has no control characters, this one has one at position {0}")]
    ControlCharacter(usize),
    /// The chosen secret is refused (design rule 14).
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A token has, or is remembered to have had, the chosen secret (design rule 14).
    #[error("the chosen secret was used before")]
    SecretTaken,
    /// The chain of tokens that created each other is too long.
    #[error("a chain of tokens that created each other has at most {max} links", max = crate::NewToken::MAX_LINEAGE)]
    LongLineage,
    /// The owner was deleted.
    #[error("owner `{0}` was deleted")]
    OwnerDeleted(UserId),
    /// The organization was deleted.
    #[error("organization `{0}` was deleted")]
    OrganizationDeleted(OrgId),
    /// Setup was done before (design rule 9).
    #[error("setup was done before; an operator, or the host, makes further operator tokens")]
    AlreadySetUp,

    // How it went.
    /// Others kept changing the store. Nothing changed; try again.
    #[error("the store is busy: others changed it {0} times meanwhile; try again")]
    Busy(u32),
    /// The store failed. Nothing changed.
    #[error("the store failed, nothing changed")]
    Store(#[source] Arc<StoreError>),
    /// The store failed and did not say whether the change happened. It is settled as soon as the store answers again,
    /// and published if it happened. Read the token to see.
    #[error("the store failed and the change is in doubt; read it back later to see")]
    InDoubt(#[source] Arc<StoreError>),
    /// The call needs several commits and failed after some of them. Repeat it for the rest.
    #[error("stopped after {changed} changes; call again for the rest")]
    Unfinished {
        /// How many records it did change.
        changed: usize,
        /// Why it stopped.
        source: Box<Error>,
    },
    /// The store's history is not the one that was followed, and it is being read anew; or the authority is closed, where
    /// waiting does not help.
    #[error("the authority is closed or reading its store anew")]
    Unavailable,
    /// The store could not be read for too long ([`Builder::stale_after`](crate::Builder::stale_after)).
    #[error("the authority could not read its store for too long")]
    Stale,
    /// The operating system gave no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The store was written by a newer version of this library.
    #[error("the store has format {0}, this version knows up to {newest}; use a newer version", newest = crate::store::Record::NEWEST_FORMAT)]
    NewerFormat(u8),
    /// The current and the previous pepper have the same id, so that one of them would never be used.
    #[error("the current and the previous pepper have the same id `{0}`")]
    SamePepperId(char),
    /// The store would be read less often than the authority denies without a reading.
    #[error(
        "following the store every {follow:?} cannot keep the view younger than {stale_after:?}; follow it more often, or choose a longer `stale_after`"
    )]
    FollowsTooRarely {
        /// [`Builder::follow`](crate::Builder::follow).
        follow: Duration,
        /// [`Builder::stale_after`](crate::Builder::stale_after).
        stale_after: Duration,
    },
    /// The management thread could not be started.
    #[error("the management thread could not be started")]
    Thread(#[source] Arc<std::io::Error>),
    /// The authority was closed before it answered.
    #[error("the authority is closed")]
    Closed,
}

impl Error {
    /// Whether the actor may not do this: its token, its permissions, or its kind. An HTTP host answers 401 or 403, but for
    /// [`Foreign`](Self::Foreign), which is the host's own mistake.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        match self {
            Self::NotAccepted(_)
            | Self::Foreign
            | Self::Denied(_)
            | Self::OperatorsOnly(_)
            | Self::Exceeds(_)
            | Self::Outlives(_)
            | Self::RotatesItself => true,
            Self::Unfinished { source, .. } => source.is_refusal(),
            _ => false,
        }
    }

    /// Whether the same call may work later, without a change to it.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        match self {
            Self::Busy(_) | Self::Store(_) | Self::InDoubt(_) | Self::Unavailable | Self::Stale | Self::Random(_) => {
                true
            }
            Self::Unfinished { source, .. } => source.is_temporary(),
            _ => false,
        }
    }

    /// Why a principal does not act: it is not accepted, or nobody is for now.
    pub(crate) const fn not_accepted(reason: Reason) -> Self {
        match reason {
            Reason::Stale => Self::Stale,
            Reason::Unavailable => Self::Unavailable,
            reason => Self::NotAccepted(reason),
        }
    }

    pub(crate) fn exceeds(wanted: &PermissionSet, actor: &PermissionSet) -> Self {
        Self::Exceeds(wanted.not_covered_by(actor))
    }

    pub(crate) const fn operators_only(kind: KindName) -> Self {
        Self::OperatorsOnly(match kind {
            KindName::Operator => "managing an operator token",
            _ => "managing a token without an organization",
        })
    }
}

/// The first of many permissions: whoever asks for thousands must not fill the host's log with them.
struct First<'a>(&'a PermissionSet);

/// How many that is.
const SHOWN: usize = 8;

impl fmt::Display for First<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, permission) in self.0.iter().take(SHOWN).enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}`{permission}`")?;
        }
        match self.0.iter().count().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl From<Incomplete> for Error {
    fn from(_: Incomplete) -> Self {
        Self::Unavailable
    }
}

/// A secret is not accepted.
///
/// Its text says only that, which is all that a client should be told; [`reason`](Self::reason) is for the host.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is not accepted")]
pub struct AuthenticateError {
    pub(crate) reason: Reason,
}

impl AuthenticateError {
    /// Why (design rule 2).
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }
}

impl fmt::Debug for AuthenticateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthenticateError({:?})", self.reason)
    }
}

/// Why a secret does not authorize a request: what [`Authority::authorize`](crate::Authority::authorize) fails with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizeError {
    /// The secret is not accepted, whatever it is asked for. An HTTP host answers 401, or 503 where that
    /// [is temporary](AuthorizeError::is_temporary) and says nothing about the secret.
    #[error(transparent)]
    Unauthenticated(#[from] AuthenticateError),
    /// Its token may not do this. An HTTP host answers 403.
    #[error(transparent)]
    Denied(#[from] Denial),
}

impl AuthorizeError {
    /// Why (design rules 2 and 8).
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Unauthenticated(error) => error.reason(),
            Self::Denied(denial) => denial.reason(),
        }
    }

    /// Whether the authority cannot tell for now, which says nothing about the secret.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        self.reason().is_temporary()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_tell_who_may_not_from_what_cannot_be_and_what_may_work_later() {
        let unfinished = |source| Error::Unfinished { changed: 1, source: Box::new(source) };
        let store = || Arc::new(StoreError::new("full"));
        let id = TokenId::try_from(1).unwrap();
        let refusals = [
            Error::NotAccepted(Reason::Revoked),
            Error::Foreign,
            Error::OperatorsOnly("this"),
            Error::Exceeds(PermissionSet::empty()),
            Error::Outlives(Timestamp::EPOCH),
            Error::RotatesItself,
            unfinished(Error::Foreign),
        ];
        let temporary = [
            Error::Busy(10),
            Error::Store(store()),
            Error::InDoubt(store()),
            Error::Unavailable,
            Error::Stale,
            unfinished(Error::Busy(10)),
        ];
        let final_ones = [Error::NotFound(id), Error::Moves, Error::Closed, unfinished(Error::NotFound(id))];
        for (errors, expected) in
            [(refusals.as_slice(), (true, false)), (&temporary, (false, true)), (&final_ones, (false, false))]
        {
            for error in errors {
                assert_eq!((error.is_refusal(), error.is_temporary()), expected, "{error}");
            }
        }
    }

    #[test]
    fn why_a_secret_does_not_authorize_may_be_temporary() {
        for (reason, temporary) in [(Reason::Revoked, false), (Reason::Stale, true), (Reason::Unavailable, true)] {
            let error = AuthorizeError::from(AuthenticateError { reason });
            assert_eq!((error.reason(), error.is_temporary()), (reason, temporary));
        }
    }
}
