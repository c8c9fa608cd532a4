//! The command line: the real program, on files and on the example server.
// Screens are written as `UPDATE_EXPECT` writes them, and are long.
#![allow(clippy::needless_raw_string_hashes, clippy::too_many_lines)]

mod answers;
mod exit_codes;
mod files;
mod help;
mod run;
mod screens;
mod secrecy;
mod server;
mod strange_servers;
mod stub;
#[cfg(unix)]
mod terminal;
