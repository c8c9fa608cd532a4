//! Answers that are on their way.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::authority::error::Error;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// The answer of a management call: `.await` it in async code, `.wait()` for it in plain code. Neither needs a runtime.
///
/// The call is under way whether or not anyone waits: dropping this gives up the answer, never the change
/// (design rule 19).
#[must_use = "the call may still fail: wait for its answer"]
pub struct Pending<T> {
    shared: Arc<Shared<T>>,
}

/// The other end: whoever answers. Dropped without an answer, it answers [`Error::Closed`].
pub(crate) struct Answer<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    answered: Condvar,
}

enum State<T> {
    Waiting(Option<Waker>),
    Answered(Result<T, Error>),
    Taken,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, answer: Result<T, Error>) {
        let mut state = self.lock();
        if let State::Waiting(waker) = &mut *state {
            let waker = waker.take();
            *state = State::Answered(answer);
            drop(state);
            self.answered.notify_all();
            if let Some(waker) = waker {
                // A panic in the host's executor must not end the management of tokens.
                _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
            }
        }
    }
}

impl<T> State<T> {
    fn take(&mut self) -> Option<Result<T, Error>> {
        if matches!(self, Self::Waiting(_)) {
            return None;
        }
        match std::mem::replace(self, Self::Taken) {
            Self::Answered(answer) => Some(answer),
            _ => Some(Err(Error::Closed)),
        }
    }
}

/// Both ends of an answer.
pub(crate) fn pending<T>() -> (Answer<T>, Pending<T>) {
    let shared = Arc::new(Shared { state: Mutex::new(State::Waiting(None)), answered: Condvar::new() });
    (Answer { shared: Arc::clone(&shared) }, Pending { shared })
}

impl<T> Answer<T> {
    pub(crate) fn send(self, answer: Result<T, Error>) {
        self.shared.answer(answer);
    }

    /// Whether nobody waits for it any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        Arc::strong_count(&self.shared) == 1
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        self.shared.answer(Err(Error::Closed));
    }
}

impl<T> Pending<T> {
    pub(crate) fn ready(answer: Result<T, Error>) -> Self {
        Self { shared: Arc::new(Shared { state: Mutex::new(State::Answered(answer)), answered: Condvar::new() }) }
    }

    /// Blocks this thread until the answer is here.
    ///
    /// # Errors
    /// The call failed.
    pub fn wait(self) -> Result<T, Error> {
        let mut state = self.shared.lock();
        loop {
            if let Some(answer) = state.take() {
                return answer;
            }
            state = self.shared.answered.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Blocks this thread until the answer is here, for `timeout` at most. Returns `None` if there is no answer yet: the
    /// call is still under way, and can be waited for again.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use portcullis::{Authority, MemoryStore, UserId};
    /// # let authority = Authority::open(MemoryStore::new()).wait()?;
    /// let mut setup = authority.setup(UserId::generate()?);
    /// let root = loop {
    ///     match setup.wait_for(Duration::from_secs(1))? {
    ///         Some(root) => break root,
    ///         None => println!("the store is slow; still waiting"),
    ///     }
    /// };
    /// # assert_eq!(root.token.revision(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The call failed. So it does, as with [`Error::Closed`], once the answer was taken.
    pub fn wait_for(&mut self, timeout: Duration) -> Result<Option<T>, Error> {
        let start = Instant::now();
        let mut state = self.shared.lock();
        loop {
            if let Some(answer) = state.take() {
                return answer.map(Some);
            }
            let Some(rest) = timeout.checked_sub(start.elapsed()).filter(|rest| !rest.is_zero()) else {
                return Ok(None);
            };
            state = self.shared.answered.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.shared.lock();
        if let Some(answer) = state.take() {
            return Poll::Ready(answer);
        }
        *state = State::Waiting(Some(context.waker().clone()));
        Poll::Pending
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending(..)")
    }
}
