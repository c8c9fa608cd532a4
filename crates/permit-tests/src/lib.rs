//! A host's storage layer: no way into it without a permit, and no way to another bucket than the permit's.
#![allow(clippy::must_use_candidate)] // As a host would write it.

use portcullis::{Permit, Read, Resource, Write};

/// Reads the bucket that the permit is for.
pub fn read_points(permit: Permit<Read>) -> Resource {
    *permit.resource()
}

/// Writes to the bucket that the permit is for.
pub fn write_points(permit: Permit<Write>, _points: &[f64]) -> Resource {
    *permit.resource()
}
