use portcullis::{Permit, Resource, Write};
use permit_tests::write_points;

fn write(permit: Permit<Write>) -> Resource {
    write_points(permit.clone(), &[20.5])
}

fn main() {}
