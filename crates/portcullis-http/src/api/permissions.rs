//! From the permissions that a client sends to what a token is for.

use portcullis::{
    Grant, OrgId, Pattern, PatternError, Permission, PermissionError, PermissionSet, Resource, ResourceId,
    ResourceType, TokenKind,
};
use std::collections::{HashMap, HashSet};

use crate::api::body::{Object, PostedOrganization, PostedPermission};
use crate::api::directory::{Directory, ORGANIZATIONS, USERS};
use crate::api::error::ApiError;

/// A permission of which only names are still to be looked up.
pub(crate) struct Parsed {
    grant: Grant,
    kind: Option<ResourceType>,
    organization: Option<ById<OrgId>>,
    id: Option<ById<ResourceId>>,
}

enum ById<T> {
    Id(T),
    Name(String),
}

/// Reads permissions, without looking anything up.
pub(crate) fn parse(posted: Vec<Object<PostedPermission>>) -> Result<Vec<Parsed>, ApiError> {
    if posted.is_empty() {
        return Err(ApiError::invalid("an authorization has at least one permission"));
    }
    if posted.len() > 2 * TokenKind::MAX_PATTERNS {
        return Err(ApiError::invalid(format!(
            "an authorization has at most {} permissions, this one has {}",
            2 * TokenKind::MAX_PATTERNS,
            posted.len()
        )));
    }
    posted.into_iter().map(|Object(posted)| Parsed::new(posted)).collect()
}

impl Parsed {
    fn new(posted: PostedPermission) -> Result<Self, ApiError> {
        let Object(resource) = posted.resource;
        Ok(Self {
            grant: posted.action.parse().map_err(PermissionError::from)?,
            // `*` is any type.
            kind: if resource.kind == "*" { None } else { Some(resource.kind.parse().map_err(PatternError::from)?) },
            organization: either(resource.organization, resource.organization_name)?,
            id: either(resource.id, resource.name)?,
        })
    }

    /// The permission, if it has no names in it.
    pub(crate) fn without_names(self) -> Result<Permission, ApiError> {
        let by_id = || ApiError::invalid("a request names its resource and its organization by their ids");
        let organization = self.organization.map(|by| by.id().ok_or_else(by_id)).transpose()?;
        let id = self.id.map(|by| by.id().ok_or_else(by_id)).transpose()?;
        permission(self.grant, self.kind, organization, id)
    }
}

impl<T> ById<T> {
    fn id(self) -> Option<T> {
        match self {
            Self::Id(id) => Some(id),
            Self::Name(_) => None,
        }
    }
}

fn permission(
    grant: Grant,
    kind: Option<ResourceType>,
    organization: Option<OrgId>,
    id: Option<ResourceId>,
) -> Result<Permission, ApiError> {
    Ok(Permission::new(grant, Pattern::new(organization, kind, id)?))
}

/// Ids beat names. An empty name is no name: it would leave the permission wider than was meant.
fn either<T: std::str::FromStr<Err: Into<ApiError>>>(
    id: Option<String>,
    name: Option<String>,
) -> Result<Option<ById<T>>, ApiError> {
    match (id, name) {
        (Some(id), _) => Ok(Some(ById::Id(id.parse().map_err(Into::into)?))),
        (None, Some(name)) if name.is_empty() => Err(ApiError::invalid("a name cannot be empty")),
        (None, Some(name)) => Ok(Some(ById::Name(name))),
        (None, None) => Ok(None),
    }
}

/// The permissions of a token to be: looks names up, in the token's own organization, and makes sure that everything is in
/// there. A name that leads nowhere is refused: it never widens to everything of its type.
pub(crate) async fn resolve(
    directory: &dyn Directory,
    home: Option<OrgId>,
    parsed: Vec<Parsed>,
) -> Result<Vec<Permission>, ApiError> {
    let mut names = Names { directory, known: HashMap::new() };
    let mut permissions = Vec::with_capacity(parsed.len());
    for permission in parsed {
        let permission = names.resolve(permission, home).await?;
        if let (Some(home), Some(other)) = (home, permission.pattern().organization())
            && home != other
        {
            return Err(ApiError::invalid(format!("permission {permission} is not for org id {home}")));
        }
        permissions.push(permission);
    }
    check_buckets(directory, home, &permissions).await?;
    Ok(permissions)
}

/// What a directory was asked already.
struct Names<'a> {
    directory: &'a dyn Directory,
    known: HashMap<(Resource, String), Option<ResourceId>>,
}

impl Names<'_> {
    async fn resolve(&mut self, parsed: Parsed, home: Option<OrgId>) -> Result<Permission, ApiError> {
        let mut organization = match parsed.organization {
            Some(ById::Id(id)) => Some(id),
            Some(ById::Name(name)) => Some(self.organization(&name, home).await?),
            None => None,
        };
        let id = match parsed.id {
            Some(ById::Id(id)) => Some(id),
            Some(ById::Name(name)) => {
                // What has a name is in an organization: the token's own, where none is said.
                organization = organization.or(home);
                Some(self.resource(parsed.kind, organization, &name, home).await?)
            }
            None => None,
        };
        permission(parsed.grant, parsed.kind, organization, id)
    }

    async fn find(&mut self, among: Resource, name: &str) -> Result<Option<ResourceId>, ApiError> {
        let key = (among, name.to_owned());
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        let found = self.directory.find(among, name).await?;
        self.known.insert(key, found);
        Ok(found)
    }

    /// To a token's own organization, others look as if they did not exist.
    async fn organization(&mut self, name: &str, home: Option<OrgId>) -> Result<OrgId, ApiError> {
        let found = self.find(ORGANIZATIONS, name).await?.map(OrgId::from);
        found
            .filter(|found| home.is_none_or(|home| home == *found))
            .ok_or_else(|| ApiError::invalid(format!("organization name \"{name}\" not found")))
    }

    async fn resource(
        &mut self,
        kind: Option<ResourceType>,
        organization: Option<OrgId>,
        name: &str,
        home: Option<OrgId>,
    ) -> Result<ResourceId, ApiError> {
        let among = match (kind, organization) {
            (Some(ResourceType::ORGS), _) => return self.organization(name, home).await.map(Into::into),
            // Users are the instance's. Whoever manages an organization's tokens need not know them.
            (Some(ResourceType::USERS), None) => USERS,
            (Some(kind), Some(organization)) if organization_agrees(home, organization) => {
                Resource::within(organization, kind)
            }
            _ => return Err(ApiError::invalid(format!("\"{name}\" not found: name its type and organization"))),
        };
        let found = self.find(among, name).await?;
        found.ok_or_else(|| ApiError::invalid(format!("\"{name}\" not found among {among}")))
    }
}

fn organization_agrees(home: Option<OrgId>, organization: OrgId) -> bool {
    home.is_none_or(|home| home == organization)
}

/// InfluxDB gives away permissions on other organizations' buckets, by their ids; here a bucket is one of its organization:
/// the token's own, where none is said.
async fn check_buckets(
    directory: &dyn Directory,
    home: Option<OrgId>,
    permissions: &[Permission],
) -> Result<(), ApiError> {
    let bucket = |permission: &Permission| {
        let pattern = permission.pattern();
        let is_bucket = pattern.resource_type() == Some(ResourceType::BUCKETS);
        let (organization, id) = (pattern.organization().or(home)?, pattern.id()?);
        is_bucket.then(|| Resource::bucket(organization, id))
    };
    let buckets: HashSet<_> = permissions.iter().filter_map(bucket).collect();
    if buckets.is_empty() {
        return Ok(());
    }
    let buckets: Vec<_> = buckets.into_iter().collect();
    let names = directory.names(&buckets).await?;
    match buckets.iter().find(|bucket| !names.contains_key(bucket)) {
        Some(missing) => Err(ApiError::invalid(format!("bucket not found: {missing}"))),
        None => Ok(()),
    }
}

/// Returns the kind of a token with these permissions: All-Access or Operator where they say so with `*` for any action
/// and any type, Read/Write where they read and write single buckets, otherwise Custom, an expanded list of everything
/// too.
///
/// A posted organization is the token's: a permission that names none is read as one in it (design rule 7). Only an
/// Operator's whole list stays what it is.
pub(crate) fn kind(organization: PostedOrganization, permissions: Vec<Permission>) -> Result<TokenKind, ApiError> {
    let set: PermissionSet = permissions.into_iter().collect();
    let home = match organization {
        _ if set == *TokenKind::operator().permissions() => None,
        PostedOrganization::Some(home) => Some(home),
        PostedOrganization::None => None,
        PostedOrganization::Absent if set.iter().all(|each| each.pattern().organization().is_none()) => None,
        PostedOrganization::Absent => return Err(ApiError::invalid("orgID is required")),
    };
    Ok(TokenKind::of(home, set)?)
}
