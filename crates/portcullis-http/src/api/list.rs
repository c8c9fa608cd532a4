//! `GET /api/v2/authorizations`.

use std::fmt::Write as _;
use std::future::poll_fn;
use std::str::FromStr;
use std::task::Poll;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use portcullis::{Error, Filter, OrgId, Principal, Read, Resource, Token, TokenId, UserId};
use serde::{Deserialize, Serialize};

use super::{Context, json};
use crate::api::directory::{ORGANIZATIONS, USERS};
use crate::api::error::ApiError;
use crate::api::representation::{AUTHORIZATIONS, Representation, length};
use crate::extract::Caller;

/// The most tokens in one answer. More are on the page that `links.next` names.
const MOST: usize = 10_000;

/// The most permissions in one answer, so that nobody's large tokens fill the server's memory; a single token has fewer.
const PERMISSIONS: usize = 100_000;

/// The most parts of the list that one request with a `limit` looks at.
const PARTS: usize = 16;

/// Parameters of the query. Empty ones and unknown ones are ignored, as in InfluxDB.
#[derive(Deserialize)]
pub(super) struct Parameters {
    id: Option<String>,
    #[serde(rename = "orgID")]
    organization: Option<String>,
    #[serde(rename = "org")]
    organization_name: Option<String>,
    #[serde(rename = "userID")]
    user: Option<String>,
    #[serde(rename = "user")]
    user_name: Option<String>,
    kind: Option<String>,
    status: Option<String>,
    #[serde(rename = "createdBy")]
    creator: Option<String>,
    #[serde(rename = "expiresBy")]
    expires_by: Option<String>,
    limit: Option<String>,
    after: Option<String>,
    offset: Option<String>,
}

#[derive(Serialize)]
struct List {
    links: Links,
    authorizations: Vec<Representation>,
}

#[derive(Serialize)]
struct Links {
    #[serde(rename = "self")]
    this: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What a query asks for.
enum Wanted {
    One(TokenId),
    Fitting(Filter),
}

pub(super) async fn list(
    State(context): State<Context>,
    caller: Caller,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(parameters) = query?;
    let limit: Option<usize> = read(parameters.limit.as_deref(), "limit")?;
    let after = read(parameters.after.as_deref(), "after")?;
    if read::<usize>(parameters.offset.as_deref(), "offset")?.is_some_and(|offset| offset > 0) {
        return Err(ApiError::invalid("`offset` is not supported; page with `after`, the last id of the page before"));
    }
    let (tokens, next) = match context.wanted(&caller, &parameters).await? {
        Wanted::One(id) => (vec![context.authority.get(&caller, id)?], None),
        Wanted::Fitting(filter) => context.page(&caller, &filter, after, limit).await?,
    };
    let names = context.names(&tokens).await?;
    let now = context.authority.now();
    let authorizations = tokens.iter().map(|token| Representation::new(token, &names, now, None)).collect();
    let next = next.map(|after| parameters.link(after));
    json(StatusCode::OK, &List { links: Links { this: AUTHORIZATIONS.into(), next }, authorizations })
}

/// A parameter that is there and not empty.
fn given(parameter: Option<&str>) -> Option<&str> {
    parameter.filter(|text| !text.is_empty())
}

fn read<T: FromStr<Err: std::fmt::Display>>(parameter: Option<&str>, name: &str) -> Result<Option<T>, ApiError> {
    let parsed = given(parameter).map(str::parse).transpose();
    parsed.map_err(|error| ApiError::invalid(format!("parameter `{name}`: {error}")))
}

impl Context {
    /// What the query asks for: an id alone, or what fits all the rest. Ids beat names.
    async fn wanted(&self, caller: &Principal<'_>, parameters: &Parameters) -> Result<Wanted, ApiError> {
        if let Some(id) = read(parameters.id.as_deref(), "id")? {
            return Ok(Wanted::One(id));
        }
        let mut filter = Filter::new();
        filter.organization = read(parameters.organization.as_deref(), "orgID")?;
        filter.owner = read(parameters.user.as_deref(), "userID")?;
        filter.creator = read(parameters.creator.as_deref(), "createdBy")?;
        filter.kind = read(parameters.kind.as_deref(), "kind")?;
        filter.status = read(parameters.status.as_deref(), "status")?;
        filter.expires_by = read(parameters.expires_by.as_deref(), "expiresBy")?;
        if let (None, Some(name)) = (filter.organization, given(parameters.organization_name.as_deref())) {
            let found = self.directory.find(ORGANIZATIONS, name).await?.map(OrgId::from);
            // To all others, an organization looks as if it did not exist.
            let own = caller.token()?.organization();
            let known = |id| own == Some(id) || caller.authorize(Read, Resource::organization_itself(id)).is_ok();
            let found = found.filter(|found| known(*found));
            let unknown = || ApiError::not_found(format!("organization name \"{name}\" not found"));
            filter.organization = Some(found.ok_or_else(unknown)?);
        }
        if let (None, Some(name)) = (filter.owner, given(parameters.user_name.as_deref())) {
            filter.owner = Some(match self.directory.find(USERS, name).await? {
                Some(found) => found.into(),
                None if caller.authorize(Read, USERS).is_ok() => return Err(ApiError::not_found("user not found")),
                // To whoever may not read users, one that does not exist looks like one that has no tokens.
                None => UserId::generate().map_err(Error::from)?,
            });
        }
        Ok(Wanted::Fitting(filter))
    }

    /// A page of at most `limit`, possibly short; without one everything, as InfluxDB's clients expect, up to [`MOST`] tokens and
    /// [`PERMISSIONS`].
    async fn page(
        &self,
        caller: &Principal<'_>,
        filter: &Filter,
        mut after: Option<TokenId>,
        limit: Option<usize>,
    ) -> Result<(Vec<Token>, Option<TokenId>), ApiError> {
        let (mut tokens, mut permissions) = (Vec::<Token>::new(), 0);
        let most = limit.unwrap_or(MOST).clamp(1, MOST);
        let parts = limit.map_or(usize::MAX, |_| PARTS);
        for _ in 0..parts {
            let page = self.authority.list(caller, filter, after, most - tokens.len())?;
            for token in page.tokens {
                permissions += length(token.kind());
                if let Some(last) = tokens.last().map(Token::id)
                    && permissions > PERMISSIONS
                {
                    return Ok((tokens, Some(last)));
                }
                tokens.push(token);
            }
            after = page.next;
            if after.is_none() || tokens.len() >= most {
                break;
            }
            let_others_run().await;
        }
        Ok((tokens, after))
    }
}

/// A long list is walked in parts, and other requests of this thread are served between them.
async fn let_others_run() {
    let mut once = false;
    poll_fn(|context| {
        if std::mem::replace(&mut once, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Parameters {
    /// The same query, further on.
    fn link(&self, after: TokenId) -> String {
        let mut link = format!("{AUTHORIZATIONS}?after={after}");
        let parameters = [
            ("orgID", &self.organization),
            ("org", &self.organization_name),
            ("userID", &self.user),
            ("user", &self.user_name),
            ("kind", &self.kind),
            ("status", &self.status),
            ("createdBy", &self.creator),
            ("expiresBy", &self.expires_by),
            ("limit", &self.limit),
        ];
        for (name, value) in parameters {
            if let Some(value) = given(value.as_deref()) {
                _ = write!(link, "&{name}={}", Encoded(value));
            }
        }
        link
    }
}

/// Percent-encoded, but for what never needs it.
struct Encoded<'a>(&'a str);

impl std::fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => f.write_char(byte.into())?,
                _ => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}
