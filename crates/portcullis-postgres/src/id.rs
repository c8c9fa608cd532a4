//! Ids in a host's own tables.

use portcullis::IdError;
use sqlx::decode::Decode;
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef, Postgres};
use sqlx::types::Type;
use uuid::{NonNilUuid, Uuid};

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
        <Uuid as Type<Postgres>>::type_info()
    }
}

impl<T: Into<NonNilUuid>> PgHasArrayType for Sql<T> {
    fn array_type_info() -> PgTypeInfo {
        <Uuid as PgHasArrayType>::array_type_info()
    }
}

impl<T: Copy + Into<NonNilUuid>> Encode<'_, Postgres> for Sql<T> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode(self.0.into().get(), buffer)
    }
}

impl<T: TryFrom<Uuid, Error = IdError>> Decode<'_, Postgres> for Sql<T> {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let uuid = <Uuid as Decode<Postgres>>::decode(value)?;
        Ok(Self(uuid.try_into()?))
    }
}
