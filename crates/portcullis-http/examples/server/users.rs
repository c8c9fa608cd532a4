//! `/api/v2/users` and `/api/v2/me`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{Response, Result};
use axum::routing::get;
use http::StatusCode;
use portcullis::{Permit, Principal, Read, Resource, ResourceType, Standing, UserId, Write};
use portcullis_http::{ApiError, Caller, Refusal};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Server;
use crate::answers::{Body, Parameters, check_name, json, new_id, permit};
use crate::directory::{Draft, User};
use crate::organizations::standing;

pub fn routes() -> Router<Server> {
    Router::new()
        .route("/api/v2/me", get(me))
        .route("/api/v2/users", get(list).post(create))
        .route("/api/v2/users/{id}", get(one).patch(update).delete(delete))
}

async fn me(State(server): State<Server>, caller: Caller) -> Result<Response> {
    Ok(json(StatusCode::OK, &server.shown(own(&caller)?)?))
}

#[derive(Deserialize)]
struct Wanted {
    name: Option<String>,
    id: Option<UserId>,
}

async fn list(
    State(server): State<Server>,
    caller: Caller,
    Parameters(wanted): Parameters<Wanted>,
) -> Result<Response> {
    let own = own(&caller)?;
    let found: Vec<_> = {
        let known = server.directory.known();
        let users = known.users.iter();
        users
            .filter(|(id, _)| wanted.id.is_none_or(|wanted| wanted == **id))
            .filter(|(_, user)| wanted.name.as_ref().is_none_or(|wanted| *wanted == user.name))
            .filter(|(id, _)| **id == own || caller.authorize(Read, resource(**id)).is_ok())
            .map(|(id, _)| *id)
            .collect()
    };
    if found.is_empty() && (wanted.name.is_some() || wanted.id.is_some()) {
        return Err(missing().into());
    }
    let users = found.into_iter().map(|id| server.shown(id)).collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(json(StatusCode::OK, &json!({ "links": { "self": "/api/v2/users" }, "users": users })))
}

#[derive(Deserialize)]
struct New {
    name: String,
}

async fn create(State(server): State<Server>, caller: Caller, Body(new): Body<New>) -> Result<Response> {
    let _permit = caller.authorize(Write, Resource::global(ResourceType::USERS)).map_err(Refusal::from)?;
    check_name("a user", &new.name)?;
    let id = new_id()?;
    server
        .directory
        .change(move |draft| {
            if draft.known.user(&new.name).is_some() {
                return Err(ApiError::conflict(format!("user with name {} already exists", new.name)));
            }
            draft.put_user(id, User { name: new.name });
            Ok(())
        })
        .await?;
    Ok(json(StatusCode::CREATED, &server.shown(id)?))
}

async fn one(State(server): State<Server>, caller: Caller, id: Path<String>) -> Result<Response> {
    let id = parse(&id)?;
    if own(&caller)? != id {
        let _permit = permit(&caller, Read, resource(id), missing)?;
    }
    Ok(json(StatusCode::OK, &server.shown(id)?))
}

#[derive(Deserialize)]
struct Change {
    name: Option<String>,
    status: Option<String>,
}

async fn update(
    State(server): State<Server>,
    caller: Caller,
    id: Path<String>,
    Body(change): Body<Change>,
) -> Result<Response> {
    let id = parse(&id)?;
    let _permit = may_change(&caller, id)?;
    let status = change.status.as_deref().map(standing).transpose()?;
    if let Some(name) = &change.name {
        check_name("a user", name)?;
    }
    let authority = Arc::clone(&server.authority);
    let update = move |draft: &mut Draft| {
        let mut user = draft.known.users.get(&id).cloned().ok_or_else(missing)?;
        if let Some(name) = change.name {
            if draft.known.user(&name).is_some_and(|other| other != id) {
                return Err(ApiError::conflict(format!("user with name {name} already exists")));
            }
            user.name = name;
        }
        // The authority has the last word: whom it refuses has changed nothing.
        if let Some(status) = status {
            authority.set_owner_standing(&caller, id, status).wait()?;
        }
        draft.put_user(id, user);
        Ok(())
    };
    server.directory.change(update).await?;
    Ok(json(StatusCode::OK, &server.shown(id)?))
}

async fn delete(State(server): State<Server>, caller: Caller, id: Path<String>) -> Result<StatusCode> {
    let id = parse(&id)?;
    let _permit = may_change(&caller, id)?;
    let Server { authority, directory } = server;
    let delete = move |draft: &mut Draft| {
        draft.known.users.get(&id).ok_or_else(missing)?;
        // Its tokens first: they must not outlive it.
        authority.set_owner_standing(&caller, id, Standing::Deleted).wait()?;
        draft.remove_user(id);
        Ok(())
    };
    directory.change(delete).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whose token it is.
fn own(caller: &Principal<'_>) -> std::result::Result<UserId, ApiError> {
    Ok(caller.token()?.owner())
}

/// A token may read about its own user, so it is told why it may not change it.
fn may_change(caller: &Principal<'_>, id: UserId) -> Result<Permit<Write>> {
    if own(caller)? == id {
        return Ok(caller.authorize(Write, resource(id)).map_err(Refusal::from)?);
    }
    permit(caller, Write, resource(id), missing)
}

fn missing() -> ApiError {
    ApiError::not_found("user not found")
}

fn parse(id: &str) -> std::result::Result<UserId, ApiError> {
    Ok(id.parse()?)
}

fn resource(id: UserId) -> Resource {
    Resource::global(ResourceType::USERS).with_id(id)
}

impl Server {
    fn shown(&self, id: UserId) -> std::result::Result<Value, ApiError> {
        let name = self.directory.known().users.get(&id).map(|user| user.name.clone());
        let name = name.ok_or_else(missing)?;
        let status = if self.authority.owner_standing(id)? == Standing::Active { "active" } else { "inactive" };
        Ok(json!({ "id": id, "name": name, "status": status, "links": { "self": format!("/api/v2/users/{id}") } }))
    }
}
