use portcullis_permits::write_points;

fn main() {
    write_points(&[20.5]);
}
