//! `portcullis revoke`.

use clap::Args;
use portcullis::TokenId;
use serde_json::json;

use crate::backend::Backend;
use crate::confirm::Confirmation;
use crate::failure::Result;
use crate::screen::Screen;

/// Refuse a token for good; it stays listed
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  portcullis revoke 3333333333333333 --all")]
pub struct Revoke {
    #[arg(value_name = "TOKEN")]
    id: TokenId,
    /// And everything that was created under it, directly or not
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    confirmation: Confirmation,
}

impl Revoke {
    pub fn run(self, backend: &dyn Backend, screen: &Screen) -> Result<()> {
        let under = if self.all { " and everything created under it" } else { "" };
        self.confirmation.ask(&format!("revoke token `{}`{under}", self.id))?;
        let revoked = backend.revoke(self.id, self.all)?;
        screen.answer(&json!({ "revoked": revoked }), || match revoked {
            0 => "revoked already".into(),
            1 => "revoked 1 token".into(),
            many => format!("revoked {many} tokens"),
        })
    }
}
