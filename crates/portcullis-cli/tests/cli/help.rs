//! Help, as people see it.

use expect_test::expect;

use crate::run::{Place, sees};

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
                      Everything in the organization, types and actions that do not exist yet included

                  --read-bucket <BUCKET>
                      Read this bucket of the organization; can be repeated

                  --write-bucket <BUCKET>
                      Write this bucket of the organization; can be repeated

                  --permission <PERMISSION>
                      Any permission, such as `read:orgs/ORG/tasks`, `execute:orgs/ORG/jobs` or `*:orgs/ORG/*`;
                      can be repeated

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
        that one was. It is suspended, too, if its owner or organization was: activate it when those are
        back. Ids, secrets, times and who created whom are new. Tokens that were revoked, whose time is
        over, or whose owner or organization was deleted are left out. All lines are read before the first
        token is created.

        The new secrets go into a new file, which on Unix only you can read, a line of JSON each: `from` is
        the exported id, `id` the new one.

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
        &["rotate", "--help"],
        expect![[r#"
            Give a token a new secret and show it, once

            The old secret stops at once or, with --overlap, later. One that still runs on from an earlier
            overlap stops at once either way. Everything else about the token stays.

            Usage: portcullis rotate [OPTIONS] <TOKEN>

            Arguments:
              <TOKEN>


            Options:
                  --overlap <DURATION>
                      How much longer the old secret is accepted: `1d`, `10min`

                      [default: 0s]

                  --secret-stdin
                      The secret is on standard input

                  --secret-prompt
                      Ask for the secret, without echo

                  --secret-only
                      Print the new secret and nothing else

              -y, --yes
                      Do not ask before what cannot be undone

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
              portcullis rotate 3333333333333333 --overlap 1d
              portcullis rotate 3333333333333333 --yes --secret-only > token
        "#]],
    );
    sees(
        &place,
        &["delete", "--help"],
        expect![[r#"
        Delete a token

        It is no longer listed. On a file also an owner or an organization with all their tokens: those stay
        listed, and are refused for good.

        Usage: portcullis delete [OPTIONS] <TOKEN|--owner <USER>|--org <ORG>>

        Arguments:
          [TOKEN]


        Options:
              --owner <USER>
                  A user with all tokens, on a file

              --org <ORG>
                  An organization with all tokens, on a file

          -y, --yes
                  Do not ask before what cannot be undone

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
          portcullis delete 3333333333333333
          portcullis --file tokens.redb delete --owner 0a1b2c3d4e5f6071
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
