//! `portcullis export`.

use clap::Args;

use super::list::Wanted;
use crate::backend::{self, Backend};
use crate::failure::{Exit, Failure, Result};
use crate::screen;

/// Print everything about tokens but their secrets, as lines of JSON
///
/// Secrets are not kept anywhere, so they are not in it; see `portcullis import --help` for what that means. To move tokens with
/// their secrets, copy the token file while the server is stopped.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  portcullis export --org 1111111111111111 > tokens.jsonl")]
pub struct Export {
    #[command(flatten)]
    wanted: Wanted,
}

impl Export {
    pub fn run(self, backend: &dyn Backend) -> Result<()> {
        for token in backend::list(backend, &self.wanted.filter(), usize::MAX)? {
            let line = serde_json::to_string(&token);
            screen::line(&line.map_err(|error| Failure::new(Exit::Failed, "no JSON").because(error))?)?;
        }
        Ok(())
    }
}
