//! Sequences of everything that an authority can be asked, with failures and crashes, against the model of the rules.
#![no_main]

use libfuzzer_sys::fuzz_target;
use test_support::model::medium::InMemory;
use test_support::model::run::run;

fuzz_target!(|steps: &[u8]| {
    if let Err(why) = run(steps, InMemory) {
        panic!("{why}");
    }
});
