//! One permission, and its wire format.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::model::action::Action;
use crate::model::id::{IdError, OrgId, ResourceId, shown};
use crate::model::resource::{InstanceInOrganization, Resource, ResourceType, ResourceTypeError};

/// Which resources a permission is for. A field left out means any, a type that does not exist yet included.
///
/// A pattern matches a resource when every field that it sets is set in the resource and equal (design rule 6).
/// So a pattern that names an organization never matches in another one, nor something of the instance (rule 7), and
/// one that names an id does not match the whole type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    // In this order, so that sorted patterns go by organization, then type, then id.
    pub(crate) organization: Option<OrgId>,
    pub(crate) kind: Option<ResourceType>,
    pub(crate) id: Option<ResourceId>,
}

impl Pattern {
    /// Everything: every type, every organization and the instance itself.
    pub const ANY: Self = Self { organization: None, kind: None, id: None };

    /// The pattern that sets these fields.
    ///
    /// # Errors
    /// `instance` with an organization: it is part of none.
    pub fn new(
        kind: Option<ResourceType>,
        organization: Option<OrgId>,
        id: Option<ResourceId>,
    ) -> Result<Self, InstanceInOrganization> {
        if kind == Some(ResourceType::INSTANCE) && organization.is_some() {
            return Err(InstanceInOrganization);
        }
        Ok(Self { organization, kind, id })
    }

    /// Everything in an organization, types that do not exist yet included.
    #[must_use]
    pub const fn all_of(organization: OrgId) -> Self {
        Self { organization: Some(organization), kind: None, id: None }
    }

    /// The type, where it is set.
    #[must_use]
    pub const fn kind(&self) -> Option<ResourceType> {
        self.kind
    }

    /// The organization, where it is set.
    #[must_use]
    pub const fn org(&self) -> Option<OrgId> {
        self.organization
    }

    /// The id, where it is set.
    #[must_use]
    pub const fn id(&self) -> Option<ResourceId> {
        self.id
    }

    /// The resource that sets the same fields, as a request would be about it. `None` without a type.
    #[must_use]
    pub fn resource(&self) -> Option<Resource> {
        let kind = self.kind?;
        let resource = match self.organization {
            Some(organization) => Resource::within(organization, kind).ok()?,
            None => Resource::global(kind),
        };
        Some(self.id.map_or(resource, |id| resource.with_id(id)))
    }

    /// The resources that both patterns match, where there can be any.
    pub(crate) fn meet(&self, other: &Self) -> Option<Self> {
        #[allow(clippy::option_option)] // Whether they agree, and then whether the field is set.
        fn field<T: PartialEq>(a: Option<T>, b: Option<T>) -> Option<Option<T>> {
            match (a, b) {
                (Some(a), Some(b)) => (a == b).then_some(Some(a)),
                (a, b) => Some(a.or(b)),
            }
        }
        Self::new(
            field(self.kind, other.kind)?,
            field(self.organization, other.organization)?,
            field(self.id, other.id)?,
        )
        .ok()
    }
}

/// The pattern that matches that resource and, of an id's type, nothing else.
impl From<Resource> for Pattern {
    fn from(resource: Resource) -> Self {
        Self { organization: resource.org(), kind: Some(resource.kind()), id: resource.id() }
    }
}

/// InfluxDB's form: `[orgs/ORG/]type[/ID]`, any type as `*`.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(organization) = self.organization {
            write!(f, "orgs/{organization}/")?;
        }
        match &self.kind {
            Some(kind) => f.write_str(kind.as_str())?,
            None => f.write_str("*")?,
        }
        match self.id {
            Some(id) => write!(f, "/{id}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({self})")
    }
}

/// One action on the resources that a pattern matches.
///
/// Its JSON is InfluxDB's: `{"action":"read","resource":{"type":"buckets","orgID":"…","id":"…"}}`. Any type is
/// written `"*"`. Unknown actions, malformed types and ids, and unknown fields are refused.
///
/// Its text is InfluxDB's too: `read:orgs/ORG/buckets/ID`.
///
/// ```
/// use portcullis::{Permission, Resource};
///
/// let org = "0a1b2c3d4e5f6071".parse()?;
/// let permission = Permission::read(Resource::buckets(org));
/// assert_eq!(permission.to_string(), "read:orgs/0a1b2c3d4e5f6071/buckets");
/// assert_eq!(
///     serde_json::to_string(&permission)?,
///     r#"{"action":"read","resource":{"type":"buckets","orgID":"0a1b2c3d4e5f6071"}}"#
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission {
    pub(crate) pattern: Pattern,
    /// `READ` or `WRITE`, never both.
    pub(crate) action: Action,
}

impl Permission {
    /// The permission for one action on what the pattern matches.
    ///
    /// # Errors
    /// The action is not exactly one: [`PermissionError::Action`].
    pub fn new(action: Action, pattern: impl Into<Pattern>) -> Result<Self, PermissionError> {
        match action.wire_name() {
            Some(_) => Ok(Self { pattern: pattern.into(), action }),
            None => Err(PermissionError::Action(action.to_string())),
        }
    }

    /// Reading what the pattern matches.
    #[must_use]
    pub fn read(pattern: impl Into<Pattern>) -> Self {
        Self { pattern: pattern.into(), action: Action::READ }
    }

    /// Writing what the pattern matches.
    #[must_use]
    pub fn write(pattern: impl Into<Pattern>) -> Self {
        Self { pattern: pattern.into(), action: Action::WRITE }
    }

    /// Both permissions on what the pattern matches.
    #[must_use]
    pub fn read_write(pattern: impl Into<Pattern>) -> [Self; 2] {
        let pattern = pattern.into();
        [Self::read(pattern), Self::write(pattern)]
    }

    /// [`Action::READ`] or [`Action::WRITE`].
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }

    /// What it is for.
    #[must_use]
    pub const fn pattern(&self) -> Pattern {
        self.pattern
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.action, self.pattern)
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
    /// The action is neither `read` nor `write`.
    #[error("unknown action `{0}`, expected `read` or `write`")]
    Action(String),
    /// The type is no type's name.
    #[error(transparent)]
    Type(#[from] ResourceTypeError),
    /// The organization's or the resource's id is malformed.
    #[error(transparent)]
    Id(#[from] IdError),
    /// `instance` with an organization.
    #[error(transparent)]
    Instance(#[from] InstanceInOrganization),
}

pub(crate) fn parse_action(action: &str) -> Result<Action, PermissionError> {
    match action {
        "read" => Ok(Action::READ),
        "write" => Ok(Action::WRITE),
        _ => Err(PermissionError::Action(shown(action))),
    }
}

/// `read` or `write`.
impl FromStr for Action {
    type Err = PermissionError;

    fn from_str(text: &str) -> Result<Self, PermissionError> {
        parse_action(text)
    }
}

pub(crate) fn parse_kind(kind: &str) -> Result<Option<ResourceType>, PermissionError> {
    if kind == "*" { Ok(None) } else { Ok(Some(kind.parse()?)) }
}

/// `action:[orgs/ORG/]type[/ID]`. A text that begins `orgs/ORG/` names the organization; `orgs/ID` alone is the type
/// `orgs` and an id.
impl FromStr for Permission {
    type Err = PermissionError;

    fn from_str(text: &str) -> Result<Self, PermissionError> {
        let (action, pattern) = text.split_once(':').ok_or(PermissionError::Form)?;
        let action = parse_action(action)?;
        let parts: Vec<&str> = pattern.split('/').collect();
        let (organization, kind, id) = match *parts.as_slice() {
            ["orgs", organization, kind] => (Some(organization), kind, None),
            ["orgs", organization, kind, id] => (Some(organization), kind, Some(id)),
            [kind] => (None, kind, None),
            [kind, id] => (None, kind, Some(id)),
            _ => return Err(PermissionError::Form),
        };
        let organization = organization.map(str::parse).transpose()?;
        let id = id.map(str::parse).transpose()?;
        Ok(Self { pattern: Pattern::new(parse_kind(kind)?, organization, id)?, action })
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
    kind: Cow<'a, str>,
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
            action: self.action.wire_name().unwrap_or_default().into(),
            resource: Object(WirePattern {
                kind: self.pattern.kind.as_ref().map_or("*", ResourceType::as_str).into(),
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
            let action = parse_action(&action)?;
            let pattern = Pattern::new(parse_kind(&resource.kind)?, resource.organization, resource.id)?;
            Ok(Self { pattern, action })
        };
        permission().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_with_a_type_is_a_resource() {
        for text in ["instance", "buckets", "orgs/0a1b2c3d4e5f6071/tasks/1111111111111111"] {
            let permission: Permission = format!("read:{text}").parse().unwrap();
            assert_eq!(permission.pattern.resource().unwrap().to_string(), text);
            assert_eq!(Pattern::from(permission.pattern.resource().unwrap()), permission.pattern);
        }
        assert_eq!(Pattern::ANY.resource(), None);
    }
}
