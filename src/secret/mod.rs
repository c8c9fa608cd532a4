//! Secrets: how they are generated, recognized and digested. What this module holds is never printed and never serialized,
//! except digests into a store's records.

mod format;
mod keyring;

use std::fmt;

use zeroize::Zeroizing;

pub(crate) use format::{Format, Presented};
pub use format::{PrefixError, SecretError};
pub(crate) use keyring::{Credential, Digest, Keyring};
pub use keyring::{Pepper, PepperError};

/// The string that a client presents. It is shown once and never stored.
///
/// It is wiped from memory when dropped. It has no `Clone`, no `Display` and no serde, and its `Debug` is `Secret(..)`.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a secret that the caller chose, for [`NewToken::secret`](crate::NewToken::secret). It is checked when the token
    /// is created: 32 to 512 visible ASCII characters (design rule 14).
    ///
    /// ```
    /// use portcullis::{NewToken, OrgId, Secret};
    ///
    /// let secret = Secret::new("a secret from elsewhere, which its clients have already".replace(' ', "-"));
    /// let new = NewToken::all_access(OrgId::generate()?).secret(secret);
    /// # Ok::<(), portcullis::RandomError>(())
    /// ```
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Zeroizing::new(secret.into()))
    }

    /// Returns the secret itself. Show it to the person who asked for the token, then drop it.
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
