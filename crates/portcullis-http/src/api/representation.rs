//! A token as clients see it.

use std::collections::{HashMap, HashSet};

use portcullis::{
    Grant, KindName, OrgId, Pattern, Permission, Reason, Resource, ResourceId, ResourceType, Secret, Status, Timestamp,
    Token, TokenId, TokenKind, UserId,
};
use serde::Serialize;

use crate::api::body::NO_ORGANIZATION;
use crate::api::directory::{Directory, DirectoryError, user};

/// Where the tokens are.
pub(crate) const AUTHORIZATIONS: &str = "/api/v2/authorizations";

/// A token in InfluxDB's form, and what InfluxDB has not: `kind` and all after it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Representation {
    id: TokenId,
    /// Empty but where it is shown for the only time.
    token: String,
    status: &'static str,
    description: String,
    #[serde(rename = "orgID")]
    organization: String,
    org: String,
    #[serde(rename = "userID")]
    owner: UserId,
    user: String,
    permissions: Vec<NamedPermission>,
    links: Links,
    created_at: Timestamp,
    updated_at: Timestamp,
    kind: KindName,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    created_by: String,
    /// Why it is not accepted now, if it is not.
    refused: Option<&'static str>,
    revision: u64,
}

#[derive(Serialize)]
struct Links {
    #[serde(rename = "self")]
    this: String,
    user: String,
}

#[derive(Serialize)]
struct NamedPermission {
    action: String,
    resource: NamedResource,
}

#[derive(Serialize)]
struct NamedResource {
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<ResourceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(rename = "orgID", skip_serializing_if = "Option::is_none")]
    organization: Option<OrgId>,
    #[serde(rename = "org", skip_serializing_if = "Option::is_none")]
    organization_name: Option<String>,
}

/// The names that a few tokens need, asked for all at once. Where there is none, it is left out.
#[derive(Default)]
pub(crate) struct Names(HashMap<Resource, String>);

impl Names {
    pub(crate) async fn of(directory: &dyn Directory, tokens: &[Token]) -> Result<Self, DirectoryError> {
        let mut wanted = HashSet::new();
        for token in tokens {
            wanted.insert(user(token.owner()));
            wanted.extend(token.organization().map(Resource::organization_itself));
            for pattern in token.kind().permissions().iter().map(|permission| permission.pattern()) {
                wanted.extend(pattern.organization().map(Resource::organization_itself));
                wanted.extend(named(&pattern));
            }
        }
        let wanted: Vec<_> = wanted.into_iter().collect();
        Ok(Self(directory.names(&wanted).await?))
    }

    fn get(&self, resource: Resource) -> Option<String> {
        self.0.get(&resource).cloned()
    }

    fn permission(&self, permission: Permission) -> NamedPermission {
        let pattern = permission.pattern();
        NamedPermission {
            action: permission.grant().to_string(),
            resource: NamedResource {
                kind: pattern.resource_type().map_or_else(|| "*".into(), |named| named.to_string()),
                id: pattern.id(),
                name: named(&pattern).and_then(|resource| self.get(resource)),
                organization: pattern.organization(),
                organization_name: pattern.organization().and_then(|id| self.get(Resource::organization_itself(id))),
            },
        }
    }
}

/// What a permission is on, if that is one thing that has a name.
fn named(pattern: &Pattern) -> Option<Resource> {
    let id = pattern.id()?;
    match (pattern.resource_type()?, pattern.organization()) {
        (ResourceType::ORGS, None) => Some(Resource::organization_itself(id.into())),
        (ResourceType::USERS, None) => Some(user(id.into())),
        (named, Some(organization)) => Some(Resource::within(organization, named).with_id(id)),
        _ => None,
    }
}

/// The most permissions that a token is shown with one by one: as many as a client can send.
const ONE_BY_ONE: usize = 2 * TokenKind::MAX_PATTERNS;

/// A token's permissions as they are shown: InfluxDB's types one by one or, if those are too many, in the token's own few words,
/// with `*` for any type. Otherwise what a client sends would be answered by 22 times as much.
fn shown(kind: &TokenKind) -> Vec<Permission> {
    if one_by_one(kind) > ONE_BY_ONE { kind.permissions().iter().collect() } else { kind.expanded() }
}

/// How many permissions a token is shown with, at most.
pub(crate) fn length(kind: &TokenKind) -> usize {
    one_by_one(kind).min(ONE_BY_ONE)
}

/// How many there are one by one, at most.
fn one_by_one(kind: &TokenKind) -> usize {
    let types = |pattern: Pattern| if pattern.resource_type().is_none() { ResourceType::INFLUXDB.len() } else { 1 };
    let actions = |grant| if grant == Grant::Any { 2 } else { 1 };
    kind.permissions().iter().map(|each| types(each.pattern()) * actions(each.grant())).sum()
}

impl Representation {
    pub(crate) fn new(token: &Token, names: &Names, now: Timestamp, secret: Option<&Secret>) -> Self {
        let (id, owner) = (token.id(), token.owner());
        let organization = token.organization();
        Self {
            id,
            token: secret.map_or_else(String::new, |secret| secret.expose().to_owned()),
            // InfluxDB knows two, and some of its clients refuse others.
            status: match token.status() {
                Status::Active => "active",
                Status::Inactive | Status::Revoked => "inactive",
            },
            description: token.description().to_owned(),
            organization: organization.map_or_else(|| NO_ORGANIZATION.into(), |id| id.to_string()),
            org: organization.and_then(|id| names.get(Resource::organization_itself(id))).unwrap_or_default(),
            owner,
            user: names.get(user(owner)).unwrap_or_default(),
            permissions: shown(token.kind()).into_iter().map(|each| names.permission(each)).collect(),
            links: Links { this: format!("{AUTHORIZATIONS}/{id}"), user: format!("/api/v2/users/{owner}") },
            created_at: token.created_at(),
            updated_at: token.updated_at(),
            kind: token.kind().name(),
            expires_at: token.expires_at(),
            last_used_at: token.last_used_at(),
            created_by: token.creator().to_string(),
            refused: token.check(now).err().map(Reason::as_str),
            revision: token.revision(),
        }
    }
}

/// What a token may do: in its own few words, and one by one.
#[derive(Serialize)]
pub(crate) struct Grants {
    kind: KindName,
    #[serde(rename = "orgID")]
    organization: String,
    /// As few as possible; `*` is any type, later ones too.
    permissions: Vec<NamedPermission>,
    /// InfluxDB's types one by one, unless those are too many.
    expanded: Vec<NamedPermission>,
}

impl Grants {
    pub(crate) fn new(token: &Token, names: &Names) -> Self {
        let kind = token.kind();
        Self {
            kind: kind.name(),
            organization: kind.organization().map_or_else(|| NO_ORGANIZATION.into(), |id| id.to_string()),
            permissions: kind.permissions().iter().map(|each| names.permission(each)).collect(),
            expanded: shown(kind).into_iter().map(|each| names.permission(each)).collect(),
        }
    }
}
