use std::{path::PathBuf, sync::Arc};

use super::Stack;
use crate::{
    error::{Diagnostics as _, Error, Result, Sources},
    plan::{self, ConsoleInput},
    template::{
        RawVariables, Template,
        hcl::parse_expression,
        resolve_variables,
        syntax::{Expr, ExprKind},
    },
    value::{repl, type_repl},
};

/// Evaluates expressions against a template, its variables and what state holds.
///
/// What was never made is not known. Nothing is changed.
#[derive(Debug)]
pub struct Console {
    inner: plan::Console,
    sources: Sources,
}

impl Console {
    /// Returns an expression's value as `terraform console` prints it; `type(…)` around the whole gives its type.
    ///
    /// Sensitive values are shown as `(sensitive value)`.
    ///
    /// # Errors
    /// `template.invalid` with diagnostics whose spans point into [`Console::sources`].
    pub fn evaluate(&mut self, text: &str) -> Result<String> {
        let source = self.sources.add("<console>", text);
        let (expr, problems) = parse_expression(source, text);
        if problems.has_errors() {
            return Err(Error::from_diagnostics("template.invalid", problems));
        }
        let failed = |problems| Error::from_diagnostics("template.invalid", problems);
        match argument_of_type(&expr) {
            Some(argument) if argument_of_type(argument).is_some() => Ok("type".to_owned()),
            Some(argument) => self.inner.evaluate(argument).map(|value| type_repl(&value.ty())).map_err(failed),
            None => self.inner.evaluate(&expr).map(|value| repl(&value)).map_err(failed),
        }
    }

    /// Returns whether a text ends in the middle of an expression, so that another line may complete it.
    pub fn is_incomplete(text: &str) -> bool {
        let (_, problems) = parse_expression(crate::error::SourceId(0), text);
        let end = u32::try_from(text.trim_end().len()).unwrap_or(u32::MAX);
        problems.iter().any(|problem| {
            problem.code == "syntax.unterminated"
                || problem.span().is_some_and(|span| span.start >= end && !span.is_empty())
        })
    }

    /// Returns the texts that spans point into: the template's and every expression's.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }
}

/// Returns the argument of `type(…)`.
fn argument_of_type(expr: &Expr) -> Option<&Expr> {
    match &expr.unparen().kind {
        ExprKind::Call(call) if &*call.full_name() == "type" && !call.expand_final => match call.args.as_slice() {
            [argument] => Some(argument),
            _ => None,
        },
        _ => None,
    }
}

impl Stack {
    /// Returns a console on a template that was read without errors. `root` is the folder that functions may read.
    ///
    /// # Errors
    /// `template.invalid` where variables are missing or wrong; those of [`Store`](crate::state::Store).
    pub async fn console(
        &self,
        template: &Template,
        variables: &RawVariables,
        root: Option<PathBuf>,
    ) -> Result<Console> {
        let (variables, problems) = resolve_variables(template.root(), variables);
        if problems.has_errors() {
            return Err(Error::from_diagnostics("template.invalid", problems));
        }
        let files = self.engine.files(root.as_deref())?;
        let input = ConsoleInput {
            template: Arc::new(template.clone()),
            variables: variables.into_iter().map(|(name, value)| (name.to_string(), value)).collect(),
            rows: self.state().await?.rows,
            types: self.engine.registry(),
            files,
            workspace: self.key.name.to_string(),
            root: root.map_or_else(|| ".".to_owned(), |root| root.display().to_string()),
            timestamp: self.engine.inner.clock.now(),
        };
        Ok(Console { inner: plan::Console::new(input), sources: template.sources().clone() })
    }
}
