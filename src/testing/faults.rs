//! A store that fails when it is told to.

use std::collections::BTreeMap;
use std::panic;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::model::id::TokenId;
use crate::model::time::Timestamp;
use crate::store::record::Record;
use crate::store::{Changes, ChangesError, CommitError, CommitId, Position, StoreError, TokenStore};

/// The calls of a [`TokenStore`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// [`TokenStore::commit`].
    Commit,
    /// [`TokenStore::changes`].
    Changes,
    /// [`TokenStore::touch`].
    Touch,
}

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Nothing happens and the store says so: a commit is [`CommitError::Refused`].
    Refuse,
    /// Nothing happens, but a commit is [`CommitError::InDoubt`]; other calls fail.
    DoubtBefore,
    /// It happens, but a commit is [`CommitError::InDoubt`]; other calls fail.
    DoubtAfter,
    /// It waits for [`Faults::release`], and then succeeds.
    Hang,
    /// It panics.
    Panic,
}

/// A store on another one that fails when its [`Faults`] say so.
#[derive(Debug)]
pub struct FaultyStore<S> {
    store: S,
    faults: Faults,
}

impl<S> FaultyStore<S> {
    /// Returns the store, and the handle that makes it fail. Until then it does not.
    pub fn new(store: S) -> (Self, Faults) {
        let faults = Faults::default();
        (Self { store, faults: faults.clone() }, faults)
    }
}

/// When a [`FaultyStore`] fails. A clone is another handle on the same.
///
/// ```
/// # use portcullis::store::{CommitError, CommitId, Position};
/// # use portcullis::{testing::{Call, Fault, FaultyStore}, MemoryStore, TokenStore};
/// let (mut store, faults) = FaultyStore::new(MemoryStore::new());
/// faults.next(Call::Commit, Fault::DoubtAfter);
/// let id = CommitId::generate()?;
/// assert!(matches!(store.commit(Position::ORIGIN, id, &[]), Err(CommitError::InDoubt(_))));
/// assert_eq!(store.commit(Position::ORIGIN, id, &[])?.revision, 1);
/// assert_eq!(faults.calls(Call::Commit), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    calls: BTreeMap<Call, u64>,
    /// By the number of the call, counted from one.
    planned: BTreeMap<(Call, u64), Fault>,
    lasting: BTreeMap<Call, Fault>,
    /// How many calls hang.
    hanging: usize,
    /// How often hanging calls were released.
    released: u64,
}

impl State {
    fn calls(&self, call: Call) -> u64 {
        self.calls.get(&call).copied().unwrap_or_default()
    }
}

impl Faults {
    /// Makes the next such call fail.
    pub fn next(&self, call: Call, fault: Fault) {
        self.nth(call, 1, fault);
    }

    /// Makes the n-th such call from now on fail, counted from one.
    pub fn nth(&self, call: Call, n: u64, fault: Fault) {
        let mut state = self.state();
        let number = state.calls(call) + n;
        state.planned.insert((call, number), fault);
    }

    /// Makes every such call fail until [`heal`](Self::heal), unless [`nth`](Self::nth) says otherwise for it.
    pub fn always(&self, call: Call, fault: Fault) {
        self.state().lasting.insert(call, fault);
    }

    /// Ends all failures. Calls that hang go on hanging.
    pub fn heal(&self) {
        let mut state = self.state();
        state.planned.clear();
        state.lasting.clear();
    }

    /// Returns how many such calls there were, failed and hanging ones included.
    #[must_use]
    pub fn calls(&self, call: Call) -> u64 {
        self.state().calls(call)
    }

    /// Waits until a call hangs.
    pub fn wait_until_hanging(&self) {
        let (_, changed) = &*self.0;
        let hanging = changed.wait_while(self.state(), |state| state.hanging == 0);
        drop(hanging.unwrap_or_else(PoisonError::into_inner));
    }

    /// Lets all calls that hang go on.
    pub fn release(&self) {
        let (_, changed) = &*self.0;
        self.state().released += 1;
        changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let (state, _) = &*self.0;
        state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call, and says what becomes of it.
    fn meet(&self, call: Call) -> Option<Fault> {
        let mut state = self.state();
        let number = state.calls(call) + 1;
        state.calls.insert(call, number);
        let fault = state.planned.remove(&(call, number)).or_else(|| state.lasting.get(&call).copied());
        drop(state);
        match fault {
            Some(Fault::Hang) => self.hang(),
            // Not by the macro, so that no message is printed.
            Some(Fault::Panic) => panic::resume_unwind(Box::new("a store that panics as it was told")),
            _ => return fault,
        }
        None
    }

    fn hang(&self) {
        let (_, changed) = &*self.0;
        let mut state = self.state();
        state.hanging += 1;
        changed.notify_all();
        let before = state.released;
        let mut state =
            changed.wait_while(state, |state| state.released == before).unwrap_or_else(PoisonError::into_inner);
        state.hanging -= 1;
    }
}

fn error() -> StoreError {
    StoreError::new("failed as it was told")
}

impl<S: TokenStore> TokenStore for FaultyStore<S> {
    fn commit(&mut self, expected: Position, id: CommitId, records: &[Record]) -> Result<Position, CommitError> {
        match self.faults.meet(Call::Commit) {
            None => self.store.commit(expected, id, records),
            Some(Fault::Refuse) => Err(CommitError::Refused(error())),
            Some(Fault::DoubtAfter) => {
                self.store.commit(expected, id, records)?;
                Err(CommitError::InDoubt(error()))
            }
            Some(_) => Err(CommitError::InDoubt(error())),
        }
    }

    fn changes(&mut self, since: Position, limit: usize) -> Result<Changes, ChangesError> {
        match self.faults.meet(Call::Changes) {
            None => self.store.changes(since, limit),
            Some(_) => Err(ChangesError::Failed(error())),
        }
    }

    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    fn wake_on_change(&mut self, waker: Waker) {
        self.store.wake_on_change(waker);
    }

    fn touch(&mut self, used: &[(TokenId, Timestamp)]) -> Result<(), StoreError> {
        match self.faults.meet(Call::Touch) {
            None => self.store.touch(used),
            Some(Fault::DoubtAfter) => self.store.touch(used).and(Err(error())),
            Some(_) => Err(error()),
        }
    }
}
