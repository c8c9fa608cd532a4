//! Ids: what they are, how they are read and how they are written.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::{NonNilUuid, Uuid};

use crate::model::time::Timestamp;
use crate::random::{self, RandomError};

/// Why a text is not an id.
///
/// The text itself is shown; of one longer than 40 characters only the beginning, since it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The text is empty.
    #[error("an id cannot be empty")]
    Empty,
    /// Every digit is zero: the nil id, which names nothing.
    #[error("an id cannot be zero")]
    Nil,
    /// Neither of the two forms.
    #[error("`{0}` is neither 16 hexadecimal digits nor a hyphenated UUID")]
    Malformed(String),
}

/// What an error shows of a text that is not what it should be: all of it; only the beginning where it is as long as a
/// secret, which somebody may have given by mistake.
pub(crate) fn shown(text: &str) -> String {
    let escaped = |characters| text.chars().take(characters).flat_map(char::escape_default).collect::<String>();
    if text.chars().nth(40).is_none() { escaped(40) } else { escaped(8) + "..." }
}

/// Reads the two accepted forms: an InfluxDB id of 16 hexadecimal digits, kept in the low half, and a hyphenated UUID.
fn parse(text: &str) -> Result<NonNilUuid, IdError> {
    let malformed = || IdError::Malformed(shown(text));
    let uuid = match text.len() {
        0 => return Err(IdError::Empty),
        16 if text.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Uuid::from_u128(u64::from_str_radix(text, 16).map_err(|_| malformed())?.into())
        }
        36 => Uuid::try_parse(text).map_err(|_| malformed())?,
        _ => return Err(malformed()),
    };
    NonNilUuid::new(uuid).ok_or(IdError::Nil)
}

/// Sixteen digits when only the low half is set, as InfluxDB prints it; a hyphenated UUID otherwise.
fn print(id: NonNilUuid, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match id.get().as_u64_pair() {
        (0, low) => write!(f, "{low:016x}"),
        _ => write!(f, "{}", id.get().as_hyphenated()),
    }
}

/// Creates a `UUIDv7` that carries `now`.
fn generate(now: Timestamp) -> Result<NonNilUuid, RandomError> {
    let mut random = [0; 10];
    random::fill(&mut random)?;
    let uuid = uuid::Builder::from_unix_timestamp_millis(now.as_micros() / 1_000, &random).into_uuid();
    // The version bits are set, so the id is never nil; a caller still gets an error rather than a panic.
    NonNilUuid::new(uuid).ok_or(RandomError::EMPTY)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// A UUID that is never nil. It is read from a hyphenated UUID or from 16 hexadecimal digits of either case (an
        /// InfluxDB id, 64 bits, kept in the low half) and printed in lower case as 16 digits where only the
        /// low half is set, else as a UUID.
        /// In serde it is that text.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(NonNilUuid);

        #[allow(dead_code)] // Not every id is taken apart and put together again.
        impl $name {
            /// Creates a random id: a `UUIDv7` of the system's current time.
            ///
            /// # Errors
            /// The operating system gave no randomness.
            pub fn generate() -> Result<Self, RandomError> {
                Self::generate_at(Timestamp::system_now())
            }

            pub(crate) fn generate_at(now: Timestamp) -> Result<Self, RandomError> {
                generate(now).map(Self)
            }

            /// Returns the id as a UUID.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0.get()
            }

            pub(crate) const fn to_u128(self) -> u128 {
                self.0.get().as_u128()
            }
        }

        impl From<NonNilUuid> for $name {
            fn from(uuid: NonNilUuid) -> Self {
                Self(uuid)
            }
        }

        impl From<$name> for NonNilUuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl TryFrom<Uuid> for $name {
            type Error = IdError;

            fn try_from(uuid: Uuid) -> Result<Self, IdError> {
                NonNilUuid::new(uuid).map(Self).ok_or(IdError::Nil)
            }
        }

        /// An InfluxDB id.
        impl TryFrom<u64> for $name {
            type Error = IdError;

            fn try_from(id: u64) -> Result<Self, IdError> {
                Uuid::from_u128(id.into()).try_into()
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                print(self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

id! {
    /// An organization: the tenant that a token and its resources belong to.
    OrgId
}
id! {
    /// A user: the owner of a token.
    UserId
}
id! {
    /// A token's public name. Not secret: it identifies a token and authenticates nobody.
    TokenId
}
id! {
    /// One resource of a type: a bucket, a dashboard, or a host's own.
    ResourceId
}

macro_rules! from_u128 {
    ($($name:ident),*) => {$(
        impl $name {
            pub(crate) fn from_u128(bits: u128) -> Option<Self> {
                NonNilUuid::new(Uuid::from_u128(bits)).map(Self)
            }
        }
    )*};
}

macro_rules! words {
    ($($name:ident),*) => {$(
        impl $name {
            /// The high half, then the low half; zeros for none, which no id is.
            #[inline]
            pub(crate) fn words(id: Option<Self>) -> [u64; 2] {
                // In one piece, so that the compiler sees that nothing is to be done.
                let (high, low) = Uuid::from_u128(id.map_or(0, Self::to_u128)).as_u64_pair();
                [high, low]
            }

            /// The id of these halves; `None` for zeros.
            pub(crate) fn from_words([high, low]: [u64; 2]) -> Option<Self> {
                NonNilUuid::new(Uuid::from_u64_pair(high, low)).map(Self)
            }
        }
    )*};
}

// Permission sets keep these as words.
words!(OrgId, ResourceId);

// The index keeps these as bits.
from_u128!(TokenId, ResourceId);

macro_rules! resource_id_from {
    ($($name:ident),*) => {$(
        impl From<$name> for ResourceId {
            fn from(id: $name) -> Self {
                Self(id.0)
            }
        }
    )*};
}

// Organizations, users and tokens are themselves resources.
resource_id_from!(OrgId, UserId, TokenId);

macro_rules! from_resource_id {
    ($($name:ident),*) => {$(
        /// The resource is one of that kind: for what a host looked up among them.
        impl From<ResourceId> for $name {
            fn from(id: ResourceId) -> Self {
                Self(id.0)
            }
        }
    )*};
}

from_resource_id!(OrgId, UserId);
