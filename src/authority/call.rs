//! A management call on its way through the management thread.

use crate::authority::actor::Actor;
use crate::authority::draft::{Draft, Stop};
use crate::authority::error::Error;
use crate::authority::event::ActorName;
use crate::authority::operations::{Finish, Next};
use crate::authority::pending::Answer;
use crate::authority::request::Receipt;
use crate::index::Index;

/// A management call, whatever it answers.
pub(crate) trait Call: Send {
    /// Its name in events.
    fn name(&self) -> &'static str;

    /// Who makes it, in events.
    fn actor(&self) -> Option<ActorName>;

    /// Adds its changes to the draft, or says why not. Planned again when the commit met another's.
    fn plan(&mut self, draft: &mut Draft<'_>) -> Result<(), Stop>;

    /// Answers after the commit, or failure. Returns itself when there is more to do.
    fn finish(self: Box<Self>, index: &Index, committed: Result<Receipt, Error>) -> Option<Box<dyn Call>>;
}

/// A call that is planned by `plan`, which is told what earlier commits of the same call changed.
pub(crate) struct PlannedCall<T, P> {
    name: &'static str,
    actor: Option<ActorName>,
    plan: P,
    so_far: usize,
    finish: Option<Finish<T>>,
    answer: Answer<T>,
}

impl<T, P> PlannedCall<T, P>
where
    T: Send + 'static,
    P: FnMut(&mut Draft<'_>, usize) -> Result<Finish<T>, Stop> + Send + 'static,
{
    pub(crate) fn boxed(name: &'static str, actor: Option<&Actor>, plan: P, answer: Answer<T>) -> Box<dyn Call> {
        let actor = actor.and_then(Actor::name);
        Box::new(Self { name, actor, plan, so_far: 0, finish: None, answer })
    }
}

impl<T, P> Call for PlannedCall<T, P>
where
    T: Send + 'static,
    P: FnMut(&mut Draft<'_>, usize) -> Result<Finish<T>, Stop> + Send + 'static,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn actor(&self) -> Option<ActorName> {
        self.actor.clone()
    }

    fn plan(&mut self, draft: &mut Draft<'_>) -> Result<(), Stop> {
        self.finish = Some((self.plan)(draft, self.so_far)?);
        Ok(())
    }

    fn finish(mut self: Box<Self>, index: &Index, committed: Result<Receipt, Error>) -> Option<Box<dyn Call>> {
        let answer = match (committed, self.finish.take()) {
            (Ok(receipt), Some(finish)) => finish(index, receipt),
            (Ok(_), None) => Err(Error::Closed),
            (Err(error), _) => Err(error),
        };
        match answer {
            Ok(Next::Done(value)) => self.answer.send(Ok(value)),
            Ok(Next::Again(so_far)) => {
                self.so_far = so_far;
                return Some(self);
            }
            // What earlier commits of this call changed stays so.
            Err(error) if self.so_far > 0 => {
                self.answer.send(Err(Error::Unfinished { changed: self.so_far, source: Box::new(error) }));
            }
            Err(error) => self.answer.send(Err(error)),
        }
        None
    }
}
