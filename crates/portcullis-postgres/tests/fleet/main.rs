//! Nodes as processes on one PostgreSQL, under load, while nodes, network and database fail; and a checker over what
//! they wrote down.
//!
//! `cargo test -p portcullis-postgres --test fleet` takes about a minute. For long runs:
//! `FLEET_SECONDS=3600 cargo test --release -p portcullis-postgres --test fleet -- faults`.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod checker;
mod history;
mod node;
mod proxy;
mod random;
mod scenario;
#[path = "../server/mod.rs"]
mod server;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use checker::Violation;
use scenario::{Plan, run};
use server::{MISSING, programs};

type Test = fn() -> Result<(), Failed>;

const TESTS: [(&str, Test); 5] = [
    ("no_change_is_lost_and_no_revoked_token_accepted_whatever_faults_there_are", || {
        let plan = Plan { seconds: seconds(20), ..Plan::default() };
        no_violations(&run(&plan))
    }),
    ("a_restored_backup_takes_back_what_it_lacks_and_nothing_else", || {
        let plan = Plan { seconds: seconds(10), restore: true, ..Plan::default() };
        no_violations(&run(&plan))
    }),
    // Nodes that are wrong on purpose: the checker notices.
    ("a_node_whose_view_may_get_older_than_receipts_say_is_caught", || {
        is_caught("unbounded", |violation| matches!(violation, Violation::AllowedTooLate { .. }))
    }),
    ("a_node_that_takes_what_is_in_doubt_for_refused_is_caught", || {
        is_caught("guesses", |violation| matches!(violation, Violation::Refused { .. }))
    }),
    ("a_node_that_leaves_out_changes_is_caught", || {
        is_caught("skips", |violation| matches!(violation, Violation::AllowedAtRevision { .. }))
    }),
];

fn seconds(default: u64) -> u64 {
    std::env::var("FLEET_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(default)
}

fn no_violations(violations: &[Violation]) -> Result<(), Failed> {
    match violations.first() {
        None => Ok(()),
        Some(first) => Err(format!("{} violations, the first: {first:?}", violations.len()).into()),
    }
}

/// With one such node, until it is noticed.
fn is_caught(broken: &'static str, by: impl Fn(&Violation) -> bool) -> Result<(), Failed> {
    for _ in 0..5 {
        if run(&Plan { seconds: 4, broken: Some(broken), ..Plan::default() }).iter().any(&by) {
            return Ok(());
        }
    }
    Err("not noticed".into())
}

fn main() -> ExitCode {
    if let Ok(settings) = std::env::var(node::SETTINGS) {
        node::main(&settings);
        return ExitCode::SUCCESS;
    }
    let mut arguments = Arguments::from_args();
    // Each takes the whole machine.
    arguments.test_threads = Some(1);
    let missing = programs().is_none();
    let ignored = missing && std::env::var_os("CI").is_none();
    if ignored {
        eprintln!("{MISSING}");
    }
    let trials = TESTS.map(|(name, test)| {
        let trial = Trial::test(name, move || if missing { Err(MISSING.into()) } else { test() });
        trial.with_ignored_flag(ignored)
    });
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}
