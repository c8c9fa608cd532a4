//! Rule 20 for HTTP: no type shows a secret, and no answer but the one that gives it away.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::{Request, Response};
use portcullis::{NewToken, Resource, Write};
use portcullis_http::{Api, ApiError, AuthenticateLayer, Caller, DirectoryError, Fault, Refusal, Rejection};
use serde_json::json;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::app::{App, Names, TOKENS, at, bucket_permission};
use test_support::fixture::{bucket, host, ok, org};
use test_support::look;
use test_support::walk::{self, Walk};

/// Public, and not walked: a trait, and another name for a future.
const NOT_WALKED: &[&str] = &["Directory", "Answer"];

const CHOSEN: &str = "infrastructure-as-code-secret-of-mine";

/// The whole rejection, for a test to see.
fn respond(rejection: &Rejection) -> Response<Body> {
    let mut response = rejection.influxdb();
    response.extensions_mut().insert(rejection.clone());
    response
}

#[test]
fn rule_20_no_type_and_no_refusal_shows_a_secret() {
    let (mut walk, app) = (Walk::default(), App::new());
    let sensor = app.issue(NewToken::read_write(org(1)).write(bucket(1)));
    let revoked = app.issue(NewToken::all_access(org(1)));
    let held = app.authority.authenticate(revoked.secret.expose()).unwrap().into_owned();
    ok(app.authority.revoke(host(), revoked.token.id()));
    let secrets = [&app.root, &sensor, &revoked].map(|issued| issued.secret.expose());
    secrets.iter().for_each(|secret| walk.hidden.add(secret));
    walk.hidden.add(CHOSEN);

    layers(&app, &secrets, &mut walk);
    look!(walk, Refusal::from(held.authorize(Write, Resource::bucket(org(1), bucket(1))).unwrap_err()));
    answers(&app, &secrets, &mut walk);
    look!(walk, Api::new(Arc::clone(&app.authority), Names::default()));
    let refused = app.authority.revoke(&held, sensor.token.id()).wait().unwrap_err();
    look!(walk, ApiError::internal(refused.clone()), Fault(Arc::new(refused)), DirectoryError::new("away"));
    assert_eq!(walk.leaks(), [""; 0]);

    let mut missed = walk.missed(walk::types(include_str!("../../src/lib.rs")));
    missed.retain(|name| !NOT_WALKED.contains(&name.as_str()));
    assert!(missed.is_empty(), "types that are not walked: {missed:?}");
    let refusals = walk::variants(include_str!("../../src/refusal.rs"), "Refusal");
    assert_eq!(walk.missed(refusals), ["Refusal::NoLayer"]);
}

/// Whatever a client presents to the layer.
fn layers(app: &App, secrets: &[&str], walk: &mut Walk) {
    let layer = AuthenticateLayer::new(Arc::clone(&app.authority)).explain().respond(respond);
    look!(walk, layer, layer.layer("a service"));
    let inside = service_fn(async |request: Request<Body>| {
        Ok::<_, std::convert::Infallible>(Response::new(Body::from(format!("{request:?}"))))
    });
    let missing = "Basic YTpi".to_owned();
    let presented = secrets.iter().map(|secret| vec![format!("Token {secret}")]).chain([vec![], vec![missing]]);
    let wrong = secrets.iter().flat_map(|secret| {
        let header = format!("Bearer {secret}");
        [vec![format!("Bearer {}", &secret[1..])], vec![(*secret).to_owned()], vec![header.clone(), header]]
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for headers in presented.chain(wrong) {
        let mut request = Request::new(Body::empty());
        for value in headers {
            request.headers_mut().append(AUTHORIZATION, value.parse().unwrap());
        }
        let mut service = layer.layer(inside);
        let future = runtime.block_on(ServiceExt::<Request<Body>>::ready(&mut service)).unwrap().call(request);
        look!(walk, future);
        let response = runtime.block_on(future).unwrap();
        look!(walk, response);
        if let Some(rejection) = response.extensions().get::<Rejection>() {
            look!(walk, *rejection, *rejection.refusal());
            if let Refusal::Header(error) = rejection.refusal() {
                look!(walk, *error);
            }
        }
    }
    let sensor = app.authority.authenticate(secrets[1]).unwrap();
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.extensions.insert(sensor.clone().into_owned());
    look!(walk, runtime.block_on(<Caller as FromRequestParts<()>>::from_request_parts(&mut parts, &())).unwrap());
    look!(walk, Refusal::from(sensor.authorize(Write, Resource::INSTANCE).unwrap_err()));
    look!(walk, Refusal::from(portcullis::Error::NotFound(sensor.token().unwrap().id())));
}

/// What the routes answer when secrets are chosen, and when they are where something else belongs.
fn answers(app: &App, secrets: &[&str], walk: &mut Walk) {
    let create =
        |secret: &str| app.operator().create(json!([bucket_permission("read", 1)]), json!({ "secret": secret }));
    create(CHOSEN).ok();
    for secret in secrets.iter().copied().chain([CHOSEN, "$infrastructure-as-code-secret-of-mine$", &CHOSEN[..30]]) {
        let refused = create(secret);
        assert!(refused.status >= 400);
        look!(walk, refused);
    }
    for secret in secrets {
        look!(walk, app.operator().get(&format!("{TOKENS}/{secret}")));
        look!(walk, app.operator().get(&format!("{TOKENS}?userID={secret}")));
        look!(walk, app.operator().delete(&format!("{TOKENS}/{secret}")));
        look!(
            walk,
            app.by_secret(secret).get("/api/v2/authorizations?limit=100"),
            app.by_secret(&secret[1..]).get(TOKENS)
        );
        look!(walk, app.by_secret(secret).post(TOKENS, json!({ "orgID": secret, "permissions": [] })));
    }
    look!(walk, app.operator().get(TOKENS), app.operator().get(&at(app.root.token.id())));
}
