//! `POST /api/v2/authorizations`.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use portcullis::{KindName, NewToken, Resource, UserId};

use super::Context;
use crate::api::body::{Body, NewAuthorization, Object, PostedOrganization, PostedStatus};
use crate::api::directory::user;
use crate::api::error::ApiError;
use crate::api::permissions::{kind, parse, resolve};
use crate::extract::Caller;

pub(super) async fn create(
    State(context): State<Context>,
    caller: Caller,
    Body(Object(posted)): Body<Object<NewAuthorization>>,
) -> Result<Response, ApiError> {
    let parsed = parse(posted.permissions.unwrap_or_default())?;
    let home = match posted.organization {
        PostedOrganization::Some(home) => Some(home),
        _ => None,
    };
    // Before any name is looked up: a caller that may not must not find out what there is.
    context.authority.may_manage(&caller, home, None)?;
    let permissions = resolve(&*context.directory, home, parsed).await?;
    let kind = kind(posted.organization, permissions)?;
    let mut known = Vec::new();
    known.extend(home.map(Resource::organization_itself));
    // Who may not make tokens for others learns of no user: the authority refuses that, whether there is one or not.
    let own = caller.token()?;
    let names_user = |owner: &UserId| own.kind().name() == KindName::Operator || own.owner() == *owner;
    known.extend(posted.user.filter(names_user).map(user));
    let names = context.directory.names(&known).await?;
    if known.iter().any(|each| !names.contains_key(each)) {
        return Err(ApiError::invalid("unable to create token"));
    }

    let mut new = NewToken::of_kind(kind).description(posted.description.unwrap_or_default());
    if posted.status == PostedStatus::Inactive {
        new = new.inactive();
    }
    if let Some(owner) = posted.user {
        new = new.owner(owner);
    }
    if let Some(end) = posted.expires_at {
        new = new.expires_at(end);
    }
    if let Some(secret) = posted.secret {
        new = new.secret(secret.0);
    }
    let issued = context.authority.create(&caller, new).await?;
    context.changed(StatusCode::CREATED, &issued.token, Some(&issued.secret), &issued.receipt).await
}
