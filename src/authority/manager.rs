//! The management thread: plans the waiting calls, commits them together, publishes them, answers.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use crate::authority::call::Call;
use crate::authority::draft::{Draft, Part, Stop};
use crate::authority::error::Error;
use crate::authority::event::{ActorName, Event, EventKind, Observer};
use crate::authority::open_error::OpenError;
use crate::authority::pending::Answer;
use crate::authority::request::Receipt;
use crate::authority::shared::Shared;
use crate::index::Index;
use crate::model::reason::Reason;
use crate::model::time::Timestamp;
use crate::store::record::Record;
use crate::store::{ChangesError, CommitError, CommitId, MAX_COMMIT, Position, StoreError, TokenStore};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use crate::sync::thread;

/// How often a call is planned anew because others changed the store meanwhile.
const ATTEMPTS: u32 = 10;
/// How often a commit in doubt is repeated before its callers are told so, and how long between.
const REPEATS: [Duration; 3] = [Duration::from_millis(5), Duration::from_millis(50), Duration::from_millis(250)];
/// How often to look at the time and to tell failures, however rarely the host has the store read.
const TICK: Duration = Duration::from_secs(1);
/// The shortest wait between two readings: without one, the thread would never rest.
const SHORTEST: Duration = Duration::from_millis(1);
/// The longest wait between two readings while somebody waits for a revision.
const AWAITED: Duration = Duration::from_millis(50);
/// About how many records to read from the store at a time.
const PAGE: usize = 10_000;

/// About how many last-used times to write at a time: others wait meanwhile.
const TOUCHED: usize = 10_000;

/// What the management thread is told.
pub(crate) enum Message {
    Call(Box<dyn Call>),
    /// Read the store now, and answer once it was followed to that revision.
    FollowTo(u64, Answer<Position>),
    /// Others may have changed the store.
    Hint(Arc<Hint>),
    /// End, and say so when the store is closed.
    Close(Answer<()>),
}

/// What a store wakes when others have changed it. It does not keep the authority open.
pub(crate) struct Hint {
    queue: Weak<Sender<Message>>,
    /// Whether a message is on its way: many changes need but one.
    sent: AtomicBool,
}

impl Hint {
    pub(crate) fn waker(queue: &Arc<Sender<Message>>) -> Waker {
        Waker::from(Arc::new(Self { queue: Arc::downgrade(queue), sent: AtomicBool::new(false) }))
    }
}

impl Wake for Hint {
    fn wake(self: Arc<Self>) {
        if let Some(queue) = self.queue.upgrade() {
            if !self.sent.swap(true, Ordering::AcqRel) {
                // Fails only when the thread is gone.
                _ = queue.send(Message::Hint(self));
            }
        }
    }
}

/// How often the management thread does what nobody asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rhythm {
    /// Reading what others changed in the store.
    pub(crate) follow: Duration,
    /// Writing last-used times.
    pub(crate) touch: Duration,
}

/// Everything that the management thread has.
pub(crate) struct Manager {
    pub(crate) shared: Arc<Shared>,
    pub(crate) store: Box<dyn TokenStore>,
    pub(crate) observer: Option<Box<dyn Observer>>,
    pub(crate) rhythm: Rhythm,
    queue: VecDeque<Box<dyn Call>>,
    /// Calls that have more to do, after those that came meanwhile.
    later: Vec<Box<dyn Call>>,
    unsettled: Option<Unsettled>,
    /// Who waits for a revision.
    waiting: Vec<(u64, Answer<Position>)>,
    /// Whether to read the store before it is time.
    hurry: bool,
    /// Why everything is denied, as far as it was told.
    denying: Option<Reason>,
    followed: Instant,
    touched: Instant,
    /// Where to go on with writing last-used times, if some are left.
    untouched: Option<u32>,
    told: Instant,
}

/// Also when a panic ends the thread: an index that nobody keeps in step must not be asked.
impl Drop for Manager {
    fn drop(&mut self) {
        self.shared.index.close();
    }
}

/// A commit that may have happened or not, to be repeated until the store says which.
struct Unsettled {
    expected: Position,
    id: CommitId,
    records: Vec<Record>,
    events: Vec<Event>,
}

/// Whether the thread is about to end.
enum Closing {
    No,
    /// Nobody is left to ask for anything.
    Dropped,
    /// Somebody waits for it.
    Asked(Answer<()>),
}

/// A call, and its part of the commit or why it is refused. Either is told only when it is certain that what it was
/// planned on is what is in the store.
type Planned = (Box<dyn Call>, Result<Part, Error>);

/// Why the store could not be read.
#[derive(Debug, Clone)]
pub(crate) enum ReadError {
    Store(Arc<StoreError>),
    NewerFormat(u8),
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

/// How a commit ended.
enum Committed {
    At(Position),
    Conflict,
    Refused(StoreError),
    InDoubt(StoreError),
}

impl Manager {
    pub(crate) fn new(
        shared: Arc<Shared>,
        store: Box<dyn TokenStore>,
        observer: Option<Box<dyn Observer>>,
        rhythm: Rhythm,
    ) -> Self {
        let (queue, later, now) = (VecDeque::new(), Vec::new(), Instant::now());
        Self {
            shared,
            store,
            observer,
            rhythm,
            queue,
            later,
            unsettled: None,
            waiting: Vec::new(),
            hurry: false,
            denying: Some(Reason::Unavailable),
            followed: now,
            touched: now,
            untouched: None,
            told: now,
        }
    }

    /// Reads everything from the store, and opens the index.
    pub(crate) fn open(&mut self) -> Result<(), ReadError> {
        self.shared.index.set_time(self.shared.clock.now());
        self.read()?;
        self.denying = None;
        Ok(())
    }

    /// Works until the authority is dropped or closed, then closes the store.
    pub(crate) fn run(mut self, receiver: &Receiver<Message>) {
        let mut closing = Closing::No;
        let mut attempts = 0;
        let mut next_tick = self.next_tick();
        while matches!(closing, Closing::No) || !self.is_idle() {
            // Calls that met others' changes are planned again among themselves: who comes later has all attempts.
            if matches!(closing, Closing::No) && attempts == 0 {
                closing = self.receive(receiver, next_tick);
            }
            self.queue.extend(self.later.drain(..));
            attempts = self.work(attempts);
            if self.hurry || Instant::now() >= next_tick {
                self.tick(false);
                next_tick = self.next_tick();
            }
        }
        self.tick(true);
        drop(self);
        if let Closing::Asked(answer) = closing {
            answer.send(Ok(()));
        }
    }

    fn next_tick(&self) -> Instant {
        Instant::now() + self.follow().clamp(SHORTEST, TICK)
    }

    /// How often to read what others changed.
    fn follow(&self) -> Duration {
        if self.waiting.is_empty() { self.rhythm.follow } else { self.rhythm.follow.min(AWAITED) }
    }

    fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.later.is_empty()
    }

    /// Queues the calls that wait, as many as may go together. If there are none, waits for one until that time.
    fn receive(&mut self, receiver: &Receiver<Message>, until: Instant) -> Closing {
        while self.queue.len() < MAX_COMMIT {
            let wait = if self.is_idle() && !self.hurry {
                until.saturating_duration_since(Instant::now())
            } else {
                Duration::ZERO
            };
            match receiver.recv_timeout(wait) {
                Ok(Message::Call(call)) => self.queue.push_back(call),
                Ok(Message::FollowTo(revision, answer)) => {
                    self.waiting.push((revision, answer));
                    self.hurry = true;
                }
                Ok(Message::Hint(hint)) => {
                    // First: what changes from here on is worth another message.
                    hint.sent.store(false, Ordering::Release);
                    self.hurry = true;
                }
                Ok(Message::Close(answer)) => return Closing::Asked(answer),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Closing::Dropped,
            }
        }
        Closing::No
    }

    /// What nobody asked for.
    fn tick(&mut self, closing: bool) {
        self.shared.index.set_time(self.shared.clock.now());
        // However often the store is read: a flood of them must not fill the log.
        if closing || self.told.elapsed() >= TICK {
            self.told = Instant::now();
            self.tell_failures();
        }
        if closing || self.hurry || self.followed.elapsed() >= self.follow() {
            self.followed = Instant::now();
            self.hurry = false;
            // A store that fails now is asked again next time.
            if self.settle().is_ok() && !closing {
                _ = self.catch_up();
            }
        }
        if closing || self.untouched.is_some() || self.touched.elapsed() >= self.rhythm.touch {
            self.touched = Instant::now();
            self.touch();
            while closing && self.untouched.is_some() {
                self.touch();
            }
        }
    }

    /// Writes the next of the last-used times.
    fn touch(&mut self) {
        let (used, next) = self.shared.index.take_used(self.untouched.unwrap_or_default(), TOUCHED);
        self.untouched = next;
        if !used.is_empty() && guarded(|| self.store.touch(&used)).is_err() {
            self.shared.index.return_used(&used);
            self.untouched = None;
        }
    }

    /// Plans and commits those of the waiting calls that go together next. Returns how often they met others' changes.
    fn work(&mut self, attempts: u32) -> u32 {
        if self.queue.is_empty() {
            return 0;
        }
        self.shared.index.set_time(self.shared.clock.now());
        if let Err(error) = self.settle().and_then(|()| self.reopen()) {
            for call in std::mem::take(&mut self.queue) {
                self.fail(call, error.clone());
            }
            return 0;
        }
        self.commit_next(attempts)
    }

    /// Commits as many of the waiting calls as go together. Returns how often their planning met others' changes.
    fn commit_next(&mut self, attempts: u32) -> u32 {
        let shared = Arc::clone(&self.shared);
        let expected = shared.index.position();
        let mut draft = Draft::new(&shared);
        let mut planned: Vec<Planned> = Vec::new();
        while let Some(mut call) = self.queue.pop_front() {
            match call.plan(&mut draft).and_then(|()| draft.keep()) {
                Ok(part) => planned.push((call, Ok(part))),
                Err(Stop::Wait) => {
                    draft.drop_own();
                    self.queue.push_front(call);
                    break;
                }
                Err(Stop::Fail(error)) => {
                    draft.drop_own();
                    planned.push((call, Err(error)));
                }
            }
        }
        if planned.is_empty() {
            return 0;
        }
        if draft.is_empty() {
            // Without a commit, nothing has said yet that the store still is where the index is.
            let caught_up = self.catch_up().map_err(Error::from);
            if caught_up.is_ok() && shared.index.position() == expected {
                self.finish(planned, &Ok(self.receipt(expected)));
                return 0;
            }
            return self.plan_again(planned, caught_up, attempts);
        }
        let (now, records) = (draft.now, draft.into_records());
        let id = match CommitId::generate() {
            Ok(id) => id,
            Err(error) => {
                self.finish(planned, &Err(error.into()));
                return 0;
            }
        };
        match self.commit(expected, id, &records) {
            Committed::At(position) => {
                self.publish(position, &records, events(&planned, now));
                self.finish(planned, &Ok(self.receipt(position)));
            }
            Committed::Conflict => {
                let caught_up = self.catch_up().map_err(Error::from);
                return self.plan_again(planned, caught_up, attempts);
            }
            Committed::Refused(error) => self.finish(planned, &Err(Error::Store(Arc::new(error)))),
            Committed::InDoubt(error) => {
                let events = events(&planned, now);
                self.unsettled = Some(Unsettled { expected, id, records, events });
                self.finish(planned, &Err(Error::InDoubt(Arc::new(error))));
            }
        }
        0
    }

    /// Queues calls that met others' changes again, unless the index could not follow these, or it happens too often.
    fn plan_again(&mut self, planned: Vec<Planned>, caught_up: Result<(), Error>, attempts: u32) -> u32 {
        let attempts = attempts + 1;
        match caught_up {
            Err(error) => self.finish(planned, &Err(error)),
            Ok(()) if attempts >= ATTEMPTS => self.finish(planned, &Err(Error::Busy(attempts))),
            Ok(()) => {
                // The front of the queue, in the order that they came.
                planned.into_iter().rev().for_each(|(call, _)| self.queue.push_front(call));
                return attempts;
            }
        }
        0
    }

    /// Answers the calls of a commit. Those that have more to do come last again, so that others need not wait for all
    /// of it.
    fn finish(&mut self, planned: Vec<Planned>, committed: &Result<Receipt, Error>) {
        for (call, part) in planned {
            match (part, committed) {
                (Ok(_), _) => self.later.extend(call.finish(&self.shared.index, committed.clone())),
                (Err(refusal), Ok(_)) => self.fail(call, refusal),
                // It may have been refused for what is not so any more; and no change of it is in doubt.
                (Err(_), Err(Error::InDoubt(error))) => self.fail(call, Error::Store(Arc::clone(error))),
                (Err(_), Err(error)) => self.fail(call, error.clone()),
            }
        }
    }

    /// What is in the store at that position is there since before now.
    fn receipt(&self, position: Position) -> Receipt {
        let everywhere = self.shared.staleness.everywhere(self.shared.clock.now());
        Receipt { revision: position.revision, changed: 0, everywhere }
    }

    /// Refuses a call, and tells so.
    fn fail(&self, call: Box<dyn Call>, error: Error) {
        let kind = EventKind::Refused { call: call.name(), error: error.to_string() };
        self.tell(&Event { at: self.shared.clock.now(), actor: call.actor(), kind, token: None, revision: None });
        call.finish(&self.shared.index, Err(error));
    }

    /// Commits, and repeats a commit in doubt for a while.
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Committed {
        let mut repeats = REPEATS.iter();
        loop {
            match guarded(|| self.store.commit(expected, id, records)) {
                Ok(_) => return Committed::At(after(expected, id)),
                Err(CommitError::Conflict(_)) => return Committed::Conflict,
                Err(CommitError::Refused(error)) => return Committed::Refused(error),
                Err(CommitError::InDoubt(error)) => match repeats.next() {
                    Some(pause) => thread::sleep(*pause),
                    None => return Committed::InDoubt(error),
                },
            }
        }
    }

    /// Makes sure that no commit is in doubt: nothing else is committed, or read, before that.
    fn settle(&mut self) -> Result<(), Error> {
        let Some(unsettled) = self.unsettled.take() else { return Ok(()) };
        match guarded(|| self.store.commit(unsettled.expected, unsettled.id, &unsettled.records)) {
            Ok(_) => {
                let position = after(unsettled.expected, unsettled.id);
                self.publish(position, &unsettled.records, unsettled.events);
                Ok(())
            }
            // It is certain that it did not happen.
            Err(CommitError::Conflict(_) | CommitError::Refused(_)) => Ok(()),
            Err(CommitError::InDoubt(error)) => {
                self.unsettled = Some(unsettled);
                // Whoever asks now is not the one in doubt.
                Err(Error::Store(Arc::new(error)))
            }
        }
    }

    fn publish(&self, position: Position, records: &[Record], events: Vec<Event>) {
        let revision = position.revision;
        self.shared.index.apply(position, records.iter().map(|record| (revision, record)));
        for event in events {
            self.tell(&Event { revision: Some(revision), ..event });
        }
    }

    /// If the index had to be closed, or was not in step for too long, reads what it lacks.
    fn reopen(&mut self) -> Result<(), Error> {
        if self.shared.index.check_current(&*self.shared.clock).is_ok() { Ok(()) } else { Ok(self.catch_up()?) }
    }

    /// Reads what others changed, tells how that goes, and answers those who waited for it.
    fn catch_up(&mut self) -> Result<(), ReadError> {
        self.tell_denying(None);
        let read = self.read();
        self.tell_denying(read.as_ref().err());
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

    /// Reads what others changed, or everything where there is no way from here; then the index is open.
    fn read(&mut self) -> Result<(), ReadError> {
        let shared = Arc::clone(&self.shared);
        let result = self.read_pages(&shared.index);
        match result {
            Ok((at, uptime)) => {
                // Where it was denied meanwhile, that is told first.
                self.tell_denying(None);
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

    /// Returns when the last page was asked for: all that was in the store then is here.
    fn read_pages(&mut self, index: &Index) -> Result<(Timestamp, Duration), ReadError> {
        let mut since = index.position();
        let (mut records, mut used) = (Vec::new(), Vec::new());
        let (mut anew, mut limit) = (0, PAGE);
        let asked = loop {
            let asked = (self.shared.clock.now(), self.shared.clock.uptime());
            match guarded(|| self.store.changes(since, limit)) {
                Ok(page) if page.more && page.position.revision <= since.revision => {
                    return Err(ReadError::Store(Arc::new(StoreError::new("the store's pages lead nowhere"))));
                }
                Ok(mut page) => {
                    since = page.position;
                    records.append(&mut page.records);
                    used.append(&mut page.used);
                    // Requests see all pages or none: one alone may lack a suspension that a later one tells of.
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
                // Until everything is read anew, nothing is known: deny.
                Err(error @ (ChangesError::Diverged | ChangesError::TooOld))
                    if since != Position::ORIGIN && anew < ATTEMPTS =>
                {
                    anew += 1;
                    if matches!(error, ChangesError::Diverged) && index.is_open() {
                        self.tell_diverged(index.position());
                    }
                    // All pages but the first are too old where they end below the store's horizon.
                    if !index.is_open() {
                        limit = limit.saturating_mul(8);
                    }
                    index.close();
                    self.tell_denying(None);
                    index.clear();
                    records.clear();
                    used.clear();
                    since = Position::ORIGIN;
                }
                Err(ChangesError::Failed(error)) => return Err(ReadError::Store(Arc::new(error))),
                Err(error) => return Err(ReadError::Store(Arc::new(StoreError::new(error)))),
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

    /// Tells that everything is denied from now on, or not any more.
    fn tell_denying(&mut self, error: Option<&ReadError>) {
        let shared = &self.shared;
        let denying = shared.index.check_current(&*shared.clock).err();
        if denying == self.denying {
            return;
        }
        self.denying = denying;
        let (kind, revision) = match denying {
            Some(reason) => (EventKind::Denying { reason, error: error.map(cause) }, None),
            None => (EventKind::Serving, Some(shared.index.position().revision)),
        };
        self.tell(&Event { at: shared.clock.now(), actor: None, kind, token: None, revision });
    }

    fn tell_diverged(&self, followed: Position) {
        let kind = EventKind::Diverged(followed);
        self.tell(&Event { at: self.shared.clock.now(), actor: None, kind, token: None, revision: None });
    }

    fn tell_failures(&self) {
        let (first, more) = self.shared.failures.take();
        let more = (more > 0).then_some(EventKind::MoreNotAuthenticated(more));
        for kind in first.into_iter().map(EventKind::NotAuthenticated).chain(more) {
            self.tell(&Event { at: self.shared.clock.now(), actor: None, kind, token: None, revision: None });
        }
    }

    fn tell(&self, event: &Event) {
        if let Some(observer) = &self.observer {
            // A panic in the host's log must not end the management of tokens.
            _ = catch_unwind(AssertUnwindSafe(|| observer.observe(event)));
        }
    }
}

/// Where a store is after a commit. Not taken from its answer: were that wrong, changes of others would be left out.
fn after(expected: Position, id: CommitId) -> Position {
    Position { revision: expected.revision.saturating_add(1), commit: id }
}

/// What the store said, where that is what failed.
fn cause(error: &ReadError) -> String {
    match error {
        ReadError::Store(source) => source.to_string(),
        ReadError::NewerFormat(_) => Error::from(error.clone()).to_string(),
    }
}

/// Leaves out what was changed again while the pages were read.
fn keep_latest(records: &mut Vec<(u64, Record)>) {
    let latest: HashMap<_, _> = records.iter().map(|(revision, record)| (record.key(), *revision)).collect();
    if latest.len() < records.len() {
        records.retain(|(revision, record)| latest.get(&record.key()) == Some(revision));
    }
}

/// What is to be told about a commit.
fn events(planned: &[Planned], at: Timestamp) -> Vec<Event> {
    let of_call = |(call, part): &Planned| {
        let actor: Option<ActorName> = call.actor();
        let told = part.iter().flat_map(|part| part.events.iter().cloned());
        told.map(move |(token, kind)| Event { at, actor: actor.clone(), kind, token, revision: None })
            .collect::<Vec<_>>()
    };
    planned.iter().flat_map(of_call).collect()
}

/// What a call that a store's panic interrupted is taken for.
trait Panicked {
    fn panicked() -> Self;
}

const PANICKED: &str = "the store panicked";

impl Panicked for CommitError {
    fn panicked() -> Self {
        Self::InDoubt(StoreError::new(PANICKED))
    }
}

impl Panicked for ChangesError {
    fn panicked() -> Self {
        Self::Failed(StoreError::new(PANICKED))
    }
}

impl Panicked for StoreError {
    fn panicked() -> Self {
        Self::new(PANICKED)
    }
}

/// Calls the store. Its panics are its failures, not ours.
fn guarded<T, E: Panicked>(call: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(E::panicked()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::record::{Body, Mark};
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
