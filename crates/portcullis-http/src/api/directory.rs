//! What the routes ask a host about organizations, users and buckets.

use portcullis::{Resource, ResourceId, ResourceType, UserId};
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// The answer of a [`Directory`], when it is there.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, DirectoryError>> + Send + 'a>>;

/// The names of organizations, users, buckets and whatever else a host has. Tokens know only ids; InfluxDB's clients send
/// and expect names too.
///
/// An organization is [`Resource::organization_itself`], a user [`Resource::global`]`(ResourceType::USERS)` with its id, a bucket
/// [`Resource::bucket`].
///
/// Trusted: a name that leads to a wrong id grants something else than was asked for. A failure refuses the request
/// (500) and changes nothing. When a change is made already, and its secret is to be shown, the answer does without names
/// instead, and the failure is in its extensions all the same ([`Fault`](crate::Fault)). Bound how long an answer
/// may take: a client that does not wait for it never sees that secret.
///
/// ```
/// use std::collections::HashMap;
/// use portcullis_http::{Answer, Directory};
/// use portcullis::{Resource, ResourceId, ResourceType};
///
/// struct Fixed(HashMap<Resource, String>);
///
/// impl Directory for Fixed {
///     fn names<'a>(&'a self, of: &'a [Resource]) -> Answer<'a, HashMap<Resource, String>> {
///         let found = of.iter().filter_map(|each| Some((*each, self.0.get(each)?.clone())));
///         let found = found.collect();
///         Box::pin(async { Ok(found) })
///     }
///
///     fn find<'a>(&'a self, among: Resource, name: &'a str) -> Answer<'a, Option<ResourceId>> {
///         let found = self.0.iter().find(|(each, known)| {
///             // An organization is known as part of itself, and looked for among all.
///             let place = if each.resource_type() == ResourceType::ORGS { None } else { each.organization() };
///             *known == name && each.resource_type() == among.resource_type() && place == among.organization()
///         });
///         let id = found.and_then(|(each, _)| each.id());
///         Box::pin(async move { Ok(id) })
///     }
/// }
/// ```
pub trait Directory: Send + Sync + 'static {
    /// Returns the names of these. What does not exist, or is in another organization than the resource says, is left out.
    fn names<'a>(&'a self, of: &'a [Resource]) -> Answer<'a, HashMap<Resource, String>>;

    /// Returns the one of that name: among all organizations or all users ([`Resource::global`] of `orgs` or `users`), or among the
    /// resources of a type in one organization, such as [`Resource::buckets`]. `None` also for a type that has no names.
    fn find<'a>(&'a self, among: Resource, name: &'a str) -> Answer<'a, Option<ResourceId>>;
}

/// All organizations, in [`Directory::find`].
pub(crate) const ORGANIZATIONS: Resource = Resource::global(ResourceType::ORGS);

/// All users, in [`Directory::find`].
pub(crate) const USERS: Resource = Resource::global(ResourceType::USERS);

/// A user, in [`Directory::names`].
pub(crate) fn user(id: UserId) -> Resource {
    USERS.with_id(id)
}

/// Why a directory has no answer. Clients are told `internal error`; the host finds the source in the response's
/// extensions, as a [`Fault`](crate::Fault).
#[derive(thiserror::Error)]
#[error("the directory failed")]
pub struct DirectoryError(#[source] pub(crate) Box<dyn Error + Send + Sync>);

impl DirectoryError {
    /// Creates the error from its cause.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl fmt::Debug for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DirectoryError({:?})", self.0)
    }
}
