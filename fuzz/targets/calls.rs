//! Sequences of everything that an authority can be asked, with failures and crashes, against the model of the rules.
#![no_main]

#[path = "../../tests/model/mod.rs"]
mod model;

use libfuzzer_sys::fuzz_target;
use model::medium::InMemory;

fuzz_target!(|steps: &[u8]| {
    if let Err(why) = model::run::run(steps, InMemory) {
        panic!("{why}");
    }
});
