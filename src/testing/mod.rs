//! What tests need: the suite that a [`TokenStore`](crate::TokenStore) passes, stores that fail on purpose, and a
//! clock that is set by hand. Feature `testing`.
//!
//! Nothing here is for production.

pub mod broken;
mod check;
mod clock;
mod conformance;
mod faults;
pub mod records;

pub use check::{Report, Violation};
pub use clock::ManualClock;
pub use conformance::{conformance, shared_conformance};
pub use faults::{Call, Fault, Faults, FaultyStore};
