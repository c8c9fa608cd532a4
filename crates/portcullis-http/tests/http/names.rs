//! What the directory is asked, what its failures do, and what nobody learns through it.

use portcullis::{Issued, NewToken, TokenKind};
use serde_json::{Value, json};

use crate::app::{Answer, App, TOKENS, at, bucket_permission, refused};
use test_support::fixture::{bucket, org, set, user};

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
        let made = test_support::fixture::all(&app.authority).len() - 1;
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
    let narrow = app.issue(NewToken::of_kind(TokenKind::custom(None, set(&["read:orgs/O/buckets"])).unwrap()));
    let manager = app.issue(NewToken::of_kind(
        TokenKind::custom(None, set(&["read:authorizations", "write:authorizations"])).unwrap(),
    ));
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

/// Who asks for lists, and whether it may know of other organizations, and of other users.
fn callers(app: &App) -> Vec<(&'static str, Issued, bool, bool)> {
    let global =
        |permissions: &[&str]| app.issue(NewToken::of_kind(TokenKind::custom(None, set(permissions)).unwrap()));
    vec![
        ("operator", app.issue(NewToken::operator()), true, true),
        ("all access", app.all_access(org(1)), false, false),
        ("sensor", app.issue(NewToken::read_write(org(1)).write(bucket(1))), false, false),
        ("without an organization", global(&["read:orgs/O/buckets", "read:authorizations"]), false, false),
        ("who reads organizations", global(&["read:orgs"]), true, false),
        ("who reads users", global(&["read:users"]), false, true),
    ]
}

#[test]
fn rule_12_the_names_of_users_are_told_only_to_those_who_may_read_them() {
    let app = App::new();
    for (who, token, _, knows) in callers(&app) {
        let list = |user: &str| app.by(&token).get(&format!("{TOKENS}?user={user}"));
        let (some, none) = (list("bob"), list("nobody"));
        assert_eq!(some.ok()["authorizations"], json!([]), "{who}");
        if knows {
            refused(&none, 404, "not found", "user not found");
        } else {
            assert_eq!((none.status, none.text), (some.status, some.text), "{who}");
        }
    }
    // In its own organization, a name is a filter like any other.
    let admin = app.all_access(org(2));
    let list = app.by(&admin).get(&format!("{TOKENS}?user=alice")).ok();
    assert_eq!(list["authorizations"][0]["id"], json!(admin.token.id()));
}

#[test]
fn rule_12_the_names_of_organizations_are_told_only_to_their_own_tokens_and_those_who_may_read_them() {
    let app = App::new();
    for (who, token, knows, _) in callers(&app) {
        let list = |organization: &str| app.by(&token).get(&format!("{TOKENS}?org={organization}"));
        for (name, knows) in [("globex", knows), ("nowhere", false)] {
            let answer = list(name);
            if knows {
                assert_eq!(answer.status, 200, "{who}");
            } else {
                refused(&answer, 404, "not found", &format!("organization name \"{name}\" not found"));
            }
        }
        let own = token.token.organization().is_some();
        assert_eq!(list("acme").status, if own || knows { 200 } else { 404 }, "{who}");
    }
}

#[test]
fn rule_07_a_token_of_an_organization_is_told_no_names_of_others_and_of_users() {
    let app = App::new();
    let admin = app.all_access(org(1));
    for name in ["bob", "nobody"] {
        let permission = json!([{ "action": "read", "resource": { "type": "users", "name": name } }]);
        let message = format!("\"{name}\" not found among orgs/{}/users", org(1));
        refused(&app.by(&admin).create(permission, json!({})), 400, "invalid", &message);
    }
    let ids = [
        json!({ "type": "users", "orgID": org(1), "id": user(2) }),
        json!({ "type": "orgs", "orgID": org(1), "id": org(2) }),
    ];
    for resource in ids {
        let shown = app.by(&admin).create(json!([{ "action": "read", "resource": resource }]), json!({}));
        assert_eq!(shown.ok()["permissions"][0]["resource"]["name"], json!(null), "{shown:?}");
    }
    let own = json!([{ "action": "read", "resource": { "type": "orgs", "orgID": org(1), "id": org(1) } }]);
    assert_eq!(app.by(&admin).create(own, json!({})).ok()["permissions"][0]["resource"]["name"], "acme");
}
