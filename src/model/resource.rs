//! What a request is about.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::chunks::{chunks, chunks_mut};
use crate::model::id::{OrgId, ResourceId};

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

/// A kind of resource: one of the 23 of InfluxDB 2.x, or a host's own.
///
/// Open, like an HTTP method: a host names its own types, as constants by [`resource_type!`](crate::resource_type).
/// There is no registry; two types are equal when their names are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceType {
    /// The name, then zeros.
    name: [u8; Self::MAX_LEN],
}

impl ResourceType {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 24;

    /// The type of that name: an ASCII letter, then ASCII letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// The name is empty, too long, or has another character.
    // A constant function can neither iterate nor use `get`; every index is below the checked length.
    #[allow(clippy::indexing_slicing)]
    pub const fn new(name: &str) -> Result<Self, ResourceTypeError> {
        let bytes = name.as_bytes();
        if bytes.is_empty() {
            return Err(ResourceTypeError::Empty);
        }
        if bytes.len() > Self::MAX_LEN {
            return Err(ResourceTypeError::TooLong(bytes.len()));
        }
        let mut copy = [0; Self::MAX_LEN];
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            let inside = at > 0 && (byte.is_ascii_digit() || byte == b'-' || byte == b'_');
            if !byte.is_ascii_alphabetic() && !inside {
                return Err(ResourceTypeError::Character(at));
            }
            copy[at] = byte;
            at += 1;
        }
        Ok(Self { name: copy })
    }

    /// The name, as on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let len = self.name.iter().position(|byte| *byte == 0).unwrap_or(Self::MAX_LEN);
        // Only ASCII ever gets in, so neither fallback is taken.
        self.name.get(..len).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default()
    }

    /// The name, padded with zeros, as numbers. The first is never zero.
    #[inline]
    pub(crate) fn words(&self) -> [u64; 3] {
        let mut words = chunks(&self.name).map(|word| u64::from_ne_bytes(*word));
        [(); 3].map(|()| words.next().unwrap_or_default())
    }

    /// The type that has these words; `None` for zeros.
    pub(crate) fn from_words(words: [u64; 3]) -> Option<Self> {
        let mut name = [0; Self::MAX_LEN];
        for (bytes, word) in chunks_mut(&mut name).zip(words) {
            *bytes = word.to_ne_bytes();
        }
        (words != [0; 3]).then_some(Self { name })
    }
}

/// A [`ResourceType`] constant, checked by the compiler.
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
                Ok(kind) => kind,
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

/// The `instance` was put into an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`instance` is not part of any organization")]
pub struct InstanceInOrganization;

/// What a request is about: a type, optionally an organization, optionally an id.
///
/// - Without an id: the whole type, as when listing or creating.
/// - Without an organization: something of the instance itself, such as its configuration, its users, or creating an
///   organization.
///
/// ```
/// use portcullis::{OrgId, Resource, ResourceId, ResourceType};
///
/// let org: OrgId = "0a1b2c3d4e5f6071".parse()?;
/// let bucket: ResourceId = "1111111111111111".parse()?;
/// assert_eq!(Resource::bucket(org, bucket).to_string(), "orgs/0a1b2c3d4e5f6071/buckets/1111111111111111");
/// assert_eq!(Resource::within(org, ResourceType::TASKS)?.to_string(), "orgs/0a1b2c3d4e5f6071/tasks");
/// assert_eq!(Resource::global(ResourceType::USERS).to_string(), "users");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    kind: ResourceType,
    organization: Option<OrgId>,
    id: Option<ResourceId>,
}

impl Resource {
    /// The instance itself: the server's configuration, its backups.
    pub const INSTANCE: Self = Self::global(ResourceType::INSTANCE);

    /// A whole type of the instance itself, outside every organization.
    #[must_use]
    pub const fn global(kind: ResourceType) -> Self {
        Self { kind, organization: None, id: None }
    }

    /// A whole type within an organization.
    ///
    /// # Errors
    /// The type is `instance`, which is part of no organization.
    pub fn within(organization: OrgId, kind: ResourceType) -> Result<Self, InstanceInOrganization> {
        if kind == ResourceType::INSTANCE {
            return Err(InstanceInOrganization);
        }
        Ok(Self { kind, organization: Some(organization), id: None })
    }

    /// The one of this type, in the same place, that has the id.
    #[must_use]
    pub const fn with_id(mut self, id: ResourceId) -> Self {
        self.id = Some(id);
        self
    }

    /// One bucket.
    #[must_use]
    pub const fn bucket(organization: OrgId, bucket: ResourceId) -> Self {
        Self { kind: ResourceType::BUCKETS, organization: Some(organization), id: Some(bucket) }
    }

    /// All buckets of an organization: listing them, creating one.
    #[must_use]
    pub const fn buckets(organization: OrgId) -> Self {
        Self { kind: ResourceType::BUCKETS, organization: Some(organization), id: None }
    }

    /// An organization itself.
    #[must_use]
    pub fn organization(organization: OrgId) -> Self {
        Self { kind: ResourceType::ORGS, organization: Some(organization), id: Some(organization.into()) }
    }

    /// The tokens of an organization.
    #[must_use]
    pub const fn authorizations(organization: OrgId) -> Self {
        Self { kind: ResourceType::AUTHORIZATIONS, organization: Some(organization), id: None }
    }

    /// The type.
    #[must_use]
    pub const fn kind(&self) -> ResourceType {
        self.kind
    }

    #[inline]
    pub(crate) const fn kind_ref(&self) -> &ResourceType {
        &self.kind
    }

    /// The organization that it is part of; `None` for something of the instance itself.
    #[must_use]
    pub const fn org(&self) -> Option<OrgId> {
        self.organization
    }

    /// The id; `None` for the whole type.
    #[must_use]
    pub const fn id(&self) -> Option<ResourceId> {
        self.id
    }
}

/// InfluxDB's form: `[orgs/ORG/]type[/ID]`.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::model::permission::Pattern::from(*self).fmt(f)
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resource({self})")
    }
}
