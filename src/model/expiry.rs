//! When something ends, or that it never does.

use serde::{Deserialize, Serialize};

use crate::model::time::Timestamp;

/// When a token, or a former secret of it, stops being accepted: at a time, or never.
///
/// Ordered by time, and *never* is the greatest. So "ends later than" is `>`, and the earlier of two ends is `min`.
/// Serializes as `Option<Timestamp>`, with `None` for never.
///
/// ```
/// use portcullis::{Expiry, Timestamp};
///
/// let (soon, later) = (Expiry::At(Timestamp::EPOCH), Expiry::At(Timestamp::MAX));
/// assert!(soon < later && later < Expiry::Never);
/// assert!(soon.has_passed(|| Timestamp::EPOCH));
/// assert!(!Expiry::Never.has_passed(|| Timestamp::MAX));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(from = "Option<Timestamp>", into = "Option<Timestamp>")]
pub enum Expiry {
    // The order of the variants is the order of their values.
    /// From this time on it is not accepted.
    At(Timestamp),
    /// It is accepted without end. The default.
    #[default]
    Never,
}

impl Expiry {
    /// Returns the time of the end; `None` for never.
    #[must_use]
    pub const fn time(self) -> Option<Timestamp> {
        match self {
            Self::At(time) => Some(time),
            Self::Never => None,
        }
    }

    /// Reports whether the end has come at the time that `now` returns. A token is not accepted at the very time of its
    /// end. `now` is called only where there is an end, so that a token without one needs no clock.
    #[inline]
    #[must_use]
    pub fn has_passed(self, now: impl FnOnce() -> Timestamp) -> bool {
        match self {
            Self::At(end) => now() >= end,
            Self::Never => false,
        }
    }

    /// Returns the time of the end, but `latest` where the end is after that or never.
    pub(crate) fn at_latest(self, latest: Timestamp) -> Timestamp {
        self.time().map_or(latest, |end| end.min(latest))
    }
}

impl From<Timestamp> for Expiry {
    fn from(time: Timestamp) -> Self {
        Self::At(time)
    }
}

/// `None` becomes [`Expiry::Never`].
impl From<Option<Timestamp>> for Expiry {
    fn from(time: Option<Timestamp>) -> Self {
        time.map_or(Self::Never, Self::At)
    }
}

/// [`Expiry::Never`] becomes `None`.
impl From<Expiry> for Option<Timestamp> {
    fn from(expiry: Expiry) -> Self {
        expiry.time()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_ends_after_every_time() {
        let [first, second] = [Timestamp::EPOCH, Timestamp::MAX].map(Expiry::At);
        assert!(first < second && second < Expiry::Never);
        assert_eq!(second.min(Expiry::Never), second);
        assert_eq!(Expiry::default(), Expiry::Never);
    }

    #[test]
    fn an_end_has_passed_from_its_very_time_on() {
        let end = Timestamp::from_micros(2);
        for (now, passed) in [(1, false), (2, true), (3, true)] {
            assert_eq!(Expiry::At(end).has_passed(|| Timestamp::from_micros(now)), passed);
        }
        assert!(!Expiry::Never.has_passed(|| panic!("no clock is read for what never ends")));
    }

    #[test]
    fn the_earlier_of_an_end_and_a_time() {
        let [one, two] = [1, 2].map(Timestamp::from_micros);
        for (expiry, latest, expected) in
            [(Expiry::At(one), two, one), (Expiry::At(two), one, one), (Expiry::Never, two, two)]
        {
            assert_eq!(expiry.at_latest(latest), expected);
        }
    }

    #[test]
    fn it_serializes_as_an_optional_time() {
        for time in [None, Some(Timestamp::MAX)] {
            let expiry = Expiry::from(time);
            assert_eq!(serde_json::to_string(&expiry).unwrap(), serde_json::to_string(&time).unwrap());
            assert_eq!(Option::from(expiry), time);
        }
    }
}
