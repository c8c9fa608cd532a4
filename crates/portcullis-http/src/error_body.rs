//! InfluxDB's form of an error.

use http::{HeaderName, HeaderValue};

/// InfluxDB's header with the error's code, for clients that do not read the body.
pub(crate) const ERROR_CODE: HeaderName = HeaderName::from_static("x-platform-error-code");

/// The content type of every body.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// `{"code":"not found","message":"authorization not found"}`
pub(crate) fn error_body(code: &str, message: &str) -> String {
    serde_json::json!({ "code": code, "message": message }).to_string()
}
