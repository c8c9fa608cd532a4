//! Numbers of 32 bits that stand for larger things.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Values and their numbers, from 1 on. A number is never given to another value.
pub(super) struct Numbering<T> {
    numbers: HashMap<T, u32>,
    values: Vec<T>,
}

impl<T> Default for Numbering<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), values: Vec::new() }
    }
}

impl<T: Clone + Eq + Hash> Numbering<T> {
    pub(super) fn find(&self, value: &T) -> Option<u32> {
        self.numbers.get(value).copied()
    }

    /// Returns the value's number, and whether the value is new.
    pub(super) fn number(&mut self, value: &T) -> (u32, bool) {
        if let Some(number) = self.find(value) {
            return (number, false);
        }
        self.values.push(value.clone());
        let number = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.numbers.insert(value.clone(), number);
        (number, true)
    }

    pub(super) fn value(&self, number: u32) -> Option<&T> {
        self.values.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// Returns all values with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (1..).zip(&self.values)
    }
}

/// Numbers to take and to give back, from 0 on.
#[derive(Default)]
pub(super) struct Pool {
    /// The one that was given back first comes first, so that a number is reused late.
    free: VecDeque<u32>,
    /// How many numbers were ever taken. It is the next one, too.
    count: u32,
}

impl Pool {
    /// Returns a pool whose first `count` numbers were all taken and given back.
    pub(super) fn all_free(count: u32) -> Self {
        Self { free: (0..count).collect(), count }
    }

    pub(super) fn take(&mut self) -> u32 {
        self.free.pop_front().unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        })
    }

    pub(super) fn give_back(&mut self, number: u32) {
        self.free.push_back(number);
    }

    /// Returns all numbers that were ever taken.
    pub(super) fn ever_taken(&self) -> std::ops::Range<u32> {
        0..self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_keeps_its_number() {
        let mut numbering = Numbering::default();
        assert_eq!(numbering.number(&'a'), (1, true));
        assert_eq!(numbering.number(&'b'), (2, true));
        assert_eq!(numbering.number(&'a'), (1, false));
        assert_eq!((numbering.find(&'b'), numbering.find(&'c')), (Some(2), None));
        assert_eq!([0, 1, 2, 3].map(|number| numbering.value(number)), [None, Some(&'a'), Some(&'b'), None]);
        assert!(numbering.iter().eq([(1, &'a'), (2, &'b')]));
    }

    #[test]
    fn a_number_is_reused_late() {
        let mut pool = Pool::default();
        assert_eq!([pool.take(), pool.take(), pool.take()], [0, 1, 2]);
        pool.give_back(1);
        pool.give_back(0);
        assert_eq!([pool.take(), pool.take(), pool.take()], [1, 0, 3]);
        assert_eq!(pool.ever_taken(), 0..4);
        let mut pool = Pool::all_free(2);
        assert_eq!([pool.take(), pool.take(), pool.take()], [0, 1, 2]);
    }
}
