//! The exit codes that the help lists.

use std::path::Path;

use crate::run::{ALICE, ORG, Place, command};

#[test]
fn each_is_what_the_help_says() {
    let place = Place::set_up();
    let (id, _) = place.create(&["--org", ORG, "--all-access", "--owner", ALICE]);
    let exit = |arguments: &[&str]| place.run(arguments).exit;
    assert_eq!(exit(&["list"]), 0);
    assert_eq!(exit(&["check", "--id", &id, "read:instance"]), 1);
    assert_eq!(exit(&["list", "--unknown"]), 2);
    assert_eq!(place.run_with(&["show", "--secret-stdin"], "mistyped").exit, 3);
    assert_eq!(exit(&["show", "0123456789abcdef"]), 4);
    assert_eq!(exit(&["update", &id, "--expires", "1d", "--if-revision", "1"]), 5);
    let _held = portcullis::RedbStore::open(place.path("tokens.redb")).unwrap();
    assert_eq!(exit(&["list"]), 6);
}

#[test]
fn where_the_tokens_are_is_said_once() {
    let exit = |setting: &dyn Fn(&mut std::process::Command)| {
        let mut list = command(Path::new("."));
        list.arg("list");
        setting(&mut list);
        let ended = list.output().unwrap();
        (ended.status.code().unwrap(), String::from_utf8(ended.stderr).unwrap())
    };
    let (code, error) = exit(&|_| {});
    assert_eq!(code, 2);
    assert_eq!(error, "error: which tokens? say --url for a running server, or --file for a token file\n");
    let (code, error) = exit(&|list| _ = list.env("PORTCULLIS_URL", "http://a").env("PORTCULLIS_FILE", "b"));
    assert_eq!(code, 2);
    assert_eq!(error, "error: PORTCULLIS_URL and PORTCULLIS_FILE are both set; say which with --url or --file\n");
    // What is said beats what is set.
    let (code, error) = exit(&|list| _ = list.env("PORTCULLIS_URL", "http://a").args(["--file", "no-such-file"]));
    assert_eq!(code, 6);
    assert!(error.starts_with("error: `no-such-file` does not exist"), "{error}");
    assert_eq!(exit(&|list| _ = list.args(["--file", "a", "--url", "http://b"])).0, 2);
}

#[cfg(unix)]
#[test]
fn whoever_stops_reading_is_not_told_of_it() {
    use std::io::Read as _;
    use std::process::Stdio;

    let place = Place::file();
    let mut script = command(Path::new("."));
    let mut script = script.args(["completion", "zsh"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Longer than a pipe holds, or closed before: either way its writing fails.
    drop(script.stdout.take());
    let mut error = String::new();
    script.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!((script.wait().unwrap().code(), error), (Some(141), String::new()));

    // But a secret that nobody read is said to be lost.
    let mut setup = command(&place.path("."));
    setup.args(["--file", "tokens.redb", "setup", "--owner", ALICE, "--secret-only"]);
    let mut setup = setup.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(setup.stdout.take());
    let mut error = String::new();
    setup.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!(setup.wait().unwrap().code(), Some(7));
    assert!(error.contains("was given a secret that could not be written: rotate it, or delete it"), "{error}");
    assert!(!error.contains("pcs_"));
}
