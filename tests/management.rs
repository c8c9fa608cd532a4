//! Long random sequences of everything that an authority can be asked, against the model of the rules in `model/`:
//! several actors, two authorities on one store, failures, crashes, backups. After every step all that can be seen is
//! compared: the answer, every token, every list, every secret ever issued, every decision of every principal.
//!
//! More of it: `PORTCULLIS_SEQUENCES=10000 cargo test --release --test management -- --nocapture`
#![allow(clippy::unwrap_used)]

use std::cell::Cell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};
use test_support::model::medium::{InFiles, InMemory};
use test_support::model::run::run;
use test_support::model::steps::STEP;

/// Sequences of so many steps, as many of them as usual or as the environment says.
fn sequences(usual: u32, steps: usize, run: impl Fn(&[u8]) -> Result<(), String>) {
    let cases = std::env::var("PORTCULLIS_SEQUENCES").map_or(usual, |cases| cases.parse().unwrap());
    let config = ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 500, ..Default::default() };
    let taken = Cell::new(0);
    let outcome = TestRunner::new(config).run(&vec(any::<[u8; STEP]>(), 1..steps), |steps| {
        taken.update(|taken| taken + steps.len());
        run(steps.as_flattened()).map_err(TestCaseError::fail)
    });
    // The bytes say nothing; what was done with them does.
    if let Err(TestError::Fail(why, _) | TestError::Abort(why)) = outcome {
        panic!("\n{why}");
    }
    println!("{cases} sequences, {} steps", taken.get());
}

#[test]
fn rules_9_to_19_sequences_in_memory() {
    sequences(40, 60, |steps| run(steps, InMemory));
}

#[test]
fn rules_9_to_19_sequences_in_a_file() {
    sequences(4, 40, |steps| {
        let directory = tempfile::tempdir().unwrap();
        run(steps, InFiles::new(directory, |directory| directory.path().to_owned()))
    });
}
