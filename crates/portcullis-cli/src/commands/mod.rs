//! The commands, a file each.

pub mod check;
pub mod completion;
pub mod create;
pub mod delete;
pub mod diff;
pub mod explain;
pub mod export;
pub mod import;
pub mod list;
pub mod recover;
pub mod revoke;
pub mod rotate;
pub mod setup;
pub mod show;
pub mod standing;
pub mod update;

use std::process::ExitCode;

use clap::Args;

use crate::arguments::{Arguments, Command};
use crate::backend;
use crate::failure::{Exit, Result};
use crate::screen::Screen;

/// What a command that answers yes or no exits with.
fn yes_or_no(yes: bool) -> ExitCode {
    if yes { ExitCode::SUCCESS } else { Exit::No.into() }
}

/// For commands that make a secret.
#[derive(Debug, Args)]
pub struct SecretOutput {
    /// Print the new secret and nothing else
    #[arg(long, conflicts_with = "json")]
    pub secret_only: bool,
}

pub fn run(Arguments { place, command, .. }: Arguments, screen: &Screen) -> Result<ExitCode> {
    let open = || backend::open(&place);
    match command {
        Command::Check(check) => return check.run(&place, screen),
        Command::Explain(explain) => return explain.run(&place, screen),
        Command::Diff(diff) => return diff.run(&*open()?, screen),
        Command::Setup(setup) => setup.run(&place, screen)?,
        Command::Recover(recover) => recover.run(&*backend::open_file(&place, "recover")?, screen)?,
        Command::Create(create) => create.run(&*open()?, screen)?,
        Command::List(list) => list.run(&*open()?, screen)?,
        Command::Show(show) => show.run(&place, screen)?,
        Command::Update(update) => update.run(&*open()?, screen)?,
        Command::Rotate(rotate) => rotate.run(&*open()?, screen)?,
        Command::Suspend(suspend) => suspend.run(&*open()?, screen)?,
        Command::Activate(activate) => activate.run(&*open()?, screen)?,
        Command::Revoke(revoke) => revoke.run(&*open()?, screen)?,
        Command::Delete(delete) => delete.run(&*open()?, screen)?,
        Command::Export(export) => export.run(&*open()?)?,
        Command::Import(import) => import.run(&*open()?, screen)?,
        Command::Completion(completion) => completion.run()?,
    }
    Ok(ExitCode::SUCCESS)
}
