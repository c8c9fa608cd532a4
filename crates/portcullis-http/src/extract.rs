//! The caller as an argument of axum's handlers.

use std::ops::Deref;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use portcullis::{Actor, Principal};

use crate::refusal::{Manner, Refusal, Rejection};

/// In a request's extensions: the layer was here, and nobody authenticated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Anonymous;

/// The caller of a request: the [`Principal`] that the [`AuthenticateLayer`](crate::AuthenticateLayer) authenticated, as an
/// argument of axum's handlers. A reference to it is an actor in calls of an authority.
///
/// A request is refused where the layer is missing (500, the host's mistake), and where an
/// [`optional`](crate::AuthenticateLayer::optional) layer let somebody anonymous through (401); `Option<Caller>` is `None`
/// for the latter.
///
/// ```
/// use std::sync::Arc;
///
/// use axum::extract::State;
/// use portcullis::Authority;
/// use portcullis_http::{Caller, Refusal};
///
/// async fn sign_out(State(authority): State<Arc<Authority>>, caller: Caller) -> Result<(), Refusal> {
///     let own = caller.token().map_err(Refusal::NotAccepted)?.id();
///     authority.revoke(&caller, own).await?;
///     Ok(())
/// }
/// # let _: axum::Router<Arc<Authority>> = axum::Router::new().route("/sign-out", axum::routing::post(sign_out));
/// ```
#[derive(Debug, Clone)]
pub struct Caller(Principal<'static>);

impl Deref for Caller {
    type Target = Principal<'static>;

    fn deref(&self) -> &Principal<'static> {
        &self.0
    }
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        (&caller.0).into()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        match parts.extensions.get::<Principal<'static>>() {
            Some(principal) => Ok(Self(principal.clone())),
            None if parts.extensions.get::<Anonymous>().is_some() => Err(Refusal::Anonymous),
            None => Err(Refusal::NoLayer),
        }
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Refusal> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(caller) => Ok(Some(caller)),
            Err(Refusal::Anonymous) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }
}

/// Empty, until a layer around it answers in the host's own manner.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response: Response = Rejection { refusal: self.clone(), manner: Manner::default() }.empty();
        response.extensions_mut().insert(self);
        response
    }
}
