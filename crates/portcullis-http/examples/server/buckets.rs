//! `/api/v2/buckets`.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{Response, Result};
use axum::routing::get;
use http::StatusCode;
use portcullis::{OrgId, Permit, Read, Resource, ResourceId, Write};
use portcullis_http::{ApiError, Caller, Refusal};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Server;
use crate::answers::{Body, Parameters, check_name, json, new_id, permit};
use crate::directory::{Bucket, Directory};
use crate::organizations;

pub fn routes() -> Router<Server> {
    Router::new()
        .route("/api/v2/buckets", get(list).post(create))
        .route("/api/v2/buckets/{id}", get(one).delete(delete))
}

#[derive(Deserialize)]
struct Wanted {
    id: Option<ResourceId>,
    name: Option<String>,
    org: Option<String>,
    #[serde(rename = "orgID")]
    organization: Option<OrgId>,
}

async fn list(
    State(server): State<Server>,
    caller: Caller,
    Parameters(wanted): Parameters<Wanted>,
) -> Result<Response> {
    let known = server.directory.known();
    let organization = match (wanted.organization, &wanted.org) {
        (None, Some(name)) => {
            // To all others, an organization looks as if it did not exist.
            let own = caller.token().map_err(ApiError::from)?.organization();
            let sees = |id| own == Some(id) || caller.authorize(Read, Resource::organization_itself(id)).is_ok();
            let found = known.organization(name).filter(|id| sees(*id));
            Some(found.ok_or_else(organizations::missing)?)
        }
        (id, _) => id,
    };
    let buckets: Vec<_> = known
        .buckets
        .iter()
        .filter(|(id, _)| wanted.id.is_none_or(|wanted| wanted == **id))
        .filter(|(_, bucket)| wanted.name.as_ref().is_none_or(|wanted| *wanted == bucket.name))
        .filter(|(_, bucket)| organization.is_none_or(|wanted| wanted == bucket.organization))
        .filter(|(id, bucket)| caller.authorize(Read, Resource::bucket(bucket.organization, **id)).is_ok())
        .map(|(id, bucket)| shown(*id, bucket))
        .collect();
    Ok(json(StatusCode::OK, &json!({ "links": { "self": "/api/v2/buckets" }, "buckets": buckets })))
}

#[derive(Deserialize)]
struct New {
    name: String,
    #[serde(rename = "orgID")]
    organization: OrgId,
}

async fn create(State(server): State<Server>, caller: Caller, Body(new): Body<New>) -> Result<Response> {
    let permit = caller.authorize(Write, Resource::buckets(new.organization)).map_err(Refusal::from)?;
    check_name("a bucket", &new.name)?;
    let (id, bucket) = server.directory.create_bucket(permit, new.name).await?;
    Ok(json(StatusCode::CREATED, &shown(id, &bucket)))
}

async fn one(State(server): State<Server>, caller: Caller, id: Path<String>) -> Result<Response> {
    let (id, bucket) = server.bucket(&id)?;
    let _permit = permit(&caller, Read, Resource::bucket(bucket.organization, id), missing)?;
    Ok(json(StatusCode::OK, &shown(id, &bucket)))
}

async fn delete(State(server): State<Server>, caller: Caller, id: Path<String>) -> Result<StatusCode> {
    let (id, bucket) = server.bucket(&id)?;
    let permit = permit(&caller, Write, Resource::bucket(bucket.organization, id), missing)?;
    server.directory.delete_bucket(permit).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What changes buckets cannot be called without a permit, and takes what it changes from it.
impl Directory {
    async fn create_bucket(
        &self,
        permit: Permit<Write>,
        name: String,
    ) -> std::result::Result<(ResourceId, Bucket), ApiError> {
        let organization = permit.resource().organization().ok_or_else(organizations::missing)?;
        let id = new_id()?;
        self.change(move |draft| {
            if !draft.known.organizations.contains_key(&organization) {
                return Err(organizations::missing());
            }
            if draft.known.bucket(organization, &name).is_some() {
                return Err(ApiError::conflict(format!("bucket with name {name} already exists")));
            }
            let bucket = Bucket { name, organization };
            draft.put_bucket(id, bucket.clone());
            Ok((id, bucket))
        })
        .await
    }

    async fn delete_bucket(&self, permit: Permit<Write>) -> std::result::Result<(), ApiError> {
        let id = permit.resource().id().ok_or_else(missing)?;
        self.change(move |draft| {
            draft.remove_bucket(id);
            Ok(())
        })
        .await
    }
}

impl Server {
    fn bucket(&self, id: &str) -> std::result::Result<(ResourceId, Bucket), ApiError> {
        let id = id.parse()?;
        let bucket = self.directory.known().buckets.get(&id).cloned();
        Ok((id, bucket.ok_or_else(missing)?))
    }
}

fn missing() -> ApiError {
    ApiError::not_found("bucket not found")
}

fn shown(id: ResourceId, bucket: &Bucket) -> Value {
    json!({
        "id": id, "name": bucket.name, "orgID": bucket.organization, "type": "user", "retentionRules": [],
        "links": { "self": format!("/api/v2/buckets/{id}") },
    })
}
