//! A token as people see it.

use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::model::id::{OrgId, TokenId, UserId};
use crate::model::kind::TokenKind;
use crate::model::liveness::Liveness;
use crate::model::reason::Reason;
use crate::model::status::Status;
use crate::model::time::Timestamp;

/// Who created a token. Stored for good.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Creator {
    /// The host itself, under this label. The label of setup is `setup`.
    Host(Arc<str>),
    /// A token: the last of these. Each one before it created the next.
    Token(Arc<[TokenId]>),
}

impl Creator {
    /// Returns the token that created it, if one did.
    #[must_use]
    pub fn token(&self) -> Option<TokenId> {
        self.lineage().last().copied()
    }

    /// Returns the chain of creators: from the token that the host made to the one that created this.
    #[must_use]
    pub fn lineage(&self) -> &[TokenId] {
        match self {
            Self::Host(_) => &[],
            Self::Token(lineage) => lineage,
        }
    }
}

impl fmt::Display for Creator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.token()) {
            (Self::Host(label), _) => write!(f, "host: {label}"),
            (Self::Token(_), Some(token)) => write!(f, "token: {token}"),
            (Self::Token(_), None) => f.write_str("token"),
        }
    }
}

/// A token as it is at one revision: everything but its secret.
///
/// Serializes for people, in `InfluxDB`'s field names where it has them. Neither secret nor digest is part of it
/// (design rule 20).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub(crate) id: TokenId,
    pub(crate) kind: TokenKind,
    pub(crate) owner: UserId,
    pub(crate) description: Arc<str>,
    pub(crate) creator: Creator,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) last_used_at: Option<Timestamp>,
    pub(crate) liveness: Liveness,
    pub(crate) revision: u64,
}

impl Token {
    /// Returns its public name.
    #[must_use]
    pub const fn id(&self) -> TokenId {
        self.id
    }

    /// Returns its kind: what it may do.
    #[must_use]
    pub const fn kind(&self) -> &TokenKind {
        &self.kind
    }

    /// Returns the organization that it belongs to, for good; `None` for an Operator token and for one made without.
    #[must_use]
    pub const fn organization(&self) -> Option<OrgId> {
        self.kind.organization()
    }

    /// Returns the user that it belongs to, for good.
    #[must_use]
    pub const fn owner(&self) -> UserId {
        self.owner
    }

    /// Returns what people wrote about it.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Returns who created it.
    #[must_use]
    pub const fn creator(&self) -> &Creator {
        &self.creator
    }

    /// Returns its status. A token that is [`Status::Active`] may be refused all the same: see [`check`](Self::check).
    #[must_use]
    pub const fn status(&self) -> Status {
        self.liveness.status
    }

    /// Returns `Ok` where it is accepted at that time, as far as was known when it was read.
    ///
    /// # Errors
    /// Why it is refused, as by [`Liveness::check`].
    pub fn check(&self, now: Timestamp) -> Result<(), Reason> {
        self.liveness.check(|| now)
    }

    /// Returns when it was created.
    #[must_use]
    pub const fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// Returns when it was last changed; the time of its creation where it never was.
    #[must_use]
    pub const fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// Returns from when on it is refused; `None` for never.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Timestamp> {
        self.liveness.expires_at.time()
    }

    /// Returns when its secret was last accepted, to about a second; `None` for never. It is kept in memory and written
    /// once a minute by default: a crash can lose the last ones.
    #[must_use]
    pub const fn last_used_at(&self) -> Option<Timestamp> {
        self.last_used_at
    }

    /// Returns the store's revision at which it last changed. A conditional [`Update`](crate::Update) compares it.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut token = serializer.serialize_struct("Token", 14)?;
        token.serialize_field("id", &self.id)?;
        token.serialize_field("kind", &self.kind.name())?;
        token.serialize_field("status", &self.status())?;
        token.serialize_field("description", &*self.description)?;
        token.serialize_field("orgID", &self.organization())?;
        token.serialize_field("userID", &self.owner)?;
        token.serialize_field("permissions", self.kind.permissions())?;
        token.serialize_field("createdBy", &self.creator.to_string())?;
        token.serialize_field("createdAt", &self.created_at)?;
        token.serialize_field("updatedAt", &self.updated_at)?;
        token.serialize_field("expiresAt", &self.expires_at())?;
        token.serialize_field("lastUsedAt", &self.last_used_at)?;
        token.serialize_field("revision", &self.revision)?;
        token.serialize_field("refused", &self.liveness_without_time())?;
        token.end()
    }
}

impl Token {
    /// Why it is refused whatever the time, for people; expiry they see beside it. At the beginning of time nothing has expired.
    fn liveness_without_time(&self) -> Option<&'static str> {
        self.liveness.check(|| Timestamp::EPOCH).err().map(Reason::as_str)
    }
}
