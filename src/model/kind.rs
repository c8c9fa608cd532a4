//! What a token is for.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::action::{Access, Action, Grant};
use crate::model::id::{OrgId, ResourceId};
use crate::model::pattern::Pattern;
use crate::model::permission::Permission;
use crate::model::permission_set::PermissionSet;
use crate::model::resource::Resource;
use crate::model::resource_type::ResourceType;
use crate::model::verb::Verb;

/// The name of a token's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KindName {
    /// Operator: everything, everywhere, and the instance itself. `operator`
    Operator,
    /// All-Access: everything in one organization. `allAccess`
    AllAccess,
    /// Read/Write: certain buckets of one organization. `readWrite`
    ReadWrite,
    /// Custom: any other set of permissions. `custom`
    Custom,
}

impl KindName {
    /// Every kind.
    pub(crate) const ALL: [Self; 4] = match Self::Operator {
        // A new kind stops the compiler here.
        Self::Operator | Self::AllAccess | Self::ReadWrite | Self::Custom => {
            [Self::Operator, Self::AllAccess, Self::ReadWrite, Self::Custom]
        }
    };

    /// Returns the name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::AllAccess => "allAccess",
            Self::ReadWrite => "readWrite",
            Self::Custom => "custom",
        }
    }

    /// Returns the name that the documentation uses.
    const fn title(self) -> &'static str {
        match self {
            Self::Operator => "Operator",
            Self::AllAccess => "All-Access",
            Self::ReadWrite => "Read/Write",
            Self::Custom => "Custom",
        }
    }
}

/// The documented name: `Operator`, `All-Access`, `Read/Write`, `Custom`.
impl fmt::Display for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.title())
    }
}

/// Why a text is not a kind's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of token, expected `operator`, `allAccess`, `readWrite` or `custom`")]
pub struct KindNameError;

/// Reads the name in JSON or the documented one.
impl FromStr for KindName {
    type Err = KindNameError;

    fn from_str(name: &str) -> Result<Self, KindNameError> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name || kind.title() == name).ok_or(KindNameError)
    }
}

/// Why permissions make no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KindError {
    /// No permission at all: the token could do nothing.
    #[error("a token needs at least one permission")]
    Empty,
    /// More than [`TokenKind::MAX_PATTERNS`].
    #[error("a token has permissions on at most {max} patterns, this one has {0}", max = TokenKind::MAX_PATTERNS)]
    TooMany(usize),
    /// A Read/Write token reads and writes, and nothing else.
    #[error("a read/write token only reads and writes; bucket `{bucket}` is granted `{verb}`")]
    Verb {
        /// The bucket.
        bucket: ResourceId,
        /// What is granted on it.
        verb: Verb,
    },
    /// A permission outside the token's organization (design rule 7).
    #[error("permission `{permission}` is not for organization `{organization}`")]
    Organization {
        /// The permission.
        permission: Permission,
        /// The token's organization.
        organization: OrgId,
    },
}

/// What a token is for: a point of the lattice of permission sets, with the name that it was made under.
///
/// Stored as what it is, never inferred from an expanded list: an All-Access token keeps its power when a resource type
/// is added (InfluxDB's did not, influxdb#22401).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenKind {
    name: KindName,
    organization: Option<OrgId>,
    permissions: Arc<PermissionSet>,
}

impl TokenKind {
    /// The most patterns that a token can have permissions on.
    pub const MAX_PATTERNS: usize = 10_000;

    /// Creates the kind of every action on every resource, in every organization and of the instance (design rule 3).
    #[must_use]
    pub fn operator() -> Self {
        Self { name: KindName::Operator, organization: None, permissions: PermissionSet::everything().into() }
    }

    /// Creates the kind of every action on every resource of one organization, types and verbs to come included (design
    /// rule 4).
    #[must_use]
    pub fn all_access(organization: OrgId) -> Self {
        let permissions = PermissionSet::from_iter([Permission::any(Pattern::all_of(organization))]);
        Self { name: KindName::AllAccess, organization: Some(organization), permissions: permissions.into() }
    }

    /// Creates the kind of these actions on these buckets of one organization (design rule 5). A bucket named twice gets
    /// both.
    ///
    /// # Errors
    /// - [`KindError::Empty`]: there is no bucket.
    /// - [`KindError::TooMany`]: there are more than [`MAX_PATTERNS`](Self::MAX_PATTERNS) buckets.
    /// - [`KindError::Verb`]: a bucket is granted another action than reading and writing.
    pub fn read_write(
        organization: OrgId,
        buckets: impl IntoIterator<Item = (ResourceId, Action)>,
    ) -> Result<Self, KindError> {
        let mut permissions = Vec::new();
        for (bucket, action) in buckets {
            if let Some(verb) = action.verb() {
                return Err(KindError::Verb { bucket, verb });
            }
            let resource = Resource::bucket(organization, bucket);
            permissions.extend(action.grants().map(|grant| Permission::new(grant, resource)));
        }
        Self::checked(KindName::ReadWrite, Some(organization), permissions.into_iter().collect())
    }

    /// Creates a kind of any permissions: of one organization, or without one, which only Operators make and see.
    ///
    /// A permission that names no organization is read as one in the token's (design rule 7).
    ///
    /// # Errors
    /// - [`KindError::Empty`]: there is no permission.
    /// - [`KindError::TooMany`]: they are on more than [`MAX_PATTERNS`](Self::MAX_PATTERNS) patterns.
    /// - [`KindError::Organization`]: one is for another organization, or for the instance.
    pub fn custom(organization: Option<OrgId>, permissions: PermissionSet) -> Result<Self, KindError> {
        let permissions = match organization {
            None => permissions,
            Some(organization) => permissions
                .in_organization(organization)
                .map_err(|permission| KindError::Organization { permission, organization })?,
        };
        Self::checked(KindName::Custom, organization, permissions)
    }

    /// Creates the kind that permissions make: Operator or All-Access where they are all that those have, Read/Write where
    /// each reads or writes a single bucket, otherwise Custom.
    ///
    /// An expanded list of everything is Custom: it has no power over later types. So are reading and writing everything,
    /// which have none over later verbs.
    ///
    /// # Errors
    /// As [`custom`](Self::custom).
    pub fn of(organization: Option<OrgId>, permissions: PermissionSet) -> Result<Self, KindError> {
        if organization.is_none() && permissions == PermissionSet::everything() {
            return Ok(Self::operator());
        }
        let kind = Self::custom(organization, permissions)?;
        let Some(organization) = organization else { return Ok(kind) };
        let all_access = Self::all_access(organization);
        if kind.permissions == all_access.permissions {
            return Ok(all_access);
        }
        let on_bucket = |Permission { pattern, grant }: Permission| {
            pattern.resource_type == Some(ResourceType::BUCKETS)
                && pattern.id.is_some()
                && matches!(grant, Grant::Read | Grant::Write)
        };
        let name = if kind.permissions.iter().all(on_bucket) { KindName::ReadWrite } else { KindName::Custom };
        Ok(Self { name, ..kind })
    }

    fn checked(name: KindName, organization: Option<OrgId>, permissions: PermissionSet) -> Result<Self, KindError> {
        match permissions.len() {
            0 => Err(KindError::Empty),
            1..=Self::MAX_PATTERNS => Ok(Self { name, organization, permissions: permissions.into() }),
            many => Err(KindError::TooMany(many)),
        }
    }

    /// Creates a kind that was taken apart.
    pub(crate) fn restored(name: KindName, organization: Option<OrgId>, permissions: Arc<PermissionSet>) -> Self {
        Self { name, organization, permissions }
    }

    /// Returns the permissions, to be shared.
    pub(crate) fn shared_permissions(&self) -> Arc<PermissionSet> {
        Arc::clone(&self.permissions)
    }

    /// Returns the kind's name.
    #[must_use]
    pub const fn name(&self) -> KindName {
        self.name
    }

    /// Returns the organization that the token belongs to. `None` for Operators, and for Custom tokens made without one.
    #[must_use]
    pub const fn organization(&self) -> Option<OrgId> {
        self.organization
    }

    /// Returns what the token may do, as permissions.
    #[must_use]
    pub fn permissions(&self) -> &PermissionSet {
        &self.permissions
    }

    /// Returns what is granted on a resource, as far as the action needs it: as the permissions say, mostly without looking
    /// at them.
    #[inline]
    pub(crate) fn granted(&self, action: &Action, resource: &Resource) -> Access {
        match self.name {
            KindName::Operator => Access::ANY,
            KindName::AllAccess if resource.organization().is_some_and(|own| self.organization == Some(own)) => {
                Access::ANY
            }
            KindName::AllAccess => Access::empty(),
            KindName::ReadWrite | KindName::Custom => self.permissions.granted(action, resource),
        }
    }

    /// Reports whether this kind may do everything that `other` may.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.permissions.covers(&other.permissions)
    }

    /// Returns the permissions in InfluxDB's own terms, for its clients: where any type is meant, its 23 types one by one;
    /// where any action is, reading and writing.
    ///
    /// For display only. A token made from the result would have no power over later types.
    #[must_use]
    pub fn expanded(&self) -> Vec<Permission> {
        let grants = |grant| match grant {
            Grant::Any => [Some(Grant::Read), Some(Grant::Write)],
            grant => [Some(grant), None],
        };
        let types = |pattern: Pattern| -> Vec<Pattern> {
            if pattern.resource_type.is_some() {
                return vec![pattern];
            }
            ResourceType::INFLUXDB.into_iter().filter_map(|named| pattern.meet(&named.into())).collect()
        };
        let expand = |Permission { pattern, grant }: Permission| {
            types(pattern).into_iter().flat_map(move |pattern| {
                grants(grant).into_iter().flatten().map(move |grant| Permission { pattern, grant })
            })
        };
        let expanded: Vec<_> = self.permissions.iter().flat_map(expand).collect();
        expanded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_make_the_kind_that_they_are_all_of() {
        let org: OrgId = "0a1b2c3d4e5f6071".parse().unwrap();
        let kind = |organization, texts: &[&str]| {
            let permissions: PermissionSet = texts.iter().map(|text| text.parse::<Permission>().unwrap()).collect();
            TokenKind::of(organization, permissions)
        };
        let name = |organization, texts: &[&str]| kind(organization, texts).unwrap().name();
        assert_eq!(kind(None, &["*:*"]).unwrap(), TokenKind::operator());
        assert_eq!(kind(Some(org), &["*:*"]).unwrap(), TokenKind::all_access(org));
        assert_eq!(name(None, &["read:*", "write:*"]), KindName::Custom);
        let both = ["read:orgs/0a1b2c3d4e5f6071/*", "write:orgs/0a1b2c3d4e5f6071/*"];
        assert_eq!(name(Some(org), &both), KindName::Custom);
        let all = ["*:orgs/0a1b2c3d4e5f6071/*"];
        assert_eq!(kind(Some(org), &all).unwrap(), TokenKind::all_access(org));
        assert_eq!(name(None, &all), KindName::Custom);
        let bucket = "read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111";
        assert_eq!(name(Some(org), &[bucket]), KindName::ReadWrite);
        assert_eq!(name(None, &[bucket]), KindName::Custom);
        assert_eq!(name(Some(org), &[bucket, "read:orgs/0a1b2c3d4e5f6071/tasks"]), KindName::Custom);
        assert_eq!(name(Some(org), &["read:orgs/0a1b2c3d4e5f6071/buckets"]), KindName::Custom);
        assert_eq!(kind(None, &[]).unwrap_err(), KindError::Empty);
        assert_eq!(name(Some(org), &["execute:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111"]), KindName::Custom);
        let narrowed = kind(Some(org), &["read:buckets", "execute:*"]).unwrap();
        let here = "`read:orgs/0a1b2c3d4e5f6071/buckets`, `execute:orgs/0a1b2c3d4e5f6071/*`";
        assert_eq!(narrowed.permissions().to_string(), here);
        for elsewhere in ["read:instance", "read:orgs/0a1b2c3d4e5f6072/buckets"] {
            assert!(matches!(kind(Some(org), &[elsewhere]), Err(KindError::Organization { .. })), "{elsewhere}");
        }
    }
}
