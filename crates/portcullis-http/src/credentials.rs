//! The `Authorization` header.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

/// Why an `Authorization` header cannot be read. What it holds is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// More than one header: which of them counts would be a guess.
    #[error("more than one `authorization` header; send one")]
    Several,
    /// Neither `Token` nor `Bearer`.
    #[error("the `authorization` header has another scheme than `Token` and `Bearer`")]
    Scheme,
    /// A scheme and no token.
    #[error("the `authorization` header has no token after its scheme")]
    Empty,
    /// Characters that no token has.
    #[error("the `authorization` header has characters that are not ASCII")]
    NotAscii,
}

/// The secret that a request presents: `Token x` or `Bearer x`, the scheme in any case, one space, and all the rest as
/// it is. `None` without a header.
pub(crate) fn presented(headers: &HeaderMap) -> Result<Option<&[u8]>, HeaderError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(HeaderError::Several);
    }
    secret(value).map(Some)
}

fn secret(value: &HeaderValue) -> Result<&[u8], HeaderError> {
    let bytes = value.as_bytes();
    if !bytes.is_ascii() {
        return Err(HeaderError::NotAscii);
    }
    // A server cuts the space off where nothing follows.
    let space = bytes.iter().position(|byte| *byte == b' ').unwrap_or(bytes.len());
    let (scheme, rest) = bytes.split_at_checked(space).unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(b"Token") && !scheme.eq_ignore_ascii_case(b"Bearer") {
        return Err(HeaderError::Scheme);
    }
    match rest {
        [] | [_] => Err(HeaderError::Empty),
        [_, secret @ ..] => Ok(secret),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&'static [u8]]) -> Result<Option<&'static str>, HeaderError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        Ok(presented(&headers)?.map(|secret| Box::leak(String::from_utf8(secret.to_vec()).unwrap().into()) as &str))
    }

    #[test]
    fn both_schemes_in_any_case_and_the_rest_as_it_is() {
        for header in [b"Token abc".as_slice(), b"token abc", b"TOKEN abc", b"Bearer abc", b"bearer abc", b"bEARER abc"]
        {
            assert_eq!(read(&[header]), Ok(Some("abc")));
        }
        assert_eq!(read(&[b"Token  two spaces "]), Ok(Some(" two spaces ")));
        assert_eq!(read(&[b"Token user:abc"]), Ok(Some("user:abc")));
        assert_eq!(read(&[]), Ok(None));
    }

    #[test]
    fn everything_else_is_refused() {
        for header in
            [b"".as_slice(), b"abc", b"Basic abc", b"Tokenabc", b"Token\tabc", b" Token abc", b"Bearertoken abc"]
        {
            assert_eq!(read(&[header]), Err(HeaderError::Scheme), "{header:?}");
        }
        for header in [b"Token".as_slice(), b"Token ", b"bearer"] {
            assert_eq!(read(&[header]), Err(HeaderError::Empty), "{header:?}");
        }
        for header in [b"Token \xff\xfe".as_slice(), "Token ä".as_bytes(), "Tökén a".as_bytes()] {
            assert_eq!(read(&[header]), Err(HeaderError::NotAscii), "{header:?}");
        }
        assert_eq!(read(&[b"Token abc", b"Token abc"]), Err(HeaderError::Several));
        assert_eq!(read(&[b"Basic abc", b"Token abc"]), Err(HeaderError::Several));
    }

    #[test]
    fn errors_say_what_is_wrong_and_not_what_was_sent() {
        let text = |error: HeaderError| error.to_string();
        assert_eq!(text(HeaderError::Several), "more than one `authorization` header; send one");
        assert_eq!(text(HeaderError::Empty), "the `authorization` header has no token after its scheme");
        assert_eq!(
            text(HeaderError::Scheme),
            "the `authorization` header has another scheme than `Token` and `Bearer`"
        );
        assert_eq!(text(HeaderError::NotAscii), "the `authorization` header has characters that are not ASCII");
    }
}
