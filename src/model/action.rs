//! What a request wants to do.

use std::fmt;

bitflags::bitflags! {
    /// What a request does to a resource: read it, write it, or both at once.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Action: u8 {
        /// Look at the resource. `read` on the wire.
        const READ = 1;
        /// Create, change or delete it. `write` on the wire.
        const WRITE = 2;
    }
}

impl Action {
    /// Both actions.
    pub const READ_WRITE: Self = Self::READ.union(Self::WRITE);

    /// `read`, `write`; nothing for any other combination.
    pub(crate) fn wire_name(self) -> Option<&'static str> {
        match self {
            Self::READ => Some("read"),
            Self::WRITE => Some("write"),
            _ => None,
        }
    }
}

/// `read`, `write`, `read and write`, `nothing`.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::READ => f.write_str("read"),
            Self::WRITE => f.write_str("write"),
            Self::READ_WRITE => f.write_str("read and write"),
            action if action.is_empty() => f.write_str("nothing"),
            action => write!(f, "an unknown action ({:#04x})", action.bits()),
        }
    }
}

mod sealed {
    pub trait Sealed {}
}

/// What can be asked of [`Principal::authorize`](crate::Principal::authorize) and
/// [`Authority::authorize`](crate::Authority::authorize): a marker ([`Read`], [`Write`], [`ReadWrite`]) that the permit then
/// carries in its type, or an [`Action`] known only at run time.
pub trait AsAction: sealed::Sealed + Copy {
    /// The action that is asked for.
    fn action(self) -> Action;
}

impl sealed::Sealed for Action {}
impl AsAction for Action {
    fn action(self) -> Action {
        self
    }
}

macro_rules! marker {
    ($(#[$doc:meta])* $name:ident, $action:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name;

        impl sealed::Sealed for $name {}
        impl AsAction for $name {
            fn action(self) -> Action {
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
