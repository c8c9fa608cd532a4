//! Following the store: reading what others changed in it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::authority::error::Error;
use crate::authority::manager::guarded::GuardedStore;
use crate::authority::manager::teller::Teller;
use crate::authority::open_error::OpenError;
use crate::authority::pending::Answer;
use crate::authority::shared::Shared;
use crate::model::time::Timestamp;
use crate::store::{ChangesError, Position, Record, StoreError};

/// The longest pause between two reads while somebody waits for a revision.
const AWAITED: Duration = Duration::from_millis(50);
/// How often one read starts from the beginning before it gives up.
const RESTARTS: u32 = 10;
/// About how many records to read from the store at a time.
const PAGE: usize = 10_000;

/// Keeps the index in step with what others change in the store.
pub(super) struct Follower {
    shared: Arc<Shared>,
    /// How often to read, if nothing makes it sooner.
    interval: Duration,
    /// The revisions that callers wait for.
    waiting: Vec<(u64, Answer<Position>)>,
    /// Whether to read the store before it is time.
    hurried: bool,
    /// When the last read by interval began.
    began: Instant,
}

/// Why the store could not be read.
#[derive(Debug, Clone)]
pub(crate) enum ReadError {
    Store(Arc<StoreError>),
    NewerFormat(u8),
}

impl ReadError {
    fn store(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }

    /// Returns what the store itself said, where the store failed.
    fn cause(&self) -> String {
        match self {
            Self::Store(source) => source.to_string(),
            Self::NewerFormat(format) => Error::NewerFormat(*format).to_string(),
        }
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => Self::Store(error),
            ReadError::NewerFormat(format) => Self::NewerFormat(format),
        }
    }
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => Self::Store(error),
            ReadError::NewerFormat(format) => Self::NewerFormat(format),
        }
    }
}

impl Follower {
    pub(super) fn new(shared: Arc<Shared>, interval: Duration) -> Self {
        Self { shared, interval, waiting: Vec::new(), hurried: false, began: Instant::now() }
    }

    /// Returns the longest pause between two reads.
    pub(super) fn interval(&self) -> Duration {
        if self.waiting.is_empty() { self.interval } else { self.interval.min(AWAITED) }
    }

    /// Sends the answer once the store was followed to that revision. The next read is due at once.
    pub(super) fn wait_for(&mut self, revision: u64, answer: Answer<Position>) {
        self.waiting.push((revision, answer));
        self.hurry();
    }

    /// Makes the next read due at once.
    pub(super) fn hurry(&mut self) {
        self.hurried = true;
    }

    pub(super) fn is_hurried(&self) -> bool {
        self.hurried
    }

    /// Reports whether it is time to read.
    pub(super) fn is_due(&self) -> bool {
        self.hurried || self.began.elapsed() >= self.interval()
    }

    /// Notes that a read begins. The interval counts from now.
    pub(super) fn begin(&mut self) {
        self.began = Instant::now();
        self.hurried = false;
    }

    /// Reads what others changed, sends the events of that, and answers the callers that waited for it.
    pub(super) fn catch_up(&mut self, store: &mut GuardedStore, teller: &mut Teller) -> Result<(), ReadError> {
        teller.tell_denying(None);
        let read = self.read(store, teller);
        teller.tell_denying(read.as_ref().err().map(ReadError::cause));
        if read.is_ok() {
            let position = self.shared.index.position();
            let reached =
                |(revision, answer): &(u64, Answer<Position>)| position.revision >= *revision || answer.is_abandoned();
            let (answered, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(reached);
            self.waiting = waiting;
            Vec::into_iter(answered).for_each(|(_, answer)| answer.send(Ok(position)));
        }
        read
    }

    /// Reads what others changed, or everything where no way leads from here to there. Then opens the index.
    pub(super) fn read(&self, store: &mut GuardedStore, teller: &mut Teller) -> Result<(), ReadError> {
        let shared = &self.shared;
        match self.read_pages(store, teller) {
            Ok((at, uptime)) => {
                // Before the index opens: the observer is told first that everything was denied meanwhile.
                teller.tell_denying(None);
                shared.contact.made(at, uptime);
                shared.index.open(shared.staleness.end(uptime));
                Ok(())
            }
            Err(error) => {
                shared.contact.failed(error.clone().into());
                Err(error)
            }
        }
    }

    /// Returns when the last page was asked for. All that was in the store then is in the index now.
    fn read_pages(&self, store: &mut GuardedStore, teller: &mut Teller) -> Result<(Timestamp, Duration), ReadError> {
        let index = &self.shared.index;
        let mut since = index.position();
        let (mut records, mut used) = (Vec::new(), Vec::new());
        let (mut restarts, mut limit) = (0, PAGE);
        let asked = loop {
            let asked = (self.shared.clock.now(), self.shared.clock.uptime());
            match store.changes(since, limit) {
                Ok(page) if page.more && page.position.revision <= since.revision => {
                    return Err(ReadError::store(StoreError::new("the store's pages lead nowhere")));
                }
                Ok(mut page) => {
                    since = page.position;
                    records.append(&mut page.records);
                    used.append(&mut page.used);
                    // Requests see all pages or none: one page alone may lack a suspension that is in a later one.
                    if !page.more || !index.is_open() {
                        if index.is_open() {
                            keep_latest(&mut records);
                        }
                        index.apply(since, records.iter().map(|(revision, record)| (*revision, record)));
                        index.apply_used(&used);
                        records.clear();
                        used.clear();
                    }
                    if !page.more {
                        break asked;
                    }
                }
                // Everything is read from the start. Until that is done, nothing is known: deny.
                Err(error @ (ChangesError::Diverged | ChangesError::TooOld))
                    if since != Position::ORIGIN && restarts < RESTARTS =>
                {
                    restarts += 1;
                    if matches!(error, ChangesError::Diverged) && index.is_open() {
                        teller.tell_diverged(index.position());
                    }
                    // The next page is `TooOld` where the first one ended below the store's horizon. So read larger ones.
                    if !index.is_open() {
                        limit = limit.saturating_mul(8);
                    }
                    index.close();
                    teller.tell_denying(None);
                    index.clear();
                    records.clear();
                    used.clear();
                    since = Position::ORIGIN;
                }
                Err(ChangesError::Failed(error)) => return Err(ReadError::store(error)),
                Err(error) => return Err(ReadError::store(StoreError::new(error))),
            }
        };
        match index.marks().format {
            Some(format) if format > Record::NEWEST_FORMAT => {
                index.close();
                Err(ReadError::NewerFormat(format))
            }
            _ => Ok(asked),
        }
    }
}

/// Removes the records that a later page replaces.
fn keep_latest(records: &mut Vec<(u64, Record)>) {
    let latest: HashMap<_, _> = records.iter().map(|(revision, record)| (record.key(), *revision)).collect();
    if latest.len() < records.len() {
        records.retain(|(revision, record)| latest.get(&record.key()) == Some(revision));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::record::{Body, Mark};
    use crate::store::{CommitId, TokenStore};
    use crate::{Actor, Authority, MemoryStore, Reason, UserId};

    #[test]
    fn a_store_whose_format_becomes_newer_is_neither_believed_nor_changed() {
        let mut store = MemoryStore::new();
        let authority = Authority::builder()
            .follow(Duration::MAX)
            .availability_over_revocation()
            .open(store.clone())
            .wait()
            .unwrap();
        let root = authority.setup(UserId::generate().unwrap()).wait().unwrap();
        let newer = Record(Body::Mark(Mark::Format(Record::NEWEST_FORMAT + 1)));
        let newest = store.commit(authority.position(), CommitId::generate().unwrap(), &[newer]).unwrap();
        for _ in 0..2 {
            let answer = authority.revoke(Actor::host("test"), root.token.id()).wait();
            assert!(matches!(answer, Err(Error::NewerFormat(_))), "{answer:?}");
            let refused = authority.authenticate(root.secret.expose()).unwrap_err();
            assert_eq!(refused.reason(), Reason::Unavailable);
        }
        assert_eq!(store.changes(newest, 1).unwrap().position, newest);
        assert!(matches!(Authority::open(store).wait(), Err(OpenError::NewerFormat(_))));
    }
}
