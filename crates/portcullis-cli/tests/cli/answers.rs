//! What people see of commands that answer yes or no.

use expect_test::expect;

use crate::run::{ALICE, BUCKET, ORG, OTHER_ORG, sees, with_reader};

fn bucket() -> String {
    format!("orgs/{ORG}/buckets/{BUCKET}")
}

#[test]
fn check() {
    let (place, id) = with_reader();
    let (read, write) = (format!("read:{}", bucket()), format!("write:{}", bucket()));
    sees(
        &place,
        &["check", "--id", &id, &read],
        expect![[r#"
        allowed  read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111
    "#]],
    );
    sees(
        &place,
        &["check", "--id", &id, &read, &write],
        expect![[r#"
        allowed  read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111
        denied   write:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111
        --- exit 1
    "#]],
    );
    sees(
        &place,
        &["check", "--id", &id, &read, &write, "--json"],
        expect![[r#"
        {
          "allowed": false,
          "decisions": [
            {
              "permission": {
                "action": "read",
                "resource": {
                  "type": "buckets",
                  "orgID": "0a1b2c3d4e5f6071",
                  "id": "1111111111111111"
                }
              },
              "allowed": true
            },
            {
              "permission": {
                "action": "write",
                "resource": {
                  "type": "buckets",
                  "orgID": "0a1b2c3d4e5f6071",
                  "id": "1111111111111111"
                }
              },
              "allowed": false,
              "reason": "notPermitted",
              "message": "missing permission `write:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111`",
              "missing": {
                "action": "write",
                "resource": {
                  "type": "buckets",
                  "orgID": "0a1b2c3d4e5f6071",
                  "id": "1111111111111111"
                }
              }
            }
          ]
        }
        --- exit 1
    "#]],
    );
    sees(
        &place,
        &["check", &read],
        expect![[r#"
        --- standard error
        error: on a file no token is in use; name one by its id, or say --secret-stdin or --secret-prompt
        --- exit 2
    "#]],
    );
    sees(
        &place,
        &["check", "--id", &id, "read:*"],
        expect![[r#"
        --- standard error
        error: invalid value 'read:*' for '<REQUEST>...': a request is about one type of resource, not `*`

        For more information, try '--help'.
        --- exit 2
    "#]],
    );
    sees(
        &place,
        &["check", "--id", &id, "fly:buckets"],
        expect![[r#"
            denied  fly:buckets
            --- exit 1
        "#]],
    );
    sees(
        &place,
        &["check", "--id", &id, "f*y:buckets"],
        expect![[r#"
        --- standard error
        error: invalid value 'f*y:buckets' for '<REQUEST>...': unknown action `f*y`, expected `read`, `write` or a verb: a verb is a letter followed by letters, digits, `-` and `_`; the character at position 1 is none of these

        For more information, try '--help'.
        --- exit 2
    "#]],
    );
    sees(
        &place,
        &["check", "--id", &id, "*:buckets"],
        expect![[r#"
        --- standard error
        error: invalid value '*:buckets' for '<REQUEST>...': a request is for one action, not `*`

        For more information, try '--help'.
        --- exit 2
    "#]],
    );
    place.ok(&["suspend", &id]);
    sees(
        &place,
        &["check", "--id", &id, &read],
        expect![[r#"
        denied  read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111  the token is inactive
        --- exit 1
    "#]],
    );
}

#[test]
fn explain() {
    let (place, id) = with_reader();
    let (read, write) = (format!("read:{}", bucket()), format!("write:{}", bucket()));
    sees(
        &place,
        &["explain", "--id", &id, &read],
        expect![[r#"
            answer   allowed
            request  read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111
            because  it has `read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111`
            token    00000000-0000-0000-0000-000000000001 (Read/Write), active
            it has   read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111
        "#]],
    );
    sees(
        &place,
        &["explain", "--id", &id, &write],
        expect![[r#"
            answer    denied
            request   write:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111
            because   missing permission `write:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111`
            would do  `write:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111`, that and nothing else
                      `write:orgs/0a1b2c3d4e5f6071/buckets`, later ones too
                      an all-access token of organization `0a1b2c3d4e5f6071`
                      an operator token
            token     00000000-0000-0000-0000-000000000001 (Read/Write), active
            it has    read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111
            --- exit 1
        "#]],
    );
    sees(
        &place,
        &["explain", "--id", &id, &format!("read:orgs/{OTHER_ORG}/tasks")],
        expect![[r#"
            answer    denied
            request   read:orgs/0a1b2c3d4e5f6072/tasks
            because   missing permission `read:orgs/0a1b2c3d4e5f6072/tasks`
            would do  `read:orgs/0a1b2c3d4e5f6072/tasks`, that and nothing else
                      an all-access token of organization `0a1b2c3d4e5f6072`
                      an operator token
                      but in another token: this one is of organization `0a1b2c3d4e5f6071` for good
            token     00000000-0000-0000-0000-000000000001 (Read/Write), active
            it has    read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111
            --- exit 1
        "#]],
    );
    sees(
        &place,
        &["explain", "--id", &id, "write:instance", "--json"],
        expect![[r#"
        {
          "permission": {
            "action": "write",
            "resource": {
              "type": "instance"
            }
          },
          "allowed": false,
          "reason": "notPermitted",
          "message": "missing permission `write:instance`",
          "missing": {
            "action": "write",
            "resource": {
              "type": "instance"
            }
          },
          "grantedBy": [],
          "wouldDo": [
            "`write:instance`, that and nothing else",
            "an operator token",
            "but in another token: this one is of organization `0a1b2c3d4e5f6071` for good"
          ],
          "token": {
            "id": "00000000-0000-0000-0000-000000000001",
            "kind": "readWrite",
            "status": "active",
            "description": "reads",
            "orgID": "0a1b2c3d4e5f6071",
            "userID": "aaaaaaaaaaaaaaaa",
            "permissions": [
              {
                "action": "read",
                "resource": {
                  "type": "buckets",
                  "orgID": "0a1b2c3d4e5f6071",
                  "id": "1111111111111111"
                }
              }
            ],
            "createdBy": "host: portcullis",
            "createdAt": "2026-11-24T00:00:00.000000Z",
            "updatedAt": "2026-11-24T00:00:00.000000Z",
            "expiresAt": null,
            "lastUsedAt": null,
            "refused": null,
            "revision": 2
          }
        }
        --- exit 1
    "#]],
    );
    place.ok(&["suspend", &id]);
    sees(
        &place,
        &["explain", "--id", &id, &read],
        expect![[r#"
            answer    denied
            request   read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111
            because   the token is inactive
                      it has `read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111`
            would do  portcullis activate 00000000-0000-0000-0000-000000000001
            token     00000000-0000-0000-0000-000000000001 (Read/Write), inactive
            it has    read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111
            --- exit 1
        "#]],
    );
    place.ok(&["suspend", "--org", ORG]);
    place.ok(&["activate", &id]);
    sees(
        &place,
        &["explain", "--id", &id, &read],
        expect![[r#"
            answer    denied
            request   read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111
            because   the token's organization is suspended
                      it has `read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111`
            would do  portcullis activate --org 0a1b2c3d4e5f6071
            token     00000000-0000-0000-0000-000000000001 (Read/Write), organizationSuspended
            it has    read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111
            --- exit 1
        "#]],
    );
    let presented = place.run_with(&["explain", "--secret-stdin", &read], "mistyped\n");
    expect![[r#"
        answer    denied
        request   read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111
        because   the secret is malformed
        would do  the secret of a token that is in use; this one may be mistyped, or was replaced
        --- exit 1
    "#]]
    .assert_eq(&presented.screen());
}

/// Nor is it said to be mistyped where it is not.
#[test]
fn a_secret_is_explained_by_what_its_token_is_refused_for() {
    let (place, _) = with_reader();
    let (id, secret) = place.create(&["--org", ORG, "--all-access", "--owner", ALICE]);
    let read = format!("read:{}", bucket());
    let would_do = || {
        let explained = place.run_with(&["explain", "--secret-stdin", &read, "--json"], &secret);
        assert_eq!(explained.exit, 1, "{explained:?}");
        serde_json::from_str::<serde_json::Value>(&explained.out).unwrap()["wouldDo"].clone()
    };
    place.ok(&["suspend", &id]);
    assert_eq!(would_do(), serde_json::json!(["portcullis activate TOKEN"]));
    place.ok(&["activate", &id]);
    place.ok(&["suspend", "--owner", ALICE]);
    assert_eq!(would_do(), serde_json::json!(["portcullis activate --owner USER"]));
    place.ok(&["activate", "--owner", ALICE]);
    place.ok(&["suspend", "--org", ORG]);
    assert_eq!(would_do(), serde_json::json!(["portcullis activate --org ORG"]));
    place.ok(&["activate", "--org", ORG]);
    place.ok(&["update", &id, "--expires", "1s"]);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    assert_eq!(would_do(), serde_json::json!(["portcullis update TOKEN --expires 90d"]));
    place.ok(&["revoke", &id, "--yes"]);
    assert_eq!(would_do(), serde_json::json!(["another token; that is for good"]));
}

#[test]
fn diff() {
    let (place, id) = with_reader();
    let (other, _) = place.create(&["--org", ORG, "--read-bucket", BUCKET, "--write-bucket", BUCKET, "--owner", ALICE]);
    sees(
        &place,
        &["diff", &id, &other],
        expect![[r#"
        + write:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111
        --- exit 1
    "#]],
    );
    sees(
        &place,
        &["diff", &other, &id],
        expect![[r#"
        - write:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111
        --- exit 1
    "#]],
    );
    sees(
        &place,
        &["diff", &id, &id],
        expect![[r#"
        both may do the same
    "#]],
    );
    sees(
        &place,
        &["diff", &id, &other, "--json"],
        expect![[r#"
        {
          "onlyFirst": [],
          "onlySecond": [
            {
              "action": "write",
              "resource": {
                "id": "1111111111111111",
                "orgID": "0a1b2c3d4e5f6071",
                "type": "buckets"
              }
            }
          ],
          "same": false
        }
        --- exit 1
    "#]],
    );
}
