use portcullis::{Permit, Write};
use permit_tests::write_points;

fn write_twice(permit: Permit<Write>) {
    write_points(permit, &[20.5]);
    write_points(permit, &[21.0]);
}

fn main() {}
