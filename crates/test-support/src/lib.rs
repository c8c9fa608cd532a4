//! What the tests of all crates share. For `tests/` only: a unit test of a library sees a second copy of it here.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::len_without_is_empty,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::new_without_default,
    clippy::panic,
    clippy::return_self_not_must_use,
    clippy::should_implement_trait,
    clippy::unwrap_used
)]

pub mod company;
pub mod fixture;
pub mod model;
pub mod naive;
pub mod stores;
pub mod walk;
