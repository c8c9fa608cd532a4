//! Any bytes are a sequence of steps.

use std::time::Duration;

use portcullis::testing::Fault;

/// How many bytes one step takes. What it does not need is left over.
pub const STEP: usize = 24;

/// The bytes of one step, read one after the other.
pub struct Numbers<'a>(&'a [u8]);

impl<'a> Numbers<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn next(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first)
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.next() % end
    }

    pub fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    pub fn bool(&mut self) -> bool {
        self.below(2) == 1
    }
}

/// What a step is, before anything is said about which tokens and so on it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Call,
    /// Several calls that go into one commit, as far as they can.
    Together,
    /// A call whose store fails once, and how.
    Faulty(StoreCall, u64, Fault),
    /// A call that the store never answers; whether it takes it.
    Doubt(bool),
    /// A secret is authenticated, and the principal kept.
    Hold,
    List,
    Clock(Duration, bool),
    /// An authority is closed and opened again.
    Reopen,
    /// An authority ends without having written anything more, and is opened again.
    Crash,
    /// The store is put back by that many commits.
    Restore(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreCall {
    Commit,
    Changes,
}

impl Step {
    pub fn read(numbers: &mut Numbers<'_>) -> Self {
        match numbers.below(64) {
            0..=31 => Self::Call,
            32..=37 => Self::Together,
            38..=41 => match numbers.below(5) {
                0 => Self::Faulty(StoreCall::Commit, 1, Fault::Refuse),
                1 => Self::Faulty(StoreCall::Commit, 1, Fault::DoubtBefore),
                2 => Self::Faulty(StoreCall::Commit, 1, Fault::DoubtAfter),
                3 => Self::Faulty(StoreCall::Commit, 1, Fault::Panic),
                _ => Self::Faulty(StoreCall::Changes, 1 + numbers.below(3) as u64, Fault::Refuse),
            },
            42 => Self::Doubt(numbers.bool()),
            43..=50 => Self::Hold,
            51..=53 => Self::List,
            54..=58 => {
                let by = numbers.of(&[Duration::from_micros(1), Duration::from_mins(30), Duration::from_hours(1)]);
                Self::Clock(by, numbers.below(4) == 3)
            }
            59..=60 => Self::Reopen,
            61..=62 => Self::Crash,
            _ => Self::Restore(1 + numbers.below(4) as u64),
        }
    }
}
