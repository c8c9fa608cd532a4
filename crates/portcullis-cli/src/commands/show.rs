//! `portcullis show`.

use clap::Args;
use portcullis::TokenId;

use crate::arguments::Place;
use crate::backend::{self, Subject};
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
    pub fn run(self, place: &Place, screen: &Screen) -> Result<()> {
        let subject = Subject::given(self.id, &self.secret)?;
        screen.token(&backend::open_to_ask(place, &subject)?.get(&subject)?)
    }
}
