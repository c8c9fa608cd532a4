//! What an authority tells the host's log.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::model::id::{OrgId, TokenId, UserId};
use crate::model::reason::Reason;
use crate::model::status::Standing;
use crate::model::time::Timestamp;
use crate::store::Position;

/// Something that happened: for the host's audit log.
///
/// No event holds a secret or a digest ([design rule 20](crate::_rules)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Event {
    /// When it happened, on the authority's clock.
    pub at: Timestamp,
    /// Who did it. `None` if nobody was authenticated.
    pub actor: Option<ActorName>,
    /// What happened.
    pub kind: EventKind,
    /// The token that it was about, if any.
    pub token: Option<TokenId>,
    /// The revision of the store at which it took effect, or from which requests are decided again. `None` if nothing changed.
    pub revision: Option<u64>,
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ActorName {
    /// The host itself, under this label.
    Host(Arc<str>),
    /// A caller that was authenticated by this token.
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

/// The name of a management call, in events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum CallName {
    /// [`Authority::setup`](crate::Authority::setup).
    Setup,
    /// [`Authority::create`](crate::Authority::create).
    Create,
    /// [`Authority::update`](crate::Authority::update).
    Update,
    /// [`Authority::rotate`](crate::Authority::rotate).
    Rotate,
    /// [`Authority::revoke`](crate::Authority::revoke).
    Revoke,
    /// [`Authority::revoke_all`](crate::Authority::revoke_all).
    RevokeAll,
    /// [`Authority::delete`](crate::Authority::delete).
    Delete,
    /// [`Authority::set_owner_standing`](crate::Authority::set_owner_standing).
    SetOwner,
    /// [`Authority::set_organization_standing`](crate::Authority::set_organization_standing).
    SetOrganization,
    /// [`Authority::purge`](crate::Authority::purge).
    Purge,
}

impl CallName {
    /// Returns the name in events and JSON: `create`, `revokeAll`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Create => "create",
            Self::Update => "update",
            Self::Rotate => "rotate",
            Self::Revoke => "revoke",
            Self::RevokeAll => "revokeAll",
            Self::Delete => "delete",
            Self::SetOwner => "setOwner",
            Self::SetOrganization => "setOrganization",
            Self::Purge => "purge",
        }
    }
}

impl fmt::Display for CallName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum EventKind {
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
        /// Which call.
        call: CallName,
        /// The error's text.
        error: String,
    },
    /// From now on everything is denied: the store could not be read for too long, or is being read again from the start. While the
    /// store hangs, this event comes late.
    Denying {
        /// [`Reason::Stale`] or [`Reason::Unavailable`].
        reason: Reason,
        /// Why the last read failed, if it did.
        error: Option<String>,
    },
    /// Requests are decided again.
    Serving,
    /// The store's history differs from the one that was followed up to this position: the store was restored from a backup, or
    /// replaced. Changes since the backup, revocations included, can be lost. The events before this one list them.
    Diverged(Position),
    /// A secret was not accepted.
    NotAuthenticated(Reason),
    /// Number of further rejected secrets in the last second or two, beyond those reported individually.
    MoreNotAuthenticated(u64),
}

impl EventKind {
    /// Returns a stable name for logs, metrics and alerts, the same as in JSON: `created`, `notAuthenticated`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Rotated => "rotated",
            Self::Revoked => "revoked",
            Self::Deleted => "deleted",
            Self::Owner(..) => "owner",
            Self::Organization(..) => "organization",
            Self::Forgotten(_) => "forgotten",
            Self::Refused { .. } => "refused",
            Self::Denying { .. } => "denying",
            Self::Serving => "serving",
            Self::Diverged(_) => "diverged",
            Self::NotAuthenticated(_) => "notAuthenticated",
            Self::MoreNotAuthenticated(_) => "moreNotAuthenticated",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(actor) = &self.actor {
            write!(f, "{actor}: ")?;
        }
        match &self.kind {
            EventKind::Created => f.write_str("created")?,
            EventKind::Updated => f.write_str("updated")?,
            EventKind::Rotated => f.write_str("rotated")?,
            EventKind::Revoked => f.write_str("revoked")?,
            EventKind::Deleted => f.write_str("deleted")?,
            EventKind::Owner(owner, standing) => write!(f, "owner {owner} is now {standing}")?,
            EventKind::Organization(organization, standing) => {
                write!(f, "organization {organization} is now {standing}")?;
            }
            EventKind::Forgotten(count) => write!(f, "forgot {count} deleted tokens")?,
            EventKind::Refused { call, error } => write!(f, "{call} refused: {error}")?,
            EventKind::Denying { reason, error: None } => write!(f, "denying everything: {reason}")?,
            EventKind::Denying { reason, error: Some(error) } => write!(f, "denying everything: {reason}: {error}")?,
            EventKind::Serving => f.write_str("serving again")?,
            EventKind::Diverged(position) => {
                write!(f, "the store has another history than the one followed to {position}")?;
            }
            EventKind::NotAuthenticated(reason) => write!(f, "not authenticated: {reason}")?,
            EventKind::MoreNotAuthenticated(count) => write!(f, "{count} more not authenticated")?,
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
/// Events of changes come in the order of their commits: after the change took effect, and before the call that made it
/// returns. Each authority reports its own changes only.
///
/// An event can be lost in two cases: in a crash between a commit and its event, and when an authority is closed before it knows
/// whether a commit in doubt happened. If the change happened, the store has it.
///
/// ```
/// use std::sync::mpsc;
/// use portcullis::{Authority, Event, MemoryStore, Observer, UserId};
///
/// /// Hands events to the thread that writes the audit log.
/// struct AuditLog(mpsc::Sender<String>);
///
/// impl Observer for AuditLog {
///     fn observe(&self, event: &Event) {
///         _ = self.0.send(event.to_string());
///     }
/// }
///
/// let (sender, log) = mpsc::channel();
/// let authority = Authority::builder().observer(AuditLog(sender)).open(MemoryStore::new()).wait()?;
/// authority.setup(UserId::generate()?).wait()?;
/// assert!(log.recv()?.contains("created"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Observer: Send + Sync + 'static {
    /// Receives one event. The management thread calls this, one event at a time. It must not block, and must not wait for a
    /// management call: that call would never return.
    fn observe(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync + 'static> Observer for F {
    fn observe(&self, event: &Event) {
        self(event);
    }
}

/// Sends every event to [`tracing`], under the target `portcullis`: changes as `INFO`, refusals and losing the store as `WARN`.
/// Its fields are `kind` ([`EventKind::as_str`]), `at`, `actor`, `token` and `revision`; its message is the event's text.
#[cfg(feature = "tracing")]
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingObserver;

#[cfg(feature = "tracing")]
impl Observer for TracingObserver {
    fn observe(&self, event: &Event) {
        let Event { at, actor, token, revision, .. } = event;
        let actor = actor.as_ref().map(tracing::field::display);
        let token = token.as_ref().map(tracing::field::display);
        let kind = event.kind.as_str();
        match &event.kind {
            EventKind::Refused { .. }
            | EventKind::Denying { .. }
            | EventKind::Diverged(_)
            | EventKind::NotAuthenticated(_)
            | EventKind::MoreNotAuthenticated(_) => {
                tracing::warn!(target: "portcullis", kind, %at, actor, token, revision, "{event}");
            }
            _ => tracing::info!(target: "portcullis", kind, %at, actor, token, revision, "{event}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::CommitId;

    #[test]
    fn calls_have_the_names_that_json_gives_them() {
        use CallName::*;
        for call in [Setup, Create, Update, Rotate, Revoke, RevokeAll, Delete, SetOwner, SetOrganization, Purge] {
            assert_eq!(serde_json::to_value(call).unwrap(), call.to_string());
        }
    }

    #[test]
    fn kinds_have_the_names_that_json_gives_them() {
        let (owner, organization) = (UserId::try_from(1).unwrap(), OrgId::try_from(2).unwrap());
        let reason = Reason::Unavailable;
        let kinds = [
            EventKind::Created,
            EventKind::Updated,
            EventKind::Rotated,
            EventKind::Revoked,
            EventKind::Deleted,
            EventKind::Owner(owner, Standing::Active),
            EventKind::Organization(organization, Standing::Active),
            EventKind::Forgotten(1),
            EventKind::Refused { call: CallName::Create, error: String::new() },
            EventKind::Denying { reason, error: None },
            EventKind::Serving,
            EventKind::Diverged(Position { revision: 1, commit: CommitId::from_bytes([1; 16]) }),
            EventKind::NotAuthenticated(reason),
            EventKind::MoreNotAuthenticated(1),
        ];
        for kind in kinds {
            let json = serde_json::to_value(&kind).unwrap();
            let name = json.as_object().and_then(|fields| fields.keys().next().cloned());
            assert_eq!(name.as_deref().or(json.as_str()), Some(kind.as_str()));
        }
    }
}
