//! What a client needs before it has a token: setup, and whether the server is there.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use portcullis::http::ApiError;
use portcullis::{Actor, Filter, KindName, OrgId, ResourceId, Rotation, Secret, Update, UserId};
use serde::Deserialize;
use serde_json::json;

use crate::Server;
use crate::answers::{Body, check_name, json, new_id};
use crate::directory::{Bucket, Known, Organization, User};

pub fn routes() -> Router<Server> {
    Router::new()
        .route("/api/v2/setup", get(allowed).post(set_up))
        .route("/health", get(health))
        .route("/ping", get(ping).head(ping))
}

/// Whether there never was an operator.
pub fn is_allowed(server: &Server) -> Result<bool, portcullis::Error> {
    let operators = Filter { kind: Some(KindName::Operator), ..Filter::default() };
    let mut after = None;
    loop {
        let page = server.authority.list(Actor::host("setup"), &operators, after, 1)?;
        after = page.next;
        if !page.tokens.is_empty() {
            return Ok(false);
        }
        if after.is_none() {
            return Ok(true);
        }
    }
}

async fn allowed(State(server): State<Server>) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &json!({ "allowed": is_allowed(&server)? })))
}

#[derive(Deserialize)]
struct Setup {
    #[serde(default)]
    username: String,
    #[serde(default)]
    org: String,
    #[serde(default)]
    bucket: String,
    /// The operator's secret, if the client chooses it. There are no passwords here: whoever has a token has it all.
    token: Option<String>,
}

async fn set_up(State(server): State<Server>, Body(setup): Body<Setup>) -> Result<Response, ApiError> {
    if !is_allowed(&server)? {
        return Err(ApiError::conflict("onboarding has already been completed"));
    }
    for (what, name) in [("username", &setup.username), ("org", &setup.org), ("bucket", &setup.bucket)] {
        if name.is_empty() {
            return Err(ApiError::unprocessable(format!("{what} is required")));
        }
        check_name("setup", name)?;
    }
    let (user, org, bucket): (UserId, OrgId, ResourceId) = (new_id()?, new_id()?, new_id()?);
    let (username, name, bucket_name) = (setup.username.clone(), setup.org.clone(), setup.bucket.clone());
    // The token comes last: until there is one, setup can be done again, and begins anew.
    server
        .directory
        .change(move |draft| {
            let Known { organizations, users, .. } = draft.known.clone();
            organizations.into_keys().for_each(|unfinished| draft.remove_organization(unfinished));
            users.into_keys().for_each(|unfinished| draft.remove_user(unfinished));
            draft.put_user(user, User { name: username });
            draft.put_organization(org, Organization { name, members: vec![user] });
            draft.put_bucket(bucket, Bucket { name: bucket_name, organization: org });
            Ok(())
        })
        .await?;
    let mut issued = server.authority.setup(user).await?;
    if let Some(chosen) = setup.token.filter(|token| !token.is_empty()) {
        let rotation = Rotation::new().secret(Secret::chosen(chosen));
        issued = server.authority.rotate(Actor::host("setup"), issued.token.id(), rotation).await?;
    }
    let id = issued.token.id();
    let description = format!("{}'s Token", setup.username);
    let described = Update::new().description(description.as_str());
    server.authority.update(Actor::host("setup"), id, described).await?;
    let body = json!({
        "user": { "id": user, "name": setup.username, "status": "active" },
        "org": { "id": org, "name": setup.org },
        "bucket": { "id": bucket, "name": setup.bucket, "orgID": org, "retentionRules": [] },
        "auth": {
            "id": id,
            "token": issued.secret.expose(),
            "status": "active",
            "description": description,
            "orgID": org,
            "org": setup.org,
            "userID": user,
            "user": setup.username,
            "permissions": issued.token.kind().expanded(),
            "links": { "self": format!("/api/v2/authorizations/{id}"), "user": format!("/api/v2/users/{user}") },
        },
    });
    Ok(json(StatusCode::CREATED, &body))
}

async fn health() -> Response {
    let body = json!({
        "name": "portcullis", "message": "ready for queries and writes", "status": "pass", "checks": [],
        "version": env!("CARGO_PKG_VERSION"),
    });
    json(StatusCode::OK, &body)
}

async fn ping() -> (StatusCode, [(&'static str, &'static str); 2]) {
    let version = concat!("portcullis-", env!("CARGO_PKG_VERSION"));
    (StatusCode::NO_CONTENT, [("X-Influxdb-Build", "OSS"), ("X-Influxdb-Version", version)])
}
