//! Points in time, and where they come from.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time: whole microseconds since 1970-01-01T00:00:00Z.
///
/// Printed and serialized as RFC 3339 in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// The last time that can be printed, 9999-12-31T23:59:59.999999Z. Arithmetic stops here.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// Returns the time that is this many microseconds after [`EPOCH`](Self::EPOCH), at most [`MAX`](Self::MAX).
    ///
    /// ```
    /// use portcullis::Timestamp;
    ///
    /// assert_eq!(Timestamp::from_micros(1_500_000).to_string(), "1970-01-01T00:00:01.500000Z");
    /// ```
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        if micros > Self::MAX.0 { Self::MAX } else { Self(micros) }
    }

    /// Returns the microseconds since [`EPOCH`](Self::EPOCH).
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Returns the time that is `duration` later, at most [`MAX`](Self::MAX).
    ///
    /// ```
    /// use std::time::Duration;
    /// use portcullis::Timestamp;
    ///
    /// let minute = Timestamp::EPOCH.saturating_add(Duration::from_secs(60));
    /// assert_eq!(minute.as_micros(), 60_000_000);
    /// ```
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// Returns the time that is `duration` earlier, at least [`EPOCH`](Self::EPOCH).
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(micros))
    }

    pub(crate) fn system_now() -> Self {
        SystemTime::now().into()
    }
}

/// Times before [`EPOCH`](Timestamp::EPOCH) become it.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self::EPOCH.saturating_add(time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        UNIX_EPOCH + Duration::from_micros(time.0)
    }
}

/// Why a text is not a time.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(transparent)]
pub struct TimestampError(humantime::TimestampError);

/// RFC 3339 in UTC, such as `2027-01-15T08:00:00Z`.
impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        humantime::parse_rfc3339(text).map(Self::from).map_err(TimestampError)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_micros((*self).into()).fmt(f)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self})")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Where an authority reads the time.
///
/// Trusted: a clock that runs ahead expires tokens early, one that steps back revives an expired token that was not yet
/// purged for as long as it is behind, and a purge by a clock that runs ahead is for good. Any `Fn() -> Timestamp` is a clock.
pub trait Clock: Send + Sync + 'static {
    /// Returns the current time. It is called on the request path for tokens that expire: it must not block.
    fn now(&self) -> Timestamp;

    /// Returns how long it is since some fixed moment. [`Builder::stale_after`](crate::AuthorityBuilder::stale_after) counts by it. It
    /// never steps, and it goes on while the machine is suspended. It is called on the request path where the store is shared: it must
    /// not block.
    ///
    /// Provided: `CLOCK_BOOTTIME` on Linux and Android. Elsewhere [`Instant`](std::time::Instant), which on some systems stands still
    /// while the machine is suspended. Neither sees that a virtual machine was stopped from outside, if that does not tell it.
    fn uptime(&self) -> Duration {
        system_uptime()
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn system_uptime() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(time).unwrap_or(Duration::MAX)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn system_uptime() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

impl<F: Fn() -> Timestamp + Send + Sync + 'static> Clock for F {
    fn now(&self) -> Timestamp {
        self()
    }
}

/// The system's clock, the default.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::system_now()
    }
}
