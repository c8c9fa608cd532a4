//! No store failure produces a wrong answer.

mod commits;
mod doubt;
mod races;
mod reads;
#[path = "../world/mod.rs"]
mod world;
