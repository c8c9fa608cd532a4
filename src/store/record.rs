//! What a store keeps.

use std::fmt;
use std::sync::Arc;

use crate::model::expiry::Expiry;
use crate::model::id::{OrgId, ResourceId, TokenId, UserId};
use crate::model::kind::{KindName, TokenKind};
use crate::model::liveness::Liveness;
use crate::model::status::{Standing, Status};
use crate::model::time::Timestamp;
use crate::model::token::{Creator, Token};
use crate::secret::{Credential, Digest};

/// One thing that a store keeps: a token, the tombstone of a deleted token, the standing of an owner or an organization, or
/// one of the store's own marks.
///
/// A backend stores the record's [`key`](Self::key) and its [encoded](Self::encode) bytes, and need not look inside.
/// Neither `Debug` nor anything else shows a digest.
///
/// ```
/// # use portcullis::testing::records;
/// # let record = records::token(1);
/// use portcullis::store::{RecordKey, RecordKind};
///
/// assert_eq!(record.kind(), RecordKind::Token);
/// assert_eq!(record.token().map(RecordKey::token), Some(record.key()));
/// assert_eq!(record.forgets(), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record(pub(crate) Body);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    Token(Box<TokenRecord>),
    Tombstone(Tombstone),
    Owner(UserId, Stand),
    Organization(OrgId, Stand),
    Mark(Mark),
}

/// A token with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenRecord {
    pub(crate) id: TokenId,
    pub(crate) kind: TokenKind,
    pub(crate) owner: UserId,
    pub(crate) description: Arc<str>,
    pub(crate) status: Status,
    pub(crate) creator: Creator,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) expires_at: Expiry,
    pub(crate) credential: Credential,
    /// The one before, still accepted until that time.
    pub(crate) overlap: Option<(Credential, Timestamp)>,
    /// Digests of its earlier secrets, the latest last, so that none of them is chosen again.
    pub(crate) former: Vec<Digest>,
}

impl TokenRecord {
    /// The token as people see it.
    pub(crate) fn into_token(
        self,
        revision: u64,
        owner: Standing,
        organization: Standing,
        last_used_at: Option<Timestamp>,
    ) -> Token {
        Token {
            id: self.id,
            kind: self.kind,
            owner: self.owner,
            description: self.description,
            creator: self.creator,
            created_at: self.created_at,
            updated_at: self.updated_at,
            last_used_at,
            liveness: Liveness { status: self.status, expires_at: self.expires_at, owner, organization },
            revision,
        }
    }
}

/// What is kept of a deleted token until it is purged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tombstone {
    pub(crate) id: TokenId,
    pub(crate) deleted_at: Timestamp,
    /// Digests of all its secrets, so that none of them is chosen again.
    pub(crate) digests: Vec<Digest>,
}

/// Where an owner or an organization stands, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stand {
    pub(crate) standing: Standing,
    pub(crate) since: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The first Operator token was made. For good: deleting that token does not reopen setup.
    SetUp(Timestamp),
    /// Tombstones written at or below this revision are forgotten.
    Horizon(u64),
    /// Records are written in this format.
    Format(u8),
}

/// The kinds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RecordKind {
    /// A token.
    Token,
    /// What is kept of a deleted token. It has the token's key.
    Tombstone,
    /// The standing of an owner.
    Owner,
    /// The standing of an organization.
    Organization,
    /// One of the store's own marks.
    Mark,
}

impl RecordKind {
    /// Returns the kind as one word: `token`, `tombstone`, `owner`, `organization` or `mark`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Tombstone => "tombstone",
            Self::Owner => "owner",
            Self::Organization => "organization",
            Self::Mark => "mark",
        }
    }
}

/// What people can read of a record. A store whose rows people look at keeps it in columns beside the record's bytes.
///
/// It is for people only: a record cannot be made from it. It holds no digest of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordSummary {
    /// What kind of record it is.
    pub what: RecordKind,
    /// The token, the owner or the organization that it is about. A mark has none.
    pub id: Option<ResourceId>,
    /// The kind of a token.
    pub kind: Option<KindName>,
    /// The organization of a token.
    pub organization: Option<OrgId>,
    /// The owner of a token.
    pub owner: Option<UserId>,
    /// The own status of a token, or the standing of an owner or an organization: `active`, for example.
    pub status: Option<String>,
    /// The description of a token, or what a mark says.
    pub description: Option<String>,
    /// Who created a token.
    pub creator: Option<Creator>,
    /// When a token was created.
    pub created_at: Option<Timestamp>,
    /// When the token was last changed or deleted, the standing set, or the mark made.
    pub changed_at: Option<Timestamp>,
    /// The expiry of a token, if it has one.
    pub expires_at: Option<Timestamp>,
}

/// The name that a record is stored under: 17 bytes, or a text of 33 characters.
///
/// ```
/// use portcullis::TokenId;
/// use portcullis::store::RecordKey;
///
/// let id: TokenId = "0a1b2c3d4e5f6071".parse()?;
/// let key = RecordKey::token(id);
/// assert_eq!(key.to_bytes()[..1], *b"t");
/// assert_eq!(key.to_string(), "t00000000000000000a1b2c3d4e5f6071");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    table: Table,
    id: u128,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
enum Table {
    Mark = b'm',
    Organization = b'o',
    Token = b't',
    Owner = b'u',
}

impl RecordKey {
    /// The first key in order.
    pub(crate) const FIRST: Self = Self { table: Table::Mark, id: 0 };

    /// Returns the key of a token, which is also that of its tombstone.
    #[must_use]
    pub const fn token(id: TokenId) -> Self {
        Self { table: Table::Token, id: id.to_u128() }
    }

    pub(crate) const fn owner(id: UserId) -> Self {
        Self { table: Table::Owner, id: id.to_u128() }
    }

    pub(crate) const fn organization(id: OrgId) -> Self {
        Self { table: Table::Organization, id: id.to_u128() }
    }

    pub(crate) const SET_UP: Self = Self { table: Table::Mark, id: 0 };
    pub(crate) const FORMAT: Self = Self { table: Table::Mark, id: 2 };

    /// Returns the key as bytes. Distinct keys have distinct bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 17] {
        let mut bytes = [0; 17];
        let (table, id) = bytes.split_at_mut(1);
        table.fill(self.table as u8);
        id.copy_from_slice(&self.id.to_be_bytes());
        bytes
    }
}

/// `t`, `u`, `o` or `m`, and 32 hexadecimal digits.
impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:032x}", char::from(self.table as u8), self.id)
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordKey({self})")
    }
}

impl Record {
    /// Returns the key that the record is stored under.
    #[must_use]
    pub const fn key(&self) -> RecordKey {
        match &self.0 {
            Body::Token(token) => RecordKey::token(token.id),
            Body::Tombstone(tombstone) => RecordKey::token(tombstone.id),
            Body::Owner(owner, _) => RecordKey::owner(*owner),
            Body::Organization(organization, _) => RecordKey::organization(*organization),
            Body::Mark(Mark::SetUp(_)) => RecordKey::SET_UP,
            Body::Mark(Mark::Horizon(_)) => RecordKey { table: Table::Mark, id: 1 },
            Body::Mark(Mark::Format(_)) => RecordKey::FORMAT,
        }
    }

    /// Returns the kind of the record.
    #[must_use]
    pub const fn kind(&self) -> RecordKind {
        match &self.0 {
            Body::Token(_) => RecordKind::Token,
            Body::Tombstone(_) => RecordKind::Tombstone,
            Body::Owner(..) => RecordKind::Owner,
            Body::Organization(..) => RecordKind::Organization,
            Body::Mark(_) => RecordKind::Mark,
        }
    }

    /// Returns the id of the token, if the record is a token or a tombstone.
    #[must_use]
    pub const fn token(&self) -> Option<TokenId> {
        match &self.0 {
            Body::Token(token) => Some(token.id),
            Body::Tombstone(tombstone) => Some(tombstone.id),
            _ => None,
        }
    }

    /// Returns the revision at and below which the store must drop its tombstones, if the record demands that. See *Forgetting*
    /// in the contract of [`TokenStore`](crate::TokenStore).
    #[must_use]
    pub const fn forgets(&self) -> Option<u64> {
        match &self.0 {
            Body::Mark(Mark::Horizon(revision)) => Some(*revision),
            _ => None,
        }
    }

    /// Returns what people can read of the record.
    ///
    /// ```
    /// # #[cfg(feature = "testing")] {
    /// use portcullis::store::RecordKind;
    /// use portcullis::{KindName, testing::records};
    ///
    /// let summary = records::token(7).summary();
    /// assert_eq!(summary.what, RecordKind::Token);
    /// assert_eq!(summary.id, Some(records::token_id(7).into()));
    /// assert_eq!(summary.kind, Some(KindName::ReadWrite));
    /// assert_eq!(summary.status.as_deref(), Some("active"));
    /// # }
    /// ```
    #[must_use]
    pub fn summary(&self) -> RecordSummary {
        let summary = RecordSummary {
            what: self.kind(),
            id: self.token().map(ResourceId::from),
            kind: None,
            organization: None,
            owner: None,
            status: None,
            description: None,
            creator: None,
            created_at: None,
            changed_at: None,
            expires_at: None,
        };
        match &self.0 {
            Body::Token(token) => RecordSummary {
                kind: Some(token.kind.name()),
                organization: token.kind.organization(),
                owner: Some(token.owner),
                status: Some(token.status.to_string()),
                description: Some(token.description.to_string()),
                creator: Some(token.creator.clone()),
                created_at: Some(token.created_at),
                changed_at: Some(token.updated_at),
                expires_at: token.expires_at.time(),
                ..summary
            },
            Body::Tombstone(tombstone) => RecordSummary { changed_at: Some(tombstone.deleted_at), ..summary },
            Body::Owner(owner, stand) => summary.standing((*owner).into(), *stand),
            Body::Organization(organization, stand) => summary.standing((*organization).into(), *stand),
            Body::Mark(mark) => {
                let (description, changed_at) = match mark {
                    Mark::SetUp(at) => ("set up".to_owned(), Some(*at)),
                    Mark::Horizon(revision) => (format!("deletions up to revision {revision} forgotten"), None),
                    Mark::Format(format) => (format!("records have format {format}"), None),
                };
                RecordSummary { description: Some(description), changed_at, ..summary }
            }
        }
    }
}

impl RecordSummary {
    fn standing(self, id: ResourceId, stand: Stand) -> Self {
        let Stand { standing, since } = stand;
        Self { id: Some(id), status: Some(standing.to_string()), changed_at: Some(since), ..self }
    }
}
