//! `/api/v2/orgs`, and `/api/v2/resources`.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{Response, Result};
use axum::routing::get;
use http::StatusCode;
use portcullis::{OrgId, Read, Resource, ResourceType, Standing, UserId, Write};
use portcullis_http::{ApiError, Caller, Refusal};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Server;
use crate::answers::{Body, Parameters, check_name, json, new_id, permit};
use crate::directory::{Draft, Organization};

pub fn routes() -> Router<Server> {
    Router::new()
        .route("/api/v2/orgs", get(list).post(create))
        .route("/api/v2/orgs/{id}", get(one).patch(update).delete(delete))
        .route("/api/v2/orgs/{id}/members", get(members).post(add_member))
        .route("/api/v2/resources", get(types))
}

#[derive(Deserialize)]
struct Wanted {
    org: Option<String>,
    #[serde(rename = "orgID")]
    id: Option<OrgId>,
}

async fn list(
    State(server): State<Server>,
    caller: Caller,
    Parameters(wanted): Parameters<Wanted>,
) -> Result<Response> {
    let known = server.directory.known();
    let found: Vec<_> = known
        .organizations
        .iter()
        .filter(|(id, _)| wanted.id.is_none_or(|wanted| wanted == **id))
        .filter(|(_, organization)| wanted.org.as_ref().is_none_or(|wanted| *wanted == organization.name))
        .filter(|(id, _)| caller.authorize(Read, Resource::organization_itself(**id)).is_ok())
        .map(|(id, organization)| shown(*id, organization))
        .collect();
    match wanted.org {
        Some(name) if found.is_empty() => {
            Err(ApiError::not_found(format!("organization name \"{name}\" not found")).into())
        }
        _ => Ok(json(StatusCode::OK, &json!({ "links": { "self": "/api/v2/orgs" }, "orgs": found }))),
    }
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

async fn create(State(server): State<Server>, caller: Caller, Body(new): Body<Named>) -> Result<Response> {
    let _permit = caller.authorize(Write, Resource::global(ResourceType::ORGS)).map_err(Refusal::from)?;
    check_name("an organization", &new.name)?;
    let id = new_id()?;
    let organization = Organization { name: new.name, members: Vec::new() };
    let body = shown(id, &organization);
    server
        .directory
        .change(move |draft| {
            if draft.known.organization(&organization.name).is_some() {
                let name = &organization.name;
                return Err(ApiError::conflict(format!("organization with name {name} already exists")));
            }
            draft.put_organization(id, organization);
            Ok(())
        })
        .await?;
    Ok(json(StatusCode::CREATED, &body))
}

async fn one(State(server): State<Server>, caller: Caller, id: Path<String>) -> Result<Response> {
    let id = parse(&id)?;
    let _permit = permit(&caller, Read, Resource::organization_itself(id), missing)?;
    let organization = server.organization(id)?;
    Ok(json(StatusCode::OK, &shown(id, &organization)))
}

/// Its name, and whether its tokens are accepted, which InfluxDB cannot say of an organization.
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
    let _permit = permit(&caller, Write, Resource::organization_itself(id), missing)?;
    let status = change.status.as_deref().map(standing).transpose()?;
    if let Some(name) = &change.name {
        check_name("an organization", name)?;
    }
    let Server { authority, directory } = server;
    let update = move |draft: &mut Draft| {
        let mut organization = draft.known.organizations.get(&id).cloned().ok_or_else(missing)?;
        if let Some(name) = change.name {
            if draft.known.organization(&name).is_some_and(|other| other != id) {
                return Err(ApiError::conflict(format!("organization with name {name} already exists")));
            }
            organization.name = name;
        }
        // The authority has the last word: whom it refuses has changed nothing.
        if let Some(status) = status {
            authority.set_organization_standing(&caller, id, status).wait()?;
        }
        let body = shown(id, &organization);
        draft.put_organization(id, organization);
        Ok(body)
    };
    Ok(json(StatusCode::OK, &directory.change(update).await?))
}

async fn delete(State(server): State<Server>, caller: Caller, id: Path<String>) -> Result<StatusCode> {
    let id = parse(&id)?;
    let _permit = caller.authorize(Write, Resource::global(ResourceType::ORGS)).map_err(Refusal::from)?;
    let Server { authority, directory } = server;
    let delete = move |draft: &mut Draft| {
        draft.known.organizations.get(&id).ok_or_else(missing)?;
        // Its tokens first: they must not outlive it.
        authority.set_organization_standing(&caller, id, Standing::Deleted).wait()?;
        draft.remove_organization(id);
        Ok(())
    };
    directory.change(delete).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn members(State(server): State<Server>, caller: Caller, id: Path<String>) -> Result<Response> {
    let id = parse(&id)?;
    let _permit = permit(&caller, Read, Resource::organization_itself(id), missing)?;
    let organization = server.organization(id)?;
    let known = server.directory.known();
    let shown = |user: &UserId| Some(member(*user, &known.users.get(user)?.name));
    let users: Vec<_> = organization.members.iter().filter_map(shown).collect();
    Ok(json(StatusCode::OK, &json!({ "links": {}, "users": users })))
}

#[derive(Deserialize)]
struct NewMember {
    id: UserId,
}

async fn add_member(
    State(server): State<Server>,
    caller: Caller,
    id: Path<String>,
    Body(new): Body<NewMember>,
) -> Result<Response> {
    let id = parse(&id)?;
    let _permit = permit(&caller, Write, Resource::organization_itself(id), missing)?;
    let add = move |draft: &mut Draft| {
        let name = draft.known.users.get(&new.id).map(|user| user.name.clone());
        let name = name.ok_or_else(|| ApiError::not_found("user not found"))?;
        let mut organization = draft.known.organizations.get(&id).cloned().ok_or_else(missing)?;
        if !organization.members.contains(&new.id) {
            organization.members.push(new.id);
        }
        draft.put_organization(id, organization);
        Ok(member(new.id, &name))
    };
    let body = server.directory.change(add).await?;
    Ok(json(StatusCode::CREATED, &body))
}

/// The types that a permission can be on.
async fn types() -> Response {
    let types = ResourceType::INFLUXDB.map(|kind| kind.to_string());
    json(StatusCode::OK, &json!(types))
}

impl Server {
    fn organization(&self, id: OrgId) -> std::result::Result<Organization, ApiError> {
        self.directory.known().organizations.get(&id).cloned().ok_or_else(missing)
    }
}

pub fn missing() -> ApiError {
    ApiError::not_found("organization not found")
}

fn parse(id: &str) -> std::result::Result<OrgId, ApiError> {
    Ok(id.parse()?)
}

/// InfluxDB's words for it.
pub fn standing(status: &str) -> std::result::Result<Standing, ApiError> {
    match status {
        "active" => Ok(Standing::Active),
        "inactive" => Ok(Standing::Suspended),
        _ => Err(ApiError::invalid("unknown status, expected `active` or `inactive`")),
    }
}

fn shown(id: OrgId, organization: &Organization) -> Value {
    json!({ "id": id, "name": organization.name, "links": { "self": format!("/api/v2/orgs/{id}") } })
}

fn member(id: UserId, name: &str) -> Value {
    json!({ "id": id, "name": name, "status": "active", "role": "member", "links": { "self": format!("/api/v2/users/{id}") } })
}
