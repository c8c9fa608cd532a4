//! Conditional changes: a token's revision as an entity tag.

use http::header::{ETAG, IF_MATCH};
use http::{HeaderMap, HeaderValue};
use portcullis::Token;

use crate::api::error::ApiError;

/// The entity tag of a token: its revision.
pub(crate) fn of(token: &Token) -> HeaderValue {
    // Digits and quotes are always a header's value.
    HeaderValue::from_str(&format!("\"{}\"", token.revision())).unwrap_or(HeaderValue::from_static("\"\""))
}

/// What a change is conditional on.
pub(crate) enum Condition {
    None,
    Revision(u64),
}

/// Reads `If-Match: "7"`. `*` is any revision.
pub(crate) fn condition(headers: &HeaderMap) -> Result<Condition, ApiError> {
    let mut values = headers.get_all(IF_MATCH).iter();
    let unreadable = || ApiError::invalid(format!("`if-match` takes one `{ETAG}` of an authorization, or `*`"));
    match (values.next().map(HeaderValue::as_bytes), values.next()) {
        (None, _) | (Some(b"*"), None) => Ok(Condition::None),
        (Some([b'"', revision @ .., b'"']), None) => {
            let revision = std::str::from_utf8(revision).ok().and_then(|revision| revision.parse().ok());
            revision.map(Condition::Revision).ok_or_else(unreadable)
        }
        _ => Err(unreadable()),
    }
}

/// For what cannot be conditional: a condition that is not looked at would be taken for one that held.
pub(crate) fn unconditional(headers: &HeaderMap) -> Result<(), ApiError> {
    if headers.contains_key(IF_MATCH) {
        return Err(ApiError::invalid("`if-match` is for changing an authorization or its permissions only"));
    }
    Ok(())
}
