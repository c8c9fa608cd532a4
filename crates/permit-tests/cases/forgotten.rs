use permit_tests::write_points;

fn main() {
    write_points(&[20.5]);
}
