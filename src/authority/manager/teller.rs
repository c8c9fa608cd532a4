//! Sending events to the host's observer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::authority::call::Call;
use crate::authority::error::Error;
use crate::authority::event::{ActorName, Event, EventKind, Observer};
use crate::authority::shared::Shared;
use crate::model::reason::Reason;
use crate::store::Position;

/// The shortest time between two reports of rejected secrets.
const INTERVAL: Duration = Duration::from_secs(1);

/// Sends events to the host's observer.
pub(super) struct Teller {
    shared: Arc<Shared>,
    observer: Option<Box<dyn Observer>>,
    /// Why everything is denied, as the observer knows it.
    denying: Option<Reason>,
    /// When rejected secrets were last reported.
    failures: Instant,
}

impl Teller {
    pub(super) fn new(shared: Arc<Shared>, observer: Option<Box<dyn Observer>>) -> Self {
        Self { shared, observer, denying: Some(Reason::Unavailable), failures: Instant::now() }
    }

    /// Notes that the authority was opened, which is no event.
    pub(super) fn opened(&mut self) {
        self.denying = None;
    }

    pub(super) fn tell(&self, event: &Event) {
        if let Some(observer) = &self.observer {
            // A panic in the host's log must not end the management of tokens.
            _ = catch_unwind(AssertUnwindSafe(|| observer.observe(event)));
        }
    }

    /// Sends that a call is refused.
    pub(super) fn tell_refused(&self, call: &dyn Call, error: &Error) {
        self.tell_now(call.actor(), EventKind::Refused { call: call.name(), error: error.to_string() }, None);
    }

    /// Sends that everything is denied from now on, or that requests are decided again, if that has changed. `error` is why
    /// the last read of the store failed, if it did.
    pub(super) fn tell_denying(&mut self, error: Option<String>) {
        let shared = &self.shared;
        let denying = shared.index.check_current(&*shared.clock).err();
        if denying == self.denying {
            return;
        }
        self.denying = denying;
        match denying {
            Some(reason) => self.tell_now(None, EventKind::Denying { reason, error }, None),
            None => self.tell_now(None, EventKind::Serving, Some(self.shared.index.position().revision)),
        }
    }

    /// Sends that the store's history is not the one that was followed up to that position.
    pub(super) fn tell_diverged(&self, followed: Position) {
        self.tell_now(None, EventKind::Diverged(followed), None);
    }

    /// Sends which secrets were rejected, if it is due. However often the store is read, a flood of them must not fill the
    /// log.
    pub(super) fn tell_failures(&mut self, closing: bool) {
        if !closing && self.failures.elapsed() < INTERVAL {
            return;
        }
        self.failures = Instant::now();
        let (first, more) = self.shared.failures.take();
        let more = (more > 0).then_some(EventKind::MoreNotAuthenticated(more));
        for kind in first.into_iter().map(EventKind::NotAuthenticated).chain(more) {
            self.tell_now(None, kind, None);
        }
    }

    fn tell_now(&self, actor: Option<ActorName>, kind: EventKind, revision: Option<u64>) {
        self.tell(&Event { at: self.shared.clock.now(), actor, kind, token: None, revision });
    }
}
