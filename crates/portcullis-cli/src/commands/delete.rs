//! `portcullis delete`.

use clap::Args;
use portcullis::Standing;
use serde_json::json;

use super::standing::{Chosen, Subjects};
use crate::backend::Backend;
use crate::confirm::Confirmation;
use crate::failure::Result;
use crate::screen::Screen;

/// Delete a token
///
/// It is no longer listed. On a file also an owner or an organization with all their tokens: those stay listed, and are refused for good.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis delete 3333333333333333
  portcullis --file tokens.redb delete --owner 0a1b2c3d4e5f6071")]
pub struct Delete {
    #[command(flatten)]
    what: Subjects,
    #[command(flatten)]
    confirmation: Confirmation,
}

impl Delete {
    pub fn run(self, backend: &dyn Backend, screen: &Screen) -> Result<()> {
        let what = self.what.chosen()?;
        self.confirmation.ask(&format!("delete {what}"))?;
        match what {
            Chosen::Token(id) => backend.delete(id)?,
            Chosen::Holder(holder) => backend.set_standing(holder, Standing::Deleted)?,
        }
        screen.answer(&json!({ "deleted": what.to_string() }), || format!("deleted {what}"))
    }
}
