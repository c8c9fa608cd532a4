//! The routes, called without a network, every answer compared with the OpenAPI document.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{HeaderMap, Request};
use portcullis::testing::{Faults, FaultyStore, ManualClock};
use portcullis::{
    Authority, Issued, MemoryStore, NewToken, OrgId, Resource, ResourceId, ResourceType, TokenId, UserId,
};
use portcullis_http::{Answer as Found, Api, Directory, DirectoryError, Fault};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::document;
use test_support::fixture::{self, START, bucket, host, org, user};

pub const TOKENS: &str = "/api/v2/authorizations";

/// Two organizations, two users, and the buckets `metrics` and `logs` of the first and `theirs` of the second.
#[derive(Clone)]
pub struct Names {
    answers: Arc<AtomicUsize>,
}

impl Default for Names {
    fn default() -> Self {
        Self { answers: Arc::new(usize::MAX.into()) }
    }
}

impl Names {
    /// It has so many more answers, and then it fails.
    pub fn fail_after(&self, answers: usize) {
        self.answers.store(answers, Ordering::SeqCst);
    }

    /// It does not fail any more.
    pub fn heal(&self) {
        self.fail_after(usize::MAX);
    }

    fn all() -> Vec<(Resource, &'static str)> {
        let user = |id: UserId| Resource::global(ResourceType::USERS).with_id(id);
        vec![
            (Resource::organization_itself(org(1)), "acme"),
            (Resource::organization_itself(org(2)), "globex"),
            (user(fixture::user(1)), "alice"),
            (user(fixture::user(2)), "bob"),
            (Resource::bucket(org(1), bucket(1)), "metrics"),
            (Resource::bucket(org(1), bucket(2)), "logs"),
            (Resource::bucket(org(2), bucket(9)), "theirs"),
        ]
    }

    fn check(&self) -> Result<(), DirectoryError> {
        let left = self.answers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map(|_| ()).map_err(|_| DirectoryError::new("the database is away"))
    }
}

impl Directory for Names {
    fn names<'a>(&'a self, of: &'a [Resource]) -> Found<'a, HashMap<Resource, String>> {
        Box::pin(async move {
            self.check()?;
            let known = Self::all().into_iter().filter(|(each, _)| of.contains(each));
            Ok(known.map(|(each, name)| (each, name.to_owned())).collect())
        })
    }

    fn find<'a>(&'a self, among: Resource, name: &'a str) -> Found<'a, Option<ResourceId>> {
        Box::pin(async move {
            self.check()?;
            let place =
                |each: &Resource| if each.resource_type() == ResourceType::ORGS { None } else { each.organization() };
            let fits =
                |each: &Resource| each.resource_type() == among.resource_type() && place(each) == among.organization();
            let mut all = Self::all().into_iter();
            Ok(all.find(|(each, known)| fits(each) && *known == name).and_then(|(each, _)| each.id()))
        })
    }
}

/// The routes on an authority in memory, set up by the first user.
pub struct App {
    pub clock: ManualClock,
    pub faults: Faults,
    pub names: Names,
    pub authority: Arc<Authority>,
    pub root: Issued,
    router: Router,
    /// Another could open it: so the authority denies when it cannot read it.
    _shared: MemoryStore,
}

/// So long after it last read its store, the authority denies.
pub const STALE_AFTER: Duration = Duration::from_hours(24);

impl App {
    pub fn new() -> Self {
        Self::with(|api| api)
    }

    pub fn with(settings: impl FnOnce(Api) -> Api) -> Self {
        let (clock, names) = (ManualClock::new(START), Names::default());
        let shared = MemoryStore::new();
        let (store, faults) = FaultyStore::new(shared.clone());
        let builder = Authority::builder().clock(clock.clone()).stale_after(STALE_AFTER).follow(STALE_AFTER / 2);
        let authority = Arc::new(builder.open(store).wait().unwrap());
        let root = authority.setup(user(1)).wait().unwrap();
        let router = settings(Api::new(Arc::clone(&authority), names.clone())).router();
        Self { clock, faults, names, authority, root, router, _shared: shared }
    }

    /// A token of the first user, made by the host.
    pub fn issue(&self, new: NewToken<impl portcullis::NewKind>) -> Issued {
        self.authority.create(host(), new.owner(user(1))).wait().unwrap()
    }

    pub fn all_access(&self, organization: OrgId) -> Issued {
        self.issue(NewToken::all_access(organization))
    }

    /// Whoever holds that token.
    pub fn by(&self, token: &Issued) -> Client<'_> {
        self.by_secret(token.secret.expose())
    }

    pub fn by_secret(&self, secret: &str) -> Client<'_> {
        Client { app: self, authorization: Some(format!("Token {secret}")), headers: Vec::new() }
    }

    pub fn anonymous(&self) -> Client<'_> {
        Client { app: self, authorization: None, headers: Vec::new() }
    }

    pub fn operator(&self) -> Client<'_> {
        self.by(&self.root)
    }

    /// The answer, which the document must know.
    pub fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answer = runtime.block_on(async {
            let response = self.router.clone().oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            Answer {
                status: parts.status.as_u16(),
                headers: parts.headers,
                fault: parts.extensions.get().cloned(),
                text: String::from_utf8(body.to_vec()).unwrap(),
            }
        });
        document::check(&method, &path, &answer);
        answer
    }
}

/// Who sends a request, and with which further headers.
pub struct Client<'a> {
    app: &'a App,
    authorization: Option<String>,
    headers: Vec<(&'static str, String)>,
}

impl Client<'_> {
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, String::new())
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, String::new())
    }

    pub fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, body.to_string())
    }

    pub fn patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, body.to_string())
    }

    pub fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", path, body.to_string())
    }

    /// A token with these permissions, in the first organization unless the fields say otherwise.
    pub fn create(&self, permissions: Value, fields: Value) -> Answer {
        let mut body = json!({ "orgID": org(1), "permissions": permissions });
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.post(TOKENS, body)
    }

    pub fn send(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        self.app.send(request.body(body.into()).unwrap())
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// For the host's log.
    pub fault: Option<Fault>,
    pub text: String,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body, of an answer that is no error.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert!(self.status < 300, "{self:?}");
        self.json()
    }

    /// Status, code and message.
    #[track_caller]
    pub fn error(&self) -> (u16, String, String) {
        let body = self.json();
        assert_eq!(self.header("x-platform-error-code"), body["code"].as_str());
        (self.status, body["code"].as_str().unwrap().into(), body["message"].as_str().unwrap().into())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// The path of a token.
pub fn at(id: TokenId) -> String {
    format!("{TOKENS}/{id}")
}

/// `read:buckets/b1` and the like, in the first organization.
pub fn bucket_permission(action: &str, number: u64) -> Value {
    json!({ "action": action, "resource": { "type": "buckets", "orgID": org(1), "id": bucket(number) } })
}

/// Any action on any type of an organization.
pub fn everything(organization: OrgId) -> Value {
    json!([{ "action": "*", "resource": { "type": "*", "orgID": organization } }])
}

/// Any action on any type, of the instance too.
pub fn operators() -> Value {
    json!([{ "action": "*", "resource": { "type": "*" } }])
}

#[track_caller]
pub fn refused(answer: &Answer, status: u16, code: &str, message: &str) {
    assert_eq!(answer.error(), (status, code.into(), message.into()));
}
