//! Whether the index may be asked now.

use std::time::Duration;

use crate::model::reason::Reason;
use crate::model::time::Clock;
use crate::sync::atomic::{AtomicU64, Ordering};

/// Lets decisions through while the index is known to be in step with the store.
///
/// The gate is *closed* before anything was read, while everything is read again, and after the authority ended. It is
/// *open* without end, or until a time of [`Clock::uptime`]: after that time what the index says is stale.
pub(super) struct Gate {
    /// One of: [`CLOSED`]; the end, in nanoseconds of [`Clock::uptime`]; where there is no end, [`FOR_GOOD`] plus `closings`,
    /// so that each opening without end has its own value.
    until: AtomicU64,
    /// How often the gate was closed.
    closings: AtomicU64,
}

const CLOSED: u64 = 0;
/// Later than every time that a clock can tell.
const FOR_GOOD: u64 = 1 << 63;

/// What a gate said when it let a reader through.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Pass(u64);

impl Gate {
    /// Returns a closed gate.
    pub(super) fn new() -> Self {
        Self { until: AtomicU64::new(CLOSED), closings: AtomicU64::new(0) }
    }

    /// Opens the gate until that [`Clock::uptime`], or without end.
    pub(super) fn open(&self, until: Option<Duration>) {
        let for_good = || FOR_GOOD | self.closings.load(Ordering::Relaxed);
        // Zero means closed. No time is before the first nanosecond, so the end may be moved there.
        self.until.store(until.map_or_else(for_good, |until| nanoseconds(until).max(1)), Ordering::Release);
    }

    /// Closes the gate.
    pub(super) fn close(&self) {
        self.closings.fetch_add(1, Ordering::Relaxed);
        self.until.store(CLOSED, Ordering::Release);
    }

    /// Reports whether the gate is open, be it for a time that has passed.
    pub(super) fn is_open(&self) -> bool {
        self.until.load(Ordering::Acquire) != CLOSED
    }

    /// Lets a reader through, or says why not.
    #[inline]
    pub(super) fn pass(&self, clock: &dyn Clock) -> Result<Pass, Reason> {
        let until = self.until.load(Ordering::Acquire);
        if until >= FOR_GOOD { Ok(Pass(until)) } else { Self::pass_before(until, clock) }
    }

    /// Kept out of line so that the usual case stays short.
    #[inline(never)]
    fn pass_before(until: u64, clock: &dyn Clock) -> Result<Pass, Reason> {
        if until == CLOSED {
            Err(Reason::Unavailable)
        } else if nanoseconds(clock.uptime()) < until {
            Ok(Pass(until))
        } else {
            Err(Reason::Stale)
        }
    }

    /// Reports whether the gate has been neither opened nor closed since that pass.
    ///
    /// A reader that missed something asks this: what was missing may not have been read yet.
    #[inline]
    pub(super) fn is_unchanged(&self, pass: Pass) -> bool {
        self.until.load(Ordering::Acquire) == pass.0
    }
}

/// Returns the duration in nanoseconds, below [`FOR_GOOD`]: that is enough for three centuries.
#[inline]
fn nanoseconds(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::from(duration.subsec_nanos()))
        .min(FOR_GOOD - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Timestamp;

    /// A clock that stands still.
    #[derive(Debug)]
    struct Uptime(Duration);

    impl Clock for Uptime {
        fn now(&self) -> Timestamp {
            Timestamp::EPOCH
        }

        fn uptime(&self) -> Duration {
            self.0
        }
    }

    fn at(nanoseconds: u64) -> Uptime {
        Uptime(Duration::from_nanos(nanoseconds))
    }

    #[test]
    fn a_closed_gate_lets_nobody_through() {
        let gate = Gate::new();
        assert!(!gate.is_open());
        assert_eq!(gate.pass(&at(0)).err(), Some(Reason::Unavailable));
        gate.open(None);
        gate.close();
        assert!(!gate.is_open());
        assert_eq!(gate.pass(&at(0)).err(), Some(Reason::Unavailable));
    }

    #[test]
    fn a_gate_that_is_open_for_good_has_no_end() {
        let gate = Gate::new();
        gate.open(None);
        assert!(gate.is_open());
        assert!(gate.pass(&Uptime(Duration::MAX)).is_ok());
    }

    #[test]
    fn a_gate_with_an_end_lets_through_until_then() {
        let gate = Gate::new();
        gate.open(Some(Duration::from_nanos(7)));
        assert!(gate.pass(&at(6)).is_ok());
        assert_eq!(gate.pass(&at(7)).err(), Some(Reason::Stale));
        assert!(gate.is_open(), "an end is no closing");
        gate.open(Some(Duration::ZERO));
        assert!(gate.is_open());
        assert!(gate.pass(&at(0)).is_ok());
        assert_eq!(gate.pass(&at(1)).err(), Some(Reason::Stale));
        gate.open(Some(Duration::MAX));
        assert_eq!(gate.pass(&Uptime(Duration::MAX)).err(), Some(Reason::Stale), "the end of time is an end");
    }

    #[test]
    fn a_pass_tells_whether_the_gate_changed() {
        let gate = Gate::new();
        for until in [None, Some(Duration::from_nanos(7))] {
            gate.open(until);
            let pass = gate.pass(&at(0)).unwrap();
            assert!(gate.is_unchanged(pass));
            gate.close();
            assert!(!gate.is_unchanged(pass));
        }
        gate.open(None);
        let pass = gate.pass(&at(0)).unwrap();
        gate.close();
        gate.open(None);
        assert!(!gate.is_unchanged(pass), "it was closed meanwhile");
    }
}
