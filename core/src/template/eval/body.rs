//! Bodies of blocks: what a schema makes of attributes, nested blocks and `dynamic` blocks.

use std::{
    cell::OnceCell,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{Evaluator, frame::Frame};
use crate::{
    error::{Diagnostic, Span, suggest},
    schema::{self, NestedBlock, Nesting, Schema},
    template::{
        infinite,
        syntax::{Attribute, Block, Body, Expr},
        with_schema_blocks,
    },
    value::{Kind, Marks, Path, Step, Type, Value},
};

impl Evaluator<'_> {
    /// Returns the object that a body describes, of the schema's [implied type](schema::Block::implied_type).
    ///
    /// Attributes are evaluated and converted, nested blocks collected, `dynamic` blocks expanded, defaults filled in,
    /// values checked. All problems are reported at once; `span` is where those of the body as a whole are said to be: the
    /// kind and the labels of its block. The result is unknown where the body does not fit the schema.
    pub fn eval_body(&mut self, body: &Body, schema: &Schema, span: Span) -> Value {
        let mut places = Places::default();
        places.add(Path::root(), span);
        let raw = self.body(body, &schema.block, &Path::root(), &mut places, None);
        match schema.coerce(&raw) {
            Ok(value) => {
                for (path, message) in schema.validate_values(&value) {
                    self.report(Diagnostic::error("eval.argument", message).at(places.of(&path)));
                }
                for (path, instead) in schema.deprecations(&raw) {
                    let what = path.steps().last().map_or_else(|| "it".to_owned(), name_of);
                    let message = format!("{what} should not be used any more");
                    self.report(Diagnostic::warning("eval.deprecated", message).at(places.of(&path)).help(instead));
                }
                let mut spans: Vec<Span> = infinite::places(&value).iter().map(|path| places.of(path)).collect();
                spans.dedup();
                spans.into_iter().for_each(|span| self.report(infinite::refuse(span)));
                value
            }
            Err(problems) => {
                // A required argument with a slip in its name was reported already, where it is set.
                for (path, message) in problems.into_iter().filter(|(path, _)| !places.meant.contains(path)) {
                    self.report(Diagnostic::error("eval.argument", message).at(places.of(&path)));
                }
                Value::unknown(schema.block.implied_type())
            }
        }
    }

    /// Evaluates attributes and blocks as they stand, without conversion.
    fn body(
        &mut self,
        body: &Body,
        schema: &schema::Block,
        path: &Path,
        places: &mut Places,
        frame: Option<&Frame<'_>>,
    ) -> Value {
        let body = &*with_schema_blocks(body, schema);
        let mut parts: Vec<(Arc<str>, Value)> = Vec::new();
        for attribute in &body.attributes {
            if let Some(value) = self.body_attribute(attribute, body, schema, path, places, frame) {
                parts.push((Arc::clone(&attribute.name.name), value));
            }
        }
        let mut nested: Vec<Nested> = Vec::new();
        for block in &body.blocks {
            let is_dynamic = &*block.kind.name == "dynamic" && !schema.blocks.contains_key("dynamic");
            if is_dynamic {
                self.dynamic(block, schema, path, places, &mut nested, frame);
            } else {
                self.nested(block, schema, path, places, &mut nested, frame);
            }
        }
        for found in nested {
            let value = found.into_value();
            parts.push(value);
        }
        Value::object(parts)
    }

    fn body_attribute(
        &mut self,
        attribute: &Attribute,
        body: &Body,
        schema: &schema::Block,
        path: &Path,
        places: &mut Places,
        frame: Option<&Frame<'_>>,
    ) -> Option<Value> {
        let name = &attribute.name.name;
        let known = schema.attributes.contains_key(name);
        if !known {
            let message = format!("`{name}` is not expected here");
            let problem = Diagnostic::error("eval.argument", message).at(attribute.name.span);
            let help = if schema.blocks.contains_key(name) {
                Some(format!("it is a block: write `{name} {{ … }}`, or `dynamic \"{name}\"` for any number of them"))
            } else {
                let near = suggest(name, schema.names()).filter(|near| !is_set(body, near));
                if let Some(near) = near {
                    places.meant.insert(path.clone().attr(near));
                }
                near.map(|near| format!("did you mean `{near}`?"))
            };
            self.report(Diagnostic { help, ..problem });
        }
        let value = self.expr(&attribute.expr, frame);
        places.add(path.clone().attr(Arc::clone(name)), attribute.expr.span);
        known.then_some(value)
    }

    fn nested(
        &mut self,
        block: &Block,
        schema: &schema::Block,
        path: &Path,
        places: &mut Places,
        found: &mut Vec<Nested>,
        frame: Option<&Frame<'_>>,
    ) {
        let Some(nested) = self.nested_schema(&block.kind.name, block.kind.span, schema) else { return };
        let labels: Vec<(Arc<str>, Span)> =
            block.labels.iter().map(|label| (Arc::clone(&label.text), label.span)).collect();
        let Some(label) = self.label(&labels, nested, &block.kind.name, block.header_span()) else { return };
        let place = Nested::of(found, &block.kind.name, nested);
        let inner = place.next_path(path, label.as_ref());
        places.add(path.clone().attr(Arc::clone(&block.kind.name)), block.header_span());
        places.add(inner.clone(), block.header_span());
        let value = self.body(&block.body, &nested.block, &inner, places, frame);
        Nested::of(found, &block.kind.name, nested).add(label, value, block.header_span(), self);
    }

    fn nested_schema<'s>(&mut self, name: &str, span: Span, schema: &'s schema::Block) -> Option<&'s NestedBlock> {
        if let Some(nested) = schema.blocks.get(name) {
            return Some(nested);
        }
        let help = if schema.attributes.contains_key(name) {
            Some(format!("it is an argument: write `{name} = …`"))
        } else {
            suggest(name, schema.names()).map(|near| format!("did you mean `{near}`?"))
        };
        let problem = Diagnostic::error("eval.argument", format!("a block `{name}` is not expected here")).at(span);
        self.report(Diagnostic { help, ..problem });
        None
    }

    /// Checks labels: one for blocks that are told apart by it, none for others. The outer `None` is a problem.
    #[expect(clippy::option_option, reason = "whether it is right, and then whether there is one")]
    fn label(
        &mut self,
        labels: &[(Arc<str>, Span)],
        nested: &NestedBlock,
        name: &str,
        span: Span,
    ) -> Option<Option<Arc<str>>> {
        match (nested.nesting, labels) {
            (Nesting::Map, [(label, _)]) => Some(Some(Arc::clone(label))),
            (Nesting::Map, _) => {
                let message = format!("a block `{name}` has one label, which tells it from the others");
                self.report(
                    Diagnostic::error("eval.argument", message)
                        .at(span)
                        .help(format!("write `{name} \"label\" {{ … }}`")),
                );
                None
            }
            (_, []) => Some(None),
            (_, [(_, first), ..]) => {
                self.report(Diagnostic::error("eval.argument", format!("a block `{name}` has no labels")).at(*first));
                None
            }
        }
    }

    /// Expands `dynamic "name" { for_each, iterator, labels, content }` into blocks of that name.
    fn dynamic(
        &mut self,
        block: &Block,
        schema: &schema::Block,
        path: &Path,
        places: &mut Places,
        found: &mut Vec<Nested>,
        frame: Option<&Frame<'_>>,
    ) {
        let Some(label) = block.labels.first() else {
            let problem = Diagnostic::error("eval.dynamic", "a `dynamic` block has the name of a block as its label");
            return self.report(problem.at(block.header_span()));
        };
        let name = &label.text;
        let Some(nested) = self.nested_schema(name, label.span, schema) else { return };
        let Some(parts) = self.dynamic_parts(block) else { return };
        places.add(path.clone().attr(Arc::clone(name)), block.header_span());
        let all = self.expr(&parts.for_each.expr, frame);
        let span = parts.for_each.expr.span;
        let marks = all.marks();
        let pairs: Vec<(Value, Value)> = match all.kind() {
            Kind::List(items) | Kind::Tuple(items) => {
                items.iter().enumerate().map(|(idx, item)| (Value::number(idx), item.clone())).collect()
            }
            Kind::Set(items) => items.iter().map(|item| (item.clone(), item.clone())).collect(),
            Kind::Map(fields) | Kind::Object(fields) => {
                fields.iter().map(|(key, item)| (Value::string(Arc::clone(key)), item.clone())).collect()
            }
            Kind::Unknown(unknown) if unknown.ty == Type::Any || !unknown.ty.is_primitive() => {
                Nested::of(found, name, nested).becomes_unknown(marks);
                // What the content refers to will be wanted, and its problems are problems whatever comes.
                let iterator = parts.iterator.unwrap_or(name);
                let item = Value::object([("key", Value::unknown(Type::Any)), ("value", Value::unknown(Type::Any))]);
                let frame = Frame::variable(iterator, &item, frame);
                if let Some(labels) = parts.labels {
                    self.touch(|this| this.expr(labels, Some(&frame)));
                }
                self.body(&parts.content.body, &nested.block, &Path::root(), &mut Places::default(), Some(&frame));
                return;
            }
            Kind::Null(_) => {
                let problem = Diagnostic::error("eval.dynamic", "`for_each` must not be null").label(span, "is null");
                return self.report(problem.help("use `coalesce` to put an empty list in place of null"));
            }
            _ => {
                let ty = all.ty().friendly_name();
                let message = format!("`for_each` is a collection, not a {ty}");
                return self.report(Diagnostic::error("eval.dynamic", message).label(span, format!("is a {ty}")));
            }
        };
        if self.room(pairs.len(), span).is_none() {
            return;
        }
        let iterator = parts.iterator.unwrap_or(name);
        for (key, value) in pairs {
            let before = self.problem_count();
            let item = Value::object([("key", key.with_marks(marks)), ("value", value.with_marks(marks))]);
            let frame = Frame::variable(iterator, &item, frame);
            let labels = self.dynamic_labels(parts.labels, Some(&frame));
            let Some(label) = labels.and_then(|labels| self.label(&labels, nested, name, block.header_span())) else {
                return;
            };
            let inner = Nested::of(found, name, nested).next_path(path, label.as_ref());
            places.add(inner.clone(), block.header_span());
            let value = self.body(&parts.content.body, &nested.block, &inner, places, Some(&frame));
            Nested::of(found, name, nested).add(label, value.with_marks(marks), block.header_span(), self);
            if self.problem_count() > before {
                // The other elements would have the same problems.
                return;
            }
        }
    }

    fn dynamic_parts<'b>(&mut self, block: &'b Block) -> Option<DynamicParts<'b>> {
        let before = self.problem_count();
        let error = |message: &str, span: Span| Diagnostic::error("eval.dynamic", message).at(span);
        for attribute in &block.body.attributes {
            if !matches!(attribute.name.as_str(), "for_each" | "iterator" | "labels") {
                let problem = error("a `dynamic` block has `for_each`, `iterator` and `labels`", attribute.name.span);
                self.report(problem.help("arguments of the blocks that it makes stand in `content`"));
            }
        }
        for other in block.body.blocks.iter().filter(|other| &*other.kind.name != "content") {
            let problem = error("a `dynamic` block holds one block: `content`", other.kind.span);
            self.report(problem.help("blocks inside the blocks that it makes stand in `content`"));
        }
        let for_each = block.body.attribute("for_each");
        if for_each.is_none() {
            self.report(error("`for_each` is required", block.header_span()));
        }
        let content = block.body.blocks_of("content").next();
        if content.is_none() {
            self.report(error("a `content` block is required", block.header_span()));
        }
        for again in block.body.blocks_of("content").skip(1) {
            self.report(error("there is a `content` block already", again.kind.span));
        }
        let iterator = block.body.attribute("iterator").and_then(|attribute| {
            let word = attribute.expr.as_keyword();
            if word.is_none() {
                self.report(error("`iterator` is a name", attribute.expr.span).help("write it without quotes"));
            }
            word
        });
        let labels = block.body.attribute("labels").map(|attribute| &*attribute.expr);
        if self.problem_count() > before {
            return None;
        }
        Some(DynamicParts { for_each: for_each?, content: content?, iterator, labels })
    }

    fn dynamic_labels(&mut self, labels: Option<&Expr>, frame: Option<&Frame<'_>>) -> Option<Vec<(Arc<str>, Span)>> {
        let Some(expr) = labels else { return Some(Vec::new()) };
        let value = self.expr(expr, frame);
        let value = self.converted(value, &Type::list(Type::String), expr.span);
        let texts: Option<Vec<(Arc<str>, Span)>> = match value.kind() {
            Kind::List(_) if !value.marks_deep().is_empty() => None,
            Kind::List(items) => items.iter().map(|item| Some((Arc::from(item.as_str()?), expr.span))).collect(),
            _ => None,
        };
        if texts.is_none() {
            let message = "labels of blocks must be known texts that are not sensitive";
            self.report(Diagnostic::error("eval.dynamic", message).at(expr.span));
        }
        texts
    }
}

struct DynamicParts<'b> {
    for_each: &'b Attribute,
    content: &'b Block,
    iterator: Option<&'b str>,
    labels: Option<&'b Expr>,
}

/// The blocks of one kind that were found so far.
struct Nested {
    name: Arc<str>,
    nesting: Nesting,
    blocks: Vec<(Option<Arc<str>>, Value)>,
    /// Marks of a collection that is not known, so that neither is the number of blocks.
    unknown: Option<Marks>,
}

impl Nested {
    fn of<'n>(found: &'n mut Vec<Self>, name: &Arc<str>, schema: &NestedBlock) -> &'n mut Self {
        let place = found.iter().position(|nested| nested.name == *name).unwrap_or_else(|| {
            let nesting = schema.nesting;
            found.push(Self { name: Arc::clone(name), nesting, blocks: Vec::new(), unknown: None });
            found.len() - 1
        });
        &mut found[place]
    }

    fn next_path(&self, path: &Path, label: Option<&Arc<str>>) -> Path {
        let path = path.clone().attr(Arc::clone(&self.name));
        match (self.nesting, label) {
            (Nesting::Single | Nesting::Group, _) => path,
            (_, Some(label)) => path.key(Arc::clone(label)),
            (_, None) => path.index(self.blocks.len()),
        }
    }

    fn add(&mut self, label: Option<Arc<str>>, value: Value, span: Span, evaluator: &mut Evaluator<'_>) {
        if label.is_some() && self.blocks.iter().any(|(other, _)| *other == label) {
            let message = format!("there is a block `{}` of that label already", self.name);
            evaluator.report(Diagnostic::error("eval.argument", message).at(span));
            return;
        }
        self.blocks.push((label, value));
    }

    fn becomes_unknown(&mut self, marks: Marks) {
        self.unknown = Some(self.unknown.unwrap_or_default() | marks);
    }

    fn into_value(self) -> (Arc<str>, Value) {
        let value = match (self.unknown, self.nesting) {
            (Some(marks), _) => Value::unknown(Type::Any).with_marks(marks),
            (None, Nesting::Map) => {
                Value::object(self.blocks.into_iter().filter_map(|(label, value)| Some((label?, value))))
            }
            (None, _) => Value::tuple(self.blocks.into_iter().map(|(_, value)| value).collect()),
        };
        (self.name, value)
    }
}

fn is_set(body: &Body, name: &str) -> bool {
    body.attribute(name).is_some() || body.blocks_of(name).next().is_some()
}

/// Where the parts of a body stand.
#[derive(Default)]
struct Places {
    /// What is not set, but was probably meant by something that is.
    meant: HashSet<Path>,
    /// Only looked at where something is wrong.
    spans: Vec<(Path, Span)>,
    /// The same by path, once somebody asked.
    index: OnceCell<HashMap<Path, Span>>,
}

impl Places {
    fn add(&mut self, path: Path, span: Span) {
        self.spans.push((path, span));
    }

    /// Returns where the part at a path stands, or else the nearest part around it.
    fn of(&self, path: &Path) -> Span {
        let mut path: Path = path
            .steps()
            .iter()
            .map(|step| match step {
                Step::Element(idx) => Step::Index(*idx),
                step => step.clone(),
            })
            .collect();
        // Of several that have a path the first is meant.
        let spans = self.index.get_or_init(|| self.spans.iter().rev().cloned().collect());
        loop {
            if let Some(span) = spans.get(&path) {
                return *span;
            }
            if path.pop().is_none() {
                return Span::default();
            }
        }
    }
}

fn name_of(step: &Step) -> String {
    match step {
        Step::Attr(name) | Step::Key(name) => format!("`{name}`"),
        Step::Index(_) | Step::Element(_) => "it".to_owned(),
    }
}
