//! The pure types and the decision: no I/O, no clock, no state.

pub(crate) mod action;
pub(crate) mod decision;
pub(crate) mod expiry;
mod grants;
pub(crate) mod id;
pub(crate) mod kind;
mod name;
pub(crate) mod pattern;
pub(crate) mod permission;
pub(crate) mod permission_set;
pub(crate) mod resource;
pub(crate) mod resource_type;
pub(crate) mod time;
pub(crate) mod token;
pub(crate) mod verb;
