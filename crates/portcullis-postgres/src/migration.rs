//! Tables on their way.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::task::JoinHandle;

use crate::connections::wait;
use crate::error::PostgresError;

/// The answer of [`PostgresStore::migrate`](crate::PostgresStore::migrate): `.await` it in async code, in any runtime, or
/// `.wait()` for it in plain code.
///
/// The migration is under way whether or not anyone waits for it. It ends early, and then changes nothing, if the store is
/// dropped.
#[must_use = "the migration may still fail: wait for its answer"]
pub struct Migration {
    task: JoinHandle<Result<(), PostgresError>>,
}

impl Migration {
    pub(crate) fn new(task: JoinHandle<Result<(), PostgresError>>) -> Self {
        Self { task }
    }

    /// Blocks this thread until the tables are there.
    ///
    /// # Errors
    /// - [`PostgresError::NewerLayout`]: the tables were made by a later version of this crate.
    /// - [`PostgresError::Encoding`]: the database is not in UTF-8.
    /// - [`PostgresError::Standby`]: the server is a copy.
    /// - [`PostgresError::Failed`]: the database cannot be reached, the role may not create the tables, or the store was
    ///   dropped meanwhile.
    pub fn wait(self) -> Result<(), PostgresError> {
        wait(self)
    }
}

impl Future for Migration {
    type Output = Result<(), PostgresError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = ready!(Pin::new(&mut self.task).poll(context));
        Poll::Ready(ended.unwrap_or(Err(PostgresError::Failed(sqlx::Error::WorkerCrashed))))
    }
}

impl fmt::Debug for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Migration(..)")
    }
}
