//! The management thread: plans the waiting calls, commits them together, publishes them, answers.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::authority::call::Call;
use crate::authority::draft::{Draft, Part, Stop};
use crate::authority::error::Error;
use crate::authority::event::{ActorName, Event, Observer, What};
use crate::authority::pending::Answer;
use crate::authority::shared::Shared;
use crate::model::id::TokenId;
use crate::model::time::Timestamp;
use crate::store::record::Record;
use crate::store::{ChangesError, CommitError, CommitId, Position, StoreError, TokenStore};

/// How often a call is planned anew because others changed the store meanwhile.
const ATTEMPTS: u32 = 10;
/// How often a commit in doubt is repeated before its callers are told so, and how long between.
const REPEATS: [Duration; 3] = [Duration::from_millis(5), Duration::from_millis(50), Duration::from_millis(250)];
/// About how many records to read from the store at a time.
const PAGE: usize = 10_000;

/// What the management thread is told.
pub(crate) enum Message {
    Call(Box<dyn Call>),
    /// End, and say so when the store is closed.
    Close(Answer<()>),
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
    unsettled: Option<Unsettled>,
    touched: Instant,
    /// Last-used times that the store did not take yet.
    untold: Vec<(TokenId, Timestamp)>,
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
        let (queue, touched) = (VecDeque::new(), Instant::now());
        Self { shared, store, observer, rhythm, queue, unsettled: None, touched, untold: Vec::new() }
    }

    /// Reads everything from the store, and opens the index.
    pub(crate) fn open(&mut self) -> Result<(), Error> {
        self.shared.index.set_time(self.shared.clock.now());
        self.catch_up()
    }

    /// Works until the authority is dropped or closed, then closes the store.
    pub(crate) fn run(mut self, receiver: &Receiver<Message>) {
        let mut closing = Closing::No;
        let mut next_tick = Instant::now() + self.rhythm.follow;
        while matches!(closing, Closing::No) {
            match receiver.recv_timeout(next_tick.saturating_duration_since(Instant::now())) {
                Ok(message) => {
                    closing = self.receive(message);
                    while matches!(closing, Closing::No)
                        && let Ok(message) = receiver.try_recv()
                    {
                        closing = self.receive(message);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => closing = Closing::Dropped,
            }
            self.work();
            let last = !matches!(closing, Closing::No);
            if Instant::now() >= next_tick || last {
                self.tick(last);
                next_tick = Instant::now() + self.rhythm.follow;
            }
        }
        self.shared.index.set_open(false);
        drop(self);
        if let Closing::Asked(answer) = closing {
            answer.send(Ok(()));
        }
    }

    /// Queues a call, or ends the thread.
    fn receive(&mut self, message: Message) -> Closing {
        match message {
            Message::Call(call) => {
                self.queue.push_back(call);
                Closing::No
            }
            Message::Close(answer) => Closing::Asked(answer),
        }
    }

    /// What nobody asked for.
    fn tick(&mut self, closing: bool) {
        self.shared.index.set_time(self.shared.clock.now());
        self.tell_failures();
        // A store that fails now is asked again at the next tick.
        if self.settle().is_ok() && !closing {
            _ = self.catch_up();
        }
        if closing || self.touched.elapsed() >= self.rhythm.touch {
            self.touched = Instant::now();
            let mut used = std::mem::take(&mut self.untold);
            used.extend(self.shared.index.take_used());
            if !used.is_empty() && guarded(|| self.store.touch(&used)).is_err() {
                used.sort_unstable_by_key(|(id, time)| (*id, std::cmp::Reverse(*time)));
                used.dedup_by_key(|(id, _)| *id);
                self.untold = used;
            }
        }
    }

    /// Plans and commits until no call waits.
    fn work(&mut self) {
        let mut attempts = 0;
        while !self.queue.is_empty() {
            self.shared.index.set_time(self.shared.clock.now());
            if let Err(error) = self.settle().and_then(|()| self.reopen()) {
                for call in std::mem::take(&mut self.queue) {
                    self.fail(call, error.clone());
                }
                return;
            }
            attempts = self.commit_next(attempts);
        }
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
        if draft.is_empty() {
            // Nothing will be committed, so nothing else shows whether they were planned on what is in the store.
            match self.catch_up() {
                Ok(()) if shared.index.position() != expected => return self.plan_again(planned, attempts),
                caught_up => self.finish(planned, &caught_up.map(|()| expected.revision)),
            }
            return 0;
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
                self.finish(planned, &Ok(position.revision));
            }
            Committed::Conflict => match self.catch_up() {
                Ok(()) => return self.plan_again(planned, attempts),
                Err(error) => self.finish(planned, &Err(error)),
            },
            Committed::Refused(error) => self.finish(planned, &Err(Error::Store(Arc::new(error)))),
            Committed::InDoubt(error) => {
                let events = events(&planned, now);
                self.unsettled = Some(Unsettled { expected, id, records, events });
                self.finish(planned, &Err(Error::InDoubt(Arc::new(error))));
            }
        }
        0
    }

    /// Puts calls that met others' changes back to the front of the queue, in the order that they came, unless that
    /// happened too often. Returns how often it did.
    fn plan_again(&mut self, planned: Vec<Planned>, attempts: u32) -> u32 {
        let attempts = attempts + 1;
        if attempts < ATTEMPTS {
            planned.into_iter().rev().for_each(|(call, _)| self.queue.push_front(call));
            return attempts;
        }
        self.finish(planned, &Err(Error::Busy(attempts)));
        0
    }

    /// Answers the calls that were planned together. Those that have more to do come first again.
    fn finish(&mut self, planned: Vec<Planned>, committed: &Result<u64, Error>) {
        let mut again = Vec::new();
        for (call, part) in planned {
            match part {
                Ok(_) => again.extend(call.finish(&self.shared.index, committed.clone())),
                Err(error) => self.fail(call, error),
            }
        }
        again.into_iter().rev().for_each(|call| self.queue.push_front(call));
    }

    /// Refuses a call, and tells so.
    fn fail(&self, call: Box<dyn Call>, error: Error) {
        let what = What::Refused { call: call.name(), error: error.to_string() };
        self.tell(&Event { at: self.shared.clock.now(), actor: call.actor(), what, token: None, revision: None });
        call.finish(&self.shared.index, Err(error));
    }

    /// Commits, and repeats a commit in doubt for a while.
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Committed {
        let mut repeats = REPEATS.iter();
        loop {
            match guarded(|| self.store.commit(expected, id, records)) {
                Ok(position) => return Committed::At(position),
                Err(CommitError::Conflict(_)) => return Committed::Conflict,
                Err(CommitError::Refused(error)) => return Committed::Refused(error),
                Err(CommitError::InDoubt(error)) => match repeats.next() {
                    Some(pause) => std::thread::sleep(*pause),
                    None => return Committed::InDoubt(error),
                },
            }
        }
    }

    /// Makes sure that no commit is in doubt: nothing else is committed, or read, before that.
    fn settle(&mut self) -> Result<(), Error> {
        let Some(unsettled) = self.unsettled.take() else { return Ok(()) };
        match guarded(|| self.store.commit(unsettled.expected, unsettled.id, &unsettled.records)) {
            Ok(position) => {
                let events = unsettled.events.into_iter();
                let events = events.map(|event| Event { revision: Some(position.revision), ..event }).collect();
                self.publish(position, &unsettled.records, events);
                Ok(())
            }
            // It is certain that it did not happen.
            Err(CommitError::Conflict(_) | CommitError::Refused(_)) => Ok(()),
            Err(CommitError::InDoubt(error)) => {
                self.unsettled = Some(unsettled);
                Err(Error::InDoubt(Arc::new(error)))
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

    /// If the index had to be closed, reads it anew.
    fn reopen(&mut self) -> Result<(), Error> {
        if self.shared.index.is_open() { Ok(()) } else { self.catch_up() }
    }

    /// Reads what others changed, or everything where there is no way from here; then the index is open.
    fn catch_up(&mut self) -> Result<(), Error> {
        let index = &self.shared.index;
        loop {
            match guarded(|| self.store.changes(index.position(), PAGE)) {
                Ok(page) => {
                    index.apply(page.position, page.records.iter().map(|(revision, record)| (*revision, record)));
                    index.apply_used(&page.used);
                    if !page.more {
                        break;
                    }
                }
                // Until everything is read anew, nothing is known: deny.
                Err(ChangesError::Diverged | ChangesError::TooOld) if index.position() != Position::ORIGIN => {
                    index.set_open(false);
                    index.clear();
                }
                Err(ChangesError::Failed(error)) => return Err(Error::Store(Arc::new(error))),
                Err(error) => return Err(Error::Store(Arc::new(StoreError::new(error)))),
            }
        }
        match index.marks().format {
            Some(format) if format > Record::NEWEST_FORMAT => {
                index.set_open(false);
                Err(Error::NewerFormat(format))
            }
            _ => {
                index.set_open(true);
                Ok(())
            }
        }
    }

    fn tell_failures(&self) {
        let (first, more) = self.shared.failures.take();
        let more = (more > 0).then_some(What::MoreNotAuthenticated(more));
        for what in first.into_iter().map(What::NotAuthenticated).chain(more) {
            self.tell(&Event { at: self.shared.clock.now(), actor: None, what, token: None, revision: None });
        }
    }

    fn tell(&self, event: &Event) {
        if let Some(observer) = &self.observer {
            // A panic in the host's log must not end the management of tokens.
            _ = catch_unwind(AssertUnwindSafe(|| observer.observe(event)));
        }
    }
}

/// What is to be told about a commit.
fn events(planned: &[Planned], at: Timestamp) -> Vec<Event> {
    let of_call = |(call, part): &Planned| {
        let actor: Option<ActorName> = call.actor();
        let told = part.iter().flat_map(|part| part.events.iter().cloned());
        told.map(move |(token, what)| Event { at, actor: actor.clone(), what, token, revision: None })
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
