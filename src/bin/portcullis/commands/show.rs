//! `portcullis show`.

use clap::Args;
use portcullis::TokenId;

use crate::backend::{Backend, Subject};
use crate::failure::Result;
use crate::screen::Screen;
use crate::secrets::SecretInput;

/// Show one token: by its id, by its secret, or the one in use
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis show
  portcullis show 3333333333333333
  portcullis show --secret-prompt")]
pub struct Show {
    #[arg(value_name = "TOKEN")]
    id: Option<TokenId>,
    #[command(flatten)]
    secret: SecretInput,
}

impl Show {
    pub fn run(self, backend: &dyn Backend, screen: &Screen) -> Result<()> {
        screen.token(&backend.get(&Subject::given(self.id, &self.secret)?)?)
    }
}
