//! The suite that every [`TokenStore`] passes.

use std::thread;
use std::time::Duration;

use crate::model::time::Timestamp;
use crate::store::record::{Record, RecordKey};
use crate::store::{ChangesError, CommitError, CommitId, MAX_COMMIT, Position, TokenStore};
use crate::testing::check::{Check, Found, Report, Subject, commit_id, run, said, same};
use crate::testing::records::{
    horizon, large_token, organization, owner, set_up, token, token_described, token_id, tombstone,
};

/// Checks a store against every sentence of the [contract](TokenStore#contract) that can be checked from outside.
///
/// `new_place` makes a place for a store that was never there: a file name, a fresh schema. `open` opens the store in a
/// place: the first time a new one, later the same again. Only one is open at a time.
///
/// ```
/// # use portcullis::{MemoryStore, testing};
/// let report = testing::conformance(MemoryStore::new, MemoryStore::clone);
/// assert!(report.is_ok(), "{report}");
/// ```
///
/// What it cannot see: whether a commit survives a power cut, and whether an error that the backend meets becomes the
/// right [`CommitError`].
pub fn conformance<P, S: TokenStore>(new_place: impl Fn() -> P, open: impl Fn(&P) -> S) -> Report {
    run(&checks(), new_place, open)
}

/// Checks what the contract says about several stores in one place, open at the same time. For backends that can be
/// shared, after [`conformance`].
pub fn shared_conformance<P, S: TokenStore>(new_place: impl Fn() -> P, open: impl Fn(&P) -> S) -> Report {
    run(&shared_checks(), new_place, open)
}

fn checks<S: TokenStore>() -> [Check<S>; 24] {
    [
        ("a new store is empty and at the origin", new_store),
        ("a commit moves the store on by one revision", moves_on),
        ("a commit without records is a commit", empty_commit),
        ("every record comes back as it was written", round_trip),
        ("a commit is made whole", whole_batch),
        ("a commit is made only at the expected position", conditional),
        ("a repeated commit is acknowledged again", repeated),
        ("a repeated commit is acknowledged also after others", repeated_later),
        ("a repeated commit changes nothing", repeated_is_harmless),
        ("a record replaces the one with its key", replaces),
        ("a tombstone is kept like any other record", keeps_tombstones),
        ("pages are in the order of revisions", in_order),
        ("a page never ends in the middle of a revision", whole_revisions),
        ("pages leave nothing out", leaves_nothing_out),
        ("a page has about as many records as asked for", about_the_limit),
        ("pages leave nothing out while others commit", while_others_commit),
        ("a position of another history has diverged", diverged),
        ("forgetting drops the tombstones up to the horizon", drops_tombstones),
        ("forgetting drops nothing else", drops_nothing_else),
        ("positions below the horizon are too old", too_old),
        ("what was committed is there after reopening", survives_reopening),
        ("the later last-used time wins", later_wins),
        ("last-used times of unknown tokens are left out", unknown_tokens),
        ("last-used times are no commit", touch_is_no_commit),
    ]
}

fn shared_checks<S: TokenStore>() -> [Check<S>; 3] {
    [
        ("what one store commits the others read", seen_by_others),
        ("of many commits at one position one is made", one_of_many),
        ("a commit is never seen in part", never_in_part),
    ]
}

fn new_store<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    Subject::new(open()).has_all()
}

fn moves_on<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = Subject::new(open());
    for number in 0..3 {
        store.commit(&[token(number)])?;
        let page = store.page(Position::ORIGIN, 1_000).map_err(said("changes"))?;
        same("the store's position", &page.position, &store.head())?;
    }
    Ok(())
}

fn empty_commit<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = Subject::new(open());
    store.commit(&[])?;
    store.has_all()?;
    store.commit(&[token(1)])?;
    store.commit(&[])?;
    store.has_all()?;
    store.has_all_since(store.head(), 1)
}

fn round_trip<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = Subject::new(open());
    store.commit(&[set_up(), token(1), tombstone(2), owner(3), organization(4), horizon(0)])?;
    // One number in every table: their keys differ all the same.
    store.commit(&[token(7), owner(7), organization(7)])?;
    store.commit(&[large_token(5), token_described(6, "\0 ' \" \\ \u{1f511} \u{fffd}")])?;
    store.has_all()
}

fn whole_batch<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = Subject::new(open());
    let records: Vec<_> = (0..).take(MAX_COMMIT).map(token).collect();
    store.commit(&records)?;
    store.has_all()
}

fn conditional<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = Subject::new(open());
    store.conflicts(Position { revision: 1, commit: commit_id()? })?;
    store.conflicts(Position { revision: 0, commit: commit_id()? })?;
    store.commit(&[token(1)])?;
    store.commit(&[token(2)])?;
    let head = store.head();
    for revision in [0, 1, 2, 3] {
        store.conflicts(Position { revision, commit: commit_id()? })?;
    }
    for earlier in store.positions.clone() {
        if earlier != head {
            store.conflicts(earlier)?;
        }
    }
    store.has_all()
}

fn repeated<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = Subject::new(open());
    store.commit(&[token(1)])?;
    repeat_all(&mut store)
}

fn repeated_later<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = Subject::new(open());
    for number in 0..5 {
        store.commit(&[token(number)])?;
    }
    repeat_all(&mut store)?;
    let mut store = store.reopen(open);
    repeat_all(&mut store)
}

/// Repeats all commits so far.
fn repeat_all<S: TokenStore>(store: &mut Subject<S>) -> Found {
    for (before, after) in store.positions.clone().into_iter().zip(store.positions.clone().into_iter().skip(1)) {
        let records: Vec<_> = records_of(store, after);
        let position = store.try_commit(before, after.commit, &records).map_err(said("a repeated commit"))?;
        same("the position after a repeated commit", &position, &after)?;
    }
    Ok(())
}

fn records_of<S>(store: &Subject<S>, at: Position) -> Vec<Record> {
    store.records.iter().filter(|(revision, _)| *revision == at.revision).map(|(_, record)| record.clone()).collect()
}

fn repeated_is_harmless<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = Subject::new(open());
    store.commit(&[token(1), token(2)])?;
    let [before, first] = [Position::ORIGIN, store.head()];
    // What it answers is for other checks.
    let repeat = |store: &mut Subject<S>| {
        let _ = store.try_commit(before, first.commit, &[token(1), token(2)]);
    };
    repeat(&mut store);
    store.has_all()?;
    store.commit(&[tombstone(1), token_described(2, "later")])?;
    repeat(&mut store);
    store.has_all()
}

fn replaces<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = Subject::new(open());
    store.commit(&[token(1), token(2), owner(1)])?;
    store.commit(&[token_described(1, "second")])?;
    store.has_all()?;
    store.commit(&[token(3)])?;
    store.commit(&[token_described(1, "third"), owner(1)])?;
    for limit in [1, 2, 1_000] {
        store.has_all_since(Position::ORIGIN, limit)?;
    }
    for since in store.positions.clone() {
        store.has_all_since(since, 1_000)?;
    }
    Ok(())
}

fn keeps_tombstones<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = Subject::new(open());
    store.commit(&[token(1), token(2), tombstone(3)])?;
    store.commit(&[tombstone(1)])?;
    store.has_all()?;
    store.has_all_since(store.head(), 10)?;
    let mut store = store.reopen(open);
    store.has_all()
}

/// Commits of many sizes, whose keys are in another order than their revisions, some replaced.
fn many<S: TokenStore>(open: &dyn Fn() -> S) -> Result<Subject<S>, String> {
    let mut store = Subject::new(open());
    for revision in (0..30_u32).rev() {
        let records: Vec<_> = (0..revision % 7).rev().map(|number| token(revision * 10 + number)).collect();
        store.commit(&records)?;
    }
    store.commit(&[tombstone(41), token_described(251, "later"), owner(1)])?;
    Ok(store)
}

fn in_order<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = many(open)?;
    let mut last = 0;
    let mut since = Position::ORIGIN;
    loop {
        let page = store.page(since, 10).map_err(said("changes"))?;
        for (revision, record) in &page.records {
            if *revision < last {
                return Err(format!("{} of revision {revision} comes after revision {last}", record.key()));
            }
            last = *revision;
        }
        if !page.more || page.position == since {
            return Ok(());
        }
        since = page.position;
    }
}

fn whole_revisions<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = many(open)?;
    for limit in [1, 2, 3, 5] {
        let page = store.page(Position::ORIGIN, limit).map_err(said("changes"))?;
        let last = page.records.last().map_or(0, |(revision, _)| *revision);
        let found = page.records.iter().filter(|(revision, _)| *revision == last).count();
        let expected = store.records.iter().filter(|(revision, _)| *revision == last).count();
        same(&format!("the number of records of revision {last} at the end of a page"), &found, &expected)?;
    }
    Ok(())
}

fn leaves_nothing_out<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = many(open)?;
    for limit in [0, 1, 2, 3, 7, 50, 1_000] {
        for since in store.positions.clone() {
            store.has_all_since(since, limit)?;
        }
    }
    Ok(())
}

fn about_the_limit<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = Subject::new(open());
    for number in 0..40 {
        store.commit(&[token(number)])?;
    }
    let page = store.page(Position::ORIGIN, 10).map_err(said("changes"))?;
    match page.records.len() {
        // One more or less is no fault.
        9..=11 => Ok(()),
        len => Err(format!("a page of about 10 records of as many revisions has {len}")),
    }
}

fn while_others_commit<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = Subject::new(open());
    for number in 0..20 {
        store.commit(&[token(number)])?;
    }
    let mut found: Vec<(u64, Record)> = Vec::new();
    let mut since = Position::ORIGIN;
    // Replaces what was read and what was not, and adds to what is to be read.
    for number in (0..5_u32).flat_map(|step| [step, 19 - step, 100 + step]) {
        let page = store.page(since, 2).map_err(said("changes"))?;
        since = page.position;
        found.extend(page.records);
        store.commit(&[token_described(number, "while reading")])?;
    }
    found.extend(store.all(since, 2)?.records);
    // The last word on each key is what counts.
    for (revision, record) in store.records.clone() {
        let last = found.iter().rev().find(|(_, found)| found.key() == record.key());
        if last != Some(&(revision, record.clone())) {
            return Err(format!("{} of revision {revision} was left out", record.key()));
        }
    }
    Ok(())
}

fn diverged<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = Subject::new(open());
    store.commit(&[token(1)])?;
    store.commit(&[token(2)])?;
    let [first, second] = [1, 2].map(|revision| store.positions.get(revision).copied().unwrap_or(Position::ORIGIN));
    for (revision, commit) in [
        (0, first.commit),
        (1, second.commit),
        (1, commit_id()?),
        (2, first.commit),
        (2, CommitId::from_bytes([0; 16])),
        (3, second.commit),
        (9, commit_id()?),
    ] {
        let since = Position { revision, commit };
        match store.page(since, 10) {
            Err(ChangesError::Diverged) => {}
            Err(error) => return Err(format!("changes since {since} failed: {error}")),
            Ok(page) => return Err(format!("changes since {since} were given up to {}", page.position)),
        }
    }
    Ok(())
}

/// A store with tombstones below, at and above revision 4, which forgets up to there.
fn forgetful<S: TokenStore>(open: &dyn Fn() -> S) -> Result<Subject<S>, String> {
    let mut store = Subject::new(open());
    store.commit(&[token(1), token(2), token(3), owner(1)])?;
    store.commit(&[tombstone(1), organization(1), tombstone(6)])?;
    // A tombstone that was replaced is none any more.
    store.commit(&[token(4), set_up(), token(6)])?;
    store.commit(&[tombstone(2), token(5)])?;
    store.commit(&[tombstone(3)])?;
    store.commit(&[horizon(4), tombstone(4)])?;
    store.expect_gone(RecordKey::token(token_id(1)));
    store.expect_gone(RecordKey::token(token_id(2)));
    Ok(store)
}

fn drops_tombstones<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = forgetful(open)?;
    let all = store.all(Position::ORIGIN, 1_000)?;
    for gone in [tombstone(1), tombstone(2)] {
        if all.records.iter().any(|(_, record)| *record == gone) {
            return Err(format!("the tombstone {} is still there", gone.key()));
        }
    }
    store.commit(&[horizon(6)])?;
    let all = store.all(Position::ORIGIN, 1_000)?;
    match all.records.iter().find(|(_, record)| [tombstone(3), tombstone(4)].contains(record)) {
        Some((_, record)) => Err(format!("the tombstone {} is still there", record.key())),
        None => Ok(()),
    }
}

fn drops_nothing_else<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = forgetful(open)?;
    has_at_least_all(&mut store)?;
    // What was forgotten can come again, and what was kept can be replaced.
    store.commit(&[token(1), tombstone(2), token_described(6, "later"), token_described(4, "later")])?;
    store.commit(&[tombstone(1)])?;
    has_at_least_all(&mut store)?;
    let mut store = store.reopen(open);
    has_at_least_all(&mut store)
}

/// That nothing is gone. Whether something is left that should be gone is for other checks.
fn has_at_least_all<S: TokenStore>(store: &mut Subject<S>) -> Found {
    let found = store.all(Position::ORIGIN, 1_000)?.records;
    let gone = |expected: &&(u64, Record)| !found.contains(expected);
    if let Some((revision, record)) = store.records.iter().find(gone) {
        return Err(format!("{} of revision {revision} is gone", record.key()));
    }
    let mut keys: Vec<_> = found.iter().map(|(_, record)| record.key()).collect();
    keys.sort_unstable();
    match keys.windows(2).find(|pair| pair.first() == pair.last()).and_then(<[_]>::first) {
        Some(key) => Err(format!("{key} is there twice")),
        None => Ok(()),
    }
}

fn too_old<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = forgetful(open)?;
    // A horizon never goes back.
    store.commit(&[horizon(2)])?;
    let check = |store: &mut Subject<S>| {
        for since in store.positions.clone() {
            let expected = since.revision < 4 && since != Position::ORIGIN;
            match store.page(since, 10) {
                Err(ChangesError::TooOld) if expected => {}
                Ok(_) if !expected => {}
                Ok(_) => return Err(format!("changes since {since} were given, below the horizon of 4")),
                Err(error) => return Err(format!("changes since {since} failed: {error}")),
            }
        }
        Ok(())
    };
    check(&mut store)?;
    check(&mut store.reopen(open))
}

fn survives_reopening<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = Subject::new(open());
    for number in 0..3 {
        store.commit(&[token(number), owner(number)])?;
        store = store.reopen(open);
        store.has_all()?;
        store.has_all_since(store.head(), 10)?;
    }
    store.commit(&[tombstone(1)])?;
    let mut store = store.reopen(open);
    store.commit(&[token_described(2, "later")])?;
    let mut store = store.reopen(open);
    store.has_all()
}

fn seconds(seconds: u64) -> Timestamp {
    Timestamp::EPOCH.saturating_add(Duration::from_secs(seconds))
}

fn later_wins<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = Subject::new(open());
    store.commit(&[token(1), token(2), owner(2)])?;
    let id = token_id(1);
    same("the last-used time before any", &store.last_used(id)?, &None)?;
    for (told, expected) in [(5, 5), (9, 9), (7, 9), (0, 9)] {
        store.touch(&[(id, seconds(told))])?;
        same("the last-used time", &store.last_used(id)?, &Some(seconds(expected)))?;
    }
    same("the last-used time of another token", &store.last_used(token_id(2))?, &None)?;
    store.touch(&[(token_id(2), Timestamp::MAX), (id, seconds(11))])?;
    same("the last-used time", &store.last_used(token_id(2))?, &Some(Timestamp::MAX))?;
    store.commit(&[token_described(1, "later")])?;
    same("the last-used time after a change of the token", &store.last_used(id)?, &Some(seconds(11)))
}

fn unknown_tokens<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = Subject::new(open());
    store.commit(&[token(1), owner(2)])?;
    store.touch(&[(token_id(2), seconds(5)), (token_id(1), seconds(6))])?;
    same("the last-used time of a token next to an unknown one", &store.last_used(token_id(1))?, &Some(seconds(6)))?;
    store.commit(&[token(2)])?;
    same("the last-used time of a token that was unknown", &store.last_used(token_id(2))?, &None)?;
    store.commit(&[tombstone(1)])?;
    store.commit(&[horizon(3)])?;
    store.touch(&[(token_id(1), seconds(7))])?;
    store.commit(&[token(1)])?;
    same("the last-used time of a token that was forgotten", &store.last_used(token_id(1))?, &None)
}

fn touch_is_no_commit<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = Subject::new(open());
    store.commit(&[token(1)])?;
    store.touch(&[(token_id(1), seconds(5))])?;
    store.has_all()?;
    store.has_all_since(store.head(), 10)?;
    store.commit(&[token(2)])?;
    store.has_all()
}

fn seen_by_others<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = Subject::new(open());
    let mut other = Subject::new(open());
    other.has_all()?;
    for number in 0..3 {
        store.commit(&[token(number), token_described(9, "one")])?;
        other.follow(&store);
        other.has_all()?;
        other.commit(&[tombstone(number), token_described(9, "other")])?;
        store.follow(&other);
        store.has_all()?;
    }
    repeat_all(&mut other)
}

fn one_of_many<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    let mut store = Subject::new(open());
    let mut racers: Vec<_> = (0..4).map(|_| open()).collect();
    for round in 0..20 {
        let head = store.head();
        let race = |(racer, number): (&mut S, u32)| {
            let records = [token(round), owner(number)];
            match racer.commit(head, commit_id()?, &records) {
                Ok(position) => Ok(Some((position, records))),
                Err(CommitError::Conflict(_)) => Ok(None),
                Err(error) => Err(said("commit")(error)),
            }
        };
        let answers: Vec<_> = thread::scope(|scope| {
            let racing: Vec<_> = racers.iter_mut().zip(0..).map(|racer| scope.spawn(move || race(racer))).collect();
            racing.into_iter().map(|racer| racer.join().unwrap_or_else(|_| Err("commit panicked".into()))).collect()
        });
        let mut made = Vec::new();
        for answer in answers {
            made.extend(answer?);
        }
        same("the number of commits made at one position", &made.len(), &1)?;
        for (position, records) in made {
            store.made(position, &records);
        }
        store.has_all()?;
    }
    Ok(())
}

fn never_in_part<S: TokenStore>(open: &dyn Fn() -> S) -> Found {
    const TOKENS: u32 = 20;
    let mut reader = Subject::new(open());
    let mut writer = Subject::new(open());
    thread::scope(|scope| {
        let writing = scope.spawn(move || {
            for round in 0..30 {
                let description = round.to_string();
                let records: Vec<_> = (0..TOKENS).map(|number| token_described(number, &description)).collect();
                writer.commit(&records)?;
            }
            Ok(())
        });
        while !writing.is_finished() {
            let page = reader.page(Position::ORIGIN, 1_000).map_err(said("changes while others commit"))?;
            let revision = page.position.revision;
            let expected = if revision == 0 { 0 } else { TOKENS };
            let found = page.records.iter().filter(|(of, _)| *of == revision).count();
            same(&format!("the number of records of revision {revision}"), &found, &(expected as usize))?;
            same("the number of records", &page.records.len(), &found)?;
        }
        writing.join().unwrap_or_else(|_| Err("commit panicked".into()))
    })
}
