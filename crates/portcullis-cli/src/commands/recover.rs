//! `portcullis recover`.

use clap::Args;
use portcullis::{TokenKind, UserId};

use super::SecretOutput;
use crate::backend::{Backend, New};
use crate::expiry::Expiry;
use crate::failure::Result;
use crate::screen::Screen;

/// Make another operator token on a file, when the others are lost
///
/// It needs no token but the file itself, and the server stopped.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  portcullis --file tokens.redb recover --owner 0a1b2c3d4e5f6071 --expires 1d")]
pub struct Recover {
    /// Whose token it is
    #[arg(long, value_name = "USER")]
    owner: UserId,
    /// What people should know about it
    #[arg(long, default_value = "recovery", value_name = "TEXT")]
    description: String,
    /// When it expires: `90d`, `2027-01-31T00:00:00Z`, `never`
    #[arg(long, default_value = "never", value_name = "WHEN")]
    expires: Expiry,
    #[command(flatten)]
    output: SecretOutput,
}

impl Recover {
    pub fn run(self, backend: &dyn Backend, screen: &Screen) -> Result<()> {
        let new = New {
            kind: TokenKind::operator(),
            owner: Some(self.owner),
            description: self.description,
            active: true,
            expires: self.expires,
            secret: None,
        };
        screen.issued(&backend.create(new)?, self.output.secret_only)
    }
}
