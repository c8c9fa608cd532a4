//! The command line: the real program, on files and on the example server.

mod exit_codes;
mod files;
mod run;
mod screens;
mod secrecy;
#[cfg(feature = "http")]
mod server;
#[cfg(unix)]
mod terminal;
