//! What a token may do, and why not.

use portcullis::NewToken;
use serde_json::{Value, json};

use crate::app::{App, TOKENS, at, bucket_permission, refused};
use test_support::fixture::{HOUR, START, bucket, org};

fn ask(permission: &Value) -> Value {
    json!({ "permissions": [permission] })
}

#[test]
fn decisions_explained_without_doing_anything() {
    let app = App::new();
    let sensor = app.issue(NewToken::read_write(org(1)).write(bucket(1)).expires_at(START.saturating_add(HOUR)));
    let (yes, no) = (bucket_permission("write", 1), bucket_permission("read", 1));
    let own = format!("{TOKENS}/me/check");
    let answer = app.by(&sensor).post(&own, json!({ "permissions": [yes, no] })).ok();
    let missing = format!("read:orgs/{}/buckets/{}", org(1), bucket(1));
    assert_eq!(
        answer,
        json!({
            "allowed": false,
            "decisions": [
                { "permission": yes, "allowed": true },
                {
                    "permission": no, "allowed": false, "reason": "notPermitted",
                    "message": format!("missing permission `{missing}`"), "missing": no,
                },
            ],
        })
    );
    assert_eq!(app.by(&sensor).post(&own, ask(&yes)).ok()["allowed"], true);
    // Of others, for those who may see them; and as it would be now.
    let path = format!("{}/check", at(sensor.token.id()));
    assert_eq!(app.operator().post(&path, ask(&yes)).ok()["allowed"], true);
    app.clock.advance(HOUR);
    let late = app.operator().post(&path, ask(&yes)).ok();
    assert_eq!(
        late["decisions"][0],
        json!({ "permission": yes, "allowed": false, "reason": "expired", "message": "the token has expired" })
    );
}

#[test]
fn a_verb_is_allowed_by_itself_and_by_any_action_only() {
    let app = App::new();
    let runner = json!([bucket_permission("execute", 1), bucket_permission("read", 2), bucket_permission("write", 2)]);
    let secret = app.operator().create(runner, json!({})).ok()["token"].as_str().unwrap().to_owned();
    let own = format!("{TOKENS}/me/check");
    let (yes, no) = (bucket_permission("execute", 1), bucket_permission("execute", 2));
    let answer = app.by_secret(&secret).post(&own, json!({ "permissions": [yes, no] })).ok();
    let missing = format!("execute:orgs/{}/buckets/{}", org(1), bucket(2));
    assert_eq!(
        answer,
        json!({
            "allowed": false,
            "decisions": [
                { "permission": yes, "allowed": true },
                {
                    "permission": no, "allowed": false, "reason": "notPermitted",
                    "message": format!("missing permission `{missing}`"), "missing": no,
                },
            ],
        })
    );
    let read = bucket_permission("read", 1);
    assert_eq!(app.by_secret(&secret).post(&own, ask(&read)).ok()["decisions"][0]["missing"], read);
    let admin = app.all_access(org(1));
    assert_eq!(app.by(&admin).post(&own, ask(&no)).ok()["allowed"], true);
}

#[test]
fn whole_types_the_instance_and_other_organizations() {
    let app = App::new();
    let admin = app.all_access(org(1));
    let decide = |resource: Value| {
        let question = ask(&json!({ "action": "write", "resource": resource }));
        app.by(&admin).post(&format!("{TOKENS}/me/check"), question).ok()["allowed"].as_bool().unwrap()
    };
    assert!(decide(json!({ "type": "buckets", "orgID": org(1) })));
    assert!(decide(json!({ "type": "invoices", "orgID": org(1), "id": bucket(1) })));
    assert!(!decide(json!({ "type": "buckets", "orgID": org(2) })));
    assert!(!decide(json!({ "type": "buckets" })));
    assert!(!decide(json!({ "type": "instance" })));
}

#[test]
fn questions_are_about_ids_so_that_nobody_learns_which_names_there_are() {
    let app = App::new();
    let sensor = app.issue(NewToken::read_write(org(1)).write(bucket(1)));
    let path = format!("{TOKENS}/me/check");
    let by_id = "a request names its resource and its organization by their ids";
    for resource in [json!({ "type": "buckets", "name": "metrics" }), json!({ "type": "buckets", "org": "acme" })] {
        refused(
            &app.by(&sensor).post(&path, ask(&json!({ "action": "read", "resource": resource }))),
            400,
            "invalid",
            by_id,
        );
    }
    let any = app.by(&sensor).post(&path, ask(&json!({ "action": "read", "resource": { "type": "*" } })));
    refused(&any, 400, "invalid", "a request names the type of its resource");
    let anything = app.by(&sensor).post(&path, ask(&bucket_permission("*", 1)));
    refused(&anything, 400, "invalid", "a request asks for one action, not for any");
    for body in [json!({}), json!({ "permissions": [] }), json!(null), json!({ "permissions": [{ "action": "read" }] })]
    {
        assert_eq!(app.by(&sensor).post(&path, body.clone()).status, 400, "{body}");
    }
}

#[test]
fn permissions_in_few_words_and_one_by_one() {
    let app = App::new();
    let admin = app.all_access(org(1));
    let grants = app.by(&admin).get(&format!("{TOKENS}/me/permissions")).ok();
    assert_eq!((&grants["kind"], &grants["orgID"]), (&json!("allAccess"), &json!(org(1))));
    assert_eq!(
        grants["permissions"],
        json!([{ "action": "*", "resource": { "type": "*", "orgID": org(1), "org": "acme" } }])
    );
    assert_eq!(grants["expanded"].as_array().unwrap().len(), 44);
}
