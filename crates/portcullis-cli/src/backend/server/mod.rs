//! Tokens on a running server, through its routes.

mod client;
mod wire;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use portcullis::{Filter, Permission, PermissionSet, Secret, Standing, TokenId};
use serde_json::json;
use ureq::http::Method;

use crate::backend::server::client::Client;
use crate::backend::server::wire::{
    Answers, Authorization, Changes, List, NO_ORGANIZATION, NewAuthorization, NewSecret, Onboarded, Permissions,
    Revoked, status,
};
use crate::backend::{Backend, Change, Decision, First, Holder, New, Subject};
use crate::failure::{Exit, Failure, Result};
use crate::secrets;
use crate::token::{Issued, Token};

const AUTHORIZATIONS: &str = "/api/v2/authorizations";

/// How many tokens are asked for at once.
const PAGE: usize = 1_000;

pub struct Server {
    client: Client,
}

impl Server {
    pub fn with_token(url: &str, token_file: Option<&Path>) -> Result<Self> {
        // The address first: nobody is asked for a token that would go nowhere.
        let client = Client::new(url, None)?;
        Ok(Self { client: client.with_token(secrets::token(token_file)?) })
    }

    /// For what is asked about secrets: each is the token to ask with.
    pub fn without_token(url: &str) -> Result<Self> {
        Ok(Self { client: Client::new(url, None)? })
    }

    pub fn set_up(url: &str, username: &str, organization: &str, bucket: &str) -> Result<First> {
        let server = Self::without_token(url)?;
        let body = json!({ "username": username, "org": organization, "bucket": bucket });
        let onboarded = server.client.change(Method::POST, "/api/v2/setup", &body, None);
        let lost = "setup may be done, and the first operator token's secret lost; if setup is refused now, stop the server \
                    and make another one with `portcullis --file FILE recover`";
        let Onboarded { auth } = onboarded.map_err(|failure| failure.perhaps(lost))?;
        let secret = Secret::new(auth.token);
        let token = server.as_holder_of(&secret).get(&Subject::Own);
        Ok(First { token, secret })
    }

    /// The permissions as they are, where a list shows them expanded.
    fn exactly(&self, authorization: &Authorization) -> Result<Option<PermissionSet>> {
        if !authorization.may_be_expanded() {
            return Ok(None);
        }
        let path = format!("{AUTHORIZATIONS}/{}/permissions", authorization.id);
        let Permissions { permissions } = self.client.get(path)?;
        Ok(Some(permissions.into_iter().map(|named| named.0).collect()))
    }

    fn token(&self, authorization: Authorization) -> Result<Token> {
        let exactly = self.exactly(&authorization)?;
        Ok(authorization.into_token(exactly))
    }

    /// A token after a change, which is made: a secret must not be lost, nor the change be told as none, because something else
    /// failed after it. A token may have lost the right to ask.
    fn changed(&self, authorization: Authorization) -> Token {
        let exactly = self.exactly(&authorization).unwrap_or_default();
        authorization.into_token(exactly)
    }

    fn issued(&self, mut authorization: Authorization) -> Issued {
        let secret = authorization.take_secret();
        Issued { token: self.changed(authorization), secret }
    }
}

impl Backend for Server {
    fn create(&self, new: New) -> Result<Issued> {
        let organization = new.kind.organization();
        let body = NewAuthorization {
            organization: organization.map_or_else(|| NO_ORGANIZATION.to_owned(), |id| id.to_string()),
            owner: new.owner,
            description: &new.description,
            status: status(new.active),
            permissions: new.kind.permissions(),
            expires_at: new.expires.at(),
            secret: new.secret.as_ref().map(Secret::expose),
        };
        let created = self.client.change(Method::POST, AUTHORIZATIONS, &body, None);
        let lost = "a token may have been created whose secret nobody was shown; look for it with `portcullis list`, \
                    and rotate it or delete it";
        Ok(self.issued(created.map_err(|failure| failure.perhaps(lost))?))
    }

    fn page(&self, filter: &Filter, after: Option<TokenId>) -> Result<(Vec<Token>, Option<TokenId>)> {
        let mut path = format!("{AUTHORIZATIONS}?limit={PAGE}");
        let mut parameter = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                _ = write!(path, "&{name}={value}");
            }
        };
        parameter("orgID", filter.organization.map(|id| id.to_string()));
        parameter("userID", filter.owner.map(|id| id.to_string()));
        parameter("createdBy", filter.creator.map(|id| id.to_string()));
        parameter("kind", filter.kind.map(|kind| kind.as_str().to_owned()));
        parameter("status", filter.status.map(|status| status.to_string()));
        parameter("expiresBy", filter.expires_by.map(|time| time.to_string()));
        parameter("after", after.map(|id| id.to_string()));
        let List { links, authorizations } = self.client.get(path)?;
        let listed = |each| match self.token(each) {
            // Deleted since the page was made, or not to be seen any more.
            Err(gone) if gone.exit == Exit::NotFound => None,
            token => Some(token),
        };
        let tokens: Result<_> = authorizations.into_iter().filter_map(listed).collect();
        Ok((tokens?, links.after()))
    }

    fn get(&self, subject: &Subject) -> Result<Token> {
        match subject {
            Subject::Own => self.token(self.client.get(format!("{AUTHORIZATIONS}/me"))?),
            Subject::Id(id) => self.token(self.client.get(format!("{AUTHORIZATIONS}/{id}"))?),
            Subject::Secret(secret) => self.as_holder_of(secret).get(&Subject::Own),
        }
    }

    fn update(&self, id: TokenId, change: Change, if_revision: Option<u64>) -> Result<Token> {
        let path = format!("{AUTHORIZATIONS}/{id}");
        let changed = match change {
            Change::Kind(kind) => {
                let body = json!({ "permissions": kind.permissions() });
                self.client.change(Method::PUT, format!("{path}/permissions"), &body, if_revision)
            }
            Change::Rest { description, expires, active } => {
                let (expires_at, status) = (expires.map(crate::expiry::Expiry::at), active.map(status));
                let body = Changes { description, expires_at, status };
                self.client.change(Method::PATCH, path, &body, if_revision)
            }
        };
        Ok(self.changed(changed.map_err(|failure| failure.perhaps(may_be(id, "changed")))?))
    }

    fn rotate(&self, id: TokenId, overlap: Duration, secret: Option<Secret>) -> Result<Issued> {
        let body = NewSecret { overlap_seconds: overlap.as_secs(), secret: secret.as_ref().map(Secret::expose) };
        let rotated = self.client.change(Method::POST, format!("{AUTHORIZATIONS}/{id}/rotate"), &body, None);
        let lost = format!(
            "token `{id}` may have a new secret that nobody was shown, and the old one may have stopped or be about to; \
             if `portcullis show {id}` says that it was updated just now, rotate it again, which stops the old one at once"
        );
        Ok(self.issued(rotated.map_err(|failure| failure.perhaps(lost))?))
    }

    fn revoke(&self, id: TokenId, all: bool) -> Result<usize> {
        let path = format!("{AUTHORIZATIONS}/{id}/revoke");
        let answer = self.client.change(Method::POST, path, &json!({ "cascade": all }), None);
        let Revoked { revoked } = answer.map_err(|failure| failure.perhaps(may_be(id, "revoked")))?;
        Ok(revoked)
    }

    fn delete(&self, id: TokenId) -> Result<()> {
        let deleted = self.client.delete(format!("{AUTHORIZATIONS}/{id}"));
        deleted.map_err(|failure| failure.perhaps(may_be(id, "deleted")))
    }

    fn set_standing(&self, _: Holder, _: Standing) -> Result<()> {
        Err(Failure::usage(
            "a server has no route for the standing of owners and organizations; stop it and say --file, or do it there",
        ))
    }

    fn check(&self, subject: &Subject, requests: &[Permission]) -> Result<Vec<Decision>> {
        let id = match subject {
            Subject::Own => "me".to_owned(),
            Subject::Id(id) => id.to_string(),
            Subject::Secret(secret) => {
                return match self.as_holder_of(secret).check(&Subject::Own, requests) {
                    Err(refused) if refused.exit == Exit::Refused => {
                        let denied = |request: &Permission| {
                            Decision::not_accepted(*request, "notAccepted", "the token is not accepted")
                        };
                        Ok(requests.iter().map(denied).collect())
                    }
                    answer => answer,
                };
            }
        };
        let body = json!({ "permissions": requests });
        let path = format!("{AUTHORIZATIONS}/{id}/check");
        let Answers { decisions } = self.client.change(Method::POST, path, &body, None)?;
        Ok(decisions)
    }
}

impl Server {
    fn as_holder_of(&self, secret: &Secret) -> Self {
        Self { client: self.client.with_token(Secret::new(secret.expose())) }
    }
}

/// What to do where no answer says whether it was done.
fn may_be(id: TokenId, done: &str) -> String {
    format!("token `{id}` may have been {done}; see `portcullis show {id}`")
}
