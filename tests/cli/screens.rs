//! What people see. `UPDATE_EXPECT=1 cargo test --features cli --test cli` writes what is seen now into this file.

use expect_test::{Expect, expect};

use crate::run::{ALICE, BUCKET, ORG, OTHER_ORG, Place};

#[track_caller]
fn sees(place: &Place, arguments: &[&str], expected: Expect) {
    expected.assert_eq(&place.run(arguments).screen());
}

fn bucket() -> String {
    format!("orgs/{ORG}/buckets/{BUCKET}")
}

/// A file with a token that reads a bucket, and its id.
fn with_reader() -> (Place, String) {
    let place = Place::set_up();
    let reader = ["--org", ORG, "--read-bucket", BUCKET, "--owner", ALICE, "--description", "reads"];
    let (id, _) = place.create(&reader);
    (place, id)
}

#[test]
fn setup() {
    let place = Place::file();
    sees(&place, &["setup"], expect![]);
    sees(&place, &["list"], expect![]);
    sees(&place, &["setup", "--owner", ALICE], expect![]);
    sees(&place, &["setup", "--owner", ALICE], expect![]);
}

#[test]
fn create() {
    let place = Place::set_up();
    let owned = ["--owner", ALICE, "--expires", "2100-01-01T00:00:00Z"];
    let create = |more: &[&'static str]| [&["create"], &owned[..], more].concat();
    sees(&place, &create(&["--org", ORG, "--read-bucket", BUCKET, "--write-bucket", BUCKET]), expect![]);
    sees(&place, &create(&["--org", ORG, "--all-access", "--description", "admins", "--suspended"]), expect![]);
    sees(&place, &create(&["--permission", "read:orgs/0a1b2c3d4e5f6071/tasks"]), expect![]);
    sees(&place, &create(&["--operator", "--secret-only"]), expect![]);
    sees(&place, &create(&[]), expect![]);
    sees(&place, &create(&["--all-access"]), expect![]);
    sees(&place, &create(&["--org", OTHER_ORG, "--permission", "read:orgs/0a1b2c3d4e5f6071/tasks"]), expect![]);
    sees(&place, &["create", "--operator"], expect![]);
    sees(&place, &["create", "--operator", "--owner", ALICE, "--expires", "soon"], expect![]);
    sees(&place, &["create", "--operator", "--owner", ALICE, "--description", "a\nb"], expect![]);
}

#[test]
fn list_and_show() {
    let (place, id) = with_reader();
    place.create(&["--org", OTHER_ORG, "--all-access", "--owner", ALICE, "--expires", "2100-01-01T00:00:00Z"]);
    sees(&place, &["list", "--org", ORG], expect![]);
    sees(&place, &["list", "--kind", "allAccess", "--wide"], expect![]);
    sees(&place, &["list", "--status", "revoked"], expect![]);
    sees(&place, &["list", "--kind", "king"], expect![]);
    sees(&place, &["show", &id], expect![]);
    sees(&place, &["show", &id, "--json"], expect![]);
    sees(&place, &["show"], expect![]);
    sees(&place, &["show", "0123456789abcdef"], expect![]);
    sees(&place, &["show", "my token"], expect![]);
}

#[test]
fn update() {
    let (place, id) = with_reader();
    sees(&place, &["update", &id, "--description", "reads a lot", "--expires", "2100-01-01T00:00:00Z"], expect![]);
    sees(&place, &["update", &id, "--write-bucket", BUCKET, "--if-revision", "3"], expect![]);
    sees(&place, &["update", &id, "--expires", "never", "--if-revision", "3"], expect![]);
    sees(&place, &["update", &id], expect![]);
    sees(&place, &["update", &id, "--operator", "--description", "both"], expect![]);
    sees(&place, &["update", &id, "--operator"], expect![]);
}

#[test]
fn rotate() {
    let (place, id) = with_reader();
    sees(&place, &["rotate", &id], expect![]);
    sees(&place, &["rotate", &id, "--overlap", "1d"], expect![]);
    sees(&place, &["rotate", &id, "--yes", "--secret-only"], expect![]);
}

#[test]
fn suspend_and_activate() {
    let (place, id) = with_reader();
    sees(&place, &["suspend", &id], expect![]);
    sees(&place, &["suspend", "--org", ORG], expect![]);
    sees(&place, &["activate", &id], expect![]);
    sees(&place, &["list", "--org", ORG], expect![]);
    sees(&place, &["activate", "--org", ORG], expect![]);
    sees(&place, &["suspend", "--owner", ALICE], expect![]);
    sees(&place, &["suspend"], expect![]);
}

#[test]
fn revoke_and_delete() {
    let (place, id) = with_reader();
    sees(&place, &["revoke", &id], expect![]);
    sees(&place, &["revoke", &id, "--all", "--yes"], expect![]);
    sees(&place, &["revoke", &id, "--yes"], expect![]);
    sees(&place, &["activate", &id], expect![]);
    sees(&place, &["delete", &id], expect![]);
    sees(&place, &["delete", &id, "--yes"], expect![]);
    sees(&place, &["delete", &id, "--yes"], expect![]);
    sees(&place, &["delete", "--owner", ALICE, "--yes"], expect![]);
}

#[test]
fn recover() {
    let place = Place::set_up();
    sees(&place, &["recover", "--owner", ALICE], expect![]);
    sees(&place, &["recover", "--owner", ALICE, "--secret-only"], expect![]);
    let server = Place::server("http://127.0.0.1:1", None);
    sees(&server, &["recover", "--owner", ALICE], expect![]);
}

#[test]
fn check() {
    let (place, id) = with_reader();
    let (read, write) = (format!("read:{}", bucket()), format!("write:{}", bucket()));
    sees(&place, &["check", "--id", &id, &read], expect![]);
    sees(&place, &["check", "--id", &id, &read, &write], expect![]);
    sees(&place, &["check", "--id", &id, &read, &write, "--json"], expect![]);
    sees(&place, &["check", &read], expect![]);
    sees(&place, &["check", "--id", &id, "read:*"], expect![]);
    sees(&place, &["check", "--id", &id, "fly:buckets"], expect![]);
    place.ok(&["suspend", &id]);
    sees(&place, &["check", "--id", &id, &read], expect![]);
}

#[test]
fn explain() {
    let (place, id) = with_reader();
    let (read, write) = (format!("read:{}", bucket()), format!("write:{}", bucket()));
    sees(&place, &["explain", "--id", &id, &read], expect![]);
    sees(&place, &["explain", "--id", &id, &write], expect![]);
    sees(&place, &["explain", "--id", &id, &format!("read:orgs/{OTHER_ORG}/tasks")], expect![]);
    sees(&place, &["explain", "--id", &id, "write:instance", "--json"], expect![]);
    place.ok(&["suspend", &id]);
    sees(&place, &["explain", "--id", &id, &read], expect![]);
    place.ok(&["suspend", "--org", ORG]);
    place.ok(&["activate", &id]);
    sees(&place, &["explain", "--id", &id, &read], expect![]);
    let presented = place.run_with(&["explain", "--secret-stdin", &read], "mistyped\n");
    expect![].assert_eq(&presented.screen());
}

#[test]
fn diff() {
    let (place, id) = with_reader();
    let (other, _) = place.create(&["--org", ORG, "--read-bucket", BUCKET, "--write-bucket", BUCKET, "--owner", ALICE]);
    sees(&place, &["diff", &id, &other], expect![]);
    sees(&place, &["diff", &other, &id], expect![]);
    sees(&place, &["diff", &id, &id], expect![]);
    sees(&place, &["diff", &id, &other, "--json"], expect![]);
}

#[test]
fn export_and_import() {
    let (place, id) = with_reader();
    sees(&place, &["export", "--org", ORG], expect![]);
    let exported = place.ok(&["export"]).out;
    std::fs::write(place.path("exported"), exported).unwrap();
    place.ok(&["revoke", &id, "--yes"]);
    sees(&place, &["import", "exported", "--dry-run"], expect![]);
    sees(&place, &["import", "exported", "--secrets", "secrets"], expect![]);
    sees(&place, &["import", "exported", "--secrets", "secrets"], expect![]);
    sees(&place, &["import", "nowhere", "--secrets", "others"], expect![]);
    sees(&place, &["import", "exported"], expect![]);
    std::fs::write(place.path("broken"), "{}\n").unwrap();
    sees(&place, &["import", "broken", "--secrets", "others"], expect![]);
}

#[test]
fn help() {
    let place = Place::file();
    sees(&place, &["--help"], expect![]);
    sees(&place, &["create", "--help"], expect![]);
    sees(&place, &["import", "--help"], expect![]);
    sees(&place, &["crate"], expect![]);
}
