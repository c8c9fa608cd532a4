//! The rules of `docs/rules.md`, each by its number, asked of an authority through its public interface.

#[path = "../fixture/mod.rs"]
mod fixture;
#[path = "../world/stores.rs"]
#[allow(dead_code, unreachable_pub)] // It has more than is used here.
mod stores;
#[path = "../walk/mod.rs"]
mod walk;

mod decisions;
mod durability;
mod fleet;
mod lifecycle;
mod managing;
mod reading;
mod secrecy;
mod secrets;
mod several;
