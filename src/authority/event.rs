//! What an authority tells the host's log.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::model::decision::Reason;
use crate::model::id::{OrgId, TokenId, UserId};
use crate::model::time::Timestamp;
use crate::model::token::Standing;
use crate::store::Position;

/// Something that happened: for the host's audit log.
///
/// No event holds a secret or a digest (design rule 20).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Event {
    /// When, by the authority's clock.
    pub at: Timestamp,
    /// Who; `None` when nobody was authenticated.
    pub actor: Option<ActorName>,
    /// What.
    pub what: What,
    /// Which token it was about, if one.
    pub token: Option<TokenId>,
    /// The revision at which it took effect, or which is served again; `None` when nothing changed.
    pub revision: Option<u64>,
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ActorName {
    /// The host itself, under this label.
    Host(Arc<str>),
    /// Whoever held this token.
    Token(TokenId),
}

impl fmt::Display for ActorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(label) => write!(f, "host `{label}`"),
            Self::Token(token) => write!(f, "token {token}"),
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum What {
    /// A token was created.
    Created,
    /// A token's description, status, expiry or kind was changed.
    Updated,
    /// A token got a new secret.
    Rotated,
    /// A token was revoked.
    Revoked,
    /// A token was deleted.
    Deleted,
    /// An owner was suspended, restored or deleted.
    Owner(UserId, Standing),
    /// An organization was suspended, restored or deleted.
    Organization(OrgId, Standing),
    /// The traces of this many deleted tokens were forgotten.
    Forgotten(usize),
    /// A management call was refused.
    Refused {
        /// The call: `create`, `revoke`.
        call: &'static str,
        /// The error's text.
        error: String,
    },
    /// From now on everything is denied: the store could not be read for too long, or is being read anew. While the store
    /// hangs, this is told late.
    Denying {
        /// [`Reason::Stale`] or [`Reason::Unavailable`].
        reason: Reason,
        /// Why the last reading failed, if it did.
        error: Option<String>,
    },
    /// Requests are decided again.
    Serving,
    /// The store's history is not the one that was followed up to this position: it was restored from a backup, or
    /// replaced. What was changed here since then, revocations too, is told by the events before.
    Diverged(Position),
    /// A secret was not accepted.
    NotAuthenticated(Reason),
    /// So many more secrets were not accepted in the last second than are told one by one.
    MoreNotAuthenticated(u64),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(actor) = &self.actor {
            write!(f, "{actor}: ")?;
        }
        match &self.what {
            What::Created => f.write_str("created")?,
            What::Updated => f.write_str("updated")?,
            What::Rotated => f.write_str("rotated")?,
            What::Revoked => f.write_str("revoked")?,
            What::Deleted => f.write_str("deleted")?,
            What::Owner(owner, standing) => write!(f, "owner {owner} is now {standing}")?,
            What::Organization(organization, standing) => write!(f, "organization {organization} is now {standing}")?,
            What::Forgotten(count) => write!(f, "forgot {count} deleted tokens")?,
            What::Refused { call, error } => write!(f, "{call} refused: {error}")?,
            What::Denying { reason, error: None } => write!(f, "denying everything: {reason}")?,
            What::Denying { reason, error: Some(error) } => write!(f, "denying everything: {reason}: {error}")?,
            What::Serving => f.write_str("serving again")?,
            What::Diverged(position) => write!(f, "the store has another history than the one followed to {position}")?,
            What::NotAuthenticated(reason) => write!(f, "not authenticated: {reason}")?,
            What::MoreNotAuthenticated(count) => write!(f, "{count} more not authenticated")?,
        }
        if let Some(token) = &self.token {
            write!(f, " (token {token})")?;
        }
        match self.revision {
            Some(revision) => write!(f, " at revision {revision}"),
            None => Ok(()),
        }
    }
}

/// Where an authority sends its [`Event`]s. Any `Fn(&Event)` is one.
///
/// Changes come in the order of their commits, after they took effect and before the call that made them returns;
/// changes that other authorities made in the same store are told by those. An event can be lost only in a crash
/// between a commit and its event, or when an authority is closed before it learns whether a commit in doubt happened;
/// the store then has the change itself.
pub trait Observer: Send + Sync + 'static {
    /// Something happened. Called on the management thread, one event at a time: it must not block, and must not wait
    /// for a management call, which would never return.
    fn observe(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync + 'static> Observer for F {
    fn observe(&self, event: &Event) {
        self(event);
    }
}

/// Sends every event to [`tracing`], under the target `portcullis`: changes as `INFO`, refusals and losing the store as `WARN`.
#[cfg(feature = "tracing")]
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingObserver;

#[cfg(feature = "tracing")]
impl Observer for TracingObserver {
    fn observe(&self, event: &Event) {
        let Event { at, actor, token, revision, .. } = event;
        let actor = actor.as_ref().map(tracing::field::display);
        let token = token.as_ref().map(tracing::field::display);
        match &event.what {
            What::Refused { .. }
            | What::Denying { .. }
            | What::Diverged(_)
            | What::NotAuthenticated(_)
            | What::MoreNotAuthenticated(_) => {
                tracing::warn!(target: "portcullis", %at, actor, token, revision, "{event}");
            }
            _ => tracing::info!(target: "portcullis", %at, actor, token, revision, "{event}"),
        }
    }
}
