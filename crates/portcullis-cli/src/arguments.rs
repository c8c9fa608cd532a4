//! What every command takes, and which commands there are.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::check::Check;
use crate::commands::completion::Completion;
use crate::commands::create::Create;
use crate::commands::delete::Delete;
use crate::commands::diff::Diff;
use crate::commands::explain::Explain;
use crate::commands::export::Export;
use crate::commands::import::Import;
use crate::commands::list::List;
use crate::commands::recover::Recover;
use crate::commands::revoke::Revoke;
use crate::commands::rotate::Rotate;
use crate::commands::setup::Setup;
use crate::commands::show::Show;
use crate::commands::standing::{Activate, Suspend};
use crate::commands::update::Update;

/// API tokens: who may do what, on a running server or on a token file
///
/// On a server (--url) a command may do what its token may; the token comes from --token-file, from PORTCULLIS_TOKEN, or is asked
/// for. On a file (--file) that no server has open, a command is the host itself and may do everything.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, max_term_width = 110, after_long_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    pub place: Place,
    /// Print JSON, for programs
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

const GLOBAL: &str = "Everywhere";

const EXAMPLES: &str = "\
Examples:
  portcullis --file tokens.redb setup --owner 0a1b2c3d4e5f6071
  export PORTCULLIS_URL=http://localhost:8086
  portcullis create --org 1111111111111111 --read-bucket 2222222222222222 --expires 90d
  portcullis list --kind operator
  portcullis check --id 3333333333333333 read:orgs/1111111111111111/buckets/2222222222222222

Exit codes:
  0  done; yes
  1  no: denied, different, not confirmed
  2  the command, or what it was given, is not as it should be
  3  the token in use is not accepted, or may not do this
  4  no such token, or none that may be seen
  5  it is there already, is revoked, or has changed meanwhile
  6  the server or the file cannot be reached or used now
  7  anything else";

/// Where the tokens are.
#[derive(Debug, Args)]
pub struct Place {
    /// A running server; or the environment's PORTCULLIS_URL
    #[arg(long, global = true, help_heading = GLOBAL, conflicts_with = "file")]
    pub url: Option<String>,
    /// A token file that no server has open; or the environment's PORTCULLIS_FILE
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub file: Option<PathBuf>,
    /// The file with the token for the server; or the environment's PORTCULLIS_TOKEN, the token itself
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Setup(Setup),
    Create(Create),
    List(List),
    Show(Show),
    Update(Update),
    Rotate(Rotate),
    Suspend(Suspend),
    Activate(Activate),
    Revoke(Revoke),
    Delete(Delete),
    Recover(Recover),
    Check(Check),
    Explain(Explain),
    Diff(Diff),
    Export(Export),
    Import(Import),
    Completion(Completion),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
