//! Disks as they are: full, read-only, another user's, in use by another process. What needs them is done by a child
//! process, which is this program once more.
//!
//! Locks fail where `strace` lets them; without it, that test shows as ignored.
//!
//! The disk that gets full is a small one in memory, in a mount namespace of the child's own. Where the system allows no
//! such namespace, those tests show as ignored, and fail in CI.
#![allow(clippy::unwrap_used, clippy::panic)]

#[cfg(target_os = "linux")]
mod child;
#[cfg(target_os = "linux")]
mod full;
#[cfg(target_os = "linux")]
mod refused;

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use libtest_mimic::{Arguments, Trial};

    if let Some((part, directory)) = child::part() {
        let (_, run) = child::PARTS.iter().find(|(name, _)| *name == part).unwrap();
        run(&directory);
        return std::process::ExitCode::SUCCESS;
    }
    let ignored = !child::can_mount() && std::env::var_os("CI").is_none();
    let trial = |name, run: fn()| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
    };
    let trials = vec![
        trial("a_full_disk_loses_nothing", full::disk).with_ignored_flag(ignored),
        trial("a_file_that_may_not_grow_loses_nothing", full::file_size),
        trial("a_read_only_disk_is_refused", refused::read_only).with_ignored_flag(ignored),
        trial("a_file_of_another_user_is_refused", refused::another_user),
        trial("a_second_process_is_refused_and_the_first_goes_on", refused::second_process),
        trial("a_file_that_cannot_be_locked_is_refused", refused::no_locks).with_ignored_flag(!child::can_inject()),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
