//! What expressions refer to, known from their text alone.
//!
//! The static graph is built from this, `depends_on` and `replace_triggered_by` are read with it, and so is the question
//! whether a name exists. Which *instance* is meant is found out by evaluating.

use std::{fmt, sync::Arc};

use crate::{
    address::Mode,
    error::{Diagnostic, Span, suggest},
    template::model::ResourceKey,
};

use super::syntax::{self, Expr, ExprKind, Step, Tail, Traversal};

/// Something that a module declares, or that is given where an expression stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Referent {
    /// `var.name`.
    Variable(Arc<str>),
    /// `local.name`.
    Local(Arc<str>),
    /// `type.name`, `data.type.name`, `ephemeral.type.name`, `resource.type.name`.
    Resource(ResourceKey),
    /// `module.name`, or one output of it, whichever instances are meant.
    Module {
        /// The call.
        name: Arc<str>,
        /// The output; `None` where the whole module is meant.
        output: Option<Arc<str>>,
    },
    /// `each.key` or `each.value`.
    Each(EachPart),
    /// `count.index`.
    CountIndex,
    /// `self`.
    SelfObject,
    /// `path.module`, `path.root`, `path.cwd`.
    Path(Arc<str>),
    /// `terraform.workspace`, `terraform.applying`.
    Terraform(Arc<str>),
}

/// Which half of `each`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EachPart {
    /// `each.key`.
    Key,
    /// `each.value`.
    Value,
}

impl fmt::Display for Referent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "var.{name}"),
            Self::Local(name) => write!(f, "local.{name}"),
            Self::Resource(key) => key.fmt(f),
            Self::Module { name, output: None } => write!(f, "module.{name}"),
            Self::Module { name, output: Some(output) } => write!(f, "module.{name}.{output}"),
            Self::Each(EachPart::Key) => f.write_str("each.key"),
            Self::Each(EachPart::Value) => f.write_str("each.value"),
            Self::CountIndex => f.write_str("count.index"),
            Self::SelfObject => f.write_str("self"),
            Self::Path(name) => write!(f, "path.{name}"),
            Self::Terraform(name) => write!(f, "terraform.{name}"),
        }
    }
}

/// A use of a [`Referent`] in an expression.
#[derive(Clone, Debug)]
pub struct Reference<'a> {
    /// What is meant.
    pub referent: Referent,
    /// The literal steps after the part that names the referent: `[0]`, `.id`. For a module output that is named through
    /// an instance key (`module.a[0].url`), the steps after the output.
    pub steps: &'a [Step],
    /// What comes right after the steps: a computed index or a splat.
    pub tail: Tail<'a>,
    /// From the first word to the last literal step.
    pub span: Span,
}

/// Returns what an expression refers to, in order of place. Malformed references are left out; [`check`](super::check)
/// reports them.
///
/// # Complexity
/// O(size of the expression).
pub fn references(expr: &Expr) -> Vec<Reference<'_>> {
    let mut list = Vec::new();
    expr.for_each_reference(&mut |reference| list.extend(resolve(&reference).ok()));
    list
}

/// Says what a use of a variable refers to.
///
/// # Errors
/// `template.reference` where it is too short or its parts are not known.
pub fn resolve<'a>(reference: &syntax::Reference<'a>) -> Result<Reference<'a>, Diagnostic> {
    let traversal = reference.traversal;
    let steps = traversal.steps.as_slice();
    let refuse = |message: String| Diagnostic::error("template.reference", message).at(reference.span);
    let first = || traversal.attr(0).map(Arc::<str>::from);
    let (referent, used) = match traversal.root_name() {
        "var" => {
            let name =
                first().ok_or_else(|| refuse("`var` is followed by the name of a variable: `var.name`".into()))?;
            (Referent::Variable(name), 1)
        }
        "local" => {
            let name =
                first().ok_or_else(|| refuse("`local` is followed by the name of a local: `local.name`".into()))?;
            (Referent::Local(name), 1)
        }
        "module" => {
            let name =
                first().ok_or_else(|| refuse("`module` is followed by the name of a call: `module.name`".into()))?;
            return Ok(module(name, reference));
        }
        "each" => match traversal.attr(0) {
            Some("key") => (Referent::Each(EachPart::Key), 1),
            Some("value") => (Referent::Each(EachPart::Value), 1),
            _ => return Err(refuse("`each` has only `each.key` and `each.value`".into())),
        },
        "count" => match traversal.attr(0) {
            Some("index") => (Referent::CountIndex, 1),
            _ => return Err(refuse("`count` has only `count.index`".into())),
        },
        "self" => (Referent::SelfObject, 0),
        "path" => match first() {
            Some(name) if matches!(&*name, "module" | "root" | "cwd") => (Referent::Path(name), 1),
            _ => return Err(refuse("`path` has only `path.module`, `path.root` and `path.cwd`".into())),
        },
        "terraform" => match first() {
            Some(name) if matches!(&*name, "workspace" | "applying") => (Referent::Terraform(name), 1),
            _ => return Err(refuse("`terraform` has only `terraform.workspace` and `terraform.applying`".into())),
        },
        "data" => (Referent::Resource(ResourceKey { mode: Mode::Data, ..typed(traversal, 0, &refuse)? }), 2),
        "ephemeral" => (Referent::Resource(ResourceKey { mode: Mode::Ephemeral, ..typed(traversal, 0, &refuse)? }), 2),
        "resource" => (Referent::Resource(typed(traversal, 0, &refuse)?), 2),
        root => {
            let Some(name) = first() else { return Err(lone_word(root, reference)) };
            (Referent::Resource(ResourceKey::managed(Arc::clone(&traversal.root.name), name)), 1)
        }
    };
    let rest = steps.get(used..).unwrap_or_default();
    Ok(Reference { referent, steps: rest, tail: reference.tail, span: reference.span })
}

/// Reads what an entry of `depends_on` names; it must be an object as a whole.
///
/// # Errors
/// As [`resolve`], and `template.reference` where it names what cannot be waited for.
pub(crate) fn resolve_static(traversal: &Traversal) -> Result<(Referent, Vec<Step>), Diagnostic> {
    let reference = syntax::Reference { traversal, tail: Tail::None, span: traversal.span() };
    resolve(&reference).map(|resolved| (resolved.referent, resolved.steps.to_vec()))
}

fn typed(traversal: &Traversal, from: usize, refuse: &dyn Fn(String) -> Diagnostic) -> Result<ResourceKey, Diagnostic> {
    match (traversal.attr(from), traversal.attr(from + 1)) {
        (Some(type_name), Some(name)) => Ok(ResourceKey::managed(type_name, name)),
        _ => {
            let root = traversal.root_name();
            Err(refuse(format!("`{root}` is followed by a type and a name: `{root}.type.name`")))
        }
    }
}

/// A word alone refers to nothing; most often quotes were forgotten, or the first word of a reference.
fn lone_word(root: &str, reference: &syntax::Reference<'_>) -> Diagnostic {
    let problem = Diagnostic::error("template.reference", format!("`{root}` refers to nothing")).at(reference.span);
    let known = ["var", "local", "module", "data", "ephemeral", "each", "count", "self", "path", "terraform"];
    match suggest(root, known) {
        Some(near) if root.len() > 2 => problem.help(format!("did you mean `{near}`?")),
        _ => problem.help(format!(
            "a text is written in quotes: `\"{root}\"`; a variable as `var.{root}`, a resource as `type.name`"
        )),
    }
}

fn module<'a>(name: Arc<str>, reference: &syntax::Reference<'a>) -> Reference<'a> {
    let steps = reference.traversal.steps.get(1..).unwrap_or_default();
    let after_key = if steps.first().is_some_and(Step::is_index) { steps.get(1..).unwrap_or_default() } else { steps };
    let mut output = None;
    let mut rest = steps;
    let mut tail = reference.tail;
    if let Some(attr) = after_key.first().and_then(Step::as_attr) {
        output = Some(Arc::from(attr));
        rest = after_key.get(1..).unwrap_or_default();
    } else if after_key.is_empty() {
        let behind: &[Step] = match reference.tail {
            Tail::Index(_, steps) => steps,
            Tail::Splat(_, each) => steps_of_each(each),
            Tail::None => &[],
        };
        if let Some(attr) = behind.first().and_then(Step::as_attr) {
            output = Some(Arc::from(attr));
            rest = &[];
            tail = Tail::None;
        }
    }
    Reference { referent: Referent::Module { name, output }, steps: rest, tail, span: reference.span }
}

/// Returns the literal steps that a splat takes into every element.
pub(crate) fn steps_of_each(each: &Expr) -> &[Step] {
    match &each.kind {
        ExprKind::Relative(relative) if matches!(relative.source.kind, ExprKind::SplatItem) => &relative.steps,
        _ => &[],
    }
}
