//! The twenty rules a second time, management included: slow, obvious, and sharing nothing with the library but its
//! public types.
//!
//! - [`state`]: what a store holds, as plain lists and strings. Secrets are kept as they are; nothing is hashed.
//! - [`rules`]: what each call may do and changes. Where several things are wrong with one, any of them may be told.
//! - [`node`]: what one authority knows: an old state until it looks again, and the principals that it gave out.
//! - [`calls`]: the calls, and the small world that they are about.
//! - [`steps`]: any bytes are a sequence of steps, so that a property test and a fuzzer can both drive it.
//! - [`medium`]: the store under two authorities, which crashes, or is restored from a backup.
//! - [`run`]: takes the steps with two authorities and in the model; `any` says what a call is about, and `look` compares
//!   all that can be seen after each step.

mod any;
pub mod calls;
pub mod compare;
mod look;
pub mod medium;
pub mod node;
pub mod rules;
pub mod run;
pub mod state;
pub mod steps;
