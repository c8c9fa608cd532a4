//! Why a token store in PostgreSQL cannot be used.

use std::io;
use std::time::Duration;

use portcullis::RandomError;
use portcullis::store::DecodeError;

/// Why a [`PostgresStore`](crate::PostgresStore) cannot be opened, read or written.
///
/// A host finds it as the source of a [`StoreError`](portcullis::store::StoreError).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// The URL of the database is malformed. The URL is not shown, since it may hold a password.
    #[error("the URL of the database cannot be used")]
    Url(#[source] sqlx::Error),
    /// The operating system gave no thread to drive the connections.
    #[error("the thread of the token store cannot be started")]
    Thread(#[source] io::Error),
    /// The operating system gave no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The name of the schema would have to be quoted.
    #[error("`{0}` is no name for a schema: use up to 48 lowercase letters, digits and `_`, and a letter first")]
    SchemaName(String),
    /// The database has another encoding than UTF-8, in which not every description can be kept.
    #[error(
        "the database is encoded in {0}, a token store needs UTF8; use another database: \
         `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`"
    )]
    Encoding(String),
    /// The tables are not there.
    #[error("there is no token store in schema `{0}`; make it with `PostgresStore::migrate`")]
    NotMigrated(String),
    /// The tables were made by a later version of this library.
    #[error(
        "the token store in schema `{schema}` has layout {found}, this version knows up to {newest}; use a newer version",
        newest = crate::statements::LAYOUT
    )]
    NewerLayout {
        /// The schema.
        schema: String,
        /// Its layout.
        found: i32,
    },
    /// The connections lead to a copy that lags behind, where a revocation could be missed.
    #[error("the connections of the pool lead to a standby server; use the primary")]
    Standby,
    /// PostgreSQL did not answer in time ([`PostgresStore::timeout`](crate::PostgresStore::timeout)).
    #[error("PostgreSQL did not answer within {0:?}")]
    TimedOut(Duration),
    /// A record cannot be read.
    #[error(
        "the token store holds an unreadable record at revision {revision}; use the version that wrote it, or restore a \
         backup"
    )]
    Record {
        /// The revision that wrote the record.
        revision: u64,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The tables hold something that this library never writes.
    #[error("the token store in schema `{0}` was altered by hand; restore a backup")]
    Altered(String),
    /// PostgreSQL, or the way to it, failed.
    #[error("PostgreSQL failed, or cannot be reached")]
    Failed(#[source] sqlx::Error),
}

/// The tables, or the schema, do not exist.
const UNDEFINED: [&str; 2] = ["42P01", "3F000"];

impl PostgresError {
    pub(crate) fn new(schema: &str, error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        match code.as_deref() {
            Some(code) if UNDEFINED.contains(&code) => Self::NotMigrated(schema.to_owned()),
            _ => Self::Failed(error),
        }
    }
}
