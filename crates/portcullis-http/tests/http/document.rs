//! The OpenAPI document: every answer of every test is in it, and nothing is in it that does not happen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex};

use boon::{Compiler, SchemaIndex, Schemas};
use http::Method;
use portcullis::NewToken;
use portcullis::testing::{Call, Fault};
use portcullis_http::AuthenticateLayer;
use serde_json::{Value, json};

use crate::app::{Answer, App, STALE_AFTER, TOKENS, at, everything};
use test_support::fixture::{bucket, host, ok, org};

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../src/api/openapi.json")).unwrap());

/// The schemas of the bodies in the document, by method, path and status.
static BODIES: LazyLock<(Schemas, BTreeMap<String, SchemaIndex>)> = LazyLock::new(|| {
    let (mut compiler, mut schemas, mut bodies) = (Compiler::new(), Schemas::new(), BTreeMap::new());
    compiler.enable_format_assertions();
    for (key, response) in responses() {
        let schema = &resolved(response)["content"]["application/json"]["schema"];
        if !schema.is_null() {
            let name = format!("memory:///{}", bodies.len());
            let whole = json!({ "allOf": [schema], "components": DOCUMENT["components"] });
            compiler.add_resource(&name, whole).unwrap();
            bodies.insert(key, compiler.compile(&name, &mut schemas).unwrap());
        }
    }
    (schemas, bodies)
});

/// Every answer that the document knows, as `get /path 200`.
fn responses() -> Vec<(String, &'static Value)> {
    let mut responses = Vec::new();
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(method, _)| *method != "parameters") {
            for (status, response) in operation["responses"].as_object().unwrap() {
                responses.push((format!("{method} {path} {status}"), response));
            }
        }
    }
    responses
}

/// Which answers occurred in this test run, as `get /path 200`.
static OCCURRED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn resolved(value: &Value) -> &Value {
    match value["$ref"].as_str() {
        Some(reference) => DOCUMENT.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => value,
    }
}

/// The path in the document that this one is an instance of.
fn template(path: &str) -> Option<&'static str> {
    let path = path.trim_end_matches('/');
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let fits = |template: &str| {
        let (mut ours, mut theirs) = (template.split('/'), path.split('/'));
        ours.by_ref().zip(theirs.by_ref()).all(|(our, their)| our == their || our == "{id}")
            && template.split('/').count() == path.split('/').count()
    };
    paths.keys().find(|template| *template == path).or_else(|| paths.keys().find(|each| fits(each))).map(String::as_str)
}

/// That the document knows this answer.
#[track_caller]
pub fn check(method: &Method, path: &str, answer: &Answer) {
    let Some(template) = template(path) else {
        assert_eq!(answer.status, 404, "{method} {path} is not in the document: {answer:?}");
        return;
    };
    let method = method.as_str().to_lowercase();
    let operation = &DOCUMENT["paths"][template][&method];
    if operation.is_null() {
        assert!(answer.status == 405 || method == "head", "{method} {path} is not in the document: {answer:?}");
        return;
    }
    let key = format!("{method} {template} {}", answer.status);
    let response = &operation["responses"][answer.status.to_string()];
    assert!(!response.is_null(), "{key} is not in the document: {answer:?}");
    let response = resolved(response);
    let headers = response["headers"].as_object().into_iter().flatten();
    for (name, _) in headers.filter(|(_, header)| header["required"] != false) {
        assert!(answer.headers.contains_key(name), "{key} without the header {name}: {answer:?}");
    }
    let (schemas, bodies) = &*BODIES;
    match bodies.get(&key) {
        Some(schema) => {
            let content = answer.header("content-type").unwrap_or_default();
            assert!(content.starts_with("application/json"), "{key}: {answer:?}");
            if let Err(error) = schemas.validate(&answer.json(), *schema) {
                panic!("{key}: {error:#}: {answer:?}");
            }
        }
        None => assert_eq!(answer.text, "", "{key}"),
    }
    OCCURRED.lock().unwrap().insert(key);
}

/// Every operation of the document, with a path for this id.
fn operations(id: &str) -> Vec<(String, String)> {
    let mut operations = Vec::new();
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|method| *method != "parameters") {
            operations.push((method.to_uppercase(), path.replace("{id}", id)));
        }
    }
    operations
}

/// A body that each operation accepts.
fn body(method: &str, path: &str) -> Value {
    let one = json!([{ "action": "read", "resource": { "type": "buckets", "orgID": org(1), "id": bucket(1) } }]);
    match (method, path.rsplit('/').next().unwrap()) {
        ("POST", "authorizations") => json!({ "orgID": org(1), "permissions": one }),
        ("PUT", "permissions") | ("POST", "check") => json!({ "permissions": one }),
        _ => json!({}),
    }
}

#[test]
fn the_document_is_served() {
    let app = App::new();
    let answer = app.anonymous().get(&format!("{TOKENS}/openapi.json"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), *DOCUMENT);
}

#[test]
fn every_documented_status_occurs() {
    // Well done, not authenticated, and the authority cannot tell.
    let app = App::new();
    for (method, path) in operations("me") {
        let token = app.issue(NewToken::all_access(org(1)));
        let document = path.ends_with("openapi.json");
        let client = if path.ends_with("rotate") { app.operator() } else { app.by(&token) };
        let path = path.replace("/me", &format!("/{}", token.token.id()));
        let answer = client.send(&method, &path, body(&method, &path).to_string());
        assert!(answer.status < 300, "{method} {path}: {answer:?}");
        if !document {
            assert_eq!(app.anonymous().send(&method, &path, "").status, 401);
        }
    }

    // Malformed and unknown.
    for (method, path) in operations("0000000000000001") {
        let answer = app.operator().send(&method, &path, body(&method, &path).to_string());
        assert!(
            answer.status == 404 || path == TOKENS || path.ends_with("openapi.json"),
            "{method} {path}: {answer:?}"
        );
    }
    for (method, path) in operations("nonsense") {
        let answer = app.operator().send(&method, &path, body(&method, &path).to_string());
        assert!(
            answer.status == 400 || path == TOKENS || path.ends_with("openapi.json"),
            "{method} {path}: {answer:?}"
        );
    }
    assert_eq!(app.operator().get(&format!("{TOKENS}?limit=x")).status, 400);
    assert_eq!(app.operator().get(&format!("{TOKENS}?org=nowhere")).status, 404);
    assert_eq!(app.operator().post(TOKENS, json!({})).status, 400);

    // Too large.
    let huge = "x".repeat((1 << 20) + 1);
    for (method, path) in
        operations("me").iter().filter(|(method, _)| ["POST", "PUT", "PATCH"].contains(&method.as_str()))
    {
        assert_eq!(app.operator().send(method, path, huge.clone()).status, 413, "{method} {path}");
    }

    // More than the caller has, or more than it may know.
    let (small, other) = (app.all_access(org(1)), app.issue(NewToken::operator()));
    let grow = json!({ "permissions": everything(org(1)) });
    let manager = app
        .issue(test_support::fixture::custom(org(1), &["read:orgs/O/authorizations", "write:orgs/O/authorizations"]));
    let path = at(small.token.id());
    assert_eq!(app.by(&manager).create(everything(org(1)), json!({})).status, 403);
    assert_eq!(app.by(&manager).patch(&path, json!({ "description": "mine" })).status, 403);
    assert_eq!(app.by(&manager).put(&format!("{path}/permissions"), grow).status, 403);
    assert_eq!(app.by(&manager).post(&format!("{path}/rotate"), json!({})).status, 403);
    assert_eq!(app.by(&manager).post(&format!("{path}/revoke"), json!({})).status, 403);
    assert_eq!(app.by(&manager).delete(&path).status, 403);
    assert_eq!(app.by(&small).get(&at(other.token.id())).status, 404);

    // Changed meanwhile, and revoked.
    for (method, path) in [("PATCH", path.clone()), ("PUT", format!("{path}/permissions"))] {
        let answer = app.operator().header("if-match", "\"1\"").send(method, &path, body(method, &path).to_string());
        assert_eq!(answer.status, 412, "{method} {path}");
    }
    let chosen = json!({ "secret": "s".repeat(32) });
    assert_eq!(app.operator().post(&format!("{path}/rotate"), chosen.clone()).status, 200);
    assert_eq!(app.operator().create(everything(org(1)), chosen).status, 422);
    ok(app.authority.revoke(host(), small.token.id()));
    assert_eq!(app.operator().patch(&path, json!({ "description": "late" })).status, 422);
    assert_eq!(app.operator().put(&format!("{path}/permissions"), body("PUT", "permissions")).status, 422);
    assert_eq!(app.operator().post(&format!("{path}/rotate"), json!({})).status, 422);

    // The host's directory fails, and then the store.
    let token = app.all_access(org(1));
    app.names.fail_after(0);
    for (method, path) in operations(&token.token.id().to_string()) {
        // These ask for no names, or only for what was done already.
        let silent = ["revoke", "check", "rotate", "openapi.json"].iter().any(|end| path.ends_with(end))
            || ["DELETE", "PATCH"].contains(&method.as_str());
        if !silent {
            let answer = app.operator().send(&method, &path, body(&method, &path).to_string());
            assert_eq!(answer.status, 500, "{method} {path}: {answer:?}");
            assert!(!answer.text.contains("database"), "{answer:?}");
        }
    }
    app.names.heal();
    app.faults.always(Call::Changes, Fault::Refuse);
    app.clock.advance(2 * STALE_AFTER);
    for (method, path) in operations(&token.token.id().to_string()) {
        if !path.ends_with("openapi.json") {
            let answer = app.operator().send(&method, &path, body(&method, &path).to_string());
            assert_eq!(answer.status, 503, "{method} {path}: {answer:?}");
        }
    }

    // The host's mistake: a layer of another authority.
    let other = App::new();
    let layer = AuthenticateLayer::new(Arc::clone(&other.authority)).influxdb();
    let app = App::with(|api| api.layer(layer));
    for (method, path) in operations(&other.root.token.id().to_string()) {
        if !path.ends_with("openapi.json") {
            let answer = app.by(&other.root).send(&method, &path, body(&method, &path).to_string());
            assert_eq!(answer.status, 500, "{method} {path}: {answer:?}");
            assert_eq!(answer.fault.unwrap().to_string(), "the acting principal belongs to another authority");
        }
    }

    let occurred = OCCURRED.lock().unwrap().clone();
    let documented = responses().into_iter().map(|(key, _)| key);
    let missing: Vec<_> = documented.filter(|key| !occurred.contains(key)).collect();
    assert!(missing.is_empty(), "documented, and never seen: {missing:?}");
}
