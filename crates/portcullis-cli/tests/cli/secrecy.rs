//! Secrets: shown once, on standard output, and never an argument.

use std::process::Command;

use crate::run::{ALICE, ORG, Place, command};

const CHOSEN: &str = "infrastructure-as-code-secret-of-mine";

#[test]
fn through_a_pipe_the_secret_goes_alone() {
    let place = Place::set_up();
    let all_access = ["create", "--org", ORG, "--all-access", "--owner", ALICE];
    for more in [&[][..], &["--secret-only"]] {
        let created = place.ok(&[&all_access, more].concat());
        let secret = created.out.strip_suffix('\n').unwrap();
        assert!(secret.starts_with("pcs_") && !secret.contains(char::is_whitespace), "{secret}");
        assert!(!created.err.contains("pcs_"));
        assert_eq!(created.err.is_empty(), more == ["--secret-only"]);
        assert_eq!(place.run_with(&["show", "--secret-stdin"], secret).exit, 0);
    }
}

#[test]
fn nothing_shows_a_secret_again() {
    let place = Place::set_up();
    let (id, secret) = place.create(&["--org", ORG, "--all-access", "--owner", ALICE]);
    for arguments in [&["show", &id][..], &["list", "--wide"], &["export"], &["explain", "--id", &id, "read:buckets"]] {
        for format in [&[][..], &["--json"]] {
            let ran = place.run(&[arguments, format].concat());
            assert!(!format!("{ran:?}").contains(&secret), "{arguments:?}");
        }
    }
    let refused = place.run_with(&["rotate", &id, "--yes", "--secret-stdin"], "$hunter2$hunter2hunter2hunter2hunter2");
    assert_eq!(refused.exit, 2);
    assert_eq!(refused.err, "error: a chosen secret cannot be shaped like a stored hash, `$...$`\n");
}

/// Logs and screens keep errors.
#[test]
fn a_secret_that_is_given_by_mistake_is_not_repeated() {
    let place = Place::set_up();
    let (id, generated) = place.create(&["--org", ORG, "--all-access", "--owner", ALICE]);
    for secret in
        [generated.as_str(), CHOSEN, "infrastructure'as\\code=secret/32", "0a1b2c3d-4e5f-6071-0a1b-2c3d4e5f607x"]
    {
        let (equals, stdin) = (format!("--id={secret}"), format!("--secret-stdin={secret}"));
        for arguments in [
            &["show", secret][..],
            &["show", &id, secret],
            &["list", secret],
            &["check", secret],
            &["check", &equals, "read:buckets"],
            &["check", &stdin, "read:buckets"],
            &["create", "--owner", ALICE, "--permission", secret],
            &["create", "--owner", ALICE, "--operator", "--expires", secret],
            &["rotate", &id, "--overlap", secret],
            &["update", &id, "--if-revision", secret],
            &["completion", secret],
            &[secret],
            &["list", "--token-file", secret, "--url", "http://127.0.0.1:1"],
        ] {
            let mut program = command(&place.path("."));
            if !arguments.contains(&"--url") {
                program.args(["--file", "tokens.redb"]);
            }
            let ended = program.args(arguments).output().unwrap();
            let said = String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap();
            assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {said}");
            assert!(!said.contains(secret) && !said.contains(&secret.escape_default().to_string()), "{said}");
        }
    }
    let shown = place.run(&["show", CHOSEN]).err;
    assert!(shown.contains("invalid value '(not shown, as it may be a secret)' for '[TOKEN]'"), "{shown}");
    // What is shorter is no secret.
    assert!(place.run(&["show", "my token"]).err.contains("'my token'"));
}

#[test]
fn a_chosen_secret_comes_from_standard_input() {
    let place = Place::set_up();
    let create = ["create", "--org", ORG, "--all-access", "--owner", ALICE, "--secret-stdin"];
    assert_eq!(place.run_with(&create, &format!("{CHOSEN}\n")).out, format!("{CHOSEN}\n"));
    assert_eq!(place.run_with(&["check", "--secret-stdin", &format!("read:orgs/{ORG}/tasks")], CHOSEN).exit, 0);
    let again = place.run_with(&create, CHOSEN);
    assert_eq!((again.exit, again.err.as_str()), (5, "error: the chosen secret was used before\n"));
    let wrong = "error: standard input must hold one secret, on one line\n";
    for input in ["", "\n", "one\ntwo\n"] {
        assert_eq!(place.run_with(&create, input).err, wrong);
    }
}

/// Every argument of every command, by their own help: none takes a secret or a token for a server.
#[test]
fn no_argument_takes_a_secret() {
    let help = |arguments: &[&str]| {
        let ended = command(std::path::Path::new(".")).args(arguments).arg("--help").output().unwrap();
        String::from_utf8(ended.stdout).unwrap()
    };
    let overview = help(&[]);
    let commands = overview.split_once("Commands:").unwrap().1.split_once("Options:").unwrap().0;
    let commands: Vec<_> = commands.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    assert!(commands.len() > 15, "{commands:?}");
    for name in commands.iter().filter(|name| !name.is_empty() && **name != "help") {
        for line in help(&[name]).lines().map(str::trim).filter(|line| line.starts_with("--")) {
            let argument = line.split_whitespace().next().unwrap();
            let takes_value = line.contains('<');
            let secret = argument.contains("secret") && argument != "--secrets" || argument.contains("token");
            assert!(!(secret && takes_value) || argument == "--token-file", "{name}: {line}");
        }
    }
}

#[test]
fn a_token_for_a_server_comes_from_a_file_or_the_environment() {
    let place = Place::server("http://127.0.0.1:1", None);
    std::fs::write(place.path("token"), "one\ntwo\n").unwrap();
    let wrong = place.run(&["list", "--token-file", "token"]);
    assert_eq!((wrong.exit, wrong.err.as_str()), (2, "error: `token` must hold one secret, on one line\n"));
    std::fs::write(place.path("token"), "one\n").unwrap();
    let unreachable = place.run(&["list", "--token-file", "token"]);
    assert_eq!(unreachable.exit, 6);
    assert!(unreachable.err.starts_with("error: `http://127.0.0.1:1` does not answer"), "{}", unreachable.err);
    assert_eq!(Place::server("http://127.0.0.1:1", Some("one")).run(&["list"]).exit, 6);
}

/// In a session without a terminal, nobody can be asked.
#[cfg(target_os = "linux")]
#[test]
fn without_a_terminal_nobody_is_asked() {
    let program = env!("CARGO_BIN_EXE_portcullis");
    let mut apart = Command::new("setsid");
    apart.args(["--wait", program, "--url", "http://127.0.0.1:1", "list"]).env_remove("PORTCULLIS_TOKEN");
    let ended = apart.output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
    let error = String::from_utf8(ended.stderr).unwrap();
    assert!(error.starts_with("error: no token: set PORTCULLIS_TOKEN, or say --token-file"), "{error}");
}
