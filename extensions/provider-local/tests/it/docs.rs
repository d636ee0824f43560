//! The page for users says what is true: its tables are the schemas, and its examples run.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use stackwright::{
    plan::Action,
    schema::{Attribute, Block, Check},
    value::{repl, type_repl},
};

use crate::{
    host::{Host, actions},
    support::{YARD, Yard},
};

/// Set to write the tables instead of comparing them.
const UPDATE: &str = "UPDATE_DOCS";

fn page_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/providers/local.md")
}

/// Returns the names of all types with their blocks; data sources begin with `data.`, ephemeral types with `ephemeral.`.
fn types() -> Vec<(String, Block)> {
    let provider = stackwright_provider_local::provider();
    let resources = provider.resources.iter().map(|(name, resource)| (name.to_string(), resource.schema()));
    let sources = provider.data_sources.iter().map(|(name, source)| (format!("data.{name}"), source.schema()));
    let ephemerals = provider.ephemerals.iter().map(|(name, one)| (format!("ephemeral.{name}"), one.schema()));
    resources.chain(sources).chain(ephemerals).map(|(name, schema)| (name, schema.block.clone())).collect()
}

fn row(name: &str, attribute: &Attribute) -> String {
    let mut facts = Vec::new();
    facts.push(match (attribute.required, attribute.optional) {
        (true, _) => "required".to_owned(),
        (_, true) => {
            attribute.default.as_ref().map_or("optional".to_owned(), |default| format!("default `{}`", repl(default)))
        }
        _ => "computed".to_owned(),
    });
    for check in &attribute.checks {
        facts.push(match check {
            Check::OneOf(values) => {
                values.iter().map(|value| format!("`{}`", repl(value))).collect::<Vec<_>>().join(" or ")
            }
            Check::Range { min: Some(min), max: Some(max) } => format!("{min} to {max}"),
            Check::Range { min, max } => format!("{min:?} to {max:?}"),
            Check::Length { min, max } => format!("{min} to {max:?} long"),
            // A description says it in words.
            Check::Pattern(_) => continue,
        });
    }
    if attribute.sensitive {
        facts.push("**sensitive**".to_owned());
    }
    if attribute.forces_replacement {
        facts.push("replaces".to_owned());
    }
    assert!(attribute.description.ends_with('.'), "`{name}` is described in sentences");
    let text = attribute.description.replace('|', "\\|");
    format!("| `{name}` | `{}` | {} | {text} |\n", type_repl(&attribute.ty), facts.join(", "))
}

fn table(block: &Block) -> String {
    let mut text = "| attribute | type | | |\n|---|---|---|---|\n".to_owned();
    // What the template sets first, what it has to set before the rest.
    let rank = |attribute: &Attribute| (!attribute.required, !attribute.optional);
    let mut attributes: Vec<_> = block.attributes.iter().collect();
    attributes.sort_by_key(|(name, attribute)| (rank(attribute), (*name).clone()));
    for (name, attribute) in attributes {
        text.push_str(&row(name, attribute));
    }
    for (name, nested) in &block.blocks {
        text.push_str(&format!(
            "\nBlock `{name}`, {} at most. {}\n\n",
            nested.max_items.unwrap_or(0),
            nested.block.description
        ));
        text.push_str(&table(&nested.block));
    }
    text
}

/// Returns a page with its tables made anew.
fn with_tables(page: &str) -> String {
    let mut types = types();
    let mut made = String::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("<!-- attributes: ") {
        let (name, after) = after.split_once(" -->\n").expect("a mark ends with its line");
        let (_, after) = after.split_once("<!-- end -->").expect("a table ends");
        let at =
            types.iter().position(|(known, _)| known == name).unwrap_or_else(|| panic!("no type `{name}` is left"));
        let (name, block) = types.remove(at);
        made.push_str(&format!("{before}<!-- attributes: {name} -->\n{}<!-- end -->", table(&block)));
        rest = after;
    }
    made.push_str(rest);
    assert!(types.is_empty(), "types without a table: {:?}", types.iter().map(|(name, _)| name).collect::<Vec<_>>());
    made
}

#[test]
fn the_tables_are_the_schemas() {
    let page = fs::read_to_string(page_path()).expect("the page");
    let made = with_tables(&page);
    if std::env::var_os(UPDATE).is_some() {
        fs::write(page_path(), &made).expect("the page");
    } else {
        assert!(page == made, "docs/providers/local.md is out of date: run this test with {UPDATE}=1");
    }
}

/// Returns the examples of the page, each under the heading that it stands below.
fn examples() -> Vec<(String, String)> {
    let page = fs::read_to_string(page_path()).expect("the page");
    let mut heading = String::new();
    let mut examples = Vec::new();
    for part in page.split("\n## ").skip(1) {
        heading.clear();
        heading.push_str(part.lines().next().unwrap_or_default());
        for block in part.split("```hcl\n").skip(1) {
            examples.push((heading.clone(), block.split("```").next().unwrap_or_default().to_owned()));
        }
    }
    examples
}

/// Not a test: the server of the examples, as a process of its own. It answers every request with 200 until it is ended.
#[test]
fn server_program() {
    let Ok(port) = std::env::var("TEST_SERVER_PORT") else { return };
    let listener = TcpListener::bind(("127.0.0.1", port.parse().expect("a port"))).expect("the port is free");
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        let mut request = [0; 4096];
        let _ = stream.read(&mut request);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
    }
}

/// Puts the program that the examples run into a folder.
fn install_server(yard: &Yard) {
    fs::create_dir(yard.path("bin")).expect("a folder");
    let program = std::env::current_exe().expect("this program");
    let script = format!(
        "#!/bin/sh\n{YARD}='{}' TEST_SERVER_PORT=$2 exec '{}' --exact docs::server_program --nocapture\n",
        yard.place(""),
        program.display(),
    );
    fs::write(yard.path("bin/server"), script).expect("a file");
    fs::set_permissions(yard.path("bin/server"), fs::Permissions::from_mode(0o755)).expect("a mode");
}

#[tokio::test]
async fn the_examples_run() {
    let examples = examples();
    for (name, _) in types() {
        let (keyword, own) = name.split_once('.').unwrap_or(("resource", &name));
        let block = format!("{keyword} \"{own}\"");
        let shown = examples.iter().any(|(heading, text)| *heading == name && text.contains(&block));
        assert!(shown, "`{name}` has no example");
    }
    for (heading, text) in examples {
        let (yard, host) = (Yard::new(), Host::new());
        install_server(&yard);
        let text = text.replace("/srv/shop", yard.place("").trim_end_matches('/'));
        let done = host.apply(&text).await;
        assert!(done.iter().all(|(_, action)| [Action::Create, Action::Read].contains(action)), "{heading}: {done:?}");
        assert_eq!(actions(&host.plan(&text).await), Vec::new(), "{heading}: a second plan has nothing to do");
        host.destroy(&text).await;
        assert_eq!(host.rows().await, Vec::new(), "{heading}");
        assert_eq!(yard.pids(), Vec::<u32>::new(), "{heading}");
    }
}
