use std::{collections::BTreeMap, sync::Arc};

use crate::{
    address::Mode,
    error::{Diagnostic, Span, suggest},
    schema::{Block as BlockSchema, NestedBlock, Nesting},
    template::{
        decode::{is_damaged, unknown},
        json::with_schema_blocks,
        model::{IgnoreChanges, Module, ResourceBlock},
        syntax::{Block, Body},
    },
};

use super::{scene::Scene, sites::Dynamic};

/// Checks blocks against schemas, as far as that can be said without evaluating anything.
pub(super) fn check(scene: &Scene<'_>, problems: &mut Vec<Diagnostic>) {
    let mut shape = Shape { damage: &scene.module.damage, problems };
    for resource in scene.module.resources.values() {
        match scene.schema(&resource.key) {
            Some(schema) => {
                shape.body(&schema.block, &resource.body, resource.span, &format!("`{}`", resource.key));
                shape.ignored(&schema.block, resource);
            }
            None => shape.problems.push(unknown_type(scene, resource)),
        }
        if let Some(provider) = &resource.provider
            && provider.name.alias.is_none()
            && !is_provider(scene, &provider.name.name)
        {
            shape.problems.push(unknown_provider(scene, &provider.name.name, provider.span));
        }
    }
    for provider in scene.module.providers.values() {
        if provider.is_empty() && !scene.module.dir.is_empty() {
            // It only declares what the caller hands in.
            continue;
        }
        match scene.types.source.provider(scene.module.provider_called(&provider.name.name)) {
            Some(Some(schema)) => {
                let what = format!("the provider `{}`", provider.name);
                shape.body(&schema.block, &provider.body, provider.span, &what);
            }
            Some(None) => {
                let what = format!("the provider `{}`", provider.name);
                shape.body(&BlockSchema::new(), &provider.body, provider.span, &what);
            }
            None => shape.problems.push(unknown_provider(scene, &provider.name.name, provider.span)),
        }
    }
    calls(scene, shape.problems);
}

fn is_provider(scene: &Scene<'_>, name: &str) -> bool {
    let module = scene.module;
    module.providers.keys().any(|known| *known.name == *name)
        || module.settings.required_providers.contains_key(name)
        || scene.types.source.provider(name).is_some()
}

fn unknown_provider(scene: &Scene<'_>, name: &str, span: Span) -> Diagnostic {
    let problem = Diagnostic::error("template.provider", format!("there is no provider `{name}`")).at(span);
    let known = scene.types.source.provider_names();
    match suggest(name, known.iter().map(|known| &**known)) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help("the host registers providers; it has not registered this one"),
    }
}

fn unknown_type(scene: &Scene<'_>, resource: &ResourceBlock) -> Diagnostic {
    let name = &resource.key.type_name;
    let (sort, known, other) = match resource.key.mode {
        Mode::Managed => {
            ("resource", scene.types.source.resource_names(), scene.types.source.data_source(name).map(|_| "data"))
        }
        Mode::Data => (
            "data source",
            scene.types.source.data_source_names(),
            scene.types.source.resource(name).map(|_| "resource"),
        ),
        Mode::Ephemeral => (
            "ephemeral resource",
            scene.types.source.ephemeral_names(),
            scene.types.source.resource(name).map(|_| "resource"),
        ),
    };
    let problem =
        Diagnostic::error("template.resource_type", format!("there is no {sort} type `{name}`")).at(resource.span);
    match (other, suggest(name, known.iter().map(|known| &**known))) {
        (Some(kind), _) => problem.help(format!("did you mean a `{kind}` block?")),
        (None, Some(near)) => problem.help(format!("did you mean `{near}`?")),
        (None, None) => problem.help("the host registers resource types; it has not registered this one"),
    }
}

/// Checks that calls set the variables of what they call, all that are required and no others.
fn calls(scene: &Scene<'_>, problems: &mut Vec<Diagnostic>) {
    for call in scene.module.calls.values() {
        let Some(child) = scene.child(&call.name) else { continue };
        let child: &Module = child;
        for (name, span) in &call.input_spans {
            if !child.variables.contains_key(name) && !child.lost.contains(name) {
                let known = child.variables.keys().map(|known| &**known);
                let place = format!("the module `{}`", call.name);
                problems.push(unknown("template.argument", "variable", name, *span, &place, known));
            }
        }
        for variable in child.variables.values().filter(|variable| variable.is_required()) {
            if !call.inputs.contains_key(&variable.name) && !is_damaged(&scene.module.damage, call.extent) {
                problems.push(
                    Diagnostic::error(
                        "template.missing",
                        format!("the module `{}` needs a value for its variable `{}`", call.name, variable.name),
                    )
                    .label(call.span, format!("`{}` is not set", variable.name))
                    .label(variable.span, "declared without a default"),
                );
            }
        }
    }
}

struct Shape<'a> {
    damage: &'a [Span],
    problems: &'a mut Vec<Diagnostic>,
}

impl Shape<'_> {
    /// `place` is the name of what is checked, for messages.
    fn body(&mut self, schema: &BlockSchema, body: &Body, header: Span, place: &str) {
        let body = &*with_schema_blocks(body, schema);
        for attribute in &body.attributes {
            let name = attribute.name.as_str();
            let span = attribute.name.span;
            if let Some(found) = schema.attributes.get(name) {
                if !found.is_input() {
                    let message = format!("`{name}` is decided by {place} itself and cannot be set");
                    self.problems.push(Diagnostic::error("template.argument", message).at(span));
                }
            } else if schema.blocks.contains_key(name) {
                self.problems.push(
                    Diagnostic::error("template.block", format!("`{name}` is a block, not an argument"))
                        .at(span)
                        .help(format!("write `{name} {{ … }}`, without `=`")),
                );
            } else {
                self.problems.push(unknown("template.argument", "argument", name, span, place, inputs(schema)));
            }
        }
        let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
        for block in &body.blocks {
            self.block(schema, block, place, &mut counts);
        }
        self.missing(schema, body, header, place);
        for (name, nested) in &schema.blocks {
            self.number(name, nested, counts.remove(&**name).unwrap_or_default(), body, header, place);
        }
    }

    fn missing(&mut self, schema: &BlockSchema, body: &Body, header: Span, place: &str) {
        if is_damaged(self.damage, body.span) {
            return;
        }
        for (name, attribute) in &schema.attributes {
            let as_block = body.blocks_of(name).next().is_some();
            if attribute.required && body.attribute(name).is_none() && !as_block {
                let message = format!("the argument `{name}` is missing in {place}");
                self.problems.push(Diagnostic::error("template.missing", message).at(header));
            }
        }
    }

    fn block<'b>(
        &mut self,
        schema: &BlockSchema,
        block: &'b Block,
        place: &str,
        counts: &mut BTreeMap<&'b str, Count>,
    ) {
        let kind = block.kind.as_str();
        if kind == "dynamic" && !schema.blocks.contains_key(kind) {
            return self.dynamic(schema, block, place, counts);
        }
        let Some(nested) = self.nested(schema, kind, block.header_span(), place) else { return };
        let count = counts.entry(kind).or_default();
        count.written += 1;
        count.last = Some(block.kind.span);
        let labels = usize::from(nested.nesting == Nesting::Map);
        if block.labels.len() != labels {
            let form = if labels == 1 { format!("`{kind} \"key\" {{ … }}`") } else { format!("`{kind} {{ … }}`") };
            self.problems.push(
                Diagnostic::error(
                    "template.label",
                    format!("a `{kind}` block has {labels} labels, not {}", block.labels.len()),
                )
                .at(block.header_span())
                .help(format!("write {form}")),
            );
        }
        self.body(&nested.block, &block.body, block.header_span(), &format!("`{kind}` in {place}"));
    }

    fn nested<'s>(&mut self, schema: &'s BlockSchema, kind: &str, span: Span, place: &str) -> Option<&'s NestedBlock> {
        let found = schema.blocks.get(kind);
        if found.is_none() {
            self.problems.push(if schema.attributes.contains_key(kind) {
                Diagnostic::error("template.argument", format!("`{kind}` is an argument, not a block"))
                    .at(span)
                    .help(format!("write `{kind} = …`"))
            } else {
                unknown("template.block", "block", kind, span, place, schema.blocks.keys().map(|known| &**known))
            });
        }
        found
    }

    fn dynamic<'b>(
        &mut self,
        schema: &BlockSchema,
        block: &'b Block,
        place: &str,
        counts: &mut BTreeMap<&'b str, Count>,
    ) {
        const KNOWN: [&str; 4] = ["for_each", "iterator", "labels", "content"];
        let Some(dynamic) = Dynamic::of(block).filter(|_| block.labels.len() == 1) else {
            self.problems.push(
                Diagnostic::error(
                    "template.label",
                    format!("a `dynamic` block has 1 label, not {}", block.labels.len()),
                )
                .at(block.header_span())
                .help("the label names the kind of the blocks that it makes"),
            );
            return;
        };
        for attribute in &block.body.attributes {
            let name = attribute.name.as_str();
            if !KNOWN.contains(&name) || name == "content" {
                let span = attribute.name.span;
                self.problems.push(unknown("template.argument", "argument", name, span, "a `dynamic` block", KNOWN));
            } else if name == "iterator" && attribute.expr.as_keyword().is_none() && !attribute.expr.is_invalid() {
                self.problems.push(
                    Diagnostic::error("template.static", "`iterator` is a plain word")
                        .at(attribute.expr.span)
                        .help("it names the item inside `content`"),
                );
            }
        }
        for inner in &block.body.blocks {
            let kind = inner.kind.as_str();
            if kind != "content" {
                let span = inner.header_span();
                self.problems.push(unknown("template.block", "block", kind, span, "a `dynamic` block", KNOWN));
            }
        }
        for inner in block.body.blocks_of("content").skip(1) {
            let problem = Diagnostic::error("template.duplicate", "a second `content` block in a `dynamic` block");
            self.problems.push(problem.at(inner.kind.span));
        }
        if !is_damaged(self.damage, block.span) {
            let missing = [("for_each", dynamic.for_each.is_none()), ("content", dynamic.content.is_none())];
            for (name, _) in missing.into_iter().filter(|(_, missing)| *missing) {
                let message = format!("`{name}` is missing in a `dynamic` block");
                self.problems.push(Diagnostic::error("template.missing", message).at(block.header_span()));
            }
        }
        let Some(nested) = self.nested(schema, dynamic.kind, dynamic.kind_span, place) else { return };
        counts.entry(dynamic.kind).or_default().is_open = true;
        if dynamic.labels.is_none() && nested.nesting == Nesting::Map && !is_damaged(self.damage, block.span) {
            let message = "`labels` is missing in a `dynamic` block whose blocks have a label";
            self.problems.push(Diagnostic::error("template.missing", message).at(block.header_span()));
        }
        if let Some(content) = dynamic.content {
            let place = format!("`{}` in {place}", dynamic.kind);
            self.body(&nested.block, &content.body, content.header_span(), &place);
        }
    }

    /// Checks how many blocks of one kind there are; `dynamic` ones may make any number.
    fn number(&mut self, name: &Arc<str>, nested: &NestedBlock, count: Count, body: &Body, header: Span, place: &str) {
        if count.written < nested.min_items && !count.is_open && !is_damaged(self.damage, body.span) {
            // Written as an argument it was reported already.
            if body.attribute(name).is_some() {
                return;
            }
            let message = match (nested.min_items, count.written) {
                (1, _) => format!("a block `{name}` is missing in {place}"),
                (least, found) => format!("{place} needs at least {least} blocks `{name}`, and has {found}"),
            };
            self.problems.push(Diagnostic::error("template.missing", message).at(header));
        }
        if let Some(most) = nested.max_items.filter(|most| count.written > *most) {
            let message = format!("{place} has at most {most} blocks `{name}`, not {}", count.written);
            self.problems.push(Diagnostic::error("template.block", message).at(count.last.unwrap_or(header)));
        }
    }

    /// Checks that what is to be ignored exists.
    fn ignored(&mut self, schema: &BlockSchema, resource: &ResourceBlock) {
        let IgnoreChanges::Only(paths) = &resource.lifecycle.ignore_changes else { return };
        for path in paths {
            let name = path.root_name();
            if !schema.names().any(|known| known == name) {
                let message = format!("`{}` has no attribute `{name}`", resource.key);
                let problem = Diagnostic::error("template.attribute", message).at(path.span());
                self.problems.push(match suggest(name, schema.names()) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem,
                });
            }
        }
    }
}

/// How many blocks of one kind there are.
#[derive(Clone, Copy, Default)]
struct Count {
    written: u64,
    /// A `dynamic` block makes more.
    is_open: bool,
    last: Option<Span>,
}

/// Returns the names that a template can set.
fn inputs(schema: &BlockSchema) -> impl Iterator<Item = &str> {
    let attributes = schema.attributes.iter().filter(|(_, attribute)| attribute.is_input()).map(|(name, _)| &**name);
    attributes.chain(schema.blocks.keys().map(|name| &**name))
}
