use std::sync::PoisonError;

use super::{ModuleIdx, NodeId, NodeScope, Repeat, Table, Touched, env::Place};
use crate::{
    address::Address,
    error::{Diagnostic, Span},
    schema::Schema,
    template::{
        eval::{Evaluator, Options},
        syntax::{Body, Expr},
    },
    value::Value,
};

/// What an evaluation came to.
#[derive(Clone, Debug)]
pub(in crate::plan) struct Evaluated {
    /// The value; worth nothing while there is something to wait for.
    pub value: Value,
    /// The instances that it was made with.
    pub touched: Touched,
    /// Nodes that have to be there first.
    pub waits: Vec<NodeId>,
    /// Whether something that failed was used.
    pub poisoned: bool,
    /// What is wrong.
    pub problems: Vec<Diagnostic>,
}

impl Evaluated {
    /// Returns the evaluation that came to a value without touching anything.
    pub(in crate::plan) fn of(value: Value) -> Self {
        Self { value, touched: Touched::default(), waits: Vec::new(), poisoned: false, problems: Vec::new() }
    }
}

impl Table {
    /// Evaluates an expression in a place of a module instance.
    pub(in crate::plan) fn evaluate(
        &self,
        module: ModuleIdx,
        repeat: &Repeat,
        this: Option<&Value>,
        expr: &Expr,
    ) -> Evaluated {
        self.evaluate_with(module, repeat, this, expr.span, |evaluator| evaluator.eval(expr))
    }

    /// Evaluates the body of a block: an object of the schema's implied type, defaulted and checked.
    pub(in crate::plan) fn evaluate_body(
        &self,
        module: ModuleIdx,
        repeat: &Repeat,
        body: &Body,
        schema: &Schema,
        span: Span,
    ) -> Evaluated {
        self.evaluate_with(module, repeat, None, span, |evaluator| evaluator.eval_body(body, schema, span))
    }

    fn evaluate_with(
        &self,
        module: ModuleIdx,
        repeat: &Repeat,
        this: Option<&Value>,
        span: Span,
        run: impl FnOnce(&mut Evaluator<'_>) -> Value,
    ) -> Evaluated {
        *self.env.place.lock().unwrap_or_else(PoisonError::into_inner) = Place {
            module: self.module(module).address.clone(),
            span,
            count_index: repeat.count_index,
            each_key: repeat.each_key.clone(),
        };
        let scope = NodeScope::new(self, module, repeat, this);
        let edition = self.template.edition();
        let options = Options { edition, files: &*self.env.files, world: &*self.env.world, ..Options::default() };
        let mut evaluator = Evaluator::new(&scope, &self.env.functions, options);
        let value = run(&mut evaluator);
        let problems = evaluator.finish().diagnostics;
        let (asked, touched) = scope.into_asked();
        Evaluated { value, touched, waits: asked.waits, poisoned: asked.poisoned, problems }
    }

    /// Takes the value of an evaluation that waits for nothing, and reports what was wrong. `None` where it failed.
    pub(in crate::plan) fn settle(&mut self, evaluated: Evaluated, address: Option<&Address>) -> Option<Value> {
        let failed = evaluated.problems.iter().any(Diagnostic::is_error);
        for mut problem in evaluated.problems {
            if problem.address.is_none() {
                problem.address = address.map(ToString::to_string);
            }
            self.problems.push(problem);
        }
        (!failed).then_some(evaluated.value)
    }
}
