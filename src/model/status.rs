//! What was decided about a token, an owner or an organization by itself.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A token's own status, which an actor sets.
///
/// A token that is active may be refused all the same: it may have expired, or its owner may be suspended. See
/// [`Token::check`](crate::Token::check).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// In use. `active`
    Active,
    /// Refused until it is activated. `inactive`
    Inactive,
    /// Refused for good. `revoked`
    Revoked,
}

impl Status {
    const ALL: [Self; 3] = [Self::Active, Self::Inactive, Self::Revoked];

    /// Returns the name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Revoked => "revoked",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a text is not a status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown status, expected `active`, `inactive` or `revoked`")]
pub struct StatusError;

impl FromStr for Status {
    type Err = StatusError;

    fn from_str(name: &str) -> Result<Self, StatusError> {
        Self::ALL.into_iter().find(|status| status.as_str() == name).ok_or(StatusError)
    }
}

/// Where an owner or an organization stands. One record says it for all their tokens (design rule 16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// Nothing is against it. This is also the standing of those that no call ever named. `active`
    Active,
    /// Its tokens are refused until it is restored. `suspended`
    Suspended,
    /// Its tokens are refused for good. `deleted`
    Deleted,
}

impl Standing {
    const ALL: [Self; 3] = [Self::Active, Self::Suspended, Self::Deleted];

    /// Returns the name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a text is not a standing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown standing, expected `active`, `suspended` or `deleted`")]
pub struct StandingError;

impl FromStr for Standing {
    type Err = StandingError;

    fn from_str(name: &str) -> Result<Self, StandingError> {
        Self::ALL.into_iter().find(|standing| standing.as_str() == name).ok_or(StandingError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_print_what_they_parse() {
        for status in Status::ALL {
            assert_eq!(status.to_string().parse(), Ok(status));
        }
        for standing in Standing::ALL {
            assert_eq!(standing.to_string().parse(), Ok(standing));
        }
        let unknown = "gone".parse::<Standing>().unwrap_err();
        assert_eq!(unknown.to_string(), "unknown standing, expected `active`, `suspended` or `deleted`");
    }
}
