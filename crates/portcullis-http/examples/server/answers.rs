//! JSON in and out, and new ids.

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, Query, Request};
use axum::response::{IntoResponse, Response, Result};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use portcullis::{Action, AsAction, Permit, Principal, RandomError, Resource, ResourceId};
use portcullis_http::{ApiError, Refusal};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A body of JSON, whatever its content type says.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = axum::body::Bytes::from_request(request, state).await?;
        let parsed = serde_json::from_slice(&bytes);
        parsed.map(Self).map_err(|error| ApiError::invalid(format!("the body is not as expected: {error}")))
    }
}

/// The parameters of a query.
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> axum::extract::FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut http::request::Parts, state: &S) -> Result<Self, ApiError> {
        let parsed = Query::from_request_parts(parts, state).await;
        let wrong =
            |error: QueryRejection| ApiError::invalid(format!("the query is not as expected: {}", error.body_text()));
        parsed.map(|Query(parameters)| Self(parameters)).map_err(wrong)
    }
}

/// A permit, or why there is none. To whoever may neither read nor write it, it is missing: a denial would tell that it is
/// there, and its ids.
pub fn permit<A: AsAction>(
    caller: &Principal<'_>,
    action: A,
    resource: Resource,
    missing: impl FnOnce() -> ApiError,
) -> Result<Permit<A>> {
    caller.authorize(action, resource).map_err(|denial| match caller.authorize(Action::READ_WRITE, resource) {
        Err(both) if both.missing().count() == 2 => missing().into(),
        _ => Refusal::from(denial).into(),
    })
}

/// For nobody to keep: setup's has a secret in it, and all are for their caller alone.
pub fn json(status: StatusCode, body: &Value) -> Response {
    let headers = [(CONTENT_TYPE, "application/json; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    (status, headers, body.to_string()).into_response()
}

/// What a name must be. One in the form of an id would be taken for it.
pub fn check_name(what: &'static str, name: &str) -> Result<(), ApiError> {
    if name.trim().is_empty() || name.len() > 256 || name.chars().any(char::is_control) {
        return Err(ApiError::invalid(format!("{what} needs a name of 1 to 256 bytes without control characters")));
    }
    if name.parse::<ResourceId>().is_ok() {
        return Err(ApiError::invalid(format!("{what} needs a name that is not in the form of an id")));
    }
    Ok(())
}

/// A new id in InfluxDB's form, which is what its clients expect: the random half of one of ours.
pub fn new_id<T: TryFrom<u64>>() -> Result<T, ApiError> {
    let generated = ResourceId::generate().map_err(|error: RandomError| ApiError::internal(error))?;
    let (_, random) = generated.as_uuid().as_u64_pair();
    random.try_into().map_err(|_| ApiError::unavailable("no id"))
}
