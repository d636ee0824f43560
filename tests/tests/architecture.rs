//! Who may import whom. ARCHITECTURE.md says why; this test makes it hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A module of core may import those of an earlier layer, and its own layer's where a pair is listed below.
const LAYERS: &[&[&str]] = &[
    &["error"],
    &["address", "value", "graph", "event"],
    &["schema", "template"],
    &["form", "pricing"],
    &["catalog"],
    &["resource", "state"],
    &["plan"],
    &["order", "tenant"],
    &["run"],
    &["stack"],
    &["application"],
    &["ffi"],
];

/// Imports inside a layer: the left may import the right, never the other way round.
const WITHIN: &[(&str, &str)] = &[("template", "schema"), ("resource", "state")];

/// What some modules do without although the layers would let them have it.
const LEFT_ALONE: &[(&str, &[&str])] = &[("form", &["address", "event", "graph", "schema"])];

/// Crates that only some modules may name.
const FENCED: &[(&str, &[&str])] =
    &[("petgraph", &["graph"]), ("tokio", &["run", "state", "event", "stack", "application"])];

/// The extensions that each binding chose. Every folder `bindings-*` is listed here.
const BINDINGS: &[(&str, &[&str])] = &[
    ("bindings-bridge", &["stackwright-store-postgres", "stackwright-store-sqlite"]),
    (
        "bindings-cli",
        &[
            "stackwright-catalog-objects",
            "stackwright-provider-local",
            "stackwright-provider-sandbox",
            "stackwright-store-postgres",
            "stackwright-store-sqlite",
        ],
    ),
    ("bindings-node", &[]),
    ("bindings-python", &[]),
    ("bindings-uniffi", &[]),
];

/// What only a bridge may say: the crates that tie code to another language, and the attributes that need none.
const FOREIGN: &[&str] = &[
    "pyo3",
    "pyclass",
    "pymethods",
    "pyfunction",
    "napi",
    "uniffi",
    "jni",
    "wasm_bindgen",
    "cxx",
    "no_mangle",
    "export_name",
    "extern \"C",
    "repr(C",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests package lies in the workspace").to_owned()
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).expect("a folder of the workspace").flatten().collect();
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path) {
            found.push(path);
        }
    }
}

/// Returns whether a file is compiled for tests alone: `tests.rs`, what is below `tests/`, and the planner's own paper world.
fn is_test(path: &Path) -> bool {
    let named = |name: &str| path.components().any(|part| part.as_os_str() == name);
    let only_below =
        path.components().rev().take_while(|part| part.as_os_str() != "src").any(|part| part.as_os_str() == "tests");
    only_below
        || named("tests.rs")
        || path.ends_with("plan/testing.rs")
        || path.to_string_lossy().contains("plan/testing/")
        || path.ends_with("plan/behavior.rs")
        || path.ends_with("plan/properties.rs")
        || path.ends_with("plan/scenarios.rs")
        || path.ends_with("template/testing.rs")
}

/// Returns the code of a file: comments and everything from its first test module on are left out.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source file");
    let body = text.split("\n#[cfg(test)]").next().unwrap_or("");
    body.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Returns the modules that `text` names as `crate::x`, groups (`crate::{x, y::z}`) included.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (start, _) in text.match_indices("crate::") {
        if text[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &text[start + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(word(rest));
            continue;
        };
        let mut depth = 0_i32;
        let mut at_name = true;
        for (idx, character) in group.char_indices() {
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => at_name = true,
                c if at_name && depth == 0 && (c.is_alphabetic() || c == '_') => {
                    found.insert(word(&group[idx..]));
                    at_name = false;
                }
                _ => {}
            }
        }
    }
    found
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn layer_of() -> BTreeMap<&'static str, usize> {
    LAYERS.iter().enumerate().flat_map(|(layer, names)| names.iter().map(move |name| (*name, layer))).collect()
}

/// Returns every breach in core: `module imports other (file)`.
fn breaches(files: &[(String, PathBuf, String)]) -> Vec<String> {
    let layers = layer_of();
    let mut found = Vec::new();
    for (module, path, text) in files {
        let Some(&own) = layers.get(module.as_str()) else {
            found.push(format!("{module} is in no layer ({})", path.display()));
            continue;
        };
        for import in imports(text) {
            let Some(&other) = layers.get(import.as_str()) else { continue };
            let left_alone =
                LEFT_ALONE.iter().any(|(name, others)| *name == module.as_str() && others.contains(&import.as_str()));
            let allowed = import == *module
                || (other < own && !left_alone)
                || WITHIN.contains(&(module.as_str(), import.as_str()));
            if !allowed {
                found.push(format!("{module} imports {import} ({})", path.display()));
            }
        }
        for (name, homes) in FENCED {
            let uses = text
                .match_indices(&format!("{name}::"))
                .any(|(start, _)| !text[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
            if uses && !homes.contains(&module.as_str()) {
                found.push(format!("{module} uses the crate {name} ({})", path.display()));
            }
        }
    }
    found
}

#[test]
fn core_imports_go_downwards() {
    let source = root().join("core/src");
    let mut paths = Vec::new();
    rust_files(&source, &mut paths);
    let files: Vec<_> = paths
        .into_iter()
        .filter(|path| !path.ends_with("lib.rs") || path.parent() != Some(&source))
        .map(|path| {
            let relative = path.strip_prefix(&source).expect("below core/src").to_owned();
            let module =
                relative.iter().next().expect("not empty").to_string_lossy().trim_end_matches(".rs").to_owned();
            let text = code(&path);
            (module, relative, text)
        })
        .collect();
    assert!(files.len() > 50, "the walk found only {} files", files.len());
    assert_eq!(breaches(&files), Vec::<String>::new());
}

#[test]
fn a_breach_is_noticed() {
    let file = |module: &str, text: &str| (module.to_owned(), PathBuf::from("x.rs"), text.to_owned());
    let found = breaches(&[
        file("value", "use crate::{error::Error, plan::Plan};"),
        file("state", "fn f() { crate::resource::g() }"),
        file("plan", "use petgraph::Graph;\nuse tokio::sync::mpsc;"),
        file("template", "use crate::schema::Schema;\nuse tokio_util::x;"),
        file("form", "use crate::{template::Module, schema::Schema, state::Row};"),
    ]);
    let brief: Vec<_> = found.iter().map(|line| line.trim_end_matches(" (x.rs)")).collect();
    assert_eq!(
        brief,
        [
            "value imports plan",
            "state imports resource",
            "plan uses the crate petgraph",
            "plan uses the crate tokio",
            "form imports schema",
            "form imports state",
        ]
    );
}

/// Returns the workspace crates that a manifest names, development ones left out.
fn dependencies(manifest: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(manifest).expect("a manifest");
    let mut section = String::new();
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if section == "dependencies" && line.starts_with("stackwright") {
            found.insert(line.split(['.', ' ', '=']).next().unwrap_or("").to_owned());
        }
    }
    found
}

#[test]
fn extensions_import_core_only() {
    let folder = root().join("extensions");
    let mut seen = 0;
    for entry in fs::read_dir(folder).expect("extensions").flatten() {
        let found = dependencies(&entry.path().join("Cargo.toml"));
        let allowed = BTreeSet::from(["stackwright".to_owned()]);
        assert!(found.is_subset(&allowed), "{} depends on {found:?}", entry.path().display());
        seen += 1;
    }
    assert!(seen >= 3, "found {seen} extensions");
    let core = dependencies(&root().join("core/Cargo.toml"));
    assert_eq!(core, BTreeSet::from(["stackwright-derive".to_owned()]));
}

#[test]
fn core_stays_small() {
    let text = fs::read_to_string(root().join("core/Cargo.toml")).expect("a manifest");
    for heavy in ["rusqlite", "sqlx", "tonic", "kube", "pyo3", "napi", "uniffi", "reqwest", "clap"] {
        assert!(!text.contains(heavy), "core depends on {heavy}");
    }
}

#[test]
fn bindings_import_core_and_the_extensions_that_they_chose() {
    let mut folders: Vec<_> = fs::read_dir(root())
        .expect("the workspace")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("bindings-"))
        .collect();
    folders.sort();
    assert_eq!(folders, BINDINGS.iter().map(|(folder, _)| *folder).collect::<Vec<_>>(), "BINDINGS lists all of them");
    for (folder, chosen) in BINDINGS {
        let found = dependencies(&root().join(folder).join("Cargo.toml"));
        let mut wanted: BTreeSet<String> = chosen.iter().map(|&name| name.to_owned()).collect();
        for extension in &wanted {
            let crate_folder = root().join("extensions").join(extension.trim_start_matches("stackwright-"));
            assert!(crate_folder.is_dir(), "{folder} chose {extension}, which is no extension");
        }
        // What bridges have in common stands between them and the engine.
        let has_bridge = ["bindings-node", "bindings-python", "bindings-uniffi"].contains(folder);
        let engine = if has_bridge { "stackwright-bridge" } else { "stackwright" };
        wanted.insert(engine.to_owned());
        assert_eq!(found, wanted, "what {folder} depends on");
    }
}

/// Returns what a text says that only a bridge may say, as whole words.
fn foreign(text: &str) -> Vec<&'static str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let says = |name: &&str| {
        text.match_indices(*name).any(|(start, found)| {
            let rest = &text[start + found.len()..];
            let is_part = found.ends_with(char::is_lowercase) && rest.starts_with(is_word);
            !is_part && !text[..start].ends_with(is_word)
        })
    };
    FOREIGN.iter().copied().filter(says).collect()
}

#[test]
fn only_bridges_tie_code_to_another_language() {
    let mut seen = 0;
    let mut found = Vec::new();
    for folder in ["core", "extensions", "bindings-cli"] {
        let mut paths = Vec::new();
        rust_files(&root().join(folder), &mut paths);
        seen += paths.len();
        found.extend(
            paths
                .iter()
                .map(|path| (path, foreign(&code(path))))
                .filter(|(_, words)| !words.is_empty())
                .map(|(path, words)| format!("{} says {words:?}", path.strip_prefix(root()).unwrap_or(path).display())),
        );
    }
    assert!(seen > 80, "the walk found only {seen} files");
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn a_foreign_word_is_noticed() {
    assert_eq!(foreign("#[pyo3::pyclass(frozen)]\nstruct Host;"), ["pyo3", "pyclass"]);
    assert_eq!(foreign("#[cfg_attr(feature = \"node\", napi_derive::napi)]"), ["napi"]);
    assert_eq!(foreign("#[unsafe(no_mangle)]\npub extern \"C\" fn call() {}"), ["no_mangle", "extern \"C"]);
    assert_eq!(foreign("let napier = 7; // a name that only starts alike"), Vec::<&str>::new());
}

#[test]
fn every_error_code_has_a_page() {
    let pages = root().join("docs/errors");
    let mut missing = Vec::new();
    for info in stackwright::error::CODES {
        let page = fs::read_to_string(pages.join(format!("{}.md", info.code))).unwrap_or_default();
        if !page.starts_with(&format!("# {}", info.code)) || page.lines().count() < 5 {
            missing.push(info.code);
        }
    }
    assert_eq!(missing, Vec::<&str>::new(), "codes without a page in docs/errors");
    let known: BTreeSet<String> = stackwright::error::CODES.iter().map(|info| format!("{}.md", info.code)).collect();
    let orphans: Vec<_> = fs::read_dir(pages)
        .expect("docs/errors")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !known.contains(name))
        .collect();
    assert_eq!(orphans, Vec::<String>::new(), "pages without a code");
    let codes: Vec<_> = stackwright::error::CODES.iter().map(|info| info.code).collect();
    assert!(codes.is_sorted(), "codes are listed in order");
}

/// Codes are string literals in the sources; each has to be listed.
#[test]
fn every_code_in_the_sources_is_listed() {
    let known: BTreeSet<&str> = stackwright::error::CODES.iter().map(|info| info.code).collect();
    let mut paths = Vec::new();
    for folder in [
        "core/src",
        "extensions",
        "bindings-bridge/src",
        "bindings-cli/src",
        "bindings-node/src",
        "bindings-python/src",
        "bindings-uniffi/src",
    ] {
        rust_files(&root().join(folder), &mut paths);
    }
    let mut unknown = BTreeSet::new();
    for path in paths {
        let text = code(&path);
        for marker in ["Diagnostic::error(", "Diagnostic::warning(", "ErrorKind::"] {
            for (start, _) in text.match_indices(marker) {
                let rest = &text[start..text.floor_char_boundary(start + 160)];
                let Some(literal) = rest.split('"').nth(1) else { continue };
                let before = rest.split('"').next().unwrap_or("");
                let close = before.matches('(').count() <= 1 + usize::from(marker.ends_with('('))
                    && !before.contains(';')
                    && !before.contains("=>")
                    && !before.contains("format!");
                let shaped = literal.split_once('.').is_some_and(|(area, name)| {
                    let word =
                        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
                    word(area) && word(name)
                });
                if close && shaped && !known.contains(literal) {
                    unknown.insert(format!("{literal} ({})", path.display()));
                }
            }
        }
    }
    assert_eq!(unknown, BTreeSet::new(), "codes that are not in error::CODES");
}

/// Returns the names of events with their fields, in order, as `core` declares them.
fn events_of_core() -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(root().join("core/src/event/kind.rs")).expect("the events");
    let (_, body) = text.split_once("pub enum Event {").expect("the events");
    let mut events: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut last = String::new();
    for line in body.lines().take_while(|line| *line != "}") {
        if let Some(name) = line.strip_prefix("    ").and_then(|line| line.strip_suffix(" {"))
            && name.starts_with(char::is_uppercase)
        {
            last = name.to_owned();
            events.insert(last.clone(), Vec::new());
        } else if let Some((field, _)) = line.strip_prefix("        ").and_then(|line| line.split_once(": "))
            && field.chars().all(|char| char.is_ascii_lowercase() || char == '_')
        {
            events.entry(last.clone()).or_default().push(field.to_owned());
        }
    }
    events
}

/// What observers see in Rust they see in Python, with the same fields in the same order.
#[test]
fn every_event_has_a_class_in_python() {
    let text = fs::read_to_string(root().join("bindings-python/python/stackwright/events.py")).expect("the classes");
    let mut classes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut last = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("class ").and_then(|line| line.split('(').next()) {
            last = name.to_owned();
            classes.insert(last.clone(), Vec::new());
        } else if !line.starts_with(' ') && !line.is_empty() {
            last.clear();
        } else if let Some((field, _)) = line.strip_prefix("    ").and_then(|line| line.split_once(": "))
            && field.chars().all(|char| char.is_ascii_lowercase() || char == '_')
        {
            classes.entry(last.clone()).or_default().push(field.to_owned());
        }
    }
    let events = events_of_core();
    assert!(events.len() > 15, "{events:?}");
    for (name, fields) in events {
        // A planned change and a problem are told in the words of the package.
        let class = if name == "Planned" { "PlannedChange" } else { name.as_str() };
        let found = classes.get(class).unwrap_or_else(|| panic!("`{class}` is not in events.py"));
        if name != "Problem" {
            assert_eq!(*found, fields, "the fields of `{class}`");
            assert!(text.contains(&format!("\"{class}\",")), "`{class}` is not exported");
            assert!(text.contains(&format!(": {class},")), "`{class}` is made of no event");
        }
    }
}
