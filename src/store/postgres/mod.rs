//! A store in PostgreSQL, for many nodes.

mod columns;
mod error;
mod hints;
mod sql;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, PgPool, Row};
use tokio::runtime::Handle;

use columns::Columns;
pub use error::PostgresError;
use hints::{Channel, Hints};
use sql::Sql;

use crate::model::id::TokenId;
use crate::model::time::Timestamp;
use crate::random::RandomError;
use crate::store::record::{Record, RecordKey};
use crate::store::{Changes, ChangesError, CommitError, CommitId, Position, StoreError, TokenStore};

/// A store in PostgreSQL that many authorities share, each on its node, through the host's own pool of connections.
///
/// ```no_run
/// use portcullis::{Authority, PostgresStore};
/// use tokio::runtime::Handle;
///
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = sqlx::PgPool::connect("postgres://localhost/app").await?;
/// let store = PostgresStore::new(pool, Handle::current())?;
/// store.migrate().await?; // once for each new version of the tables, by a role that may create them
/// let authority = Authority::open(store).await?;
/// # Ok(())
/// # }
/// ```
///
/// # What it needs
/// - PostgreSQL 14 or later, and connections to the **primary**: a copy that lags behind is refused where it says that
///   it is one. After a failover the former primary must not be reachable (fencing), and what was acknowledged must not be
///   lost with it (`synchronous_standby_names`).
/// - Three connections of the pool at most: one at a time for the authority, one that listens, one that tells; and for a while
///   after tombstones were forgotten, one that drops them.
/// - A runtime that is driven while the authority works: a multi-threaded one, or a current-thread one whose thread does
///   not block in [`Pending::wait`](crate::Pending::wait). Its time and its I/O are enabled, which is what sqlx needs.
/// - The rights `USAGE` on the schema, `SELECT` and `UPDATE` on its `store`, and `SELECT`, `INSERT`, `UPDATE` and `DELETE` on
///   `commits`, `records` and `last_used`. [`migrate`](Self::migrate) alone needs more.
///
/// # What it does
/// - A commit is one transaction, durable where it returns: `synchronous_commit` is raised to `on` if it is lower. It is
///   made only at the expected position, and a repeated one is found in the table `commits`.
/// - What does not answer within the [`timeout`](Self::timeout) is an error; its connection is closed. Waiting for a connection
///   counts by itself, and a page of changes has twice the time, or more where it is larger. Transactions that
///   a stopped node leaves behind are ended by the server after the same time.
/// - Changes are polled. `NOTIFY` makes the others look sooner, and nothing depends on it: where a pooler or another engine
///   has none, polling is all there is.
///
/// The tables are made for people to read, too: see the view `tokens` in the schema. Whoever can write to them can make
/// tokens. They hold digests of secrets, in the column `record`, never secrets.
pub struct PostgresStore {
    pool: PgPool,
    runtime: Handle,
    schema: String,
    sql: Arc<Sql>,
    channel: Channel,
    timeout: Duration,
    hints: Option<Hints>,
}

/// More than most records have. A page of larger ones has fewer of them: it has to be read in time.
const USUAL_BYTES: i64 = 1_600;

/// How a commit went, as far as the database answered.
enum Attempt {
    Made,
    Elsewhere(Position),
    /// Nothing was written, for certain, if this commit was not made before.
    Failed(PostgresError),
    /// It may have been written.
    InDoubt(PostgresError),
}

/// Where the store is, and whether it has the position that was asked for.
struct Head {
    position: Position,
    horizon: u64,
    has: bool,
}

impl Head {
    /// Whether there is a way to here from a position.
    fn check(&self, since: Position) -> Result<(), ChangesError> {
        if since == Position::ORIGIN {
            Ok(())
        } else if since.revision < self.horizon {
            Err(ChangesError::TooOld)
        } else if self.has {
            Ok(())
        } else {
            Err(ChangesError::Diverged)
        }
    }
}

impl PostgresStore {
    /// The store in the schema `portcullis`, through connections of the host's own pool. Nothing is asked of the database
    /// yet.
    ///
    /// # Errors
    /// The operating system gave no randomness.
    pub fn new(pool: PgPool, runtime: Handle) -> Result<Self, RandomError> {
        let own = CommitId::generate()?.to_string();
        let schema = "portcullis".to_owned();
        let channel = Channel { name: format!("{schema}_changed"), own };
        let sql = Arc::new(Sql::new(&schema));
        Ok(Self { pool, runtime, schema, sql, channel, timeout: Duration::from_secs(3), hints: None })
    }

    /// The store in another schema: a database can hold several.
    ///
    /// # Errors
    /// The name is not one that needs no quotes.
    pub fn schema(mut self, schema: &str) -> Result<Self, PostgresError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let starts = schema.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        if !starts || schema.len() > 48 || !schema.bytes().all(plain) {
            return Err(PostgresError::SchemaName(schema.to_owned()));
        }
        schema.clone_into(&mut self.schema);
        self.channel.name = format!("{schema}_changed");
        self.sql = Arc::new(Sql::new(schema));
        Ok(self)
    }

    /// How long PostgreSQL may take for a commit, and half of what it may take for a page of changes: three seconds by default.
    /// Where a page that hangs is to be tried again before everything is denied, choose less than half of
    /// [`Builder::stale_after`](crate::Builder::stale_after).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Makes the tables, or brings them to this version's layout. Harmless when there is nothing to do, and when several
    /// do it at once. Call it when the host is deployed, with a role that may create the schema or owns it.
    ///
    /// # Errors
    /// The tables are of a later version, or the database failed.
    pub async fn migrate(&self) -> Result<(), PostgresError> {
        let failed = |error| PostgresError::new(&self.schema, error);
        let mut transaction = self.pool.begin().await.map_err(failed)?;
        // Those who come at the same time wait here.
        let lock = sqlx::query("SELECT pg_advisory_xact_lock(hashtext($1))").bind(&self.channel.name);
        lock.execute(&mut *transaction).await.map_err(failed)?;
        let has_schema = sqlx::query(&self.sql.has_schema).fetch_one(&mut *transaction).await.map_err(failed)?;
        if !has_schema.try_get::<bool, _>("has").map_err(failed)? {
            sqlx::query(&self.sql.create_schema).execute(&mut *transaction).await.map_err(failed)?;
        }
        sqlx::raw_sql(&self.sql.migrate).execute(&mut *transaction).await.map_err(failed)?;
        self.head(&mut transaction, Position::ORIGIN).await?;
        transaction.commit().await.map_err(failed)
    }

    /// Lets a connection work, but not longer than that. One that did not answer is closed.
    fn run<T>(
        &self,
        limit: Duration,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, PostgresError>,
    ) -> Result<T, PostgresError> {
        if Handle::try_current().is_ok() {
            return Err(PostgresError::InsideRuntime);
        }
        self.runtime.block_on(async {
            let acquired = within(self.timeout, self.pool.acquire()).await?;
            let mut connection = acquired.map_err(|error| PostgresError::new(&self.schema, error))?;
            let worked = within(limit, work(&mut connection)).await;
            if matches!(worked, Err(_) | Ok(Err(PostgresError::Failed(_)))) {
                // It may still be busy, or worse.
                drop(connection.detach());
            }
            worked?
        })
    }

    async fn head(&self, connection: &mut PgConnection, since: Position) -> Result<Head, PostgresError> {
        let failed = |error| PostgresError::new(&self.schema, error);
        let row = sqlx::query(&self.sql.head).bind(signed(since.revision)).fetch_optional(connection).await;
        let row = row.map_err(failed)?.ok_or_else(|| PostgresError::Altered(self.schema.clone()))?;
        let layout: i32 = row.try_get("layout").map_err(failed)?;
        if layout > sql::LAYOUT {
            return Err(PostgresError::NewerLayout { schema: self.schema.clone(), found: layout });
        }
        if row.try_get("standby").map_err(failed)? {
            return Err(PostgresError::Standby);
        }
        let commit = self.commit_id(row.try_get("commit_id").map_err(failed)?)?;
        let position = Position { revision: unsigned(&row, "revision").map_err(failed)?, commit };
        let found: Option<&[u8]> = row.try_get("since").map_err(failed)?;
        let has = found == Some(&since.commit.to_bytes());
        Ok(Head { position, horizon: unsigned(&row, "horizon").map_err(failed)?, has })
    }

    fn commit_id(&self, bytes: &[u8]) -> Result<CommitId, PostgresError> {
        let bytes = bytes.try_into().map_err(|_| PostgresError::Altered(self.schema.clone()))?;
        Ok(CommitId::from_bytes(bytes))
    }

    /// One attempt to commit. Until `COMMIT` is sent, it is certain that this one wrote nothing.
    async fn attempt(
        &self,
        connection: &mut PgConnection,
        expected: Position,
        next: Position,
        records: &[Record],
    ) -> Result<Attempt, PostgresError> {
        let failed = |error| PostgresError::new(&self.schema, error);
        let begin = begin("ISOLATION LEVEL READ COMMITTED", self.timeout);
        let mut transaction = connection.begin_with(begin).await.map_err(failed)?;
        let moved = self.write(&mut transaction, expected, next, records).await;
        match moved {
            Ok(true) => Ok(match transaction.commit().await {
                Ok(()) => Attempt::Made,
                Err(error) => Attempt::InDoubt(failed(error)),
            }),
            // A statement of its own, which sees what the first one waited for.
            Ok(false) => {
                let head = self.head(&mut transaction, next).await?;
                transaction.rollback().await.map_err(failed)?;
                Ok(if head.has { Attempt::Made } else { Attempt::Elsewhere(head.position) })
            }
            Err(error) => {
                // What was refused for its content may have been made before: look.
                _ = transaction.rollback().await;
                Ok(Attempt::Failed(failed(error)))
            }
        }
    }

    /// Whether the store was at the expected position; then everything is written.
    async fn write(
        &self,
        transaction: &mut PgConnection,
        expected: Position,
        next: Position,
        records: &[Record],
    ) -> Result<bool, sqlx::Error> {
        let columns = Columns::of(records);
        let moved = sqlx::query(&self.sql.commit)
            .bind(signed(expected.revision))
            .bind(expected.commit.to_bytes())
            .bind(signed(next.revision))
            .bind(next.commit.to_bytes())
            .bind(columns.key)
            .bind(columns.record)
            .bind(columns.what)
            .bind(columns.id)
            .bind(columns.kind)
            .bind(columns.organization)
            .bind(columns.owner)
            .bind(columns.status)
            .bind(columns.description)
            .bind(columns.created_by)
            .bind(columns.created_at)
            .bind(columns.changed_at)
            .bind(columns.expires_at)
            .fetch_optional(&mut *transaction)
            .await?;
        if moved.is_some()
            && let Some(horizon) = records.iter().filter_map(Record::forgets).max()
        {
            sqlx::query(&self.sql.set_horizon).bind(signed(horizon)).execute(&mut *transaction).await?;
            sqlx::query(&self.sql.trim).execute(&mut *transaction).await?;
            // Where there are more, the rest goes later.
            sqlx::query(&self.sql.sweep).execute(transaction).await?;
        }
        Ok(moved.is_some())
    }

    /// Whether a commit is in the history, now that no attempt to make it is under way: those hold the row that is locked
    /// here.
    async fn look(&self, connection: &mut PgConnection, next: Position) -> Result<Head, PostgresError> {
        let failed = |error| PostgresError::new(&self.schema, error);
        let begin = begin("ISOLATION LEVEL READ COMMITTED", self.timeout);
        let mut transaction = connection.begin_with(begin).await.map_err(failed)?;
        let lock = format!("SELECT revision FROM {}.store FOR UPDATE", self.schema);
        sqlx::query(&lock).fetch_optional(&mut *transaction).await.map_err(failed)?;
        let head = self.head(&mut transaction, next).await?;
        transaction.rollback().await.map_err(failed)?;
        Ok(head)
    }

    async fn read(
        &self,
        connection: &mut PgConnection,
        since: Position,
        limit: usize,
        patience: Duration,
    ) -> Result<Result<Changes, ChangesError>, PostgresError> {
        let failed = |error| PostgresError::new(&self.schema, error);
        // Mostly nothing has changed, which one statement tells.
        let head = self.head(&mut *connection, since).await?;
        if let Err(error) = head.check(since) {
            return Ok(Err(error));
        }
        if head.position == since {
            return Ok(Ok(Changes::new(since)));
        }
        let begin = begin("ISOLATION LEVEL REPEATABLE READ, READ ONLY", patience);
        let mut snapshot = connection.begin_with(begin).await.map_err(failed)?;
        let head = self.head(&mut snapshot, since).await?;
        if let Err(error) = head.check(since) {
            return Ok(Err(error));
        }
        let limit = i64::try_from(limit.max(1)).unwrap_or(i64::MAX);
        let page = sqlx::query(&self.sql.page)
            .bind(signed(since.revision))
            .bind(limit)
            .bind(signed(head.horizon))
            .bind(limit.saturating_mul(USUAL_BYTES))
            .fetch_all(&mut *snapshot)
            .await
            .map_err(failed)?;
        let mut changes = Changes::new(head.position);
        for row in &page {
            let revision = unsigned(row, "revision").map_err(failed)?;
            let bytes: &[u8] = row.try_get("record").map_err(failed)?;
            let record = Record::decode(bytes).map_err(|source| PostgresError::Record { revision, source })?;
            let used: Option<i64> = row.try_get("used").map_err(failed)?;
            if let (Some(id), Some(used)) = (record.token(), used) {
                changes.used.push((id, Timestamp::from_micros(u64::try_from(used).unwrap_or_default())));
            }
            changes.records.push((revision, record));
        }
        if let Some((last, _)) = changes.records.last().filter(|(last, _)| *last < head.position.revision) {
            let rest = sqlx::query(&self.sql.rest)
                .bind(signed(*last))
                .bind(signed(head.horizon))
                .fetch_one(&mut *snapshot)
                .await
                .map_err(failed)?;
            if rest.try_get("more").map_err(failed)? {
                let commit: Option<&[u8]> = rest.try_get("id").map_err(failed)?;
                // A forgotten one is below the horizon, where it does not count.
                let commit = commit.map_or(Ok(Position::ORIGIN.commit), |bytes| self.commit_id(bytes))?;
                changes.position = Position { revision: *last, commit };
                changes.more = true;
            }
        }
        snapshot.rollback().await.map_err(failed)?;
        Ok(Ok(changes))
    }

    fn hints(&mut self) -> &mut Hints {
        let (pool, runtime, sql, channel) = (&self.pool, &self.runtime, &self.sql, &self.channel);
        self.hints.get_or_insert_with(|| Hints::new(pool, runtime, sql, channel))
    }
}

impl TokenStore for PostgresStore {
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Result<Position, CommitError> {
        let next = Position { revision: expected.revision.saturating_add(1), commit: id };
        let in_doubt = |error| Err(CommitError::InDoubt(StoreError::new(error)));
        let attempt =
            self.run(self.timeout, async |connection| self.attempt(connection, expected, next, records).await);
        match attempt {
            Ok(Attempt::Made) => {
                let forgets = records.iter().any(|record| record.forgets().is_some());
                let hints = self.hints();
                hints.changed();
                if forgets {
                    hints.more_to_sweep();
                }
                Ok(next)
            }
            Ok(Attempt::Elsewhere(head)) => Err(CommitError::Conflict(head)),
            Ok(Attempt::Failed(error)) => {
                match self.run(self.timeout, async |connection| self.look(connection, next).await) {
                    Ok(head) if head.has => Ok(next),
                    Ok(_) => Err(CommitError::Refused(StoreError::new(error))),
                    Err(_) => in_doubt(error),
                }
            }
            Ok(Attempt::InDoubt(error)) | Err(error) => in_doubt(error),
        }
    }

    fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError> {
        // Large pages take longer.
        let pages = u32::try_from(limit / 10_000).unwrap_or(u32::MAX).saturating_add(1);
        let patience = self.timeout.saturating_mul(pages);
        let read = self.run(patience, async |connection| self.read(connection, since, limit, patience).await);
        read.map_err(|error| ChangesError::Failed(StoreError::new(error)))?
    }

    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        let keys: Vec<_> = used.iter().map(|(id, _)| RecordKey::token(*id).to_bytes().to_vec()).collect();
        let times: Vec<_> = used.iter().map(|(_, time)| signed(time.as_micros())).collect();
        let touched = self.run(self.timeout, async |connection| {
            let touch = sqlx::query(&self.sql.touch).bind(keys).bind(times).execute(connection).await;
            touch.map_err(|error| PostgresError::new(&self.schema, error))
        });
        touched.map(drop).map_err(StoreError::new)
    }

    fn wake_on_change(&mut self, waker: Waker) {
        let (pool, runtime, channel) = (self.pool.clone(), self.runtime.clone(), self.channel.clone());
        self.hints().listen(&pool, &runtime, &channel, waker);
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresStore").field(&self.schema).finish()
    }
}

/// Has the server give up about when this side does.
fn begin(characteristics: &str, limit: Duration) -> String {
    let milliseconds = limit.as_millis().clamp(1, 86_400_000);
    format!(
        "BEGIN {characteristics}; SET LOCAL statement_timeout = {milliseconds}; SET LOCAL lock_timeout = {milliseconds}; \
         SET LOCAL idle_in_transaction_session_timeout = {milliseconds}; \
         SELECT set_config('synchronous_commit', 'on', true) \
         WHERE current_setting('synchronous_commit') IN ('off', 'local')"
    )
}

async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Result<T, PostgresError> {
    tokio::time::timeout(limit, work).await.map_err(|_| PostgresError::TimedOut(limit))
}

/// PostgreSQL has no unsigned integers. No store comes that far.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(row: &PgRow, column: &str) -> Result<u64, sqlx::Error> {
    Ok(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or_default())
}
