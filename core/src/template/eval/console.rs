//! What a console needs besides evaluation.

use super::{Evaluator, Problem};
use crate::{
    error::Diagnostic,
    template::syntax::{Expr, ExprKind},
    value::{Value, repl, type_repl},
};

/// Returns a value as a console shows it: in the template language, over several lines, `(sensitive value)` and
/// `(known after apply)` in place of what cannot be shown.
pub fn console_print(value: &Value) -> String {
    repl(value)
}

impl Evaluator<'_> {
    /// Returns what a console shows for an expression: its value, or for `type(…)` around the whole the type of that.
    pub fn console(&mut self, expr: &Expr) -> String {
        if let ExprKind::Call(call) = &expr.unparen().kind
            && &*call.full_name() == "type"
            && self.context.options().console
        {
            if let ([argument], false) = (call.args.as_slice(), call.expand_final) {
                let is_type = matches!(&argument.kind, ExprKind::Call(inner) if &*inner.full_name() == "type");
                if is_type {
                    return "type".to_owned();
                }
                return type_repl(&self.eval(argument).ty());
            }
            let count = call.args.len();
            let problem = Problem::new(format!("`type` takes 1 argument, not {count}"));
            let value = self.fail(Diagnostic::error(problem.code, problem.message).at(call.name_span()));
            return console_print(&value);
        }
        let value = self.eval(expr);
        console_print(&value)
    }
}
