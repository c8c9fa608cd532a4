//! The store in PostgreSQL, on a real server that this starts itself.
//!
//! `cargo test -p portcullis-postgres --test postgres`. Without PostgreSQL the tests show as ignored, and fail in CI.
#![allow(clippy::unwrap_used)]

#[path = "../server/mod.rs"]
mod server;
mod store;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use server::{MISSING, Server, programs, run};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let missing = programs().is_none();
    if missing && std::env::var_os("CI").is_none() {
        let trials = store::ALL.iter().map(|(name, _)| Trial::test(*name, || Ok(())).with_ignored_flag(true)).collect();
        eprintln!("{MISSING}");
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    let server = Arc::new(std::sync::OnceLock::new());
    let trials = store::ALL.iter().map(|(name, test)| {
        let server = Arc::clone(&server);
        Trial::test(*name, move || {
            if missing {
                return Err(Failed::from(MISSING));
            }
            let server = server.get_or_init(|| {
                // The machine does not lose power here.
                let mut server = Server::new(&["fsync=off", "max_connections=200"]).unwrap();
                run(server.up());
                server
            });
            test(server);
            Ok(())
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    drop(Arc::into_inner(server));
    conclusion.exit_code()
}
