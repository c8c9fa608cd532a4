use portcullis::{Denial, Principal, Read, Resource};
use permit_tests::write_points;

fn write(caller: &Principal<'_>, bucket: Resource) -> Result<Resource, Denial> {
    let permit = caller.authorize(Read, bucket)?;
    Ok(write_points(permit, &[20.5]))
}

fn main() {}
