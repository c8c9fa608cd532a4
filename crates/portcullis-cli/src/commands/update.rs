//! `portcullis update`.

use clap::Args;
use portcullis::TokenId;

use crate::backend::{Backend, Change, Subject};
use crate::expiry::Expiry;
use crate::failure::{Failure, Result};
use crate::grants::Grants;
use crate::screen::Screen;

/// Change a token's description, its expiry, or what it may do
///
/// What is not said stays. What it may do is replaced as a whole, and apart from the rest; a token never changes organization.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis update 3333333333333333 --expires 30d
  portcullis update 3333333333333333 --read-bucket 2222222222222222 --if-revision 7")]
pub struct Update {
    #[arg(value_name = "TOKEN")]
    id: TokenId,
    /// What people should know about it
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// When it expires: `90d`, `2027-01-31T00:00:00Z`, `never`
    #[arg(long, value_name = "WHEN")]
    expires: Option<Expiry>,
    #[command(flatten)]
    grants: Grants,
    /// Only if the token is still as it was shown, at this revision
    #[arg(long, value_name = "REVISION")]
    if_revision: Option<u64>,
}

impl Update {
    pub fn run(self, backend: &dyn Backend, screen: &Screen) -> Result<()> {
        let rest = self.description.is_some() || self.expires.is_some();
        let change = match (rest, self.grants.any()) {
            (false, false) => return Err(Failure::usage("nothing to change; see `portcullis update --help`")),
            (true, true) => {
                let advice = "what a token may do is changed apart from the rest; make it two commands";
                return Err(Failure::usage(advice));
            }
            (true, false) => Change::Rest { description: self.description, expires: self.expires, active: None },
            (false, true) => {
                let organization = backend.get(&Subject::Id(self.id))?.organization;
                Change::Kind(self.grants.kind(organization)?)
            }
        };
        screen.token(&backend.update(self.id, change, self.if_revision)?)
    }
}
