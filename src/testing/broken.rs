//! Stores that break the contract, each in one way: they prove that the suite notices.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::model::id::TokenId;
use crate::model::time::Timestamp;
use crate::store::record::{Record, RecordKey, RecordKind};
use crate::store::{Changes, ChangesError, CommitError, CommitId, Position, StoreError, TokenStore};

macro_rules! flaws {
    ($($(#[$doc:meta])* $name:ident => $check:literal,)*) => {
        /// A way to break the contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Flaw {
            $($(#[$doc])* $name,)*
        }

        impl Flaw {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Returns the check that must notice it; others may, too.
            #[must_use]
            pub const fn noticed_by(self) -> &'static str {
                match self {
                    $(Self::$name => $check,)*
                }
            }
        }
    };
}

flaws! {
    /// A new store has a commit already.
    NotNew => "a new store is empty and at the origin",
    /// Reads come from before the last commit.
    Stale => "a commit moves the store on by one revision",
    /// A commit without records is acknowledged and not made.
    SkipsEmpty => "a commit without records is a commit",
    /// Records that are longer than 64 KiB are lost.
    CutsLong => "every record comes back as it was written",
    /// Of the records of a commit, the second half is lost.
    WritesHalf => "a commit is made whole",
    /// Commits are made wherever the store is.
    IgnoresExpected => "a commit is made only at the expected position",
    /// Two positions are equal when their revisions are.
    ComparesRevisionsOnly => "a commit is made only at the expected position",
    /// A conflict says where the caller is.
    WrongConflict => "a commit is made only at the expected position",
    /// A repeated commit is a conflict.
    ForgetsCommitIds => "a repeated commit is acknowledged again",
    /// Only the last commit is recognized.
    RemembersLastCommitOnly => "a repeated commit is acknowledged also after others",
    /// A repeated commit writes its records again.
    RepeatsCommits => "a repeated commit changes nothing",
    /// A record that was replaced is returned as well.
    ReturnsReplaced => "a record replaces the one with its key",
    /// A tombstone removes the token and leaves no trace.
    LosesTombstones => "a tombstone is kept like any other record",
    /// Pages are in the order of keys.
    Reorders => "pages are in the order of revisions",
    /// Pages end after exactly as many records as asked for.
    SplitsRevisions => "a page never ends in the middle of a revision",
    /// The first page says that there is no more.
    EndsEarly => "pages leave nothing out",
    /// All is in one page.
    IgnoresLimit => "a page has about as many records as asked for",
    /// Later pages are as things were when the first was read.
    Snapshots => "pages leave nothing out while others commit",
    /// A position of another history is taken for the one of that revision.
    NeverDiverges => "a position of another history has diverged",
    /// The horizon is kept and nothing is dropped.
    ForgetsNothing => "forgetting drops the tombstones up to the horizon",
    /// Tokens are dropped, too.
    ForgetsTokens => "forgetting drops nothing else",
    /// Changes since positions below the horizon are given.
    NeverTooOld => "positions below the horizon are too old",
    /// The horizon is lost when the store is opened again.
    ReopensTooOld => "positions below the horizon are too old",
    /// The last commit is lost when the store is opened again.
    LosesLastCommit => "what was committed is there after reopening",
    /// The earlier time wins.
    EarlierUseWins => "the later last-used time wins",
    /// The time that was told last wins.
    LastToldWins => "the later last-used time wins",
    /// A change of the token loses its last use.
    ChangeLosesUse => "the later last-used time wins",
    /// Times of tokens that are made later are kept.
    KeepsUnknownUse => "last-used times of unknown tokens are left out",
    /// Last-used times move the store on.
    TouchCommits => "last-used times are no commit",
    /// A store reads only what it committed itself.
    NeverLooksAgain => "what one store commits the others read",
    /// The expected position is compared before others are kept out.
    Races => "of many commits at one position one is made",
    /// A commit is written in two steps.
    CommitsInSteps => "a commit is never seen in part",
}

/// A store in memory with a [`Flaw`].
#[derive(Debug)]
pub struct BrokenStore {
    flaw: Flaw,
    shared: Arc<Mutex<Model>>,
    /// What this handle saw, for flaws that look no further.
    seen: Model,
}

#[derive(Debug, Clone, Default)]
struct Model {
    history: Vec<CommitId>,
    /// In the order in which they were written.
    records: Vec<(u64, Record)>,
    used: BTreeMap<TokenId, Timestamp>,
    horizon: u64,
    /// All this without the last commit.
    before: Option<Box<Model>>,
}

impl BrokenStore {
    /// Creates a new store.
    #[must_use]
    pub fn new(flaw: Flaw) -> Self {
        let mut model = Model::default();
        if flaw == Flaw::NotNew {
            model.history.push(CommitId::from_bytes([1; 16]));
        }
        Self { flaw, seen: model.clone(), shared: Arc::new(Mutex::new(model)) }
    }

    /// Returns another handle on the same store, as if it was opened again.
    #[must_use]
    pub fn open(&self) -> Self {
        let mut model = self.model();
        match self.flaw {
            Flaw::LosesLastCommit => {
                if let Some(before) = model.before.take() {
                    *model = *before;
                }
            }
            Flaw::ReopensTooOld => model.horizon = 0,
            _ => {}
        }
        Self { flaw: self.flaw, shared: Arc::clone(&self.shared), seen: model.clone() }
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Model {
    fn position(&self, revision: u64) -> Option<Position> {
        let Some(before) = revision.checked_sub(1) else { return Some(Position::ORIGIN) };
        let commit = *self.history.get(usize::try_from(before).ok()?)?;
        Some(Position { revision, commit })
    }

    fn head(&self) -> Position {
        self.position(self.history.len() as u64).unwrap_or(Position::ORIGIN)
    }

    fn has(&self, key: RecordKey) -> bool {
        self.records.iter().any(|(_, record)| record.key() == key)
    }

    fn write(&mut self, flaw: Flaw, revision: u64, records: &[Record]) {
        for record in records {
            if flaw != Flaw::ReturnsReplaced {
                self.records.retain(|(_, before)| before.key() != record.key());
            }
            let lost = match flaw {
                Flaw::LosesTombstones => record.kind() == RecordKind::Tombstone,
                Flaw::CutsLong => record.encode().len() > 1 << 16,
                _ => false,
            };
            if !lost {
                self.records.push((revision, record.clone()));
            }
            if flaw == Flaw::ChangeLosesUse {
                record.token().map(|id| self.used.remove(&id));
            }
        }
        for horizon in records.iter().filter_map(Record::forgets) {
            self.horizon = self.horizon.max(horizon);
            self.records.retain(|(revision, record)| match (flaw, record.kind()) {
                (Flaw::ForgetsNothing, _) => true,
                (_, RecordKind::Tombstone) | (Flaw::ForgetsTokens, RecordKind::Token) => *revision > horizon,
                _ => true,
            });
            self.used.retain(|id, _| self.records.iter().any(|(_, record)| record.token() == Some(*id)));
        }
    }

    fn page(&self, flaw: Flaw, since: Position, limit: usize) -> Changes {
        let mut records: Vec<_> =
            self.records.iter().filter(|(revision, _)| *revision > since.revision).cloned().collect();
        let mut end = records.len();
        if flaw != Flaw::IgnoresLimit && end > limit {
            let last = records.get(limit.saturating_sub(1)).map(|(revision, _)| *revision);
            let whole = records.iter().take_while(|(revision, _)| Some(*revision) <= last).count();
            end = if flaw == Flaw::SplitsRevisions { limit } else { whole };
        }
        let more = end < records.len();
        records.truncate(end);
        let last = records.last().map_or(since.revision, |(revision, _)| *revision);
        let position = if more { self.position(last).unwrap_or(since) } else { self.head() };
        if flaw == Flaw::Reorders {
            records.sort_by_key(|(_, record)| record.key());
        }
        let used = records.iter().filter_map(|(_, record)| self.used.get_key_value(&record.token()?));
        let used = used.map(|(id, time)| (*id, *time)).collect();
        Changes { used, records, position, more: more && flaw != Flaw::EndsEarly }
    }
}

impl TokenStore for BrokenStore {
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Result<Position, CommitError> {
        let flaw = self.flaw;
        let mut model = self.model();
        let mut next = Position { revision: expected.revision + 1, commit: id };
        let recognized = match flaw {
            Flaw::ForgetsCommitIds => false,
            Flaw::RemembersLastCommitOnly => model.head() == next,
            _ => model.position(next.revision) == Some(next),
        };
        if recognized {
            if flaw == Flaw::RepeatsCommits {
                model.write(flaw, next.revision, records);
            }
            return Ok(next);
        }
        let head = model.head();
        let there = match flaw {
            Flaw::IgnoresExpected => true,
            Flaw::ComparesRevisionsOnly => head.revision == expected.revision,
            _ => head == expected,
        };
        if !there {
            return Err(CommitError::Conflict(if flaw == Flaw::WrongConflict { expected } else { head }));
        }
        if flaw == Flaw::SkipsEmpty && records.is_empty() {
            return Ok(next);
        }
        if flaw == Flaw::Races {
            drop(model);
            thread::sleep(Duration::from_millis(1));
            model = self.model();
        }
        next.revision = model.head().revision + 1;
        model.before = None;
        model.before = Some(Box::new(model.clone()));
        model.history.push(id);
        let (first, second) = records.split_at(records.len().div_ceil(2));
        model.write(flaw, next.revision, first);
        if flaw == Flaw::CommitsInSteps {
            drop(model);
            thread::sleep(Duration::from_millis(1));
            model = self.model();
        }
        if flaw != Flaw::WritesHalf {
            model.write(flaw, next.revision, second);
        }
        let seen = model.clone();
        drop(model);
        if flaw == Flaw::NeverLooksAgain {
            self.seen = seen;
        }
        Ok(next)
    }

    fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError> {
        let flaw = self.flaw;
        let mut model = self.model().clone();
        match flaw {
            Flaw::Stale => model = model.before.as_deref().cloned().unwrap_or_default(),
            Flaw::NeverLooksAgain => model.clone_from(&self.seen),
            // A first page of another reading sees all again.
            Flaw::Snapshots if since == Position::ORIGIN => self.seen = model.clone(),
            _ => {}
        }
        if flaw != Flaw::NeverDiverges && model.position(since.revision) != Some(since) {
            return Err(ChangesError::Diverged);
        }
        if flaw != Flaw::NeverTooOld && since.revision < model.horizon && since != Position::ORIGIN {
            return Err(ChangesError::TooOld);
        }
        if flaw == Flaw::Snapshots && self.seen.position(since.revision) == Some(since) {
            let page = self.seen.page(flaw, since, limit);
            return Ok(if page.more { page } else { Changes { position: model.head(), ..page } });
        }
        Ok(model.page(flaw, since, limit))
    }

    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        let flaw = self.flaw;
        let mut model = self.model();
        for (id, time) in used {
            if flaw != Flaw::KeepsUnknownUse && !model.has(RecordKey::token(*id)) {
                continue;
            }
            let last = model.used.entry(*id).or_insert(*time);
            *last = match flaw {
                Flaw::EarlierUseWins => (*last).min(*time),
                Flaw::LastToldWins => *time,
                _ => (*last).max(*time),
            };
        }
        if flaw == Flaw::TouchCommits {
            model.history.push(CommitId::from_bytes([2; 16]));
        }
        Ok(())
    }
}
