use crate::{
    address::{InstanceKey, Mode},
    error::{Diagnostic, Span},
    template::syntax::Expr,
    value::Value,
};

/// Who knows what names stand for: the planner, the applier, a checker, a console.
///
/// The evaluator asks for exactly what an expression needs, and never twice for the value of one place in it: `a.b[0].id`
/// asks for instance 0 of `a.b`, whatever the number of its siblings.
pub trait Scope {
    /// Answers one request. `span` is the reference in the text, for diagnostics.
    fn resolve(&self, request: &Request<'_>, span: Span) -> Resolution;

    /// Answers one request of which only the type of the answer counts: it stands in the arm of a conditional that is not
    /// taken.
    ///
    /// A scope that knows the type without the value answers with a value of that type that is not known, and need not
    /// have, wait for or note anything. Where that leaves the type of the arm open, evaluation asks again with
    /// [`resolve`](Self::resolve). The answer must not hang on what the scope happens to have already.
    fn resolve_type(&self, request: &Request<'_>, span: Span) -> Resolution {
        self.resolve(request, span)
    }

    /// Returns what an expression came to in another place, if it is one that comes to the same here. `typing` says that
    /// only its type counts.
    fn recall(&self, expr: &Expr, typing: bool) -> Recall {
        let (_, _) = (expr, typing);
        Recall::Never
    }

    /// Takes what an expression came to of which [`recall`](Self::recall) said that it is wanted: the value, and whether it
    /// met something that is not known; nothing where it has a problem or something is pending.
    fn remember(&self, expr: &Expr, typing: bool, outcome: Option<(Value, bool)>) {
        let (_, _, _) = (expr, typing, outcome);
    }

    /// Returns the provider that a module means by `local` in `provider::local::function`; `None` where it does not say.
    fn provider_of_function<'a>(&'a self, local: &'a str) -> Option<&'a str> {
        Some(local)
    }
}

/// What an expression refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// `var.name`.
    Variable(&'a str),
    /// `local.name`.
    Local(&'a str),
    /// `type.name`, `data.type.name`, `resource.type.name`.
    Resource {
        /// Whether it is a `resource` or a `data` block.
        mode: Mode,
        /// The resource type.
        type_name: &'a str,
        /// The block's name.
        name: &'a str,
        /// The instance; `None` for the whole: the object itself, a tuple of objects under `count`, an object of objects
        /// under `for_each`.
        ///
        /// The key is as written: under `count` the text `"0"` means 0, and under `for_each` the number 0 means `"0"`.
        key: Option<&'a InstanceKey>,
    },
    /// `module.name`, `module.name.output`.
    Module {
        /// The call's name.
        name: &'a str,
        /// The instance; `None` for the whole, as for resources.
        key: Option<&'a InstanceKey>,
        /// The one output that is wanted; `None` for an object of all of them. Without a key, and with a module that is
        /// repeated, the host answers with a failure that says so.
        output: Option<&'a str>,
    },
    /// `each.key`.
    EachKey,
    /// `each.value`.
    EachValue,
    /// `count.index`.
    CountIndex,
    /// `self`.
    SelfObject,
    /// `path.module`: the folder of the module at hand.
    PathModule,
    /// `path.root`: the folder of the root module.
    PathRoot,
    /// `path.cwd`: the working directory.
    PathCwd,
    /// `terraform.workspace`.
    Workspace,
    /// `terraform.applying`: whether a plan is being carried out; ephemeral.
    Applying,
}

/// The answer to a [`Request`].
#[derive(Clone, Debug)]
pub enum Resolution {
    /// The value, which may be unknown and marked.
    Value(Value),
    /// The host does not have it yet. Evaluation goes on with a stand-in, so that one pass asks for everything that an
    /// expression needs; its result is then worth nothing, and says so.
    Pending,
    /// It cannot be had; the reason is reported.
    ///
    /// `try`, `can` and the arm of a conditional that is not taken hide the reason, as they hide other problems; but not
    /// when its code is `template.reference` or `template.unsupported`: what is not declared is a mistake wherever it
    /// stands. An instance that happens not to exist is `eval.part`.
    Failed(Diagnostic),
}

/// What a scope says of an expression that may come to the same in several places.
#[derive(Clone, Debug)]
pub enum Recall {
    /// Nothing: it is evaluated wherever it stands.
    Never,
    /// It came to this before.
    Known {
        /// The value.
        value: Value,
        /// Whether it met something that is not known.
        met_unknown: bool,
    },
    /// [`Scope::remember`] is to be told what it comes to.
    Wanted,
}

impl From<Value> for Resolution {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

/// A scope in which nothing is declared: literals, operators, functions, and nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyScope;

impl Scope for EmptyScope {
    fn resolve(&self, _: &Request<'_>, span: Span) -> Resolution {
        Resolution::Failed(
            Diagnostic::error("eval.reference", "nothing can be referred to here")
                .label(span, "a reference")
                .help("only literals, operators and functions can stand here"),
        )
    }
}
