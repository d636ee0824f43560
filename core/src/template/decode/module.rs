use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fmt,
    sync::Arc,
};

use crate::{
    address::Mode,
    error::{Diagnostic, Sources, Span},
    template::{
        load::{FileKind, Files},
        model::Module,
        syntax::{Block, Body},
    },
};

use super::{
    Problems, body::unknown, call, check, front, import, overlay::overlay, provider, refactor, resource, settings,
    variable,
};

/// The kinds of blocks that stand at the top of a file.
const KINDS: [&str; 13] = [
    "resource",
    "data",
    "ephemeral",
    "variable",
    "locals",
    "output",
    "module",
    "provider",
    "terraform",
    "moved",
    "removed",
    "import",
    "check",
];

/// Those that a later version will understand.
const LATER: [&str; 3] = ["action", "language", "list"];

/// Reads the module in a folder from all of its files.
pub(super) fn module(dir: &Arc<str>, files: &Files, sources: &mut Sources, problems: &mut Vec<Diagnostic>) -> Module {
    let mut module = Module { dir: Arc::clone(dir), ..Module::default() };
    let mut found = Problems::default();
    let mut bodies: Vec<Body> = Vec::new();
    let mut overrides: Vec<Body> = Vec::new();
    for (path, text) in files.in_dir(dir) {
        let kind = FileKind::of(path);
        if matches!(kind, FileKind::Values | FileKind::Other) {
            continue;
        }
        let id = sources.add(Arc::clone(path), Arc::clone(text));
        let (body, errors) = front::parse(path, id, text);
        if !errors.is_empty() {
            found.damage.extend(errors.iter().filter(|error| error.is_error()).filter_map(Diagnostic::span));
            module.lost.extend(declared_in(text));
            found.list.extend(errors);
        }
        if kind == FileKind::Override { overrides.push(body) } else { bodies.push(body) }
    }
    if !overrides.is_empty() {
        alone(&bodies, &mut found);
    }
    for over in overrides {
        overlay(&mut bodies, over, &mut found);
    }
    for body in bodies {
        file(body, &mut module, &mut found);
    }
    module.damage = found.damage;
    problems.append(&mut found.list);
    module
}

/// Reports what is wrong with the primary files whatever is laid over them. What `terraform` blocks ask for may well be
/// overridden.
fn alone(bodies: &[Body], problems: &mut Problems) {
    let mut module = Module::default();
    for body in bodies {
        let mut body = body.clone();
        body.blocks.retain(|block| block.kind.as_str() != "terraform");
        file(body, &mut module, problems);
    }
}

fn file(body: Body, module: &mut Module, problems: &mut Problems) {
    for attribute in body.attributes {
        problems.push(
            Diagnostic::error("template.argument", format!("the argument `{}` stands in no block", attribute.name.as_str()))
                .at(attribute.name.span)
                .help("a named value of one's own belongs into a `locals` block, a value for a variable into a `.tfvars` file"),
        );
    }
    for block in body.blocks {
        let names: Vec<Arc<str>> = block.labels.iter().map(|label| Arc::clone(&label.text)).collect();
        if !top_level(block, module, problems) {
            module.lost.extend(names);
        }
    }
}

/// Reads one block; returns whether it became a part of the module.
fn top_level(block: Block, module: &mut Module, problems: &mut Problems) -> bool {
    let kind = Arc::clone(&block.kind.name);
    match &*kind {
        kind @ ("resource" | "data" | "ephemeral") => {
            let mode = match kind {
                "data" => Mode::Data,
                "ephemeral" => Mode::Ephemeral,
                _ => Mode::Managed,
            };
            let found = resource::resource(block, mode, problems).map(|found| (found.key.clone(), Arc::new(found)));
            insert(&mut module.resources, found, kind, |found| found.span, problems)
        }
        "variable" => {
            let found = variable::variable(block, problems).map(|found| (Arc::clone(&found.name), found));
            insert(&mut module.variables, found, "variable", |found| found.span, problems)
        }
        "output" => {
            let found = variable::output(block, problems).map(|found| (Arc::clone(&found.name), found));
            insert(&mut module.outputs, found, "output", |found| found.span, problems)
        }
        "module" => {
            let found = call::call(block, &module.dir, problems).map(|found| (Arc::clone(&found.name), found));
            insert(&mut module.calls, found, "module", |found| found.span, problems)
        }
        "provider" => {
            let found = provider::provider(block, problems).map(|found| (found.name.clone(), found));
            insert(&mut module.providers, found, "provider", |found| found.span, problems)
        }
        "locals" => {
            for local in variable::locals(block, problems) {
                let found = Some((Arc::clone(&local.name), local));
                insert(&mut module.locals, found, "local", |found| found.span, problems);
            }
            true
        }
        "terraform" => {
            settings::settings(block, &mut module.settings, problems);
            true
        }
        "moved" => {
            module.moved.extend(refactor::moved(block, problems));
            true
        }
        "check" => {
            let Some((found, data)) = check::check(block, problems) else { return false };
            if let Some(data) = data {
                let data = Some((data.key.clone(), Arc::new(data)));
                insert(&mut module.resources, data, "data", |data| data.span, problems);
            }
            let found = Some((Arc::clone(&found.name), found));
            insert(&mut module.checks, found, "check", |found| found.span, problems)
        }
        "removed" => {
            module.removed.extend(refactor::removed(block, problems));
            true
        }
        "import" => {
            module.imports.extend(import::import(block, problems));
            true
        }
        kind if LATER.contains(&kind) => {
            problems.unsupported(&format!("a `{kind}` block"), block.header_span());
            false
        }
        kind => {
            let span = block.header_span();
            problems.push(unknown("template.block", "block", kind, span, "a template", KINDS.into_iter().chain(LATER)));
            false
        }
    }
}

/// Adds a declaration, unless its name is taken.
fn insert<K: Ord + fmt::Display, V>(
    map: &mut BTreeMap<K, V>,
    found: Option<(K, V)>,
    sort: &str,
    span: impl Fn(&V) -> Span,
    problems: &mut Problems,
) -> bool {
    let Some((key, value)) = found else { return false };
    match map.entry(key) {
        Entry::Vacant(entry) => {
            entry.insert(value);
        }
        Entry::Occupied(entry) => problems.push(
            Diagnostic::error("template.duplicate", format!("the {sort} `{}` is declared twice", entry.key()))
                .label(span(&value), "again here")
                .label(span(entry.get()), "first here")
                .help("names are unique in a module, across all of its files; rename or remove one"),
        ),
    }
    true
}

/// Returns the names that a broken text seems to declare: labels on lines that start with the kind of a block, and words
/// before `=` at the start of a line.
///
/// When a mistake swallows a block, nobody must be told that its name is not declared.
fn declared_in(text: &str) -> BTreeSet<Arc<str>> {
    let mut names = BTreeSet::new();
    for line in text.lines() {
        let line = line.trim_start();
        let word: &str = line.split(|char: char| !is_name_char(char)).next().unwrap_or_default();
        if word.is_empty() {
            continue;
        }
        let rest = line.get(word.len()..).unwrap_or_default().trim_start();
        if KINDS.contains(&word) {
            names.extend(rest.split(|char: char| !is_name_char(char)).filter(|name| !name.is_empty()).map(Arc::from));
        } else if rest.starts_with('=') && !rest.starts_with("==") {
            names.insert(Arc::from(word));
        }
    }
    names
}

fn is_name_char(char: char) -> bool {
    char == '-' || char == '_' || unicode_ident::is_xid_continue(char)
}
