//! The tests that `docs/security.md` names exist: what it says is shown would otherwise not be.

use std::fs;
use std::path::Path;

/// All Rust code below that directory.
fn source(directory: &Path) -> String {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| match path.extension() {
        _ if path.is_dir() => source(&path),
        Some(extension) if extension == "rs" => fs::read_to_string(&path).unwrap(),
        _ => String::new(),
    };
    entries.map(read).collect()
}

/// What is in backticks in italics.
fn named(text: &str) -> Vec<&str> {
    let italics = text.split('*').skip(1).step_by(2);
    italics.flat_map(|italic| italic.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn the_tests_that_the_security_page_names_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/security.md")).unwrap();
    let code: String = ["tests", "src", "crates"].iter().map(|directory| source(&root.join(directory))).collect();
    let exists = |name: &&str| {
        let path = name.contains('/') && root.join(name).is_file();
        path || code.contains(&format!("fn {name}(")) || code.contains(&format!("\"{name}\""))
    };
    let named = named(&page);
    assert!(named.len() > 40, "{named:?}");
    let missing: Vec<_> = named.into_iter().filter(|name| !exists(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
