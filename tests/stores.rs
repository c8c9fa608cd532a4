//! Every store keeps the contract, and the suite notices those that do not.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use portcullis::testing::broken::{BrokenStore, Flaw};
use portcullis::testing::{conformance, shared_conformance};
use portcullis::{MemoryStore, RedbStore};

#[test]
fn the_memory_store_keeps_the_contract() {
    let report = conformance(MemoryStore::new, MemoryStore::clone);
    assert!(report.is_ok(), "{report}");
    let report = shared_conformance(MemoryStore::new, MemoryStore::clone);
    assert!(report.is_ok(), "{report}");
}

#[test]
fn the_redb_store_keeps_the_contract() {
    let open = |directory: &tempfile::TempDir| RedbStore::open(directory.path().join("tokens.redb")).unwrap();
    let report = conformance(|| tempfile::tempdir().unwrap(), open);
    assert!(report.is_ok(), "{report}");
}

#[test]
fn every_broken_store_is_noticed_by_the_check_that_is_for_it() {
    for flaw in Flaw::ALL {
        let mut violations = conformance(|| BrokenStore::new(*flaw), BrokenStore::open).violations();
        violations.extend(shared_conformance(|| BrokenStore::new(*flaw), BrokenStore::open).violations());
        let noticed = violations.iter().any(|violation| violation.check == flaw.noticed_by());
        assert!(noticed, "{flaw:?} was noticed only by {violations:#?}");
    }
}

#[test]
fn every_check_notices_something() {
    let report = conformance(MemoryStore::new, MemoryStore::clone).to_string();
    let shared = shared_conformance(MemoryStore::new, MemoryStore::clone).to_string();
    let kept = |line: &str| line.strip_prefix("kept    ").map(str::to_owned);
    let checks: BTreeSet<_> = report.lines().chain(shared.lines()).filter_map(kept).collect();
    let needed: BTreeSet<_> = Flaw::ALL.iter().map(|flaw| flaw.noticed_by().to_owned()).collect();
    assert_eq!(checks, needed);
}
