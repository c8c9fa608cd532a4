//! `portcullis rotate`.

use std::error::Error;
use std::time::Duration;

use clap::Args;
use portcullis::TokenId;

use super::SecretOutput;
use crate::backend::Backend;
use crate::confirm::Confirmation;
use crate::failure::Result;
use crate::screen::Screen;
use crate::secrets::SecretInput;

/// Give a token a new secret and show it, once
///
/// The old secret stops at once or, with --overlap, later. One that still runs on from an earlier overlap stops at once either way.
/// Everything else about the token stays.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis rotate 3333333333333333 --overlap 1d
  portcullis rotate 3333333333333333 --yes --secret-only > token")]
pub struct Rotate {
    #[arg(value_name = "TOKEN")]
    id: TokenId,
    /// How much longer the old secret is accepted: `1d`, `10min`
    #[arg(long, value_name = "DURATION", value_parser = whole_seconds, default_value = "0s")]
    overlap: Duration,
    #[command(flatten)]
    secret: SecretInput,
    #[command(flatten)]
    output: SecretOutput,
    #[command(flatten)]
    confirmation: Confirmation,
}

impl Rotate {
    pub fn run(self, backend: &dyn Backend, screen: &Screen) -> Result<()> {
        if self.overlap.is_zero() {
            self.confirmation.ask(&format!("stop the present secret of token `{}` at once", self.id))?;
        }
        let issued = backend.rotate(self.id, self.overlap, self.secret.chosen()?)?;
        screen.issued(&issued, self.output.secret_only)
    }
}

/// A server takes whole seconds only: half of one would be none there, and the old secret stopped without a question.
fn whole_seconds(text: &str) -> Result<Duration, Box<dyn Error + Send + Sync>> {
    let duration = humantime::parse_duration(text)?;
    if duration.subsec_nanos() == 0 { Ok(duration) } else { Err("expected whole seconds, such as `1s` or `1d`".into()) }
}
