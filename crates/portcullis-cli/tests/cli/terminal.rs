//! What people see in a terminal, which `script` makes.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use expect_test::expect;

use crate::run::{ALICE, ORG, Place, steady};

/// Runs a command in a terminal, where each answer is typed as soon as its question is there.
fn in_terminal(place: &Place, command: &str, dialog: &[(&str, &str)]) -> String {
    let line = format!("{} --file tokens.redb {command}", env!("CARGO_BIN_EXE_portcullis"));
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(place.path("."));
    let mut script = script.env("NO_COLOR", "1").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut keyboard, mut screen) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
    let mut seen = String::new();
    for (question, answer) in dialog {
        while !seen.ends_with(question) {
            let mut next = [0];
            assert_eq!(screen.read(&mut next).unwrap(), 1, "{seen}");
            seen.push(char::from(next[0]));
        }
        keyboard.write_all(answer.as_bytes()).unwrap();
    }
    screen.read_to_string(&mut seen).unwrap();
    let exit = script.wait().unwrap().code().unwrap();
    steady(&format!("{}--- exit {exit}\n", seen.replace('\r', "")))
}

#[test]
fn setup_shows_the_secret_below_the_token() {
    expect![[r#"
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
        secret       pcs_*************************************************
        Keep the secret now: it is never shown again.
        --- exit 0
    "#]]
    .assert_eq(&in_terminal(&Place::file(), &format!("setup --owner {ALICE}"), &[]));
}

#[test]
fn what_cannot_be_undone_is_asked_about() {
    let place = Place::set_up();
    let (id, _) = place.create(&["--org", ORG, "--all-access", "--owner", ALICE]);
    let revoke = format!("revoke {id}");
    expect![[r#"
        revoke token `00000000-0000-0000-0000-000000000001`? This cannot be undone. [y/N] 
        error: not confirmed; nothing was changed
        --- exit 1
    "#]]
    .assert_eq(&in_terminal(&place, &revoke, &[("[y/N] ", "\n")]));
    expect![[r#"
        revoke token `00000000-0000-0000-0000-000000000001`? This cannot be undone. [y/N] y
        revoked 1 token
        --- exit 0
    "#]]
    .assert_eq(&in_terminal(&place, &revoke, &[("[y/N] ", "y\n")]));
}

#[test]
fn a_chosen_secret_is_asked_for_twice() {
    let place = Place::set_up();
    let (id, _) = place.create(&["--org", ORG, "--all-access", "--owner", ALICE]);
    let rotate = format!("rotate {id} --overlap 1d --secret-prompt --secret-only");
    let chosen = "infrastructure-as-code-secret-of-mine\n";
    let differs = in_terminal(&place, &rotate, &[("Secret: ", chosen), ("Again: ", "another\n")]);
    assert!(differs.ends_with("error: the two secrets differ; nothing was changed\n--- exit 2\n"), "{differs}");
    let same = in_terminal(&place, &rotate, &[("Secret: ", chosen), ("Again: ", chosen)]);
    assert!(same.ends_with("infrastructure-as-code-secret-of-mine\n--- exit 0\n"), "{same}");
    assert_eq!(place.run_with(&["check", "--secret-stdin", &format!("read:orgs/{ORG}/tasks")], chosen).exit, 0);
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let place = Place::set_up();
    assert!(!place.run(&["show"]).err.contains('\x1b'));
    assert!(!in_terminal(&place, "show", &[]).contains('\x1b'), "NO_COLOR is set");
}
