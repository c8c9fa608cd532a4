//! The management thread: its loop and its messages.
//!
//! It takes the waiting calls from the `queue`, plans as many as go together (`batch`), commits them (`committer`), and
//! answers. In between it reads what others changed in the store (`follower`), and writes when tokens were last used
//! (`last_use`). The `teller` sends the events. None of these knows the loop; all call the store through `guarded`.

mod batch;
mod committer;
mod follower;
mod guarded;
mod last_use;
mod queue;
mod teller;

use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use crate::authority::call::Call;
use crate::authority::error::Error;
use crate::authority::event::{Event, Observer};
use crate::authority::manager::batch::{Batch, Planned};
use crate::authority::manager::committer::Committer;
use crate::authority::manager::follower::Follower;
pub(crate) use crate::authority::manager::follower::ReadError;
use crate::authority::manager::guarded::GuardedStore;
use crate::authority::manager::last_use::LastUse;
use crate::authority::manager::queue::Queue;
use crate::authority::manager::teller::Teller;
use crate::authority::pending::Answer;
use crate::authority::request::Receipt;
use crate::authority::shared::Shared;
use crate::store::{Position, Record, TokenStore};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::mpsc::{Receiver, RecvTimeoutError, Sender};

/// How often a call is planned before its caller is told that others keep changing the store.
const ATTEMPTS: u32 = 10;
/// The longest pause between two ticks, however rarely the store is to be read.
const TICK: Duration = Duration::from_secs(1);
/// The shortest pause between two ticks. Without a pause, the thread would never rest.
const SHORTEST: Duration = Duration::from_millis(1);

/// A message to the management thread.
pub(crate) enum Message {
    Call(Box<dyn Call>),
    /// Read the store now, and answer once it was followed to that revision.
    FollowTo(u64, Answer<Position>),
    /// Others may have changed the store.
    Hint(Arc<Hint>),
    /// End, and answer once the store is closed.
    Close(Answer<()>),
}

/// The waker that a store wakes when others have changed it. It does not keep the authority open.
pub(crate) struct Hint {
    queue: Weak<Sender<Message>>,
    /// Whether a message is on its way. Many changes need one message only.
    sent: AtomicBool,
}

impl Hint {
    pub(crate) fn waker(queue: &Arc<Sender<Message>>) -> Waker {
        Waker::from(Arc::new(Self { queue: Arc::downgrade(queue), sent: AtomicBool::new(false) }))
    }
}

impl Wake for Hint {
    fn wake(self: Arc<Self>) {
        let Some(queue) = self.queue.upgrade() else { return };
        if !self.sent.swap(true, Ordering::AcqRel) {
            // Fails only when the thread is gone.
            _ = queue.send(Message::Hint(self));
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

/// Everything that the management thread owns.
///
/// The fields are dropped in this order: the store is closed first, and then the callers that still wait get their answer.
pub(crate) struct Manager {
    shared: Arc<Shared>,
    store: GuardedStore,
    teller: Teller,
    queue: Queue,
    committer: Committer,
    follower: Follower,
    last_use: LastUse,
}

/// Closes the index, also when a panic ends the thread: nobody keeps it in step any more.
impl Drop for Manager {
    fn drop(&mut self) {
        self.shared.index.close();
    }
}

/// Whether the thread is about to end.
enum Closing {
    No,
    /// The authority was dropped.
    Dropped,
    /// A caller waits for the end.
    Asked(Answer<()>),
}

impl Manager {
    pub(crate) fn new(
        shared: Arc<Shared>,
        store: Box<dyn TokenStore>,
        observer: Option<Box<dyn Observer>>,
        rhythm: Rhythm,
    ) -> Self {
        Self {
            store: GuardedStore::new(store),
            teller: Teller::new(Arc::clone(&shared), observer),
            queue: Queue::default(),
            committer: Committer::new(Arc::clone(&shared)),
            follower: Follower::new(Arc::clone(&shared), rhythm.follow),
            last_use: LastUse::new(Arc::clone(&shared), rhythm.touch),
            shared,
        }
    }

    /// Reads everything from the store, and opens the index.
    pub(crate) fn open(&mut self) -> Result<(), ReadError> {
        self.set_time();
        self.follower.read(&mut self.store, &mut self.teller)?;
        self.teller.opened();
        Ok(())
    }

    /// Works until the authority is dropped or closed, then closes the store.
    pub(crate) fn run(mut self, receiver: &Receiver<Message>) {
        let mut closing = Closing::No;
        let mut next_tick = self.next_tick();
        while matches!(closing, Closing::No) || !self.queue.is_empty() {
            // Calls that met others' changes are planned again without later ones, which keep all their attempts.
            if matches!(closing, Closing::No) && !self.queue.is_retrying() {
                closing = self.receive(receiver, next_tick);
            }
            self.queue.admit_later();
            self.work();
            if self.follower.is_hurried() || Instant::now() >= next_tick {
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
        Instant::now() + self.follower.interval().clamp(SHORTEST, TICK)
    }

    /// Reports whether there is nothing to do before the next tick.
    fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.follower.is_hurried()
    }

    fn set_time(&self) {
        self.shared.index.set_time(self.shared.clock.now());
    }

    /// Queues the calls that have come, as many as may go together. If there are none, waits for one until that time.
    fn receive(&mut self, receiver: &Receiver<Message>, until: Instant) -> Closing {
        while !self.queue.is_full() {
            let wait = if self.is_idle() { until.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
            match receiver.recv_timeout(wait) {
                Ok(Message::Call(call)) => self.queue.push(call),
                Ok(Message::FollowTo(revision, answer)) => self.follower.wait_for(revision, answer),
                Ok(Message::Hint(hint)) => {
                    // Before the read: a change after this is worth another message.
                    hint.sent.store(false, Ordering::Release);
                    self.follower.hurry();
                }
                Ok(Message::Close(answer)) => return Closing::Asked(answer),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Closing::Dropped,
            }
        }
        Closing::No
    }

    /// Does what is due without a call; when the authority closes, all of it.
    fn tick(&mut self, closing: bool) {
        self.set_time();
        self.teller.tell_failures(closing);
        if closing || self.follower.is_due() {
            self.follower.begin();
            // A store that fails now is asked again next time.
            if self.settle().is_ok() && !closing {
                _ = self.catch_up();
            }
        }
        self.last_use.write(&mut self.store, closing);
    }

    /// Plans, commits and answers the queued calls that go together next.
    fn work(&mut self) {
        if self.queue.is_empty() {
            return;
        }
        self.set_time();
        if let Err(error) = self.settle().and_then(|()| self.reopen()) {
            for call in self.queue.take() {
                self.refuse(call, error.clone());
            }
            return;
        }
        let attempts = self.queue.take_attempts();
        let Batch { expected, records, events, calls } = Batch::plan(&self.shared, &mut self.queue);
        if calls.is_empty() {
            return;
        }
        let committed =
            if records.is_empty() { self.confirm(expected) } else { self.commit(expected, records, events) };
        match committed {
            Ok(Some(position)) => self.finish(calls, position),
            Ok(None) => self.retry(calls, attempts + 1),
            Err(error) => self.fail(calls, &error),
        }
    }

    /// Commits, and returns where the store is then. Returns `None` if others changed the store; the index then has their
    /// changes.
    fn commit(
        &mut self,
        expected: Position,
        records: Vec<Record>,
        events: Vec<Event>,
    ) -> Result<Option<Position>, Error> {
        let committed = self.committer.commit(&mut self.store, &self.teller, expected, records, events)?;
        if committed.is_none() {
            self.catch_up()?;
        }
        Ok(committed)
    }

    /// The same as [`commit`](Self::commit) for calls that change nothing. Without a commit, nothing has shown yet that the
    /// store is where the index was when they were planned.
    fn confirm(&mut self, expected: Position) -> Result<Option<Position>, Error> {
        self.catch_up()?;
        Ok(Some(self.shared.index.position()).filter(|position| *position == expected))
    }

    /// Queues calls that met others' changes once more, unless that happened too often.
    fn retry(&mut self, calls: Vec<Planned>, attempts: u32) {
        if attempts >= ATTEMPTS {
            self.fail(calls, &Error::Busy(attempts));
        } else {
            self.queue.retry(calls.into_iter().map(Planned::into_call), attempts);
        }
    }

    /// Answers the calls of a commit. Calls that have more to do are queued last, so that others need not wait for all of
    /// it.
    fn finish(&mut self, calls: Vec<Planned>, position: Position) {
        // Now is after the commit: what is in the store at that position has been there since then.
        let everywhere = self.shared.staleness.everywhere(self.shared.clock.now());
        let receipt = Receipt { revision: position.revision, changed: 0, everywhere };
        for call in calls {
            match call {
                Planned::Part(call) => self.queue.push_later(call.finish(&self.shared.index, receipt)),
                Planned::Refused(call, refusal) => self.refuse(call, refusal),
            }
        }
    }

    /// Answers the calls of a commit that failed.
    fn fail(&self, calls: Vec<Planned>, error: &Error) {
        for call in calls {
            match call {
                Planned::Part(call) => call.into_call().fail(error.clone()),
                // The reason for the refusal may not hold any more. And no change of this call is in doubt.
                Planned::Refused(call, _) => match error {
                    Error::InDoubt(error) => self.refuse(call, Error::Store(Arc::clone(error))),
                    error => self.refuse(call, error.clone()),
                },
            }
        }
    }

    /// Refuses a call, and sends the event.
    fn refuse(&self, call: Box<dyn Call>, error: Error) {
        self.teller.tell_refused(&*call, &error);
        call.fail(error);
    }

    /// Makes sure that no commit is in doubt. Before that, nothing else is committed or read.
    fn settle(&mut self) -> Result<(), Error> {
        self.committer.settle(&mut self.store, &self.teller)
    }

    /// Reads what the index lacks, if it is closed, or was not in step for too long.
    fn reopen(&mut self) -> Result<(), Error> {
        if self.shared.index.check_current(&*self.shared.clock).is_ok() { Ok(()) } else { Ok(self.catch_up()?) }
    }

    /// Reads what others changed.
    fn catch_up(&mut self) -> Result<(), ReadError> {
        self.follower.catch_up(&mut self.store, &mut self.teller)
    }
}
