//! Update, permissions, rotate, revoke, delete.

use portcullis::{Issued, NewToken, Standing};
use serde_json::{Value, json};

use crate::app::{App, STALE_AFTER, TOKENS, at, bucket_permission, everything, operators, refused};
use test_support::fixture::{HOUR, START, bucket, custom, host, ok, org};

/// An organization's admin, and a token that it made.
fn world() -> (App, Issued, Issued) {
    let app = App::new();
    let admin = app.all_access(org(1));
    let sensor = {
        let principal = app.authority.authenticate(admin.secret.expose()).unwrap();
        app.authority.create(&principal, NewToken::read_write(org(1)).write(bucket(1))).wait().unwrap()
    };
    (app, admin, sensor)
}

#[test]
fn a_patch_changes_what_it_says_and_nothing_else() {
    let (app, admin, sensor) = world();
    let path = at(sensor.token.id());
    let patch = |body: Value| app.by(&admin).patch(&path, body).ok();
    let before = app.by(&admin).get(&path).ok();
    for nothing in [json!({}), json!(null), json!({ "status": null, "description": null })] {
        assert_eq!(patch(nothing), before);
    }
    assert_eq!(patch(json!({ "status": "inactive", "description": "off" }))["refused"], "inactive");
    assert!(app.authority.authenticate(sensor.secret.expose()).is_err());
    let on = patch(json!({ "status": "" }));
    assert_eq!((&on["status"], &on["description"]), (&json!("active"), &json!("off")));
    let end = START.saturating_add(HOUR);
    assert_eq!(patch(json!({ "expiresAt": end }))["expiresAt"], json!(end));
    assert_eq!(patch(json!({ "description": "" }))["expiresAt"], json!(end));
    assert_eq!(patch(json!({ "expiresAt": null }))["expiresAt"], json!(null));
}

#[test]
fn clients_that_send_the_whole_token_back_change_only_what_they_changed() {
    let (app, admin, _) = world();
    let path = at(admin.token.id());
    let mut whole = app.operator().get(&path).ok();
    let before = whole.clone();
    whole["description"] = json!("renamed");
    whole["permissions"] = json!([]);
    let after = app.operator().patch(&path, whole).ok();
    assert_eq!(after["description"], "renamed");
    assert_eq!((&after["kind"], &after["permissions"]), (&json!("allAccess"), &before["permissions"]));
}

#[test]
fn bad_patches() {
    let (app, admin, sensor) = world();
    let path = at(sensor.token.id());
    for body in
        ["", "{", "[]", "7", "{\"status\":\"revoked\"}", "{\"expiresAt\":\"x\"}", "{\"description\":\"\\u0000\"}"]
    {
        let answer = app.by(&admin).send("PATCH", &path, body);
        assert_eq!((answer.status, answer.error().1.as_str()), (400, "invalid"), "{body}");
    }
    let status = app.by(&admin).patch(&path, json!({ "status": "paused" })).error().2;
    assert!(status.contains("unknown authorization status"), "{status}");
    refused(
        &app.by(&admin).patch(&at(bucket(1).as_uuid().try_into().unwrap()), json!({})),
        404,
        "not found",
        "authorization not found",
    );
}

#[test]
fn rule_13_conditional_on_what_was_read() {
    let (app, admin, sensor) = world();
    let path = at(sensor.token.id());
    let read = app.by(&admin).get(&path);
    let etag = read.header("etag").unwrap().to_owned();
    let first = app.by(&admin).header("if-match", &etag).patch(&path, json!({ "description": "first" }));
    assert_eq!(first.status, 200);
    assert_ne!(first.header("etag"), Some(etag.as_str()));
    let second = app.by(&admin).header("if-match", &etag).patch(&path, json!({ "description": "second" }));
    assert_eq!((second.status, second.error().1.as_str()), (412, "precondition failed"));
    let permissions = json!({ "permissions": [bucket_permission("read", 1)] });
    let third = app.by(&admin).header("if-match", &etag).put(&format!("{path}/permissions"), permissions);
    assert_eq!(third.status, 412);
    assert_eq!(app.by(&admin).get(&path).ok()["description"], "first");
    assert_eq!(app.by(&admin).header("if-match", "*").patch(&path, json!({})).status, 200);
    for bad in ["7", "W/\"7\"", "\"\"", "\"x\"", "\"1\", \"2\"", "\"99999999999999999999\""] {
        assert_eq!(app.by(&admin).header("if-match", bad).patch(&path, json!({})).status, 400, "{bad}");
    }
    // A condition that nobody looks at would be taken for one that held.
    for (method, path) in
        [("DELETE", path.clone()), ("POST", format!("{path}/rotate")), ("POST", format!("{path}/revoke"))]
    {
        assert_eq!(app.by(&admin).header("if-match", &etag).send(method, &path, "").status, 400, "{method} {path}");
    }
    assert!(app.authority.authenticate(sensor.secret.expose()).is_ok());
}

#[test]
fn permissions_change_within_the_organization_and_within_the_callers_own() {
    let (app, admin, sensor) = world();
    let path = format!("{}/permissions", at(sensor.token.id()));
    let put = |permissions: Value| app.by(&admin).put(&path, json!({ "permissions": permissions }));
    let named = put(json!([{ "action": "read", "resource": { "type": "buckets", "name": "logs" } }])).ok();
    assert_eq!(named["permissions"][0]["resource"]["id"], json!(bucket(2)));
    assert_eq!(put(everything(org(1))).ok()["kind"], "allAccess");
    for (permissions, status) in [
        (everything(org(2)), 400),
        (json!([]), 400),
        (json!([{ "action": "read", "resource": { "type": "buckets", "name": "theirs" } }]), 400),
        (operators(), 400),
    ] {
        assert_eq!(put(permissions.clone()).status, status, "{permissions}");
    }
    // Not even an Operator takes a token out of its organization.
    assert_eq!(app.operator().put(&path, json!({ "permissions": operators() })).status, 400);
    // What names no organization is read as in the token's.
    let narrowed = put(json!([{ "action": "read", "resource": { "type": "tasks" } }])).ok();
    let tasks = json!([{ "action": "read", "resource": { "type": "tasks", "orgID": org(1), "org": "acme" } }]);
    assert_eq!((&narrowed["kind"], &narrowed["permissions"]), (&json!("custom"), &tasks));
    // Nothing that was meant is left undone unsaid.
    let more = json!({ "permissions": everything(org(1)), "status": "inactive" });
    for route in ["check", "permissions"] {
        let path = format!("{}/{route}", at(sensor.token.id()));
        let caller = app.by(&admin);
        let answer = if route == "check" { caller.post(&path, more.clone()) } else { caller.put(&path, more.clone()) };
        let message = answer.json()["message"].to_string();
        assert!(answer.status == 400 && message.contains("unknown field `status`"), "{message}");
    }
    let reader = app.issue(custom(org(1), &["read:orgs/O/authorizations", "read:orgs/O/buckets"]));
    let answer = app
        .by(&reader)
        .put(&path, json!({ "permissions": [{ "action": "read", "resource": { "type": "buckets", "name": "?" } }] }));
    let missing = format!("write:orgs/{}/authorizations/{} is unauthorized", org(1), sensor.token.id());
    refused(&answer, 401, "unauthorized", &missing);
}

#[test]
fn rule_15_rotation_shows_the_new_secret_once() {
    let (app, admin, sensor) = world();
    let path = format!("{}/rotate", at(sensor.token.id()));
    let rotated = app.by(&admin).post(&path, json!({ "overlapSeconds": 3600 })).ok();
    assert_eq!(rotated["id"], json!(sensor.token.id()));
    let second = rotated["token"].as_str().unwrap().to_owned();
    assert!(app.authority.authenticate(&second).is_ok());
    assert!(app.authority.authenticate(sensor.secret.expose()).is_ok());
    app.clock.advance(HOUR);
    assert!(app.authority.authenticate(sensor.secret.expose()).is_err());
    // Without a body, at once.
    let third = app.by(&admin).send("POST", &path, "").ok();
    assert!(app.authority.authenticate(&second).is_err());
    let chosen = app.by(&admin).post(&path, json!({ "secret": "chosen-chosen-chosen-chosen-chosen" })).ok();
    assert_eq!(chosen["token"], "chosen-chosen-chosen-chosen-chosen");
    assert!(app.authority.authenticate(third["token"].as_str().unwrap()).is_err());
    for body in [json!({ "secret": "short" }), json!({ "overlap": 1 }), json!({ "overlapSeconds": -1 }), json!([])] {
        assert_eq!(app.by(&admin).post(&path, body.clone()).status, 400, "{body}");
    }
    let itself = app.by(&admin).post(&format!("{TOKENS}/me/rotate"), json!({}));
    let thief = "a token can rotate neither itself nor one that it was created under: a thief would lock the owner out";
    refused(&itself, 403, "forbidden", thief);
}

#[test]
fn rule_17_revoked_is_final_and_still_listed() {
    let (app, admin, sensor) = world();
    let path = at(sensor.token.id());
    let revoke = |body: &str| app.by(&admin).send("POST", &format!("{path}/revoke"), body.to_owned());
    let first = revoke("");
    assert_eq!(first.ok(), json!({ "revoked": 1 }));
    let revision = app.authority.position().revision.to_string();
    assert_eq!(first.header("portcullis-revision"), Some(revision.as_str()));
    // And a thousandth.
    let everywhere = START.saturating_add(STALE_AFTER + STALE_AFTER / 1000).to_string();
    assert_eq!(first.header("portcullis-everywhere"), Some(everywhere.as_str()));
    assert_eq!(revoke("{}").ok()["revoked"], 0);
    refused(&app.by(&sensor).get(TOKENS), 401, "unauthorized", "unauthorized access");
    let shown = app.by(&admin).get(&path).ok();
    assert_eq!((&shown["status"], &shown["refused"]), (&json!("inactive"), &json!("revoked")));
    let back = app.by(&admin).patch(&path, json!({ "status": "active" }));
    let final_ = format!("token `{}` is revoked, which is final; create a new one", sensor.token.id());
    refused(&back, 422, "conflict", &final_);
    assert_eq!(
        app.operator().get(&format!("{TOKENS}?status=revoked")).ok()["authorizations"].as_array().unwrap().len(),
        1
    );
    for body in ["[]", "{\"cascade\":1}", "{\"all\":true}"] {
        assert_eq!(revoke(body).status, 400, "{body}");
    }
}

#[test]
fn a_token_revokes_itself_and_everything_under_it_goes_with_a_cascade() {
    let (app, admin, sensor) = world();
    let other = app.issue(NewToken::read_write(org(1)).read(bucket(1)));
    assert_eq!(app.by(&other).post(&format!("{TOKENS}/me/revoke"), json!({})).ok()["revoked"], 1);
    let path = format!("{}/revoke", at(admin.token.id()));
    assert_eq!(app.operator().post(&path, json!({ "cascade": true })).ok()["revoked"], 2);
    assert!(app.authority.authenticate(sensor.secret.expose()).is_err());
}

#[test]
fn deleted_is_gone() {
    let (app, admin, sensor) = world();
    let path = at(sensor.token.id());
    assert_eq!(app.by(&admin).delete(&path).status, 204);
    for answer in [app.by(&admin).delete(&path), app.by(&admin).get(&path), app.by(&admin).patch(&path, json!({}))] {
        refused(&answer, 404, "not found", "authorization not found");
    }
    assert_eq!(app.by(&admin).delete(&format!("{TOKENS}/me")).status, 204);
    assert_eq!(app.by(&admin).get(TOKENS).status, 401);
}

#[test]
fn rule_11_others_change_nothing_and_learn_nothing() {
    let (app, admin, sensor) = world();
    let (other, peer) = (app.all_access(org(2)), app.issue(NewToken::read_write(org(1)).write(bucket(2))));
    let before = test_support::fixture::all(&app.authority);
    let path = at(sensor.token.id());
    for who in [&other, &peer] {
        for answer in [
            app.by(who).patch(&path, json!({ "status": "inactive" })),
            app.by(who).put(&format!("{path}/permissions"), json!({ "permissions": everything(org(1)) })),
            app.by(who).post(&format!("{path}/rotate"), json!({})),
            app.by(who).post(&format!("{path}/revoke"), json!({})),
            app.by(who).get(&format!("{path}/permissions")),
            app.by(who).post(&format!("{path}/check"), json!({ "permissions": [bucket_permission("read", 1)] })),
            app.by(who).delete(&path),
        ] {
            refused(&answer, 404, "not found", "authorization not found");
        }
    }
    // The sensor sees itself, and may not make itself more than it is.
    let missing = format!("write:orgs/{}/authorizations/{} is unauthorized", org(1), sensor.token.id());
    for answer in [
        app.by(&sensor).patch(&path, json!({ "expiresAt": null, "status": "active" })),
        app.by(&sensor).put(&format!("{path}/permissions"), json!({ "permissions": everything(org(1)) })),
        app.by(&sensor).post(&format!("{path}/rotate"), json!({})),
        app.by(&sensor).delete(&path),
    ] {
        refused(&answer, 401, "unauthorized", &missing);
        assert!(answer.header("www-authenticate").unwrap().contains("insufficient_scope"));
    }
    let root = at(app.root.token.id());
    refused(&app.by(&admin).delete(&root), 404, "not found", "authorization not found");
    let after = test_support::fixture::all(&app.authority);
    assert_eq!(
        after.iter().map(|token| (token.id(), token.revision())).collect::<Vec<_>>(),
        before.iter().map(|token| (token.id(), token.revision())).collect::<Vec<_>>()
    );
}

#[test]
fn tokens_of_the_suspended_and_deleted_stay_visible_and_deletable_for_operators() {
    let (app, admin, _) = world();
    ok(app.authority.set_organization_standing(host(), org(1), Standing::Deleted));
    let path = at(admin.token.id());
    assert_eq!(app.operator().get(&path).ok()["refused"], "organizationDeleted");
    assert_eq!(app.operator().delete(&path).status, 204);
}
