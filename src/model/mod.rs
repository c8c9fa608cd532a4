//! The pure types and the decision: no I/O, no clock, no state.

pub(crate) mod action;
pub(crate) mod decision;
pub(crate) mod expiry;
mod grants;
pub(crate) mod id;
pub(crate) mod kind;
pub(crate) mod liveness;
mod name;
pub(crate) mod pattern;
pub(crate) mod permission;
pub(crate) mod permission_set;
pub(crate) mod permit;
pub(crate) mod reason;
pub(crate) mod resource;
pub(crate) mod resource_type;
pub(crate) mod status;
pub(crate) mod time;
pub(crate) mod token;
pub(crate) mod verb;
