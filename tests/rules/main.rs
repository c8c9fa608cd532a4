//! The rules of `docs/rules.md`, each by its number, asked of an authority through its public interface.

mod decisions;
mod durability;
mod fleet;
mod lifecycle;
mod managing;
mod reading;
mod secrecy;
mod secrets;
mod several;
