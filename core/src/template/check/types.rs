use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use crate::{
    address::Mode,
    error::{Diagnostic, Span},
    graph::Graph,
    schema::{self, Attribute, Schema},
    template::{
        ephemeral,
        eval::{Evaluator, Functions, Options},
        infinite,
        json::with_schema_blocks,
        model::{
            Condition, Edition, Import, Module, ModuleCall, Output, ProviderRef, Repetition, ResourceBlock, ResourceKey,
        },
        reference::{Reference, Referent, references},
        syntax::{Block, Body, Expr},
    },
    value::{Marks, Type, Value, convert},
};

use super::{
    names::Place,
    scene::{Scene, Types},
    scope::{Key, LaterFiles, Stage, Values, is_later},
    sites::Dynamic,
};

/// Evaluates every expression with stand-ins of the right types, and reports what would fail whatever the values.
pub(super) fn check(
    by_dir: &BTreeMap<Arc<str>, Arc<Module>>,
    types: &Types<'_>,
    edition: Edition,
    reported: &BTreeSet<Place>,
    problems: &mut Vec<Diagnostic>,
) {
    let functions = types.source.functions();
    let functions = &functions;
    let mut walk = Walk { by_dir, types, reported, functions, edition, values: Values::default(), problems };
    for (dir, kind, name) in order(by_dir) {
        walk.named(&dir, kind, &name);
    }
    for module in by_dir.values() {
        walk.module(module);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    Local,
    Output,
}

/// Returns locals and outputs so that what one refers to comes before it; those in a loop (which was reported) in any order.
fn order(by_dir: &BTreeMap<Arc<str>, Arc<Module>>) -> Vec<(Arc<str>, Named, Arc<str>)> {
    let mut graph: Graph<(Arc<str>, Named, Arc<str>), ()> = Graph::new();
    let mut by_name = BTreeMap::new();
    for module in by_dir.values() {
        let locals = module.locals.keys().map(|name| (Named::Local, name));
        for (kind, name) in locals.chain(module.outputs.keys().map(|name| (Named::Output, name))) {
            let key = (Arc::clone(&module.dir), kind, Arc::clone(name));
            by_name.insert(key.clone(), graph.add_node(key));
        }
    }
    for module in by_dir.values() {
        let locals = module.locals.values().map(|local| (Named::Local, &local.name, &local.expr));
        let outputs = module.outputs.values().map(|output| (Named::Output, &output.name, &output.expr));
        for (kind, name, expr) in locals.chain(outputs) {
            let Some(&from) = by_name.get(&(Arc::clone(&module.dir), kind, Arc::clone(name))) else { continue };
            for reference in references(expr) {
                for key in needs(module, &reference.referent, by_dir) {
                    if let Some(&to) = by_name.get(&key) {
                        graph.add_edge(from, to, ());
                    }
                }
            }
        }
    }
    loop {
        match graph.topological_order() {
            Ok(order) => return order.into_iter().filter_map(|idx| graph.get(idx).cloned()).collect(),
            Err(cycles) => {
                for cycle in cycles {
                    let members: BTreeSet<_> = cycle.members().iter().copied().collect();
                    for from in &members {
                        let inside: Vec<_> =
                            graph.needs(*from).map(|(to, ())| to).filter(|to| members.contains(to)).collect();
                        for to in inside {
                            graph.remove_edge(*from, to);
                        }
                    }
                }
            }
        }
    }
}

fn needs(
    module: &Module,
    referent: &Referent,
    by_dir: &BTreeMap<Arc<str>, Arc<Module>>,
) -> Vec<(Arc<str>, Named, Arc<str>)> {
    match referent {
        Referent::Local(name) => vec![(Arc::clone(&module.dir), Named::Local, Arc::clone(name))],
        Referent::Module { name, output } => {
            let Some(call) = module.calls.get(name) else { return Vec::new() };
            let output_key = |output: &Arc<str>| (Arc::clone(&call.dir), Named::Output, Arc::clone(output));
            match (output, by_dir.get(&call.dir)) {
                (Some(output), _) => vec![output_key(output)],
                (None, Some(child)) => child.outputs.keys().map(output_key).collect(),
                (None, None) => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

/// What an expression may use besides what the module declares.
#[derive(Clone)]
struct Here<'a> {
    /// The type of `each.value`.
    each: Type,
    /// What `self` is.
    own: Option<&'a ResourceKey>,
    /// The items of `dynamic` blocks around it.
    items: Vec<(&'a str, Value)>,
    /// Whether what arguments are set to is stored.
    keeps: bool,
}

impl Here<'_> {
    fn nowhere() -> Self {
        Self { each: Type::Any, own: None, items: Vec::new(), keeps: false }
    }
}

struct Walk<'a> {
    by_dir: &'a BTreeMap<Arc<str>, Arc<Module>>,
    types: &'a Types<'a>,
    reported: &'a BTreeSet<Place>,
    functions: &'a Functions,
    edition: Edition,
    values: Values,
    problems: &'a mut Vec<Diagnostic>,
}

impl<'a> Walk<'a> {
    fn scene(&self, module: &'a Module) -> Scene<'a> {
        Scene { module, by_dir: self.by_dir, types: self.types }
    }

    /// Returns the value of an expression, or nothing where it has an error.
    fn eval(&mut self, module: &'a Module, here: &Here<'_>, expr: &Expr) -> Option<Value> {
        let stage = Stage {
            scene: self.scene(module),
            values: &self.values,
            reported: self.reported,
            each: here.each.clone(),
            own: here.own,
            edition: self.edition,
        };
        let options = Options { edition: self.edition, files: &LaterFiles, ..Options::default() };
        let mut evaluator = Evaluator::new(&stage, self.functions, options);
        let value = evaluator.eval_with(expr, &here.items);
        let findings = evaluator.finish();
        let failed = findings.diagnostics.iter().any(Diagnostic::is_error);
        // What a name stands for is checked elsewhere.
        let news = findings.diagnostics.into_iter();
        self.problems.extend(news.filter(|problem| !is_later(&problem.code) && !problem.code.starts_with("template.")));
        (!failed).then_some(value)
    }

    /// Evaluates and converts; `what` begins the message, such as `` `size` ``.
    fn eval_as(&mut self, module: &'a Module, here: &Here<'_>, expr: &Expr, ty: &Type, what: &str) -> Option<Value> {
        let value = self.eval(module, here, expr)?;
        match convert(&value, ty) {
            Ok(value) => Some(value),
            Err(error) => {
                self.problems.push(
                    Diagnostic::error("template.value", format!("{what} does not fit: {error}"))
                        .label(expr.span, format!("this is of type {}", value.ty().friendly_name())),
                );
                None
            }
        }
    }

    fn named(&mut self, dir: &Arc<str>, kind: Named, name: &Arc<str>) {
        let by_dir = self.by_dir;
        let Some(module) = by_dir.get(dir) else { return };
        let expr = match kind {
            Named::Local => module.locals.get(name).map(|local| &local.expr),
            Named::Output => module.outputs.get(name).map(|output| &output.expr),
        };
        let Some(expr) = expr else { return };
        let value = self.eval(module, &Here::nowhere(), expr);
        if let (Named::Output, Some(value), Some(output)) = (kind, &value, module.outputs.get(name)) {
            self.problems.extend(misdeclared(output, value));
            if dir.is_empty() && !infinite::places(value).is_empty() {
                self.problems.push(infinite::refuse(expr.span));
            }
        }
        let value = value.unwrap_or_else(|| Value::unknown(Type::Any));
        let key: Key = (Arc::clone(dir), Arc::clone(name));
        match kind {
            Named::Local => self.values.locals.insert(key, value),
            Named::Output => self.values.outputs.insert(key, value),
        };
    }

    fn module(&mut self, module: &'a Module) {
        let nowhere = Here::nowhere();
        for variable in module.variables.values() {
            self.conditions(module, &nowhere, &variable.validations);
        }
        for output in module.outputs.values() {
            self.conditions(module, &nowhere, &output.preconditions);
            if module.dir.is_empty() {
                self.secret(module, output);
            }
        }
        for import in &module.imports {
            self.import(module, import);
        }
        for check in module.checks.values() {
            self.conditions(module, &nowhere, &check.asserts);
        }
        for resource in module.resources.values() {
            self.resource(module, resource);
        }
        for call in module.calls.values() {
            self.call(module, call);
        }
        for provider in module.providers.values() {
            let mut here = Here::nowhere();
            if let Some(expr) = &provider.for_each
                && let Some(value) = self.eval(module, &nowhere, expr)
            {
                here.each = self.for_each(&value, expr.span);
            }
            if let Some(Some(schema)) = self.types.source.provider(module.provider_called(&provider.name.name)) {
                self.body(module, &here, &schema.block, &provider.body);
            }
        }
    }

    /// Refuses an output that would show what it does not call sensitive.
    fn secret(&mut self, module: &Module, output: &Output) {
        let key: Key = (Arc::clone(&module.dir), Arc::clone(&output.name));
        let value = self.values.outputs.get(&key);
        if !output.sensitive && value.is_some_and(|value| value.marks_deep().contains(Marks::SENSITIVE)) {
            self.problems.push(sensitive_output(output));
        }
    }

    fn import(&mut self, module: &'a Module, import: &'a Import) {
        if let Some(expr) = import.repetition.expr() {
            let value = self.eval(module, &Here::nowhere(), expr);
            // Lists will do, too: what it is repeated over need not have keys.
            if let Some(value) = value.filter(|value| value.ty().is_primitive()) {
                self.problems.push(
                    Diagnostic::error("template.value", "`for_each` of an `import` block takes a collection")
                        .label(expr.span, format!("this is a {}", value.ty().friendly_name())),
                );
            }
        }
        for key in import.target.keys() {
            self.eval(module, &Here::nowhere(), key);
        }
        let id = self.eval_as(module, &Here::nowhere(), &import.id, &Type::String, "`id`");
        if id.is_some_and(|id| id.is_null()) {
            self.problems.push(Diagnostic::error("template.value", "`id` cannot be null").at(import.id.span));
        }
    }

    fn conditions(&mut self, module: &'a Module, here: &Here<'_>, list: &[Condition]) {
        for condition in list {
            self.eval_as(module, here, &condition.condition, &Type::Bool, "the condition");
            self.eval_as(module, here, &condition.error_message, &Type::String, "the message");
        }
    }

    fn resource(&mut self, module: &'a Module, resource: &'a ResourceBlock) {
        let each = self.repetition(module, &resource.repetition, &resource.key);
        let here = Here { each, keeps: resource.key.mode != Mode::Ephemeral, ..Here::nowhere() };
        if let Some(schema) = self.scene(module).schema(&resource.key) {
            self.body(module, &here, &schema.block, &resource.body);
        }
        self.key(module, &here, resource.provider.as_ref());
        self.conditions(module, &here, &resource.lifecycle.preconditions);
        let after = Here { own: Some(&resource.key), ..here };
        self.conditions(module, &after, &resource.lifecycle.postconditions);
    }

    fn call(&mut self, module: &'a Module, call: &'a ModuleCall) {
        let each = self.repetition(module, &call.repetition, &format_args!("module.{}", call.name));
        let here = Here { each, ..Here::nowhere() };
        for passed in call.providers.values() {
            self.key(module, &here, Some(&passed.outer));
        }
        let child = self.by_dir.get(&call.dir);
        for (name, expr) in &call.inputs {
            let Some(value) = self.eval(module, &here, expr) else { continue };
            let Some(variable) = child.and_then(|child| child.variables.get(name)) else { continue };
            if !variable.ephemeral && ephemeral::is_ephemeral(&value) {
                self.problems.push(ephemeral::input(variable, expr.span));
            }
            let constraint = &variable.constraint;
            if let Err(error) = convert(&constraint.apply_defaults(&value), &constraint.ty) {
                let message = format!("`{name}` does not fit the module's variable: {error}");
                self.problems.push(
                    Diagnostic::error("template.value", message)
                        .label(expr.span, format!("this is of type {}", value.ty().friendly_name()))
                        .label(variable.span, format!("declared with the type `{}`", constraint.ty)),
                );
            }
        }
    }

    /// Checks the key of one of several configurations of a provider.
    fn key(&mut self, module: &'a Module, here: &Here<'_>, named: Option<&ProviderRef>) {
        if let Some(expr) = named.and_then(|named| named.key.as_deref()) {
            self.eval_as(module, here, expr, &Type::String, "the key");
        }
    }

    /// Checks `count` or `for_each` and returns the type of `each.value`.
    fn repetition(&mut self, module: &'a Module, repetition: &'a Repetition, of: &dyn fmt::Display) -> Type {
        match repetition {
            Repetition::One => {}
            Repetition::Count(expr) => self.count(module, expr, of),
            Repetition::ForEach(expr) => {
                if let Some(value) = self.eval(module, &Here::nowhere(), expr) {
                    if ephemeral::is_ephemeral(&value) {
                        self.problems.push(ephemeral::repetition("for_each", &of.to_string(), expr.span));
                    }
                    if value.marks().contains(Marks::SENSITIVE) {
                        self.problems.push(sensitive_repetition("for_each", &of.to_string(), expr.span));
                    }
                    return self.for_each(&value, expr.span);
                }
            }
        }
        Type::Any
    }

    fn count(&mut self, module: &'a Module, expr: &Expr, of: &dyn fmt::Display) {
        let Some(value) = self.eval_as(module, &Here::nowhere(), expr, &Type::Number, "`count`") else { return };
        if ephemeral::is_ephemeral(&value) {
            self.problems.push(ephemeral::repetition("count", &of.to_string(), expr.span));
        }
        if value.is_sensitive() {
            self.problems.push(sensitive_repetition("count", &of.to_string(), expr.span));
        }
        let fits = value.as_number().is_none_or(|number| number.as_usize().is_some());
        if value.is_null() || !fits {
            let message =
                if value.is_null() { "`count` cannot be null" } else { "`count` is a whole number from 0 on" };
            self.problems.push(Diagnostic::error("template.value", message).at(expr.span));
        }
    }

    fn for_each(&mut self, value: &Value, span: Span) -> Type {
        let ty = value.ty();
        let fits = match &ty {
            _ if value.is_null() => false,
            Type::Any | Type::Map(_) | Type::Object(_) => true,
            Type::Set(element) => matches!(**element, Type::String | Type::Any),
            _ => false,
        };
        if !fits {
            let found = if value.is_null() { "null".to_owned() } else { format!("a {}", ty.friendly_name()) };
            self.problems.push(
                Diagnostic::error("template.value", "`for_each` takes a map, an object or a set of strings")
                    .label(span, format!("this is {found}"))
                    .help("make a set of a list with `toset`, or a map with a `for` expression"),
            );
            return Type::Any;
        }
        element(&ty)
    }

    fn body(&mut self, module: &'a Module, here: &Here<'_>, schema: &schema::Block, body: &Body) {
        let body = &*with_schema_blocks(body, schema);
        for attribute in &body.attributes {
            let Some(value) = self.eval(module, here, &attribute.expr) else { continue };
            let name = attribute.name.as_str();
            if let Some(known) = schema.attributes.get(name).filter(|known| known.is_input()) {
                if here.keeps && !known.write_only && ephemeral::is_ephemeral(&value) {
                    self.problems.push(ephemeral::argument(name, attribute.expr.span));
                }
                self.attribute(name, known, &value, attribute.expr.span);
            }
        }
        for block in &body.blocks {
            match Dynamic::of(block).filter(|_| !schema.blocks.contains_key("dynamic")) {
                Some(dynamic) => self.dynamic(module, here, schema, &dynamic),
                None => self.nested(module, here, schema, block.kind.as_str(), block),
            }
        }
    }

    fn attribute(&mut self, name: &str, known: &Attribute, value: &Value, span: Span) {
        if known.required && value.is_null() {
            let message = format!("`{name}` is required and cannot be null");
            self.problems.push(Diagnostic::error("template.value", message).at(span));
            return;
        }
        let converted = match convert(value, &known.ty) {
            Ok(converted) => converted,
            Err(error) => {
                self.problems.push(
                    Diagnostic::error("template.value", format!("`{name}` does not fit: {error}"))
                        .label(span, format!("this is of type {}", value.ty().friendly_name())),
                );
                return;
            }
        };
        if !infinite::places(&converted).is_empty() {
            self.problems.push(infinite::refuse(span));
        }
        if !known.checks.is_empty() {
            let alone = Schema::new(0).attribute(name, known.clone());
            for (_, message) in alone.validate_values(&Value::object([(name, converted)])) {
                self.problems.push(Diagnostic::error("template.value", message).at(span));
            }
        }
        if let Some(instead) = &known.deprecated {
            let message = format!("`{name}` should not be used any more");
            self.problems.push(Diagnostic::warning("template.deprecated", message).at(span).help(instead.clone()));
        }
    }

    fn nested(&mut self, module: &'a Module, here: &Here<'_>, schema: &schema::Block, kind: &str, block: &Block) {
        let unknown = schema::Block::new();
        let inner = schema.blocks.get(kind).map_or(&unknown, |nested| &nested.block);
        self.body(module, here, inner, &block.body);
    }

    fn dynamic(&mut self, module: &'a Module, here: &Here<'_>, schema: &schema::Block, dynamic: &Dynamic<'_>) {
        let all = dynamic.for_each.and_then(|expr| Some((self.eval(module, here, expr)?, expr.span)));
        let mut ty = Type::Any;
        if let Some((value, span)) = &all {
            ty = value.ty();
            if value.is_null() || ty.is_primitive() {
                let found = if value.is_null() { "null".to_owned() } else { format!("a {}", ty.friendly_name()) };
                self.problems.push(
                    Diagnostic::error("template.value", "`for_each` of a `dynamic` block takes a collection")
                        .label(*span, format!("this is {found}")),
                );
                ty = Type::Any;
            }
        }
        let key = match &ty {
            Type::List(_) | Type::Tuple(_) => Type::Number,
            Type::Map(_) | Type::Object(_) => Type::String,
            Type::Set(element) => (**element).clone(),
            _ => Type::Any,
        };
        let marks = all.as_ref().map_or(Marks::NONE, |(value, _)| value.marks());
        if let Some((_, span)) = all.filter(|_| here.keeps && marks.contains(Marks::EPHEMERAL)) {
            self.problems.push(ephemeral::argument(dynamic.kind, span));
        }
        let item = Value::object([("key", Value::unknown(key)), ("value", Value::unknown(element(&ty)))]);
        let mut items = here.items.clone();
        items.insert(0, (dynamic.iterator, item));
        let inside = Here { each: here.each.clone(), items, ..*here };
        if let Some(labels) = dynamic.labels {
            self.eval_as(module, &inside, labels, &Type::list(Type::String), "`labels`");
        }
        if let Some(content) = dynamic.content {
            self.nested(module, &inside, schema, dynamic.kind, content);
        }
    }
}

/// An output says whether its value is ephemeral, and it is. What is made of more than variables may turn out ephemeral
/// though nothing says so yet.
fn misdeclared(output: &Output, value: &Value) -> Option<Diagnostic> {
    let is_certain = || {
        let of_variable = |reference: &Reference<'_>| matches!(reference.referent, Referent::Variable(_));
        value.is_wholly_known() || references(&output.expr).iter().all(of_variable)
    };
    match (output.ephemeral, ephemeral::is_ephemeral(value)) {
        (false, true) => Some(ephemeral::undeclared_output(output)),
        (true, false) if is_certain() => Some(ephemeral::plain_output(output)),
        _ => None,
    }
}

/// Says that an output would show a secret.
pub(crate) fn sensitive_repetition(word: &str, name: &str, span: Span) -> Diagnostic {
    Diagnostic::error("plan.repetition", format!("the `{word}` of `{name}` is sensitive"))
        .label(span, "would show in addresses")
        .help("take it from values that are not sensitive, or wrap what may be seen in `nonsensitive()`")
}

pub(crate) fn sensitive_output(output: &Output) -> Diagnostic {
    Diagnostic::error("plan.sensitive_output", format!("output `{}` would show a sensitive value", output.name))
        .label(output.expr.span, "sensitive")
        .help("say `sensitive = true` in the output, or wrap what may be seen in `nonsensitive()`")
}

/// Returns the type that all elements have, or any.
fn element(ty: &Type) -> Type {
    match ty {
        Type::List(element) | Type::Set(element) | Type::Map(element) => (**element).clone(),
        Type::Tuple(types) => same(types.iter()),
        Type::Object(object) => same(object.attributes.values()),
        _ => Type::Any,
    }
}

fn same<'t>(mut types: impl Iterator<Item = &'t Type>) -> Type {
    match types.next() {
        Some(first) if types.all(|ty| ty == first) => first.clone(),
        _ => Type::Any,
    }
}
