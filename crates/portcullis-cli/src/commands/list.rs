//! `portcullis list`.

use std::collections::BTreeMap;

use clap::Args;
use portcullis::{Filter, KindName, OrgId, Status, TokenId, UserId};

use crate::backend::{self, Backend};
use crate::expiry::Expiry;
use crate::failure::Result;
use crate::screen::{self, Screen};

/// List the tokens that may be seen
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis list --org 1111111111111111 --status active
  portcullis list --expires-by 30d
  portcullis list --json | jq -r '.tokens[] | select(.lastUsedAt == null) | .id'")]
pub struct List {
    #[command(flatten)]
    wanted: Wanted,
    /// At most so many
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// Owner, creator, and when it was created and last used, too
    #[arg(long)]
    wide: bool,
}

/// Which tokens.
#[derive(Debug, Args)]
pub struct Wanted {
    /// Of this organization
    #[arg(long, value_name = "ORG")]
    org: Option<OrgId>,
    /// Of this user
    #[arg(long, value_name = "USER")]
    owner: Option<UserId>,
    /// Created by this token
    #[arg(long, value_name = "TOKEN")]
    created_by: Option<TokenId>,
    /// Of this kind: `operator`, `allAccess`, `readWrite`, `custom`
    #[arg(long)]
    kind: Option<KindName>,
    /// With this status of their own: `active`, `inactive`, `revoked`
    #[arg(long)]
    status: Option<Status>,
    /// That expire by then: `30d`, `2027-01-31T00:00:00Z`
    #[arg(long, value_name = "WHEN")]
    expires_by: Option<Expiry>,
}

impl Wanted {
    pub fn filter(&self) -> Filter {
        let mut filter = Filter::new();
        filter.organization = self.org;
        filter.owner = self.owner;
        filter.creator = self.created_by;
        filter.kind = self.kind;
        filter.status = self.status;
        filter.expires_by = self.expires_by.and_then(Expiry::at);
        filter
    }
}

impl List {
    pub fn run(self, backend: &dyn Backend, screen: &Screen) -> Result<()> {
        let tokens = backend::list(backend, &self.wanted.filter(), self.limit.unwrap_or(usize::MAX))?;
        screen.answer(&BTreeMap::from([("tokens", &tokens)]), || screen::list(&tokens, self.wide))
    }
}
