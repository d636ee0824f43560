//! What a form looks like for what was filled in.
//!
//! ```text
//! values: each field behind those that it looks at ─▶ rules: all fields at once ─▶ finish: bind, tally, hash
//! ```
//!
//! Values come first, since conditions, defaults and options hang on them; validators may refer to one another's fields
//! freely, and so are looked at when all values are there.

mod field;
mod finish;
mod offer;
mod rules;
mod validate;
mod value;

pub use validate::validate;
pub(super) use value::same;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    error::Severity,
    value::{Type, Value},
};

use super::{
    Condition, Context, DataRequest, Expression, FieldPath, FieldState, Fields, Form, FormState, Inputs, Item, Preset,
    Problem,
    condition::{Judge, Truth},
};

/// Works out what a form looks like for what was filled in and answered so far. Pure: no clock, no chance, no I/O.
///
/// # Complexity
/// O(fields + references + options + size of the values); each rule and each expression is evaluated once.
pub fn eval(form: &Form, inputs: &Inputs, context: &Context) -> FormState {
    let mut run = Run {
        form,
        inputs,
        context,
        preset: inputs.preset.as_deref().and_then(|name| form.preset(name)),
        requests: Vec::new(),
        request_idx: HashMap::new(),
        generated: BTreeMap::new(),
        discard: Vec::new(),
        is_settled: true,
    };
    let given = Given { values: &inputs.values, prefix: None };
    let mut worked = run.values(&form.fields, &given, None);
    run.rules(&form.fields, &mut worked, None);
    run.finish(worked)
}

/// One evaluation.
struct Run<'a> {
    form: &'a Form,
    inputs: &'a Inputs,
    context: &'a Context,
    preset: Option<&'a Preset>,
    requests: Vec<DataRequest>,
    request_idx: HashMap<Arc<str>, usize>,
    generated: BTreeMap<Arc<str>, Value>,
    discard: Vec<Arc<str>>,
    /// Whether nothing is open: no field waits, no choice is yet to be looked up.
    is_settled: bool,
}

/// What was filled in side by side.
struct Given<'a> {
    values: &'a BTreeMap<Arc<str>, Value>,
    /// The path of the item around, such as `disks[0]`; `None` at the top.
    prefix: Option<&'a str>,
}

/// What a declaration stands for in expressions.
#[derive(Clone)]
struct Slot {
    value: Value,
    presence: Truth,
}

/// What was worked out of fields side by side.
struct Worked {
    states: Vec<FieldState>,
    slots: Vec<Slot>,
    /// The items of each list.
    items: Vec<Option<Vec<Worked>>>,
}

/// Where references look: the fields beside, and those around.
struct Level<'a> {
    slots: &'a [Slot],
    outer: Option<&'a Level<'a>>,
}

impl Level<'_> {
    fn look(&self, path: &FieldPath) -> Value {
        let Some(target) = &path.target else { return Value::unknown(Type::Any) };
        let mut level = self;
        for _ in 0..target.level {
            match level.outer {
                Some(outer) => level = outer,
                None => return Value::unknown(Type::Any),
            }
        }
        let mut waits = false;
        for slot in target.fields.iter().filter_map(|&idx| level.slots.get(idx)) {
            match slot.presence {
                Truth::True => return path.within(&slot.value),
                Truth::Unknown => waits = true,
                Truth::False => {}
            }
        }
        if waits { Value::unknown(Type::Any) } else { Value::null(Type::Any) }
    }

    /// Adds what an expression waits for.
    fn waits(&self, expression: &Expression, into: &mut Vec<Arc<str>>) {
        for path in &expression.references {
            if !self.look(path).is_known() && !into.contains(&path.key) {
                into.push(Arc::clone(&path.key));
            }
        }
    }

    fn truth(&self, condition: &Condition, state: &mut FieldState) -> Truth {
        if let Some(constant) = condition.constant() {
            return Truth::of(constant);
        }
        let mut look = |path: &FieldPath| self.look(path);
        let mut judge = Judge { look: &mut look, problems: Vec::new() };
        let truth = condition.truth(&mut judge);
        let problems = judge.problems;
        problems.into_iter().for_each(|message| state.complain("form.evaluation", &message));
        if truth == Truth::Unknown {
            condition.for_each_expression(&mut |expression| self.waits(expression, &mut state.waits_for));
        }
        truth
    }

    fn value(&self, expression: &Expression, state: &mut FieldState) -> Value {
        let outcome = expression.eval(&mut |path| self.look(path));
        outcome.problem.iter().for_each(|message| state.complain("form.evaluation", message));
        outcome.value
    }
}

impl FieldState {
    /// Adds an error.
    fn complain(&mut self, code: &'static str, message: &str) {
        self.complain_with(code, message.into(), Severity::Error, Vec::new());
    }

    fn complain_with(&mut self, code: &'static str, message: Arc<str>, severity: Severity, refs: Vec<Arc<str>>) {
        let path = Arc::clone(&self.path);
        self.problems.push(Problem { code, severity, message, path, refs });
    }

    fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }
}

impl Worked {
    fn into_states(self) -> Vec<FieldState> {
        let items = self.items.into_iter();
        let join = |(mut state, items): (FieldState, Option<Vec<Worked>>)| {
            state.items =
                items.map(|items| items.into_iter().map(|item| Item { fields: item.into_states() }).collect());
            state
        };
        self.states.into_iter().zip(items).map(join).collect()
    }
}

impl<'a> Run<'a> {
    /// Works out the values of fields side by side.
    fn values(&mut self, set: &'a Fields, given: &Given<'_>, outer: Option<&Level<'_>>) -> Worked {
        let unknown = || Slot { value: Value::unknown(Type::Any), presence: Truth::Unknown };
        let mut slots: Vec<Slot> = std::iter::repeat_with(unknown).take(set.list.len()).collect();
        let mut done: Vec<Option<(FieldState, Option<Vec<Worked>>)>> =
            std::iter::repeat_with(|| None).take(set.list.len()).collect();
        for &idx in &set.order {
            let (Some(field), Some(place)) = (set.list.get(idx), done.get_mut(idx)) else { continue };
            let path = match given.prefix {
                None => Arc::clone(&field.name),
                Some(prefix) => Arc::from(format!("{prefix}.{}", field.name)),
            };
            let ordinal = set.indices(&field.name).iter().position(|&twin| twin == idx).unwrap_or_default();
            let level = Level { slots: &slots, outer };
            let (state, slot, items) = self.field(field, FieldState::new(path, ordinal), given, &level);
            *place = Some((state, items));
            if let Some(own) = slots.get_mut(idx) {
                *own = slot;
            }
        }
        self.discard_absent(set, given, &slots);
        let mut worked = Worked { states: Vec::with_capacity(slots.len()), slots, items: Vec::new() };
        for (state, items) in done.into_iter().flatten() {
            worked.states.push(state);
            worked.items.push(items);
        }
        worked
    }
}
