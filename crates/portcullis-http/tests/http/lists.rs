//! `GET /api/v2/authorizations`, and one.

use portcullis::{Issued, NewToken, ResourceId};
use serde_json::{Value, json};

use crate::app::{App, TOKENS, at, refused};
use test_support::fixture::{HOUR, START, bucket, custom, host, ok, org, user};

struct Listed {
    app: App,
    admin: Issued,
    other: Issued,
    bobs: Issued,
    sensor: Issued,
}

impl Listed {
    fn new() -> Self {
        let app = App::new();
        let (admin, other) = (app.all_access(org(1)), app.all_access(org(2)));
        let bobs = app.authority.create(host(), NewToken::all_access(org(1)).owner(user(2))).wait().unwrap();
        let end = START.saturating_add(HOUR);
        let sensor = NewToken::read_write(org(1)).write(bucket(1)).expires_at(end);
        let sensor = app.authority.create(&app.authority.authenticate(admin.secret.expose()).unwrap(), sensor);
        let sensor = sensor.wait().unwrap();
        Self { app, admin, other, bobs, sensor }
    }

    /// The names of the tokens in a list, sorted.
    fn names(&self, list: &Value) -> String {
        let name = |token: &Value| {
            let known = [
                ("root", &self.app.root),
                ("admin", &self.admin),
                ("other", &self.other),
                ("bobs", &self.bobs),
                ("sensor", &self.sensor),
            ];
            known.into_iter().find(|(_, known)| json!(known.token.id()) == token["id"]).unwrap().0
        };
        let mut names: Vec<_> = list["authorizations"].as_array().unwrap().iter().map(name).collect();
        names.sort_unstable();
        names.join(" ")
    }

    #[track_caller]
    fn list(&self, who: &Issued, query: &str) -> String {
        self.names(&self.app.by(who).get(&format!("{TOKENS}?{query}")).ok())
    }
}

#[test]
fn rule_12_a_list_shows_what_the_caller_may_see() {
    let world = Listed::new();
    assert_eq!(world.list(&world.app.root, ""), "admin bobs other root sensor");
    assert_eq!(world.list(&world.admin, ""), "admin bobs sensor");
    assert_eq!(world.list(&world.other, ""), "other");
    assert_eq!(world.list(&world.sensor, ""), "sensor");
    assert_eq!(world.list(&world.other, &format!("orgID={}", org(1))), "");
    let blind = world.app.issue(custom(org(1), &["write:orgs/O/authorizations"]));
    let list = world.app.by(&blind).get(TOKENS).ok();
    assert_eq!(list["authorizations"].as_array().unwrap().len(), 1);
}

#[test]
fn filters_all_apply_ids_beat_names_and_empty_ones_are_ignored() {
    let world = Listed::new();
    let root = &world.app.root;
    for (query, expected) in [
        (format!("orgID={}", org(1)), "admin bobs sensor"),
        ("org=acme".into(), "admin bobs sensor"),
        (format!("org=globex&orgID={}", org(1)), "admin bobs sensor"),
        (format!("userID={}", user(2)), "bobs"),
        ("user=bob".into(), "bobs"),
        (format!("user=alice&userID={}", user(2)), "bobs"),
        ("org=globex&user=bob".into(), ""),
        ("kind=operator".into(), "root"),
        ("kind=readWrite".into(), "sensor"),
        ("status=inactive".into(), ""),
        (format!("createdBy={}", world.admin.token.id()), "sensor"),
        (format!("expiresBy={}", START.saturating_add(HOUR)), "sensor"),
        (format!("expiresBy={START}"), ""),
        (format!("orgID={}", org(7)), ""),
        (format!("userID={}", user(7)), ""),
        ("org=&user=&orgID=&limit=&after=&token=x&unknown=y&offset=0".into(), "admin bobs other root sensor"),
        (format!("id={}&org=nowhere", world.sensor.token.id()), "sensor"),
    ] {
        assert_eq!(world.list(root, &query), expected, "{query}");
    }
}

#[test]
fn unknown_names_and_malformed_parameters() {
    let world = Listed::new();
    let root = |query: &str| world.app.operator().get(&format!("{TOKENS}?{query}"));
    refused(&root("org=nowhere"), 404, "not found", "organization name \"nowhere\" not found");
    refused(&root("user=nobody"), 404, "not found", "user not found");
    refused(&root("id=0000000000000001"), 404, "not found", "authorization not found");
    // To others, an organization looks as if it did not exist.
    let answer = world.app.by(&world.admin).get(&format!("{TOKENS}?org=globex"));
    refused(&answer, 404, "not found", "organization name \"globex\" not found");
    for query in [
        "orgID=x",
        "userID=0000000000000000",
        "id=12",
        "kind=king",
        "status=paused",
        "createdBy=me",
        "expiresBy=soon",
        "limit=-1",
        "limit=x",
        "after=x",
        "offset=3",
        "org=a&org=b",
    ] {
        let answer = root(query);
        assert_eq!((answer.status, answer.error().1.as_str()), (400, "invalid"), "{query}");
    }
}

#[test]
fn pages_lead_to_each_other() {
    let world = Listed::new();
    let (mut path, mut seen, mut pages) = (format!("{TOKENS}?limit=2&org=acme&status=active"), Vec::new(), 0);
    loop {
        let page = world.app.operator().get(&path).ok();
        let tokens = page["authorizations"].as_array().unwrap();
        assert!(tokens.len() <= 2);
        seen.extend(tokens.iter().map(|token| token["id"].as_str().unwrap().to_owned()));
        pages += 1;
        match page["links"]["next"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    assert!(pages >= 2);
    let sorted: std::collections::BTreeSet<_> = seen.iter().cloned().collect();
    assert_eq!((seen.len(), sorted.len()), (3, 3));
    let zero = world.app.operator().get(&format!("{TOKENS}?limit=0")).ok();
    assert_eq!(zero["authorizations"].as_array().unwrap().len(), 1);
}

/// On so many buckets.
fn wide(buckets: u64) -> NewToken {
    (1..=buckets)
        .fold(NewToken::read_write(org(1)), |new, number| {
            let bucket = ResourceId::try_from(number).unwrap();
            new.read(bucket).write(bucket)
        })
        .checked()
        .unwrap()
}

#[test]
fn an_answer_holds_no_more_than_so_many_permissions_and_leads_on() {
    let app = App::new();
    let mut made = vec![app.root.token.id()];
    made.extend((0..6).map(|_| app.issue(wide(10_000)).token.id()));
    made.sort_unstable();
    let (mut path, mut seen, mut pages) = (TOKENS.to_owned(), Vec::new(), 0);
    loop {
        let page = app.operator().get(&path).ok();
        let tokens = page["authorizations"].as_array().unwrap();
        let permissions = |token: &Value| token["permissions"].as_array().unwrap().len();
        assert!(tokens.iter().map(permissions).sum::<usize>() <= 100_000);
        assert!(!tokens.is_empty());
        seen.extend(tokens.iter().map(|token| token["id"].clone()));
        pages += 1;
        match page["links"]["next"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    assert_eq!((pages, json!(seen)), (2, json!(made)));
}

#[test]
fn more_permissions_than_a_client_can_send_are_shown_in_few_words() {
    let app = App::new();
    let starred = |patterns: u64| {
        let one = |id: u64| ["read", "write"].map(|action| format!("{action}:orgs/O/*/{id:016x}"));
        let texts: Vec<_> = (1..=patterns).flat_map(one).collect();
        custom(org(1), &texts.iter().map(String::as_str).collect::<Vec<_>>())
    };
    // Of each, 22 types to read and to write.
    for (patterns, shown, kind) in [(400, 400 * 44, "authorizations"), (500, 500 * 2, "*")] {
        let path = at(app.issue(starred(patterns)).token.id());
        let (token, grants) = (app.operator().get(&path).ok(), app.operator().get(&format!("{path}/permissions")).ok());
        for (permissions, number) in
            [(&token["permissions"], shown), (&grants["expanded"], shown), (&grants["permissions"], patterns * 2)]
        {
            assert_eq!(permissions.as_array().unwrap().len() as u64, number, "{patterns}");
        }
        assert_eq!(token["permissions"][0]["resource"]["type"], kind);
    }
}

#[test]
fn one_token_for_those_who_may_see_it() {
    let world = Listed::new();
    let path = at(world.admin.token.id());
    for who in [&world.app.root, &world.admin, &world.bobs] {
        assert_eq!(world.app.by(who).get(&path).ok()["id"], json!(world.admin.token.id()));
    }
    for who in [&world.other, &world.sensor] {
        refused(&world.app.by(who).get(&path), 404, "not found", "authorization not found");
    }
    refused(
        &world.app.by(&world.admin).get(&at(world.app.root.token.id())),
        404,
        "not found",
        "authorization not found",
    );
    let upper = format!("{TOKENS}/{}", world.admin.token.id().to_string().to_uppercase());
    assert_eq!(world.app.operator().get(&upper).status, 200);
    for bad in ["x", "0000000000000000", "%ff", "..", "0a1b2c3d4e5f607"] {
        let answer = world.app.operator().get(&format!("{TOKENS}/{bad}"));
        assert_eq!((answer.status, answer.error().1.as_str()), (400, "invalid"), "{bad}");
    }
}

#[test]
fn rule_11_whoami() {
    let world = Listed::new();
    for who in [&world.app.root, &world.admin, &world.sensor] {
        let token = world.app.by(who).get(&format!("{TOKENS}/me")).ok();
        assert_eq!((&token["id"], &token["token"]), (&json!(who.token.id()), &json!("")));
    }
    ok(world.app.authority.revoke(host(), world.sensor.token.id()));
    let answer = world.app.by(&world.sensor).get(&format!("{TOKENS}/me"));
    refused(&answer, 401, "unauthorized", "unauthorized access");
}
