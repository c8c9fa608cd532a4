//! The flags that say what a token may do.

use clap::Args;
use portcullis::{OrgId, Pattern, Permission, PermissionSet, Resource, ResourceId, TokenKind};

use crate::failure::{Failure, Result};

#[derive(Debug, Args)]
#[group(id = "grants")]
pub struct Grants {
    /// Everything, everywhere, and the instance itself
    #[arg(long, conflicts_with_all = ["all_access", "read_bucket", "write_bucket", "permission"])]
    operator: bool,
    /// Everything in the organization, types and actions that do not exist yet included
    #[arg(long, conflicts_with_all = ["read_bucket", "write_bucket", "permission"])]
    all_access: bool,
    /// Read this bucket of the organization; can be repeated
    #[arg(long, value_name = "BUCKET")]
    read_bucket: Vec<ResourceId>,
    /// Write this bucket of the organization; can be repeated
    #[arg(long, value_name = "BUCKET")]
    write_bucket: Vec<ResourceId>,
    /// Any permission, such as `read:orgs/ORG/tasks`, `execute:orgs/ORG/jobs` or `*:orgs/ORG/*`; can be repeated
    #[arg(long, value_name = "PERMISSION")]
    permission: Vec<Permission>,
}

impl Grants {
    /// Reports whether there is one.
    pub const fn any(&self) -> bool {
        let Self { operator, all_access, read_bucket, write_bucket, permission } = self;
        *operator || *all_access || !(read_bucket.is_empty() && write_bucket.is_empty() && permission.is_empty())
    }

    /// The kind of a new token with these. Without `--org`, its organization is the one that all permissions are for.
    pub fn new_kind(&self, organization: Option<OrgId>) -> Result<TokenKind> {
        if self.in_organization() && organization.is_none() {
            return Err(Failure::usage("in which organization? say --org ID"));
        }
        let mut organizations = self.permission.iter().map(|permission| permission.pattern().organization());
        let first = organizations.next().flatten();
        let common = first.filter(|_| organizations.all(|other| other == first));
        self.kind(organization.or(common))
    }

    /// The kind that these make of a token that has that organization, or none.
    pub fn kind(&self, organization: Option<OrgId>) -> Result<TokenKind> {
        if self.operator {
            return Ok(TokenKind::operator());
        }
        let mut permissions = self.permission.clone();
        if let Some(organization) = organization {
            let bucket = |id: &ResourceId| Resource::bucket(organization, *id);
            permissions.extend(self.read_bucket.iter().map(bucket).map(Permission::read));
            permissions.extend(self.write_bucket.iter().map(bucket).map(Permission::write));
            if self.all_access {
                permissions.push(Permission::any(Pattern::all_of(organization)));
            }
        } else if self.in_organization() {
            let example = "`read:orgs/ORG/buckets/ID`";
            let advice = format!("the token has no organization; name one in --permission, as in {example}");
            return Err(Failure::usage(advice));
        }
        kind(organization, permissions.into_iter().collect())
    }

    /// Reports whether one means the token's organization without naming it.
    const fn in_organization(&self) -> bool {
        self.all_access || !(self.read_bucket.is_empty() && self.write_bucket.is_empty())
    }
}

/// The kind of token that has these permissions.
pub fn kind(organization: Option<OrgId>, permissions: PermissionSet) -> Result<TokenKind> {
    if permissions.is_empty() {
        let flags = "--operator, --all-access, --read-bucket, --write-bucket, --permission";
        return Err(Failure::usage(format!("what may the token do? say at least one of {flags}")));
    }
    TokenKind::of(organization, permissions).map_err(|error| Failure::usage(error.to_string()))
}
