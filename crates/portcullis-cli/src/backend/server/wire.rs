//! What the routes send and take.

use std::collections::BTreeSet;

use portcullis::{
    Grant, KindName, OrgId, Permission, PermissionError, PermissionSet, ResourceType, Secret, Status, Timestamp,
    TokenId, UserId,
};
use serde::{Deserialize, Serialize};

use crate::token::Token;

/// How an organization is written where there is none.
pub const NO_ORGANIZATION: &str = "0000000000000000";

/// A token, in the routes' own terms.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorization {
    pub id: TokenId,
    token: String,
    status: Status,
    description: String,
    #[serde(rename = "orgID")]
    organization: String,
    org: String,
    #[serde(rename = "userID")]
    owner: UserId,
    user: String,
    permissions: Vec<NamedPermission>,
    created_by: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    pub kind: KindName,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    refused: Option<String>,
    revision: u64,
}

#[derive(Deserialize)]
#[serde(try_from = "PermissionFields")]
pub struct NamedPermission(pub Permission);

/// Names are for people.
#[derive(Deserialize)]
struct PermissionFields {
    action: String,
    resource: ResourceFields,
}

#[derive(Deserialize)]
struct ResourceFields {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "orgID")]
    organization: Option<String>,
    id: Option<String>,
}

impl TryFrom<PermissionFields> for NamedPermission {
    type Error = PermissionError;

    fn try_from(PermissionFields { action, resource }: PermissionFields) -> Result<Self, PermissionError> {
        let organization = resource.organization.map(|id| format!("orgs/{id}/")).unwrap_or_default();
        let id = resource.id.map(|id| format!("/{id}")).unwrap_or_default();
        format!("{action}:{organization}{}{id}", resource.kind).parse().map(Self)
    }
}

impl Authorization {
    /// Reports whether its permissions may be some that were written as one: with any type, or with any action.
    pub fn may_be_expanded(&self) -> bool {
        let written =
            self.permissions.iter().filter(|each| each.0.grant() == Grant::Write).map(|each| each.0.pattern());
        let written: BTreeSet<_> = written.collect();
        let both = |each: &NamedPermission| each.0.grant() == Grant::Read && written.contains(&each.0.pattern());
        // The instance is in no organization.
        let types = self.permissions.len() >= ResourceType::INFLUXDB.len() - 1;
        self.kind == KindName::Custom && (types || self.permissions.iter().any(both))
    }

    pub fn into_token(self, exactly: Option<PermissionSet>) -> Token {
        let named = |name: String| Some(name).filter(|name| !name.is_empty());
        let organization: Option<OrgId> = self.organization.parse().ok();
        let permissions = exactly.unwrap_or_else(|| match (self.kind, organization) {
            (KindName::Operator, _) => portcullis::TokenKind::operator().permissions().clone(),
            (KindName::AllAccess, Some(id)) => portcullis::TokenKind::all_access(id).permissions().clone(),
            _ => self.permissions.into_iter().map(|named| named.0).collect(),
        });
        Token {
            id: self.id,
            kind: self.kind,
            // The routes know two, and tell the third as the reason of a refusal.
            status: if self.refused.as_deref() == Some("revoked") { Status::Revoked } else { self.status },
            description: self.description,
            organization,
            organization_name: named(self.org),
            owner: self.owner,
            owner_name: named(self.user),
            permissions,
            created_by: self.created_by,
            created_at: self.created_at,
            updated_at: self.updated_at,
            expires_at: self.expires_at,
            last_used_at: self.last_used_at,
            refused: self.refused,
            revision: self.revision,
        }
    }

    /// The secret, where it is shown.
    pub fn take_secret(&mut self) -> Secret {
        Secret::new(std::mem::take(&mut self.token))
    }
}

#[derive(Deserialize)]
pub struct List {
    pub links: Links,
    pub authorizations: Vec<Authorization>,
}

#[derive(Deserialize)]
pub struct Links {
    next: Option<String>,
}

impl Links {
    /// Where to go on.
    pub fn after(&self) -> Option<TokenId> {
        let mut parameters = self.next.as_deref()?.split(['?', '&']);
        parameters.find_map(|parameter| parameter.strip_prefix("after="))?.parse().ok()
    }
}

#[derive(Deserialize)]
pub struct Permissions {
    pub permissions: Vec<NamedPermission>,
}

/// What is created.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewAuthorization<'a> {
    #[serde(rename = "orgID")]
    pub organization: String,
    #[serde(rename = "userID", skip_serializing_if = "Option::is_none")]
    pub owner: Option<UserId>,
    pub description: &'a str,
    pub status: &'static str,
    pub permissions: &'a PermissionSet,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<&'a str>,
}

/// What is changed. `Some(None)` is `null`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Changes {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[allow(clippy::option_option)] // Whether there is a change, and whether it is to no expiry.
    pub expires_at: Option<Option<Timestamp>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
}

/// A status as the routes take it.
pub const fn status(active: bool) -> &'static str {
    if active { "active" } else { "inactive" }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewSecret<'a> {
    pub overlap_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<&'a str>,
}

#[derive(Deserialize)]
pub struct Revoked {
    pub revoked: usize,
}

#[derive(Deserialize)]
pub struct Answers {
    pub decisions: Vec<crate::backend::Decision>,
}

/// What setup answers, as far as it is the same on every server.
#[derive(Deserialize)]
pub struct Onboarded {
    pub auth: Onboarding,
}

#[derive(Deserialize)]
pub struct Onboarding {
    pub token: String,
}
