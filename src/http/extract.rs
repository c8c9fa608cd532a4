//! The principal as an argument of axum's handlers.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::request::Parts;

use crate::authority::principal::Principal;
use crate::http::refusal::{Manner, Refusal, Rejection};
use crate::model::decision::Denial;

/// In a request's extensions: the layer was here, and nobody authenticated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Anonymous;

/// The caller. Refused when the [`AuthenticateLayer`](crate::http::AuthenticateLayer) is missing (500, the host's mistake),
/// and where an optional one let somebody anonymous through (401).
impl<S: Send + Sync> FromRequestParts<S> for Principal<'static> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let anonymous = parts.extensions.get::<Anonymous>().map_or(Refusal::NoLayer, |_| Refusal::Anonymous);
        parts.extensions.get::<Self>().cloned().ok_or(anonymous)
    }
}

/// The caller, or `None` for somebody anonymous, behind an
/// [`optional`](crate::http::AuthenticateLayer::optional) layer. Refused when the layer is missing (500).
impl<S: Send + Sync> OptionalFromRequestParts<S> for Principal<'static> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Refusal> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(principal) => Ok(Some(principal)),
            Err(Refusal::Anonymous) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }
}

/// Empty, until a layer around it answers in the host's own manner.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response: Response = Rejection { refusal: self, manner: Manner::default() }.empty();
        response.extensions_mut().insert(self);
        response
    }
}

/// As the [`Refusal`] that it becomes.
impl IntoResponse for Denial {
    fn into_response(self) -> Response {
        Refusal::from(self).into_response()
    }
}
