//! Changes to one token: update, permissions, rotate, revoke, delete.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use portcullis::{Rotation, Update};
use serde::Serialize;

use super::{Context, etag, json, receipt};
use crate::api::body::{
    Body, Changes, NewPermissions, NewSecret, Object, OptionalBody, PostedExpiry, PostedOrganization, PostedStatus,
    Revocation,
};
use crate::api::error::ApiError;
use crate::api::etag::Condition;
use crate::api::permissions::{kind, parse, resolve};
use crate::api::target::Target;
use crate::extract::Caller;

/// `PATCH /api/v2/authorizations/{id}`
pub(super) async fn update(
    State(context): State<Context>,
    caller: Caller,
    target: Target,
    headers: HeaderMap,
    Body(changes): Body<Option<Object<Changes>>>,
) -> Result<Response, ApiError> {
    let changes = changes.map(|Object(changes)| changes).unwrap_or_default();
    let mut update = conditional(&headers)?;
    match changes.status {
        PostedStatus::Unsaid => {}
        PostedStatus::Active => update = update.activate(),
        PostedStatus::Inactive => update = update.deactivate(),
    }
    if let Some(description) = changes.description {
        update = update.description(description);
    }
    match changes.expires_at {
        PostedExpiry::Unsaid => {}
        PostedExpiry::Never => update = update.never_expires(),
        PostedExpiry::At(end) => update = update.expires_at(end),
    }
    let updated = context.authority.update(&caller, target.id(&caller)?, update).await?;
    context.changed(StatusCode::OK, &updated.token, None, &updated.receipt).await
}

/// `PUT /api/v2/authorizations/{id}/permissions`
pub(super) async fn permissions(
    State(context): State<Context>,
    caller: Caller,
    target: Target,
    headers: HeaderMap,
    Body(Object(posted)): Body<Object<NewPermissions>>,
) -> Result<Response, ApiError> {
    let update = conditional(&headers)?;
    let parsed = parse(posted.permissions)?;
    let id = target.id(&caller)?;
    let home = context.authority.get(&caller, id)?.organization();
    // Before any name is looked up: a caller that may not must not find out what there is.
    context.authority.may_manage(&caller, home, Some(id))?;
    let permissions = resolve(&*context.directory, home, parsed).await?;
    let organization = home.map_or(PostedOrganization::None, PostedOrganization::Some);
    let update = update.kind(kind(organization, permissions)?);
    let updated = context.authority.update(&caller, id, update).await?;
    context.changed(StatusCode::OK, &updated.token, None, &updated.receipt).await
}

fn conditional(headers: &HeaderMap) -> Result<Update, ApiError> {
    Ok(match etag::condition(headers)? {
        Condition::None => Update::new(),
        Condition::Revision(revision) => Update::new().if_revision(revision),
    })
}

/// `POST /api/v2/authorizations/{id}/rotate`
pub(super) async fn rotate(
    State(context): State<Context>,
    caller: Caller,
    target: Target,
    headers: HeaderMap,
    OptionalBody(new): OptionalBody<NewSecret>,
) -> Result<Response, ApiError> {
    etag::unconditional(&headers)?;
    let mut rotation = Rotation::new().overlap(Duration::from_secs(new.overlap_seconds));
    if let Some(secret) = new.secret {
        rotation = rotation.secret(secret.0);
    }
    let issued = context.authority.rotate(&caller, target.id(&caller)?, rotation).await?;
    context.changed(StatusCode::OK, &issued.token, Some(&issued.secret), &issued.receipt).await
}

#[derive(Serialize)]
struct Revoked {
    /// How many tokens; 0 when it was revoked already.
    revoked: usize,
}

/// `POST /api/v2/authorizations/{id}/revoke`
pub(super) async fn revoke(
    State(context): State<Context>,
    caller: Caller,
    target: Target,
    headers: HeaderMap,
    OptionalBody(revocation): OptionalBody<Revocation>,
) -> Result<Response, ApiError> {
    etag::unconditional(&headers)?;
    let id = target.id(&caller)?;
    let receipt = if revocation.cascade {
        context.authority.revoke_all(&caller, id).await?
    } else {
        context.authority.revoke(&caller, id).await?
    };
    let body = json(StatusCode::OK, &Revoked { revoked: receipt.changed })?;
    Ok((receipt::headers(&receipt), body).into_response())
}

/// `DELETE /api/v2/authorizations/{id}`
pub(super) async fn delete(
    State(context): State<Context>,
    caller: Caller,
    target: Target,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    etag::unconditional(&headers)?;
    let receipt = context.authority.delete(&caller, target.id(&caller)?).await?;
    Ok((StatusCode::NO_CONTENT, receipt::headers(&receipt)).into_response())
}
