//! A token as programs read it: the same from a file and from a server.

use portcullis::{KindName, OrgId, PermissionSet, Secret, Status, Timestamp, TokenId, TokenKind, UserId};
use serde::{Deserialize, Serialize};

use crate::failure::Result;
use crate::grants;

/// Everything but the secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    pub id: TokenId,
    pub kind: KindName,
    pub status: Status,
    pub description: String,
    #[serde(rename = "orgID")]
    pub organization: Option<OrgId>,
    /// Its name, where the server tells it.
    #[serde(rename = "org", default, skip_serializing_if = "Option::is_none")]
    pub organization_name: Option<String>,
    #[serde(rename = "userID")]
    pub owner: UserId,
    #[serde(rename = "user", default, skip_serializing_if = "Option::is_none")]
    pub owner_name: Option<String>,
    pub permissions: PermissionSet,
    pub created_by: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    /// Why it is not accepted now, if it is not.
    pub refused: Option<String>,
    pub revision: u64,
}

impl Token {
    pub fn new(token: &portcullis::Token, now: Timestamp) -> Self {
        Self {
            id: token.id(),
            kind: token.kind().name(),
            status: token.status(),
            description: token.description().to_owned(),
            organization: token.organization(),
            organization_name: None,
            owner: token.owner(),
            owner_name: None,
            permissions: token.kind().permissions().clone(),
            created_by: token.creator().to_string(),
            created_at: token.created_at(),
            updated_at: token.updated_at(),
            expires_at: token.expires_at(),
            last_used_at: token.last_used_at(),
            refused: token.check(now).err().map(|reason| reason.as_str().to_owned()),
            revision: token.revision(),
        }
    }

    /// What is said of it in one word: why it is refused, or its status.
    pub fn state(&self) -> &str {
        self.refused.as_deref().unwrap_or(self.status.as_str())
    }

    /// What it is for, for another token like it.
    pub fn kind(&self) -> Result<TokenKind> {
        grants::kind(self.organization, self.permissions.clone())
    }
}

/// A token and its new secret.
#[derive(Debug)]
pub struct Issued {
    pub token: Token,
    pub secret: Secret,
}
