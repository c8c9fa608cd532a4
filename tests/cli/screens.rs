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
    sees(
        &place,
        &["setup"],
        expect![[r#"
        --- standard error
        error: setup takes --owner on a file, and --username, --org and --bucket on a server
        --- exit 2
    "#]],
    );
    sees(
        &place,
        &["list"],
        expect![[r#"
        --- standard error
        error: `tokens.redb` does not exist; make a token file with `portcullis --file tokens.redb setup`
        --- exit 4
    "#]],
    );
    sees(
        &place,
        &["setup", "--owner", ALICE],
        expect![[r#"
        pcs_*************************************************
        --- standard error
        id           00000000-0000-0000-0000-000000000001
        kind         operator
        status       active
        description
        owner        aaaaaaaaaaaaaaaa
        permissions  read:*
                     write:*
        created      2026-11-24T00:00:00Z by host: setup
        updated      2026-11-24T00:00:00Z
        expires      never
        last used    never
        revision     1
    "#]],
    );
    sees(
        &place,
        &["setup", "--owner", ALICE],
        expect![[r#"
        --- standard error
        error: setup was done before; `portcullis recover` makes another operator token on a file
        --- exit 5
    "#]],
    );
}

#[test]
fn create() {
    let place = Place::set_up();
    let owned = ["--owner", ALICE, "--expires", "2100-01-01T00:00:00Z"];
    let create = |more: &[&'static str]| [&["create"], &owned[..], more].concat();
    sees(
        &place,
        &create(&["--org", ORG, "--read-bucket", BUCKET, "--write-bucket", BUCKET]),
        expect![[r#"
        pcs_*************************************************
        --- standard error
        id            00000000-0000-0000-0000-000000000001
        kind          readWrite
        status        active
        description
        organization  0a1b2c3d4e5f6071
        owner         aaaaaaaaaaaaaaaa
        permissions   read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111
                      write:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111
        created       2026-11-24T00:00:00Z by host: portcullis
        updated       2026-11-24T00:00:00Z
        expires       2100-01-01T00:00:00Z
        last used     never
        revision      2
    "#]],
    );
    sees(
        &place,
        &create(&["--org", ORG, "--all-access", "--description", "admins", "--suspended"]),
        expect![[r#"
        pcs_*************************************************
        --- standard error
        id            00000000-0000-0000-0000-000000000001
        kind          allAccess
        status        inactive
        description   admins
        organization  0a1b2c3d4e5f6071
        owner         aaaaaaaaaaaaaaaa
        permissions   read:orgs/0a1b2c3d4e5f6071/*
                      write:orgs/0a1b2c3d4e5f6071/*
        created       2026-11-24T00:00:00Z by host: portcullis
        updated       2026-11-24T00:00:00Z
        expires       2100-01-01T00:00:00Z
        last used     never
        revision      3
    "#]],
    );
    sees(
        &place,
        &create(&["--permission", "read:orgs/0a1b2c3d4e5f6071/tasks"]),
        expect![[r#"
        pcs_*************************************************
        --- standard error
        id            00000000-0000-0000-0000-000000000001
        kind          custom
        status        active
        description
        organization  0a1b2c3d4e5f6071
        owner         aaaaaaaaaaaaaaaa
        permissions   read:orgs/0a1b2c3d4e5f6071/tasks
        created       2026-11-24T00:00:00Z by host: portcullis
        updated       2026-11-24T00:00:00Z
        expires       2100-01-01T00:00:00Z
        last used     never
        revision      4
    "#]],
    );
    sees(
        &place,
        &create(&["--operator", "--secret-only"]),
        expect![[r#"
        pcs_*************************************************
    "#]],
    );
    sees(
        &place,
        &create(&[]),
        expect![[r#"
        --- standard error
        error: what may the token do? say at least one of --operator, --all-access, --read-bucket, --write-bucket, --permission
        --- exit 2
    "#]],
    );
    sees(
        &place,
        &create(&["--all-access"]),
        expect![[r#"
        --- standard error
        error: in which organization? say --org ID
        --- exit 2
    "#]],
    );
    sees(
        &place,
        &create(&["--org", OTHER_ORG, "--permission", "read:orgs/0a1b2c3d4e5f6071/tasks"]),
        expect![[r#"
        --- standard error
        error: permission `read:orgs/0a1b2c3d4e5f6071/tasks` is not for organization `0a1b2c3d4e5f6072`
        --- exit 2
    "#]],
    );
    sees(
        &place,
        &["create", "--operator"],
        expect![[r#"
        --- standard error
        error: whose token is it? say `--owner ID`
        --- exit 2
    "#]],
    );
    sees(
        &place,
        &["create", "--operator", "--owner", ALICE, "--expires", "soon"],
        expect![[r#"
        --- standard error
        error: invalid value 'soon' for '--expires <WHEN>': expected a duration such as `90d` or `12h`, a time such as `2026-11-24T00:00:00Z`, or `never`

        For more information, try '--help'.
        --- exit 2
    "#]],
    );
    sees(
        &place,
        &["create", "--operator", "--owner", ALICE, "--description", "a\nb"],
        expect![[r#"
        --- standard error
        error: a description has no control characters, this one has one at position 1
        --- exit 2
    "#]],
    );
}

#[test]
fn list_and_show() {
    let (place, id) = with_reader();
    place.create(&["--org", OTHER_ORG, "--all-access", "--owner", ALICE, "--expires", "2100-01-01T00:00:00Z"]);
    sees(
        &place,
        &["list", "--org", ORG],
        expect![[r#"
        ID                                    KIND       STATUS  ORGANIZATION      EXPIRES  DESCRIPTION
        00000000-0000-0000-0000-000000000001  readWrite  active  0a1b2c3d4e5f6071  never    reads
    "#]],
    );
    sees(
        &place,
        &["list", "--kind", "allAccess", "--wide"],
        expect![[r#"
        ID                                    KIND       STATUS  ORGANIZATION      EXPIRES               DESCRIPTION  OWNER             CREATED BY        CREATED               LAST USED
        00000000-0000-0000-0000-000000000001  allAccess  active  0a1b2c3d4e5f6072  2100-01-01T00:00:00Z               aaaaaaaaaaaaaaaa  host: portcullis  2026-11-24T00:00:00Z  never
    "#]],
    );
    sees(
        &place,
        &["list", "--status", "revoked"],
        expect![[r#"
        ID  KIND  STATUS  ORGANIZATION  EXPIRES  DESCRIPTION
    "#]],
    );
    sees(
        &place,
        &["list", "--kind", "king"],
        expect![[r#"
        --- standard error
        error: invalid value 'king' for '--kind <KIND>': unknown kind of token, expected `operator`, `allAccess`, `readWrite` or `custom`

        For more information, try '--help'.
        --- exit 2
    "#]],
    );
    sees(
        &place,
        &["show", &id],
        expect![[r#"
        id            00000000-0000-0000-0000-000000000001
        kind          readWrite
        status        active
        description   reads
        organization  0a1b2c3d4e5f6071
        owner         aaaaaaaaaaaaaaaa
        permissions   read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111
        created       2026-11-24T00:00:00Z by host: portcullis
        updated       2026-11-24T00:00:00Z
        expires       never
        last used     never
        revision      2
    "#]],
    );
    sees(
        &place,
        &["show", &id, "--json"],
        expect![[r#"
        {
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
    "#]],
    );
    sees(
        &place,
        &["show"],
        expect![[r#"
        --- standard error
        error: on a file no token is in use; name one by its id, or say --secret-stdin or --secret-prompt
        --- exit 2
    "#]],
    );
    sees(
        &place,
        &["show", "0123456789abcdef"],
        expect![[r#"
        --- standard error
        error: token `0123456789abcdef` not found
        --- exit 4
    "#]],
    );
    sees(
        &place,
        &["show", "my token"],
        expect![[r#"
        --- standard error
        error: invalid value 'my token' for '[TOKEN]': `my token` is neither 16 hexadecimal digits nor a hyphenated UUID

        For more information, try '--help'.
        --- exit 2
    "#]],
    );
}

#[test]
fn update() {
    let (place, id) = with_reader();
    sees(
        &place,
        &["update", &id, "--description", "reads a lot", "--expires", "2100-01-01T00:00:00Z"],
        expect![[r#"
        id            00000000-0000-0000-0000-000000000001
        kind          readWrite
        status        active
        description   reads a lot
        organization  0a1b2c3d4e5f6071
        owner         aaaaaaaaaaaaaaaa
        permissions   read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111
        created       2026-11-24T00:00:00Z by host: portcullis
        updated       2026-11-24T00:00:00Z
        expires       2100-01-01T00:00:00Z
        last used     never
        revision      3
    "#]],
    );
    sees(
        &place,
        &["update", &id, "--write-bucket", BUCKET, "--if-revision", "3"],
        expect![[r#"
        id            00000000-0000-0000-0000-000000000001
        kind          readWrite
        status        active
        description   reads a lot
        organization  0a1b2c3d4e5f6071
        owner         aaaaaaaaaaaaaaaa
        permissions   write:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111
        created       2026-11-24T00:00:00Z by host: portcullis
        updated       2026-11-24T00:00:00Z
        expires       2100-01-01T00:00:00Z
        last used     never
        revision      4
    "#]],
    );
    sees(
        &place,
        &["update", &id, "--expires", "never", "--if-revision", "3"],
        expect![[r#"
        --- standard error
        error: token `00000000-0000-0000-0000-000000000001` is at revision 4, not 3; read it again
        --- exit 5
    "#]],
    );
    sees(
        &place,
        &["update", &id],
        expect![[r#"
        --- standard error
        error: nothing to change; see `portcullis update --help`
        --- exit 2
    "#]],
    );
    sees(
        &place,
        &["update", &id, "--operator", "--description", "both"],
        expect![[r#"
        --- standard error
        error: what a token may do is changed apart from the rest; make it two commands
        --- exit 2
    "#]],
    );
    sees(
        &place,
        &["update", &id, "--operator"],
        expect![[r#"
        --- standard error
        error: a token cannot move to another organization
        --- exit 2
    "#]],
    );
}

#[test]
fn rotate() {
    let (place, id) = with_reader();
    sees(
        &place,
        &["rotate", &id],
        expect![[r#"
        --- standard error
        error: stop the present secret of token `00000000-0000-0000-0000-000000000001` at once? this cannot be undone, and nobody is here to ask: say --yes
        --- exit 2
    "#]],
    );
    sees(
        &place,
        &["rotate", &id, "--overlap", "1d"],
        expect![[r#"
        pcs_*************************************************
        --- standard error
        id            00000000-0000-0000-0000-000000000001
        kind          readWrite
        status        active
        description   reads
        organization  0a1b2c3d4e5f6071
        owner         aaaaaaaaaaaaaaaa
        permissions   read:orgs/0a1b2c3d4e5f6071/buckets/1111111111111111
        created       2026-11-24T00:00:00Z by host: portcullis
        updated       2026-11-24T00:00:00Z
        expires       never
        last used     never
        revision      3
    "#]],
    );
    sees(
        &place,
        &["rotate", &id, "--yes", "--secret-only"],
        expect![[r#"
        pcs_*************************************************
    "#]],
    );
}

#[test]
fn suspend_and_activate() {
    let (place, id) = with_reader();
    sees(
        &place,
        &["suspend", &id],
        expect![[r#"
        suspended token `00000000-0000-0000-0000-000000000001`
    "#]],
    );
    sees(
        &place,
        &["suspend", "--org", ORG],
        expect![[r#"
        suspended organization `0a1b2c3d4e5f6071` with all tokens
    "#]],
    );
    sees(
        &place,
        &["activate", &id],
        expect![[r#"
        activated token `00000000-0000-0000-0000-000000000001`; it is still refused: organizationSuspended
    "#]],
    );
    sees(
        &place,
        &["list", "--org", ORG],
        expect![[r#"
        ID                                    KIND       STATUS                 ORGANIZATION      EXPIRES  DESCRIPTION
        00000000-0000-0000-0000-000000000001  readWrite  organizationSuspended  0a1b2c3d4e5f6071  never    reads
    "#]],
    );
    sees(
        &place,
        &["activate", "--org", ORG],
        expect![[r#"
        activated organization `0a1b2c3d4e5f6071` with all tokens
    "#]],
    );
    sees(
        &place,
        &["suspend", "--owner", ALICE],
        expect![[r#"
        suspended owner `aaaaaaaaaaaaaaaa` with all tokens
    "#]],
    );
    sees(
        &place,
        &["suspend"],
        expect![[r#"
        --- standard error
        error: the following required arguments were not provided:
          <TOKEN|--owner <USER>|--org <ORG>>

        Usage: portcullis suspend <TOKEN|--owner <USER>|--org <ORG>>

        For more information, try '--help'.
        --- exit 2
    "#]],
    );
}

#[test]
fn revoke_and_delete() {
    let (place, id) = with_reader();
    sees(
        &place,
        &["revoke", &id],
        expect![[r#"
        --- standard error
        error: revoke token `00000000-0000-0000-0000-000000000001`? this cannot be undone, and nobody is here to ask: say --yes
        --- exit 2
    "#]],
    );
    sees(
        &place,
        &["revoke", &id, "--all", "--yes"],
        expect![[r#"
        revoked 1 token
    "#]],
    );
    sees(
        &place,
        &["revoke", &id, "--yes"],
        expect![[r#"
        revoked already
    "#]],
    );
    sees(
        &place,
        &["activate", &id],
        expect![[r#"
        --- standard error
        error: token `00000000-0000-0000-0000-000000000001` is revoked, which is final; create a new one
        --- exit 5
    "#]],
    );
    sees(
        &place,
        &["delete", &id],
        expect![[r#"
        --- standard error
        error: delete token `00000000-0000-0000-0000-000000000001`? this cannot be undone, and nobody is here to ask: say --yes
        --- exit 2
    "#]],
    );
    sees(
        &place,
        &["delete", &id, "--yes"],
        expect![[r#"
        deleted token `00000000-0000-0000-0000-000000000001`
    "#]],
    );
    sees(
        &place,
        &["delete", &id, "--yes"],
        expect![[r#"
        --- standard error
        error: token `00000000-0000-0000-0000-000000000001` not found
        --- exit 4
    "#]],
    );
    sees(
        &place,
        &["delete", "--owner", ALICE, "--yes"],
        expect![[r#"
        deleted owner `aaaaaaaaaaaaaaaa` with all tokens
    "#]],
    );
}

#[test]
fn recover() {
    let place = Place::set_up();
    sees(
        &place,
        &["recover", "--owner", ALICE],
        expect![[r#"
        pcs_*************************************************
        --- standard error
        id           00000000-0000-0000-0000-000000000001
        kind         operator
        status       active
        description  recovery
        owner        aaaaaaaaaaaaaaaa
        permissions  read:*
                     write:*
        created      2026-11-24T00:00:00Z by host: portcullis
        updated      2026-11-24T00:00:00Z
        expires      never
        last used    never
        revision     2
    "#]],
    );
    sees(
        &place,
        &["recover", "--owner", ALICE, "--secret-only"],
        expect![[r#"
        pcs_*************************************************
    "#]],
    );
    let server = Place::server("http://127.0.0.1:1", None);
    sees(
        &server,
        &["recover", "--owner", ALICE],
        expect![[r#"
        --- standard error
        error: `recover` needs no token, so it works on a file only: stop the server and say --file
        --- exit 2
    "#]],
    );
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
        --- standard error
        error: invalid value 'fly:buckets' for '<REQUEST>...': unknown action `fly`, expected `read` or `write`

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
        token    00000000-0000-0000-0000-000000000001 (readWrite), active
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
        token     00000000-0000-0000-0000-000000000001 (readWrite), active
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
        token     00000000-0000-0000-0000-000000000001 (readWrite), active
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
        token     00000000-0000-0000-0000-000000000001 (readWrite), inactive
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
        token     00000000-0000-0000-0000-000000000001 (readWrite), organizationSuspended
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

#[test]
fn export_and_import() {
    let (place, id) = with_reader();
    sees(
        &place,
        &["export", "--org", ORG],
        expect![[r#"
        {"id":"00000000-0000-0000-0000-000000000001","kind":"readWrite","status":"active","description":"reads","orgID":"0a1b2c3d4e5f6071","userID":"aaaaaaaaaaaaaaaa","permissions":[{"action":"read","resource":{"type":"buckets","orgID":"0a1b2c3d4e5f6071","id":"1111111111111111"}}],"createdBy":"host: portcullis","createdAt":"2026-11-24T00:00:00.000000Z","updatedAt":"2026-11-24T00:00:00.000000Z","expiresAt":null,"lastUsedAt":null,"refused":null,"revision":2}
    "#]],
    );
    let exported = place.ok(&["export"]).out;
    std::fs::write(place.path("exported"), exported).unwrap();
    place.ok(&["revoke", &id, "--yes"]);
    sees(
        &place,
        &["import", "exported", "--dry-run"],
        expect![[r#"
        would create 2, left out 0 that were revoked or had expired
    "#]],
    );
    sees(
        &place,
        &["import", "exported", "--secrets", "secrets"],
        expect![[r#"
        created 2, left out 0 that were revoked or had expired
    "#]],
    );
    sees(
        &place,
        &["import", "exported", "--secrets", "secrets"],
        expect![[r#"
        --- standard error
        error: `secrets` cannot be made; name a file that does not exist yet: File exists (os error 17)
        --- exit 2
    "#]],
    );
    sees(
        &place,
        &["import", "nowhere", "--secrets", "others"],
        expect![[r#"
        --- standard error
        error: `nowhere` cannot be read: No such file or directory (os error 2)
        --- exit 2
    "#]],
    );
    sees(
        &place,
        &["import", "exported"],
        expect![[r#"
        --- standard error
        error: the following required arguments were not provided:
          --secrets <FILE>

        Usage: portcullis import --secrets <FILE> <FILE>

        For more information, try '--help'.
        --- exit 2
    "#]],
    );
    std::fs::write(place.path("broken"), "{}\n").unwrap();
    sees(
        &place,
        &["import", "broken", "--secrets", "others"],
        expect![[r#"
        --- standard error
        error: line 1 of `broken` is no exported token; nothing was created: missing field `id` at line 1 column 2
        --- exit 2
    "#]],
    );
}

#[test]
fn help() {
    let place = Place::file();
    sees(
        &place,
        &["--help"],
        expect![[r#"
        API tokens: who may do what, on a running server or on a token file

        On a server (--url) a command may do what its token may; the token comes from --token-file, from
        PORTCULLIS_TOKEN, or is asked for. On a file (--file) that no server has open, a command is the host
        itself and may do everything.

        Usage: portcullis [OPTIONS] <COMMAND>

        Commands:
          setup       Make the first operator token, once
          create      Create a token and show its secret, once
          list        List the tokens that may be seen
          show        Show one token: by its id, by its secret, or the one in use
          update      Change a token's description, its expiry, or what it may do
          rotate      Give a token a new secret and show it, once
          suspend     Refuse a token until it is activated
          activate    Accept a suspended token again
          revoke      Refuse a token for good; it stays listed
          delete      Delete a token
          recover     Make another operator token on a file, when the others are lost
          check       Say whether a token may do something, in the exit code too
          explain     Say why a token may do something or not, what is missing, and what would do
          diff        Say what one token may do that another may not
          export      Print everything about tokens but their secrets, as lines of JSON
          import      Create tokens as they were exported, with new ids and new secrets
          completion  Print a script that completes commands in a shell
          help        Print this message or the help of the given subcommand(s)

        Options:
          -h, --help
                  Print help (see a summary with '-h')

          -V, --version
                  Print version

        Everywhere:
              --url <URL>
                  A running server; or the environment's PORTCULLIS_URL

              --file <FILE>
                  A token file that no server has open; or the environment's PORTCULLIS_FILE

              --token-file <FILE>
                  The file with the token for the server; or the environment's PORTCULLIS_TOKEN, the token
                  itself

              --json
                  Print JSON, for programs

        Examples:
          portcullis --file tokens.redb setup --owner 0a1b2c3d4e5f6071
          export PORTCULLIS_URL=http://localhost:8086
          portcullis create --org 1111111111111111 --read-bucket 2222222222222222 --expires 90d
          portcullis list --kind operator
          portcullis check --id 3333333333333333 read:orgs/1111111111111111/buckets/2222222222222222

        Exit codes:
          0  done; yes
          1  no: denied, different, not confirmed
          2  the command, or what it was given, is not as it should be
          3  the token in use is not accepted, or may not do this
          4  no such token, or none that may be seen
          5  it is there already, is revoked, or has changed meanwhile
          6  the server or the file cannot be reached or used now
          7  anything else
    "#]],
    );
    sees(
        &place,
        &["create", "--help"],
        expect![[r#"
        Create a token and show its secret, once

        In a terminal, the secret is shown below the token. Through a pipe it goes alone, and the token to
        standard error: `SECRET=$(portcullis create ...)`. A secret of your own, from --secret-stdin or
        --secret-prompt, has 32 to 512 visible ASCII characters.

        Usage: portcullis create [OPTIONS]

        Options:
              --operator
                  Everything, everywhere, and the instance itself

              --all-access
                  Everything in the organization, types that do not exist yet included

              --read-bucket <BUCKET>
                  Read this bucket of the organization; can be repeated

              --write-bucket <BUCKET>
                  Write this bucket of the organization; can be repeated

              --permission <PERMISSION>
                  Any permission, such as `read:orgs/ORG/tasks` or `write:orgs/ORG/*`; can be repeated

              --org <ORG>
                  The token's organization

              --owner <USER>
                  Whose token it is; on a server your own token's owner unless you are an operator

              --description <TEXT>
                  What people should know about it

              --expires <WHEN>
                  When it expires: `90d`, `2026-11-24T00:00:00Z`, `never`
          
                  [default: never]

              --suspended
                  Refused until it is activated

              --secret-stdin
                  The secret is on standard input

              --secret-prompt
                  Ask for the secret, without echo

              --secret-only
                  Print the new secret and nothing else

          -h, --help
                  Print help (see a summary with '-h')

        Everywhere:
              --url <URL>
                  A running server; or the environment's PORTCULLIS_URL

              --file <FILE>
                  A token file that no server has open; or the environment's PORTCULLIS_FILE

              --token-file <FILE>
                  The file with the token for the server; or the environment's PORTCULLIS_TOKEN, the token
                  itself

              --json
                  Print JSON, for programs

        Examples:
          portcullis create --org 1111111111111111 --read-bucket 2222222222222222 --expires 90d
          portcullis create --org 1111111111111111 --all-access --description 'the admins of acme'
          portcullis create --permission read:orgs/1111111111111111/tasks --secret-only > token
          portcullis create --operator --owner 0a1b2c3d4e5f6071
    "#]],
    );
    sees(
        &place,
        &["import", "--help"],
        expect![[r#"
        Create tokens as they were exported, with new ids and new secrets

        An export has no secrets, so the old ones cannot live on: every line becomes a new token that may do
        the same, belongs to the same owner and organization, expires at the same time and is suspended if
        that one was. Ids, secrets, times and who created whom are new. Tokens that were revoked, or whose
        time is over, are left out. All lines are read before the first token is created.

        The new secrets go into a new file that only you can read, a line of JSON each: `from` is the
        exported id, `id` the new one.

        Usage: portcullis import [OPTIONS] <FILE>

        Arguments:
          <FILE>
                  What was exported; `-` is standard input

        Options:
              --secrets <FILE>
                  The file to make for the new secrets

              --dry-run
                  Only say what would be created

          -h, --help
                  Print help (see a summary with '-h')

        Everywhere:
              --url <URL>
                  A running server; or the environment's PORTCULLIS_URL

              --file <FILE>
                  A token file that no server has open; or the environment's PORTCULLIS_FILE

              --token-file <FILE>
                  The file with the token for the server; or the environment's PORTCULLIS_TOKEN, the token
                  itself

              --json
                  Print JSON, for programs

        Example:
          portcullis --file new.redb import tokens.jsonl --secrets secrets.jsonl
    "#]],
    );
    sees(
        &place,
        &["crate"],
        expect![[r#"
        --- standard error
        error: unrecognized subcommand 'crate'

          tip: some similar subcommands exist: 'update', 'rotate', 'create'

        Usage: portcullis [OPTIONS] <COMMAND>

        For more information, try '--help'.
        --- exit 2
    "#]],
    );
}
