//! The operating system's randomness.

/// A failure of the operating system's random generator.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the operating system gave no randomness")]
pub struct RandomError(#[source] Option<getrandom::Error>);

impl RandomError {
    pub(crate) const EMPTY: Self = Self(None);
}

/// Fills `bytes` from the operating system's random generator.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), RandomError> {
    getrandom::fill(bytes).map_err(|error| RandomError(Some(error)))
}
