//! The page for users says what is true: its tables are the schemas, and all knobs are in it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use hyper::Method;
use stackwright::{
    schema::{Attribute, Block, Check},
    value::{repl, type_repl},
};

use crate::cloud::Cloud;

/// Set to write the tables instead of comparing them.
const UPDATE: &str = "UPDATE_DOCS";

fn page_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/providers/sandbox.md")
}

/// Returns the block of the provider and of all types; data sources begin with `data.`.
fn blocks() -> Vec<(String, Block)> {
    let provider = stackwright_provider_sandbox::provider();
    let own = provider.schema.iter().map(|schema| ("provider".to_owned(), schema.block.clone()));
    let resources =
        provider.resources.iter().map(|(name, resource)| (name.to_string(), resource.schema().block.clone()));
    let sources = provider.data_sources.iter();
    let sources = sources.map(|(name, source)| (format!("data.{name}"), source.schema().block.clone()));
    own.chain(resources).chain(sources).collect()
}

fn row(name: &str, attribute: &Attribute) -> String {
    assert!(attribute.description.ends_with('.'), "`{name}` is described in sentences");
    let mut facts = vec![match (attribute.required, &attribute.default, attribute.optional) {
        (true, ..) => "required".to_owned(),
        (_, Some(default), _) => format!("default `{}`", repl(default)),
        (_, None, true) => "optional".to_owned(),
        _ => "computed".to_owned(),
    }];
    for check in &attribute.checks {
        if let Check::OneOf(values) = check {
            facts.push(values.iter().map(|value| format!("`{}`", repl(value))).collect::<Vec<_>>().join(" or "));
        }
    }
    facts.extend(attribute.sensitive.then(|| "**sensitive**".to_owned()));
    facts.extend(attribute.takes_tags.then(|| "takes tags".to_owned()));
    facts.extend(attribute.forces_replacement.then(|| "replaces".to_owned()));
    format!("| `{name}` | `{}` | {} | {} |\n", type_repl(&attribute.ty), facts.join(", "), attribute.description)
}

fn table(block: &Block) -> String {
    let mut attributes: Vec<_> = block.attributes.iter().collect();
    // What the template has to set comes first, what it cannot set last.
    attributes.sort_by_key(|(name, attribute)| (!attribute.required, !attribute.optional, (*name).clone()));
    let rows = attributes.into_iter().map(|(name, attribute)| row(name, attribute));
    let mut text = "| attribute | type | | |\n|---|---|---|---|\n".to_owned() + &rows.collect::<String>();
    for (name, nested) in &block.blocks {
        text.push_str(&format!("\nBlocks `{name}`. {}\n\n{}", nested.block.description, table(&nested.block)));
    }
    text
}

#[test]
fn the_tables_are_the_schemas() {
    let page = fs::read_to_string(page_path()).expect("the page");
    let mut made = page.clone();
    for (name, block) in blocks() {
        let (begin, end) = (format!("<!-- attributes: {name} -->\n"), "<!-- end -->");
        let (before, after) = made.split_once(&begin).unwrap_or_else(|| panic!("`{name}` has no table"));
        let (_, after) = after.split_once(end).expect("a table ends");
        made = format!("{before}{begin}{}{end}{after}", table(&block));
    }
    if std::env::var_os(UPDATE).is_some() {
        fs::write(page_path(), &made).expect("the page");
    } else {
        assert!(page == made, "docs/providers/sandbox.md is out of date: run this test with {UPDATE}=1");
    }
    assert_eq!(page.matches("<!-- attributes: ").count(), blocks().len(), "tables of types that there are not");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_knob_is_described() {
    let page = fs::read_to_string(page_path()).expect("the page");
    let cloud = Cloud::new();
    let (_, knobs) = cloud.ask(Method::GET, "admin/knobs", None).await;
    for name in knobs.as_object().expect("an object").keys() {
        assert!(page.contains(&format!("| `{name}` |")), "`{name}` is not described");
    }
}
