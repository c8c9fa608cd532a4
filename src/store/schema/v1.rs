//! The first format: plain types, which hold what is stored and nothing else, and what they mean.
//!
//! A number that is in use stays what it is. A new variant gets a new number; a new field, a new format.

use std::sync::Arc;

use uuid::{NonNilUuid, Uuid};

use super::bytes::{Field, Malformed, stored};
use crate::model::action::{self, Access, Action};
use crate::model::id::OrgId;
use crate::model::kind::{KindName, TokenKind};
use crate::model::pattern::Pattern;
use crate::model::permission::Permission;
use crate::model::permission_set::PermissionSet;
use crate::model::resource_type::ResourceType;
use crate::model::status;
use crate::model::time::Timestamp;
use crate::model::token::Creator as Created;
use crate::model::verb::Verb;
use crate::secret::{self, Digest};
use crate::store::record::{self, Body, Mark, TokenRecord};

/// A UUID's bytes; never all zero.
type Id = [u8; 16];
/// Microseconds since 1970, at most those of the year 9999.
type Time = u64;
/// A digest's bytes.
type Hash = [u8; 32];

stored! {
    #[expect(clippy::large_enum_variant, reason = "there is one, while bytes are read or written")]
    enum Record {
        1 => Token { token: Token },
        2 => Tombstone { id: Id, deleted_at: Time, digests: Vec<Hash> },
        3 => Owner { id: Id, standing: Standing, since: Time },
        4 => Organization { id: Id, standing: Standing, since: Time },
        5 => SetUp { at: Time },
        6 => Horizon { revision: u64 },
        7 => Format { format: u8 },
    }
}

stored! {
    struct Token {
        id: Id,
        kind: Kind,
        owner: Id,
        description: String,
        status: Status,
        creator: Creator,
        created_at: Time,
        updated_at: Time,
        expires_at: Option<Time>,
        credential: Credential,
        overlap: Option<Overlap>,
        former: Vec<Hash>,
    }
}

stored! {
    enum Kind {
        1 => Operator {},
        2 => AllAccess { organization: Id },
        3 => ReadWrite { organization: Id, buckets: Vec<Bucket> },
        4 => Custom { organization: Option<Id>, grants: Vec<Grant> },
    }
}

stored! {
    struct Bucket {
        id: Id,
        flags: u8,
    }
}

stored! {
    /// A field that is left out means any.
    struct Grant {
        actions: Actions,
        resource_type: Option<String>,
        organization: Option<Id>,
        id: Option<Id>,
    }
}

stored! {
    /// The flags are 1 for reading, 2 for writing, 3 for both.
    enum Actions {
        1 => ReadWrite { flags: u8 },
        2 => Any {},
        3 => Verb { name: String },
    }
}

const READ: u8 = 1;
const WRITE: u8 = 2;

stored! {
    enum Status {
        1 => Active {},
        2 => Inactive {},
        3 => Revoked {},
    }
}

stored! {
    enum Standing {
        1 => Active {},
        2 => Suspended {},
        3 => Deleted {},
    }
}

stored! {
    enum Creator {
        1 => Host { label: String },
        2 => Token { lineage: Vec<Id> },
    }
}

stored! {
    struct Credential {
        key: u8,
        digest: Hash,
    }
}

stored! {
    struct Overlap {
        credential: Credential,
        until: Time,
    }
}

impl From<&Body> for Record {
    fn from(body: &Body) -> Self {
        match body {
            Body::Token(token) => Self::Token { token: Token::from(&**token) },
            Body::Tombstone(record::Tombstone { id, deleted_at, digests }) => Self::Tombstone {
                id: bytes(*id),
                deleted_at: deleted_at.as_micros(),
                digests: digests.iter().map(|digest| *digest.bytes()).collect(),
            },
            Body::Owner(id, record::Stand { standing, since }) => {
                Self::Owner { id: bytes(*id), standing: Standing::from(*standing), since: since.as_micros() }
            }
            Body::Organization(id, record::Stand { standing, since }) => {
                Self::Organization { id: bytes(*id), standing: Standing::from(*standing), since: since.as_micros() }
            }
            Body::Mark(Mark::SetUp(at)) => Self::SetUp { at: at.as_micros() },
            Body::Mark(Mark::Horizon(revision)) => Self::Horizon { revision: *revision },
            Body::Mark(Mark::Format(format)) => Self::Format { format: *format },
        }
    }
}

impl TryFrom<Record> for Body {
    type Error = Malformed;

    fn try_from(stored: Record) -> Result<Self, Malformed> {
        Ok(match stored {
            Record::Token { token } => Self::Token(Box::new(token.try_into()?)),
            Record::Tombstone { id: of, deleted_at, digests: hashes } => Self::Tombstone(record::Tombstone {
                id: id(of)?,
                deleted_at: time(deleted_at)?,
                digests: digests(hashes),
            }),
            Record::Owner { id: of, standing, since } => Self::Owner(id(of)?, stand(standing, since)?),
            Record::Organization { id: of, standing, since } => Self::Organization(id(of)?, stand(standing, since)?),
            Record::SetUp { at } => Self::Mark(Mark::SetUp(time(at)?)),
            Record::Horizon { revision } => Self::Mark(Mark::Horizon(revision)),
            Record::Format { format } => Self::Mark(Mark::Format(format)),
        })
    }
}

impl From<&TokenRecord> for Token {
    fn from(token: &TokenRecord) -> Self {
        // Taken apart, so that a new field has to find its place here.
        let TokenRecord {
            id,
            kind,
            owner,
            description,
            status,
            creator,
            created_at,
            updated_at,
            expires_at,
            credential,
            overlap,
            former,
        } = token;
        Self {
            id: bytes(*id),
            kind: Kind::from(kind),
            owner: bytes(*owner),
            description: String::from(&**description),
            status: Status::from(*status),
            creator: Creator::from(creator),
            created_at: created_at.as_micros(),
            updated_at: updated_at.as_micros(),
            expires_at: expires_at.time().map(Timestamp::as_micros),
            credential: Credential::from(*credential),
            overlap: overlap.map(|(credential, until)| Overlap {
                credential: Credential::from(credential),
                until: until.as_micros(),
            }),
            former: former.iter().map(|digest| *digest.bytes()).collect(),
        }
    }
}

impl TryFrom<Token> for TokenRecord {
    type Error = Malformed;

    fn try_from(token: Token) -> Result<Self, Malformed> {
        let overlap = |overlap: Overlap| Ok((overlap.credential.into(), time(overlap.until)?));
        Ok(Self {
            id: id(token.id)?,
            kind: token.kind.try_into()?,
            owner: id(token.owner)?,
            description: token.description.into(),
            status: token.status.into(),
            creator: token.creator.try_into()?,
            created_at: time(token.created_at)?,
            updated_at: time(token.updated_at)?,
            expires_at: token.expires_at.map(time).transpose()?.into(),
            credential: token.credential.into(),
            overlap: token.overlap.map(overlap).transpose()?,
            former: digests(token.former),
        })
    }
}

impl From<&TokenKind> for Kind {
    fn from(kind: &TokenKind) -> Self {
        let organization = kind.organization().map(bytes);
        match (kind.name(), organization) {
            (KindName::Operator, _) => Self::Operator {},
            (KindName::AllAccess, Some(organization)) => Self::AllAccess { organization },
            (KindName::ReadWrite, Some(organization)) => Self::ReadWrite {
                organization,
                buckets: kind.permissions().access().filter_map(|(pattern, access)| bucket(&pattern, access)).collect(),
            },
            // Neither of the two others is ever without an organization.
            (KindName::Custom | KindName::AllAccess | KindName::ReadWrite, organization) => {
                Self::Custom { organization, grants: grants(kind.permissions()) }
            }
        }
    }
}

impl TryFrom<Kind> for TokenKind {
    type Error = Malformed;

    fn try_from(stored: Kind) -> Result<Self, Malformed> {
        let kind = match stored {
            Kind::Operator {} => return Ok(Self::operator()),
            Kind::AllAccess { organization } => return Ok(Self::all_access(id(organization)?)),
            Kind::ReadWrite { organization, buckets } => {
                let bucket = |bucket: Bucket| Ok((id(bucket.id)?, action(bucket.flags)?));
                Self::read_write(id(organization)?, buckets.into_iter().map(bucket).collect::<Result<Vec<_>, _>>()?)
            }
            Kind::Custom { organization, grants } => {
                let organization: Option<OrgId> = organization.map(id).transpose()?;
                let grants: Vec<_> = grants.into_iter().map(Grant::read).collect::<Result<_, _>>()?;
                Self::custom(organization, grants.into_iter().flatten().collect())
            }
        };
        kind.map_err(|_| Malformed("its permissions are not those of a token"))
    }
}

/// A pattern of a Read/Write token: each is on one bucket.
fn bucket(pattern: &Pattern, access: Access) -> Option<Bucket> {
    Some(Bucket { id: bytes(pattern.id()?), flags: flags(access) })
}

/// Reading and writing of one pattern together, then verbs.
fn grants(permissions: &PermissionSet) -> Vec<Grant> {
    let access = permissions.access().map(|(pattern, access)| {
        let any = access.contains(Access::ANY);
        Grant::new(&pattern, if any { Actions::Any {} } else { Actions::ReadWrite { flags: flags(access) } })
    });
    let verbs = permissions
        .verbs()
        .map(|(verb, pattern)| Grant::new(&pattern, Actions::Verb { name: verb.as_str().to_owned() }));
    access.chain(verbs).collect()
}

impl Grant {
    fn new(pattern: &Pattern, actions: Actions) -> Self {
        let Pattern { organization, resource_type, id } = pattern;
        Self {
            actions,
            resource_type: resource_type.map(|named| named.as_str().to_owned()),
            organization: organization.map(bytes),
            id: id.map(bytes),
        }
    }

    fn read(self) -> Result<impl Iterator<Item = Permission>, Malformed> {
        let named = self.resource_type.map(|name| ResourceType::new(&name)).transpose();
        let named = named.map_err(|_| Malformed("a text is not the name of a resource type"))?;
        let pattern = Pattern::new(self.organization.map(id).transpose()?, named, self.id.map(id).transpose()?);
        let pattern = pattern.map_err(|_| Malformed("a permission puts the instance into an organization"))?;
        let (one, two) = match self.actions {
            Actions::ReadWrite { flags } => (None, Some(action(flags)?)),
            Actions::Any {} => (Some(action::Grant::Any), None),
            Actions::Verb { name } => {
                let verb = Verb::new(&name).map_err(|_| Malformed("a text is not a verb"))?;
                (Some(action::Grant::Verb(verb)), None)
            }
        };
        let grants = one.into_iter().chain(two.into_iter().flat_map(Action::grants));
        Ok(grants.map(move |grant| Permission::new(grant, pattern)))
    }
}

fn flags(access: Access) -> u8 {
    let flag = |part: Access, flag: u8| if access.contains(part) { flag } else { 0 };
    flag(Access::READ, READ) | flag(Access::WRITE, WRITE)
}

fn action(flags: u8) -> Result<Action, Malformed> {
    match flags {
        READ => Ok(Action::READ),
        WRITE => Ok(Action::WRITE),
        3 => Ok(Action::READ_WRITE),
        _ => Err(Malformed("a permission has no action, or an unknown one")),
    }
}

impl From<status::Status> for Status {
    fn from(status: status::Status) -> Self {
        match status {
            status::Status::Active => Self::Active {},
            status::Status::Inactive => Self::Inactive {},
            status::Status::Revoked => Self::Revoked {},
        }
    }
}

impl From<Status> for status::Status {
    fn from(stored: Status) -> Self {
        match stored {
            Status::Active {} => Self::Active,
            Status::Inactive {} => Self::Inactive,
            Status::Revoked {} => Self::Revoked,
        }
    }
}

impl From<status::Standing> for Standing {
    fn from(standing: status::Standing) -> Self {
        match standing {
            status::Standing::Active => Self::Active {},
            status::Standing::Suspended => Self::Suspended {},
            status::Standing::Deleted => Self::Deleted {},
        }
    }
}

impl From<Standing> for status::Standing {
    fn from(stored: Standing) -> Self {
        match stored {
            Standing::Active {} => Self::Active,
            Standing::Suspended {} => Self::Suspended,
            Standing::Deleted {} => Self::Deleted,
        }
    }
}

impl From<&Created> for Creator {
    fn from(creator: &Created) -> Self {
        match creator {
            Created::Host(label) => Self::Host { label: String::from(&**label) },
            Created::Token(lineage) => Self::Token { lineage: lineage.iter().copied().map(bytes).collect() },
        }
    }
}

impl TryFrom<Creator> for Created {
    type Error = Malformed;

    fn try_from(stored: Creator) -> Result<Self, Malformed> {
        Ok(match stored {
            Creator::Host { label } => Self::Host(label.into()),
            Creator::Token { lineage } => Self::Token(lineage.into_iter().map(id).collect::<Result<Arc<_>, _>>()?),
        })
    }
}

impl From<secret::Credential> for Credential {
    fn from(secret::Credential { key, digest }: secret::Credential) -> Self {
        Self { key, digest: *digest.bytes() }
    }
}

impl From<Credential> for secret::Credential {
    fn from(Credential { key, digest }: Credential) -> Self {
        Self { key, digest: Digest::from_bytes(digest) }
    }
}

fn bytes(id: impl Into<NonNilUuid>) -> Id {
    id.into().get().into_bytes()
}

fn id<T: From<NonNilUuid>>(bytes: Id) -> Result<T, Malformed> {
    NonNilUuid::new(Uuid::from_bytes(bytes)).map(T::from).ok_or(Malformed("an id is zero"))
}

fn time(micros: Time) -> Result<Timestamp, Malformed> {
    if micros > Timestamp::MAX.as_micros() {
        return Err(Malformed("a time is after the year 9999"));
    }
    Ok(Timestamp::from_micros(micros))
}

fn stand(standing: Standing, since: Time) -> Result<record::Stand, Malformed> {
    Ok(record::Stand { standing: standing.into(), since: time(since)? })
}

fn digests(hashes: Vec<Hash>) -> Vec<Digest> {
    hashes.into_iter().map(Digest::from_bytes).collect()
}
