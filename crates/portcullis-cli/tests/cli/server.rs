//! On the example server: the real program, in a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use expect_test::{Expect, expect};
use serde_json::Value;

use crate::files::a_token_without_an_organization_stays_so;
use crate::run::{OTHER_ORG, Place};

/// The program, built with whatever `cargo` runs this test.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["build", "--quiet", "--package", "portcullis-http", "--example", "server", "--target-dir"])
        .arg(&target);
    assert!(build.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap().success());
    target.join("debug/examples/server")
});

struct Server {
    process: Child,
    url: String,
    data: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut command = Command::new(&*PROGRAM);
        command.args(["--listen", "127.0.0.1:0", "--data"]).arg(data.path());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
        let url = first.strip_prefix("listening on ").and_then(|rest| rest.split(',').next()).unwrap().to_owned();
        Self { process, url, data }
    }

    /// Where an operator works, and the ids of the first organization and bucket.
    fn set_up(&self) -> (Place, String, String) {
        let setup = ["setup", "--username", "alice", "--org", "acme", "--bucket", "metrics"];
        let issued = Place::server(&self.url, None).json(&setup);
        let token = issued["secret"].as_str().unwrap();
        let found = |what: &str| -> Value {
            let url = format!("{}/api/v2/{what}", self.url);
            let mut answer = ureq::get(url).header("authorization", format!("Token {token}")).call().unwrap();
            serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
        };
        let id = |list: &Value| list[0]["id"].as_str().unwrap().to_owned();
        let (org, bucket) = (id(&found("orgs?org=acme")["orgs"]), id(&found("buckets")["buckets"]));
        (Place::server(&self.url, Some(token)), org, bucket)
    }

    /// The same, as the holder of another token.
    fn as_holder_of(&self, secret: &str) -> Place {
        Place::server(&self.url, Some(secret))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

#[test]
fn a_token_lives_as_on_a_file() {
    let server = Server::start();
    let (root, org, bucket) = server.set_up();
    assert_eq!(root.json(&["show"])["token"]["kind"], "operator");
    let (admin, secret) = root.create(&["--org", &org, "--all-access", "--description", "admins"]);
    let as_admin = server.as_holder_of(&secret);
    let (sensor, sensor_secret) = as_admin.create(&["--org", &org, "--write-bucket", &bucket, "--expires", "90d"]);
    let (read, write) = (format!("read:orgs/{org}/buckets/{bucket}"), format!("write:orgs/{org}/buckets/{bucket}"));

    let as_sensor = server.as_holder_of(&sensor_secret);
    assert_eq!(as_sensor.run(&["check", &write]).exit, 0);
    assert_eq!(as_sensor.run(&["check", &write, &read]).exit, 1);
    // A secret that is asked about is all the token that is needed.
    let nobody = Place::server(&server.url, None);
    for place in [&root, &nobody] {
        assert_eq!(place.run_with(&["check", "--secret-stdin", &write], &sensor_secret).exit, 0);
        assert_eq!(place.run_with(&["check", "--secret-stdin", &write], "mistyped").exit, 1);
        assert_eq!(place.run_with(&["explain", "--secret-stdin", &read], &sensor_secret).exit, 1);
        assert!(place.run_with(&["show", "--secret-stdin"], &sensor_secret).out.contains(&sensor));
    }
    assert_eq!(nobody.run_with(&["check", "--id", &sensor, "--secret-stdin", &write], &sensor_secret).exit, 2);
    let explained: Value =
        serde_json::from_str(&as_admin.run(&["explain", "--id", &sensor, &read, "--json"]).out).unwrap();
    assert_eq!(explained["missing"]["action"], "read");
    assert_eq!(explained["token"]["id"], sensor.as_str());
    assert_eq!(as_sensor.run(&["create", "--org", &org, "--read-bucket", &bucket]).exit, 3);

    let updated = as_admin.json(&["update", &sensor, "--description", "roof", "--expires", "never"]);
    assert_eq!((&updated["token"]["description"], &updated["token"]["expiresAt"]), (&"roof".into(), &Value::Null));
    let stale = as_admin.run(&["update", &sensor, "--read-bucket", &bucket, "--if-revision", "1"]);
    assert_eq!(stale.exit, 5, "{stale:?}");
    as_admin.ok(&["update", &sensor, "--read-bucket", &bucket]);
    assert_eq!(as_sensor.run(&["check", &write]).exit, 1);
    assert_eq!(as_sensor.run(&["check", &read]).exit, 0);

    let difference: Value = serde_json::from_str(&root.run(&["diff", &sensor, &admin, "--json"]).out).unwrap();
    assert_eq!(difference["onlyFirst"], serde_json::json!([]));
    assert_eq!(difference["onlySecond"].as_array().unwrap().len(), 1);

    as_admin.ok(&["suspend", &sensor]);
    assert_eq!(as_sensor.run(&["show"]).exit, 3);
    as_admin.ok(&["activate", &sensor]);
    as_sensor.ok(&["show"]);
    for (overlap, exit) in [("500ms", 2), ("0s", 2), ("1h 1ms", 2), ("1h", 0)] {
        assert_eq!(as_admin.run(&["rotate", &sensor, "--overlap", overlap]).exit, exit, "{overlap}");
        as_sensor.ok(&["show"]);
    }
    let rotated = as_admin.json(&["rotate", &sensor, "--yes"]);
    assert_eq!(as_sensor.run(&["show"]).exit, 3);
    let as_sensor = server.as_holder_of(rotated["secret"].as_str().unwrap());
    as_sensor.ok(&["show"]);
    assert_eq!(root.json(&["revoke", &admin, "--all", "--yes"])["revoked"], 2);
    assert_eq!(root.json(&["show", &sensor])["token"]["status"], "revoked");
    assert_eq!((as_sensor.run(&["show"]).exit, as_admin.run(&["list"]).exit), (3, 3));
    root.ok(&["delete", &sensor, "--yes"]);
    assert_eq!(root.run(&["show", &sensor]).exit, 4);
}

#[test]
fn lists_filter_and_permissions_are_as_they_are() {
    let server = Server::start();
    let (root, org, bucket) = server.set_up();
    let everything = format!("read:orgs/{org}/*");
    let (any, _) = root.create(&["--org", &org, "--permission", &everything]);
    let (admin, _) = root.create(&["--org", &org, "--all-access"]);
    let (sensor, _) = root.create(&["--org", &org, "--write-bucket", &bucket, "--expires", "1d"]);
    let listed = |filter: &[&str]| -> Vec<String> {
        let tokens = root.json(&[&["list"], filter].concat());
        tokens["tokens"].as_array().unwrap().iter().map(|token| token["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed(&[]).len(), 4);
    assert_eq!(listed(&["--kind", "allAccess"]), std::slice::from_ref(&admin));
    assert_eq!(listed(&["--kind", "custom", "--org", &org]), std::slice::from_ref(&any));
    assert_eq!(listed(&["--expires-by", "2d"]), std::slice::from_ref(&sensor));
    assert_eq!(listed(&["--org", OTHER_ORG]), Vec::<String>::new());
    root.ok(&["revoke", &sensor, "--yes"]);
    assert_eq!(listed(&["--status", "revoked"]), [sensor]);

    // The routes expand any type and any action into those that there are; here they stay what they are.
    let permissions = |id: &str| root.json(&["show", id])["token"]["permissions"].clone();
    let resource = serde_json::json!({ "type": "*", "orgID": org });
    assert_eq!(permissions(&any), serde_json::json!([{ "action": "read", "resource": resource }]));
    assert_eq!(permissions(&admin), serde_json::json!([{ "action": "*", "resource": resource }]));
    let tasks = serde_json::json!({ "type": "tasks", "orgID": org });
    let (anything, _) = root.create(&["--org", &org, "--permission", &format!("*:orgs/{org}/tasks")]);
    assert_eq!(permissions(&anything), serde_json::json!([{ "action": "*", "resource": tasks }]));
    let (runs, _) = root.create(&["--org", &org, "--permission", &format!("execute:orgs/{org}/tasks")]);
    assert_eq!(permissions(&runs), serde_json::json!([{ "action": "execute", "resource": tasks }]));
    root.ok(&["delete", &anything, "--yes"]);
    root.ok(&["delete", &runs, "--yes"]);
    let exported = root.ok(&["export", "--kind", "custom"]).out;
    std::fs::write(root.path("exported"), exported).unwrap();
    assert_eq!(root.json(&["import", "exported", "--secrets", "secrets"])["created"], 1);
    let clones = listed(&["--kind", "custom"]);
    let clone = clones.iter().find(|id| **id != any).unwrap();
    assert_eq!(root.run(&["diff", &any, clone]).exit, 0);
}

#[test]
fn a_token_without_an_organization_is_updated_as_on_a_file() {
    let server = Server::start();
    let (root, org, _) = server.set_up();
    a_token_without_an_organization_stays_so(&root, &org, &root.json(&["show"])["token"]["userID"]);
}

/// A token that changes itself may have lost the right to be told the rest.
#[test]
fn a_change_that_was_made_is_not_told_as_a_failure() {
    let server = Server::start();
    let (root, org, _) = server.set_up();
    let all = |action: &str| format!("{action}:orgs/{org}/*");
    let manage = format!("write:orgs/{org}/authorizations");
    let (reader, secret) = root.create(&["--org", &org, "--permission", &all("read"), "--permission", &manage]);
    let suspended = server.as_holder_of(&secret).run(&["suspend", &reader]);
    assert_eq!((suspended.exit, suspended.err.as_str()), (0, ""), "{suspended:?}");
    assert_eq!(root.json(&["show", &reader])["token"]["refused"], "inactive");

    let (writer, secret) = root.create(&["--org", &org, "--permission", &all("write")]);
    let updated = server.as_holder_of(&secret).run(&["update", &writer, "--description", "writes", "--json"]);
    assert_eq!(updated.exit, 0, "{updated:?}");
    assert_eq!(root.json(&["show", &writer])["token"]["description"], "writes");
}

#[track_caller]
fn sees(place: &Place, arguments: &[&str], names: &[(&str, &str)], expected: Expect) {
    let mut screen = place.run(arguments).screen();
    for (value, name) in names {
        screen = screen.replace(value, name);
    }
    expected.assert_eq(&screen);
}

#[test]
fn what_people_see() {
    let server = Server::start();
    let data = server.data.path().to_str().unwrap().to_owned();
    let (root, org, _) = server.set_up();
    let owner = root.json(&["show"])["token"]["userID"].as_str().unwrap().to_owned();
    // Ids of other lengths would move columns.
    let names = [
        (server.url.as_str(), "http://SERVER"),
        (data.as_str(), "DATA"),
        (org.as_str(), "oooooooooooooooo"),
        (owner.as_str(), "uuuuuuuuuuuuuuuu"),
    ];
    let (id, _) = root.create(&["--org", &org, "--all-access", "--description", "admins"]);
    sees(
        &root,
        &["setup", "--username", "a", "--org", "b", "--bucket", "c"],
        &names,
        expect![[r#"
        --- standard error
        error: onboarding has already been completed
        --- exit 5
    "#]],
    );
    sees(
        &root,
        &["setup", "--owner", &owner],
        &names,
        expect![[r#"
        --- standard error
        error: on a server, setup takes --username, --org and --bucket
        --- exit 2
    "#]],
    );
    sees(
        &root,
        &["list", "--org", &org, "--wide"],
        &names,
        expect![[r#"
            ID                                    KIND        STATUS  ORGANIZATION  EXPIRES  DESCRIPTION  OWNER  CREATED BY                                   CREATED               LAST USED
            00000000-0000-0000-0000-000000000001  All-Access  active  acme          never    admins       alice  token: 00000000-0000-0000-0000-000000000002  2026-11-24T00:00:00Z  never
        "#]],
    );
    sees(
        &root,
        &["show", &id],
        &names,
        expect![[r#"
            id            00000000-0000-0000-0000-000000000001
            kind          All-Access
            status        active
            description   admins
            organization  acme (oooooooooooooooo)
            owner         alice (uuuuuuuuuuuuuuuu)
            permissions   *:orgs/oooooooooooooooo/*
            created       2026-11-24T00:00:00Z by token: 00000000-0000-0000-0000-000000000002
            updated       2026-11-24T00:00:00Z
            expires       never
            last used     never
            revision      2
        "#]],
    );
    sees(
        &root,
        &["create", "--org", OTHER_ORG, "--all-access"],
        &names,
        expect![[r#"
        --- standard error
        error: unable to create token
        --- exit 2
    "#]],
    );
    sees(
        &root,
        &["create", "--org", &org, "--read-bucket", OTHER_ORG],
        &names,
        expect![[r#"
        --- standard error
        error: bucket not found: orgs/oooooooooooooooo/buckets/0a1b2c3d4e5f6072
        --- exit 2
    "#]],
    );
    sees(
        &root,
        &["suspend", "--org", &org],
        &names,
        expect![[r#"
        --- standard error
        error: a server has no route for the standing of owners and organizations; stop it and say --file, or do it there
        --- exit 2
    "#]],
    );
    sees(
        &server.as_holder_of("mistyped"),
        &["list"],
        &names,
        expect![[r#"
        --- standard error
        error: `http://SERVER` does not accept the token; is it this server's, whole, and in use?
        --- exit 3
    "#]],
    );
    sees(
        &Place::server(&format!("{}/elsewhere", server.url), Some("x")),
        &["list"],
        &names,
        expect![[r#"
        --- standard error
        error: `http://SERVER/elsewhere` does not answer as a token server does; is --url right?: status 404 Not Found
        --- exit 7
    "#]],
    );
    sees(
        &Place::server("ftp://server", Some("x")),
        &["list"],
        &names,
        expect![[r#"
        --- standard error
        error: `ftp://server` is no server's address, such as `https://tokens.example.com:8086`
        --- exit 2
    "#]],
    );
    sees(
        &Place::server("http://user@server", Some("x")),
        &["list"],
        &names,
        expect![[r#"
        --- standard error
        error: `http://user@server` is no server's address, such as `https://tokens.example.com:8086`
        --- exit 2
    "#]],
    );
    let file = format!("{data}/tokens.redb");
    let locked = crate::run::command(&root.path(".")).args(["--file", &file, "list"]).output().unwrap();
    let error = String::from_utf8(locked.stderr).unwrap().replace(&data, "DATA");
    expect![[r#"
        error: `DATA/tokens.redb` is in use; stop the server that has it open, or talk to that server: --url
    "#]]
    .assert_eq(&error);
}
