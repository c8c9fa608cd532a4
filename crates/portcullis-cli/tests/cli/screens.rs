//! What people see of commands that change tokens or list them.

use expect_test::expect;

use crate::run::{ALICE, BUCKET, ORG, OTHER_ORG, Place, sees, with_reader};

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
            error: `tokens.redb` does not exist; make a token file with `portcullis --file tokens.redb setup --owner ID`
            --- exit 6
        "#]],
    );
    sees(
        &place,
        &["setup", "--owner", ALICE],
        expect![[r#"
            pcs_*************************************************
            --- standard error
            id           00000000-0000-0000-0000-000000000001
            kind         Operator
            status       active
            description
            owner        aaaaaaaaaaaaaaaa
            permissions  *:*
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
            kind          Read/Write
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
            kind          All-Access
            status        inactive
            description   admins
            organization  0a1b2c3d4e5f6071
            owner         aaaaaaaaaaaaaaaa
            permissions   *:orgs/0a1b2c3d4e5f6071/*
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
            kind          Custom
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
            ID                                    KIND        STATUS  ORGANIZATION      EXPIRES  DESCRIPTION
            00000000-0000-0000-0000-000000000001  Read/Write  active  0a1b2c3d4e5f6071  never    reads
        "#]],
    );
    sees(
        &place,
        &["list", "--kind", "allAccess", "--wide"],
        expect![[r#"
            ID                                    KIND        STATUS  ORGANIZATION      EXPIRES               DESCRIPTION  OWNER             CREATED BY        CREATED               LAST USED
            00000000-0000-0000-0000-000000000001  All-Access  active  0a1b2c3d4e5f6072  2100-01-01T00:00:00Z               aaaaaaaaaaaaaaaa  host: portcullis  2026-11-24T00:00:00Z  never
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
            kind          Read/Write
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
            kind          Read/Write
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
            kind          Read/Write
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
            kind          Read/Write
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
    // A server takes whole seconds, and would end the old secret at once.
    sees(
        &place,
        &["rotate", &id, "--overlap", "500ms"],
        expect![[r#"
        --- standard error
        error: invalid value '500ms' for '--overlap <DURATION>': expected whole seconds, such as `1s` or `1d`

        For more information, try '--help'.
        --- exit 2
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
            suspended organization `0a1b2c3d4e5f6071` with all its tokens
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
            ID                                    KIND        STATUS                 ORGANIZATION      EXPIRES  DESCRIPTION
            00000000-0000-0000-0000-000000000001  Read/Write  organizationSuspended  0a1b2c3d4e5f6071  never    reads
        "#]],
    );
    sees(
        &place,
        &["activate", "--org", ORG],
        expect![[r#"
            activated organization `0a1b2c3d4e5f6071` with all its tokens
        "#]],
    );
    sees(
        &place,
        &["suspend", "--owner", ALICE],
        expect![[r#"
            suspended owner `aaaaaaaaaaaaaaaa` with all its tokens
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
            deleted owner `aaaaaaaaaaaaaaaa` with all its tokens
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
            kind         Operator
            status       active
            description  recovery
            owner        aaaaaaaaaaaaaaaa
            permissions  *:*
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
            would create 2, left out 0 that were revoked, had expired, or lost their owner or organization
        "#]],
    );
    sees(
        &place,
        &["import", "exported", "--secrets", "secrets"],
        expect![[r#"
            created 2, left out 0 that were revoked, had expired, or lost their owner or organization
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
