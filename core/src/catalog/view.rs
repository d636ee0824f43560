use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::package::worked_out;
use crate::{
    error::{Diagnostics as _, SourceId},
    form::Text,
    template::{hcl, syntax::Expr},
    value::{Kind, Marks, Type, Value},
};

/// The most rows of a table that are shown.
const MOST_ROWS: usize = 1_000;

/// Something of an installation that people look at, made of what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// The name.
    pub name: Arc<str>,
    /// What people see above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    /// What it shows.
    pub shows: Shows,
}

/// What a view shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Shows {
    /// A text with `${output}`.
    Text(Arc<str>),
    /// The address in an output.
    Link(Arc<str>),
    /// The objects in an output, a row each.
    Table {
        /// The output: a list or a map of objects.
        output: Arc<str>,
        /// What is shown of each; empty: everything.
        columns: Vec<Column>,
    },
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The attribute.
    pub name: Arc<str>,
    /// What people see above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Text>,
}

/// A view, worked out.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Its name.
    pub name: Arc<str>,
    /// What people see above it.
    pub title: Arc<str>,
    /// What there is.
    pub content: Content,
}

/// What there is to see.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A text.
    Text(Arc<str>),
    /// An address that begins with `http://` or `https://`.
    Link(Arc<str>),
    /// Rows.
    Table {
        /// What stands above the columns.
        columns: Vec<Arc<str>>,
        /// Cells, as many as columns. Secret ones are marked, and must not be shown; null where there is nothing.
        rows: Vec<Vec<Value>>,
        /// How many more rows there are.
        more: usize,
    },
    /// Nothing can be shown.
    Nothing {
        /// Why, for people. Free of secrets.
        reason: Arc<str>,
    },
}

impl View {
    /// Works it out for what an installation says of itself, by name of the output. Pure; never an error: what cannot be shown
    /// says why. A secret reaches no text and no link.
    ///
    /// # Complexity
    /// O(what the outputs hold); at most 1,000 rows.
    pub fn of(&self, outputs: &BTreeMap<String, Value>, locale: &str) -> Shown {
        let title = self.title.as_ref().map_or_else(|| Arc::clone(&self.name), |title| Arc::clone(title.get(locale)));
        let content = match &self.shows {
            Shows::Text(text) => text_of(text, outputs),
            Shows::Link(output) => link_of(output, outputs),
            Shows::Table { output, columns } => table_of(output, columns, outputs, locale),
        };
        let content = content.unwrap_or_else(|reason| Content::Nothing { reason: reason.into() });
        Shown { name: Arc::clone(&self.name), title, content }
    }
}

fn found<'a>(output: &str, outputs: &'a BTreeMap<String, Value>) -> Result<&'a Value, String> {
    outputs.get(output).ok_or_else(|| format!("there is no output `{output}` yet"))
}

fn text_of(text: &str, outputs: &BTreeMap<String, Value>) -> Result<Content, String> {
    let (expr, problems): (Expr, _) = hcl::parse_template(SourceId(0), text);
    if problems.has_errors() {
        return Err("its text cannot be read".to_owned());
    }
    let values = Value::object(outputs.iter().map(|(name, value)| (Arc::from(name.as_str()), value.clone())));
    match worked_out(&expr, &values, "the text") {
        Ok(text) => Ok(Content::Text(text)),
        Err(error) => Err(error.message().to_owned()),
    }
}

fn link_of(output: &str, outputs: &BTreeMap<String, Value>) -> Result<Content, String> {
    let value = found(output, outputs)?;
    if !value.marks_deep().is_empty() {
        return Err(format!("`{output}` is secret"));
    }
    match value.as_str() {
        Some(address) if is_web_address(address) => Ok(Content::Link(address.into())),
        _ => Err(format!("`{output}` is no address that begins with http:// or https://")),
    }
}

/// Browsers follow other addresses, too, and some of those are programs.
fn is_web_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !text.contains(|char: char| char.is_whitespace() || char.is_control()))
}

/// What an object has, and the marks that it has as a whole.
type Row = (BTreeMap<Arc<str>, Value>, Marks);

fn table_of(
    output: &str,
    columns: &[Column],
    outputs: &BTreeMap<String, Value>,
    locale: &str,
) -> Result<Content, String> {
    let value = found(output, outputs)?;
    let (plain, marks) = value.unmark();
    let objects: Vec<Value> = match plain.kind() {
        Kind::List(items) | Kind::Set(items) | Kind::Tuple(items) => {
            items.iter().map(|item| item.clone().with_marks(marks)).collect()
        }
        Kind::Map(_) | Kind::Object(_) => plain.entries().map(|(_, value)| value.clone().with_marks(marks)).collect(),
        _ => return Err(format!("`{output}` is no list and no map of objects")),
    };
    let rows: Vec<Row> = objects
        .iter()
        .take(MOST_ROWS)
        .map(|object| {
            let (own, marks) = object.unmark();
            (own.entries().map(|(name, value)| (Arc::clone(name), value.clone())).collect(), marks)
        })
        .collect();
    let names: Vec<Arc<str>> = match columns {
        [] => rows.iter().flat_map(|(row, _)| row.keys().cloned()).collect::<BTreeSet<_>>().into_iter().collect(),
        columns => columns.iter().map(|column| Arc::clone(&column.name)).collect(),
    };
    let labels = match columns {
        [] => names.clone(),
        columns => columns
            .iter()
            .map(|column| Arc::clone(column.label.as_ref().map_or_else(|| &column.name, |label| label.get(locale))))
            .collect(),
    };
    let cells = |(row, marks): &Row| {
        let cell =
            |name: &Arc<str>| row.get(name).cloned().unwrap_or_else(|| Value::null(Type::Any)).with_marks(*marks);
        names.iter().map(cell).collect()
    };
    let more = objects.len().saturating_sub(MOST_ROWS);
    Ok(Content::Table { columns: labels, rows: rows.iter().map(cells).collect(), more })
}
