//! Committing, also where the store does not say whether it did.

use std::sync::Arc;
use std::time::Duration;

use crate::authority::error::Error;
use crate::authority::event::Event;
use crate::authority::manager::guarded::GuardedStore;
use crate::authority::manager::teller::Teller;
use crate::authority::shared::Shared;
use crate::store::{CommitError, CommitId, Position, Record};
use crate::sync::thread;

/// How often a commit in doubt is repeated before its callers are told so, and how long between.
const REPEATS: [Duration; 3] = [Duration::from_millis(5), Duration::from_millis(50), Duration::from_millis(250)];

/// Commits, publishes what was committed, and tells it.
pub(super) struct Committer {
    shared: Arc<Shared>,
    /// A commit that may have happened or not, to be repeated until the store says which.
    unsettled: Option<Commit>,
}

/// What is to be committed, and told about it.
struct Commit {
    expected: Position,
    id: CommitId,
    records: Vec<Record>,
    events: Vec<Event>,
}

impl Commit {
    /// Where the store is after it. Not taken from its answer: were that wrong, changes of others would be left out.
    fn position(&self) -> Position {
        Position { revision: self.expected.revision.saturating_add(1), commit: self.id }
    }
}

impl Committer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, unsettled: None }
    }

    /// Commits, and repeats a commit in doubt for a while. Returns where the store is then; `None` if it is not where it was
    /// expected: others were quicker, and nothing changed.
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

    /// Repeats a commit in doubt, if there is one, once. Fails while it still is in doubt.
    pub(super) fn settle(&mut self, store: &mut GuardedStore, teller: &Teller) -> Result<(), Error> {
        let Some(commit) = self.unsettled.take() else { return Ok(()) };
        match store.commit(commit.expected, commit.id, &commit.records) {
            Ok(_) => {
                self.publish(commit, teller);
                Ok(())
            }
            // It is certain that it did not happen.
            Err(CommitError::Conflict(_) | CommitError::Refused(_)) => Ok(()),
            Err(CommitError::InDoubt(error)) => {
                self.unsettled = Some(commit);
                // The caller now is not the one whose change is in doubt.
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
