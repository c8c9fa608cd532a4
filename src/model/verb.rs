//! Actions of the host's own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::model::name::{MAX_LEN, Name, NameError};

/// Why a text is not a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerbError {
    /// The verb is empty.
    #[error("a verb cannot be empty")]
    Empty,
    /// The verb is longer than [`Verb::MAX_LEN`].
    #[error("a verb has at most {max} characters, this one has {0}", max = Verb::MAX_LEN)]
    TooLong(usize),
    /// A character at this position (in bytes) is not allowed there.
    #[error(
        "a verb is a letter followed by letters, digits, `-` and `_`; \
         the character at position {0} is none of these"
    )]
    Character(usize),
    /// `read` and `write` are actions already. `Read` would be taken for one of them, so other cases are refused too.
    #[error("`read` and `write` are no verbs; they are `Action::READ` and `Action::WRITE`")]
    Reserved,
}

/// An action of the host's own, beside `read` and `write`: `execute`, `approve`, `share`.
///
/// A verb is an open name, like an HTTP method: a host names its verbs as constants by [`verb!`](crate::verb). There is no
/// registry. Two verbs are equal when their names are. Whatever grants *any action*, as an Operator or All-Access token
/// does, grants every verb, verbs to come included. `read` and `write` together grant no verb.
///
/// A name is an ASCII letter, then ASCII letters, digits, `-` and `_`, at most [`MAX_LEN`](Self::MAX_LEN) bytes. Case
/// matters.
///
/// ```
/// use portcullis::{Grant, OrgId, Permission, PermissionSet, Resource, ResourceType, Verb, resource_type, verb};
///
/// const JOBS: ResourceType = resource_type!("jobs");
/// const EXECUTE: Verb = verb!("execute");
///
/// let acme: OrgId = "0a1b2c3d4e5f6071".parse()?;
/// let jobs = Resource::within(acme, JOBS);
/// let powers = PermissionSet::from_iter([Permission::new(EXECUTE, jobs)]);
/// assert!(powers.allows(EXECUTE, &jobs));
/// assert!(!powers.allows(verb!("delete"), &jobs));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Verb(Name);

impl Verb {
    /// The longest verb, in bytes.
    pub const MAX_LEN: usize = MAX_LEN;

    /// Creates the verb of that name. Constants are made by [`verb!`](crate::verb).
    ///
    /// ```
    /// use portcullis::{Verb, VerbError};
    ///
    /// assert_eq!(Verb::new("execute")?.as_str(), "execute");
    /// assert_eq!(Verb::new("read"), Err(VerbError::Reserved));
    /// # Ok::<(), VerbError>(())
    /// ```
    ///
    /// # Errors
    /// - [`VerbError::Empty`]: the name is empty.
    /// - [`VerbError::TooLong`]: it has more than [`MAX_LEN`](Self::MAX_LEN) bytes.
    /// - [`VerbError::Character`]: a character is not allowed.
    /// - [`VerbError::Reserved`]: it is `read` or `write`, in any case.
    pub const fn new(name: &str) -> Result<Self, VerbError> {
        match Name::new(name) {
            Ok(name) if name.resembles("read") || name.resembles("write") => Err(VerbError::Reserved),
            Ok(name) => Ok(Self(name)),
            Err(NameError::Empty) => Err(VerbError::Empty),
            Err(NameError::TooLong(len)) => Err(VerbError::TooLong(len)),
            Err(NameError::Character(at)) => Err(VerbError::Character(at)),
        }
    }

    /// Returns the name, as in JSON.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Creates a [`Verb`] constant. The compiler checks the name.
///
/// ```
/// use portcullis::{Verb, verb};
///
/// const EXECUTE: Verb = verb!("execute");
/// assert_eq!(EXECUTE.as_str(), "execute");
/// ```
///
/// A bad name does not compile:
///
/// ```compile_fail
/// const BAD: portcullis::Verb = portcullis::verb!("two words");
/// ```
#[macro_export]
macro_rules! verb {
    ($name:expr) => {
        const {
            match $crate::Verb::new($name) {
                Ok(verb) => verb,
                Err(_) => panic!(
                    "not a verb: a letter, then letters, digits, `-` and `_`, at most 24, neither `read` nor `write`"
                ),
            }
        }
    };
}

impl FromStr for Verb {
    type Err = VerbError;

    fn from_str(name: &str) -> Result<Self, VerbError> {
        Self::new(name)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verb({self})")
    }
}

impl Serialize for Verb {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Verb {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_verb_is_refused_with_the_reason() {
        for (name, text) in [
            ("", "a verb cannot be empty"),
            ("aaaaaaaaaaaaaaaaaaaaaaaaa", "a verb has at most 24 characters, this one has 25"),
            (
                "a*",
                "a verb is a letter followed by letters, digits, `-` and `_`; the character at position 1 is none of these",
            ),
            (
                "*",
                "a verb is a letter followed by letters, digits, `-` and `_`; the character at position 0 is none of these",
            ),
            ("READ", "`read` and `write` are no verbs; they are `Action::READ` and `Action::WRITE`"),
            ("Write", "`read` and `write` are no verbs; they are `Action::READ` and `Action::WRITE`"),
            ("read", "`read` and `write` are no verbs; they are `Action::READ` and `Action::WRITE`"),
            ("write", "`read` and `write` are no verbs; they are `Action::READ` and `Action::WRITE`"),
        ] {
            assert_eq!(Verb::new(name).unwrap_err().to_string(), text);
        }
        for name in ["reads", "rea", "Execute", "execute", "a", "aaaaaaaaaaaaaaaaaaaaaaaa", "run-2_x"] {
            assert_eq!(Verb::new(name).unwrap().to_string(), name);
        }
    }
}
