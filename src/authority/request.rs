//! What management calls ask for, and what they return.

use std::sync::Arc;
use std::time::Duration;

use crate::model::expiry::Expiry;
use crate::model::kind::TokenKind;
use crate::model::time::Timestamp;
use crate::model::token::Token;
use crate::secret::Secret;

/// When a token is to expire: at a time, never, or some time after the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    Until(Expiry),
    For(Duration),
}

impl Lifetime {
    pub(crate) fn ends(self, now: Timestamp) -> Expiry {
        match self {
            Self::Until(expiry) => expiry,
            Self::For(duration) => now.saturating_add(duration).into(),
        }
    }
}

/// A change to a token: what is not said stays (design rule 13).
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Update {
    pub(crate) description: Option<Arc<str>>,
    pub(crate) active: Option<bool>,
    pub(crate) lifetime: Option<Lifetime>,
    pub(crate) kind: Option<TokenKind>,
    pub(crate) revision: Option<u64>,
}

impl Update {
    /// Returns an update that changes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the description: at most 1,024 bytes, no control characters.
    ///
    /// ```
    /// use portcullis::Update;
    ///
    /// let update = Update::new().description("deploys the website");
    /// ```
    pub fn description(mut self, description: impl Into<Arc<str>>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Deactivates the token: it is refused until it is activated.
    ///
    /// ```
    /// use portcullis::Update;
    ///
    /// let update = Update::new().deactivate();
    /// ```
    pub fn deactivate(mut self) -> Self {
        self.active = Some(false);
        self
    }

    /// Activates the token: it is accepted again.
    ///
    /// ```
    /// use portcullis::Update;
    ///
    /// let update = Update::new().activate();
    /// ```
    pub fn activate(mut self) -> Self {
        self.active = Some(true);
        self
    }

    /// Sets the expiry: the time from which on the token is refused.
    ///
    /// ```
    /// use portcullis::{Timestamp, Update};
    ///
    /// let update = Update::new().expires_at("2030-01-01T00:00:00Z".parse::<Timestamp>()?);
    /// # Ok::<(), portcullis::TimestampError>(())
    /// ```
    pub fn expires_at(mut self, time: Timestamp) -> Self {
        self.lifetime = Some(Lifetime::Until(time.into()));
        self
    }

    /// Sets the expiry, counted from the change.
    ///
    /// ```
    /// use std::time::Duration;
    /// use portcullis::Update;
    ///
    /// let update = Update::new().expires_in(Duration::from_secs(90 * 24 * 3600));
    /// ```
    pub fn expires_in(mut self, duration: Duration) -> Self {
        self.lifetime = Some(Lifetime::For(duration));
        self
    }

    /// Removes the expiry.
    ///
    /// ```
    /// use portcullis::Update;
    ///
    /// let update = Update::new().never_expires();
    /// ```
    pub fn never_expires(mut self) -> Self {
        self.lifetime = Some(Lifetime::Until(Expiry::Never));
        self
    }

    /// Sets the kind, in the same organization.
    ///
    /// ```
    /// use portcullis::{OrgId, TokenKind, Update};
    ///
    /// let acme = OrgId::generate()?;
    /// let update = Update::new().kind(TokenKind::all_access(acme));
    /// # Ok::<(), portcullis::RandomError>(())
    /// ```
    pub fn kind(mut self, kind: TokenKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Makes the update conditional: it is refused unless the token is still at the revision that the caller read
    /// ([`Token::revision`]).
    ///
    /// ```
    /// use portcullis::Update;
    ///
    /// let update = Update::new().deactivate().if_revision(7);
    /// ```
    pub fn if_revision(mut self, revision: u64) -> Self {
        self.revision = Some(revision);
        self
    }
}

/// How to give a token a new secret (design rule 15). By default a generated one, and the old one stops at once.
#[derive(Debug, Default)]
#[must_use]
pub struct Rotation {
    pub(crate) overlap: Duration,
    pub(crate) secret: Option<Secret>,
}

impl Rotation {
    /// Returns a rotation to a generated secret, where the old one stops at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how long the old secret is accepted beside the new one, none by default. It is accepted neither beyond the token's own end
    /// nor beyond its next rotation: at most one former secret is accepted at a time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use portcullis::Rotation;
    ///
    /// let rotation = Rotation::new().overlap(Duration::from_secs(24 * 3600));
    /// ```
    pub fn overlap(mut self, overlap: Duration) -> Self {
        self.overlap = overlap;
        self
    }

    /// Sets the new secret (design rule 14). By default it is generated, which is safer.
    ///
    /// ```
    /// use portcullis::{Rotation, Secret};
    ///
    /// let rotation = Rotation::new().secret(Secret::new("correct-horse-battery-staple-0123456789"));
    /// ```
    pub fn secret(mut self, secret: Secret) -> Self {
        self.secret = Some(secret);
        self
    }
}

/// A token and its secret, which is shown here and never again.
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "the secret is shown here and never again"]
pub struct Issued {
    /// The token.
    pub token: Token,
    /// Its secret.
    pub secret: Secret,
    /// When it is accepted where.
    pub receipt: Receipt,
}

/// A token after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Updated {
    /// The token.
    pub token: Token,
    /// Since when the change holds where.
    pub receipt: Receipt,
}

/// What a change did, and since when it holds: here since the call returned, elsewhere as
/// [`everywhere`](Self::everywhere) says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The revision at which it took effect, or at which it was found to be in effect already.
    /// [`Authority::follow_to`](crate::Authority::follow_to) waits for it on another authority.
    pub revision: u64,
    /// How many records it changed; 0 when it was in effect already.
    pub changed: usize,
    /// When it holds on every authority of the store (design rule 17).
    pub everywhere: Everywhere,
}

/// When a change holds on every authority of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Everywhere {
    /// Since the call returned: nobody else has the store.
    Now,
    /// From that time on every authority has applied it, or denies everything: the time of the commit and the bound
    /// ([`AuthorityBuilder::stale_after`](crate::AuthorityBuilder::stale_after)), with a thousandth for clocks that run unevenly.
    ///
    /// By the clock of the authority that committed, as it ran then: whoever compares it with another clock adds what the
    /// two may differ by. It counts on all authorities having the same bound, and on the store keeping what it
    /// acknowledged: a store that is restored from an earlier backup takes the change back.
    By(Timestamp),
    /// At no time that can be told: the host chose
    /// [`availability_over_revocation`](crate::AuthorityBuilder::availability_over_revocation).
    Unbounded,
}
