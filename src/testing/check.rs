//! What a check of the suite works with, and what becomes of it.

use std::fmt;

use crate::model::id::TokenId;
use crate::model::time::Timestamp;
use crate::store::record::{Record, RecordKey};
use crate::store::{Changes, ChangesError, CommitError, CommitId, Position, TokenStore};

/// A sentence of the contract that a store breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The sentence.
    pub check: &'static str,
    /// What the store did.
    pub found: String,
}

/// What the suite found. Printed, it has one line for each sentence of the contract.
#[must_use]
#[derive(Debug, Clone)]
pub struct Report(Vec<(&'static str, Result<(), String>)>);

impl Report {
    /// Reports whether the store keeps the contract.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.0.iter().all(|(_, result)| result.is_ok())
    }

    /// Returns how the store breaks it.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        let violation = |(check, result): &(&'static str, Result<(), String>)| {
            let found = result.as_ref().err()?.clone();
            Some(Violation { check, found })
        };
        self.0.iter().filter_map(violation).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (check, result) in &self.0 {
            match result {
                Ok(()) => writeln!(f, "kept    {check}")?,
                Err(found) => writeln!(f, "BROKEN  {check}: {found}")?,
            }
        }
        let kept = self.0.iter().filter(|(_, result)| result.is_ok()).count();
        write!(f, "{kept} of {} kept", self.0.len())
    }
}

/// One sentence, and the function that opens its own store, several times if need be, to find a violation.
pub(super) type Check<S> = (&'static str, fn(&dyn Fn() -> S) -> Found);

/// What the store did, if that breaks the contract.
pub(super) type Found = Result<(), String>;

/// Runs each check on a place of its own.
pub(super) fn run<P, S: TokenStore>(checks: &[Check<S>], new_place: impl Fn() -> P, open: impl Fn(&P) -> S) -> Report {
    let run = |(name, check): &Check<S>| {
        let place = new_place();
        (*name, check(&|| open(&place)))
    };
    Report(checks.iter().map(run).collect())
}

/// A violation, unless the two agree.
pub(super) fn same<T: PartialEq + fmt::Debug>(what: &str, found: &T, expected: &T) -> Found {
    if found == expected { Ok(()) } else { Err(format!("{what} is {found:?} instead of {expected:?}")) }
}

/// A store and what it was told, which is what it should answer.
pub(super) struct Subject<S> {
    store: S,
    /// Every position so far, from the origin on.
    pub(super) positions: Vec<Position>,
    /// The current records in the order in which they were written.
    pub(super) records: Vec<(u64, Record)>,
}

impl<S: TokenStore> Subject<S> {
    pub(super) fn new(store: S) -> Self {
        Self { store, positions: vec![Position::ORIGIN], records: Vec::new() }
    }

    /// The same on another handle, when this one is gone.
    pub(super) fn reopen(self, open: &dyn Fn() -> S) -> Self {
        let Self { store, positions, records } = self;
        drop(store);
        Self { store: open(), positions, records }
    }

    pub(super) fn head(&self) -> Position {
        self.positions.last().copied().unwrap_or(Position::ORIGIN)
    }

    /// A commit that is to succeed.
    pub(super) fn commit(&mut self, records: &[Record]) -> Found {
        let id = commit_id()?;
        let expected = Position { revision: self.head().revision + 1, commit: id };
        let position = self.try_commit(self.head(), id, records).map_err(said("commit"))?;
        same("the position after a commit", &position, &expected)?;
        self.made(position, records);
        Ok(())
    }

    /// A commit was made.
    pub(super) fn made(&mut self, position: Position, records: &[Record]) {
        self.positions.push(position);
        for record in records {
            self.expect_gone(record.key());
            self.records.push((position.revision, record.clone()));
        }
    }

    /// The store in the same place was told more.
    pub(super) fn follow(&mut self, other: &Self) {
        self.positions.clone_from(&other.positions);
        self.records.clone_from(&other.records);
    }

    pub(super) fn try_commit(
        &mut self,
        expected: Position,
        id: CommitId,
        records: &[Record],
    ) -> Result<Position, CommitError> {
        self.store.commit(expected, id, records)
    }

    /// A commit that is to fail because the store is elsewhere.
    pub(super) fn conflicts(&mut self, expected: Position) -> Found {
        match self.try_commit(expected, commit_id()?, &[super::records::token(99)]) {
            Err(CommitError::Conflict(at)) => same("the position in the conflict", &at, &self.head()),
            Err(error) => Err(format!("a commit at {expected} failed: {error}")),
            Ok(_) => Err(format!("a commit at {expected} was made at {}", self.head())),
        }
    }

    pub(super) fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Found {
        self.store.touch(used).map_err(said("touch"))
    }

    pub(super) fn page(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError> {
        self.store.changes(since, limit)
    }

    /// All pages after a position. What every page is to be is checked on the way.
    pub(super) fn all(&mut self, since: Position, limit: usize) -> Result<Changes, String> {
        let mut all = Changes::new(since);
        all.more = true;
        while all.more {
            let page = self.page(all.position, limit).map_err(said("changes"))?;
            if page.more && page.position.revision <= all.position.revision {
                return Err(format!(
                    "a page after {} ends at {} and says that there is more",
                    all.position, page.position
                ));
            }
            let above = all.position.revision + 1..=page.position.revision;
            if let Some((revision, _)) = page.records.iter().find(|(revision, _)| !above.contains(revision)) {
                return Err(format!("a page of revisions {above:?} has a record of revision {revision}"));
            }
            all.records.extend(page.records);
            all.used.extend(page.used);
            all.position = page.position;
            all.more = page.more;
        }
        Ok(all)
    }

    /// That the store has all that was committed after a position, and nothing else.
    pub(super) fn has_all_since(&mut self, since: Position, limit: usize) -> Found {
        let all = self.all(since, limit)?;
        same("the store's position", &all.position, &self.head())?;
        let expected: Vec<_> =
            self.records.iter().filter(|(revision, _)| *revision > since.revision).cloned().collect();
        let place = |(revision, record): &(u64, Record)| (*revision, record.key());
        let revisions = |records: &[(u64, Record)]| records.iter().map(|(revision, _)| *revision).collect::<Vec<_>>();
        same("the order of revisions", &revisions(&all.records), &revisions(&expected))?;
        // Within a revision the order means nothing.
        let sorted = |mut records: Vec<(u64, Record)>| {
            records.sort_by_key(place);
            records
        };
        let (found, expected) = (sorted(all.records), sorted(expected));
        let keys = |records: &[(u64, Record)]| records.iter().map(place).collect::<Vec<_>>();
        same("what is there", &keys(&found), &keys(&expected))?;
        if let Some(((_, _), (revision, record))) =
            found.iter().zip(&expected).find(|(found, expected)| found != expected)
        {
            return Err(format!("{} of revision {revision} is not as it was written", record.key()));
        }
        Ok(())
    }

    /// That the store has all that was committed, and nothing else.
    pub(super) fn has_all(&mut self) -> Found {
        self.has_all_since(Position::ORIGIN, 1_000)
    }

    /// When a token was last used.
    pub(super) fn last_used(&mut self, id: TokenId) -> Result<Option<Timestamp>, String> {
        let all = self.all(Position::ORIGIN, 1_000)?;
        Ok(all.used.iter().find(|(used, _)| *used == id).map(|(_, time)| *time))
    }

    /// The records with that key are gone, and so they should be.
    pub(super) fn expect_gone(&mut self, key: RecordKey) {
        self.records.retain(|(_, record)| record.key() != key);
    }
}

pub(super) fn commit_id() -> Result<CommitId, String> {
    CommitId::generate().map_err(said("the random generator"))
}

/// A failure of a call, as what was found.
pub(super) fn said<E: std::error::Error>(call: &str) -> impl Fn(E) -> String {
    move |error| {
        let mut text = format!("{call} failed: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        text
    }
}
