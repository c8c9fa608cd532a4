//! The program, run as people and scripts run it.
#![allow(unreachable_pub)] // For the other modules.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use expect_test::Expect;
use serde_json::Value;

pub const ORG: &str = "0a1b2c3d4e5f6071";
pub const OTHER_ORG: &str = "0a1b2c3d4e5f6072";
pub const BUCKET: &str = "1111111111111111";
pub const ALICE: &str = "aaaaaaaaaaaaaaaa";

/// Where commands run, and on what.
pub struct Place {
    directory: tempfile::TempDir,
    /// `--file` or `--url`, with its value.
    on: [String; 2],
    token: Option<String>,
}

impl Place {
    /// A file that does not exist yet.
    pub fn file() -> Self {
        let on = ["--file".into(), "tokens.redb".into()];
        Self { directory: tempfile::tempdir().unwrap(), on, token: None }
    }

    /// A file that is set up.
    pub fn set_up() -> Self {
        let place = Self::file();
        place.ok(&["setup", "--owner", ALICE]);
        place
    }

    pub fn server(url: &str, token: Option<&str>) -> Self {
        let on = ["--url".into(), url.into()];
        Self { directory: tempfile::tempdir().unwrap(), on, token: token.map(Into::into) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What a command ends with, given nothing but that on standard input.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = command(self.directory.path());
        command.args(&self.on).args(arguments);
        if let Some(token) = &self.token {
            command.env("PORTCULLIS_TOKEN", token);
        }
        Ran::new(&mut command, input)
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "")
    }

    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.exit, 0, "{arguments:?}: {ran:?}");
        ran
    }

    /// The JSON of a command that is done.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[&["--json"], arguments].concat()).out).unwrap()
    }

    /// A new token's id and secret.
    #[track_caller]
    pub fn create(&self, arguments: &[&str]) -> (String, String) {
        let created = self.json(&[&["create"], arguments].concat());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&created["token"]["id"]), text(&created["secret"]))
    }
}

/// A file with a token that reads a bucket, and its id.
pub fn with_reader() -> (Place, String) {
    let place = Place::set_up();
    let reader = ["--org", ORG, "--read-bucket", BUCKET, "--owner", ALICE, "--description", "reads"];
    let (id, _) = place.create(&reader);
    (place, id)
}

/// Compares what is seen. `UPDATE_EXPECT=1 cargo test -p portcullis-cli` writes it into the test.
#[track_caller]
pub fn sees(place: &Place, arguments: &[&str], expected: Expect) {
    expected.assert_eq(&place.run(arguments).screen());
}

/// The program, with nothing of the environment that it would look at.
pub fn command(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.current_dir(directory);
    for name in ["PORTCULLIS_URL", "PORTCULLIS_FILE", "PORTCULLIS_TOKEN", "NO_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command
}

#[derive(Debug)]
pub struct Ran {
    pub exit: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    fn new(command: &mut Command, input: &str) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // It may end without reading.
        _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { exit: status.code().unwrap(), out: text(stdout), err: text(stderr) }
    }

    /// All that is seen: what was printed, and the exit code if it is not 0. What differs from run to run is replaced by something
    /// of the same length.
    pub fn screen(&self) -> String {
        let mut screen = self.out.clone();
        if !self.err.is_empty() {
            screen.push_str("--- standard error\n");
            screen.push_str(&self.err);
        }
        if self.exit != 0 {
            _ = writeln!(screen, "--- exit {}", self.exit);
        }
        // Blanks at the end of a line are not seen.
        steady(&screen).lines().fold(String::new(), |seen, line| seen + line.trim_end() + "\n")
    }
}

/// Ids, times and secrets, which differ from run to run, as others of the same length.
pub fn steady(text: &str) -> String {
    let mut ids: Vec<&str> = Vec::new();
    let mut steady = String::with_capacity(text.len());
    for piece in text.split_inclusive([' ', '\n', '`', '"', ')', ';']) {
        let word = piece.trim_end_matches([' ', '\n', '`', '"', ')', ';']);
        let shown = if word.len() == 36 && word.parse::<portcullis::TokenId>().is_ok() {
            let number = ids.iter().position(|id| *id == word).unwrap_or_else(|| {
                ids.push(word);
                ids.len() - 1
            });
            format!("00000000-0000-0000-0000-{:012}", number + 1)
        } else if word.starts_with("pcs_") {
            format!("pcs_{}", "*".repeat(word.len() - 4))
        } else if word.ends_with('Z') && humantime::parse_rfc3339(word).is_ok() && !word.starts_with("2100") {
            "2026-11-24T00:00:00.000000Z"[..19].to_owned()
                + &word[19..].replace(|each: char| each.is_ascii_digit(), "0")
        } else {
            word.to_owned()
        };
        steady.push_str(&shown);
        steady.push_str(&piece[word.len()..]);
    }
    steady
}
