//! The calls that wait for the management thread.

use std::collections::VecDeque;

use crate::authority::call::Call;
use crate::store::MAX_COMMIT;

/// The calls that wait.
#[derive(Default)]
pub(super) struct Queue {
    calls: VecDeque<Box<dyn Call>>,
    /// Calls that have more to do. They go after those that came meanwhile.
    later: Vec<Box<dyn Call>>,
    /// How often the calls at the front have met others' changes.
    attempts: u32,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.later.is_empty()
    }

    /// Reports whether enough calls are queued for one commit.
    pub(super) fn is_full(&self) -> bool {
        self.calls.len() >= MAX_COMMIT
    }

    pub(super) fn push(&mut self, call: Box<dyn Call>) {
        self.calls.push_back(call);
    }

    /// Adds a call that has more to do.
    pub(super) fn push_later(&mut self, call: Option<Box<dyn Call>>) {
        self.later.extend(call);
    }

    /// Queues the calls that have more to do.
    pub(super) fn admit_later(&mut self) {
        self.calls.extend(self.later.drain(..));
    }

    pub(super) fn pop(&mut self) -> Option<Box<dyn Call>> {
        self.calls.pop_front()
    }

    pub(super) fn put_back(&mut self, call: Box<dyn Call>) {
        self.calls.push_front(call);
    }

    /// Takes all calls that are queued.
    pub(super) fn take(&mut self) -> VecDeque<Box<dyn Call>> {
        self.attempts = 0;
        std::mem::take(&mut self.calls)
    }

    /// Reports whether calls at the front met others' changes, and are to be planned again.
    pub(super) fn is_retrying(&self) -> bool {
        self.attempts > 0
    }

    /// Takes how often the calls at the front have met others' changes.
    pub(super) fn take_attempts(&mut self) -> u32 {
        std::mem::take(&mut self.attempts)
    }

    /// Puts calls back to the front, in their order. They have met others' changes that often now.
    pub(super) fn retry(&mut self, calls: impl DoubleEndedIterator<Item = Box<dyn Call>>, attempts: u32) {
        self.attempts = attempts;
        calls.rev().for_each(|call| self.calls.push_front(call));
    }
}
