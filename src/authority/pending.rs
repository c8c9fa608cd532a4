//! An answer that may not be here yet.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::authority::error::Error;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// The answer of a management call, or of opening an authority. Use `.await` in async code, and `.wait()` in other code. Neither
/// needs a runtime.
///
/// The call runs even if nobody waits for it. Dropping a `Pending` drops the answer, not the change
/// ([design rule 19](crate::_rules)).
///
/// ```
/// use portcullis::{Authority, Error, Issued, MemoryStore, UserId};
///
/// async fn first_token(authority: &Authority, owner: UserId) -> Result<Issued, Error> {
///     authority.setup(owner).await
/// }
///
/// let authority = Authority::open(MemoryStore::new()).wait()?;
/// let issued = authority.setup(UserId::generate()?).wait()?;
/// # Ok::<(), Error>(())
/// ```
#[must_use = "the call may still fail: wait for its answer"]
pub struct Pending<T, E = Error> {
    shared: Arc<Shared<T, E>>,
}

/// The other end of a [`Pending`], where the answer is sent. Dropped without an answer, it sends the error `closed`.
pub(crate) struct Answer<T, E = Error> {
    shared: Arc<Shared<T, E>>,
}

struct Shared<T, E> {
    state: Mutex<State<T, E>>,
    answered: Condvar,
    /// Makes the error that stands for an answer that never comes, or was taken before.
    closed: fn() -> E,
}

enum State<T, E> {
    Waiting(Option<Waker>),
    Answered(Result<T, E>),
    Taken,
}

impl<T, E> Shared<T, E> {
    fn new(state: State<T, E>, closed: fn() -> E) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(state), answered: Condvar::new(), closed })
    }

    fn lock(&self) -> MutexGuard<'_, State<T, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the answer, if it is here. Where it was taken before, the answer is the error `closed`.
    fn take(&self, state: &mut State<T, E>) -> Option<Result<T, E>> {
        if matches!(state, State::Waiting(_)) {
            return None;
        }
        match std::mem::replace(state, State::Taken) {
            State::Answered(answer) => Some(answer),
            State::Waiting(_) | State::Taken => Some(Err((self.closed)())),
        }
    }

    fn answer(&self, answer: Result<T, E>) {
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

/// Makes both ends of an answer. `closed` makes the error that stands for an answer that never comes.
pub(crate) fn pending<T, E>(closed: fn() -> E) -> (Answer<T, E>, Pending<T, E>) {
    let shared = Shared::new(State::Waiting(None), closed);
    (Answer { shared: Arc::clone(&shared) }, Pending { shared })
}

impl<T, E> Answer<T, E> {
    pub(crate) fn send(self, answer: Result<T, E>) {
        self.shared.answer(answer);
    }

    /// Reports whether nobody waits for the answer any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        Arc::strong_count(&self.shared) == 1
    }
}

impl<T, E> Drop for Answer<T, E> {
    fn drop(&mut self) {
        self.shared.answer(Err((self.shared.closed)()));
    }
}

impl<T, E> Pending<T, E> {
    pub(crate) fn ready(answer: Result<T, E>, closed: fn() -> E) -> Self {
        Self { shared: Shared::new(State::Answered(answer), closed) }
    }

    /// Blocks this thread until the answer is here.
    ///
    /// ```
    /// use portcullis::{Authority, MemoryStore};
    ///
    /// let authority = Authority::open(MemoryStore::new()).wait()?;
    /// # Ok::<(), portcullis::OpenError>(())
    /// ```
    ///
    /// # Errors
    /// - `E`: the call failed. The method that returned the `Pending` lists its errors.
    pub fn wait(self) -> Result<T, E> {
        let mut state = self.shared.lock();
        loop {
            if let Some(answer) = self.shared.take(&mut state) {
                return answer;
            }
            state = self.shared.answered.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Blocks this thread until the answer is here, for `timeout` at most. Returns `None` if there is no answer yet. The call still
    /// runs then: call this again to wait longer.
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
    /// - `E`: the call failed.
    /// - [`Error::Closed`] or [`OpenError::Ended`](crate::OpenError::Ended): the answer was taken before.
    pub fn wait_for(&mut self, timeout: Duration) -> Result<Option<T>, E> {
        let start = Instant::now();
        let mut state = self.shared.lock();
        loop {
            if let Some(answer) = self.shared.take(&mut state) {
                return answer.map(Some);
            }
            let Some(rest) = timeout.checked_sub(start.elapsed()).filter(|rest| !rest.is_zero()) else {
                return Ok(None);
            };
            state = self.shared.answered.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl<T, E> Future for Pending<T, E> {
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.shared.lock();
        if let Some(answer) = self.shared.take(&mut state) {
            return Poll::Ready(answer);
        }
        *state = State::Waiting(Some(context.waker().clone()));
        Poll::Pending
    }
}

impl<T, E> fmt::Debug for Pending<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending(..)")
    }
}
