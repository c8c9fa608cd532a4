//! No store failure produces a wrong answer.

mod calls;
mod commits;
mod doubt;
mod races;
mod reads;
