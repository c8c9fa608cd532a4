//! Why a management call fails, and why a secret is not accepted.

use std::fmt;
use std::sync::Arc;

use crate::authority::open_error::OpenError;
use crate::index::catalog::Incomplete;
use crate::model::decision::Denial;
use crate::model::id::{IdError, OrgId, TokenId, UserId};
use crate::model::kind::{KindError, KindName};
use crate::model::pattern::PatternError;
use crate::model::permission::PermissionError;
use crate::model::permission_set::PermissionSet;
use crate::model::reason::Reason;
use crate::model::resource_type::ResourceTypeError;
use crate::model::time::Timestamp;
use crate::random::RandomError;
use crate::secret::SecretError;
use crate::store::StoreError;

/// Why a management call failed. Unless it says otherwise, nothing changed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // Who is asking.
    /// The actor's own token is not accepted any more ([design rule 2](crate::_rules)).
    #[error("the acting token is not accepted: {0}")]
    NotAccepted(Reason),
    /// The principal was authenticated by another authority.
    #[error("the acting principal belongs to another authority")]
    Foreign,
    /// The actor lacks a permission.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The call needs an Operator, or the host.
    #[error("{0} needs an operator token")]
    OperatorsOnly(&'static str),
    /// The token would have, or has, permissions that the actor lacks ([design rules 10 and 11](crate::_rules)).
    #[error("the acting token does not have {}", First(.0))]
    Exceeds(PermissionSet),
    /// The token would be accepted longer than the actor's own ([design rule 10](crate::_rules)).
    #[error("the acting token expires at {0}, and the other would outlive it")]
    Outlives(Timestamp),
    /// A token cannot rotate itself, nor a token that it was created under ([design rule 11](crate::_rules)). Otherwise a thief could
    /// lock the owner out.
    #[error("a token can rotate neither itself nor one that it was created under: a thief would lock the owner out")]
    RotatesItself,

    // What is asked.
    /// No such token, or none that the actor may see.
    #[error("token `{0}` not found")]
    NotFound(TokenId),
    /// The token was revoked, which is final ([design rule 17](crate::_rules)).
    #[error("token `{0}` is revoked, which is final; create a new one")]
    Revoked(TokenId),
    /// The token changed since the caller read it ([design rule 13](crate::_rules)).
    #[error("token `{token}` is at revision {found}, not {expected}; read it again")]
    RevisionMismatch {
        /// The token.
        token: TokenId,
        /// The revision that the caller read.
        expected: u64,
        /// The revision that it is at.
        found: u64,
    },
    /// The permissions are not valid for a token.
    #[error(transparent)]
    Kind(#[from] KindError),
    /// A text is not an id. No method of an authority returns this; it exists for `?`.
    #[error(transparent)]
    Id(#[from] IdError),
    /// A text is not a permission. No method of an authority returns this; it exists for `?`.
    #[error(transparent)]
    Permission(#[from] PermissionError),
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
    /// The chosen secret is refused ([design rule 14](crate::_rules)).
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A token has, or is remembered to have had, the chosen secret ([design rule 14](crate::_rules)).
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
    /// Setup was done before ([design rule 9](crate::_rules)).
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
    /// The store's history differs from the one that was followed, and the store is being read again from the start. Or the
    /// authority is closed: then waiting does not help.
    #[error("the authority is closed or reading its store anew")]
    Unavailable,
    /// The store could not be read for too long ([`AuthorityBuilder::stale_after`](crate::AuthorityBuilder::stale_after)).
    #[error("the authority could not read its store for too long")]
    Stale,
    /// The operating system gave no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The authority was not opened. No method of an open authority returns this; it exists for `?`.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A newer version of this library has written to the store since it was opened.
    #[error("the store has format {0}, this version knows up to {newest}; use a newer version", newest = crate::store::Record::NEWEST_FORMAT)]
    NewerFormat(u8),
    /// The authority was closed before it answered; or the answer of a [`Pending`](crate::Pending) was taken before.
    #[error("the authority is closed")]
    Closed,
}

impl Error {
    /// Returns the HTTP status that fits the error, as a number.
    ///
    /// | status | errors |
    /// | --- | --- |
    /// | 400 | [`Kind`](Self::Kind), [`Id`](Self::Id), [`Permission`](Self::Permission), [`Moves`](Self::Moves), [`NoOwner`](Self::NoOwner), [`Past`](Self::Past), [`LongDescription`](Self::LongDescription), [`ControlCharacter`](Self::ControlCharacter), [`Secret`](Self::Secret), [`OwnerDeleted`](Self::OwnerDeleted), [`OrganizationDeleted`](Self::OrganizationDeleted) |
    /// | 401 | [`NotAccepted`](Self::NotAccepted) |
    /// | 403 | [`Denied`](Self::Denied), [`OperatorsOnly`](Self::OperatorsOnly), [`Exceeds`](Self::Exceeds), [`Outlives`](Self::Outlives), [`RotatesItself`](Self::RotatesItself) |
    /// | 404 | [`NotFound`](Self::NotFound) |
    /// | 409 | [`Revoked`](Self::Revoked), [`SecretTaken`](Self::SecretTaken), [`AlreadySetUp`](Self::AlreadySetUp) |
    /// | 412 | [`RevisionMismatch`](Self::RevisionMismatch) |
    /// | 422 | [`LongLineage`](Self::LongLineage) |
    /// | 500 | [`Foreign`](Self::Foreign), [`Open`](Self::Open), [`NewerFormat`](Self::NewerFormat) |
    /// | 503 | [`Busy`](Self::Busy), [`Store`](Self::Store), [`InDoubt`](Self::InDoubt), [`Unavailable`](Self::Unavailable), [`Stale`](Self::Stale), [`Random`](Self::Random), [`Closed`](Self::Closed) |
    /// | its source's | [`Unfinished`](Self::Unfinished) |
    ///
    /// InfluxDB's clients know a few of them by other numbers; the crate `portcullis-http` gives them those.
    ///
    /// ```
    /// use portcullis::{Actor, Authority, MemoryStore, TokenId};
    ///
    /// let authority = Authority::open(MemoryStore::new()).wait()?;
    /// let error = authority.get(Actor::host("example"), TokenId::generate()?).unwrap_err();
    /// assert_eq!(error.status(), 404);
    /// # Ok::<(), portcullis::Error>(())
    /// ```
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Kind(_)
            | Self::Id(_)
            | Self::Permission(_)
            | Self::Moves
            | Self::NoOwner
            | Self::Past(_)
            | Self::LongDescription(_)
            | Self::ControlCharacter(_)
            | Self::Secret(_)
            | Self::OwnerDeleted(_)
            | Self::OrganizationDeleted(_) => 400,
            Self::NotAccepted(_) => 401,
            Self::Denied(_) | Self::OperatorsOnly(_) | Self::Exceeds(_) | Self::Outlives(_) | Self::RotatesItself => {
                403
            }
            Self::NotFound(_) => 404,
            Self::Revoked(_) | Self::SecretTaken | Self::AlreadySetUp => 409,
            Self::RevisionMismatch { .. } => 412,
            Self::LongLineage => 422,
            Self::Foreign | Self::Open(_) | Self::NewerFormat(_) => 500,
            Self::Busy(_)
            | Self::Store(_)
            | Self::InDoubt(_)
            | Self::Unavailable
            | Self::Stale
            | Self::Random(_)
            | Self::Closed => 503,
            Self::Unfinished { source, .. } => source.status(),
        }
    }

    /// Reports whether there is no such token, or none that the actor may see: [`NotFound`](Self::NotFound).
    ///
    /// ```
    /// use portcullis::{Error, TokenId};
    ///
    /// assert!(Error::NotFound(TokenId::generate()?).is_not_found());
    /// # Ok::<(), portcullis::RandomError>(())
    /// ```
    #[must_use]
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    /// Reports whether the call does not fit what is in the store now: the token is [revoked](Self::Revoked) or
    /// [changed meanwhile](Self::RevisionMismatch), the secret is [taken](Self::SecretTaken), or setup was
    /// [done before](Self::AlreadySetUp).
    ///
    /// ```
    /// use portcullis::Error;
    ///
    /// assert!(Error::AlreadySetUp.is_conflict());
    /// ```
    #[must_use]
    pub const fn is_conflict(&self) -> bool {
        matches!(self, Self::Revoked(_) | Self::RevisionMismatch { .. } | Self::SecretTaken | Self::AlreadySetUp)
    }

    /// Reports whether the actor may not do this: its token, its permissions, or its kind. An HTTP host answers 401 or 403,
    /// except for [`Foreign`](Self::Foreign), which is a mistake of the host.
    ///
    /// ```
    /// use portcullis::{Error, Reason};
    ///
    /// assert!(Error::NotAccepted(Reason::Revoked).is_refusal());
    /// assert!(!Error::Closed.is_refusal());
    /// ```
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

    /// Reports whether the same call, unchanged, may succeed later.
    ///
    /// ```
    /// use portcullis::Error;
    ///
    /// assert!(Error::Stale.is_temporary());
    /// assert!(!Error::Closed.is_temporary());
    /// ```
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        match self {
            Self::Busy(_) | Self::Store(_) | Self::InDoubt(_) | Self::Unavailable | Self::Stale | Self::Random(_) => {
                true
            }
            Self::Open(error) => error.is_temporary(),
            Self::Unfinished { source, .. } => source.is_temporary(),
            _ => false,
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

/// The first of many permissions. A caller that asks for thousands must not fill the host's log with them.
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

/// The actor is not accepted; or nobody is for now: [`Error::Stale`], [`Error::Unavailable`].
impl From<Reason> for Error {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Stale => Self::Stale,
            Reason::Unavailable => Self::Unavailable,
            reason => Self::NotAccepted(reason),
        }
    }
}

/// The same as of its [reason](AuthenticateError::reason).
impl From<AuthenticateError> for Error {
    fn from(error: AuthenticateError) -> Self {
        error.reason.into()
    }
}

impl From<AuthorizeError> for Error {
    fn from(error: AuthorizeError) -> Self {
        match error {
            AuthorizeError::Unauthenticated(error) => error.into(),
            AuthorizeError::Denied(denial) => denial.into(),
        }
    }
}

impl From<ResourceTypeError> for Error {
    fn from(error: ResourceTypeError) -> Self {
        PatternError::from(error).into()
    }
}

impl From<PatternError> for Error {
    fn from(error: PatternError) -> Self {
        Self::Permission(error.into())
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
    /// Returns why ([design rule 2](crate::_rules)).
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
    /// Returns why ([design rules 2 and 8](crate::_rules)).
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Unauthenticated(error) => error.reason(),
            Self::Denied(denial) => denial.reason(),
        }
    }

    /// Reports whether the authority cannot tell for now. That says nothing about the secret.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        self.reason().is_temporary()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::action::{Access, Action};
    use crate::model::decision::judge;
    use crate::model::resource::Resource;

    /// What the methods say of an error.
    #[derive(Debug, PartialEq)]
    enum Said {
        Nothing,
        NotFound,
        Conflict,
        Refusal,
        Temporary,
    }

    fn said(error: &Error) -> Said {
        let methods = [
            (error.is_not_found(), Said::NotFound),
            (error.is_conflict(), Said::Conflict),
            (error.is_refusal(), Said::Refusal),
            (error.is_temporary(), Said::Temporary),
        ];
        let mut said = methods.into_iter().filter_map(|(is, what)| is.then_some(what));
        let first = said.next().unwrap_or(Said::Nothing);
        assert_eq!(said.next(), None, "{error}");
        first
    }

    /// A new variant does not compile here: it needs a line in the table, too.
    fn number(error: &Error) -> usize {
        match error {
            Error::NotAccepted(_) => 0,
            Error::Foreign => 1,
            Error::Denied(_) => 2,
            Error::OperatorsOnly(_) => 3,
            Error::Exceeds(_) => 4,
            Error::Outlives(_) => 5,
            Error::RotatesItself => 6,
            Error::NotFound(_) => 7,
            Error::Revoked(_) => 8,
            Error::RevisionMismatch { .. } => 9,
            Error::Kind(_) => 10,
            Error::Id(_) => 11,
            Error::Permission(_) => 12,
            Error::Moves => 13,
            Error::NoOwner => 14,
            Error::Past(_) => 15,
            Error::LongDescription(_) => 16,
            Error::ControlCharacter(_) => 17,
            Error::Secret(_) => 18,
            Error::SecretTaken => 19,
            Error::LongLineage => 20,
            Error::OwnerDeleted(_) => 21,
            Error::OrganizationDeleted(_) => 22,
            Error::AlreadySetUp => 23,
            Error::Busy(_) => 24,
            Error::Store(_) => 25,
            Error::InDoubt(_) => 26,
            Error::Unfinished { .. } => 27,
            Error::Unavailable => 28,
            Error::Stale => 29,
            Error::Random(_) => 30,
            Error::Open(_) => 31,
            Error::NewerFormat(_) => 32,
            Error::Closed => 33,
        }
    }

    #[test]
    fn every_error_has_a_status_and_at_most_one_class() {
        let unfinished = |source| Error::Unfinished { changed: 1, source: Box::new(source) };
        let store = || Arc::new(StoreError::new("full"));
        let token = TokenId::try_from(1).unwrap();
        let denial = judge(Action::READ, Access::empty(), &Resource::INSTANCE, None).unwrap_err();
        let table = [
            (Error::NotAccepted(Reason::Revoked), 401, Said::Refusal),
            (Error::Foreign, 500, Said::Refusal),
            (Error::Denied(denial), 403, Said::Refusal),
            (Error::OperatorsOnly("this"), 403, Said::Refusal),
            (Error::Exceeds(PermissionSet::empty()), 403, Said::Refusal),
            (Error::Outlives(Timestamp::EPOCH), 403, Said::Refusal),
            (Error::RotatesItself, 403, Said::Refusal),
            (Error::NotFound(token), 404, Said::NotFound),
            (Error::Revoked(token), 409, Said::Conflict),
            (Error::RevisionMismatch { token, expected: 1, found: 2 }, 412, Said::Conflict),
            (Error::Kind(KindError::Empty), 400, Said::Nothing),
            (Error::Id(IdError::Empty), 400, Said::Nothing),
            (Error::Permission(PermissionError::Form), 400, Said::Nothing),
            (Error::Moves, 400, Said::Nothing),
            (Error::NoOwner, 400, Said::Nothing),
            (Error::Past(Timestamp::EPOCH), 400, Said::Nothing),
            (Error::LongDescription(2_000), 400, Said::Nothing),
            (Error::ControlCharacter(1), 400, Said::Nothing),
            (Error::Secret(SecretError::TooLong(600)), 400, Said::Nothing),
            (Error::SecretTaken, 409, Said::Conflict),
            (Error::LongLineage, 422, Said::Nothing),
            (Error::OwnerDeleted(UserId::try_from(1).unwrap()), 400, Said::Nothing),
            (Error::OrganizationDeleted(OrgId::try_from(1).unwrap()), 400, Said::Nothing),
            (Error::AlreadySetUp, 409, Said::Conflict),
            (Error::Busy(10), 503, Said::Temporary),
            (Error::Store(store()), 503, Said::Temporary),
            (Error::InDoubt(store()), 503, Said::Temporary),
            (unfinished(Error::Foreign), 500, Said::Refusal),
            (unfinished(Error::Busy(10)), 503, Said::Temporary),
            (unfinished(Error::NotFound(token)), 404, Said::Nothing),
            (Error::Unavailable, 503, Said::Temporary),
            (Error::Stale, 503, Said::Temporary),
            (Error::Random(RandomError::EMPTY), 503, Said::Temporary),
            (Error::Open(OpenError::Ended), 500, Said::Nothing),
            (Error::Open(OpenError::Store(store())), 500, Said::Temporary),
            (Error::NewerFormat(2), 500, Said::Nothing),
            (Error::Closed, 503, Said::Nothing),
        ];
        for (error, status, expected) in &table {
            assert_eq!((error.status(), &said(error)), (*status, expected), "{error}");
        }
        let mut numbers: Vec<_> = table.iter().map(|(error, ..)| number(error)).collect();
        numbers.dedup();
        assert!(numbers.into_iter().eq(0..34), "an error is not in the table");
    }

    #[test]
    fn every_error_is_a_wider_one_by_question_mark() {
        fn wide<E: Into<Error>>(error: E) -> String {
            error.into().to_string()
        }
        let refused = |reason| AuthenticateError { reason };
        let denial = judge(Action::READ, Access::empty(), &Resource::INSTANCE, None).unwrap_err();
        let texts = [
            (wide(refused(Reason::Revoked)), "the acting token is not accepted: the token is revoked"),
            (wide(AuthorizeError::from(refused(Reason::Stale))), "the authority could not read its store for too long"),
            (wide(AuthorizeError::from(denial)), "missing permission `read:instance`"),
            (wide(denial), "missing permission `read:instance`"),
            (wide(Reason::Unavailable), "the authority is closed or reading its store anew"),
            (wide(KindError::Empty), "a token needs at least one permission"),
            (wide(IdError::Nil), "an id cannot be zero"),
            (wide(PermissionError::Form), "a permission is written `action:[orgs/ORG/]type[/ID]`"),
            (wide(ResourceTypeError::Empty), "a resource type's name cannot be empty"),
            (wide(OpenError::SamePepperId('k')), "the current and the previous pepper have the same id `k`"),
            (wide(RandomError::EMPTY), "the operating system gave no randomness"),
        ];
        for (text, expected) in texts {
            assert_eq!(text, expected);
        }
        assert_eq!(wide(PatternError::Instance), PatternError::Instance.to_string());
        assert_eq!(wide(SecretError::TooLong(600)), SecretError::TooLong(600).to_string());
        // What the store said is kept.
        let opened = Error::from(OpenError::Store(Arc::new(StoreError::new("full"))));
        assert_eq!(std::error::Error::source(&opened).unwrap().to_string(), "full");
    }

    #[test]
    fn why_a_secret_does_not_authorize_may_be_temporary() {
        for (reason, temporary) in [(Reason::Revoked, false), (Reason::Stale, true), (Reason::Unavailable, true)] {
            let error = AuthorizeError::from(AuthenticateError { reason });
            assert_eq!((error.reason(), error.is_temporary()), (reason, temporary));
        }
    }
}
