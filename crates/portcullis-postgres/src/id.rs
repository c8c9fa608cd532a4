//! Ids in a host's own tables.

use portcullis::IdError;
use sqlx::decode::Decode;
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef, Postgres};
use sqlx::types::Type;
use uuid::{NonNilUuid, Uuid};

/// The types `uuid` and `uuid[]`, which have these numbers on every server.
const UUID: Oid = Oid(2950);
const UUIDS: Oid = Oid(2951);

/// An id as sqlx binds and reads it: an [`OrgId`](portcullis::OrgId), [`UserId`](portcullis::UserId),
/// [`TokenId`](portcullis::TokenId) or [`ResourceId`](portcullis::ResourceId) in a column of type `uuid`.
///
/// Arrays (`uuid[]`) work too, and a nullable column is an `Option<Sql<OrgId>>`. An id of 16 hexadecimal digits, as InfluxDB
/// has them, is stored as the UUID with these digits at its end. Reading the nil UUID is an error: it is no id.
///
/// ```no_run
/// use portcullis::{OrgId, UserId};
/// use portcullis_postgres::{Sql, sqlx};
///
/// # async fn members(pool: sqlx::PgPool, org: OrgId) -> sqlx::Result<()> {
/// let members = "SELECT user_id FROM members WHERE organization = $1";
/// let members: Vec<Sql<UserId>> = sqlx::query_scalar(members).bind(Sql(org)).fetch_all(&pool).await?;
/// for Sql(user) in members {
///     println!("{user}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sql<T>(pub T);

impl<T> From<T> for Sql<T> {
    fn from(id: T) -> Self {
        Self(id)
    }
}

impl<T: Into<NonNilUuid>> Type<Postgres> for Sql<T> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(UUID)
    }
}

impl<T: Into<NonNilUuid>> PgHasArrayType for Sql<T> {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(UUIDS)
    }
}

impl<T: Copy + Into<NonNilUuid>> Encode<'_, Postgres> for Sql<T> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(self.0.into().get().as_bytes());
        Ok(IsNull::No)
    }
}

impl<T: TryFrom<Uuid, Error = IdError>> Decode<'_, Postgres> for Sql<T> {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let uuid = match value.format() {
            PgValueFormat::Binary => Uuid::from_slice(value.as_bytes()?)?,
            PgValueFormat::Text => Uuid::try_parse(value.as_str()?)?,
        };
        Ok(Self(uuid.try_into()?))
    }
}
