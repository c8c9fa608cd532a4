//! What the directory is asked, what its failures do, and what nobody learns through it.

use portcullis::NewToken;
use serde_json::json;

use crate::app::{Answer, App, at, bucket_permission};
use crate::fixture::{bucket, org};

/// What the host's log has of an answer.
fn fault(answer: &Answer) -> Option<String> {
    answer.fault.as_ref().map(ToString::to_string)
}

const FAILED: &str = "the directory failed";

#[test]
fn a_directory_that_fails_refuses_a_creation_or_comes_too_late_and_the_secret_is_shown() {
    // It is asked for the bucket, for organization and owner, and for the names in the answer.
    for (answers, status) in [(0, 500), (1, 500), (2, 201), (3, 201)] {
        let app = App::new();
        app.names.fail_after(answers);
        let answer = app.operator().create(json!([bucket_permission("read", 1)]), json!({}));
        assert_eq!(answer.status, status, "{answers}: {answer:?}");
        assert_eq!(fault(&answer), (answers < 3).then(|| FAILED.to_owned()), "{answers}");
        assert!(!answer.text.contains("database"), "{answer:?}");
        let made = crate::fixture::all(&app.authority).len() - 1;
        if status == 500 {
            assert_eq!(made, 0);
        } else {
            let token = answer.json();
            let caller = app.authority.authenticate(token["token"].as_str().unwrap()).unwrap();
            assert_eq!(json!(caller.token().unwrap().id()), token["id"]);
            assert_eq!(token["user"], if answers < 3 { "" } else { "alice" });
        }
    }
}

#[test]
fn a_rotation_shows_its_secret_though_the_directory_fails() {
    let app = App::new();
    let sensor = app.issue(NewToken::read_write(org(1)).write(bucket(1)));
    app.names.fail_after(0);
    let answer = app.operator().post(&format!("{}/rotate", at(sensor.token.id())), json!({}));
    let token = answer.ok();
    assert!(app.authority.authenticate(sensor.secret.expose()).is_err());
    assert!(app.authority.authenticate(token["token"].as_str().unwrap()).is_ok());
    assert_eq!((&token["org"], &token["permissions"]), (&json!(""), &json!([bucket_permission("write", 1)])));
    assert_eq!(fault(&answer).as_deref(), Some(FAILED));
}

#[test]
fn a_change_that_is_made_is_answered_though_the_directory_fails() {
    let app = App::new();
    let sensor = app.issue(NewToken::read_write(org(1)).write(bucket(1)));
    let path = at(sensor.token.id());
    app.names.fail_after(0);
    let patched = app.operator().patch(&path, json!({ "description": "new" }));
    assert_eq!((&patched.ok()["description"], fault(&patched).as_deref()), (&json!("new"), Some(FAILED)));

    let revision = patched.ok()["revision"].clone();
    let put =
        || app.operator().put(&format!("{path}/permissions"), json!({ "permissions": [bucket_permission("read", 2)] }));
    assert_eq!((put().status, fault(&put()).as_deref()), (500, Some(FAILED)));
    app.names.heal();
    assert_eq!(app.operator().get(&path).ok()["revision"], revision);
    // Whether there is such a bucket, and no more.
    app.names.fail_after(1);
    let changed = put();
    assert_eq!(changed.ok()["permissions"], json!([bucket_permission("read", 2)]));
    assert_eq!(fault(&changed).as_deref(), Some(FAILED));
}
