//! What a request asks, and what a permission grants.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::model::id::shown;
use crate::model::verb::{Verb, VerbError};

bitflags::bitflags! {
    /// What may be done to what one pattern matches.
    ///
    /// Any action is a bit of its own beside reading and writing, and never without them: so it covers both by the same
    /// comparison, and both together are not it.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub(crate) struct Access: u8 {
        const READ = 1;
        const WRITE = 2;
        const ANY = 7;
    }
}

impl Access {
    pub(crate) const READ_WRITE: Self = Self::READ.union(Self::WRITE);

    /// Returns what is left when `other` is granted elsewhere. Any action stays whole, unless it is granted there.
    pub(crate) fn without(self, other: Self) -> Self {
        let rest = self.difference(other);
        if self == Self::ANY && !rest.is_empty() { Self::ANY } else { rest }
    }

    /// The grants, `read` before `write`.
    pub(crate) fn grants(self) -> impl Iterator<Item = Grant> + use<> {
        let any = self.contains(Self::ANY);
        [
            (any, Grant::Any),
            (!any && self.contains(Self::READ), Grant::Read),
            (!any && self.contains(Self::WRITE), Grant::Write),
        ]
        .into_iter()
        .filter_map(|(is, grant)| is.then_some(grant))
    }
}

/// What a request asks to do: read, write, both at once, or one [`Verb`] of the host's own.
///
/// A request that needs several verbs is several requests.
///
/// ```
/// use portcullis::{Action, Verb, verb};
///
/// const EXECUTE: Verb = verb!("execute");
/// assert_eq!(Action::READ_WRITE.to_string(), "read and write");
/// assert_eq!("execute".parse::<Action>()?, Action::from(EXECUTE));
/// # Ok::<(), portcullis::ActionError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action(Asked);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Asked {
    Access(Access),
    Verb(Verb),
}

impl Action {
    /// Look at the resource. `read` on the wire.
    pub const READ: Self = Self(Asked::Access(Access::READ));

    /// Create, change or delete it. `write` on the wire.
    pub const WRITE: Self = Self(Asked::Access(Access::WRITE));

    /// Both at once: allowed only where reading and writing are.
    pub const READ_WRITE: Self = Self(Asked::Access(Access::READ_WRITE));

    /// Returns the verb, unless this is reading or writing.
    #[must_use]
    pub const fn verb(self) -> Option<Verb> {
        match self.0 {
            Asked::Verb(verb) => Some(verb),
            Asked::Access(_) => None,
        }
    }

    /// Returns what must be granted in reading and writing, or else the verb. The verb stays where it is: a copy would cost
    /// the requests that have none.
    #[inline]
    pub(crate) const fn needed(&self) -> Result<Access, &Verb> {
        match &self.0 {
            Asked::Access(access) => Ok(*access),
            Asked::Verb(verb) => Err(verb),
        }
    }

    /// Reports whether all of it is granted.
    #[inline]
    pub(crate) const fn is_in(&self, granted: Access) -> bool {
        match self.needed() {
            Ok(access) => granted.contains(access),
            Err(_) => granted.contains(Access::ANY),
        }
    }

    /// Returns what is missing, if anything.
    #[inline]
    pub(crate) fn missing(self, granted: Access) -> Option<Self> {
        match self.0 {
            Asked::Access(access) if granted.contains(access) => None,
            Asked::Access(access) => Some(Self(Asked::Access(access - granted))),
            Asked::Verb(_) if granted.contains(Access::ANY) => None,
            Asked::Verb(_) => Some(self),
        }
    }

    /// Returns the smallest grants that allow this: one, or two for reading and writing.
    pub(crate) fn grants(self) -> impl Iterator<Item = Grant> + use<> {
        let (access, verb) = match self.0 {
            Asked::Access(access) => (access, None),
            Asked::Verb(verb) => (Access::empty(), Some(Grant::Verb(verb))),
        };
        access.grants().chain(verb)
    }

    /// Returns the action that reads, writes or does both, as these bits say; `None` for others, and for none.
    pub(crate) fn of(access: Access) -> Option<Self> {
        (!access.is_empty() && Access::READ_WRITE.contains(access)).then_some(Self(Asked::Access(access)))
    }
}

impl From<Verb> for Action {
    fn from(verb: Verb) -> Self {
        Self(Asked::Verb(verb))
    }
}

/// `read`, `write`, `read and write`, or the verb.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Asked::Access(Access::READ) => f.pad("read"),
            Asked::Access(Access::WRITE) => f.pad("write"),
            Asked::Access(_) => f.pad("read and write"),
            Asked::Verb(verb) => verb.fmt(f),
        }
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Action({self})")
    }
}

/// Why a text is not an action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ActionError {
    /// The text is neither `read` nor `write`, nor can it be a verb.
    #[error("unknown action `{text}`, expected `read`, `write` or a verb: {why}")]
    Unknown {
        /// The text; of one longer than 40 characters only the beginning.
        text: String,
        /// Why it is no verb.
        why: VerbError,
    },
}

/// Reads `read`, `write` or a verb. Both at once have no name.
impl FromStr for Action {
    type Err = ActionError;

    fn from_str(text: &str) -> Result<Self, ActionError> {
        match text {
            "read" => Ok(Self::READ),
            "write" => Ok(Self::WRITE),
            _ => match Verb::new(text) {
                Ok(verb) => Ok(verb.into()),
                Err(why) => Err(ActionError::Unknown { text: shown(text), why }),
            },
        }
    }
}

/// What one [`Permission`](crate::Permission) grants: reading, writing, any action, or one verb.
///
/// [`Any`](Self::Any) covers each, verbs to come included. [`Read`](Self::Read) and [`Write`](Self::Write) together are
/// not it.
///
/// ```
/// use portcullis::{Grant, verb};
///
/// assert_eq!("*".parse::<Grant>()?, Grant::Any);
/// assert_eq!(Grant::from(verb!("execute")).to_string(), "execute");
/// # Ok::<(), portcullis::ActionError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grant {
    /// Reading. `read` on the wire.
    Read,
    /// Writing. `write` on the wire.
    Write,
    /// Any action, verbs to come included. `*` on the wire.
    Any,
    /// One verb of the host's own, under its name.
    Verb(Verb),
}

impl Grant {
    /// Returns the name on the wire: `read`, `write`, `*`, or the verb.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Any => "*",
            Self::Verb(verb) => verb.as_str(),
        }
    }
}

impl From<Verb> for Grant {
    fn from(verb: Verb) -> Self {
        Self::Verb(verb)
    }
}

impl FromStr for Grant {
    type Err = ActionError;

    fn from_str(text: &str) -> Result<Self, ActionError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        Ok(match text.parse::<Action>()? {
            Action::READ => Self::Read,
            Action(Asked::Verb(verb)) => Self::Verb(verb),
            _ => Self::Write,
        })
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Grant({self})")
    }
}

macro_rules! by_its_text {
    ($($name:ident),*) => {$(
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
    )*};
}

by_its_text!(Grant);

/// What can be asked of [`Principal::authorize`](crate::Principal::authorize) and
/// [`Authority::authorize`](crate::Authority::authorize).
///
/// Ready-made: the markers [`Read`], [`Write`] and [`ReadWrite`], which a [`Permit`](crate::Permit) then carries in its
/// type, and [`Action`] and [`Verb`], known only at run time. A host makes markers for its own verbs:
///
/// ```
/// use portcullis::{Action, AsAction, Permit, verb};
///
/// /// Runs a job.
/// #[derive(Debug, Clone, Copy)]
/// struct Execute;
///
/// impl AsAction for Execute {
///     fn as_action(&self) -> Action {
///         verb!("execute").into()
///     }
/// }
///
/// /// Cannot be called with a permit to read.
/// fn start(permit: Permit<Execute>) {}
/// ```
pub trait AsAction {
    /// Returns the action that is asked for. It must always be the same one.
    fn as_action(&self) -> Action;
}

impl AsAction for Action {
    #[inline]
    fn as_action(&self) -> Action {
        *self
    }
}

impl AsAction for Verb {
    #[inline]
    fn as_action(&self) -> Action {
        (*self).into()
    }
}

macro_rules! marker {
    ($(#[$doc:meta])* $name:ident, $action:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name;

        impl AsAction for $name {
            #[inline]
            fn as_action(&self) -> Action {
                $action
            }
        }
    };
}

marker! {
    /// [`Action::READ`] as a type.
    Read, Action::READ
}
marker! {
    /// [`Action::WRITE`] as a type.
    Write, Action::WRITE
}
marker! {
    /// [`Action::READ_WRITE`] as a type.
    ReadWrite, Action::READ_WRITE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_and_grants_print_what_they_parse() {
        for text in ["read", "write", "execute"] {
            assert_eq!(text.parse::<Action>().unwrap().to_string(), text);
        }
        for text in ["read", "write", "*", "execute"] {
            assert_eq!(text.parse::<Grant>().unwrap().to_string(), text);
        }
        let error = |text: &str| text.parse::<Action>().unwrap_err().to_string();
        assert_eq!(
            error("*"),
            "unknown action `*`, expected `read`, `write` or a verb: a verb is a letter followed by letters, digits, \
             `-` and `_`; the character at position 0 is none of these"
        );
        assert_eq!(error(""), "unknown action ``, expected `read`, `write` or a verb: a verb cannot be empty");
    }

    #[test]
    fn any_action_covers_reading_and_writing_which_are_not_it() {
        assert!(Access::ANY.contains(Access::READ_WRITE) && !Access::READ_WRITE.contains(Access::ANY));
        assert_eq!(Access::ANY.without(Access::READ_WRITE), Access::ANY);
        assert_eq!(Access::ANY.without(Access::ANY), Access::empty());
        assert_eq!(Access::READ_WRITE.without(Access::READ), Access::WRITE);
        let grants = |access: Access| access.grants().collect::<Vec<_>>();
        assert_eq!(grants(Access::ANY), [Grant::Any]);
        assert_eq!(grants(Access::READ_WRITE), [Grant::Read, Grant::Write]);
    }

    #[test]
    fn a_verb_is_missing_unless_any_action_is_granted() {
        let verb = Action::from(Verb::new("execute").unwrap());
        assert_eq!(verb.missing(Access::READ_WRITE), Some(verb));
        assert_eq!(verb.missing(Access::ANY), None);
        assert_eq!(Action::READ_WRITE.missing(Access::READ), Some(Action::WRITE));
        assert_eq!(Action::READ_WRITE.missing(Access::ANY), None);
    }
}
