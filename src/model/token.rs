//! A token as people see it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use crate::model::decision::{Liveness, Reason};
use crate::model::id::{OrgId, TokenId, UserId};
use crate::model::kind::TokenKind;
use crate::model::time::Timestamp;

/// A token's own status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// In use.
    Active,
    /// Refused until it is reactivated.
    Inactive,
    /// Refused for good.
    Revoked,
}

impl Status {
    const ALL: [Self; 3] = [Self::Active, Self::Inactive, Self::Revoked];

    /// The name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Revoked => "revoked",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown status, expected `active`, `inactive` or `revoked`")]
pub struct UnknownStatus;

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(name: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == name).ok_or(UnknownStatus)
    }
}

/// Where an owner or an organization stands. One record says it for all their tokens (design rule 16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// Nothing against it. Also of those that no one ever said anything about.
    Active,
    /// Its tokens are refused until it is restored.
    Suspended,
    /// Its tokens are refused for good.
    Deleted,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
        })
    }
}

/// Who created a token. Stored for good.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Creator {
    /// The host itself, under this label; setup's is `setup`.
    Host(Arc<str>),
    /// A token. The last of these created it, each one before created the next.
    Token(Arc<[TokenId]>),
}

impl Creator {
    /// The token that created it, if one did.
    #[must_use]
    pub fn token(&self) -> Option<TokenId> {
        self.lineage().last().copied()
    }

    /// The tokens from the first, made by the host, to the one that created it.
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
    /// Its public name.
    #[must_use]
    pub const fn id(&self) -> TokenId {
        self.id
    }

    /// What it is for.
    #[must_use]
    pub const fn kind(&self) -> &TokenKind {
        &self.kind
    }

    /// The organization that it belongs to, for good.
    #[must_use]
    pub const fn organization(&self) -> Option<OrgId> {
        self.kind.organization()
    }

    /// The user that it belongs to, for good.
    #[must_use]
    pub const fn owner(&self) -> UserId {
        self.owner
    }

    /// What people wrote about it.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Who created it.
    #[must_use]
    pub const fn creator(&self) -> &Creator {
        &self.creator
    }

    /// Its own status. A token that is [`Status::Active`] may be refused all the same: see [`Token::check`].
    #[must_use]
    pub const fn status(&self) -> Status {
        self.liveness.status
    }

    /// Whether it is accepted at that time, as far as was known when it was read.
    ///
    /// # Errors
    /// It is not, and why.
    pub fn check(&self, now: Timestamp) -> Result<(), Reason> {
        self.liveness.check(|| now)
    }

    /// When it was created.
    #[must_use]
    pub const fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// When it was last changed; its creation, if never.
    #[must_use]
    pub const fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// From when on it is refused; `None` for never.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Timestamp> {
        self.liveness.expires_at.time()
    }

    /// When its secret was last accepted, to a second or so; `None` for never. Kept in memory and written behind: the
    /// last minute or so may be lost in a crash.
    #[must_use]
    pub const fn last_used_at(&self) -> Option<Timestamp> {
        self.last_used_at
    }

    /// The store's revision at which it last changed: what a conditional [`Update`](crate::Update) compares.
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
