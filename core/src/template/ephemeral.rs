//! Where ephemeral values may not stand. Checking a template and planning it say the same.

use crate::{
    error::{Diagnostic, Span},
    template::model::{Output, Variable},
    value::{Marks, Value},
};

/// Returns whether any part of a value must not be stored.
pub(crate) fn is_ephemeral(value: &Value) -> bool {
    value.marks_deep().contains(Marks::EPHEMERAL)
}

/// An argument whose value is stored.
pub(crate) fn argument(name: &str, span: Span) -> Diagnostic {
    Diagnostic::error("plan.ephemeral", format!("`{name}` cannot take an ephemeral value: what it is set to is stored"))
        .label(span, "ephemeral")
        .help("only write-only attributes and the configurations of providers take what must not be stored")
}

/// `count` or `for_each`: `word` says which, `name` of what.
pub(crate) fn repetition(word: &str, name: &str, span: Span) -> Diagnostic {
    Diagnostic::error("plan.ephemeral", format!("the `{word}` of `{name}` is ephemeral"))
        .label(span, "may be another one when the plan is applied")
        .help("take it from values that are not ephemeral")
}

/// A variable of a module that is not declared for it.
pub(crate) fn input(variable: &Variable, span: Span) -> Diagnostic {
    let name = &variable.name;
    Diagnostic::error("plan.ephemeral", format!("the variable `{name}` takes no ephemeral value"))
        .label(span, "ephemeral")
        .label(variable.span, "declared without `ephemeral = true`")
}

/// An output that is not declared for it.
pub(crate) fn undeclared_output(output: &Output) -> Diagnostic {
    let name = &output.name;
    Diagnostic::error("plan.ephemeral", format!("the output `{name}` is not declared as ephemeral"))
        .label(output.expr.span, "ephemeral")
        .help("say `ephemeral = true`, in a module that is called; what the root puts out is stored")
}

/// An output that is declared for it, and is none.
pub(crate) fn plain_output(output: &Output) -> Diagnostic {
    let name = &output.name;
    Diagnostic::error("plan.ephemeral", format!("the output `{name}` is declared as ephemeral"))
        .label(output.expr.span, "not ephemeral")
        .help("remove `ephemeral = true`")
}
