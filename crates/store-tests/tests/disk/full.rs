//! No space left.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use portcullis::store::RedbError;
use portcullis::{Actor, Authority, Error, Filter, Issued, NewToken, OrgId, RedbStore, ResourceId, UserId};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::child::{child, on_small_disk, succeeds, this_program};

/// Many, so that a token is large.
const BUCKETS: u64 = 1_000;

pub(crate) fn disk() {
    let directory = tempfile::tempdir().unwrap();
    succeeds(on_small_disk("fill the disk", directory.path()));
}

pub(crate) fn file_size() {
    let directory = tempfile::tempdir().unwrap();
    // The signal would end the process; without it, writing fails.
    let mut command = child("sh", "grow to the limit", directory.path());
    command.args(["-c", "trap '' XFSZ; exec \"$0\""]).arg(this_program());
    succeeds(command);
}

/// The disk is filled with something else, and freed.
pub(crate) fn fill_disk(directory: &Path) {
    let ballast = directory.join("ballast");
    let fill = || {
        let mut file = File::create(&ballast).unwrap();
        while file.write_all(&[1; 512]).is_ok() {}
    };
    let free = || fs::remove_file(&ballast).unwrap();
    let cause = "No space left on device (os error 28)";
    fill();
    let file = directory.join("tokens.redb");
    let refused = RedbStore::open(&file).unwrap_err();
    assert!(matches!(refused, RedbError::Failed { .. }) && chain(&refused).contains(cause), "{}", chain(&refused));
    free();
    // What is left of the new file is no obstacle.
    drop(RedbStore::open(&file).unwrap());
    fills_up(&file, cause, fill, free);
}

/// The file may not get any longer, and then it may again.
pub(crate) fn grow_to_limit(directory: &Path) {
    let (file, before) = (directory.join("tokens.redb"), getrlimit(Resource::Fsize));
    let limit = |current| setrlimit(Resource::Fsize, Rlimit { current, ..before }).unwrap();
    let length = || fs::metadata(&file).unwrap().len();
    fills_up(&file, "File too large (os error 27)", || limit(Some(length())), || limit(before.current));
}

fn open(file: &Path) -> Authority {
    Authority::open(RedbStore::open(file).unwrap()).wait().unwrap()
}

fn create(authority: &Authority) -> Result<Issued, Error> {
    let organization = OrgId::try_from(1).unwrap();
    let new = NewToken::read_write(organization).owner(UserId::try_from(1).unwrap());
    let new = (1..=BUCKETS).fold(new, |new, bucket| new.write(ResourceId::try_from(bucket).unwrap()));
    authority.create(Actor::host("test"), new).wait()
}

/// Makes tokens until one is not acknowledged, and says why.
fn create_until_full(authority: &Authority, acknowledged: &mut Vec<Issued>) -> Error {
    for _ in 0..1_000 {
        match create(authority) {
            Ok(issued) => acknowledged.push(issued),
            Err(error) => return error,
        }
    }
    panic!("{} tokens are acknowledged, more than there is space for", acknowledged.len());
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(" <- ")
}

/// All that was acknowledged is there, and all that is there is whole.
#[track_caller]
fn check(authority: &Authority, acknowledged: &[Issued]) {
    for issued in acknowledged {
        let principal = authority.authenticate(issued.secret.expose()).unwrap();
        assert_eq!(principal.token().unwrap().id(), issued.token.id());
    }
    let tokens = authority.list(Actor::host("test"), &Filter::default(), None, usize::MAX).unwrap().tokens;
    assert!(tokens.len() >= acknowledged.len());
    assert!(tokens.iter().all(|token| token.kind().permissions().len() as u64 == BUCKETS));
}

/// The next token that is acknowledged: what is in doubt is settled first.
fn create_again(authority: &Authority) -> Issued {
    let start = Instant::now();
    loop {
        match create(authority) {
            Ok(issued) => return issued,
            Err(error) => assert!(start.elapsed() < Duration::from_secs(30), "{}", chain(&error)),
        }
    }
}

/// A store goes on when there is space again: while it stays open, and when it was closed and opened meanwhile.
fn fills_up(file: &Path, cause: &str, fill: impl Fn(), free: impl Fn()) {
    let failed = format!("`{}` could not be read or written; check the disk and try again", file.display());
    let mut authority = open(file);
    let mut acknowledged = vec![create(&authority).unwrap()];
    for reopens in [false, true] {
        fill();
        let error = create_until_full(&authority, &mut acknowledged);
        assert!(matches!(error, Error::Store(_) | Error::InDoubt(_)) && error.is_temporary(), "{error:?}");
        let text = chain(&error);
        assert!(text.contains(&failed) && text.contains(cause), "{text}");
        // Nobody else can change the file while they do: that would be missed.
        let refused = RedbStore::open(file).unwrap_err();
        assert!(matches!(refused, RedbError::Locked(_)), "{refused:?}");
        // Decisions go on.
        check(&authority, &acknowledged);
        if reopens {
            drop(authority);
            if let Err(error) = RedbStore::open(file) {
                assert!(chain(&error).contains(cause), "{}", chain(&error));
            }
            free();
            authority = open(file);
            check(&authority, &acknowledged);
        } else {
            free();
        }
        acknowledged.push(create_again(&authority));
        check(&authority, &acknowledged);
    }
    authority.close().wait().unwrap();
    check(&open(file), &acknowledged);
}
