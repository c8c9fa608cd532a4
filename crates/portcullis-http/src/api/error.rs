//! Errors of the routes: from what went wrong to a status, in one place.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use portcullis::{Denial, Error, IdError, KindError, PatternError, PermissionError, Reason};

use crate::api::directory::DirectoryError;
use crate::error_body::{ERROR_CODE, JSON, error_body};

/// An error in InfluxDB's form, `{"code":"not found","message":"authorization not found"}`: what the routes answer, and a
/// host's own routes beside them can.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    /// `WWW-Authenticate` in a 401, RFC 6750. Without a realm, which only the layer knows.
    challenge: &'static str,
    /// Whether a 503 asks its client to send the same again.
    retry: bool,
    #[source]
    fault: Option<Fault>,
}

/// What went wrong on the server, in the extensions of a response that tells its client only that something did, or does
/// without what is missing: for the host's log.
#[derive(Clone)]
pub struct Fault(pub Arc<dyn StdError + Send + Sync>);

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Fault {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $code:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(message: impl Into<Cow<'static, str>>) -> Self {
            Self::new(StatusCode::$status, $code, message.into())
        }
    )*};
}

impl ApiError {
    kinds! {
        /// 400: the request is not what it should be.
        invalid = BAD_REQUEST, "invalid";
        /// 401: the caller lacks a permission. InfluxDB answers 403 only where a token would be more powerful than its
        /// creator.
        unauthorized = UNAUTHORIZED, "unauthorized";
        /// 403: the caller may not do this.
        forbidden = FORBIDDEN, "forbidden";
        /// 404: no such thing, or none that the caller may see.
        not_found = NOT_FOUND, "not found";
        /// 412: it changed since the caller read it.
        precondition_failed = PRECONDITION_FAILED, "precondition failed";
        /// 422, as InfluxDB has it: there is one already.
        conflict = UNPROCESSABLE_ENTITY, "conflict";
        /// 422: understood, and not possible.
        unprocessable = UNPROCESSABLE_ENTITY, "unprocessable entity";
        /// 503: try again.
        unavailable = SERVICE_UNAVAILABLE, "unavailable";
    }

    /// Returns the error 413: more than this server reads.
    #[must_use]
    pub fn too_large() -> Self {
        let message = "the body is larger than this server reads";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "request too large", message.into())
    }

    /// Returns the error 500. The client is told only that.
    pub fn internal(fault: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let internal = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error", "internal error".into());
        internal.because(Fault(Arc::from(fault.into())))
    }

    const fn new(status: StatusCode, code: &'static str, message: Cow<'static, str>) -> Self {
        Self { status, code, message, challenge: "Bearer error=\"insufficient_scope\"", retry: true, fault: None }
    }

    fn because(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Returns the HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns InfluxDB's word for it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = error_body(self.code, &self.message);
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(ERROR_CODE, HeaderValue::from_static(self.code));
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(self.challenge));
            }
            StatusCode::SERVICE_UNAVAILABLE if self.retry => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        if let Some(fault) = self.fault {
            response.extensions_mut().insert(fault);
        }
        response
    }
}

/// Every error of an authority.
impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::NotAccepted(reason) => reason.into(),
            Error::Denied(denial) => denial.into(),
            Error::Exceeds(missing) => match missing.iter().next() {
                Some(first) => Self::forbidden(format!("permission {first} is not allowed: {first} is unauthorized")),
                None => Self::forbidden(message),
            },
            Error::OperatorsOnly(_) | Error::Outlives(_) | Error::RotatesItself => Self::forbidden(message),
            Error::NotFound(_) => Self::not_found("authorization not found"),
            Error::RevisionMismatch { .. } => Self::precondition_failed(message),
            Error::Kind(error) => error.into(),
            Error::Id(error) => error.into(),
            Error::Permission(error) => error.into(),
            Error::Moves
            | Error::NoOwner
            | Error::Past(_)
            | Error::LongDescription(_)
            | Error::ControlCharacter(_)
            | Error::Secret(_)
            | Error::OwnerDeleted(_)
            | Error::OrganizationDeleted(_) => Self::invalid(message),
            Error::SecretTaken => Self::conflict("token already exists"),
            Error::AlreadySetUp => Self::conflict("onboarding has already been completed"),
            Error::Revoked(_) => Self::conflict(message),
            Error::LongLineage => Self::unprocessable(message),
            // Repeated, a creation would make a second token beside one whose secret nobody has.
            error @ Error::InDoubt(_) => {
                let message = "the store failed and the change is in doubt; when changes work again, \
                               list the authorizations and look before you repeat it";
                Self { retry: false, ..Self::unavailable(message) }.because(Fault(Arc::new(error)))
            }
            error if error.is_temporary() || matches!(error, Error::Unfinished { .. }) => {
                Self::unavailable(message).because(Fault(Arc::new(error)))
            }
            Error::Closed => Self::unavailable(message),
            error => Self::internal(error),
        }
    }
}

/// The caller's token is not accepted any more.
impl From<Reason> for ApiError {
    fn from(reason: Reason) -> Self {
        if reason.is_temporary() {
            return Self::unavailable(reason.to_string());
        }
        Self { challenge: "Bearer error=\"invalid_token\"", ..Self::unauthorized("unauthorized access") }
    }
}

/// As InfluxDB says it: `write:orgs/0a1b2c3d4e5f6071/authorizations is unauthorized`.
impl From<Denial> for ApiError {
    fn from(denial: Denial) -> Self {
        match denial.missing().next() {
            Some(missing) => Self::unauthorized(format!("{missing} is unauthorized")),
            None => denial.reason().into(),
        }
    }
}

impl From<KindError> for ApiError {
    fn from(error: KindError) -> Self {
        match error {
            KindError::Organization { permission, organization } => {
                Self::invalid(format!("permission {permission} is not for org id {organization}"))
            }
            error => Self::invalid(error.to_string()),
        }
    }
}

impl From<IdError> for ApiError {
    fn from(error: IdError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<PatternError> for ApiError {
    fn from(error: PatternError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<PermissionError> for ApiError {
    fn from(error: PermissionError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<DirectoryError> for ApiError {
    fn from(error: DirectoryError) -> Self {
        Self::internal(error)
    }
}

impl From<QueryRejection> for ApiError {
    fn from(_: QueryRejection) -> Self {
        Self::invalid("the query has a parameter twice, or is not UTF-8")
    }
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_large(),
            _ => Self::invalid("the body could not be read"),
        }
    }
}
