//! Where a test happens, and what tests share.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use portcullis::Actor;
use portcullis::store::CommitId;
use portcullis_postgres::sqlx::postgres::PgConnectOptions;
use portcullis_postgres::{PostgresError, PostgresStore};

use crate::server::{Server, ask, execute, run, store};

/// A schema of its own for a test.
pub(crate) struct Place {
    pub(crate) options: PgConnectOptions,
    pub(crate) schema: String,
}

impl Place {
    pub(crate) fn new(server: &Server) -> Self {
        let place = Self::unmade(server);
        place.migrate().unwrap();
        place
    }

    /// Without its tables.
    pub(crate) fn unmade(server: &Server) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let schema = format!("test{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        Self { options: server.options(), schema }
    }

    pub(crate) fn migrate(&self) -> Result<(), PostgresError> {
        self.store().migrate().wait()
    }

    pub(crate) fn store(&self) -> PostgresStore {
        store(&self.options, &self.schema)
    }

    pub(crate) fn sql(&self, statements: &str) {
        run(execute(&self.options, &statements.replace("{s}", &self.schema)));
    }

    pub(crate) fn count(&self, query: &str) -> i64 {
        run(ask(&self.options, &query.replace("{s}", &self.schema)))
    }
}

pub(crate) fn host() -> Actor {
    Actor::host("test")
}

pub(crate) fn commit_id() -> CommitId {
    CommitId::generate().unwrap()
}

#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(30), "still not: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The error and all its sources.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
