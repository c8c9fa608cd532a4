//! Files: what is made, for whom, and what is held by others.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::run::{ALICE, BUCKET, ORG, OTHER_ORG, Place};

#[test]
fn a_file_in_use_is_said_to_be_so() {
    let place = Place::set_up();
    let _held = portcullis::RedbStore::open(place.path("tokens.redb")).unwrap();
    let refused = place.run(&["list"]);
    assert_eq!(refused.exit, 6);
    let advice = "error: `tokens.redb` is in use; stop the server that has it open, or talk to that server: --url\n";
    assert_eq!((refused.out.as_str(), refused.err.as_str()), ("", advice));
}

#[test]
fn no_command_but_setup_makes_a_file() {
    let place = Place::file();
    for arguments in [&["list"][..], &["recover", "--owner", ALICE], &["create", "--operator", "--owner", ALICE]] {
        assert_eq!(place.run(arguments).exit, 6);
    }
    assert_eq!(place.run(&["setup", "--username", "a", "--org", "b", "--bucket", "c"]).exit, 2);
    assert!(!place.path("tokens.redb").exists());
    fs::write(place.path("tokens.redb"), "something else").unwrap();
    assert_eq!(place.run(&["setup", "--owner", ALICE]).exit, 2);
    assert_eq!(fs::read_to_string(place.path("tokens.redb")).unwrap(), "something else");
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What stays of a token that is imported.
fn definition(token: &Value) -> String {
    let fields = ["kind", "status", "description", "orgID", "userID", "permissions", "expiresAt"];
    fields.map(|field| token[field].to_string()).join(" ")
}

#[test]
fn what_was_exported_is_imported_with_new_secrets_that_only_the_owner_can_read() {
    let place = Place::set_up();
    place.create(&["--org", ORG, "--read-bucket", BUCKET, "--owner", ALICE, "--expires", "2100-01-01T00:00:00Z"]);
    place.create(&["--org", ORG, "--all-access", "--owner", ALICE, "--suspended"]);
    place.create(&["--permission", "read:orgs/0a1b2c3d4e5f6071/tasks", "--owner", ALICE, "--description", "tasks"]);
    let (revoked, _) = place.create(&["--operator", "--owner", ALICE]);
    place.ok(&["revoke", &revoked, "--yes"]);
    let exported = place.ok(&["export"]).out;
    assert!(!exported.contains("pcs_"));

    let other = Place::file();
    let first = other.json(&["setup", "--owner", ALICE]);
    fs::write(other.path("exported"), &exported).unwrap();
    let answer = other.json(&["import", "exported", "--secrets", "secrets"]);
    assert_eq!(answer, serde_json::json!({ "found": 4, "created": 4, "suspended": 0, "leftOut": 1 }));

    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(other.path("secrets")).unwrap().permissions()) & 0o777,
        0o600
    );
    let secrets = lines(&fs::read_to_string(other.path("secrets")).unwrap());
    let exported = lines(&exported);
    for each in &secrets {
        let was = exported.iter().find(|token| token["id"] == each["from"]).unwrap();
        let is = &other.json(&["show", each["id"].as_str().unwrap()])["token"];
        assert_eq!(definition(is), definition(was));
        assert_ne!(is["id"], was["id"]);
        if is["status"] == "active" {
            let shown = other.run_with(&["show", "--secret-stdin", "--json"], each["secret"].as_str().unwrap());
            assert_eq!(serde_json::from_str::<Value>(&shown.out).unwrap()["token"]["id"], each["id"]);
        }
    }
    let from: BTreeSet<_> = secrets.iter().map(|each| each["from"].as_str().unwrap()).collect();
    assert_eq!(from.len(), 4);
    assert!(!from.contains(revoked.as_str()));
    assert_eq!(other.json(&["list"])["tokens"].as_array().unwrap().len(), 5);
    assert!(other.ok(&["show", first["token"]["id"].as_str().unwrap()]).out.contains("Operator"));

    // A file that is there is never written over, and what is wrong changes nothing.
    assert_eq!(other.run(&["import", "exported", "--secrets", "secrets"]).exit, 2);
    fs::write(other.path("wrong"), format!("{}\nnot JSON\n", exported[0])).unwrap();
    assert_eq!(other.run(&["import", "wrong", "--secrets", "others"]).exit, 2);
    assert!(!other.path("others").exists());
    assert_eq!(other.json(&["list"])["tokens"].as_array().unwrap().len(), 5);
}

#[test]
fn an_import_accepts_nothing_that_was_refused() {
    let (bob, carol, third_org) = ("bbbbbbbbbbbbbbbb", "cccccccccccccccc", "0a1b2c3d4e5f6073");
    let place = Place::set_up();
    let create = |org: &str, owner: &str, more: &[&str]| {
        place.create(&[&["--org", org, "--all-access", "--owner", owner, "--description", owner], more].concat()).0
    };
    let (of_suspended_owner, of_suspended_org) = (create(ORG, bob, &[]), create(OTHER_ORG, ALICE, &[]));
    // An inactive one says only that of itself.
    for more in [&[][..], &["--suspended"]] {
        create(ORG, carol, more);
        create(third_org, ALICE, more);
    }
    let inactive = create(ORG, ALICE, &["--suspended"]);
    place.ok(&["suspend", "--owner", bob]);
    place.ok(&["suspend", "--org", OTHER_ORG]);
    place.ok(&["delete", "--owner", carol, "--yes"]);
    place.ok(&["delete", "--org", third_org, "--yes"]);
    fs::write(place.path("exported"), place.ok(&["export"]).out).unwrap();

    let seen = "4, 2 of them suspended as their owner or organization was, \
                left out 4 that were revoked, had expired, or lost their owner or organization\n";
    assert_eq!(place.ok(&["import", "exported", "--dry-run"]).out, format!("would create {seen}"));
    let counts = serde_json::json!({ "found": 4, "created": 4, "suspended": 2, "leftOut": 4 });
    let other = Place::file();
    other.ok(&["setup", "--owner", ALICE]);
    fs::copy(place.path("exported"), other.path("exported")).unwrap();
    // The same file knows who was deleted, another does not.
    for place in [&place, &other] {
        assert_eq!(place.json(&["import", "exported", "--secrets", "secrets"]), counts);
        let secrets = lines(&fs::read_to_string(place.path("secrets")).unwrap());
        for each in secrets {
            let status = place.json(&["show", each["id"].as_str().unwrap()])["token"]["status"].clone();
            let from = each["from"].as_str().unwrap();
            let suspended = [&of_suspended_owner, &of_suspended_org, &inactive].iter().any(|id| *id == from);
            assert_eq!(status, if suspended { "inactive" } else { "active" }, "{each}");
        }
    }
}

/// As the manual says.
#[test]
fn a_host_with_another_prefix_of_secrets() {
    let place = Place::set_up();
    let of_host = || {
        let file = portcullis::RedbStore::open(place.path("tokens.redb")).unwrap();
        portcullis::Authority::builder().secret_prefix("acme").unwrap().open(file).wait().unwrap()
    };
    let new = portcullis::NewToken::all_access(ORG.parse().unwrap()).owner(ALICE.parse().unwrap());
    let of_acme = of_host().create(portcullis::Actor::host("test"), new).wait().unwrap().secret;
    assert_eq!(place.run_with(&["show", "--secret-stdin"], of_acme.expose()).exit, 0);

    let create = ["--org", ORG, "--all-access", "--owner", ALICE];
    let (_, generated) = place.create(&create);
    let chosen = "acme_infrastructure-as-code-secret-of-mine";
    let create = [&["create", "--secret-stdin"], &create[..]].concat();
    assert_eq!(place.run_with(&create, chosen).exit, 0);
    let host = of_host();
    assert!(host.authenticate(generated).is_ok());
    assert_eq!(host.authenticate(chosen).unwrap_err().reason(), portcullis::Reason::Malformed);
}

/// As the help of `rotate` says.
#[test]
fn one_old_secret_runs_on() {
    let place = Place::set_up();
    let (id, first) = place.create(&["--org", ORG, "--all-access", "--owner", ALICE]);
    let rotate = || place.ok(&["rotate", &id, "--overlap", "1d", "--secret-only"]).out;
    let accepted = |secret: &str| place.run_with(&["show", "--secret-stdin"], secret).exit == 0;
    let second = rotate();
    assert!(accepted(&first) && accepted(&second));
    let third = rotate();
    assert!(!accepted(&first) && accepted(&second) && accepted(&third));
}

#[test]
fn a_revoked_tree_a_suspended_owner_and_a_deleted_organization() {
    let place = Place::set_up();
    let (admin, _) = place.create(&["--org", ORG, "--all-access", "--owner", ALICE]);
    let state = |id: &str| place.json(&["show", id])["token"]["refused"].clone();
    assert_eq!(state(&admin), Value::Null);
    place.ok(&["suspend", "--owner", ALICE]);
    assert_eq!(state(&admin), "ownerSuspended");
    place.ok(&["activate", "--owner", ALICE]);
    assert_eq!(place.json(&["revoke", &admin, "--all", "--yes"])["revoked"], 1);
    assert_eq!(state(&admin), "revoked");
    let (second, _) = place.create(&["--org", ORG, "--all-access", "--owner", ALICE]);
    place.ok(&["delete", "--org", ORG, "--yes"]);
    assert_eq!(state(&second), "organizationDeleted");
    assert_eq!(place.run(&["activate", "--org", ORG]).exit, 2);
}

/// Also where all that it may do from now on is in one organization.
#[track_caller]
pub(crate) fn a_token_without_an_organization_stays_so(place: &Place, org: &str, owner: &Value) {
    let (id, _) = place.create(&["--permission", "read:buckets", "--owner", owner.as_str().unwrap()]);
    let tasks = format!("read:orgs/{org}/tasks");
    let token = &place.json(&["update", &id, "--permission", &tasks])["token"];
    let may = serde_json::json!([{ "action": "read", "resource": { "type": "tasks", "orgID": org } }]);
    assert_eq!((&token["kind"], &token["orgID"], &token["permissions"]), (&"custom".into(), &Value::Null, &may));
    let refused = place.run(&["update", &id, "--read-bucket", BUCKET]);
    let advice = "error: the token has no organization; name one in --permission, as in `read:orgs/ORG/buckets/ID`\n";
    assert_eq!((refused.exit, refused.err.as_str()), (2, advice));
}

#[test]
fn a_token_without_an_organization_is_updated() {
    a_token_without_an_organization_stays_so(&Place::set_up(), ORG, &ALICE.into());
}

#[test]
fn pages_are_read_to_the_end() {
    let place = Place::set_up();
    {
        let file = portcullis::RedbStore::open(place.path("tokens.redb")).unwrap();
        let authority = portcullis::Authority::open(file).wait().unwrap();
        let host = portcullis::Actor::host("test");
        let new = || portcullis::NewToken::all_access(ORG.parse().unwrap()).owner(ALICE.parse().unwrap());
        let pending: Vec<_> = (0..2_500).map(|_| authority.create(&host, new())).collect();
        pending.into_iter().for_each(|pending| drop(pending.wait().unwrap()));
    }
    let count = |arguments: &[&str]| place.json(arguments)["tokens"].as_array().unwrap().len();
    assert_eq!(count(&["list"]), 2_501);
    assert_eq!(count(&["list", "--org", ORG]), 2_500);
    assert_eq!(count(&["list", "--limit", "1200"]), 1_200);
    assert_eq!(place.ok(&["export"]).out.lines().count(), 2_501);
}
