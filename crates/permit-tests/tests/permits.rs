//! What must not compile where a storage layer demands permits, and the one way that does.
//!
//! Each case is refused for the reason in its file's name: what the compiler says is beside it. After an upgrade of the
//! compiler, look at what changed: `TRYBUILD=overwrite cargo test -p permit-tests`.

#[test]
fn permits_cannot_be_forgotten_swapped_forged_cloned_or_reused() {
    let cases = trybuild::TestCases::new();
    cases.pass("cases/authorized.rs");
    for refused in ["forgotten", "read_for_write", "forged", "cloned", "reused", "another_resource"] {
        cases.compile_fail(format!("cases/{refused}.rs"));
    }
}
