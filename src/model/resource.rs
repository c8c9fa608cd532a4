//! What a request is about.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::model::id::{OrgId, ResourceId};
use crate::model::pattern::{Pattern, PatternError, write_path};
use crate::model::resource_type::ResourceType;

/// What a request is about: a type, optionally an organization, optionally an id.
///
/// - Without an id it is the whole type, as when listing or creating.
/// - Without an organization it is something of the instance itself: its configuration, its users, the list of all
///   organizations. It is part of no organization, so only a permission that names none matches it.
///
/// Its text is InfluxDB's: `[orgs/ORG/]type[/ID]`. It prints and parses alike.
///
/// ```
/// use portcullis::{OrgId, Resource, ResourceId, ResourceType, resource_type};
///
/// const PROJECTS: ResourceType = resource_type!("projects");
///
/// let acme: OrgId = "0a1b2c3d4e5f6071".parse()?;
/// let website: ResourceId = "1111111111111111".parse()?;
/// let project = Resource::within(acme, PROJECTS).with_id(website);
/// assert_eq!(project.to_string(), "orgs/0a1b2c3d4e5f6071/projects/1111111111111111");
/// assert_eq!(Resource::within(acme, PROJECTS).to_string(), "orgs/0a1b2c3d4e5f6071/projects");
/// assert_eq!(Resource::global(ResourceType::USERS).to_string(), "users");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::struct_field_names)] // `type` alone is a keyword.
pub struct Resource {
    resource_type: ResourceType,
    organization: Option<OrgId>,
    id: Option<ResourceId>,
}

impl Resource {
    /// The instance itself: the server's configuration, its backups.
    pub const INSTANCE: Self = Self::global(ResourceType::INSTANCE);

    /// Creates a whole type of the instance itself, outside every organization.
    ///
    /// ```
    /// use portcullis::{Resource, ResourceType};
    ///
    /// let all_users = Resource::global(ResourceType::USERS);
    /// assert_eq!(all_users.organization(), None);
    /// ```
    #[must_use]
    pub const fn global(resource_type: ResourceType) -> Self {
        Self { resource_type, organization: None, id: None }
    }

    /// Creates a whole type within an organization.
    ///
    /// [`ResourceType::INSTANCE`] is part of no organization: with it, this is [`Resource::INSTANCE`], which takes an
    /// Operator or a permission on `instance`.
    ///
    /// ```
    /// use portcullis::{OrgId, Resource, ResourceType};
    ///
    /// let acme: OrgId = "0a1b2c3d4e5f6071".parse()?;
    /// assert_eq!(Resource::within(acme, ResourceType::TASKS).organization(), Some(acme));
    /// assert_eq!(Resource::within(acme, ResourceType::INSTANCE), Resource::INSTANCE);
    /// # Ok::<(), portcullis::IdError>(())
    /// ```
    #[must_use]
    pub fn within(organization: OrgId, resource_type: ResourceType) -> Self {
        let organization = (resource_type != ResourceType::INSTANCE).then_some(organization);
        Self { resource_type, organization, id: None }
    }

    /// Returns the resource of this type, in the same place, that has the id.
    ///
    /// ```
    /// use portcullis::{OrgId, Resource, ResourceId, ResourceType};
    ///
    /// let acme: OrgId = "0a1b2c3d4e5f6071".parse()?;
    /// let task: ResourceId = "1111111111111111".parse()?;
    /// assert_eq!(Resource::within(acme, ResourceType::TASKS).with_id(task).id(), Some(task));
    /// # Ok::<(), portcullis::IdError>(())
    /// ```
    #[must_use]
    pub fn with_id(mut self, id: impl Into<ResourceId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Creates an organization itself, which is a resource of its own: what renaming it is about.
    ///
    /// ```
    /// use portcullis::{OrgId, Resource};
    ///
    /// let acme: OrgId = "0a1b2c3d4e5f6071".parse()?;
    /// assert_eq!(Resource::organization_itself(acme).to_string(), "orgs/0a1b2c3d4e5f6071/orgs/0a1b2c3d4e5f6071");
    /// # Ok::<(), portcullis::IdError>(())
    /// ```
    #[must_use]
    pub fn organization_itself(organization: OrgId) -> Self {
        Self::within(organization, ResourceType::ORGS).with_id(organization)
    }

    /// Creates one bucket of an organization.
    #[must_use]
    pub const fn bucket(organization: OrgId, bucket: ResourceId) -> Self {
        Self { resource_type: ResourceType::BUCKETS, organization: Some(organization), id: Some(bucket) }
    }

    /// Creates all buckets of an organization: what listing them and creating one are about.
    #[must_use]
    pub const fn buckets(organization: OrgId) -> Self {
        Self { resource_type: ResourceType::BUCKETS, organization: Some(organization), id: None }
    }

    /// Creates the tokens of an organization.
    #[must_use]
    pub const fn authorizations(organization: OrgId) -> Self {
        Self { resource_type: ResourceType::AUTHORIZATIONS, organization: Some(organization), id: None }
    }

    /// Returns the type.
    #[must_use]
    pub const fn resource_type(&self) -> ResourceType {
        self.resource_type
    }

    #[inline]
    pub(crate) const fn type_ref(&self) -> &ResourceType {
        &self.resource_type
    }

    /// Returns the organization that it is part of; `None` for something of the instance itself.
    #[must_use]
    pub const fn organization(&self) -> Option<OrgId> {
        self.organization
    }

    /// Returns the id; `None` for the whole type.
    #[must_use]
    pub const fn id(&self) -> Option<ResourceId> {
        self.id
    }
}

/// The pattern that sets the same fields. Of a resource without an organization it matches also those in every
/// organization: a field left out means any.
impl From<Resource> for Pattern {
    fn from(resource: Resource) -> Self {
        Self { organization: resource.organization, resource_type: Some(resource.resource_type), id: resource.id }
    }
}

/// A request about what the pattern names.
impl TryFrom<Pattern> for Resource {
    type Error = PatternError;

    fn try_from(pattern: Pattern) -> Result<Self, PatternError> {
        let resource_type = pattern.resource_type().ok_or(PatternError::AnyType)?;
        Ok(Self { resource_type, organization: pattern.organization(), id: pattern.id() })
    }
}

/// What a request can be about: a [`Resource`], or a type of the host's own.
///
/// A [`Permit`](crate::Permit) carries the value that was asked about. So a host's storage function takes a
/// `Permit<Execute, Project>`: it has the project's id at hand, and no permit for another type fits.
///
/// ```
/// use portcullis::{AsResource, OrgId, Permit, Resource, ResourceId, Write, resource_type};
///
/// #[derive(Debug, Clone, Copy)]
/// struct Project {
///     team: OrgId,
///     id: ResourceId,
/// }
///
/// impl AsResource for Project {
///     fn as_resource(&self) -> Resource {
///         Resource::within(self.team, resource_type!("projects")).with_id(self.id)
///     }
/// }
///
/// fn rename(permit: Permit<Write, Project>, name: &str) {
///     println!("project {} is now {name}", permit.resource().id);
/// }
/// ```
pub trait AsResource {
    /// Returns the resource that is asked about. It must always be the same one.
    fn as_resource(&self) -> Resource;
}

impl AsResource for Resource {
    #[inline]
    fn as_resource(&self) -> Resource {
        *self
    }
}

/// InfluxDB's form: `[orgs/ORG/]type[/ID]`.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_path(f, self.organization, self.resource_type.as_str(), self.id)
    }
}

/// Reads InfluxDB's form: `[orgs/ORG/]type[/ID]`.
impl FromStr for Resource {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        text.parse::<Pattern>()?.try_into()
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resource({self})")
    }
}

/// As its text.
impl Serialize for Resource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Resource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
