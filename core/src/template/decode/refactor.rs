use std::sync::Arc;

use crate::{
    address::{InstanceKey, Mode, ModuleInstance, ModulePath, ModuleStep, ResourceAddress},
    error::{Diagnostic, Span},
    template::{
        model::{Endpoint, Moved, Removed, RemovedFrom},
        syntax::{Attribute, Block, Literal},
    },
};

use super::{Problems, Reader, body::labels, constant, written::Written};

/// Reads a `moved` block.
pub(super) fn moved(block: Block, problems: &mut Problems) -> Option<Moved> {
    labels(&block, [], problems)?;
    let mut reader = Reader::new("a `moved` block", block, problems);
    let span = reader.header();
    let from = reader.required("from");
    let to = reader.required("to");
    let [from, to] = [from, to].map(|attribute| place(&attribute?, "template.moved", reader.problems));
    reader.finish();
    let (from, to) = (from?, to?);
    let (from_span, to_span) = (from.span, to.span);
    let exact = from.is_keyed() || to.is_keyed();
    match (from.endpoint(exact), to.endpoint(exact)) {
        (from @ (Endpoint::Call(_) | Endpoint::Module(_)), to @ (Endpoint::Call(_) | Endpoint::Module(_)))
        | (
            from @ (Endpoint::Resource(_) | Endpoint::Instance(_)),
            to @ (Endpoint::Resource(_) | Endpoint::Instance(_)),
        ) => Some(Moved { from, to, span, from_span, to_span }),
        (from, to) => {
            let kind = |end: &Endpoint| if end.resource().is_some() { "a resource" } else { "a module" };
            problems.push(
                Diagnostic::error("template.moved", "a module becomes no resource, and a resource no module")
                    .label(to_span, kind(&to))
                    .label(from_span, kind(&from))
                    .help("name two modules, or two resources"),
            );
            None
        }
    }
}

/// Reads a `removed` block.
pub(super) fn removed(block: Block, problems: &mut Problems) -> Option<Removed> {
    labels(&block, [], problems)?;
    let mut reader = Reader::new("a `removed` block", block, problems);
    let span = reader.header();
    let from = reader.required("from").and_then(|from| place(&from, "template.removed", reader.problems));
    let destroy = match reader.block("lifecycle") {
        Some(block) => destroy(block, reader.problems),
        None => true,
    };
    reader.not_yet(&["connection", "provisioner"]);
    reader.finish();
    let from = from?;
    let from_span = from.span;
    let from = from.removed(problems)?;
    Some(Removed { from, destroy, span, from_span })
}

fn destroy(block: Block, problems: &mut Problems) -> bool {
    let Some([]) = labels(&block, [], problems) else { return true };
    let mut reader = Reader::new("the `lifecycle` block of a `removed` block", block, problems);
    let destroy = match reader.attribute("destroy") {
        Some(attribute) => constant::switch(Some(attribute), reader.problems),
        None => true,
    };
    reader.finish();
    destroy
}

/// A module or resource, named by a reference that is read and not evaluated.
struct Place {
    module: ModuleInstance,
    /// With the module that it stands in.
    resource: Option<ResourceAddress>,
    key: Option<InstanceKey>,
    span: Span,
}

impl Place {
    /// Returns whether its last step has a key.
    fn is_keyed(&self) -> bool {
        match self.resource {
            Some(_) => self.key.is_some(),
            None => self.module.steps().last().is_some_and(|step| step.key.is_some()),
        }
    }

    /// Returns it as an end of a move; `exact` where one instance is meant, not all.
    fn endpoint(self, exact: bool) -> Endpoint {
        match (self.resource, exact) {
            (Some(resource), true) => Endpoint::Instance(resource.instance(self.key)),
            (Some(resource), false) => Endpoint::Resource(resource),
            (None, true) => Endpoint::Module(self.module),
            (None, false) => Endpoint::Call(self.module),
        }
    }

    fn removed(self, problems: &mut Problems) -> Option<RemovedFrom> {
        let refuse = |problems: &mut Problems, message: &str, help: &str| {
            problems.push(Diagnostic::error("template.removed", message).at(self.span).help(help));
            None
        };
        if self.key.is_some() || self.module.steps().iter().any(|step| step.key.is_some()) {
            return refuse(
                problems,
                "`removed` names blocks, not single instances of them",
                "leave the keys out; a single instance goes when `count` or `for_each` no longer gives it",
            );
        }
        let module: ModulePath = self.module.path();
        let Some(resource) = &self.resource else { return Some(RemovedFrom::Module(module)) };
        match resource.mode {
            Mode::Managed => {}
            Mode::Data => {
                return refuse(
                    problems,
                    "a data source has no object that could be removed",
                    "take the `removed` block away; it is enough that the `data` block is gone",
                );
            }
            Mode::Ephemeral => {
                return refuse(
                    problems,
                    "an ephemeral resource has no object that could be removed",
                    "take the `removed` block away; it is enough that the `ephemeral` block is gone",
                );
            }
        }
        Some(RemovedFrom::Resource(resource.path()))
    }
}

/// Reads a reference to a module or resource, with or without keys.
fn place(attribute: &Attribute, code: &'static str, problems: &mut Problems) -> Option<Place> {
    let name = attribute.name.as_str();
    if attribute.expr.is_invalid() {
        return None;
    }
    let span = attribute.expr.span;
    let Some(traversal) = attribute.expr.as_traversal() else {
        problems.push(
            Diagnostic::error("template.static", format!("`{name}` takes an address that is written out"))
                .label(span, "not a plain reference")
                .help(
                    "it is read, not evaluated: `type.name`, `type.name[\"key\"]`, `module.name`; no quotes around it",
                ),
        );
        return None;
    };
    let written = Written::of_traversal(&traversal).and_then(|written| {
        let step = |(name, key): &(Arc<str>, Option<Literal>)| {
            Ok(ModuleStep { name: Arc::clone(name), key: key.as_ref().map(|key| literal_key(key, span)).transpose()? })
        };
        let steps = written.modules.iter().map(step).collect::<Result<Vec<_>, _>>()?;
        let module = ModuleInstance::from_steps(steps);
        let key = written.key.as_ref().map(|key| literal_key(key, span)).transpose()?;
        let resource =
            written.resource.map(|(mode, type_name, name)| ResourceAddress::new(module.clone(), mode, type_name, name));
        Ok(Place { module, resource, key, span })
    });
    match written {
        Ok(place) => Some(place),
        Err((place, message)) => {
            problems.push(
                Diagnostic::error(code, message).at(place).help(
                    "write `type.name` or `module.name`, with keys in brackets: `module.net[\"a\"].type.name[0]`",
                ),
            );
            None
        }
    }
}

fn literal_key(literal: &Literal, span: Span) -> Result<InstanceKey, (Span, String)> {
    let key = match literal {
        Literal::Number(text) => text.parse::<u64>().ok().map(InstanceKey::Int),
        Literal::String(text) => Some(InstanceKey::from(&**text)),
        Literal::Null | Literal::Bool(_) => None,
    };
    key.ok_or_else(|| (span, "a key is a whole number or a text".to_owned()))
}
