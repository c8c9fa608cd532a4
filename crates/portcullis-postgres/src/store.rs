//! A store in PostgreSQL, for many nodes.

use std::fmt;
use std::task::Waker;
use std::time::Duration;

use portcullis::store::{Changes, ChangesError, CommitError, CommitId, Position, Record, StoreError};
use portcullis::{Timestamp, TokenId, TokenStore};
use sqlx::postgres::PgConnectOptions;
use sqlx::{PgConnection, PgPool};

use crate::connections::{Connections, within};
use crate::error::PostgresError;
use crate::hints::{Channel, Hints};
use crate::migration::Migration;
use crate::tables::{Attempt, Tables};

/// A store in PostgreSQL. Many authorities share it, each on its node, each with a `PostgresStore` of its own.
///
/// ```no_run
/// use std::time::Duration;
/// use portcullis::Authority;
/// use portcullis_postgres::PostgresStore;
///
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// let store = PostgresStore::open("postgres://app@db.example.com/app?sslmode=verify-full")?
///     .schema("tokens")?
///     .timeout(Duration::from_secs(2));
/// store.migrate().await?; // once for each new version of the tables, by a role that may create them
/// let authority = Authority::open(store).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Defaults
///
/// | setting | default |
/// | --- | --- |
/// | [`schema`](Self::schema) | `portcullis` |
/// | [`timeout`](Self::timeout) | 3 seconds |
/// | [`without_listening`](Self::without_listening) | it listens |
///
/// # What it needs
/// - PostgreSQL 14 or later, a database in UTF-8, and connections to the **primary**: a copy that lags behind is refused where
///   it says that it is one. After a failover the former primary must not be reachable (fencing), and what was acknowledged
///   must not be lost with it (`synchronous_standby_names`).
/// - Four connections at most, which are its own: one for the authority, one that listens, one that tells; and for a while
///   after tombstones were forgotten, one that drops them. A thread of its own drives them, so the store needs no runtime of
///   the host and never waits for one: [`Pending::wait`](portcullis::Pending::wait) is safe in async code, too.
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
/// # Poolers
/// PgBouncer works in its session mode and in its transaction mode: prepared statements have no names, and each is prepared
/// and executed in one transaction. In transaction mode a node cannot listen; choose
/// [`without_listening`](Self::without_listening) there, or PgBouncer's log fills with warnings.
///
/// The tables are made for people to read, too: see the view `tokens` in the schema. Whoever can write to them can make
/// tokens. They hold digests of secrets, in the column `record`, never secrets.
pub struct PostgresStore {
    // Dropped first: they use the connections.
    hints: Option<Hints>,
    connections: Connections,
    tables: Tables,
    /// Names this store among those that tell of changes.
    own: String,
    listens: bool,
}

impl PostgresStore {
    /// Returns the store in the database at this URL, such as `postgres://user:password@host/database`. No connection is
    /// made yet.
    ///
    /// What the URL leaves out is taken from the environment (`PGHOST`, `PGUSER`, `PGPASSWORD` and so on) and from the file
    /// `.pgpass`; [`PgConnectOptions`] lists all that it can hold.
    ///
    /// ```no_run
    /// # use portcullis_postgres::PostgresStore;
    /// let store = PostgresStore::open("postgres://localhost/app")?;
    /// # Ok::<(), portcullis_postgres::PostgresError>(())
    /// ```
    ///
    /// # Errors
    /// - [`PostgresError::Url`]: the URL is malformed.
    /// - [`PostgresError::Thread`], [`PostgresError::Random`]: the operating system gave no thread, or no randomness.
    pub fn open(url: &str) -> Result<Self, PostgresError> {
        Self::open_with(&url.parse().map_err(PostgresError::Url)?)
    }

    /// Returns the store in the database that these options lead to. No connection is made yet.
    ///
    /// ```no_run
    /// use portcullis_postgres::PostgresStore;
    /// use portcullis_postgres::sqlx::postgres::{PgConnectOptions, PgSslMode};
    ///
    /// let options = PgConnectOptions::new().host("db.example.com").database("app").ssl_mode(PgSslMode::VerifyFull);
    /// let store = PostgresStore::open_with(&options)?;
    /// # Ok::<(), portcullis_postgres::PostgresError>(())
    /// ```
    ///
    /// # Errors
    /// [`PostgresError::Thread`], [`PostgresError::Random`]: the operating system gave no thread, or no randomness.
    pub fn open_with(options: &PgConnectOptions) -> Result<Self, PostgresError> {
        Self::new(Connections::new(options)?)
    }

    /// Returns the store in the database that the host's pool leads to. No connection is made yet.
    ///
    /// The store makes connections like those of the pool, and never takes one of them: what the host does with its
    /// connections cannot stop the store. The hooks of the pool (`after_connect` and others) are called for them, on the
    /// store's own thread. A password that the host changes with
    /// [`set_connect_options`](sqlx::Pool::set_connect_options) is used for new connections. Closing the pool does not
    /// close the store.
    ///
    /// ```no_run
    /// # use portcullis_postgres::{PostgresStore, sqlx::PgPool};
    /// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = PgPool::connect("postgres://localhost/app").await?;
    /// let store = PostgresStore::open_like(&pool)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`PostgresError::Thread`], [`PostgresError::Random`]: the operating system gave no thread, or no randomness.
    pub fn open_like(pool: &PgPool) -> Result<Self, PostgresError> {
        Self::new(Connections::like(pool)?)
    }

    fn new(connections: Connections) -> Result<Self, PostgresError> {
        let own = CommitId::generate()?.to_string();
        let tables = Tables::new("portcullis", Duration::from_secs(3));
        Ok(Self { hints: None, connections, tables, own, listens: true })
    }

    /// Sets the schema that has the tables: a database can hold several stores. The default is `portcullis`.
    ///
    /// ```no_run
    /// # use portcullis_postgres::PostgresStore;
    /// let store = PostgresStore::open("postgres://localhost/app")?.schema("tokens_of_tests")?;
    /// # Ok::<(), portcullis_postgres::PostgresError>(())
    /// ```
    ///
    /// # Errors
    /// [`PostgresError::SchemaName`]: the name would need quotes, or is longer than 48 characters.
    pub fn schema(mut self, schema: &str) -> Result<Self, PostgresError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let starts = schema.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        if !starts || schema.len() > 48 || !schema.bytes().all(plain) {
            return Err(PostgresError::SchemaName(schema.to_owned()));
        }
        self.tables = Tables::new(schema, self.tables.timeout);
        Ok(self)
    }

    /// Sets how long PostgreSQL may take for a commit, and half of what it may take for a page of changes. The default is
    /// three seconds.
    ///
    /// For a page that hangs to be tried again before everything is denied, choose less than half of
    /// [`AuthorityBuilder::stale_after`](portcullis::AuthorityBuilder::stale_after).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.tables.timeout = timeout;
        self
    }

    /// Makes the store poll only, and save the connection that listens. Choose it behind a pooler in transaction mode,
    /// where `LISTEN` reaches nobody.
    ///
    /// A change of another node is then seen after at most [`AuthorityBuilder::follow`](portcullis::AuthorityBuilder::follow). Other nodes
    /// are told of the changes of this one all the same.
    #[must_use]
    pub fn without_listening(mut self) -> Self {
        self.listens = false;
        self
    }

    /// Creates the schema and the tables, or brings the tables to this version's layout. Changes nothing when there is
    /// nothing to do, and several nodes may call it at once.
    ///
    /// Call it when the host is deployed, with a role that may create the schema, or may create tables in it. A store whose
    /// tables are there needs no such right.
    ///
    /// ```no_run
    /// # use portcullis_postgres::PostgresStore;
    /// let store = PostgresStore::open("postgres://localhost/app")?;
    /// store.migrate().wait()?; // in async code: `.await?`
    /// # Ok::<(), portcullis_postgres::PostgresError>(())
    /// ```
    ///
    /// # Errors
    /// The answer tells: see [`Migration::wait`].
    pub fn migrate(&self) -> Migration {
        let (pool, tables) = (self.connections.pool().clone(), self.tables.clone());
        Migration::new(self.connections.runtime.spawn(async move {
            let mut connection = pool.acquire().await.map_err(PostgresError::Failed)?;
            tables.migrate(&mut connection).await
        }))
    }

    /// Lets a connection work, but not longer than that. One that did not answer is closed.
    fn run<T>(
        &self,
        limit: Duration,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, PostgresError>,
    ) -> Result<T, PostgresError> {
        self.connections.run(async {
            let mut connection = self.connections.acquire(self.tables.timeout).await?;
            let worked = within(limit, work(&mut connection)).await;
            if matches!(worked, Err(_) | Ok(Err(PostgresError::Failed(_)))) {
                // It may still be busy, or worse.
                drop(connection.detach());
            }
            worked?
        })
    }

    fn channel(&self) -> Channel {
        Channel { name: self.tables.channel(), own: self.own.clone() }
    }

    fn hints(&mut self) -> &mut Hints {
        let channel = self.channel();
        let (pool, runtime) = (self.connections.pool(), &self.connections.runtime);
        self.hints.get_or_insert_with(|| Hints::new(pool, runtime, &self.tables.statements.sweep, &channel))
    }
}

impl TokenStore for PostgresStore {
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Result<Position, CommitError> {
        let next = Position { revision: expected.revision.saturating_add(1), commit: id };
        let in_doubt = |error| Err(CommitError::InDoubt(StoreError::new(error)));
        let (tables, timeout) = (&self.tables, self.tables.timeout);
        let attempt = self.run(timeout, async |connection| tables.attempt(connection, expected, next, records).await);
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
                match self.run(timeout, async |connection| tables.look(connection, next).await) {
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
        let patience = self.tables.timeout.saturating_mul(pages);
        let read = self.run(patience, async |connection| self.tables.read(connection, since, limit, patience).await);
        read.map_err(|error| ChangesError::Failed(StoreError::new(error)))?
    }

    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        let tables = &self.tables;
        let touched = self.run(tables.timeout, async |connection| tables.touch(connection, used).await);
        touched.map_err(StoreError::new)
    }

    fn wake_on_change(&mut self, waker: Waker) {
        if self.listens {
            let (channel, runtime) = (self.channel(), self.connections.runtime.clone());
            let pool = self.connections.pool().clone();
            self.hints().listen(&pool, &runtime, &channel, waker);
        }
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresStore").field(&self.tables.schema).finish()
    }
}
