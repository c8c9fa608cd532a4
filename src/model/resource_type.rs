//! Types of resources.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::model::name::{MAX_LEN, Name, NameError};

/// Why a text is not a resource type's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceTypeError {
    /// The name is empty.
    #[error("a resource type's name cannot be empty")]
    Empty,
    /// The name is longer than [`ResourceType::MAX_LEN`].
    #[error("a resource type's name has at most {max} characters, this one has {0}", max = ResourceType::MAX_LEN)]
    TooLong(usize),
    /// A character at this position (in bytes) is not allowed there.
    #[error(
        "a resource type's name is a letter followed by letters, digits, `-` and `_`; \
         the character at position {0} is none of these"
    )]
    Character(usize),
}

/// A type of resource: one of the 23 of InfluxDB 2.x, or a host's own.
///
/// A type is an open name, like an HTTP method: a host names its own types as constants by
/// [`resource_type!`](crate::resource_type). There is no registry. Two types are equal when their names are.
///
/// A name is an ASCII letter, then ASCII letters, digits, `-` and `_`, at most [`MAX_LEN`](Self::MAX_LEN) bytes. Case
/// matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceType(Name);

impl ResourceType {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = MAX_LEN;

    /// Creates the type of that name. Constants are made by [`resource_type!`](crate::resource_type).
    ///
    /// ```
    /// use portcullis::ResourceType;
    ///
    /// assert_eq!(ResourceType::new("buckets")?, ResourceType::BUCKETS);
    /// assert!(ResourceType::new("two words").is_err());
    /// # Ok::<(), portcullis::ResourceTypeError>(())
    /// ```
    ///
    /// # Errors
    /// - [`ResourceTypeError::Empty`]: the name is empty.
    /// - [`ResourceTypeError::TooLong`]: it has more than [`MAX_LEN`](Self::MAX_LEN) bytes.
    /// - [`ResourceTypeError::Character`]: a character is not allowed.
    pub const fn new(name: &str) -> Result<Self, ResourceTypeError> {
        match Name::new(name) {
            Ok(name) => Ok(Self(name)),
            Err(NameError::Empty) => Err(ResourceTypeError::Empty),
            Err(NameError::TooLong(len)) => Err(ResourceTypeError::TooLong(len)),
            Err(NameError::Character(at)) => Err(ResourceTypeError::Character(at)),
        }
    }

    /// Returns the name, as on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the name as numbers. The first is never zero.
    #[inline]
    pub(crate) fn words(&self) -> [u64; 3] {
        self.0.words()
    }

    /// Returns the type that has these words; `None` for zeros.
    pub(crate) fn from_words(words: [u64; 3]) -> Option<Self> {
        Name::from_words(words).map(Self)
    }
}

/// Creates a [`ResourceType`] constant. The compiler checks the name.
///
/// ```
/// use portcullis::{ResourceType, resource_type};
///
/// const INVOICES: ResourceType = resource_type!("invoices");
/// assert_eq!(INVOICES.as_str(), "invoices");
/// ```
///
/// A bad name does not compile:
///
/// ```compile_fail
/// const BAD: portcullis::ResourceType = portcullis::resource_type!("two words");
/// ```
#[macro_export]
macro_rules! resource_type {
    ($name:expr) => {
        const {
            match $crate::ResourceType::new($name) {
                Ok(resource_type) => resource_type,
                Err(_) => panic!("not a resource type's name: a letter, then letters, digits, `-` and `_`, at most 24"),
            }
        }
    };
}

macro_rules! documented_types {
    ($($(#[$doc:meta])* $constant:ident = $name:literal),* $(,)?) => {
        /// The types of InfluxDB 2.x, under its wire names.
        #[allow(clippy::panic)] // In constants only: a bad name fails to compile.
        impl ResourceType {
            $(
                #[doc = concat!("`", $name, "`")]
                $(#[$doc])*
                pub const $constant: Self = resource_type!($name);
            )*

            /// The 23 types of InfluxDB 2.x, in its order.
            pub const INFLUXDB: [Self; 23] = [$(Self::$constant),*];
        }
    };
}

documented_types! {
    /// : API tokens themselves.
    AUTHORIZATIONS = "authorizations",
    BUCKETS = "buckets",
    DASHBOARDS = "dashboards",
    /// : organizations themselves.
    ORGS = "orgs",
    SOURCES = "sources",
    TASKS = "tasks",
    TELEGRAFS = "telegrafs",
    USERS = "users",
    VARIABLES = "variables",
    SCRAPERS = "scrapers",
    SECRETS = "secrets",
    LABELS = "labels",
    VIEWS = "views",
    DOCUMENTS = "documents",
    NOTIFICATION_RULES = "notificationRules",
    NOTIFICATION_ENDPOINTS = "notificationEndpoints",
    CHECKS = "checks",
    DBRP = "dbrp",
    NOTEBOOKS = "notebooks",
    ANNOTATIONS = "annotations",
    REMOTES = "remotes",
    REPLICATIONS = "replications",
    /// : the server itself, its configuration and backups. Never part of an organization.
    INSTANCE = "instance",
}

impl FromStr for ResourceType {
    type Err = ResourceTypeError;

    fn from_str(name: &str) -> Result<Self, ResourceTypeError> {
        Self::new(name)
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResourceType({self})")
    }
}

impl Serialize for ResourceType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ResourceType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
