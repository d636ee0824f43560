//! Documents become forms.
//!
//! ```text
//! text ─▶ tree of values with places ─▶ Reader (one function per kind of thing) ─▶ Form ─▶ resolve (names, order)
//! ```
//!
//! Each reader takes a mapping apart key by key; what is left over in the end is reported, so that nothing is ignored. A
//! mistake gives up one thing, not the document.

mod condition;
mod field;
mod map;
mod options;
mod part;
mod validator;

use crate::{
    error::{Diagnostic, Diagnostics as _, SourceId, Span},
    template::document::{self, Node, NodeKind},
};

use super::{Dialect, Fields, Form, Widgets, resolve};
use map::Map;

/// How deep conditions, and lists of fields, may lie in each other.
const MAX_DEPTH: u32 = 16;
/// The most fields of one document.
const MAX_FIELDS: usize = 5_000;

/// Reads the parts of one document.
struct Reader<'w> {
    source: SourceId,
    widgets: &'w Widgets,
    dialect: Dialect,
    problems: Vec<Diagnostic>,
    depth: u32,
    field_count: usize,
}

pub(super) fn parse(source: SourceId, name: &str, text: &str, widgets: &Widgets) -> (Form, Vec<Diagnostic>) {
    let span = Span::new(source, 0, u32::try_from(text.len()).unwrap_or(u32::MAX));
    let mut reader =
        Reader { source, widgets, dialect: Dialect::Native, problems: Vec::new(), depth: 0, field_count: 0 };
    let mut form = match document::read(source, name, text) {
        Ok(node) => {
            reader.problems.extend(document::repeated(&node));
            reader.form(&node, span)
        }
        Err(problem) => {
            reader.problems.push(*problem);
            empty(span)
        }
    };
    resolve::resolve(&mut form, &mut reader.problems);
    reader.problems.tidy();
    (form, reader.problems)
}

fn empty(span: Span) -> Form {
    Form {
        dialect: Dialect::Native,
        title: None,
        fields: Fields::new(Vec::new()),
        groups: Vec::new(),
        steps: Vec::new(),
        presets: Vec::new(),
        locales: Vec::new(),
        span,
    }
}

impl Reader<'_> {
    fn form(&mut self, node: &Node, span: Span) -> Form {
        let mut form = empty(span);
        let Some(mut map) = self.map(node, "a form") else { return form };
        let root = ["fields", "args", "variables"].into_iter().find(|key| map.has(key));
        let Some(root) = root else {
            let problem = Diagnostic::error("form.missing", "the document has no fields");
            self.problems.push(
                problem.label(Span { end: span.start, ..span }, "").help("list them under the root key `fields`"),
            );
            map.finish(self, &["fields", "args", "variables", "groups", "steps", "presets", "locales", "title"]);
            return form;
        };
        if root != "fields" {
            self.dialect = Dialect::CloudApp;
            // The rest of a package's document is not the form's affair.
            for key in ["id", "frontend", "scopes", "role", "specs"] {
                map.take(key);
            }
        }
        form.dialect = self.dialect;
        form.title = self.text_at(&mut map, "title");
        form.locales = map.take("locales").map(|(_, node)| self.words(node)).unwrap_or_default();
        let entries = map.take("steps").map(|(_, node)| self.items(node)).unwrap_or_default();
        form.steps = entries.into_iter().filter_map(|entry| self.step(entry)).collect();
        let entries = map.take("groups").map(|(_, node)| self.items(node)).unwrap_or_default();
        form.groups = entries.into_iter().filter_map(|entry| self.group(entry, &form.steps)).collect();
        if let Some((_, node)) = map.take(root) {
            form.fields = self.fields(node, &form.groups, &form.steps);
        }
        let entries = map.take("presets").map(|(_, node)| self.items(node)).unwrap_or_default();
        form.presets = entries.into_iter().filter_map(|entry| self.preset(entry)).collect();
        map.finish(self, &["fields"]);
        form
    }

    /// Returns the elements of a list; anything else is reported.
    fn items<'n>(&mut self, node: &'n Node) -> Vec<&'n Node> {
        match &node.kind {
            NodeKind::Array(items) => items.iter().collect(),
            NodeKind::Null => Vec::new(),
            _ => {
                self.expected(node, "a list");
                Vec::new()
            }
        }
    }

    fn map<'n>(&mut self, node: &'n Node, what: &'static str) -> Option<Map<'n>> {
        match &node.kind {
            NodeKind::Object(entries) => Some(Map::new(entries, node.span, what)),
            _ => {
                self.expected(node, &format!("a mapping, {what},"));
                None
            }
        }
    }

    fn expected(&mut self, node: &Node, what: &str) {
        let message = format!("{} stands where {what} is expected", node.kind_name());
        self.problems.push(Diagnostic::error("form.shape", message).at(node.span));
    }

    /// Returns whether there may be one more level; the caller leaves it with `self.depth -= 1`.
    fn enter(&mut self, span: Span) -> bool {
        if self.depth >= MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} of these inside one another");
            self.problems.push(Diagnostic::error("form.shape", message).at(span));
            return false;
        }
        self.depth += 1;
        true
    }
}
