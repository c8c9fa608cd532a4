//! What the directory is asked, what its failures do, and what nobody learns through it.

use portcullis::NewToken;
use serde_json::{Value, json};

use crate::app::{Answer, App, TOKENS, at, bucket_permission, refused};
use crate::fixture::{bucket, org, set};

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

/// Permissions with names of what there is, and of what there is not.
fn guesses() -> Vec<Value> {
    let resources = [
        json!({ "type": "buckets", "org": "globex" }),
        json!({ "type": "buckets", "org": "nowhere" }),
        json!({ "type": "buckets", "orgID": org(2), "name": "theirs" }),
        json!({ "type": "buckets", "orgID": org(2), "name": "nope" }),
        json!({ "type": "buckets", "orgID": org(2), "id": bucket(9) }),
        json!({ "type": "buckets", "orgID": org(2), "id": bucket(7) }),
        json!({ "type": "users", "name": "bob" }),
        json!({ "type": "users", "name": "nobody" }),
    ];
    resources.into_iter().map(|resource| json!([{ "action": "read", "resource": resource }])).collect()
}

#[test]
fn rule_12_no_names_are_looked_up_for_tokens_that_may_not_manage_those_without_an_organization() {
    let app = App::new();
    let narrow = app.issue(NewToken::custom(None, set(&["read:orgs/O/buckets"])));
    let manager = app.issue(NewToken::custom(None, set(&["read:authorizations", "write:authorizations"])));
    // It is not even asked.
    app.names.fail_after(0);
    for caller in [&narrow, &manager] {
        for permissions in guesses() {
            let changed =
                app.by(caller).put(&format!("{TOKENS}/me/permissions"), json!({ "permissions": permissions }));
            let created = app.by(caller).create(permissions, json!({ "orgID": "0000000000000000" }));
            for answer in [changed, created] {
                let operators = "managing a token without an organization needs an operator token";
                refused(&answer, 403, "forbidden", operators);
            }
        }
    }
    app.names.heal();
    let path = format!("{}/permissions", at(narrow.token.id()));
    let named = json!([{ "action": "read", "resource": { "type": "buckets", "org": "globex", "name": "theirs" } }]);
    let changed = app.operator().put(&path, json!({ "permissions": named })).ok();
    assert_eq!(changed["permissions"][0]["resource"]["id"], json!(bucket(9)));
}
