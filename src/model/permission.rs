//! One permission, and its wire format.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::model::action::{ActionError, Grant};
use crate::model::id::{OrgId, ResourceId};
use crate::model::pattern::{Pattern, PatternError, parse_type};
use crate::model::resource_type::ResourceType;

/// What is granted on the resources that a pattern matches: reading, writing, one verb, or any action.
///
/// Its JSON is InfluxDB's: `{"action":"read","resource":{"type":"buckets","orgID":"…","id":"…"}}`. Any action and any
/// type are written `"*"`, a verb as its name. Malformed names and ids and unknown fields are refused.
///
/// Its text is InfluxDB's too: `read:orgs/ORG/buckets/ID`.
///
/// ```
/// use portcullis::{OrgId, Permission, Resource, resource_type, verb};
///
/// let acme: OrgId = "0a1b2c3d4e5f6071".parse()?;
/// let permission = Permission::read(Resource::buckets(acme));
/// assert_eq!(permission.to_string(), "read:orgs/0a1b2c3d4e5f6071/buckets");
/// assert_eq!(
///     serde_json::to_string(&permission)?,
///     r#"{"action":"read","resource":{"type":"buckets","orgID":"0a1b2c3d4e5f6071"}}"#
/// );
///
/// let run = Permission::new(verb!("execute"), Resource::within(acme, resource_type!("jobs")));
/// assert_eq!(run.to_string(), "execute:orgs/0a1b2c3d4e5f6071/jobs");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission {
    pub(crate) pattern: Pattern,
    pub(crate) grant: Grant,
}

impl Permission {
    /// Creates the permission to read what the pattern matches.
    #[must_use]
    pub fn read(pattern: impl Into<Pattern>) -> Self {
        Self::new(Grant::Read, pattern)
    }

    /// Creates the permission to write what the pattern matches.
    #[must_use]
    pub fn write(pattern: impl Into<Pattern>) -> Self {
        Self::new(Grant::Write, pattern)
    }

    /// Creates the permissions to read and to write what the pattern matches.
    #[must_use]
    pub fn read_write(pattern: impl Into<Pattern>) -> [Self; 2] {
        let pattern = pattern.into();
        [Self::read(pattern), Self::write(pattern)]
    }

    /// Creates the permission to do anything to what the pattern matches, verbs to come included.
    ///
    /// ```
    /// use portcullis::{Pattern, Permission, PermissionSet, Resource, ResourceType, verb};
    ///
    /// let tasks = PermissionSet::from_iter([Permission::any(ResourceType::TASKS)]);
    /// assert!(tasks.allows(verb!("execute"), &Resource::global(ResourceType::TASKS)));
    /// assert_eq!(tasks.to_string(), "`*:tasks`");
    /// ```
    #[must_use]
    pub fn any(pattern: impl Into<Pattern>) -> Self {
        Self::new(Grant::Any, pattern)
    }

    /// Creates a permission from what it grants, often a verb, and on what.
    #[must_use]
    pub fn new(grant: impl Into<Grant>, pattern: impl Into<Pattern>) -> Self {
        Self { pattern: pattern.into(), grant: grant.into() }
    }

    /// Returns what is granted.
    #[must_use]
    pub const fn grant(&self) -> Grant {
        self.grant
    }

    /// Returns on which resources.
    #[must_use]
    pub const fn pattern(&self) -> Pattern {
        self.pattern
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.grant, self.pattern)
    }
}

impl fmt::Debug for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permission({self})")
    }
}

/// Why a text is not a permission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PermissionError {
    /// The text has no `:` or an unexpected part.
    #[error("a permission is written `action:[orgs/ORG/]type[/ID]`")]
    Form,
    /// The action is neither `read`, `write`, `*` nor a verb.
    #[error(transparent)]
    Action(#[from] ActionError),
    /// The rest names no resources.
    #[error(transparent)]
    Pattern(PatternError),
}

impl From<PatternError> for PermissionError {
    fn from(error: PatternError) -> Self {
        match error {
            // The form of the whole says more.
            PatternError::Form => Self::Form,
            error => Self::Pattern(error),
        }
    }
}

/// Reads `action:[orgs/ORG/]type[/ID]`. A text that begins `orgs/ORG/` names the organization; `orgs/ID` alone is the type
/// `orgs` and an id.
impl FromStr for Permission {
    type Err = PermissionError;

    fn from_str(text: &str) -> Result<Self, PermissionError> {
        let (action, pattern) = text.split_once(':').ok_or(PermissionError::Form)?;
        Ok(Self { grant: action.parse()?, pattern: pattern.parse()? })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WirePermission<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow)]
    resource: Object<WirePattern<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WirePattern<'a> {
    #[serde(rename = "type", borrow)]
    resource_type: Cow<'a, str>,
    #[serde(rename = "orgID", default, skip_serializing_if = "Option::is_none")]
    organization: Option<OrgId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<ResourceId>,
}

/// What is read from an object only: what serde derives would take a list of the fields' values, too.
#[derive(Serialize)]
#[serde(transparent)]
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields))
            }
        }

        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

impl Serialize for Permission {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WirePermission {
            action: self.grant.as_str().into(),
            resource: Object(WirePattern {
                resource_type: self.pattern.resource_type.as_ref().map_or("*", ResourceType::as_str).into(),
                organization: self.pattern.organization,
                id: self.pattern.id,
            }),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Permission {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(WirePermission { action, resource: Object(resource) }) = Object::deserialize(deserializer)?;
        let permission = || -> Result<Self, PermissionError> {
            let grant = action.parse()?;
            let resource_type = parse_type(&resource.resource_type).map_err(PatternError::from)?;
            Ok(Self { grant, pattern: Pattern::new(resource.organization, resource_type, resource.id)? })
        };
        permission().map_err(de::Error::custom)
    }
}
