use portcullis::{Permit, Resource, Write};
use portcullis_permits::write_points;

fn write(bucket: Resource) -> Resource {
    write_points(Permit { action: Write, resource: bucket, revision: 1 }, &[20.5])
}

fn main() {}
