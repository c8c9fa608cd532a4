//! Bodies of requests.

use std::fmt;
use std::marker::PhantomData;

use axum::body::{Bytes, HttpBody as _};
use axum::extract::{FromRequest, Request};
use portcullis::{OrgId, Secret, Timestamp, UserId};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, de};

use super::Context;
use crate::api::error::ApiError;

/// A body of JSON, whatever its content type says, as in InfluxDB. What is wrong with it is the client's fault: 400, or 413.
pub(crate) struct Body<T>(pub(crate) T);

/// A body within the limit. One that says that it is longer is not waited for.
async fn read(request: Request, context: &Context) -> Result<Bytes, ApiError> {
    if request.body().size_hint().lower() > context.body_limit {
        return Err(ApiError::too_large());
    }
    Ok(Bytes::from_request(request, context).await?)
}

impl<T: DeserializeOwned> FromRequest<Context> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, context: &Context) -> Result<Self, ApiError> {
        let bytes = read(request, context).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(unexpected)
    }
}

fn unexpected(error: serde_json::Error) -> ApiError {
    ApiError::invalid(format!("the body is not as expected: {error}"))
}

/// A body that may be missing, or `null`.
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<T: DeserializeOwned + Default> FromRequest<Context> for OptionalBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, context: &Context) -> Result<Self, ApiError> {
        let bytes = read(request, context).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        let parsed: Option<Object<T>> = serde_json::from_slice(&bytes).map_err(unexpected)?;
        Ok(Self(parsed.map(|Object(parsed)| parsed).unwrap_or_default()))
    }
}

/// A JSON object. Serde by itself also takes arrays for structs, field by field.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields))
            }
        }

        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

/// What `POST /api/v2/authorizations` takes. Other fields are ignored, as in InfluxDB: its clients send whole tokens back.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewAuthorization {
    #[serde(rename = "orgID", default)]
    pub(crate) organization: PostedOrganization,
    #[serde(rename = "userID")]
    pub(crate) user: Option<UserId>,
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) status: PostedStatus,
    pub(crate) permissions: Option<Vec<Object<PostedPermission>>>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) secret: Option<PostedSecret>,
}

/// Which organization a token is to belong to.
#[derive(Clone, Copy, Default)]
pub(crate) enum PostedOrganization {
    #[default]
    Absent,
    /// `0000000000000000`, as tokens without one are shown.
    None,
    Some(OrgId),
}

/// How a token without an organization is shown: InfluxDB's clients cannot read one without an `orgID`.
pub(crate) const NO_ORGANIZATION: &str = "0000000000000000";

impl<'de> Deserialize<'de> for PostedOrganization {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Option::<std::borrow::Cow<'de, str>>::deserialize(deserializer)? {
            None => Ok(Self::Absent),
            Some(text) if text == NO_ORGANIZATION => Ok(Self::None),
            Some(text) => text.parse().map(Self::Some).map_err(de::Error::custom),
        }
    }
}

/// A permission as clients send it: with names for ids, if they like.
///
/// Unknown fields are refused: one that was meant to narrow the permission must not be lost.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostedPermission {
    pub(crate) action: String,
    pub(crate) resource: Object<PostedResource>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostedResource {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(rename = "orgID")]
    pub(crate) organization: Option<String>,
    pub(crate) id: Option<String>,
    /// Instead of the id. Beside one it says nothing: ids beat names.
    pub(crate) name: Option<String>,
    /// Instead of the organization's id.
    #[serde(rename = "org")]
    pub(crate) organization_name: Option<String>,
}

/// A token's status as InfluxDB knows it. The empty one is `active`.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum PostedStatus {
    #[default]
    Unsaid,
    Active,
    Inactive,
}

impl<'de> Deserialize<'de> for PostedStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Option::<std::borrow::Cow<'de, str>>::deserialize(deserializer)?.as_deref() {
            None => Ok(Self::Unsaid),
            Some("active" | "") => Ok(Self::Active),
            Some("inactive") => Ok(Self::Inactive),
            Some(_) => Err(de::Error::custom("unknown authorization status, expected `active` or `inactive`")),
        }
    }
}

/// A secret that a client chose. One of the wrong type is refused without being shown.
pub(crate) struct PostedSecret(pub(crate) Secret);

impl<'de> Deserialize<'de> for PostedSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer).map_err(|_| de::Error::custom("a secret is a string"))?;
        Ok(Self(Secret::new(text)))
    }
}

/// What `PATCH /api/v2/authorizations/{id}` takes. Other fields are ignored, permissions too, as in InfluxDB: its clients send
/// whole tokens back, and the expanded list of an All-Access token must not make it a Custom one.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Changes {
    pub(crate) status: PostedStatus,
    pub(crate) description: Option<String>,
    pub(crate) expires_at: PostedExpiry,
}

/// Another end, or `null` for none.
#[derive(Default)]
pub(crate) enum PostedExpiry {
    #[default]
    Unsaid,
    Never,
    At(Timestamp),
}

impl<'de> Deserialize<'de> for PostedExpiry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Never, Self::At))
    }
}

/// What `PUT /api/v2/authorizations/{id}/permissions` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPermissions {
    pub(crate) permissions: Vec<Object<PostedPermission>>,
}

/// What `POST /api/v2/authorizations/{id}/rotate` takes.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct NewSecret {
    pub(crate) overlap_seconds: u64,
    pub(crate) secret: Option<PostedSecret>,
}

/// What `POST /api/v2/authorizations/{id}/revoke` takes.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct Revocation {
    /// Everything that was created under it, too.
    pub(crate) cascade: bool,
}
