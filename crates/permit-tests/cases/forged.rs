use portcullis::{Permit, Resource, Write};
use permit_tests::write_points;

fn write(bucket: Resource) -> Resource {
    write_points(Permit { action: Write, resource: bucket, revision: 1 }, &[20.5])
}

fn main() {}
