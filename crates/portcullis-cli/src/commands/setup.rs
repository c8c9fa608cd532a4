//! `portcullis setup`.

use clap::Args;
use portcullis::UserId;

use super::SecretOutput;
use crate::arguments::Place;
use crate::backend::{self, First};
use crate::failure::{Failure, Result};
use crate::screen::{self, Screen};

/// Make the first operator token, once
///
/// On a file, which is made if there is none, the operator's owner is said by id. On a server, setup makes a user, an organization
/// and a bucket of these names too.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis --file tokens.redb setup --owner 0a1b2c3d4e5f6071
  portcullis --url http://localhost:8086 setup --username alice --org acme --bucket metrics")]
pub struct Setup {
    /// Whose token it is, on a file
    #[arg(long, value_name = "USER")]
    owner: Option<UserId>,
    /// The first user's name, on a server
    #[arg(long, value_name = "NAME", conflicts_with = "owner")]
    username: Option<String>,
    /// The first organization's name, on a server
    #[arg(long, value_name = "NAME", conflicts_with = "owner")]
    org: Option<String>,
    /// The first bucket's name, on a server
    #[arg(long, value_name = "NAME", conflicts_with = "owner")]
    bucket: Option<String>,
    #[command(flatten)]
    output: SecretOutput,
}

impl Setup {
    pub fn run(self, place: &Place, screen: &Screen) -> Result<()> {
        let setup = match (self.owner, self.username, self.org, self.bucket) {
            (Some(owner), ..) => backend::Setup::Owner(owner),
            (None, Some(username), Some(organization), Some(bucket)) => {
                backend::Setup::Names { username, organization, bucket }
            }
            _ => {
                let advice = "setup takes --owner on a file, and --username, --org and --bucket on a server";
                return Err(Failure::usage(advice));
            }
        };
        let First { token, secret } = backend::setup(place, &setup)?;
        let token = token.map_err(|failure| {
            screen::warning(&failure.within("setup is done, but the first operator token cannot be shown"));
        });
        screen.secret(token.ok().as_ref(), &secret, self.output.secret_only)
    }
}
