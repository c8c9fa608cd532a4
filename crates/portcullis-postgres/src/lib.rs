//! Keeps the tokens of [Portcullis](portcullis) in PostgreSQL, where many nodes share them.
//!
//! ```no_run
//! use portcullis::Authority;
//! use portcullis_postgres::PostgresStore;
//!
//! let store = PostgresStore::open("postgres://app@localhost/app")?;
//! store.migrate().wait()?; // creates the tables where they are missing
//! let authority = Authority::open(store).wait()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `migrate` and every call of the authority can be awaited instead, in any runtime. The store has a thread of its own that
//! drives its connections, so blocking in `wait` is safe everywhere, in async code too.
//!
//! # sqlx
//!
//! The store speaks to PostgreSQL through [sqlx] 0.9, which this crate re-exports: `portcullis_postgres::sqlx`. A new
//! major version of sqlx is a new major version of this crate, not of `portcullis`.
//!
//! Connections are encrypted where sqlx has TLS and the URL asks for it (`?sslmode=verify-full`). Enable the feature
//! `tls-rustls` of this crate, which is sqlx's feature of that name, or another `tls-…` feature of sqlx in your own
//! `Cargo.toml`:
//!
//! ```toml
//! [dependencies]
//! portcullis-postgres = "0.1"
//! sqlx = { version = "0.9", default-features = false, features = ["tls-native-tls"] }
//! ```
//!
//! Without such a feature, a URL that requires TLS is an error when the store connects.
//!
//! # Ids in a host's own tables
//!
//! [`Sql`] lets a host's own queries bind and read ids as `uuid`.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod columns;
mod connections;
mod error;
mod hints;
mod id;
mod migration;
mod statements;
mod store;
mod tables;

pub use sqlx;

pub use error::PostgresError;
pub use id::Sql;
pub use migration::Migration;
pub use store::PostgresStore;
