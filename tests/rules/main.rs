//! The rules of `docs/design.md`, each by its number, asked of an authority through its public interface.

#[path = "../fixture/mod.rs"]
mod fixture;

mod decisions;
mod durability;
mod fleet;
mod lifecycle;
mod managing;
mod reading;
mod secrecy;
mod secrets;
mod several;
