//! Our side.

use std::panic::{AssertUnwindSafe, catch_unwind};

use stackwright::{
    error::{Diagnostic, Diagnostics as _, SourceId},
    template::{
        eval::{Evaluator, NotYet, Observation, ObservationKind, Options, World as Sight},
        hcl,
        syntax::Expr,
    },
    value::{Kind, Value},
};

use crate::{Outcome, world::World};

/// What a plan sees of the world: when it was made, and nothing else.
struct Planning;

impl Sight for Planning {
    fn observe(&self, observation: Observation) -> Option<String> {
        (observation.kind == ObservationKind::PlanTimestamp).then(|| "2026-01-02T03:04:05Z".to_owned())
    }
}

/// What came out of one expression.
pub struct Found {
    /// The outcome.
    pub outcome: Outcome,
    /// Whether an infinite number is in it, which Terraform cannot write down.
    pub is_infinite: bool,
    /// The expression, as far as it could be read.
    pub expr: Expr,
}

/// Evaluates an expression; a panic is an error whose message says so.
pub fn evaluate(world: &World, text: &str) -> Found {
    // A heredoc ends with its line.
    let (expr, problems) = hcl::parse_expression(SourceId(0), &format!("{text}\n"));
    let outcome = if problems.has_errors() {
        Err(message(&problems))
    } else {
        catch_unwind(AssertUnwindSafe(|| value(world, &expr))).unwrap_or_else(|_| Err("PANIC".to_owned()))
    };
    let is_infinite = outcome.as_ref().is_ok_and(is_infinite);
    let outcome = outcome.map_or_else(Outcome::Error, |value| Outcome::of(&value)).within(&world.folder());
    Found { outcome, is_infinite, expr }
}

/// Says what is wrong with an expression as long as nobody knows which types resources give, as in Terraform's first pass.
///
/// # Errors
/// The first problem.
pub fn validates(world: &World, expr: &Expr) -> Result<(), String> {
    seen(world.unplanned(), expr, &NotYet).map(drop)
}

/// Evaluates an expression that was read.
///
/// # Errors
/// The first problem.
pub fn value(world: &World, expr: &Expr) -> Result<Value, String> {
    seen(world, expr, &Planning)
}

fn seen(world: &World, expr: &Expr, sight: &dyn Sight) -> Result<Value, String> {
    let options = Options { files: &world.files, world: sight, ..Options::default() };
    let mut evaluator = Evaluator::new(world, &world.functions, options);
    let value = evaluator.eval(expr);
    let problems = evaluator.finish().diagnostics;
    if problems.has_errors() { Err(message(&problems)) } else { Ok(value) }
}

fn message(problems: &[Diagnostic]) -> String {
    let first = problems.iter().find(|problem| problem.is_error());
    first.map_or_else(String::new, |problem| format!("{}: {}", problem.code, problem.message))
}

fn is_infinite(value: &Value) -> bool {
    match value.kind() {
        Kind::Number(number) => number.is_infinite(),
        _ => value.elements().any(is_infinite) || value.entries().any(|(_, value)| is_infinite(value)),
    }
}
