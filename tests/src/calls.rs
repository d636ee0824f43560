//! What a type of the core can be asked, so that no call is forgotten in a test.

use std::{collections::BTreeSet, fs, path::Path};

/// Returns the public calls of a type, read from the sources of a folder of the core.
pub fn public_calls(folder: &str, of: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src").join(folder);
    let mut calls = BTreeSet::new();
    for file in fs::read_dir(folder).expect("a folder") {
        let text = fs::read_to_string(file.expect("a file").path()).expect("a source");
        let mut is_inside = false;
        for line in text.lines() {
            is_inside = (is_inside && line != "}") || line == format!("impl {of} {{");
            let rest = line.strip_prefix("    pub ").filter(|_| is_inside);
            let name = rest.map(|rest| rest.trim_start_matches("const ").trim_start_matches("async "));
            if let Some(name) = name.and_then(|rest| rest.strip_prefix("fn ")) {
                let end = name.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(name.len());
                calls.insert(name[..end].to_owned());
            }
        }
    }
    calls
}
