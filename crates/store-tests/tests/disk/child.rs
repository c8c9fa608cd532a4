//! The processes that do what a test is about.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::{full, refused};

/// What a child does, and where, are in its environment: a program with other arguments would be another test run.
const PART: &str = "PORTCULLIS_TEST_DISK_PART";
const DIRECTORY: &str = "PORTCULLIS_TEST_DISK_DIRECTORY";

/// What a child does in a directory.
type Part = fn(&Path);

pub(crate) const PARTS: &[(&str, Part)] = &[
    ("fill the disk", full::fill_disk),
    ("grow to the limit", full::grow_to_limit),
    ("open read-only", refused::open_read_only),
    ("open as another user", refused::open_as_another_user),
    ("open second", refused::open_second),
    ("open alone", refused::open_alone),
    ("open without locks", refused::open_without_locks),
];

/// What this process is to do, if it is a child.
pub(crate) fn part() -> Option<(String, PathBuf)> {
    Some((std::env::var(PART).ok()?, std::env::var_os(DIRECTORY)?.into()))
}

/// A child that does that part there.
pub(crate) fn child(program: impl AsRef<OsStr>, part: &str, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command.env(PART, part).env(DIRECTORY, directory);
    command
}

pub(crate) fn this_program() -> PathBuf {
    std::env::current_exe().unwrap()
}

#[track_caller]
pub(crate) fn succeeds(mut command: Command) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(status.success(), "{status}\n{stdout}\n{stderr}");
}

/// The same on a disk of four megabytes that only the child sees.
pub(crate) fn on_small_disk(part: &str, directory: &Path) -> Command {
    let mut command = child("unshare", part, directory);
    let script = "mount -t tmpfs -o size=4m small \"$0\" && exec \"$1\"";
    command.args(["--map-root-user", "--mount", "sh", "-c", script]).arg(directory).arg(this_program());
    command
}

/// The same where no file can be locked, as on some network file systems and in some sandboxes. `error` is what the system says.
pub(crate) fn without_locks(error: &str, part: &str, directory: &Path) -> Command {
    let mut command = child("strace", part, directory);
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=flock,fcntl"]);
    for call in ["flock", "fcntl"] {
        command.args(["-e", &format!("inject={call}:error={error}")]);
    }
    command.arg(this_program());
    command
}

/// Whether there is a program that lets system calls fail, and the system allows it.
pub(crate) fn can_inject() -> bool {
    let mut command = Command::new("strace");
    command.args(["-qq", "-o", "/dev/null", "-e", "inject=flock:error=ENOSYS", "true"]);
    command.output().is_ok_and(|output| output.status.success())
}

/// Whether the system allows a mount namespace.
pub(crate) fn can_mount() -> bool {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "mount", "-t", "tmpfs", "small"]).arg(directory.path());
    command.output().is_ok_and(|output| output.status.success())
}
