//! `POST /api/v2/authorizations`.

use portcullis::testing::{Call, Fault};
use portcullis::{NewToken, Standing};
use serde_json::{Value, json};

use crate::app::{App, TOKENS, at, bucket_permission, everything, operators, refused};
use test_support::fixture::{HOUR, START, bucket, custom, host, ok, org, user};

/// All tokens in the authority, by number.
fn count(app: &App) -> usize {
    test_support::fixture::all(&app.authority).len()
}

#[test]
fn a_token_in_influxdbs_form_and_its_secret_once() {
    let app = App::new();
    let answer = app.operator().create(json!([bucket_permission("read", 1)]), json!({ "description": "a sensor" }));
    let token = answer.ok();
    let id = token["id"].as_str().unwrap().to_owned();
    let secret = token["token"].as_str().unwrap().to_owned();
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("etag"), Some(format!("\"{}\"", token["revision"]).as_str()));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(
        token,
        json!({
            "id": id, "token": secret, "status": "active", "description": "a sensor",
            "orgID": org(1), "org": "acme", "userID": user(1), "user": "alice",
            "permissions": [{
                "action": "read",
                "resource": { "type": "buckets", "id": bucket(1), "name": "metrics", "orgID": org(1), "org": "acme" },
            }],
            "links": { "self": format!("{TOKENS}/{id}"), "user": format!("/api/v2/users/{}", user(1)) },
            "createdAt": START, "updatedAt": START,
            "kind": "readWrite", "expiresAt": null, "lastUsedAt": null,
            "createdBy": format!("token: {}", app.root.token.id()), "refused": null, "revision": token["revision"],
        })
    );
    let again = app.operator().get(&format!("{TOKENS}/{id}")).ok();
    assert_eq!(again["token"], "");
    assert!(app.authority.authenticate(&secret).is_ok());
    assert!(!app.operator().get(TOKENS).text.contains(&secret));
}

/// A token's permissions, in one order.
fn sorted(token: &Value) -> Vec<String> {
    let mut permissions: Vec<_> = token["permissions"].as_array().unwrap().iter().map(Value::to_string).collect();
    permissions.sort_unstable();
    permissions
}

#[test]
fn stars_make_whole_kinds_and_expanded_lists_custom_ones() {
    let app = App::new();
    let kind = |permissions: &Value, fields: Value| app.operator().create(permissions.clone(), fields).ok();

    let all_access = kind(&everything(org(1)), json!({}));
    assert_eq!((&all_access["kind"], &all_access["org"]), (&json!("allAccess"), &json!("acme")));
    // InfluxDB's types but `instance`, each to read and to write.
    assert_eq!(all_access["permissions"].as_array().unwrap().len(), 44);
    let copy = kind(&all_access["permissions"], json!({}));
    assert_eq!((&copy["kind"], sorted(&copy)), (&json!("custom"), sorted(&all_access)));

    for organization in [json!(org(1)), json!("0000000000000000"), json!(null)] {
        let operator = kind(&operators(), json!({ "orgID": organization }));
        assert_eq!((&operator["kind"], &operator["orgID"]), (&json!("operator"), &json!("0000000000000000")));
        assert_eq!(operator["permissions"].as_array().unwrap().len(), 46);
        let copy = kind(&operator["permissions"], json!({ "orgID": operator["orgID"] }));
        assert_eq!((&copy["kind"], &copy["orgID"]), (&json!("custom"), &operator["orgID"]));
        assert_eq!(sorted(&copy), sorted(&operator));
    }
    // Reading and writing are not any action.
    let on = |resource: Value| json!([{ "action": "read", "resource": resource }, { "action": "write", "resource": resource }]);
    let both = kind(&on(json!({ "type": "*", "orgID": org(1) })), json!({}));
    assert_eq!((&both["kind"], sorted(&both)), (&json!("custom"), sorted(&all_access)));
    let both = kind(&on(json!({ "type": "*" })), json!({ "orgID": null }));
    assert_eq!((&both["kind"], &both["orgID"]), (&json!("custom"), &json!("0000000000000000")));
    let half = json!([{ "action": "read", "resource": { "type": "*", "orgID": org(1) } }]);
    assert_eq!(kind(&half, json!({}))["kind"], "custom");
    let both = json!([bucket_permission("read", 1), bucket_permission("write", 2), bucket_permission("write", 2)]);
    assert_eq!(kind(&both, json!({}))["kind"], "readWrite");
    let mixed =
        json!([bucket_permission("read", 1), { "action": "read", "resource": { "type": "tasks", "orgID": org(1) } }]);
    assert_eq!(kind(&mixed, json!({}))["kind"], "custom");
}

#[test]
fn a_verb_of_the_host_is_given_and_shown_as_it_is() {
    let app = App::new();
    let execute = json!({ "action": "execute", "resource": { "type": "tasks", "orgID": org(1) } });
    let shown = json!({ "action": "execute", "resource": { "type": "tasks", "orgID": org(1), "org": "acme" } });
    let token = app.operator().create(json!([execute]), json!({})).ok();
    assert_eq!((&token["kind"], &token["permissions"]), (&json!("custom"), &json!([shown])));
    let path = format!("{TOKENS}/{}", token["id"].as_str().unwrap());
    assert_eq!(app.operator().get(&path).ok()["permissions"], json!([shown]));
    let grants = app.operator().get(&format!("{path}/permissions")).ok();
    assert_eq!((&grants["permissions"], &grants["expanded"]), (&json!([shown]), &json!([shown])));
    // Any action on one type is shown as InfluxDB's two, and in short as what it is.
    let any = app.operator().create(json!([{ "action": "*", "resource": { "type": "tasks" } }]), json!({})).ok();
    let tasks = |action| json!({ "action": action, "resource": { "type": "tasks", "orgID": org(1), "org": "acme" } });
    assert_eq!((&any["kind"], &any["permissions"]), (&json!("custom"), &json!([tasks("read"), tasks("write")])));
    let grants = app.operator().get(&format!("{TOKENS}/{}/permissions", any["id"].as_str().unwrap())).ok();
    assert_eq!(grants["permissions"], json!([tasks("*")]));
    // Whoever reads and writes has no verb to give.
    let manager =
        app.issue(custom(org(1), &["write:orgs/O/authorizations", "read:orgs/O/tasks", "write:orgs/O/tasks"]));
    let wanted = format!("execute:orgs/{}/tasks", org(1));
    let message = format!("permission {wanted} is not allowed: {wanted} is unauthorized");
    refused(&app.by(&manager).create(json!([execute]), json!({})), 403, "forbidden", &message);
}

#[test]
fn what_names_no_organization_is_in_the_tokens_and_shown_so() {
    let app = App::new();
    let read = |resource: Value| app.operator().create(json!([{ "action": "read", "resource": resource }]), json!({}));
    for (posted, shown) in [
        (json!({ "type": "buckets" }), json!({ "type": "buckets", "orgID": org(1), "org": "acme" })),
        (
            json!({ "type": "buckets", "id": bucket(1) }),
            json!({ "type": "buckets", "id": bucket(1), "name": "metrics", "orgID": org(1), "org": "acme" }),
        ),
    ] {
        let token = read(posted).ok();
        assert_eq!((&token["orgID"], &token["org"]), (&json!(org(1)), &json!("acme")));
        assert_eq!(token["permissions"], json!([{ "action": "read", "resource": shown }]));
    }
    // Another organization's bucket is not in it.
    let before = count(&app);
    let message = format!("bucket not found: orgs/{}/buckets/{}", org(1), bucket(9));
    refused(&read(json!({ "type": "buckets", "id": bucket(9) })), 400, "invalid", &message);
    let instance = read(json!({ "type": "instance" }));
    assert_eq!((instance.status, count(&app)), (400, before), "{instance:?}");
}

#[test]
fn a_name_leads_to_an_id_or_nowhere_and_never_widens() {
    let app = App::new();
    let named = |resource: Value| app.operator().create(json!([{ "action": "read", "resource": resource }]), json!({}));
    for resource in [
        json!({ "type": "buckets", "name": "metrics" }),
        json!({ "type": "buckets", "name": "metrics", "orgID": org(1) }),
        json!({ "type": "buckets", "name": "metrics", "org": "acme" }),
        json!({ "type": "buckets", "name": "metrics", "id": null, "orgID": null, "org": null }),
        // Ids beat names.
        json!({ "type": "buckets", "name": "other", "id": bucket(1), "orgID": org(1), "org": "globex" }),
    ] {
        let token = named(resource.clone()).ok();
        assert_eq!(token["kind"], "readWrite", "{resource}");
        assert_eq!(token["permissions"][0]["resource"]["id"], json!(bucket(1)), "{resource}");
    }
    let before = count(&app);
    let among = format!("not found among orgs/{}/buckets", org(1));
    let outside = format!("permission read:orgs/{}/buckets/{} is not for org id {}", org(2), bucket(9), org(1));
    for (resource, message) in [
        (json!({ "type": "buckets", "name": "nope" }), format!("\"nope\" {among}")),
        (json!({ "type": "buckets", "name": "theirs" }), format!("\"theirs\" {among}")),
        (json!({ "type": "buckets", "name": "" }), "a name cannot be empty".into()),
        (json!({ "type": "buckets", "org": "" }), "a name cannot be empty".into()),
        (json!({ "type": "buckets", "org": "globex" }), "organization name \"globex\" not found".into()),
        (json!({ "type": "buckets", "org": "nowhere" }), "organization name \"nowhere\" not found".into()),
        (json!({ "type": "tasks", "name": "metrics" }), format!("\"metrics\" not found among orgs/{}/tasks", org(1))),
        (json!({ "type": "*", "name": "metrics" }), "\"metrics\" not found: name its type and organization".into()),
        (json!({ "type": "buckets", "id": bucket(9), "orgID": org(2) }), outside),
        // InfluxDB gives away the bucket of another organization here.
        (
            json!({ "type": "buckets", "id": bucket(9), "orgID": org(1) }),
            format!("bucket not found: orgs/{}/buckets/{}", org(1), bucket(9)),
        ),
        (json!({ "type": "instance", "orgID": org(1) }), "`instance` is not part of any organization".into()),
    ] {
        refused(&named(resource), 400, "invalid", &message);
    }
    assert_eq!(count(&app), before);
}

#[test]
fn bad_bodies_are_the_clients_fault_and_change_nothing() {
    let app = App::new();
    let before = count(&app);
    let one = json!([bucket_permission("read", 1)]);
    let with = |field: &str, value: Value| {
        let mut body = json!({ "orgID": org(1), "permissions": one });
        body[field] = value;
        body.to_string()
    };
    let permission = |permission: Value| with("permissions", json!([permission]));
    let bodies = [
        String::new(),
        "null".into(),
        "[]".into(),
        "{".into(),
        "{}".into(),
        "\u{0}".into(),
        "[".repeat(100_000),
        with("permissions", json!(null)),
        with("permissions", json!([])),
        with("permissions", json!({})),
        with("permissions", json!([null])),
        with("orgID", json!(null)),
        with("orgID", json!("")),
        with("orgID", json!(7)),
        with("orgID", json!("zz")),
        with("userID", json!("")),
        with("userID", json!("0000000000000000")),
        with("status", json!("paused")),
        with("status", json!(1)),
        with("description", json!("x".repeat(1025))),
        with("description", json!("two\nlines")),
        with("description", json!([])),
        with("expiresAt", json!("tomorrow")),
        with("expiresAt", json!(START)),
        with("expiresAt", json!("1969-12-31T23:59:59Z")),
        with("secret", json!("short")),
        with("secret", json!("pcs_0123456789012345678901234567890123456789")),
        with("secret", json!("$influxdb2-sha256$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
        with("secret", json!(12_345_678)),
        permission(json!({ "action": "read" })),
        permission(json!({ "resource": { "type": "buckets" } })),
        permission(json!({ "action": "Read", "resource": { "type": "buckets" } })),
        permission(json!({ "action": "", "resource": { "type": "buckets" } })),
        permission(json!({ "action": "read and write", "resource": { "type": "buckets" } })),
        permission(json!({ "action": "**", "resource": { "type": "buckets" } })),
        permission(json!({ "action": "a".repeat(25), "resource": { "type": "buckets" } })),
        permission(json!({ "action": null, "resource": { "type": "buckets" } })),
        permission(json!({ "action": "read", "resource": { "type": "two words" } })),
        permission(json!({ "action": "read", "resource": { "type": "" } })),
        permission(json!({ "action": "read", "resource": {} })),
        permission(json!({ "action": "read", "resource": { "type": "buckets", "id": "" } })),
        permission(json!({ "action": "read", "resource": { "type": "buckets", "id": "0000000000000000" } })),
        // One that was meant to narrow it.
        permission(json!({ "action": "read", "resource": { "type": "buckets", "bucketID": bucket(1) } })),
        permission(json!({ "action": "read", "resource": { "type": "buckets" }, "only": "today" })),
    ];
    for body in bodies {
        let answer = app.operator().send("POST", TOKENS, body.clone());
        assert_eq!((answer.status, answer.error().1.as_str()), (400, "invalid"), "{body:.200}: {answer:?}");
        assert!(!answer.text.contains("12345678"), "{answer:?}");
    }
    let many = json!({ "orgID": org(1), "permissions": vec![json!({ "action": "read", "resource": { "type": "a" } }); 20_001] });
    refused(
        &app.operator().post(TOKENS, many),
        400,
        "invalid",
        "an authorization has at most 20000 permissions, this one has 20001",
    );
    let long = App::with(|api| api.body_limit(1000));
    let answer = long.operator().post(TOKENS, json!({ "description": "x".repeat(1000) }));
    refused(&answer, 413, "request too large", "the body is larger than this server reads");
    assert_eq!(count(&app), before);
}

#[test]
fn unknown_fields_are_ignored_the_token_too_as_influxdbs_clients_send_whole_tokens() {
    let app = App::new();
    let fields =
        json!({ "token": "mine-mine-mine-mine-mine-mine-mine-mine", "links": {}, "org": "x", "user": 7, "status": "" });
    let token = app.operator().create(json!([bucket_permission("read", 1)]), fields).ok();
    assert_ne!(token["token"], "mine-mine-mine-mine-mine-mine-mine-mine");
}

#[test]
fn expiry_status_owner_and_a_chosen_secret() {
    let app = App::new();
    let end = START.saturating_add(HOUR);
    let fields = json!({ "expiresAt": end, "status": "inactive", "userID": user(2), "secret": "s".repeat(40) });
    let token = app.operator().create(json!([bucket_permission("read", 1)]), fields.clone()).ok();
    assert_eq!(token["expiresAt"], json!(end));
    assert_eq!((&token["status"], &token["refused"]), (&json!("inactive"), &json!("inactive")));
    assert_eq!((&token["user"], &token["token"]), (&json!("bob"), &json!("s".repeat(40))));
    let again = app.operator().create(json!([bucket_permission("read", 1)]), fields);
    refused(&again, 422, "conflict", "token already exists");
}

#[test]
fn rule_10_nobody_gives_what_he_does_not_have() {
    let app = App::new();
    let before = count(&app);
    let (admin, other) = (app.all_access(org(1)), app.all_access(org(2)));
    let sensor = app.issue(NewToken::read_write(org(1)).write(bucket(1)));
    let short = app.issue(NewToken::all_access(org(1)).expires_at(START.saturating_add(HOUR)));
    let manager = app.issue(custom(org(1), &["write:orgs/O/authorizations", "read:orgs/O/buckets"]));
    let one = json!([bucket_permission("read", 1)]);
    let write = format!("write:orgs/{}/authorizations is unauthorized", org(1));

    refused(&app.by(&sensor).create(one.clone(), json!({})), 401, "unauthorized", &write);
    refused(&app.by(&other).create(one.clone(), json!({})), 401, "unauthorized", &write);
    // Not even that a name exists.
    let named = json!([{ "action": "read", "resource": { "type": "buckets", "name": "metrics" } }]);
    let unknown = json!([{ "action": "read", "resource": { "type": "buckets", "name": "nope" } }]);
    for named in [named, unknown] {
        refused(&app.by(&other).create(named, json!({})), 401, "unauthorized", &write);
    }
    let global = json!([{ "action": "read", "resource": { "type": "buckets" } }]);
    let outside = json!({ "orgID": "0000000000000000" });
    let message = "managing a token without an organization needs an operator token";
    for caller in [&admin, &manager] {
        refused(&app.by(caller).create(global.clone(), outside.clone()), 403, "forbidden", message);
    }
    refused(
        &app.by(&admin).create(operators(), json!({})),
        403,
        "forbidden",
        "managing an operator token needs an operator token",
    );
    let wanted = format!("write:orgs/{}/buckets/{}", org(1), bucket(1));
    refused(
        &app.by(&manager).create(json!([bucket_permission("write", 1)]), json!({})),
        403,
        "forbidden",
        &format!("permission {wanted} is not allowed: {wanted} is unauthorized"),
    );
    refused(
        &app.by(&short).create(one.clone(), json!({})),
        403,
        "forbidden",
        &format!("the acting token expires at {}, and the other would outlive it", START.saturating_add(HOUR)),
    );
    // Whether or not there is one.
    for other in [2, 7] {
        refused(
            &app.by(&admin).create(one.clone(), json!({ "userID": user(other) })),
            403,
            "forbidden",
            "managing a token of another owner needs an operator token",
        );
    }
    for unknown in [
        json!({ "userID": user(7) }),
        json!({ "orgID": org(7), "permissions": [{ "action": "read", "resource": { "type": "tasks", "orgID": org(7) } }] }),
    ] {
        refused(&app.operator().create(one.clone(), unknown), 400, "invalid", "unable to create token");
    }
    assert_eq!(count(&app), before + 5);
    app.by(&manager).create(one, json!({})).ok();
}

#[test]
fn a_creation_in_doubt_is_not_to_be_repeated_but_looked_for() {
    let app = App::new();
    let create = || app.operator().create(json!([bucket_permission("read", 1)]), json!({}));
    app.faults.always(Call::Commit, Fault::DoubtAfter);
    let doubtful = create();
    let message = "the store failed and the change is in doubt; when changes work again, \
                   list the authorizations and look before you repeat it";
    refused(&doubtful, 503, "unavailable", message);
    assert_eq!(doubtful.header("retry-after"), None);
    assert!(doubtful.fault.is_some());
    // Of this one it is known that nothing changed.
    let failed = create();
    refused(&failed, 503, "unavailable", "the store failed, nothing changed");
    assert_eq!(failed.header("retry-after"), Some("1"));
    app.faults.heal();
    // It is there, and as nobody has its secret, it is given another.
    app.operator().patch(&at(app.root.token.id()), json!({ "description": "first" })).ok();
    let list = app.operator().get(&format!("{TOKENS}?kind=readWrite")).ok();
    let id = list["authorizations"][0]["id"].as_str().unwrap();
    let rotated = app.operator().post(&format!("{TOKENS}/{id}/rotate"), json!({})).ok();
    assert!(app.authority.authenticate(rotated["token"].as_str().unwrap()).is_ok());
    assert_eq!(count(&app), 2);
}

#[test]
fn a_missing_permission_is_told_without_a_realm_which_only_the_layer_knows() {
    let app = App::new();
    let sensor = app.issue(NewToken::read_write(org(1)).write(bucket(1)));
    let answer = app.by(&sensor).create(json!([bucket_permission("read", 1)]), json!({}));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"insufficient_scope\""));
}

#[test]
fn tokens_that_are_not_accepted_do_nothing() {
    let app = App::new();
    let issue = || app.all_access(org(1));
    let (inactive, revoked, deleted, expired) =
        (issue(), issue(), issue(), app.issue(NewToken::all_access(org(1)).expires_at(START.saturating_add(HOUR))));
    let (suspended, gone) = (
        app.authority.create(host(), NewToken::all_access(org(1)).owner(user(2))).wait().unwrap(),
        app.all_access(org(2)),
    );
    ok(app.authority.update(host(), inactive.token.id(), portcullis::Update::new().deactivate()));
    ok(app.authority.revoke(host(), revoked.token.id()));
    ok(app.authority.delete(host(), deleted.token.id()));
    ok(app.authority.set_owner_standing(host(), user(2), Standing::Suspended));
    ok(app.authority.set_organization_standing(host(), org(2), Standing::Deleted));
    app.clock.advance(HOUR);
    for token in [&inactive, &revoked, &deleted, &expired, &suspended, &gone] {
        let client = app.by(token);
        for answer in [
            client.get(TOKENS),
            client.get(&at(token.token.id())),
            client.get(&format!("{TOKENS}/me")),
            client.create(json!([bucket_permission("read", 1)]), json!({})),
            client.patch(&at(token.token.id()), json!({ "status": "active" })),
            client.delete(&at(token.token.id())),
        ] {
            refused(&answer, 401, "unauthorized", "unauthorized access");
            assert!(answer.header("www-authenticate").unwrap().contains("invalid_token"));
        }
    }
    for secret in ["", "x", &"x".repeat(600), "pcs_0rp3CXuPtIPMG2bJAfQJQ67Bxa8BBTkbbLkvtm3lkWGBqKd6g"] {
        refused(&app.by_secret(secret).get(TOKENS), 401, "unauthorized", "unauthorized access");
    }
    // An operator still sees all but the deleted one, and why.
    let list = app.operator().get(TOKENS).ok();
    let reasons: Vec<_> =
        list["authorizations"].as_array().unwrap().iter().map(|token| token["refused"].clone()).collect();
    for reason in ["inactive", "revoked", "expired", "ownerSuspended", "organizationDeleted"] {
        assert!(reasons.contains(&json!(reason)), "{reason}: {reasons:?}");
    }
}

#[test]
fn a_path_may_end_with_a_slash() {
    let app = App::new();
    assert_eq!(app.operator().get(&format!("{TOKENS}/")).status, 200);
    assert_eq!(app.operator().get(&format!("{TOKENS}/me/")).status, 200);
}
