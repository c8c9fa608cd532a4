//! The store, with its panics turned into errors.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::model::id::TokenId;
use crate::model::time::Timestamp;
use crate::store::{Changes, ChangesError, CommitError, CommitId, Position, Record, StoreError, TokenStore};

const PANICKED: &str = "the store panicked";

/// A store whose panics become errors, and do not end the management thread.
pub(super) struct GuardedStore(Box<dyn TokenStore>);

impl GuardedStore {
    pub(super) const fn new(store: Box<dyn TokenStore>) -> Self {
        Self(store)
    }

    /// A commit that panicked is in doubt: it may have happened.
    pub(super) fn commit(
        &mut self,
        expected: Position,
        id: CommitId,
        records: &[Record],
    ) -> Result<Position, CommitError> {
        guarded(|| self.0.commit(expected, id, records), CommitError::InDoubt)
    }

    pub(super) fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError> {
        guarded(|| self.0.changes(since, limit), ChangesError::Failed)
    }

    pub(super) fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        guarded(|| self.0.touch(used), |error| error)
    }
}

fn guarded<T, E>(call: impl FnOnce() -> Result<T, E>, failed: impl FnOnce(StoreError) -> E) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(failed(StoreError::new(PANICKED))))
}
