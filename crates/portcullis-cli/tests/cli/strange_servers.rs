//! What the program makes of servers, and of proxies before them, that do not answer as the routes do.

use std::path::Path;

use serde_json::{Value, json};

use crate::run::{ALICE, ORG, Place, command};
use crate::stub::Stub;

/// Where commands run on a server that answers everything with that.
fn always(status: u16, body: &'static str) -> Place {
    Place::server(&Stub::new(move |_| Some((status, body.to_owned()))).url, Some("secret"))
}

#[test]
fn the_status_decides_the_exit_code_whatever_the_body_is() {
    for (status, exit) in
        [(400, 2), (401, 3), (403, 3), (404, 7), (408, 6), (412, 5), (429, 6), (500, 7), (502, 6), (503, 6), (504, 6)]
    {
        for body in ["", "<html>something</html>"] {
            let ran = always(status, body).run(&["list"]);
            assert_eq!(ran.exit, exit, "{status}: {ran:?}");
            assert!(!ran.err.contains("html"), "{ran:?}");
        }
    }
    let told = always(502, r#"{"code":"unavailable","message":"too early"}"#).run(&["list"]);
    assert_eq!((told.exit, told.err.as_str()), (6, "error: too early\n"));
    let other = always(200, "<html>something</html>").run(&["list"]);
    assert_eq!(other.exit, 7);
    assert!(other.err.contains("does not answer as a token server does; is --url right?"), "{}", other.err);
}

#[test]
fn a_secret_that_an_empty_answer_refuses_may_nothing() {
    let check = ["check", "--secret-stdin", "read:buckets"];
    let denied = always(401, "").run_with(&check, "secret");
    assert_eq!((denied.exit, denied.err.as_str()), (1, ""));
    assert!(denied.out.contains("the token is not accepted"), "{denied:?}");
    assert_eq!(always(502, "").run_with(&check, "secret").exit, 6);
}

#[test]
fn a_proxy_is_for_other_machines() {
    let proxy = Stub::new(|_| Some((502, String::new())));
    let server = Stub::new(|_| Some((401, String::new())));
    let list = |url: &str| {
        let mut list = command(Path::new("."));
        list.env("HTTPS_PROXY", &proxy.url).env("PORTCULLIS_TOKEN", "secret").args(["--url", url, "list"]);
        let ended = list.output().unwrap();
        (ended.status.code().unwrap(), String::from_utf8(ended.stderr).unwrap())
    };
    for url in [server.url.clone(), server.url.replace("127.0.0.1", "localhost")] {
        let (code, error) = list(&url);
        assert_eq!((code, proxy.requests()), (3, vec![]), "{error}");
        assert!(!error.contains("warning"), "{error}");
    }
    assert_eq!(server.requests().len(), 2);
    let (code, error) = list("http://tokens.example:8086");
    assert_eq!((code, proxy.requests().len()), (6, 1), "{error}");
    let warning = "warning: `http://tokens.example:8086` is not https: secrets cross the network in the clear\n";
    assert!(error.starts_with(warning), "{error}");
}

/// A change that was sent, and whose answer is lost, may have been made.
#[test]
fn a_change_without_an_answer_is_said_to_be_in_doubt() {
    let id = "3333333333333333";
    let created = "a token may have been created whose secret nobody was shown";
    let rotated = format!("token `{id}` may have a new secret that nobody was shown");
    let may = |done: &str| format!("token `{id}` may have been {done}; see `portcullis show {id}`");
    let changes: [(&[&str], &str); 5] = [
        (&["create", "--org", ORG, "--all-access"], created),
        (&["rotate", id, "--overlap", "1d"], &rotated),
        (&["update", id, "--description", "a"], &may("changed")),
        (&["revoke", id, "--yes"], &may("revoked")),
        (&["delete", id, "--yes"], &may("deleted")),
    ];
    for (change, doubt) in changes {
        let says = |answer: Option<(u16, &'static str)>, exit: i32, doubt: &str| {
            let stub = Stub::new(move |_| answer.map(|(status, body)| (status, body.to_owned())));
            let ran = Place::server(&stub.url, Some("secret")).run(change);
            assert_eq!(ran.exit, exit, "{change:?}, {answer:?}: {ran:?}");
            assert!(ran.err.starts_with(&format!("error: {doubt}")), "{change:?}, {answer:?}: {ran:?}");
            assert!(doubt.is_empty() != ran.err.contains(" may have "), "{change:?}, {answer:?}: {ran:?}");
        };
        says(None, 6, doubt);
        says(Some((502, "")), 6, doubt);
        says(Some((500, "")), 7, doubt);
        // What says that it was not made.
        says(Some((503, r#"{"code":"unavailable","message":"later"}"#)), 6, "");
        says(Some((401, "")), 3, "");
        says(Some((408, "")), 6, "");
        if !matches!(change[0], "delete") {
            says(Some((200, "<html>")), 7, doubt);
        }
        // Nor could what was never sent.
        let closed = Place::server("http://127.0.0.1:1", Some("secret")).run(change);
        assert!(closed.err.starts_with("error: `http://127.0.0.1:1` does not answer"), "{closed:?}");
    }
    // A question changes nothing.
    let check = Place::server(&Stub::new(|_| None).url, Some("secret")).run(&["check", "--id", id, "read:buckets"]);
    assert!(check.err.starts_with("error: `http://127.0.0.1:"), "{check:?}");
}

/// A token as the routes show it, with that many permissions.
fn authorization(id: &str, permissions: usize) -> Value {
    let permission = json!({ "action": "read", "resource": { "type": "buckets", "orgID": ORG } });
    json!({
        "id": id, "token": "", "status": "active", "description": "", "orgID": ORG, "org": "acme",
        "userID": ALICE, "user": "alice", "permissions": vec![permission; permissions], "createdBy": "host: test",
        "createdAt": "2100-01-01T00:00:00Z", "updatedAt": "2100-01-01T00:00:00Z", "kind": "custom",
        "expiresAt": null, "lastUsedAt": null, "refused": null, "revision": 1,
    })
}

#[test]
fn a_token_that_is_deleted_while_it_is_listed_is_left_out() {
    let (gone, there) = ("3333333333333333", "4444444444444444");
    let page = json!({ "links": {}, "authorizations": [authorization(gone, 30), authorization(there, 1)] }).to_string();
    let server = |status: u16, body: &'static str| {
        let page = page.clone();
        let answer = move |request: &str| {
            Some(if request.contains("/permissions") { (status, body.to_owned()) } else { (200, page.clone()) })
        };
        Place::server(&Stub::new(answer).url, Some("secret"))
    };
    let deleted = server(404, r#"{"code":"not found","message":"authorization not found"}"#);
    for command in ["list", "export"] {
        let listed = deleted.ok(&[command]).out;
        assert!(listed.contains(there) && !listed.contains(gone), "{listed}");
    }
    // Whatever else fails is no list.
    assert_eq!(server(404, "").run(&["list"]).exit, 7);
    assert_eq!(server(503, "").run(&["list"]).exit, 6);
}

const SETUP: [&str; 7] = ["setup", "--username", "alice", "--org", "acme", "--bucket", "metrics"];

/// Setup cannot be done again.
#[test]
fn the_first_secret_is_shown_whatever_fails_after_setup() {
    for body in ["", r#"{"id":"something else"}"#] {
        let status = if body.is_empty() { 502 } else { 200 };
        let secret = r#"{"auth":{"token":"the-secret"}}"#;
        let answer = move |request: &str| {
            Some(if request.starts_with("POST /api/v2/setup ") { (201, secret.into()) } else { (status, body.into()) })
        };
        let place = Place::server(&Stub::new(answer).url, None);
        let warning = "warning: setup is done, but the first operator token cannot be shown: `http://127.0.0.1:";
        for more in [&[][..], &["--secret-only"]] {
            let ran = place.ok(&[&SETUP, more].concat());
            assert_eq!(ran.out, "the-secret\n");
            assert!(ran.err.starts_with(warning), "{}", ran.err);
        }
        assert_eq!(place.json(&SETUP), json!({ "token": null, "secret": "the-secret" }));
    }
    let lost = Place::server(&Stub::new(|_| None).url, None).run(&SETUP);
    assert_eq!(lost.exit, 6);
    assert!(lost.err.starts_with("error: setup may be done, and the first operator token's secret lost"), "{lost:?}");
}
