use std::{collections::BTreeMap, collections::HashMap, sync::Arc};

use super::{
    TypeSource,
    node::{Env, Event, ModuleIdx, Options, Repeat, Table, Touched},
    planner::seconds,
};
use crate::{
    address::{Address, Mode},
    error::{Diagnostic, Diagnostics as _},
    event::Timestamp,
    state::{Row, RowStatus},
    template::{
        Template,
        eval::{FileAccess, Observation, ObservationKind, SystemWorld, World},
        syntax::Expr,
    },
    value::{Marks, Type, Value},
};

/// What a [`Console`] looks at.
pub struct ConsoleInput {
    /// The template whose names expressions may use.
    pub template: Arc<Template>,
    /// The root module's variables: converted, defaulted, marked.
    pub variables: BTreeMap<String, Value>,
    /// What exists.
    pub rows: Vec<Row>,
    /// The types that there are.
    pub types: Arc<dyn TypeSource>,
    /// The files that functions may read.
    pub files: Box<dyn FileAccess + Send>,
    /// What `terraform.workspace` says.
    pub workspace: String,
    /// What `path.cwd` says.
    pub root: String,
    /// What `plantimestamp()` says.
    pub timestamp: Timestamp,
}

/// Evaluates expressions in the root module, with resources as state has them.
///
/// What state does not have (instances that were never made, data sources, ephemeral resources) is not known.
#[derive(Debug)]
pub struct Console {
    table: Table,
    objects: HashMap<Address, Value>,
    /// Everything that was wrong with what expressions needed so far; computed once, told every time.
    problems: Vec<Diagnostic>,
}

struct Now(String, std::sync::Mutex<SystemWorld>);

impl World for Now {
    fn observe(&self, observation: Observation) -> Option<String> {
        match observation.kind {
            ObservationKind::PlanTimestamp => Some(self.0.clone()),
            _ => self.1.lock().unwrap_or_else(std::sync::PoisonError::into_inner).observe(observation),
        }
    }
}

impl Console {
    /// Returns a console. Nothing is evaluated yet.
    pub fn new(input: ConsoleInput) -> Self {
        let env = Env {
            functions: Arc::new(input.types.functions()),
            files: input.files,
            world: Box::new(Now(seconds(input.timestamp), std::sync::Mutex::default())),
            workspace: input.workspace,
            root: input.root,
            applying: false,
            place: Arc::default(),
        };
        let rows = input.rows.into_iter().filter(|row| row.status != RowStatus::Deposed);
        let objects = rows.map(|row| (row.address, row.attributes)).collect();
        let options = Options { eager: false, instance_limit: 1_000_000 };
        Self {
            table: Table::new(input.template, input.types, input.variables, env, options),
            objects,
            problems: Vec::new(),
        }
    }

    /// Returns the value of an expression, marked, and what is wrong with it or with what it needs.
    ///
    /// # Errors
    /// The problems, where one is an error.
    pub fn evaluate(&mut self, expr: &Expr) -> Result<Value, Vec<Diagnostic>> {
        loop {
            let evaluated = self.table.evaluate(ModuleIdx::ROOT, &Repeat::default(), None, expr);
            if evaluated.waits.is_empty() {
                self.problems.append(&mut self.table.problems);
                let mut problems = evaluated.problems;
                if evaluated.poisoned {
                    problems.extend(self.problems.iter().cloned());
                }
                problems.tidy();
                return if problems.has_errors() { Err(problems) } else { Ok(evaluated.value) };
            }
            evaluated.waits.iter().for_each(|node| self.table.demand(*node));
            while let Some(event) = self.table.next() {
                if let Event::Work(node) = event {
                    let address = self.table.address(node);
                    let marks = match &address {
                        Some(address) if address.mode() == Mode::Ephemeral => Marks::EPHEMERAL,
                        _ => Marks::NONE,
                    };
                    let value = address.and_then(|address| self.objects.get(&address).cloned());
                    let value = value.unwrap_or_else(|| Value::unknown(Type::Any)).with_marks(marks);
                    self.table.finish(node, value, Touched::default());
                }
            }
            if let Some(node) = evaluated.waits.iter().find(|node| !self.table.is_done(**node)) {
                let label = self.table.label(*node);
                return Err(vec![Diagnostic::error("plan.cycle", format!("`{label}` needs itself")).at(expr.span)]);
            }
        }
    }
}

impl std::fmt::Debug for ConsoleInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConsoleInput").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::{World as Paper, template};

    #[test]
    fn sees_locals_variables_and_rows() {
        let text = "variable \"v\" {\n default = 2\n}\nlocals {\n x = var.v + 1\n}\n\
                    resource \"thing\" \"a\" {\n name = \"n\"\n}\nresource \"thing\" \"b\" {\n count = local.x\n}\n\
                    locals {\n l = local.m\n m = local.l\n bad = 1 + \"x\"\n}\n";
        let mut world = Paper::default();
        let made = text.replace(" l = local.m\n m = local.l\n bad = 1 + \"x\"\n", "");
        world.settle(&made.replace("count = local.x", "count = 1"));
        let mut console = Console::new(ConsoleInput {
            template: template(text),
            variables: BTreeMap::new(),
            rows: world.rows.values().cloned().collect(),
            types: Arc::clone(&world.types) as _,
            files: Box::new(crate::template::eval::NoFiles),
            workspace: "w".to_owned(),
            root: "/r".to_owned(),
            timestamp: Timestamp::default(),
        });
        let mut check = |expression: &str| {
            let source = template(&format!("locals {{\n it = {expression}\n}}\n"));
            let expr = Arc::clone(&source.root().locals["it"].expr);
            console.evaluate(&expr).map_err(|problems| problems[0].code.to_string())
        };
        assert_eq!(check("local.x"), Ok(Value::number(3)));
        assert_eq!(check("upper(thing.a.name)"), Ok(Value::string("N")));
        assert_eq!(
            check("[length(thing.b), terraform.workspace, path.cwd]").map(|value| format!("{value:?}")),
            Ok("[3, \"w\", \"/r\"]".to_owned())
        );
        assert!(check("thing.b[1].name").is_ok_and(|value| !value.is_known()));
        assert_eq!(check("local.l"), Err("plan.cycle".to_owned()));
        assert!(check("local.bad").is_err() && check("local.bad").is_err());
        assert!(check("thing.zzz").is_err());
    }
}
