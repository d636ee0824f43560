use std::{collections::BTreeMap, sync::Arc};

use crate::{
    error::{Diagnostic, SourceId, Span},
    template::{
        hcl,
        syntax::{Attribute, Block, Body, Expr, ExprKind, Ident, Label, Literal, MAX_HEIGHT, ObjectItem, ObjectKey},
    },
};

use super::{
    node::{Kind, Node, Text},
    reader::read,
    values::{ident, literal, number},
};

/// Reads a part of a module: one object, whose properties are the kinds of blocks.
pub(in crate::template) fn parse_body(source: SourceId, text: &str) -> (Body, Vec<Diagnostic>) {
    let span = Span::new(source, 0, text.len() as u32);
    let nothing = Body { span, is_json: true, ..Body::default() };
    match read(source, text) {
        Err(problem) => (nothing, vec![problem]),
        Ok(node) => body_of(source, text, node),
    }
}

/// Makes a part of a module of the only value of a text.
pub(in crate::template) fn body_of(source: SourceId, text: &str, node: Node) -> (Body, Vec<Diagnostic>) {
    let span = Span::new(source, 0, text.len() as u32);
    let nothing = Body { span, is_json: true, ..Body::default() };
    let mut reader = Reader { source, problems: Vec::new() };
    let body = reader.file(node, nothing);
    (body, reader.problems)
}

/// Returns the expression of a value whose strings are templates, and what is wrong with it.
pub(in crate::template) fn expression_of(source: SourceId, node: &Node) -> (Expr, Vec<Diagnostic>) {
    let mut reader = Reader { source, problems: Vec::new() };
    let expr = reader.expression(node, 1);
    (expr, reader.problems)
}

/// Returns what is wrong with objects, at any depth, that have a property twice.
pub(in crate::template) fn repeated(node: &Node) -> Vec<Diagnostic> {
    twice_inside(node)
}

/// Returns the expression that a string spells without `${` around it, and what is wrong with it.
pub(in crate::template) fn code_of(source: SourceId, text: &Text) -> (Expr, Vec<Diagnostic>) {
    let mut reader = Reader { source, problems: Vec::new() };
    let expr = reader.embedded(text, 1, hcl::parse_expression);
    (expr, reader.problems)
}

/// What a body belongs to, which decides what its properties are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Top,
    Variable,
    Output,
    Resource,
    Module,
    Terraform,
    RequiredProviders,
    Provider,
    Lifecycle,
    Dynamic,
    /// `moved`, `removed` and `import`: addresses are code.
    Refactoring,
    Check,
    /// All properties are arguments.
    Plain,
}

/// What a property is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Blocks with so many labels.
    Blocks(usize, Place),
    /// An argument whose strings are templates.
    Expression,
    /// An argument whose strings mean themselves.
    Literal,
    /// An argument whose strings (by themselves, in an array, in an object) are expressions: types, references.
    Code,
    /// An argument whose strings mean themselves, other than those of `configuration_aliases`.
    Requirement,
}

impl Place {
    pub(super) fn form(self, name: &str) -> Form {
        match (self, name) {
            (Self::Top, "resource" | "data" | "ephemeral") => Form::Blocks(2, Self::Resource),
            (Self::Top, "variable") => Form::Blocks(1, Self::Variable),
            (Self::Top, "output") => Form::Blocks(1, Self::Output),
            (Self::Top, "module") => Form::Blocks(1, Self::Module),
            (Self::Top, "provider") => Form::Blocks(1, Self::Provider),
            (Self::Top, "check") => Form::Blocks(1, Self::Check),
            (Self::Top, "moved" | "removed" | "import") => Form::Blocks(0, Self::Refactoring),
            (Self::Check, "data") => Form::Blocks(2, Self::Resource),
            (Self::Check, "assert") => Form::Blocks(0, Self::Plain),
            (Self::Refactoring, "from" | "to" | "provider") => Form::Code,
            (Self::Refactoring, "lifecycle" | "connection") => Form::Blocks(0, Self::Plain),
            (Self::Refactoring, "provisioner") => Form::Blocks(1, Self::Plain),
            (Self::Top, "terraform") => Form::Blocks(0, Self::Terraform),
            (Self::Top, _) => Form::Blocks(0, Self::Plain),
            (Self::Variable, "type") => Form::Code,
            (Self::Variable, "validation") => Form::Blocks(0, Self::Plain),
            (Self::Variable, _) => Form::Literal,
            (Self::Output | Self::Lifecycle, "precondition" | "postcondition") => Form::Blocks(0, Self::Plain),
            (Self::Output, "description" | "sensitive" | "ephemeral") | (Self::Provider, "alias" | "version") => {
                Form::Literal
            }
            (Self::Lifecycle, "create_before_destroy" | "prevent_destroy") => Form::Literal,
            (Self::Resource, "lifecycle") => Form::Blocks(0, Self::Lifecycle),
            (Self::Resource, "connection") => Form::Blocks(0, Self::Plain),
            (Self::Resource, "provisioner") => Form::Blocks(1, Self::Plain),
            (Self::Resource | Self::Provider | Self::Plain, "dynamic") => Form::Blocks(1, Self::Dynamic),
            (Self::Output | Self::Resource | Self::Module, "depends_on")
            | (Self::Resource, "provider")
            | (Self::Module, "providers") => Form::Code,
            (Self::Lifecycle, "ignore_changes" | "replace_triggered_by") => Form::Code,
            (Self::Module, "source" | "version") => Form::Literal,
            (Self::Terraform, "required_providers") => Form::Blocks(0, Self::RequiredProviders),
            (Self::Terraform, "backend" | "provider_meta") => Form::Blocks(1, Self::Plain),
            (Self::Terraform, "cloud") => Form::Blocks(0, Self::Plain),
            (Self::RequiredProviders, _) => Form::Requirement,
            (Self::Terraform, _) => Form::Literal,
            (Self::Dynamic, "content") => Form::Blocks(0, Self::Plain),
            (Self::Dynamic, "iterator") => Form::Code,
            _ => Form::Expression,
        }
    }
}

struct Reader {
    source: SourceId,
    problems: Vec<Diagnostic>,
}

impl Reader {
    /// Reads a whole text: an object, or an array of objects that are read as if they were one.
    fn file(&mut self, node: Node, nothing: Body) -> Body {
        let Kind::Array(items) = node.kind else { return self.body(node, Place::Top).unwrap_or(nothing) };
        let mut whole = nothing;
        for body in items.into_iter().filter_map(|item| self.body(item, Place::Top)) {
            whole.attributes.extend(body.attributes);
            whole.blocks.extend(body.blocks);
        }
        whole
    }

    /// Reads the properties of an object; anything else is reported.
    fn body(&mut self, node: Node, place: Place) -> Option<Body> {
        let span = node.span;
        let Kind::Object(entries) = node.kind else {
            let message = format!("{} stands where an object is expected", node.kind_name());
            self.problems.push(Diagnostic::error("syntax.unexpected", message).at(span));
            return None;
        };
        let mut body = Body { span, is_json: true, ..Body::default() };
        for (name, value) in entries.into_iter().filter(|(name, _)| &*name.decoded != "//") {
            let form = place.form(&name.decoded);
            if let Form::Blocks(labels, inner) = form {
                self.blocks(&ident(&name), Vec::new(), labels, value, inner, &mut body.blocks);
                continue;
            }
            if let Some(first) = body.attribute(&name.decoded) {
                let message = format!("`{}` is set twice", name.decoded);
                let problem = Diagnostic::error("syntax.duplicate_attribute", message);
                self.problems.push(problem.label(name.span, "again here").label(first.name.span, "first here"));
                continue;
            }
            let expr = match form {
                Form::Literal => {
                    self.problems.extend(twice_inside(&value));
                    self.problems.extend(expressions_inside(&value));
                    literal(&value)
                }
                Form::Code => self.code(&value),
                Form::Requirement => self.requirement(&value),
                _ => self.expression(&value, 1),
            };
            let span = name.span.to(value.span);
            body.attributes.push(Attribute { name: ident(&name), expr: Arc::new(expr), span });
        }
        Some(body)
    }

    /// Reads objects inside one another by label, and arrays at any level, into blocks.
    fn blocks(
        &mut self,
        kind: &Ident,
        labels: Vec<Label>,
        missing: usize,
        node: Node,
        place: Place,
        into: &mut Vec<Block>,
    ) {
        match (node.kind, missing) {
            (Kind::Null, _) => {}
            (Kind::Array(items), _) => {
                for item in items {
                    self.blocks(kind, labels.clone(), missing, item, place, into);
                }
            }
            (Kind::Object(entries), 1..) => {
                // Only a body has comments: among labels, `//` is a label.
                for (name, value) in entries {
                    let label = Label { text: Arc::clone(&name.decoded), quoted: true, span: name.span };
                    let labels = labels.iter().cloned().chain([label]).collect();
                    self.blocks(kind, labels, missing - 1, value, place, into);
                }
            }
            (kind_found, _) => {
                let Span { start, end, .. } = node.span;
                let span = node.span;
                let Some(body) = self.body(Node { kind: kind_found, span }, place) else { return };
                let open = Span { end: start + 1, ..span };
                let close = Span { start: end.saturating_sub(1), ..span };
                into.push(Block { kind: kind.clone(), labels, body, span: kind.span.to(span), open, close });
            }
        }
    }

    /// Reads strings as expressions: types, and references that are never evaluated.
    fn code(&mut self, node: &Node) -> Expr {
        match &node.kind {
            Kind::String(text) | Kind::Code(text) => self.embedded(text, 1, hcl::parse_expression),
            Kind::Array(items) => {
                let items = items.iter().map(|item| match &item.kind {
                    Kind::String(text) | Kind::Code(text) => self.embedded(text, 2, hcl::parse_expression),
                    _ => self.code(item),
                });
                Expr::new(ExprKind::Tuple(items.collect()), node.span)
            }
            Kind::Object(entries) => {
                let items = entries.iter().map(|(name, value)| ObjectItem {
                    key: ObjectKey::Expr(self.embedded(name, 2, hcl::parse_expression)),
                    value: self.code(value),
                });
                Expr::new(ExprKind::Object(items.collect()), node.span)
            }
            _ => literal(node),
        }
    }

    /// Reads an entry of `required_providers`.
    fn requirement(&mut self, node: &Node) -> Expr {
        let Kind::Object(entries) = &node.kind else { return literal(node) };
        let items = entries.iter().map(|(name, value)| ObjectItem {
            key: ObjectKey::Expr(Expr::new(ExprKind::Literal(Literal::String(Arc::clone(&name.decoded))), name.span)),
            value: if &*name.decoded == "configuration_aliases" { self.code(value) } else { literal(value) },
        });
        Expr::new(ExprKind::Object(items.collect()), node.span)
    }

    /// Reads a value whose strings are templates. `depth` counts the nodes from the argument down to it.
    fn expression(&mut self, node: &Node, depth: u32) -> Expr {
        let kind = match &node.kind {
            Kind::Null => ExprKind::Literal(Literal::Null),
            Kind::Bool(value) => ExprKind::Literal(Literal::Bool(*value)),
            Kind::Number(text) => number(text, node.span),
            Kind::String(text) => return self.template(text, depth),
            Kind::Code(text) => return self.embedded(text, depth, hcl::parse_expression),
            Kind::Array(items) => ExprKind::Tuple(items.iter().map(|item| self.expression(item, depth + 1)).collect()),
            Kind::Object(entries) => {
                self.problems.extend(twice(entries));
                let items = entries.iter().map(|(name, value)| ObjectItem {
                    key: ObjectKey::Expr(self.template(name, depth + 1)),
                    value: self.expression(value, depth + 1),
                });
                ExprKind::Object(items.collect())
            }
        };
        Expr::new(kind, node.span)
    }

    fn template(&mut self, text: &Text, depth: u32) -> Expr {
        if !text.decoded.contains("${") && !text.decoded.contains("%{") {
            return Expr::new(ExprKind::Literal(Literal::String(Arc::clone(&text.decoded))), text.span);
        }
        self.embedded(text, depth, hcl::parse_template)
    }

    /// Reads the text in a string, and moves what comes of it to where the string stands.
    fn embedded(&mut self, text: &Text, depth: u32, parse: fn(SourceId, &str) -> (Expr, Vec<Diagnostic>)) -> Expr {
        let (mut expr, problems) = parse(self.source, &text.decoded);
        let shift = |span: &mut Span| {
            span.start = text.place(span.start);
            span.end = text.place(span.end);
        };
        for mut problem in problems {
            problem.labels.iter_mut().for_each(|label| shift(&mut label.span));
            self.problems.push(problem);
        }
        if depth + height(&expr) > MAX_HEIGHT {
            let message = format!("more than {MAX_HEIGHT} expressions inside one another");
            self.problems.push(Diagnostic::error("syntax.nesting", message).at(text.span));
            return Expr::new(ExprKind::Invalid, text.span);
        }
        expr.for_each_span(&mut { shift });
        if !matches!(expr.kind, ExprKind::Traversal(_)) {
            expr.span = text.span;
        }
        expr
    }
}

/// Returns what is wrong with an object that has a property twice.
fn twice(entries: &[(Text, Node)]) -> Option<Diagnostic> {
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    for (name, _) in entries {
        if let Some(first) = seen.insert(&name.decoded, name.span) {
            let problem = Diagnostic::error("syntax.duplicate_attribute", format!("`{}` is set twice", name.decoded));
            return Some(problem.label(name.span, "again here").label(first, "first here"));
        }
    }
    None
}

/// Returns what is wrong with objects, at any depth, that have a property twice.
pub(super) fn twice_inside(node: &Node) -> Vec<Diagnostic> {
    match &node.kind {
        Kind::Array(items) => items.iter().flat_map(twice_inside).collect(),
        Kind::Object(entries) => {
            twice(entries).into_iter().chain(entries.iter().flat_map(|(_, value)| twice_inside(value))).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns what is wrong with a value that holds expressions where strings mean themselves.
fn expressions_inside(node: &Node) -> Vec<Diagnostic> {
    match &node.kind {
        Kind::Code(text) => vec![
            Diagnostic::error("template.static", "an expression cannot stand where only a constant can")
                .at(text.span)
                .help("write the value itself, without `!expr`"),
        ],
        Kind::Array(items) => items.iter().flat_map(expressions_inside).collect(),
        Kind::Object(entries) => entries.iter().flat_map(|(_, value)| expressions_inside(value)).collect(),
        _ => Vec::new(),
    }
}

/// Returns the number of nodes on the longest path down, which the parser has bounded.
fn height(expr: &Expr) -> u32 {
    let mut most = 0;
    expr.for_each_child(&mut |child, _| most = most.max(height(child)));
    most + 1
}
