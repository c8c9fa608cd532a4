//! The example server: the real program, in a process of its own, over the network.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;

use crate::app::TOKENS;
use test_support::fixture::eventually;

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
    address: SocketAddr,
    /// What it prints, once it has ended.
    printed: Vec<JoinHandle<String>>,
    agent: Agent,
}

impl Server {
    fn start(data: &Path) -> Self {
        let mut command = Command::new(&*PROGRAM);
        command.args(["--listen", "127.0.0.1:0", "--data"]).arg(data);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        let mut first = String::new();
        out.read_line(&mut first).unwrap();
        let address = first.strip_prefix("listening on http://").and_then(|rest| rest.split(',').next());
        let address = address.unwrap_or_else(|| panic!("{first}")).parse().unwrap();
        let errors = process.stderr.take().unwrap();
        let printed = vec![std::thread::spawn(move || first + &all(out)), std::thread::spawn(move || all(errors))];
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_idle_connections(0)
            .timeout_global(Some(Duration::from_mins(1)));
        Self { process, address, printed, agent: agent.build().into() }
    }

    /// Status and body, `null` for none.
    fn call(&self, token: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("authorization", format!("Token {token}"));
        let response = self.agent.run(request.body(body.to_owned()).unwrap()).unwrap();
        let status = response.status().as_u16();
        let text = response.into_body().read_to_string().unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    #[track_caller]
    fn ok(&self, token: &str, method: &str, path: &str, body: &Value) -> Value {
        let (status, body) = self.call(token, method, path, &body.to_string());
        assert!(status < 300, "{method} {path}: {status} {body}");
        body
    }

    fn set_up(&self) -> Value {
        self.ok("", "POST", "/api/v2/setup", &json!({ "username": "alice", "org": "acme", "bucket": "metrics" }))
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        stream
    }

    fn is_healthy(&self) -> bool {
        self.call("", "GET", "/health", "").0 == 200
    }

    /// Asks it to stop, as a service manager does.
    fn terminate(&self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// How it ended, and all that it printed.
    fn ended(mut self) -> (ExitStatus, String) {
        let status = self.process.wait().unwrap();
        let printed = std::mem::take(&mut self.printed);
        (status, printed.into_iter().map(|reader| reader.join().unwrap()).collect())
    }

    fn kill(mut self) -> String {
        self.process.kill().unwrap();
        self.ended().1
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Mostly it has ended already.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

fn all(mut stream: impl Read) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// What the server answers to these bytes, until it closes the connection.
fn raw(server: &Server, bytes: &[u8]) -> String {
    let mut stream = server.connect();
    // It may refuse before it has read everything.
    _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

const WRITE: &str = "/api/v2/write?org=acme&bucket=metrics";
const QUERY: &str = "/api/v2/query?org=acme";

#[test]
fn what_was_acknowledged_is_there_after_a_kill_and_no_secret_was_printed() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    assert_eq!(server.ok("", "GET", "/api/v2/setup", &json!(null))["allowed"], true);
    let setup = server.set_up();
    let root = setup["auth"]["token"].as_str().unwrap().to_owned();
    let (org, bucket) = (&setup["org"]["id"], &setup["bucket"]["id"]);
    let resource = json!({ "type": "buckets", "orgID": org, "id": bucket });
    let one = |action: &str| json!({ "orgID": org, "permissions": [{ "action": action, "resource": resource }] });
    let create = |action| {
        let token = server.ok(&root, "POST", TOKENS, &one(action));
        (token["id"].as_str().unwrap().to_owned(), token["token"].as_str().unwrap().to_owned())
    };
    let ((_, writer), (_, reader), (revoked, gone)) = (create("write"), create("read"), create("read"));
    let head = format!("host: x\r\nconnection: close\r\nauthorization: Token {root}\r\ncontent-length: 0\r\n\r\n");
    let answer = raw(&server, format!("POST {TOKENS}/{revoked}/revoke HTTP/1.1\r\n{head}").as_bytes());
    // The file has no other server.
    assert!(answer.contains("portcullis-everywhere: now\r\n"), "{answer}");
    let logs = server.ok(&root, "POST", "/api/v2/buckets", &json!({ "name": "logs", "orgID": org }));
    assert_eq!(server.call(&writer, "POST", WRITE, "m f=1\nm f=2").0, 204);
    let query = json!({ "query": "from(bucket: \"metrics\")" }).to_string();
    // What a token is for, and nothing else.
    let denied = server.call(&reader, "POST", WRITE, "m f=3");
    assert_eq!((denied.0, &denied.1["code"]), (403, &json!("forbidden")));
    assert_eq!(server.call(&writer, "POST", QUERY, &query).0, 403);
    assert_eq!(server.call(&gone, "POST", QUERY, &query).0, 401);
    let mut printed = server.kill();

    let server = Server::start(data.path());
    assert_eq!(server.ok("", "GET", "/api/v2/setup", &json!(null))["allowed"], false);
    let again = json!({ "username": "eve", "org": "evil", "bucket": "b" }).to_string();
    let refused = server.call("", "POST", "/api/v2/setup", &again);
    assert_eq!((refused.0, &refused.1["code"]), (422, &json!("conflict")));
    assert_eq!(server.call(&reader, "POST", QUERY, &query), (200, json!("m f=1\nm f=2\n")));
    assert_eq!(server.call(&gone, "POST", QUERY, &query).0, 401);
    assert_eq!(server.call(&writer, "POST", WRITE, "m f=3").0, 204);
    let list = server.ok(&root, "GET", &format!("{TOKENS}?org=acme"), &json!(null));
    assert_eq!(list["authorizations"].as_array().unwrap().len(), 3);
    let buckets = server.ok(&root, "GET", "/api/v2/buckets?name=logs", &json!(null));
    assert_eq!(buckets["buckets"][0]["id"], logs["id"]);
    assert_eq!(server.ok(&root, "GET", "/api/v2/me", &json!(null))["name"], "alice");
    server.terminate();
    let (status, more) = server.ended();
    assert!(status.success());
    printed.push_str(&more);
    assert!(printed.contains("created (token "), "{printed}");
    for secret in [&root, &writer, &reader, &gone] {
        assert!(!printed.contains(secret), "a secret in: {printed}");
        assert!(!printed.contains(&secret[10..30]), "a part of a secret in: {printed}");
    }
}

#[test]
fn setup_is_done_once_and_whole_or_not_at_all() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let allowed = || server.ok("", "GET", "/api/v2/setup", &json!(null))["allowed"].clone();
    let post = |body: &Value| {
        let (body, path) = (body.to_string(), "/api/v2/setup HTTP/1.1\r\nhost: x\r\nconnection: close");
        format!("POST {path}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    // A secret that cannot be locks nobody out.
    let setup = json!({ "username": "eve", "org": "evil", "bucket": "b", "token": "x".repeat(26) });
    assert!(raw(&server, post(&setup).as_bytes()).starts_with("HTTP/1.1 400"));
    assert_eq!(allowed(), true);

    let setup = |number| post(&json!({ "username": "alice", "org": format!("acme{number}"), "bucket": "metrics" }));
    let answers: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|number| {
                scope.spawn({
                    let server = &server;
                    move || raw(server, setup(number).as_bytes())
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.starts_with("HTTP/1.1 201"));
    assert!(won.len() == 1 && lost.iter().all(|answer| answer.starts_with("HTTP/1.1 422")), "{answers:?}");
    let (head, body) = won[0].split_once("\r\n\r\n").unwrap();
    assert!(head.contains("cache-control: no-store"), "{head}");
    let setup: Value = serde_json::from_str(body).unwrap();
    let (root, org) = (setup["auth"]["token"].as_str().unwrap(), &setup["org"]);
    let organizations = server.ok(root, "GET", "/api/v2/orgs", &json!(null));
    assert_eq!(organizations["orgs"].as_array().unwrap().len(), 1);
    assert_eq!((&organizations["orgs"][0]["id"], &organizations["orgs"][0]["name"]), (&org["id"], &org["name"]));

    // Nobody can do it again once the operator is gone.
    let all = |action: &str| json!({ "action": action, "resource": { "type": "*", "orgID": org["id"] } });
    let new = json!({ "orgID": org["id"], "permissions": [all("read"), all("write")] });
    let admin = server.ok(root, "POST", TOKENS, &new)["token"].as_str().unwrap().to_owned();
    let operator = format!("{TOKENS}/{}", setup["auth"]["id"].as_str().unwrap());
    server.ok(root, "DELETE", &operator, &json!(null));
    assert_eq!(allowed(), false);
    let again = json!({ "username": "eve", "org": "evil", "bucket": "b" });
    assert!(raw(&server, post(&again).as_bytes()).starts_with("HTTP/1.1 422"));
    assert_eq!(server.ok(&admin, "GET", "/api/v2/buckets", &json!(null))["buckets"][0]["name"], "metrics");
}

#[test]
fn setup_is_whole_whenever_its_client_goes_away() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let chosen = "chosen-by-the-deployment-0123456789";
    let setup = json!({ "username": "alice", "org": "acme", "bucket": "metrics", "token": chosen }).to_string();
    let head = format!("POST /api/v2/setup HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", setup.len());
    let mut patience = Duration::ZERO;
    eventually("set up", || {
        let mut stream = server.connect();
        stream.write_all((head.clone() + &setup).as_bytes()).unwrap();
        std::thread::sleep(patience);
        patience += Duration::from_micros(500);
        drop(stream);
        server.ok("", "GET", "/api/v2/setup", &json!(null))["allowed"] == false
    });
    assert_eq!(server.ok(chosen, "GET", "/api/v2/me", &json!(null))["name"], "alice");
    assert_eq!(server.ok(chosen, "GET", "/api/v2/buckets", &json!(null))["buckets"][0]["name"], "metrics");
}

#[test]
fn users_organizations_and_what_their_end_means_for_tokens() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let chosen = "chosen-by-the-deployment-0123456789";
    let setup = json!({ "username": "alice", "org": "acme", "bucket": "metrics", "token": chosen });
    assert_eq!(server.ok("", "POST", "/api/v2/setup", &setup)["auth"]["token"], chosen);
    let org = server.ok(chosen, "POST", "/api/v2/orgs", &json!({ "name": "globex" }));
    let user = server.ok(chosen, "POST", "/api/v2/users", &json!({ "name": "bob" }));
    let (org_path, user_path) = (
        format!("/api/v2/orgs/{}", org["id"].as_str().unwrap()),
        format!("/api/v2/users/{}", user["id"].as_str().unwrap()),
    );
    server.ok(chosen, "POST", &format!("{org_path}/members"), &json!({ "id": user["id"] }));
    let all = |action: &str| json!({ "action": action, "resource": { "type": "*", "orgID": org["id"] } });
    let new = json!({ "orgID": org["id"], "userID": user["id"], "permissions": [all("read"), all("write")] });
    let admin = server.ok(chosen, "POST", TOKENS, &new)["token"].as_str().unwrap().to_owned();

    let seen = server.ok(&admin, "GET", "/api/v2/orgs", &json!(null));
    assert_eq!(seen["orgs"].as_array().unwrap().len(), 1);
    for (method, path, status) in [
        ("GET", "/api/v2/orgs?org=acme", 404),
        ("GET", "/api/v2/users?name=alice", 404),
        ("POST", "/api/v2/orgs", 403),
        ("POST", WRITE, 404),
    ] {
        assert_eq!(server.call(&admin, method, path, "{\"name\":\"mine\"}").0, status, "{method} {path}");
    }
    for (path, body, status) in [
        (&user_path, json!({ "status": "inactive" }), 401),
        (&user_path, json!({ "status": "active" }), 200),
        (&org_path, json!({ "status": "inactive" }), 401),
        (&org_path, json!({ "status": "active" }), 200),
    ] {
        server.ok(chosen, "PATCH", path, &body);
        assert_eq!(server.call(&admin, "GET", "/api/v2/me", "").0, status, "{path} {body}");
    }
    // All of a change or nothing, whatever it is refused for.
    for (token, path, status, expected) in
        [(chosen, &user_path, "asleep", 400), (chosen, &org_path, "asleep", 400), (&admin, &org_path, "inactive", 403)]
    {
        let change = json!({ "name": "renamed", "status": status }).to_string();
        assert_eq!(server.call(token, "PATCH", path, &change).0, expected, "{path} {status}");
    }
    assert_eq!(server.ok(chosen, "GET", &user_path, &json!(null))["name"], "bob");
    assert_eq!(server.ok(chosen, "GET", &org_path, &json!(null))["name"], "globex");
    // Changes at the same time are all made.
    let others: Vec<_> = (0..8)
        .map(|number| {
            server.ok(chosen, "POST", "/api/v2/users", &json!({ "name": format!("user {number}") }))["id"].clone()
        })
        .collect();
    std::thread::scope(|scope| {
        for (number, id) in others.iter().enumerate() {
            let (server, org_path) = (&server, &org_path);
            scope.spawn(move || server.ok(chosen, "POST", &format!("{org_path}/members"), &json!({ "id": id })));
            scope.spawn(move || server.ok(chosen, "PATCH", org_path, &json!({ "name": format!("name {number}") })));
        }
    });
    let members = server.ok(chosen, "GET", &format!("{org_path}/members"), &json!(null));
    assert_eq!(members["users"].as_array().unwrap().len(), others.len() + 1);
    server.ok(chosen, "DELETE", &user_path, &json!(null));
    assert_eq!(server.call(chosen, "PATCH", &user_path, "{\"name\":\"back\"}").0, 404);
    assert_eq!(server.call(&admin, "GET", "/api/v2/me", "").0, 401);
}

#[test]
fn an_id_beats_a_name_and_no_name_looks_like_one() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let setup = server.set_up();
    let root = setup["auth"]["token"].as_str().unwrap();
    let (acme, metrics) = (setup["org"]["id"].as_str().unwrap(), setup["bucket"]["id"].as_str().unwrap());
    let globex = server.ok(root, "POST", "/api/v2/orgs", &json!({ "name": "globex" }))["id"].clone();
    let theirs =
        server.ok(root, "POST", "/api/v2/buckets", &json!({ "name": "metrics", "orgID": globex }))["id"].clone();
    let uuid = "01890000-0000-7000-8000-000000000000";
    for (method, path, name) in [
        ("PATCH", format!("/api/v2/orgs/{}", globex.as_str().unwrap()), acme),
        ("POST", "/api/v2/orgs".into(), "0123456789ABCDEF"),
        ("POST", "/api/v2/users".into(), uuid),
        ("POST", "/api/v2/buckets".into(), metrics),
    ] {
        let body = json!({ "name": name, "orgID": globex }).to_string();
        assert_eq!(server.call(root, method, &path, &body).0, 400, "{method} {path} {name}");
    }
    for (place, status) in [
        (format!("org={acme}&bucket={metrics}"), 204),
        (format!("orgID={acme}&org=globex&bucket=metrics"), 204),
        ("orgID=acme&bucket=metrics".into(), 400),
        ("org=nobody&bucket=metrics".into(), 404),
        // No bucket, and one of another organization.
        ("org=acme&bucket=0123456789abcdef".into(), 404),
        (format!("org=acme&bucket={}", theirs.as_str().unwrap()), 404),
    ] {
        assert_eq!(server.call(root, "POST", &format!("/api/v2/write?{place}"), "m f=1").0, status, "{place}");
    }
    let query = json!({ "query": "from(bucket: \"metrics\")" }).to_string();
    assert_eq!(server.call(root, "POST", QUERY, &query), (200, json!("m f=1\nm f=1\n")));
}

#[test]
fn what_somebody_may_neither_read_nor_write_looks_as_if_it_did_not_exist() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let setup = server.set_up();
    let root = setup["auth"]["token"].as_str().unwrap();
    let id = |what: &str| setup[what]["id"].as_str().unwrap().to_owned();
    let (acme, metrics, alice) = (id("org"), id("bucket"), id("user"));
    let globex = server.ok(root, "POST", "/api/v2/orgs", &json!({ "name": "globex" }))["id"].clone();
    let bob = server.ok(root, "POST", "/api/v2/users", &json!({ "name": "bob" }))["id"].clone();
    let all = |action: &str| json!({ "action": action, "resource": { "type": "*", "orgID": globex } });
    let new = json!({ "orgID": globex, "userID": bob, "permissions": [all("read"), all("write")] });
    let admin = server.ok(root, "POST", TOKENS, &new)["token"].as_str().unwrap().to_owned();
    let nobodys = "0123456789abcdef";
    let body = json!({ "name": "x", "id": bob, "query": "from(bucket: \"metrics\")" }).to_string();
    for (method, path, there) in [
        ("POST", "/api/v2/write?bucket=metrics&org=", "acme"),
        ("POST", "/api/v2/write?bucket=metrics&orgID=", &acme),
        ("POST", &format!("/api/v2/write?bucket={metrics}&org="), &acme),
        ("POST", "/api/v2/query?org=", "acme"),
        ("GET", "/api/v2/buckets?org=", "acme"),
        ("GET", "/api/v2/buckets?orgID=", &acme),
        ("GET", "/api/v2/buckets/", &metrics),
        ("DELETE", "/api/v2/buckets/", &metrics),
        ("GET", "/api/v2/orgs/", &acme),
        ("PATCH", "/api/v2/orgs/", &acme),
        ("GET", "/api/v2/users/", &alice),
        ("PATCH", "/api/v2/users/", &alice),
        ("DELETE", "/api/v2/users/", &alice),
    ] {
        let length = body.len();
        let answer = |place: &str| {
            let head = format!("{method} {path}{place} HTTP/1.1\r\nhost: x\r\nconnection: close");
            let head = format!("{head}\r\nauthorization: Token {admin}\r\ncontent-length: {length}\r\n\r\n");
            let answer = raw(&server, (head + &body).as_bytes());
            answer.lines().filter(|line| !line.starts_with("date: ")).collect::<Vec<_>>().join("\n")
        };
        let real = answer(there);
        assert_eq!(real, answer(nobodys), "{method} {path}");
        let nothing = path == "/api/v2/buckets?orgID=";
        assert!(real.starts_with(if nothing { "HTTP/1.1 200" } else { "HTTP/1.1 404" }), "{method} {path}: {real}");
    }
    // Who may do one of both learns what is missing, and of its own user everybody may read.
    let read = json!({ "action": "read", "resource": { "type": "buckets", "orgID": acme, "id": metrics } });
    let new = json!({ "orgID": acme, "userID": bob, "permissions": [read] });
    let reader = server.ok(root, "POST", TOKENS, &new)["token"].as_str().unwrap().to_owned();
    for (method, path, missing) in [
        ("POST", WRITE, format!("write:orgs/{acme}/buckets/{metrics}")),
        ("DELETE", &format!("/api/v2/buckets/{metrics}"), format!("write:orgs/{acme}/buckets/{metrics}")),
        (
            "PATCH",
            &format!("/api/v2/users/{}", bob.as_str().unwrap()),
            format!("write:users/{}", bob.as_str().unwrap()),
        ),
    ] {
        let (status, denied) = server.call(&reader, method, path, &body);
        assert_eq!((status, &denied["message"]), (403, &json!(format!("missing permission `{missing}`"))));
    }
    // An organization is found by its own tokens.
    let buckets = server.ok(&reader, "GET", "/api/v2/buckets?org=acme", &json!(null));
    assert_eq!(buckets["buckets"][0]["id"], metrics.as_str());
}

#[test]
fn hostile_requests_leave_the_server_serving() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let root = server.set_up()["auth"]["token"].as_str().unwrap().to_owned();

    // Those who take their time, while all the rest goes on.
    let slow: Vec<_> = (0..200)
        .map(|number| {
            let mut stream = server.connect();
            let start = if number % 2 == 0 { "GET /health HTT" } else { "" };
            stream.write_all(start.as_bytes()).unwrap();
            stream
        })
        .collect();
    assert!(server.is_healthy());
    let huge = "x".repeat(1 << 20);
    for (bytes, status) in [
        (b"\0\0\0\0\r\n\r\n".to_vec(), "400"),
        (b"GET / HTTP/9.9\r\n\r\n".to_vec(), "400"),
        (b"GET /health HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n".to_vec(), "400"),
        (b"GET /health HTTP/1.1\r\nhost : x\r\n\r\n".to_vec(), "400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), "400"),
        (format!("GET /health HTTP/1.1\r\nx: {huge}\r\n\r\n").into_bytes(), "431"),
        (format!("GET /{huge} HTTP/1.1\r\n\r\n").into_bytes(), "4"),
        (format!("GET /health HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(1000)).into_bytes(), "431"),
    ] {
        let answer = raw(&server, &bytes);
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        assert!(answer.is_empty() || answer.starts_with(&format!("HTTP/1.1 {status}")), "{text:?}: {answer}");
        assert!(server.is_healthy(), "{text:?}");
    }
    for path in [TOKENS, WRITE, "/api/v2/setup"] {
        let length = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Token {root}\r\ncontent-length: 99999999\r\n\r\n"
        );
        let answer = raw(&server, length.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 413"), "{path}: {answer}");
        let chunked = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Token {root}\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        let chunk = format!("{:x}\r\n{huge}\r\n", huge.len());
        let answer = raw(&server, (chunked + &chunk.repeat(3)).as_bytes());
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{path}: {answer:.100}");
    }
    assert!(server.is_healthy());
    // They are not waited for forever.
    for mut stream in slow {
        let mut answer = String::new();
        _ = stream.read_to_string(&mut answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    assert!(server.is_healthy());
}

#[cfg(target_os = "linux")]
#[test]
fn whoever_does_not_read_an_answer_is_not_waited_for() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let root = server.set_up()["auth"]["token"].as_str().unwrap().to_owned();
    // More than the kernel keeps for the server; for the client it keeps next to nothing.
    (0..6).for_each(|_| assert_eq!(server.call(&root, "POST", WRITE, &"x".repeat(1 << 20)).0, 204));
    let mut stream = server.connect();
    rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 4096).unwrap();
    let (ours, theirs) = (stream.local_addr().unwrap().port(), server.address.port());
    let ends = format!("0100007F:{theirs:04X} 0100007F:{ours:04X} 01 ");
    let is_connected = || std::fs::read_to_string("/proc/net/tcp").unwrap().contains(&ends);
    let query = json!({ "query": "from(bucket: \"metrics\")" }).to_string();
    let head = format!("host: x\r\nauthorization: Token {root}\r\ncontent-length: {}\r\n\r\n", query.len());
    stream.write_all(format!("POST {QUERY} HTTP/1.1\r\n{head}{query}").as_bytes()).unwrap();
    let mut begun = [0; 12];
    stream.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200");
    assert!(is_connected());
    eventually("its connection is closed", || !is_connected());
}

#[test]
fn asked_to_stop_it_finishes_what_it_has_begun() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let root = server.set_up()["auth"]["token"].as_str().unwrap().to_owned();
    let line = "m f=1";
    let mut stream = server.connect();
    let head = format!(
        "POST {WRITE} HTTP/1.1\r\nhost: x\r\nauthorization: Token {root}\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        line.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // It reads the body now, so the request is under way.
    let mut begun = [0; 25];
    stream.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"HTTP/1.1 100 Continue\r\n\r\n");
    server.terminate();
    eventually("no new connection is accepted", || TcpStream::connect(server.address).is_err());
    stream.write_all(line.as_bytes()).unwrap();
    let answer = all(stream);
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    let (status, printed) = server.ended();
    assert!(status.success());
    assert!(printed.ends_with("stopped\n") || printed.contains("stopped\n"), "{printed}");
}

#[test]
fn it_listens_on_loopback_only_and_says_what_it_takes() {
    for (arguments, expected) in [
        (vec!["--listen", "0.0.0.0:0"], "--listen 0.0.0.0:0: secrets would cross the network in the clear\n"),
        (vec!["--listen", "here"], "--listen here: invalid socket address syntax\n"),
        (vec!["--data"], "--data needs a value\n"),
        (vec!["--help"], "usage: server [--listen ADDRESS] [--data DIRECTORY]\n"),
    ] {
        let output = Command::new(&*PROGRAM).args(&arguments).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text.starts_with(expected), "{arguments:?}: {text}");
    }
}
