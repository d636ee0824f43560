//! A document becomes a manifest.

use std::sync::Arc;

use super::{
    Action, Column, Declared, Manifest, Offer, Place, Shows, Target, Version, View, archive::path_problem,
    shelf::check_name,
};
use crate::{
    error::{Diagnostic, SourceId, Span, suggest},
    form::Text,
    template::document::{self, Node, NodeKind, NodeText},
};

/// Reads a manifest; what cannot be read is reported, and the rest goes on. `None` without name, version or mapping.
pub(super) fn manifest(source: SourceId, node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Manifest> {
    let mut map = Keys::new(node, "a package", problems)?;
    if let Some(node) = map.take("format")
        && !matches!(&node.kind, NodeKind::Number(text) if &**text == "1")
    {
        let problem = Diagnostic::error("package.manifest", "this engine knows the format 1 of packages");
        problems.push(problem.at(node.span));
    }
    let name = map.take("name").and_then(|node| {
        let name = word(node, problems)?;
        match check_name(&name) {
            Ok(()) => Some(name),
            Err(error) => {
                problems.push(Diagnostic::error("package.manifest", error.to_string()).at(node.span));
                None
            }
        }
    });
    let version = map.take("version").and_then(|node| {
        // `1.0` without quotes is a number, and no version either.
        let text = match &node.kind {
            NodeKind::Number(text) => Arc::clone(text),
            _ => word(node, problems)?,
        };
        match text.parse::<Version>() {
            Ok(version) => Some(version),
            Err(error) => {
                problems.push(Diagnostic::error("package.manifest", error.to_string()).at(node.span));
                None
            }
        }
    });
    for (is_there, key) in [(map.had("name"), "name"), (map.had("version"), "version")] {
        if !is_there {
            let problem = Diagnostic::error("package.manifest", format!("the package has no `{key}`"));
            problems.push(problem.label(start(node.span), "").help(format!("add `{key}: …`")));
        }
    }
    let title = map.take("title").and_then(|node| text(node, problems));
    let description = map.take("description").and_then(|node| text(node, problems));
    let mut word_at = |key, problems: &mut Vec<Diagnostic>| map.take(key).and_then(|node| word(node, problems));
    let publisher = word_at("publisher", problems);
    let license = word_at("license", problems);
    let homepage = word_at("homepage", problems);
    let categories = map.list("categories", problems).into_iter().filter_map(|node| word(node, problems)).collect();
    let icon = map.take("icon").and_then(|node| place(node, problems));
    let template = map.take("template").and_then(|node| place(node, problems));
    let template = template.unwrap_or_else(|| Place { path: "template".into(), span: start(node.span) });
    let form = map.take("form").and_then(|node| place(node, problems));
    let charts = map.list("charts", problems).into_iter().filter_map(|node| place(node, problems)).collect();
    let bundles = map.take("bundles").and_then(|node| place(node, problems));
    let role = map.take("role").and_then(|node| place(node, problems));
    let plans = map.list("plans", problems).into_iter().filter_map(|node| offer(node, problems)).collect();
    let actions = map.list("actions", problems).into_iter().filter_map(|node| action(node, problems)).collect();
    let views = map.list("views", problems).into_iter().filter_map(|node| view(source, node, problems)).collect();
    map.finish(problems);
    Some(Manifest {
        name: name?,
        version: version?,
        title,
        description,
        publisher,
        license,
        homepage,
        categories,
        icon,
        template,
        form,
        charts,
        bundles,
        role,
        plans,
        actions,
        views,
        span: node.span,
    })
}

fn offer(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Offer> {
    if let NodeKind::String(text) = &node.kind {
        return Some(Offer { preset: Arc::clone(&text.decoded), price: None, span: node.span });
    }
    let mut map = Keys::new(node, "a plan", problems)?;
    let found = map.take("preset");
    let preset = found.and_then(|node| word(node, problems));
    let price = map.take("price").and_then(|node| text(node, problems));
    map.finish(problems);
    if found.is_none() {
        missing("a plan", "preset", node.span, problems);
    }
    Some(Offer { preset: preset?, price, span: found.map_or(node.span, |node| node.span) })
}

fn action(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Action> {
    let mut map = Keys::new(node, "an action", problems)?;
    let found = map.take("name");
    let name = found.and_then(|node| word(node, problems));
    let label = map.take("label").and_then(|node| text(node, problems));
    let description = map.take("description").and_then(|node| text(node, problems));
    let form = map.take("form").and_then(|node| place(node, problems));
    let policy = map.take("policy").and_then(|node| place(node, problems));
    let confirm = map.take("confirm").and_then(|node| text(node, problems));
    let resource = map.take("resource");
    let handler = map.take("handler");
    map.finish(problems);
    let target = match (resource, handler) {
        (Some(node), None) => word(node, problems).map(|path| Target::Resource(Place { path, span: node.span })),
        (None, Some(node)) => word(node, problems).map(Target::Handler),
        (Some(_), Some(node)) => {
            let problem = Diagnostic::error("package.manifest", "an action has a `resource` or a `handler`, not both");
            problems.push(problem.at(node.span));
            None
        }
        (None, None) => {
            let problem = Diagnostic::error("package.manifest", "an action that nobody carries out");
            let help = "name a `resource` of the template, or a `handler` that the host knows";
            problems.push(problem.at(node.span).help(help));
            None
        }
    };
    if found.is_none() {
        missing("an action", "name", node.span, problems);
    }
    let span = found.map_or(node.span, |node| node.span);
    Some(Action { name: name?, label, description, form, policy, target: target?, confirm, span })
}

fn view(source: SourceId, node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Declared> {
    let mut map = Keys::new(node, "a view", problems)?;
    let found = map.take("name");
    let name = found.and_then(|node| word(node, problems));
    let title = map.take("title").and_then(|node| self::text(node, problems));
    let (text, link, table) = (map.take("text"), map.take("link"), map.take("table"));
    let columns = map.list("columns", problems);
    map.finish(problems);
    if found.is_none() {
        missing("a view", "name", node.span, problems);
    }
    let columns: Vec<_> = columns.into_iter().filter_map(|node| column(node, problems)).collect();
    let (shows, text, at) = match (text, link, table) {
        (Some(node), None, None) => {
            let shown = word(node, problems)?;
            let (expr, found) = document::expression(source, node);
            problems.extend(found);
            (Shows::Text(shown), Some(expr), node.span)
        }
        (None, Some(node), None) => (Shows::Link(word(node, problems)?), None, node.span),
        (None, None, Some(node)) => {
            let columns = columns.clone();
            (Shows::Table { output: word(node, problems)?, columns }, None, node.span)
        }
        _ => {
            let problem = Diagnostic::error("package.manifest", "a view shows one of `text`, `link` and `table`");
            problems
                .push(problem.at(node.span).help("`link` and `table` name an output, `text` has `${output}` in it"));
            return None;
        }
    };
    if !columns.is_empty() && !matches!(shows, Shows::Table { .. }) {
        let problem = Diagnostic::error("package.manifest", "only a table has columns");
        problems.push(problem.at(node.span));
    }
    let span = found.map_or(node.span, |node| node.span);
    Some(Declared { view: View { name: name?, title, shows }, text, shows: at, span })
}

fn column(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Column> {
    if let NodeKind::String(text) = &node.kind {
        return Some(Column { name: Arc::clone(&text.decoded), label: None });
    }
    let mut map = Keys::new(node, "a column", problems)?;
    let found = map.take("name");
    let name = found.and_then(|node| word(node, problems));
    let label = map.take("label").and_then(|node| text(node, problems));
    map.finish(problems);
    if found.is_none() {
        missing("a column", "name", node.span, problems);
    }
    Some(Column { name: name?, label })
}

fn missing(what: &str, key: &str, span: Span, problems: &mut Vec<Diagnostic>) {
    let problem = Diagnostic::error("package.manifest", format!("{what} has no `{key}`")).at(span);
    problems.push(problem.help(format!("add `{key}: …`")));
}

fn start(span: Span) -> Span {
    Span { end: span.start, ..span }
}

fn expected(node: &Node, what: &str, problems: &mut Vec<Diagnostic>) {
    let message = format!("{} stands where {what} is expected", node.kind_name());
    problems.push(Diagnostic::error("package.manifest", message).at(node.span));
}

fn word(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Arc<str>> {
    match &node.kind {
        NodeKind::String(text) => Some(Arc::clone(&text.decoded)),
        _ => {
            expected(node, "a text", problems);
            None
        }
    }
}

fn text(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Text> {
    match &node.kind {
        NodeKind::String(text) => Some(Text::Plain(Arc::clone(&text.decoded))),
        NodeKind::Object(entries) if !entries.is_empty() => {
            let texts =
                entries.iter().filter_map(|(locale, node)| Some((Arc::clone(&locale.decoded), word(node, problems)?)));
            Some(Text::Localized(texts.collect()))
        }
        _ => {
            expected(node, "a text, or a mapping from locales to texts,", problems);
            None
        }
    }
}

/// Reads a path in the package. `.` is the package's root.
fn place(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Place> {
    let path = word(node, problems)?;
    let trimmed = path.strip_prefix("./").unwrap_or(&path).trim_end_matches('/');
    let trimmed = if trimmed == "." { "" } else { trimmed };
    if let Some(problem) = path_problem(trimmed).filter(|_| !trimmed.is_empty()) {
        problems.push(Diagnostic::error("package.manifest", format!("the path {problem}")).at(node.span));
        return None;
    }
    Some(Place { path: trimmed.into(), span: node.span })
}

/// A mapping that is taken apart key by key.
struct Keys<'n> {
    entries: Vec<(&'n NodeText, &'n Node)>,
    what: &'static str,
    asked: Vec<&'static str>,
    had: Vec<&'static str>,
}

impl<'n> Keys<'n> {
    fn new(node: &'n Node, what: &'static str, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        match &node.kind {
            NodeKind::Object(entries) => {
                let entries = entries.iter().map(|(name, node)| (name, node)).collect();
                Some(Self { entries, what, asked: Vec::new(), had: Vec::new() })
            }
            _ => {
                expected(node, &format!("a mapping, {what},"), problems);
                None
            }
        }
    }

    fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        self.asked.push(key);
        let idx = self.entries.iter().position(|(name, _)| &*name.decoded == key)?;
        self.had.push(key);
        Some(self.entries.remove(idx).1)
    }

    fn had(&self, key: &str) -> bool {
        self.had.contains(&key)
    }

    fn list(&mut self, key: &'static str, problems: &mut Vec<Diagnostic>) -> Vec<&'n Node> {
        match self.take(key).map(|node| (node, &node.kind)) {
            None => Vec::new(),
            Some((_, NodeKind::Array(items))) => items.iter().collect(),
            Some((node, _)) => {
                expected(node, "a list", problems);
                Vec::new()
            }
        }
    }

    fn finish(self, problems: &mut Vec<Diagnostic>) {
        for (name, _) in self.entries {
            let message = format!("{} has no key `{}`", self.what, name.decoded);
            let problem = Diagnostic::error("package.manifest", message).at(name.span);
            problems.push(match suggest(&name.decoded, self.asked.iter().copied()) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help(format!("its keys are {}", self.asked.join(", "))),
            });
        }
    }
}

/// Returns an empty span at the start of a text.
pub(super) fn nowhere(source: SourceId) -> Span {
    Span::new(source, 0, 0)
}
