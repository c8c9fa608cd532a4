//! What a token is for.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::action::Action;
use crate::model::id::{OrgId, ResourceId};
use crate::model::permission::{Pattern, Permission};
use crate::model::permission_set::PermissionSet;
use crate::model::resource::{Resource, ResourceType};

/// The name of a token's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KindName {
    /// Everything, everywhere, and the instance itself. `operator`
    Operator,
    /// Everything in one organization. `allAccess`
    AllAccess,
    /// Certain buckets of one organization. `readWrite`
    ReadWrite,
    /// Any other set of permissions. `custom`
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

    /// The name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::AllAccess => "allAccess",
            Self::ReadWrite => "readWrite",
            Self::Custom => "custom",
        }
    }
}

impl fmt::Display for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of token, expected `operator`, `allAccess`, `readWrite` or `custom`")]
pub struct UnknownKind;

impl FromStr for KindName {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or(UnknownKind)
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
    /// A bucket is granted without an action, or with an unknown one.
    #[error("bucket `{0}` is granted without an action, or with an unknown one")]
    Action(ResourceId),
    /// Buckets were named for a token of another kind.
    #[error("only a read/write token is made of buckets; give a custom token their permissions")]
    Buckets,
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

    /// Every action on every resource, in every organization and of the instance (design rule 3).
    #[must_use]
    pub fn operator() -> Self {
        Self { name: KindName::Operator, organization: None, permissions: PermissionSet::everything().into() }
    }

    /// Every action on every resource of one organization, later types included (design rule 4).
    #[must_use]
    pub fn all_access(organization: OrgId) -> Self {
        let permissions: PermissionSet = Permission::read_write(Pattern::all_of(organization)).into_iter().collect();
        Self { name: KindName::AllAccess, organization: Some(organization), permissions: permissions.into() }
    }

    /// These actions on these buckets of one organization (design rule 5). A bucket named twice gets both.
    ///
    /// # Errors
    /// No bucket, too many, or one without an action.
    pub fn read_write(
        organization: OrgId,
        buckets: impl IntoIterator<Item = (ResourceId, Action)>,
    ) -> Result<Self, KindError> {
        let mut permissions = Vec::new();
        for (bucket, actions) in buckets {
            if actions.is_empty() || !Action::all().contains(actions) {
                return Err(KindError::Action(bucket));
            }
            let pattern = Pattern::from(Resource::bucket(organization, bucket));
            permissions.extend(actions.iter().map(|action| Permission { pattern, action }));
        }
        Self::checked(KindName::ReadWrite, Some(organization), permissions.into_iter().collect())
    }

    /// Any permissions: of one organization, which each of them then names, or without an organization, which only
    /// Operators make and see.
    ///
    /// # Errors
    /// No permission, too many, or one that is not for the organization.
    pub fn custom(organization: Option<OrgId>, permissions: PermissionSet) -> Result<Self, KindError> {
        if let Some(organization) = organization {
            let other = permissions.iter().find(|each| each.pattern.organization != Some(organization));
            if let Some(permission) = other {
                return Err(KindError::Organization { permission, organization });
            }
        }
        Self::checked(KindName::Custom, organization, permissions)
    }

    /// The kind that permissions make: Operator or All-Access where they are all that those have, Read/Write where each is on a
    /// single bucket, otherwise Custom. An expanded list of everything is Custom: it has no power over later types.
    ///
    /// # Errors
    /// As [`custom`](Self::custom). An Operator has no organization, whichever is given.
    pub fn of(organization: Option<OrgId>, permissions: PermissionSet) -> Result<Self, KindError> {
        if permissions == PermissionSet::everything() {
            return Ok(Self::operator());
        }
        let kind = Self::custom(organization, permissions)?;
        let Some(organization) = organization else { return Ok(kind) };
        let all_access = Self::all_access(organization);
        if kind.permissions == all_access.permissions {
            return Ok(all_access);
        }
        let on_bucket =
            |(pattern, _): (Pattern, _)| pattern.kind == Some(ResourceType::BUCKETS) && pattern.id.is_some();
        let name = if kind.permissions.patterns().all(on_bucket) { KindName::ReadWrite } else { KindName::Custom };
        Ok(Self { name, ..kind })
    }

    fn checked(name: KindName, organization: Option<OrgId>, permissions: PermissionSet) -> Result<Self, KindError> {
        match permissions.len() {
            0 => Err(KindError::Empty),
            1..=Self::MAX_PATTERNS => Ok(Self { name, organization, permissions: permissions.into() }),
            many => Err(KindError::TooMany(many)),
        }
    }

    /// A kind that was taken apart.
    pub(crate) fn restored(name: KindName, organization: Option<OrgId>, permissions: Arc<PermissionSet>) -> Self {
        Self { name, organization, permissions }
    }

    /// The permissions, to be shared.
    pub(crate) fn shared_permissions(&self) -> Arc<PermissionSet> {
        Arc::clone(&self.permissions)
    }

    /// The kind's name.
    #[must_use]
    pub const fn name(&self) -> KindName {
        self.name
    }

    /// The organization that the token belongs to. `None` for Operators, and for Custom tokens made without one.
    #[must_use]
    pub const fn organization(&self) -> Option<OrgId> {
        self.organization
    }

    /// What the token may do, as permissions.
    #[must_use]
    pub fn permissions(&self) -> &PermissionSet {
        &self.permissions
    }

    /// What is granted on a resource, or less where all of `wanted` is: as the permissions say, mostly without looking at
    /// them.
    #[inline]
    pub(crate) fn granted_of(&self, wanted: Action, resource: &Resource) -> Action {
        match self.name {
            KindName::Operator => Action::READ_WRITE,
            KindName::AllAccess if resource.org().is_some_and(|org| self.organization == Some(org)) => {
                Action::READ_WRITE
            }
            KindName::AllAccess => Action::empty(),
            KindName::ReadWrite | KindName::Custom => self.permissions.granted_of(wanted, resource),
        }
    }

    /// Whether this kind may do everything that `other` may.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.permissions.covers(&other.permissions)
    }

    /// The permissions in InfluxDB's own terms, for its clients: where any type is meant, its 23 types one by one.
    ///
    /// For display only. A token made from the result would have no power over later types.
    #[must_use]
    pub fn expanded(&self) -> Vec<Permission> {
        let one_by_one = |permission: Permission| -> Vec<Permission> {
            if permission.pattern.kind.is_some() {
                return vec![permission];
            }
            let fits =
                |kind: &ResourceType| permission.pattern.meet(&Pattern { kind: Some(*kind), ..Pattern::ANY }).is_some();
            let named = |kind| Permission { pattern: Pattern { kind: Some(kind), ..permission.pattern }, ..permission };
            ResourceType::INFLUXDB.into_iter().filter(fits).map(named).collect()
        };
        self.permissions.iter().flat_map(one_by_one).collect()
    }
}

/// How a kind is stored: what follows from the rest is left out.
#[derive(Serialize, Deserialize)]
enum StoredKind {
    Operator,
    AllAccess(OrgId),
    ReadWrite(OrgId, Vec<(ResourceId, u8)>),
    Custom(Option<OrgId>, PermissionSet),
}

/// In a stored record. People are shown a token's kind as part of [`Token`](crate::Token).
impl Serialize for TokenKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.name, self.organization) {
            (KindName::AllAccess, Some(organization)) => StoredKind::AllAccess(organization),
            (KindName::ReadWrite, Some(organization)) => {
                let bucket = |(pattern, actions): (Pattern, Action)| Some((pattern.id?, actions.bits()));
                StoredKind::ReadWrite(organization, self.permissions.patterns().filter_map(bucket).collect())
            }
            (KindName::Operator, _) => StoredKind::Operator,
            (_, organization) => StoredKind::Custom(organization, PermissionSet::clone(&self.permissions)),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TokenKind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let kind = match StoredKind::deserialize(deserializer)? {
            StoredKind::Operator => Ok(Self::operator()),
            StoredKind::AllAccess(organization) => Ok(Self::all_access(organization)),
            StoredKind::ReadWrite(organization, buckets) => {
                let buckets = buckets.into_iter().map(|(id, bits)| (id, Action::from_bits_retain(bits)));
                Self::read_write(organization, buckets)
            }
            StoredKind::Custom(organization, permissions) => Self::custom(organization, permissions),
        };
        kind.map_err(serde::de::Error::custom)
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
        assert_eq!(kind(Some(org), &["read:*", "write:*"]).unwrap(), TokenKind::operator());
        let all = ["read:orgs/0a1b2c3d4e5f6071/*", "write:orgs/0a1b2c3d4e5f6071/*"];
        assert_eq!(kind(Some(org), &all).unwrap(), TokenKind::all_access(org));
        assert_eq!(name(None, &all), KindName::Custom);
        assert_eq!(name(Some(org), &all[..1]), KindName::Custom);
        let bucket = "read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111";
        assert_eq!(name(Some(org), &[bucket]), KindName::ReadWrite);
        assert_eq!(name(None, &[bucket]), KindName::Custom);
        assert_eq!(name(Some(org), &[bucket, "read:orgs/0a1b2c3d4e5f6071/tasks"]), KindName::Custom);
        assert_eq!(name(Some(org), &["read:orgs/0a1b2c3d4e5f6071/buckets"]), KindName::Custom);
        assert_eq!(kind(None, &[]).unwrap_err(), KindError::Empty);
        assert!(matches!(kind(Some(org), &["read:buckets"]), Err(KindError::Organization { .. })));
    }
}
