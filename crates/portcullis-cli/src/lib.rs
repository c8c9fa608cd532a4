//! The program `portcullis`: API tokens by command line, on a running server or on a file.
#![forbid(unsafe_code)]
#![deny(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::print_stdout,
    clippy::print_stderr
)]
#![allow(clippy::doc_markdown)] // Help is written as documentation, and shown as it is.
#![allow(unreachable_pub)] // A module's public items are for the others.

mod arguments;
mod backend;
mod commands;
mod confirm;
mod expiry;
mod failure;
mod grants;
mod screen;
mod secrets;
mod token;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;
use crate::screen::Screen;

/// Runs the program with the arguments of its process, and returns what it exits with.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return screen::misused(&error),
    };
    let screen = Screen::new(arguments.json);
    match commands::run(arguments, &screen) {
        Ok(answer) => answer,
        Err(failure) => {
            screen::failure(&failure);
            failure.exit.into()
        }
    }
}
