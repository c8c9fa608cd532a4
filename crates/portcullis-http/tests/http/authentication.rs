//! The layer, and the principal as an argument of handlers.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Path;
use axum::middleware::map_response;
use axum::routing::get;
use axum::{Extension, Router};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response, StatusCode};
use portcullis::{
    Authority, Error, Issued, MemoryStore, NewToken, OrgId, Permit, Principal, Read, Reason, Resource, ResourceId,
    Standing, TokenId, TokenKind, Update, Write,
};
use portcullis_http::{AuthenticateLayer, Caller, Refusal, Rejection};
use tower::{Layer, ServiceExt, service_fn};

use test_support::fixture::{self, bucket, host, ok, org, user};

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

struct Host {
    authority: Arc<Authority>,
    token: Issued,
}

impl Host {
    fn new() -> Self {
        let authority = Arc::new(Authority::open(MemoryStore::new()).wait().unwrap());
        let token = authority.create(host(), NewToken::read_write(org(1)).write(bucket(1)).owner(user(1)));
        Self { token: token.wait().unwrap(), authority }
    }

    fn layer<B: Default>(&self) -> AuthenticateLayer<B> {
        AuthenticateLayer::new(Arc::clone(&self.authority))
    }

    fn header(&self) -> String {
        format!("Bearer {}", self.token.secret.expose())
    }
}

fn request<B: Default>(authorization: &[&str]) -> Request<B> {
    let mut request = Request::new(B::default());
    for value in authorization {
        request.headers_mut().append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    request
}

/// Bodies of a server that has nothing to do with axum.
#[derive(Default, Debug, PartialEq)]
struct Bytes(Vec<u8>);

/// A service that says who is there.
async fn inside(request: Request<Bytes>) -> std::result::Result<Response<Bytes>, Infallible> {
    let who = request.extensions().get::<Principal<'static>>().map_or("nobody".into(), |who| format!("{who:?}"));
    let seen = format!("{:?}", request.headers().get(AUTHORIZATION));
    Ok(Response::new(Bytes(format!("{who} {seen}").into_bytes())))
}

fn answer(layer: &AuthenticateLayer<Bytes>, authorization: &[&str]) -> (u16, String, String) {
    let response = run(layer.layer(service_fn(inside)).oneshot(request(authorization))).unwrap();
    let challenge = response.headers().get(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    (status, challenge.unwrap_or_default(), String::from_utf8(response.into_body().0).unwrap())
}

const WRONG: &str =
    "Bearer realm=\"portcullis\", error=\"invalid_token\", error_description=\"the token is not accepted\"";

#[test]
fn any_tower_service_gets_the_principal_and_never_shows_the_secret() {
    let host = Host::new();
    for scheme in ["Token", "bearer", "BEARER"] {
        let header = format!("{scheme} {}", host.token.secret.expose());
        let (status, challenge, text) = answer(&host.layer(), &[&header]);
        assert_eq!((status, challenge.as_str()), (200, ""));
        assert_eq!(text, format!("Principal({}) Some(Sensitive)", host.token.token.id()));
    }
}

#[test]
fn a_missing_or_wrong_header_never_falls_through() {
    let host = Host::new();
    let header = host.header();
    assert_eq!(answer(&host.layer(), &[]), (401, "Bearer realm=\"portcullis\"".into(), String::new()));
    let described =
        |what: &str| format!("Bearer realm=\"portcullis\", error=\"invalid_token\", error_description=\"{what}\"");
    let scheme = described("the `authorization` header has another scheme than `Token` and `Bearer`");
    let several = described("more than one `authorization` header; send one");
    let empty = described("the `authorization` header has no token after its scheme");
    for (values, challenge) in [
        (vec![header.as_str(), &header], several.as_str()),
        (vec!["Basic YTpi"], &scheme),
        (vec![""], &scheme),
        (vec!["Token"], &empty),
        (vec!["Token "], &empty),
        (vec!["Bearer nonsense"], WRONG),
        (vec![&format!("{header} ")], WRONG),
        (vec![&header.replace("Bearer ", "Bearer  ")], WRONG),
        (vec!["Token user:pass-that-is-long-enough-for-a-token"], WRONG),
    ] {
        for layer in [host.layer(), host.layer().optional()] {
            assert_eq!(answer(&layer, &values), (401, challenge.into(), String::new()), "{values:?}");
        }
    }
}

#[test]
fn optional_layers_let_the_anonymous_through_and_nobody_else() {
    let host = Host::new();
    let layer = host.layer().optional();
    assert_eq!(answer(&layer, &[]), (200, String::new(), "nobody None".into()));
    assert_eq!(answer(&layer, &[&host.header()]).0, 200);
}

/// What makes a token refused.
type Change = fn(&Host);

#[test]
fn rule_2_why_is_told_only_where_the_host_asks_for_it() {
    let host = Host::new();
    let refusals: [(&str, Change, &str); 4] = [
        (
            "inactive",
            |it| ok(it.authority.update(fixture::host(), it.token.token.id(), Update::new().deactivate())),
            "the token is inactive",
        ),
        (
            "suspended",
            |it| ok(it.authority.set_owner_standing(fixture::host(), user(1), Standing::Suspended)),
            "the token's owner is suspended",
        ),
        (
            "deleted",
            |it| ok(it.authority.set_organization_standing(fixture::host(), org(1), Standing::Deleted)),
            "the token's organization was deleted",
        ),
        ("revoked", |it| ok(it.authority.revoke(fixture::host(), it.token.token.id())), "the token is revoked"),
    ];
    for (name, change, why) in refusals {
        let host = Host::new();
        change(&host);
        assert_eq!(answer(&host.layer(), &[&host.header()]), (401, WRONG.into(), String::new()), "{name}");
        let (_, challenge, _) = answer(&host.layer().explain(), &[&host.header()]);
        let why = format!("error_description=\"the token is not accepted: {why}\"");
        assert!(challenge.contains(&why), "{name}: {challenge}");
    }
    // To the host itself, always.
    let layer = host
        .layer()
        .respond(|rejection: &Rejection| rejection.response(Bytes(format!("{:?}", rejection.refusal()).into())));
    assert_eq!(answer(&layer, &["Token nonsense"]).2, "NotAccepted(Malformed)");
    assert_eq!(answer(&layer, &[]).2, "Anonymous");
}

#[test]
fn the_realm_cannot_break_out_of_its_quotes() {
    let host = Host::new();
    let (_, challenge, _) = answer(&host.layer().realm("a\"b\\c\r\nd"), &[]);
    assert_eq!(challenge, "Bearer realm=\"a?b?c??d\"");
}

#[test]
fn an_authority_that_cannot_tell_answers_503() {
    let host = Host::new();
    let Host { authority, token } = host;
    let layer: AuthenticateLayer<Bytes> = AuthenticateLayer::new(Arc::clone(&authority));
    let header = format!("Token {}", token.secret.expose());
    let principal = authority.authenticate(token.secret.expose()).unwrap().into_owned();
    drop((layer, authority));
    assert_eq!(principal.check(), Err(Reason::Unavailable));
    let refusal = Refusal::from(principal.authorize(Read, Resource::INSTANCE).unwrap_err());
    assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(matches!(refusal, Refusal::NotAccepted(Reason::Unavailable)), "{refusal:?}");
    assert!(header.starts_with("Token"));
}

async fn write(caller: Caller, Path((org, bucket)): Path<(OrgId, ResourceId)>) -> Result<String, Refusal> {
    let permit: Permit<Write> = caller.authorize(Write, Resource::bucket(org, bucket))?;
    Ok(permit.resource().to_string())
}

async fn read(caller: Caller, Path((org, bucket)): Path<(OrgId, ResourceId)>) -> Result<String, Refusal> {
    let permit = caller.authorize(Read, Resource::bucket(org, bucket))?;
    Ok(permit.resource().to_string())
}

async fn maybe(caller: Option<Caller>) -> String {
    caller.map_or("nobody".into(), |caller| format!("{:?}", *caller))
}

/// Revokes what it is told to, on behalf of the caller.
async fn revoke(
    authority: Extension<Arc<Authority>>,
    caller: Caller,
    Path(id): Path<TokenId>,
) -> Result<StatusCode, Refusal> {
    authority.revoke(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn routes() -> Router {
    Router::new().route("/{org}/{bucket}", get(read).post(write)).route("/maybe", get(maybe))
}

fn ask(router: &Router, method: &str, path: &str, authorization: &[&str]) -> (u16, http::HeaderMap, String) {
    let mut request: Request<Body> = request(authorization);
    *request.method_mut() = method.parse().unwrap();
    *request.uri_mut() = path.parse().unwrap();
    run(async {
        let response = router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
    })
}

#[test]
fn a_denial_in_a_handler_is_answered_as_the_layer_answers() {
    let host = Host::new();
    let header = host.header();
    let path = format!("/{}/{}", org(1), bucket(1));
    let (mine, theirs) = (Resource::bucket(org(1), bucket(1)), Resource::bucket(org(2), bucket(1)));

    let plain = routes().layer(host.layer());
    assert_eq!(ask(&plain, "POST", &path, &[&header]).2, mine.to_string());
    for (method, path, missing) in [
        ("GET", path.clone(), format!("read:{mine}")),
        ("POST", format!("/{}/{}", org(2), bucket(1)), format!("write:{theirs}")),
    ] {
        let (status, headers, body) = ask(&plain, method, &path, &[&header]);
        assert_eq!((status, body.as_str()), (403, ""));
        assert_eq!(
            headers[WWW_AUTHENTICATE],
            format!(
                "Bearer realm=\"portcullis\", error=\"insufficient_scope\", \
                 error_description=\"missing permission `{missing}`\", scope=\"{missing}\""
            )
        );
        let (status, headers, body) =
            ask(&routes().layer(host.layer().realm("db").influxdb()), method, &path, &[&header]);
        assert_eq!(status, 403);
        assert_eq!(headers["x-platform-error-code"], "forbidden");
        assert!(
            headers[WWW_AUTHENTICATE]
                .to_str()
                .unwrap()
                .starts_with("Bearer realm=\"db\", error=\"insufficient_scope\"")
        );
        assert_eq!(body, format!("{{\"code\":\"forbidden\",\"message\":\"missing permission `{missing}`\"}}"));
    }
}

#[test]
fn what_an_inner_layer_answered_stays_as_it_is() {
    let host = Host::new();
    let between = map_response(async |response: axum::response::Response| ([("x-between", "here")], response));
    let inner = routes().layer(host.layer().realm("inner").influxdb());
    let nested = inner.clone().layer(between).layer(host.layer().optional().realm("outer"));
    for (path, authorization) in
        [("/maybe".into(), vec![]), (format!("/{}/{}", org(1), bucket(1)), vec![host.header()])]
    {
        let authorization: Vec<_> = authorization.iter().map(String::as_str).collect();
        let (status, mut headers, body) = ask(&nested, "GET", &path, &authorization);
        assert_eq!(headers.remove("x-between").unwrap(), "here");
        assert_eq!((status, headers, body), ask(&inner, "GET", &path, &authorization));
    }
    // What no layer inside answered, this one does.
    let (_, headers, _) = ask(&nested, "GET", "/maybe", &["Token nonsense"]);
    assert!(headers[WWW_AUTHENTICATE].to_str().unwrap().starts_with("Bearer realm=\"outer\""));
}

#[test]
fn influxdbs_clients_get_influxdbs_body() {
    let host = Host::new();
    let app = routes().layer(host.layer().influxdb());
    let expected = "{\"code\":\"unauthorized\",\"message\":\"unauthorized access\"}";
    for authorization in [&[] as &[&str], &["Basic YTpi"], &["Token nonsense"], &["Token"]] {
        let (status, headers, body) = ask(&app, "GET", "/maybe", authorization);
        assert_eq!((status, body.as_str()), (401, expected));
        assert_eq!(headers["x-platform-error-code"], "unauthorized");
        assert_eq!(headers["content-type"], "application/json; charset=utf-8");
    }
    let explained = routes().layer(host.layer().influxdb().explain());
    let (_, _, body) = ask(&explained, "GET", "/maybe", &["Token nonsense"]);
    assert_eq!(body, "{\"code\":\"unauthorized\",\"message\":\"the token is not accepted: the secret is malformed\"}");
}

#[test]
fn handlers_without_the_layer_are_refused() {
    for authorization in [&[] as &[&str], &["Token nonsense"]] {
        for path in ["/maybe".to_owned(), format!("/{}/{}", org(1), bucket(1))] {
            let (status, headers, body) = ask(&routes(), "GET", &path, authorization);
            assert_eq!((status, body.as_str()), (500, ""));
            assert!(!headers.contains_key(WWW_AUTHENTICATE));
        }
    }
}

#[test]
fn the_anonymous_behind_an_optional_layer() {
    let host = Host::new();
    let app = routes().layer(host.layer().optional());
    assert_eq!(ask(&app, "GET", "/maybe", &[]).2, "nobody");
    assert_eq!(ask(&app, "GET", "/maybe", &[&host.header()]).2, format!("Principal({})", host.token.token.id()));
    let (status, headers, _) = ask(&app, "GET", &format!("/{}/{}", org(1), bucket(1)), &[]);
    assert_eq!(status, 401);
    assert_eq!(headers[WWW_AUTHENTICATE], "Bearer realm=\"portcullis\"");
}

#[test]
fn an_inner_layer_does_not_take_over_whom_an_outer_one_knows() {
    let host = Host::new();
    let known = host.authority.authenticate(host.token.secret.expose()).unwrap().into_owned();
    let mut request: Request<Bytes> = request(&[]);
    request.extensions_mut().insert(known);
    let answer = run(host.layer().optional().layer(service_fn(inside)).oneshot(request)).unwrap();
    assert_eq!(answer.into_body().0, b"nobody None");
}

#[test]
fn rule_17_a_token_revoked_during_a_request_is_not_accepted_any_more() {
    let host = Host::new();
    let principal = host.authority.authenticate(host.token.secret.expose()).unwrap();
    ok(host.authority.revoke(fixture::host(), host.token.token.id()));
    let denial = principal.authorize(Write, Resource::bucket(org(1), bucket(1))).unwrap_err();
    assert!(matches!(Refusal::from(denial), Refusal::NotAccepted(Reason::Revoked)));
    assert_eq!(Refusal::from(denial).status(), StatusCode::UNAUTHORIZED);
}

#[test]
fn what_is_refused_in_one_call_is_answered_as_what_is_refused_in_two() {
    let host = Host::new();
    let ask = || host.authority.authorize(host.token.secret.expose(), Read, Resource::bucket(org(1), bucket(1)));
    let denial = Refusal::from(ask().unwrap_err());
    assert!(matches!(denial, Refusal::Denied(_)), "{denial:?}");
    assert_eq!(denial.status(), StatusCode::FORBIDDEN);
    ok(host.authority.revoke(fixture::host(), host.token.token.id()));
    let revoked = ask().unwrap_err();
    assert!(!revoked.is_temporary());
    assert!(matches!(Refusal::from(revoked), Refusal::NotAccepted(Reason::Revoked)));
}

#[test]
fn a_call_of_the_caller_that_fails_is_answered_as_the_layer_answers() {
    let host = Host::new();
    let router =
        |layer| Router::new().route("/{id}", get(revoke)).layer(Extension(Arc::clone(&host.authority))).layer(layer);
    let (plain, header) = (router(host.layer::<Body>()), host.header());
    let influxdb = router(host.layer().realm("mine").influxdb());
    let missing = format!("/{}", TokenId::try_from(1).unwrap());
    let (status, headers, body) = ask(&plain, "GET", &missing, &[&header]);
    assert_eq!((status, headers.contains_key(WWW_AUTHENTICATE), body.as_str()), (404, false, ""));
    let (status, _, body) = ask(&influxdb, "GET", &missing, &[&header]);
    assert_eq!((status, body.as_str()), (404, r#"{"code":"not found","message":"authorization not found"}"#));
    let operator = host.authority.create(fixture::host(), NewToken::operator().owner(user(1))).wait().unwrap();
    let all = host.authority.create(fixture::host(), NewToken::all_access(org(1)).owner(user(1))).wait().unwrap();
    let all = format!("Token {}", all.secret.expose());
    // Hidden from it, and so not found; what it may see, and not revoke, is denied.
    assert_eq!(ask(&influxdb, "GET", &format!("/{}", operator.token.id()), &[&all]).0, 404);
    let reader =
        NewToken::of_kind(TokenKind::custom(Some(org(1)), fixture::set(&["read:orgs/O/authorizations"])).unwrap())
            .owner(user(1));
    let reader = host.authority.create(fixture::host(), reader).wait().unwrap();
    let reader = format!("Token {}", reader.secret.expose());
    let (status, headers, _) = ask(&influxdb, "GET", &format!("/{}", host.token.token.id()), &[&reader]);
    assert_eq!(status, 403);
    assert!(
        headers[WWW_AUTHENTICATE].to_str().unwrap().starts_with("Bearer realm=\"mine\", error=\"insufficient_scope\"")
    );
    assert_eq!(ask(&influxdb, "GET", &format!("/{}", host.token.token.id()), &[&all]).0, 204);
    assert_eq!(ask(&influxdb, "GET", &missing, &[&header]).0, 401);
}

#[test]
fn every_error_of_an_authority_becomes_a_refusal() {
    let host = Host::new();
    let unknown = Refusal::from(host.authority.authenticate("nobody's").unwrap_err());
    assert!(matches!(unknown, Refusal::NotAccepted(Reason::Malformed | Reason::Unknown)), "{unknown:?}");
    let accepted = Refusal::from(Error::NotAccepted(Reason::Revoked));
    assert!(matches!(accepted, Refusal::NotAccepted(Reason::Revoked)), "{accepted:?}");
    let busy = Refusal::from(Error::Busy(10));
    assert_eq!((busy.status(), busy.to_string()), (StatusCode::SERVICE_UNAVAILABLE, Error::Busy(10).to_string()));
}

#[test]
fn refusals_have_exact_texts() {
    assert_eq!(Refusal::Anonymous.to_string(), "the request has no `authorization` header");
    assert_eq!(Refusal::NoLayer.to_string(), "no authentication layer is around this handler");
    assert_eq!(Refusal::NotAccepted(Reason::Expired).to_string(), "the token is not accepted: the token has expired");
}
