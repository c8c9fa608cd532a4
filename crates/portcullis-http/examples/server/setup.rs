//! What a client needs before it has a token: setup, and whether the server is there.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use portcullis::{Actor, NewToken, OrgId, ResourceId, Secret, UserId};
use portcullis_http::ApiError;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use crate::Server;
use crate::answers::{Body, check_name, json, new_id};
use crate::directory::{Bucket, Known, Organization, User};

pub fn routes() -> Router<Server> {
    Router::new()
        .route("/api/v2/setup", get(allowed).post(set_up))
        .route("/health", get(health))
        .route("/ping", get(ping).head(ping))
}

async fn allowed(State(server): State<Server>) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &json!({ "allowed": !server.authority.is_set_up()? })))
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

/// One at a time: who finds that none was done is the only one to do it, as no other process has the file.
static SETUP: Mutex<()> = Mutex::const_new(());

async fn set_up(State(server): State<Server>, Body(setup): Body<Setup>) -> Result<Response, ApiError> {
    // Goes on when its client does not wait.
    tokio::spawn(first(server, setup)).await.map_err(ApiError::internal)?
}

async fn first(server: Server, setup: Setup) -> Result<Response, ApiError> {
    let _alone = SETUP.lock().await;
    if server.authority.is_set_up()? {
        return Err(portcullis::Error::AlreadySetUp.into());
    }
    for (what, name) in [("username", &setup.username), ("org", &setup.org), ("bucket", &setup.bucket)] {
        if name.is_empty() {
            return Err(ApiError::unprocessable(format!("{what} is required")));
        }
        check_name("setup", name)?;
    }
    let (user, org, bucket): (UserId, OrgId, ResourceId) = (new_id()?, new_id()?, new_id()?);
    let (username, name, bucket_name) = (setup.username.clone(), setup.org.clone(), setup.bucket.clone());
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
    let description = format!("{}'s Token", setup.username);
    let mut operator = NewToken::operator().owner(user).description(description.as_str());
    if let Some(chosen) = setup.token.filter(|token| !token.is_empty()) {
        operator = operator.secret(Secret::new(chosen));
    }
    // Last, and whole in one commit: until it is there, setup can be done again, and begins anew.
    let issued = server.authority.create(Actor::host("setup"), operator).await?;
    let id = issued.token.id();
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
