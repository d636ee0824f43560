use std::sync::Arc;

use crate::{
    error::Span,
    template::{
        model::{
            Check, Condition, Import, Module, ModuleCall, Output, ProviderBlock, Repetition, ResourceBlock, Variable,
        },
        syntax::{Block, Body, Expr},
    },
};

/// What an expression belongs to.
#[derive(Clone, Copy, Debug)]
pub(in crate::template) enum Owner<'a> {
    Variable(&'a Variable),
    Local(&'a Arc<str>),
    Output(&'a Output),
    Resource(&'a ResourceBlock),
    /// The call itself.
    Call(&'a ModuleCall),
    /// What the call sets this variable to.
    Input(&'a ModuleCall, &'a Arc<str>),
    Provider(&'a ProviderBlock),
    Import(&'a Import),
    Check(&'a Check),
}

/// What an expression is for, where that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::template) enum Role {
    /// `count` or `for_each` of its owner.
    Repetition,
    /// What a validation or precondition asks.
    Condition,
    /// What it says when it fails.
    Message,
    /// What a postcondition asks; may say `self`.
    Postcondition,
    /// What it says when it fails; may say `self`.
    PostconditionMessage,
    /// An entry of `replace_triggered_by`.
    Trigger,
    /// Anything else.
    Value,
}

/// An expression and where it stands.
#[derive(Clone, Copy, Debug)]
pub(in crate::template) struct Site<'a> {
    pub(in crate::template) expr: &'a Expr,
    pub(in crate::template) owner: Owner<'a>,
    pub(in crate::template) role: Role,
}

impl Site<'_> {
    /// Returns how often the owner is repeated, if the expression may say so (`each`, `count`).
    pub(in crate::template) fn repetition(&self) -> Option<&Repetition> {
        match (self.owner, self.role) {
            (_, Role::Repetition) => None,
            (Owner::Resource(resource), _) => Some(&resource.repetition),
            (Owner::Call(call) | Owner::Input(call, _), _) => Some(&call.repetition),
            (Owner::Import(import), _) => Some(&import.repetition),
            _ => None,
        }
    }
}

impl Site<'_> {
    /// Returns whether `each` means something in the expression.
    pub(in crate::template) fn has_each(&self) -> bool {
        match (self.owner, self.role) {
            (Owner::Provider(provider), Role::Value) => provider.for_each.is_some(),
            _ => matches!(self.repetition(), Some(Repetition::ForEach(_))),
        }
    }
}

/// Calls `f` with every expression of a module, with the names that `dynamic` blocks around it bind, in a fixed order.
pub(in crate::template) fn for_each_site<'a>(module: &'a Module, f: &mut dyn FnMut(Site<'a>, &[&'a str])) {
    for variable in module.variables.values() {
        conditions(&variable.validations, Owner::Variable(variable), Role::Condition, f);
    }
    for local in module.locals.values() {
        f(Site { expr: &local.expr, owner: Owner::Local(&local.name), role: Role::Value }, &[]);
    }
    for output in module.outputs.values() {
        let owner = Owner::Output(output);
        f(Site { expr: &output.expr, owner, role: Role::Value }, &[]);
        conditions(&output.preconditions, owner, Role::Condition, f);
    }
    for resource in module.resources.values() {
        let owner = Owner::Resource(resource);
        repetition(&resource.repetition, owner, f);
        if let Some(expr) = resource.provider.as_ref().and_then(|named| named.key.as_ref()) {
            f(Site { expr, owner, role: Role::Value }, &[]);
        }
        body(&resource.body, owner, &mut Vec::new(), f);
        for expr in &resource.lifecycle.replace_triggered_by {
            f(Site { expr, owner, role: Role::Trigger }, &[]);
        }
        conditions(&resource.lifecycle.preconditions, owner, Role::Condition, f);
        conditions(&resource.lifecycle.postconditions, owner, Role::Postcondition, f);
    }
    for call in module.calls.values() {
        let owner = Owner::Call(call);
        repetition(&call.repetition, owner, f);
        for expr in call.providers.values().filter_map(|passed| passed.outer.key.as_ref()) {
            f(Site { expr, owner, role: Role::Value }, &[]);
        }
        for (name, expr) in &call.inputs {
            f(Site { expr, owner: Owner::Input(call, name), role: Role::Value }, &[]);
        }
    }
    for check in module.checks.values() {
        conditions(&check.asserts, Owner::Check(check), Role::Condition, f);
    }
    for import in &module.imports {
        let owner = Owner::Import(import);
        repetition(&import.repetition, owner, f);
        for expr in import.target.keys().chain([&import.id]) {
            f(Site { expr, owner, role: Role::Value }, &[]);
        }
    }
    for provider in module.providers.values() {
        if let Some(expr) = &provider.for_each {
            f(Site { expr, owner: Owner::Provider(provider), role: Role::Repetition }, &[]);
        }
        body(&provider.body, Owner::Provider(provider), &mut Vec::new(), f);
    }
}

fn repetition<'a>(repetition: &'a Repetition, owner: Owner<'a>, f: &mut dyn FnMut(Site<'a>, &[&'a str])) {
    if let Some(expr) = repetition.expr() {
        f(Site { expr, owner, role: Role::Repetition }, &[]);
    }
}

fn conditions<'a>(list: &'a [Condition], owner: Owner<'a>, role: Role, f: &mut dyn FnMut(Site<'a>, &[&'a str])) {
    let message = if role == Role::Postcondition { Role::PostconditionMessage } else { Role::Message };
    for condition in list {
        f(Site { expr: &condition.condition, owner, role }, &[]);
        f(Site { expr: &condition.error_message, owner, role: message }, &[]);
    }
}

fn body<'a>(body_: &'a Body, owner: Owner<'a>, bound: &mut Vec<&'a str>, f: &mut dyn FnMut(Site<'a>, &[&'a str])) {
    for attribute in &body_.attributes {
        f(Site { expr: &attribute.expr, owner, role: Role::Value }, bound);
    }
    for block in &body_.blocks {
        let Some(dynamic) = Dynamic::of(block) else {
            body(&block.body, owner, bound, f);
            continue;
        };
        if let Some(expr) = dynamic.for_each {
            f(Site { expr, owner, role: Role::Value }, bound);
        }
        bound.push(dynamic.iterator);
        if let Some(expr) = dynamic.labels {
            f(Site { expr, owner, role: Role::Value }, bound);
        }
        if let Some(content) = dynamic.content {
            body(&content.body, owner, bound, f);
        }
        bound.pop();
    }
}

/// A `dynamic` block taken apart.
#[derive(Clone, Copy, Debug)]
pub(in crate::template) struct Dynamic<'a> {
    /// The kind of the blocks that it makes.
    pub(in crate::template) kind: &'a str,
    /// Where that stands.
    pub(in crate::template) kind_span: Span,
    pub(in crate::template) for_each: Option<&'a Expr>,
    /// The name of the item in `labels` and `content`.
    pub(in crate::template) iterator: &'a str,
    pub(in crate::template) labels: Option<&'a Expr>,
    pub(in crate::template) content: Option<&'a Block>,
}

impl<'a> Dynamic<'a> {
    /// Returns the parts of a block that is a `dynamic` one with its label.
    pub(in crate::template) fn of(block: &'a Block) -> Option<Self> {
        if block.kind.as_str() != "dynamic" {
            return None;
        }
        let label = block.labels.first()?;
        let expr = |name: &str| block.body.attribute(name).map(|attribute| &*attribute.expr);
        Some(Self {
            kind: &label.text,
            kind_span: label.span,
            for_each: expr("for_each"),
            iterator: expr("iterator").and_then(Expr::as_keyword).unwrap_or(&label.text),
            labels: expr("labels"),
            content: block.body.blocks_of("content").next(),
        })
    }
}
