//! What is asked of the tables: each function is one conversation on one connection.

use std::time::Duration;

use portcullis::store::{Changes, ChangesError, CommitId, Position, Record, RecordKey};
use portcullis::{Timestamp, TokenId};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Row, Transaction};

use crate::columns::Columns;
use crate::error::PostgresError;
use crate::statements::{LAYOUT, Statements, query, raw};

/// More than most records have. A page of larger ones has fewer of them: it has to be read in time.
const USUAL_BYTES: i64 = 1_600;

const READ_COMMITTED: &str = "ISOLATION LEVEL READ COMMITTED";

/// How a commit went, as far as the database answered.
pub(crate) enum Attempt {
    Made,
    Elsewhere(Position),
    /// Nothing was written, for certain, if this commit was not made before.
    Failed(PostgresError),
    /// It may have been written.
    InDoubt(PostgresError),
}

/// Where the store is, and whether it has the position that was asked for.
pub(crate) struct Head {
    pub(crate) position: Position,
    horizon: u64,
    pub(crate) has: bool,
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

/// The tables in one schema.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    pub(crate) schema: String,
    pub(crate) statements: Statements,
    pub(crate) timeout: Duration,
}

impl Tables {
    pub(crate) fn new(schema: &str, timeout: Duration) -> Self {
        Self { schema: schema.to_owned(), statements: Statements::new(schema), timeout }
    }

    /// Where the stores of one schema tell each other of changes, and where those that migrate it wait for each other.
    pub(crate) fn channel(&self) -> String {
        format!("{}_changed", self.schema)
    }

    fn failed(&self, error: sqlx::Error) -> PostgresError {
        PostgresError::new(&self.schema, error)
    }

    /// Creates the schema and the tables where they are missing.
    pub(crate) async fn migrate(&self, connection: &mut PgConnection) -> Result<(), PostgresError> {
        let failed = |error| self.failed(error);
        // Whatever the role's default: each statement has to see what the lock was waited for.
        let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await.map_err(failed)?;
        let lock = format!("SELECT pg_advisory_xact_lock(hashtext('{}'))", self.channel());
        raw(lock).execute(&mut *transaction).await.map_err(failed)?;
        let found = raw(self.statements.found.clone()).fetch_one(&mut *transaction).await.map_err(failed)?;
        let encoding: String = found.try_get("encoding").map_err(failed)?;
        if encoding != "UTF8" {
            return Err(PostgresError::Encoding(encoding));
        }
        if !found.try_get::<bool, _>("schema").map_err(failed)? {
            raw(self.statements.create_schema.clone()).execute(&mut *transaction).await.map_err(failed)?;
        }
        if !found.try_get::<bool, _>("tables").map_err(failed)? {
            raw(self.statements.create_tables.clone()).execute(&mut *transaction).await.map_err(failed)?;
        }
        self.head(&mut transaction, Position::ORIGIN).await?;
        transaction.commit().await.map_err(failed)
    }

    /// Begins a transaction that the server gives up about when this side does.
    async fn begin<'c>(
        &self,
        connection: &'c mut PgConnection,
        characteristics: &str,
        limit: Duration,
    ) -> Result<Transaction<'c, Postgres>, PostgresError> {
        let milliseconds = limit.as_millis().clamp(1, 86_400_000);
        let begin = format!(
            "BEGIN {characteristics}; SET LOCAL statement_timeout = {milliseconds}; \
             SET LOCAL lock_timeout = {milliseconds}; SET LOCAL idle_in_transaction_session_timeout = {milliseconds}; \
             SELECT set_config('synchronous_commit', 'on', true) \
             WHERE current_setting('synchronous_commit') IN ('off', 'local')"
        );
        connection.begin_with(AssertSqlSafe(begin)).await.map_err(|error| self.failed(error))
    }

    async fn head(&self, connection: &mut PgConnection, since: Position) -> Result<Head, PostgresError> {
        let failed = |error| self.failed(error);
        let head = raw(self.statements.head(signed(since.revision))).fetch_optional(connection).await;
        let row = head.map_err(failed)?.ok_or_else(|| PostgresError::Altered(self.schema.clone()))?;
        let layout: i32 = row.try_get("layout").map_err(failed)?;
        if layout > LAYOUT {
            return Err(PostgresError::NewerLayout { schema: self.schema.clone(), found: layout });
        }
        if row.try_get("standby").map_err(failed)? {
            return Err(PostgresError::Standby);
        }
        let commit = self.commit_id(&row.try_get::<Vec<u8>, _>("commit_id").map_err(failed)?)?;
        let position = Position { revision: unsigned(&row, "revision").map_err(failed)?, commit };
        let found: Option<Vec<u8>> = row.try_get("since").map_err(failed)?;
        let has = found.is_some_and(|found| found == since.commit.to_bytes());
        Ok(Head { position, horizon: unsigned(&row, "horizon").map_err(failed)?, has })
    }

    fn commit_id(&self, bytes: &[u8]) -> Result<CommitId, PostgresError> {
        let bytes = bytes.try_into().map_err(|_| PostgresError::Altered(self.schema.clone()))?;
        Ok(CommitId::from_bytes(bytes))
    }

    /// One attempt to commit. Until `COMMIT` is sent, it is certain that this one wrote nothing.
    pub(crate) async fn attempt(
        &self,
        connection: &mut PgConnection,
        expected: Position,
        next: Position,
        records: &[Record],
    ) -> Result<Attempt, PostgresError> {
        let mut transaction = self.begin(connection, READ_COMMITTED, self.timeout).await?;
        let moved = self.write(&mut transaction, expected, next, records).await;
        match moved {
            Ok(true) => Ok(match transaction.commit().await {
                Ok(()) => Attempt::Made,
                Err(error) => Attempt::InDoubt(self.failed(error)),
            }),
            // A statement of its own, which sees what the first one waited for.
            Ok(false) => {
                let head = self.head(&mut transaction, next).await?;
                transaction.rollback().await.map_err(|error| self.failed(error))?;
                Ok(if head.has { Attempt::Made } else { Attempt::Elsewhere(head.position) })
            }
            Err(error) => {
                // What was refused for its content may have been made before: look.
                _ = transaction.rollback().await;
                Ok(Attempt::Failed(self.failed(error)))
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
        let moved = query(&self.statements.commit)
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
            query(&self.statements.set_horizon).bind(signed(horizon)).execute(&mut *transaction).await?;
            raw(self.statements.trim.clone()).execute(&mut *transaction).await?;
            // Where there are more, the rest goes later.
            raw(self.statements.sweep.clone()).execute(transaction).await?;
        }
        Ok(moved.is_some())
    }

    /// Whether a commit is in the history, now that no attempt to make it is under way: those hold the row that is locked
    /// here.
    pub(crate) async fn look(&self, connection: &mut PgConnection, next: Position) -> Result<Head, PostgresError> {
        let failed = |error| self.failed(error);
        let mut transaction = self.begin(connection, READ_COMMITTED, self.timeout).await?;
        raw(self.statements.lock.clone()).execute(&mut *transaction).await.map_err(failed)?;
        let head = self.head(&mut transaction, next).await?;
        transaction.rollback().await.map_err(failed)?;
        Ok(head)
    }

    pub(crate) async fn read(
        &self,
        connection: &mut PgConnection,
        since: Position,
        limit: usize,
        patience: Duration,
    ) -> Result<Result<Changes, ChangesError>, PostgresError> {
        let failed = |error| self.failed(error);
        let nothing = Changes::new;
        // Mostly nothing has changed, which one statement tells.
        let head = self.head(&mut *connection, since).await?;
        if let Err(error) = head.check(since) {
            return Ok(Err(error));
        }
        if head.position == since {
            return Ok(Ok(nothing(since)));
        }
        let mut snapshot = self.begin(connection, "ISOLATION LEVEL REPEATABLE READ, READ ONLY", patience).await?;
        let head = self.head(&mut snapshot, since).await?;
        if let Err(error) = head.check(since) {
            return Ok(Err(error));
        }
        let limit = i64::try_from(limit.max(1)).unwrap_or(i64::MAX);
        let page = query(&self.statements.page)
            .bind(signed(since.revision))
            .bind(limit)
            .bind(signed(head.horizon))
            .bind(limit.saturating_mul(USUAL_BYTES))
            .fetch_all(&mut *snapshot)
            .await
            .map_err(failed)?;
        let mut changes = nothing(head.position);
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
            let rest = query(&self.statements.rest)
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

    pub(crate) async fn touch(
        &self,
        connection: &mut PgConnection,
        used: &[(TokenId, Timestamp)],
    ) -> Result<(), PostgresError> {
        let failed = |error| self.failed(error);
        let keys: Vec<_> = used.iter().map(|(id, _)| RecordKey::token(*id).to_bytes().to_vec()).collect();
        let times: Vec<_> = used.iter().map(|(_, time)| signed(time.as_micros())).collect();
        let mut transaction = self.begin(connection, READ_COMMITTED, self.timeout).await?;
        query(&self.statements.touch).bind(keys).bind(times).execute(&mut *transaction).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }
}

/// PostgreSQL has no unsigned integers. No store comes that far.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(row: &PgRow, column: &str) -> Result<u64, sqlx::Error> {
    Ok(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or_default())
}
