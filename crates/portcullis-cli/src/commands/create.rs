//! `portcullis create`.

use clap::Args;
use portcullis::{OrgId, UserId};

use super::SecretOutput;
use crate::backend::{Backend, New};
use crate::expiry::Expiry;
use crate::failure::Result;
use crate::grants::Grants;
use crate::screen::Screen;
use crate::secrets::SecretInput;

/// Create a token and show its secret, once
///
/// In a terminal, the secret is shown below the token. Through a pipe it goes alone, and the token to standard error:
/// `SECRET=$(portcullis create ...)`. A secret of your own, from --secret-stdin or --secret-prompt, has 32 to 512 visible ASCII
/// characters.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis create --org 1111111111111111 --read-bucket 2222222222222222 --expires 90d
  portcullis create --org 1111111111111111 --all-access --description 'the admins of acme'
  portcullis create --permission read:orgs/1111111111111111/tasks --secret-only > token
  portcullis create --operator --owner 0a1b2c3d4e5f6071")]
pub struct Create {
    #[command(flatten)]
    grants: Grants,
    /// The token's organization
    #[arg(long, value_name = "ORG")]
    org: Option<OrgId>,
    /// Whose token it is; on a server your own token's owner unless you are an operator
    #[arg(long, value_name = "USER")]
    owner: Option<UserId>,
    /// What people should know about it
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    description: String,
    /// When it expires: `90d`, `2027-01-31T00:00:00Z`, `never`
    #[arg(long, default_value = "never", value_name = "WHEN")]
    expires: Expiry,
    /// Refused until it is activated
    #[arg(long)]
    suspended: bool,
    #[command(flatten)]
    secret: SecretInput,
    #[command(flatten)]
    output: SecretOutput,
}

impl Create {
    pub fn run(self, backend: &dyn Backend, screen: &Screen) -> Result<()> {
        let new = New {
            kind: self.grants.new_kind(self.org)?,
            owner: self.owner,
            description: self.description,
            active: !self.suspended,
            expires: self.expires,
            secret: self.secret.chosen()?,
        };
        screen.issued(&backend.create(new)?, self.output.secret_only)
    }
}
