//! Management calls: what a call consists of, and its way through the management thread.

use crate::authority::actor::Actor;
use crate::authority::draft::{Draft, Part, Stop};
use crate::authority::error::Error;
use crate::authority::event::{ActorName, CallName};
use crate::authority::pending::Answer;
use crate::authority::request::Receipt;
use crate::index::Index;

/// A management call: its name, its actor, its plan and its answer.
pub(crate) trait Operation: Send + 'static {
    /// Its name in events.
    const NAME: CallName;
    /// What its caller gets when it is done.
    type Answer: Send + 'static;
    /// What the plan keeps for the answer, which is made after the commit.
    type Outcome: Outcome<Self::Answer>;

    /// Returns the actor.
    fn actor(&self) -> &Actor;

    /// Adds the changes to the draft, or says why not. Called again where another's commit came first.
    fn plan(&self, draft: &mut Draft<'_>) -> Result<Self::Outcome, Stop>;

    /// Plans the rest, after earlier commits of the same call have changed `so_far` records. Called only for an operation
    /// that has answered [`Next::Again`].
    fn resume(&self, draft: &mut Draft<'_>, _so_far: usize) -> Result<Self::Outcome, Stop> {
        self.plan(draft)
    }
}

/// What a plan keeps for the answer.
pub(crate) trait Outcome<T> {
    /// Returns the answer after the commit. The receipt does not say yet how much the call changed.
    fn answer(self, index: &Index, receipt: Receipt) -> Result<Next<T>, Error>;
}

/// Whether a call is done.
pub(crate) enum Next<T> {
    Done(T),
    /// It has more to do than fits into one commit, and has changed this many records so far. It is planned again.
    Again(usize),
}

/// A management call that waits for its turn, with its type of answer hidden.
pub(crate) trait Call: Send {
    /// Returns the call's name in events.
    fn name(&self) -> CallName;

    /// Returns its actor's name in events.
    fn actor(&self) -> Option<ActorName>;

    /// Plans it as the next call of the draft.
    fn plan(self: Box<Self>, draft: &mut Draft<'_>) -> Planning;

    /// Answers that it failed.
    fn fail(self: Box<Self>, error: Error);
}

/// What became of a call that was to be planned.
pub(crate) enum Planning {
    /// It is part of the draft.
    Planned(Box<dyn PlannedCall>, Part),
    /// It has to wait for the next draft.
    Waits(Box<dyn Call>),
    /// It is refused.
    Refused(Box<dyn Call>, Error),
}

/// A management call that is part of a draft.
pub(crate) trait PlannedCall {
    /// Returns its actor's name in events.
    fn actor(&self) -> Option<ActorName>;

    /// Returns the call as it was before it was planned.
    fn into_call(self: Box<Self>) -> Box<dyn Call>;

    /// Answers after the commit. Returns the call when it has more to do.
    fn finish(self: Box<Self>, index: &Index, receipt: Receipt) -> Option<Box<dyn Call>>;
}

/// An operation, and where its answer goes.
struct Waiting<O: Operation> {
    operation: O,
    /// How many records earlier commits of this call have changed.
    so_far: usize,
    answer: Answer<O::Answer>,
}

/// The same, planned.
struct Planned<O: Operation> {
    call: Box<Waiting<O>>,
    outcome: O::Outcome,
}

/// Returns the call that carries out an operation and sends its answer to `answer`.
pub(crate) fn call<O: Operation>(operation: O, answer: Answer<O::Answer>) -> Box<dyn Call> {
    Box::new(Waiting { operation, so_far: 0, answer })
}

impl<O: Operation> Call for Waiting<O> {
    fn name(&self) -> CallName {
        O::NAME
    }

    fn actor(&self) -> Option<ActorName> {
        self.operation.actor().name()
    }

    fn plan(self: Box<Self>, draft: &mut Draft<'_>) -> Planning {
        let outcome = match self.so_far {
            0 => self.operation.plan(draft),
            so_far => self.operation.resume(draft, so_far),
        };
        match outcome.and_then(|outcome| Ok((outcome, draft.keep()?))) {
            Ok((outcome, part)) => Planning::Planned(Box::new(Planned { call: self, outcome }), part),
            Err(stop) => {
                draft.drop_own();
                match stop {
                    Stop::Wait => Planning::Waits(self),
                    Stop::Fail(error) => Planning::Refused(self, error),
                }
            }
        }
    }

    fn fail(self: Box<Self>, error: Error) {
        let Self { so_far, answer, .. } = *self;
        // Changes of earlier commits of this call stay.
        let error = if so_far > 0 { Error::Unfinished { changed: so_far, source: Box::new(error) } } else { error };
        answer.send(Err(error));
    }
}

impl<O: Operation> PlannedCall for Planned<O> {
    fn actor(&self) -> Option<ActorName> {
        self.call.actor()
    }

    fn into_call(self: Box<Self>) -> Box<dyn Call> {
        self.call
    }

    fn finish(self: Box<Self>, index: &Index, receipt: Receipt) -> Option<Box<dyn Call>> {
        let Self { mut call, outcome } = *self;
        match outcome.answer(index, receipt) {
            Ok(Next::Done(value)) => call.answer.send(Ok(value)),
            Ok(Next::Again(so_far)) => {
                call.so_far = so_far;
                return Some(call);
            }
            Err(error) => call.fail(error),
        }
        None
    }
}
