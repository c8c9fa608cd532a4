//! Why a request goes no further, and what its client is told.

use std::fmt::Write as _;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use portcullis::{AuthenticateError, AuthorizeError, Denial, Error, Reason};

use crate::api::error::ApiError;
use crate::credentials::HeaderError;
use crate::error_body::{ERROR_CODE, JSON, error_body};

/// Why a request goes no further: for the host, whole. What the client is told is a [`Rejection`].
///
/// It is also the error of axum's handlers: every error of an authority becomes one by `?`, and it is answered in the manner
/// of the layer around the handler.
///
/// ```
/// use axum::extract::Path;
/// use portcullis::{OrgId, Permit, Read, Resource, ResourceId};
/// use portcullis_http::{Caller, Refusal};
///
/// # struct Point;
/// # fn read_points(_: Permit<Read>) -> String { String::new() }
/// async fn query(
///     caller: Caller,
///     Path((org, bucket)): Path<(OrgId, ResourceId)>,
/// ) -> Result<String, Refusal> {
///     let permit = caller.authorize(Read, Resource::bucket(org, bucket))?;
///     Ok(read_points(permit))
/// }
/// # let _: axum::Router = axum::Router::new().route("/{org}/{bucket}", axum::routing::get(query));
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No `Authorization` header.
    #[error("the request has no `authorization` header")]
    Anonymous,
    /// An `Authorization` header that cannot be read.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The token is not accepted, now or any more.
    #[error("the token is not accepted: {0}")]
    NotAccepted(Reason),
    /// The token is accepted, and may not do this.
    #[error(transparent)]
    Denied(Denial),
    /// A management call failed for another reason.
    #[error(transparent)]
    Failed(Error),
    /// A handler asked for the caller, and no [`AuthenticateLayer`](crate::AuthenticateLayer) is around it: the
    /// host's mistake.
    #[error("no authentication layer is around this handler")]
    NoLayer,
}

/// A token that stopped being accepted since it was authenticated is not accepted; everything else is denied.
impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        match denial.reason() {
            Reason::NotPermitted => Self::Denied(denial),
            reason => Self::NotAccepted(reason),
        }
    }
}

impl From<AuthenticateError> for Refusal {
    fn from(error: AuthenticateError) -> Self {
        Self::NotAccepted(error.reason())
    }
}

/// A call that failed because of who asked for it is refused as a request of theirs is.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::NotAccepted(reason) => Self::NotAccepted(reason),
            Error::Denied(denial) => denial.into(),
            error => Self::Failed(error),
        }
    }
}

impl From<AuthorizeError> for Refusal {
    fn from(error: AuthorizeError) -> Self {
        match error {
            AuthorizeError::Unauthenticated(error) => error.into(),
            AuthorizeError::Denied(denial) => denial.into(),
        }
    }
}

impl Refusal {
    /// Returns the status: 401 where the client is to authenticate, 403 where it may not, 503 where the authority cannot tell, 500 where the
    /// host forgot the layer. A failed call has that of the [`ApiError`] that it becomes.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotAccepted(reason) if reason.is_temporary() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Anonymous | Self::Header(_) | Self::NotAccepted(_) => StatusCode::UNAUTHORIZED,
            Self::Denied(_) => StatusCode::FORBIDDEN,
            Self::Failed(error) => ApiError::from(error.clone()).status(),
            Self::NoLayer => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The error of RFC 6750, section 3.1. None for a request that brought no credentials.
    const fn bearer_error(&self) -> Option<&'static str> {
        match self {
            Self::Header(_) | Self::NotAccepted(_) => Some("invalid_token"),
            Self::Denied(_) | Self::Failed(_) => Some("insufficient_scope"),
            Self::Anonymous | Self::NoLayer => None,
        }
    }
}

/// A refusal as its client is told of it: a status, a `WWW-Authenticate` header as in RFC 6750, and a body as asked for.
///
/// Why a token is not accepted is told only where the host asked for it
/// ([`AuthenticateLayer::explain`](crate::AuthenticateLayer::explain)); what an accepted token lacks, always.
#[derive(Debug, Clone)]
pub struct Rejection {
    pub(crate) refusal: Refusal,
    pub(crate) manner: Manner,
}

/// How a host talks to its clients.
#[derive(Debug, Clone, Default)]
pub(crate) struct Manner {
    /// `None` is `portcullis`.
    pub(crate) realm: Option<Arc<str>>,
    pub(crate) explains: bool,
}

impl Rejection {
    /// Returns what is refused, and why: for the host.
    #[must_use]
    pub const fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// Returns what the client may know.
    #[must_use]
    pub fn message(&self) -> String {
        match &self.refusal {
            Refusal::NotAccepted(reason) if reason.is_temporary() => {
                "the server cannot tell who is asking; try again".into()
            }
            Refusal::NotAccepted(_) if !self.manner.explains => "the token is not accepted".into(),
            Refusal::NoLayer => "internal error".into(),
            Refusal::Failed(error) => ApiError::from(error.clone()).to_string(),
            refusal => refusal.to_string(),
        }
    }

    /// Returns the response with an empty body.
    #[must_use]
    pub fn empty<B: Default>(&self) -> Response<B> {
        self.response(B::default())
    }

    /// Returns the response with InfluxDB's JSON body, `{"code":"unauthorized","message":"unauthorized access"}`, and its header
    /// `X-Platform-Error-Code`.
    #[must_use]
    pub fn influxdb<B: From<String>>(&self) -> Response<B> {
        let code = match (&self.refusal, self.refusal.status()) {
            (Refusal::Failed(error), _) => ApiError::from(error.clone()).code(),
            (_, StatusCode::UNAUTHORIZED) => "unauthorized",
            (_, StatusCode::FORBIDDEN) => "forbidden",
            (_, StatusCode::SERVICE_UNAVAILABLE) => "unavailable",
            _ => "internal error",
        };
        let body = match self.refusal.status() {
            StatusCode::UNAUTHORIZED if !self.manner.explains => error_body(code, "unauthorized access"),
            _ => error_body(code, &self.message()),
        };
        let mut response = self.response(body.into());
        response.headers_mut().insert(CONTENT_TYPE, JSON);
        response.headers_mut().insert(ERROR_CODE, HeaderValue::from_static(code));
        response
    }

    /// Returns the response with that body.
    pub fn response<B>(&self, body: B) -> Response<B> {
        let mut response = Response::new(body);
        *response.status_mut() = self.refusal.status();
        let headers = response.headers_mut();
        if let Some(challenge) = self.challenge() {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if self.refusal.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }

    /// `WWW-Authenticate`, RFC 6750, section 3.
    fn challenge(&self) -> Option<HeaderValue> {
        if !matches!(self.refusal.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return None;
        }
        let realm = self.manner.realm.as_deref().unwrap_or("portcullis");
        let mut text = format!("Bearer realm=\"{}\"", quotable(realm));
        if let Some(error) = self.refusal.bearer_error() {
            let description = self.message();
            _ = write!(text, ", error=\"{error}\", error_description=\"{}\"", quotable(&description));
        }
        if let Refusal::Denied(denial) = &self.refusal {
            let missing: Vec<_> = denial.missing().map(|permission| permission.to_string()).collect();
            if !missing.is_empty() {
                _ = write!(text, ", scope=\"{}\"", missing.join(" "));
            }
        }
        HeaderValue::from_str(&text).ok()
    }
}

/// What may stand between quotes: visible ASCII and spaces, neither `"` nor `\`.
fn quotable(text: &str) -> String {
    text.chars().map(|char| if matches!(char, ' '..='~') && !matches!(char, '"' | '\\') { char } else { '?' }).collect()
}
