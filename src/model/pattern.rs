//! Which resources a permission is for.

use std::fmt;
use std::str::FromStr;

use crate::model::id::{IdError, OrgId, ResourceId};
use crate::model::resource_type::{ResourceType, ResourceTypeError};

/// Which resources a permission is for: a type, an organization and an id. A field left out means any, types to come
/// included.
///
/// A pattern matches a resource when every field that it sets is set in the resource and equal (design rule 6). So:
///
/// - A pattern that names an organization matches nothing in another one, and nothing of the instance (rule 7).
/// - A pattern that names no organization matches in every organization, and what belongs to none.
/// - A pattern that names an id does not match the whole type.
///
/// Its text is InfluxDB's: `[orgs/ORG/]type[/ID]`, any type as `*`. It prints and parses alike.
///
/// ```
/// use portcullis::{OrgId, Pattern, Resource, ResourceType};
///
/// let acme: OrgId = "0a1b2c3d4e5f6071".parse()?;
/// assert_eq!(Pattern::all_of(acme).to_string(), "orgs/0a1b2c3d4e5f6071/*");
/// assert_eq!(Pattern::from(ResourceType::TASKS).to_string(), "tasks");
/// assert_eq!("tasks".parse::<Pattern>()?, Pattern::from(Resource::global(ResourceType::TASKS)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    // In this order, so that sorted patterns are in the order of organizations, then types, then ids.
    pub(crate) organization: Option<OrgId>,
    pub(crate) resource_type: Option<ResourceType>,
    pub(crate) id: Option<ResourceId>,
}

impl Pattern {
    /// Everything: every type, every organization and the instance itself.
    pub const ANY: Self = Self { organization: None, resource_type: None, id: None };

    /// Creates the pattern that sets these fields.
    ///
    /// # Errors
    /// [`PatternError::Instance`]: the type is `instance`, and there is an organization.
    pub fn new(
        organization: Option<OrgId>,
        resource_type: Option<ResourceType>,
        id: Option<ResourceId>,
    ) -> Result<Self, PatternError> {
        if resource_type == Some(ResourceType::INSTANCE) && organization.is_some() {
            return Err(PatternError::Instance);
        }
        Ok(Self { organization, resource_type, id })
    }

    /// Creates the pattern of everything in an organization, types to come included.
    #[must_use]
    pub const fn all_of(organization: OrgId) -> Self {
        Self { organization: Some(organization), resource_type: None, id: None }
    }

    /// Returns the type; `None` for any.
    #[must_use]
    pub const fn resource_type(&self) -> Option<ResourceType> {
        self.resource_type
    }

    /// Returns the organization; `None` for any, and for what belongs to none.
    #[must_use]
    pub const fn organization(&self) -> Option<OrgId> {
        self.organization
    }

    /// Returns the id; `None` for any, and for the whole type.
    #[must_use]
    pub const fn id(&self) -> Option<ResourceId> {
        self.id
    }

    /// Returns the resources that both patterns match, where there can be any.
    pub(crate) fn meet(&self, other: &Self) -> Option<Self> {
        #[allow(clippy::option_option)] // Whether they agree, and then whether the field is set.
        fn field<T: PartialEq>(a: Option<T>, b: Option<T>) -> Option<Option<T>> {
            match (a, b) {
                (Some(a), Some(b)) => (a == b).then_some(Some(a)),
                (a, b) => Some(a.or(b)),
            }
        }
        Self::new(
            field(self.organization, other.organization)?,
            field(self.resource_type, other.resource_type)?,
            field(self.id, other.id)?,
        )
        .ok()
    }
}

/// Every resource of this type.
impl From<ResourceType> for Pattern {
    fn from(resource_type: ResourceType) -> Self {
        Self { resource_type: Some(resource_type), ..Self::ANY }
    }
}

/// The resource of this type that has the id.
impl<I: Into<ResourceId>> From<(ResourceType, I)> for Pattern {
    fn from((resource_type, id): (ResourceType, I)) -> Self {
        Self { id: Some(id.into()), ..resource_type.into() }
    }
}

/// Why fields, or a text, make no pattern or no resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// The text does not have the form `[orgs/ORG/]type[/ID]`.
    #[error("a resource is written `[orgs/ORG/]type[/ID]`")]
    Form,
    /// The type is no type's name.
    #[error(transparent)]
    Type(#[from] ResourceTypeError),
    /// The organization's or the resource's id is malformed.
    #[error(transparent)]
    Id(#[from] IdError),
    /// `instance` with an organization.
    #[error("`instance` is not part of any organization")]
    Instance,
    /// A request names its type.
    #[error("a request names its resource's type")]
    AnyType,
}

/// Reads InfluxDB's form. A text that begins `orgs/ORG/` names the organization; `orgs/ID` alone is the type `orgs` and an
/// id.
impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let parts: Vec<&str> = text.split('/').collect();
        let (organization, name, id) = match *parts.as_slice() {
            ["orgs", organization, name] => (Some(organization), name, None),
            ["orgs", organization, name, id] => (Some(organization), name, Some(id)),
            [name] => (None, name, None),
            [name, id] => (None, name, Some(id)),
            _ => return Err(PatternError::Form),
        };
        let organization = organization.map(str::parse).transpose()?;
        let id = id.map(str::parse).transpose()?;
        Self::new(organization, parse_type(name)?, id)
    }
}

/// Reads a type's name, or `*` for any.
pub(crate) fn parse_type(name: &str) -> Result<Option<ResourceType>, ResourceTypeError> {
    if name == "*" { Ok(None) } else { name.parse().map(Some) }
}

/// Writes `[orgs/ORG/]type[/ID]`.
pub(crate) fn write_path(
    f: &mut fmt::Formatter<'_>,
    organization: Option<OrgId>,
    name: &str,
    id: Option<ResourceId>,
) -> fmt::Result {
    if let Some(organization) = organization {
        write!(f, "orgs/{organization}/")?;
    }
    f.write_str(name)?;
    match id {
        Some(id) => write!(f, "/{id}"),
        None => Ok(()),
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.resource_type.as_ref().map_or("*", ResourceType::as_str);
        write_path(f, self.organization, name, self.id)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::resource::Resource;

    #[test]
    fn patterns_and_resources_print_what_they_parse() {
        for text in ["instance", "buckets", "tasks/1111111111111111", "orgs/0a1b2c3d4e5f6071/tasks/1111111111111111"] {
            let pattern: Pattern = text.parse().unwrap();
            let resource: Resource = text.parse().unwrap();
            assert_eq!((pattern.to_string(), resource.to_string()), (text.into(), text.into()));
            assert_eq!((Pattern::from(resource), Resource::try_from(pattern)), (pattern, Ok(resource)));
        }
        for text in ["*", "*/1111111111111111", "orgs/0a1b2c3d4e5f6071/*"] {
            assert_eq!(text.parse::<Pattern>().unwrap().to_string(), text);
            assert_eq!(text.parse::<Resource>().unwrap_err().to_string(), "a request names its resource's type");
        }
        let error = |text: &str| text.parse::<Pattern>().unwrap_err().to_string();
        assert_eq!(error("a/b/c"), "a resource is written `[orgs/ORG/]type[/ID]`");
        assert_eq!(error("orgs/0a1b2c3d4e5f6071/instance"), "`instance` is not part of any organization");
    }
}
