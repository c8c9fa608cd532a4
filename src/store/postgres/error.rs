//! Why a token store in PostgreSQL cannot be used.

use std::time::Duration;

use crate::store::schema::DecodeError;

/// Why a [`PostgresStore`](crate::PostgresStore) cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// The schema's name would have to be quoted.
    #[error("`{0}` is no name for a schema: use up to 48 lowercase letters, digits and `_`, and a letter first")]
    SchemaName(String),
    /// The tables are not there.
    #[error("there is no token store in schema `{0}`; make it with `PostgresStore::migrate`")]
    NotMigrated(String),
    /// The tables were made by a later version of this library.
    #[error(
        "the token store in schema `{schema}` has layout {found}, this version knows up to {newest}; use a newer version",
        newest = super::sql::LAYOUT
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
    /// No answer in time ([`PostgresStore::timeout`](crate::PostgresStore::timeout)).
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
    /// What is stored makes no sense: somebody else wrote it.
    #[error("the token store in schema `{0}` was altered by hand; restore a backup")]
    Altered(String),
    /// The store was called on a thread that drives asynchronous tasks, where it must not block.
    #[error("a token store in PostgreSQL blocks; call it outside the runtime, as an authority does")]
    InsideRuntime,
    /// PostgreSQL, or the way to it, failed.
    #[error("PostgreSQL failed, or cannot be reached")]
    Failed(#[source] sqlx::Error),
}

/// The tables, or the schema, do not exist.
const UNDEFINED: [&str; 2] = ["42P01", "3F000"];

impl PostgresError {
    pub(super) fn new(schema: &str, error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        match code.as_deref() {
            Some(code) if UNDEFINED.contains(&code) => Self::NotMigrated(schema.to_owned()),
            _ => Self::Failed(error),
        }
    }
}
