use portcullis::{Permit, Resource, Write};
use permit_tests::write_points;

fn write(mut permit: Permit<Write>, another: Resource) -> Resource {
    permit.resource = another;
    write_points(permit, &[20.5])
}

fn main() {}
