//! Secrets: generated, recognized, digested. What this module holds never prints and never serializes.

mod format;
mod keyring;

use std::fmt;

use zeroize::Zeroizing;

pub(crate) use format::{Format, Presented};
pub use format::{PrefixError, SecretError};
pub(crate) use keyring::{Credential, Digest, Keyring};
pub use keyring::{Pepper, PepperError};

/// The string that a client presents: shown once, never stored.
///
/// Secret. It is wiped from memory when dropped; it has no `Clone`, no `Display`, no serde, and its `Debug` is
/// `Secret(..)`.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a secret that the caller chose, for [`NewToken::secret`](crate::NewToken::secret). It is checked when the
    /// token is created.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Zeroizing::new(secret.into()))
    }

    /// The secret itself. Show it to whoever asked for the token, then drop it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
