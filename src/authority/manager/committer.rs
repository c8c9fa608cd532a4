//! Committing, and settling commits in doubt.

use std::sync::Arc;
use std::time::Duration;

use crate::authority::error::Error;
use crate::authority::event::Event;
use crate::authority::manager::guarded::GuardedStore;
use crate::authority::manager::teller::Teller;
use crate::authority::shared::Shared;
use crate::store::{CommitError, CommitId, Position, Record};
use crate::sync::thread;

/// The pauses between repeats of a commit in doubt. After them its callers are told that it is in doubt.
const REPEATS: [Duration; 3] = [Duration::from_millis(5), Duration::from_millis(50), Duration::from_millis(250)];

/// Commits, publishes what was committed, and sends its events.
pub(super) struct Committer {
    shared: Arc<Shared>,
    /// A commit in doubt: it may have happened or not. It is repeated until the store says which.
    unsettled: Option<Commit>,
}

/// A commit, and the events that are sent once it has happened.
struct Commit {
    expected: Position,
    id: CommitId,
    records: Vec<Record>,
    events: Vec<Event>,
}

impl Commit {
    /// Returns where the store is after it. The store's own answer is not used: if that were wrong, changes of others would
    /// be left out.
    fn position(&self) -> Position {
        Position { revision: self.expected.revision.saturating_add(1), commit: self.id }
    }
}

impl Committer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, unsettled: None }
    }

    /// Commits, and repeats a commit in doubt a few times. Returns where the store is then. Returns `None` if the store is not
    /// where it was expected: others were quicker, and nothing changed.
    pub(super) fn commit(
        &mut self,
        store: &mut GuardedStore,
        teller: &Teller,
        expected: Position,
        records: Vec<Record>,
        events: Vec<Event>,
    ) -> Result<Option<Position>, Error> {
        let commit = Commit { expected, id: CommitId::generate()?, records, events };
        let mut repeats = REPEATS.iter();
        loop {
            match store.commit(commit.expected, commit.id, &commit.records) {
                Ok(_) => {
                    let position = commit.position();
                    self.publish(commit, teller);
                    return Ok(Some(position));
                }
                Err(CommitError::Conflict(_)) => return Ok(None),
                Err(CommitError::Refused(error)) => return Err(Error::Store(Arc::new(error))),
                Err(CommitError::InDoubt(error)) => {
                    let Some(pause) = repeats.next() else {
                        self.unsettled = Some(commit);
                        return Err(Error::InDoubt(Arc::new(error)));
                    };
                    thread::sleep(*pause);
                }
            }
        }
    }

    /// Repeats the commit in doubt once, if there is one. Fails if it still is in doubt.
    pub(super) fn settle(&mut self, store: &mut GuardedStore, teller: &Teller) -> Result<(), Error> {
        let Some(commit) = self.unsettled.take() else { return Ok(()) };
        match store.commit(commit.expected, commit.id, &commit.records) {
            Ok(_) => {
                self.publish(commit, teller);
                Ok(())
            }
            // Now it is certain that it did not happen.
            Err(CommitError::Conflict(_) | CommitError::Refused(_)) => Ok(()),
            Err(CommitError::InDoubt(error)) => {
                self.unsettled = Some(commit);
                // The error goes to a caller whose own change is not in doubt.
                Err(Error::Store(Arc::new(error)))
            }
        }
    }

    fn publish(&self, commit: Commit, teller: &Teller) {
        let position = commit.position();
        let revision = position.revision;
        self.shared.index.apply(position, commit.records.iter().map(|record| (revision, record)));
        for event in commit.events {
            teller.tell(&Event { revision: Some(revision), ..event });
        }
    }
}
