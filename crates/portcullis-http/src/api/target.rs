//! Which token a path is about.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use portcullis::{Principal, TokenId};

use crate::api::error::ApiError;

/// The `{id}` of a path: an id, or `me`.
pub(crate) struct Target(Option<TokenId>);

impl Target {
    /// The token's id; for `me`, the caller's own.
    pub(crate) fn id(&self, caller: &Principal<'_>) -> Result<TokenId, ApiError> {
        match self.0 {
            Some(id) => Ok(id),
            None => Ok(caller.token()?.id()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Target {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(id) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::invalid("the path has an id that is not UTF-8"))?;
        Ok(Self(if id == "me" { None } else { Some(id.parse()?) }))
    }
}
