//! The proof that a request was allowed.

use crate::model::action::{Action, AsAction};
use crate::model::resource::{AsResource, Resource};

/// Proof that an action on a resource was allowed: what a storage layer can demand as an argument.
///
/// Only [`Principal::authorize`](crate::Principal::authorize) and [`Authority::authorize`](crate::Authority::authorize) make
/// one. `A` says for which action: `Permit<Write>` cannot be had from a read decision, and `Permit<Action>` carries an
/// action that was known only at run time. `R` says on what: a [`Resource`], or a type of the host's own
/// ([`AsResource`]), so that a permit for one type cannot be used for another.
///
/// The guarded operation takes its resource from the permit, so that what was checked is what is touched. A permit is
/// valid for the operation that begins then. It is neither `Clone` nor stored, and does not notice a later revocation.
///
/// ```compile_fail
/// use portcullis::{Permit, Read, Write};
///
/// fn read(permit: Permit<Read>) {}
/// fn sneak(permit: Permit<Write>) {
///     read(permit);
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit is the proof that the operation it is for may begin"]
pub struct Permit<A: AsAction, R: AsResource = Resource> {
    action: A,
    resource: R,
    revision: u64,
}

impl<A: AsAction, R: AsResource> Permit<A, R> {
    pub(crate) const fn new(action: A, resource: R, revision: u64) -> Self {
        Self { action, resource, revision }
    }

    /// Returns what was allowed.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action.as_action()
    }

    /// Returns what it was allowed on.
    #[must_use]
    pub const fn resource(&self) -> &R {
        &self.resource
    }

    /// Returns the store's revision that the decision was made at. The decision took into account at least what was in the
    /// store then.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }
}
