//! `/api/v2/write` and `/api/v2/query`, as toys: lines go in, and come out again.

use axum::Router;
use axum::extract::State;
use axum::response::Result;
use axum::routing::post;
use http::StatusCode;
use portcullis::{AsAction, OrgId, Permit, Principal, Read, Resource, Write};
use portcullis_http::{ApiError, Caller};
use serde::Deserialize;

use crate::Server;
use crate::answers::{Body, Parameters, permit};

pub fn routes() -> Router<Server> {
    Router::new().route("/api/v2/write", post(write)).route("/api/v2/query", post(query))
}

/// Where to: names or ids, as in InfluxDB.
#[derive(Deserialize)]
struct Place {
    org: Option<String>,
    #[serde(rename = "orgID")]
    organization: Option<OrgId>,
    bucket: Option<String>,
}

async fn write(
    State(server): State<Server>,
    caller: Caller,
    Parameters(place): Parameters<Place>,
    lines: String,
) -> Result<StatusCode> {
    let permit = server.permit(&caller, Write, &place, place.bucket.as_deref())?;
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    server.directory.write(permit, lines).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Of Flux, only from where.
#[derive(Deserialize)]
struct Flux {
    query: String,
}

async fn query(
    State(server): State<Server>,
    caller: Caller,
    Parameters(place): Parameters<Place>,
    Body(flux): Body<Flux>,
) -> Result<String> {
    let from = flux.query.split_once("from(bucket:").and_then(|(_, rest)| rest.split('"').nth(1));
    let permit = server.permit(&caller, Read, &place, from)?;
    let mut lines = server.directory.read(permit).await?.join("\n");
    lines.push('\n');
    Ok(lines)
}

impl Server {
    /// An id beats a name: else who takes another's id for a name would get what is meant for it.
    fn permit<A: AsAction>(
        &self,
        caller: &Principal<'_>,
        action: A,
        place: &Place,
        bucket: Option<&str>,
    ) -> Result<Permit<A>> {
        let known = self.directory.known();
        let (org, name) = (place.org.as_deref().unwrap_or_default(), bucket.unwrap_or_default());
        // The same for an organization that there is not: who may not see it cannot tell.
        let missing = || ApiError::not_found(format!("bucket \"{name}\" not found in that organization"));
        let organization = place.organization.or_else(|| org.parse().ok()).or_else(|| known.organization(org));
        let organization = organization.ok_or_else(missing)?;
        let bucket = name.parse().ok().or_else(|| known.bucket(organization, name));
        let bucket = bucket.filter(|id| known.buckets.get(id).is_some_and(|found| found.organization == organization));
        permit(caller, action, Resource::bucket(organization, bucket.ok_or_else(missing)?), missing)
    }
}
