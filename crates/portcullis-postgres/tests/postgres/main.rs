//! The store in PostgreSQL, on a real server that this starts itself.
//!
//! `cargo test -p portcullis-postgres --test postgres`. Without PostgreSQL, or without PgBouncer, the tests that need it show as
//! ignored, and fail in CI.
#![allow(clippy::unwrap_used)]

mod ids;
mod migration;
mod place;
mod pooler;
mod runtimes;
#[path = "../server/mod.rs"]
mod server;
mod store;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Failed, Trial};

use server::{Server, programs, run};

type Test = fn(&Server);

/// Tests with their names.
macro_rules! all {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name as Test)),*] };
}
pub(crate) use all;

fn main() -> ExitCode {
    let postgres = programs().is_none().then_some(server::MISSING);
    let pgbouncer = pooler::program().is_none().then_some(pooler::MISSING);
    let ignores = std::env::var_os("CI").is_none();
    if ignores {
        [postgres, pgbouncer].into_iter().flatten().for_each(|missing| eprintln!("{missing}"));
    }
    let server = Arc::new(OnceLock::new());
    let trials = |tests: &[(&'static str, Test)], missing: Option<&'static str>| -> Vec<Trial> {
        let trial = |(name, test): &(&'static str, Test)| {
            let (server, test) = (Arc::clone(&server), *test);
            let trial = Trial::test(*name, move || {
                if let Some(missing) = missing {
                    return Err(Failed::from(missing));
                }
                test(server.get_or_init(start));
                Ok(())
            });
            trial.with_ignored_flag(ignores && missing.is_some())
        };
        tests.iter().map(trial).collect()
    };
    let mut all = trials(pooler::ALL, postgres.or(pgbouncer));
    for tests in [store::ALL, migration::ALL, runtimes::ALL, ids::ALL] {
        all.extend(trials(tests, postgres));
    }
    let conclusion = libtest_mimic::run(&Arguments::from_args(), all);
    drop(Arc::into_inner(server));
    conclusion.exit_code()
}

fn start() -> Server {
    // The machine does not lose power here.
    let mut server = Server::new(&["fsync=off", "max_connections=200", "log_line_prefix=%a "]).unwrap();
    run(server.up());
    server
}
