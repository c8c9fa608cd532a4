//! `--expires`.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use portcullis::Timestamp;

/// When a token is to expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    Never,
    At(Timestamp),
    In(Duration),
}

impl Expiry {
    /// The time, by this machine's clock.
    pub fn at(self) -> Option<Timestamp> {
        match self {
            Self::Never => None,
            Self::At(time) => Some(time),
            Self::In(duration) => Some(Timestamp::from(SystemTime::now()).saturating_add(duration)),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration such as `90d` or `12h`, a time such as `2027-01-31T00:00:00Z`, or `never`")]
pub struct ExpiryError;

impl FromStr for Expiry {
    type Err = ExpiryError;

    fn from_str(text: &str) -> Result<Self, ExpiryError> {
        if text == "never" {
            return Ok(Self::Never);
        }
        if let Ok(duration) = humantime::parse_duration(text) {
            return Ok(Self::In(duration));
        }
        text.parse().map(Self::At).map_err(|_| ExpiryError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_times_and_never() {
        let day = 24 * 3600;
        assert_eq!("90d".parse(), Ok(Expiry::In(Duration::from_secs(90 * day))));
        assert_eq!("1d 12h".parse(), Ok(Expiry::In(Duration::from_secs(day + day / 2))));
        assert_eq!("1970-01-01T00:00:01Z".parse(), Ok(Expiry::At(Timestamp::from_micros(1_000_000))));
        assert_eq!("never".parse(), Ok(Expiry::Never));
        for wrong in ["", "90", "soon", "2027-01-31", "-1d", "1970-01-01T00:00:01+02:00"] {
            assert_eq!(wrong.parse::<Expiry>(), Err(ExpiryError), "{wrong}");
        }
    }
}
