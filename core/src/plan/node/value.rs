use std::sync::Arc;

use super::{Evaluated, Keys, ModuleIdx, NodeId, NodeKind, Repeat, Table, Touched};
use crate::{
    address::InstanceKey,
    error::{Diagnostic, Severity},
    template::{Condition, Output, Variable, ephemeral, infinite},
    value::{Marks, Type, Value},
};

/// What a condition came to.
#[derive(Clone, Debug)]
pub(in crate::plan) enum Verdict {
    /// It holds.
    Holds,
    /// It does not, or could not be evaluated; problems were reported.
    Fails,
    /// Nobody can tell yet.
    Unknown,
    /// These nodes have to be there first.
    Waits(Vec<NodeId>),
}

/// When a node that is made of others is touched in their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    /// In any case: it means whatever is there.
    Always,
    /// Where they are many.
    ForMany,
}

impl Table {
    /// Evaluates a node that is not the owner's.
    pub(super) fn evaluate_node(&mut self, id: NodeId) {
        match self.kind(id).clone() {
            NodeKind::Variable { module, name } => self.variable(id, module, &name),
            NodeKind::Validation { module, name } => self.validation(id, module, &name),
            NodeKind::Local { module, name } => {
                let Some(local) = self.module(module).module.locals.get(&name) else { return self.fail(id) };
                let evaluated = self.evaluate(module, &Repeat::default(), None, &local.expr);
                self.conclude(id, evaluated, |value| value);
            }
            NodeKind::Output { module, name } => self.output(id, module, &name),
            NodeKind::Call { module, name } => self.expand_call(id, module, &name),
            NodeKind::Block { .. } => self.expand_block(id),
            NodeKind::Whole { block } => self.whole(id, block),
            NodeKind::CallValue { module, name } => self.call_value(id, module, &name),
            NodeKind::CallDone { module, name } => self.call_done(id, module, &name),
            NodeKind::ModuleObject { module } => {
                let outputs = self.module(module).outputs.iter().map(|(name, id)| (Arc::clone(name), *id));
                let parts: Vec<(Arc<str>, NodeId)> = outputs.collect();
                let nodes: Vec<NodeId> = parts.iter().map(|(_, id)| *id).collect();
                self.gather(id, &nodes, Stands::ForMany, |table| {
                    Value::object(parts.iter().map(|(name, id)| (Arc::clone(name), table.value(*id).clone())))
                });
            }
            NodeKind::Provider { name } => self.provider(id, &name),
            NodeKind::Check { module, name } => self.check(id, module, &name),
            NodeKind::Import { idx } => self.import(id, idx),
            NodeKind::Instance { .. } | NodeKind::Task { .. } => {}
        }
    }

    /// Gives a node what an evaluation came to, or has it wait.
    pub(super) fn conclude(&mut self, id: NodeId, evaluated: Evaluated, finish: impl FnOnce(Value) -> Value) {
        if !evaluated.waits.is_empty() {
            return self.wait(id, evaluated.waits);
        }
        let (touched, poisoned) = (evaluated.touched.clone(), evaluated.poisoned);
        match self.settle(evaluated, None) {
            Some(value) => {
                self.node_mut(id).failed = poisoned;
                self.finish_with(id, finish(value), touched);
            }
            None => self.fail(id),
        }
    }

    /// Gives a node a value that is made of other nodes, once they are there. `stands` says whether who uses it touches the
    /// node and not the others.
    fn gather(&mut self, id: NodeId, parts: &[NodeId], stands: Stands, make: impl FnOnce(&Self) -> Value) {
        let waits: Vec<NodeId> = parts.iter().copied().filter(|part| !self.is_done(*part)).collect();
        if !waits.is_empty() {
            return self.wait(id, waits);
        }
        let touched = Touched::union(parts.iter().map(|part| self.touched(*part)));
        let value = make(self);
        self.node_mut(id).failed = parts.iter().any(|part| self.has_failed(*part));
        match stands {
            Stands::Always => self.finish_for(id, value, touched),
            Stands::ForMany => self.finish_with(id, value, touched),
        }
    }

    fn variable(&mut self, id: NodeId, module: ModuleIdx, name: &Arc<str>) {
        let inst = self.module(module);
        let Some(variable) = inst.module.variables.get(name).cloned() else { return self.fail(id) };
        let Some(parent) = inst.parent else {
            // The root's were converted when they were given.
            let given = self.variables.get(&**name).cloned().or_else(|| variable.default.clone());
            let Some(value) = given else {
                if variable.ephemeral && self.env.applying {
                    self.problems.push(
                        Diagnostic::error(
                            "variable.missing",
                            format!("the value of `{name}` is not stored with a plan"),
                        )
                        .label(variable.span, "ephemeral")
                        .help("give it again when the plan is applied"),
                    );
                }
                return self.fail(id);
            };
            return self.finish(id, value.with_marks(variable.marks()), Touched::default());
        };
        let call = inst.path.names().last().and_then(|call| self.module(parent).module.calls.get(call));
        let Some(call) = call else { return self.fail(id) };
        let Some(expr) = call.inputs.get(name).map(Arc::clone) else {
            let marks = variable.marks();
            return match variable.default {
                Some(value) => self.finish(id, value.with_marks(marks), Touched::default()),
                // Checking the template reported the missing input.
                None => self.fail(id),
            };
        };
        let mut evaluated = self.evaluate(parent, &inst.repeat, None, &expr);
        if !variable.ephemeral && ephemeral::is_ephemeral(&evaluated.value) {
            evaluated.problems.push(ephemeral::input(&variable, expr.span));
        }
        if evaluated.waits.is_empty() && !evaluated.problems.iter().any(Diagnostic::is_error) {
            match convert(&variable, &evaluated.value) {
                Ok(value) => evaluated.value = value,
                Err(why) => evaluated.problems.push(
                    Diagnostic::error("plan.variable", format!("the value for `{name}` does not fit: {why}"))
                        .at(expr.span)
                        .label(variable.span, format!("takes {}", variable.constraint.ty)),
                ),
            }
        }
        self.conclude(id, evaluated, |value| value);
    }

    fn validation(&mut self, id: NodeId, module: ModuleIdx, name: &Arc<str>) {
        let inst = self.module(module);
        let Some(variable) = inst.module.variables.get(name).cloned() else { return self.fail(id) };
        let label = if inst.address.is_root() { format!("var.{name}") } else { format!("{}.var.{name}", inst.address) };
        let mut undecided = false;
        for condition in &variable.validations {
            match self.condition(
                module,
                &Repeat::default(),
                None,
                condition,
                "plan.validation_failed",
                &label,
                &mut Vec::new(),
            ) {
                Verdict::Waits(on) => return self.wait(id, on),
                Verdict::Unknown => undecided = true,
                Verdict::Holds | Verdict::Fails => {}
            }
        }
        if undecided {
            self.undecided.push(id);
        }
        self.finish(id, Self::nothing(), Touched::default());
    }

    fn output(&mut self, id: NodeId, module: ModuleIdx, name: &Arc<str>) {
        let inst = self.module(module);
        let Some(output) = inst.module.outputs.get(name).cloned() else { return self.fail(id) };
        let is_root = inst.parent.is_none();
        let label = if is_root { format!("output.{name}") } else { format!("{}.{name}", inst.address) };
        let barriers: Vec<NodeId> =
            output.depends_on.iter().filter_map(|dependency| self.barrier(module, dependency)).collect();
        let waits: Vec<NodeId> = barriers.iter().copied().filter(|barrier| !self.is_done(*barrier)).collect();
        let mut evaluated = self.evaluate(module, &Repeat::default(), None, &output.expr);
        evaluated.waits.extend(waits);
        if !evaluated.waits.is_empty() {
            return self.wait(id, evaluated.waits);
        }
        evaluated.touched = Touched::union(
            [&evaluated.touched].into_iter().chain(barriers.iter().map(|barrier| self.touched(*barrier))),
        );
        let mut undecided = false;
        for condition in &output.preconditions {
            match self.condition(
                module,
                &Repeat::default(),
                None,
                condition,
                "plan.condition_failed",
                &label,
                &mut Vec::new(),
            ) {
                Verdict::Waits(on) => return self.wait(id, on),
                Verdict::Unknown => undecided = true,
                Verdict::Fails => evaluated.poisoned = true,
                Verdict::Holds => {}
            }
        }
        if undecided {
            self.undecided.push(id);
        }
        if is_root && !output.sensitive && evaluated.value.marks_deep().contains(Marks::SENSITIVE) {
            evaluated.problems.push(crate::template::sensitive_output(&output));
        }
        if is_root && !infinite::places(&evaluated.value).is_empty() {
            evaluated.problems.push(infinite::refuse(output.expr.span));
        }
        if !evaluated.poisoned {
            evaluated.problems.extend(ephemeral_output(&output, &evaluated.value));
        }
        self.conclude(id, evaluated, |value| value.with_marks(output.marks()));
    }

    fn whole(&mut self, id: NodeId, block: NodeId) {
        if !self.is_done(block) {
            return self.wait(id, vec![block]);
        }
        let Some(expansion) = self.expansion(block).map(Arc::clone) else { return self.fail(id) };
        let parts: Vec<NodeId> = expansion.keys.iter().copied().collect();
        // A block that is not repeated is its only instance; all of a repeated one is more than those of today.
        let stands = if matches!(expansion.keys, Keys::One(_)) { Stands::ForMany } else { Stands::Always };
        self.gather(id, &parts, stands, |table| match &expansion.keys {
            Keys::One(one) => table.value(*one).clone(),
            Keys::Count(list) => Value::tuple(list.iter().map(|part| table.value(*part).clone()).collect()),
            Keys::Each(map) => {
                Value::object(map.iter().map(|(key, part)| (Arc::clone(key), table.value(*part).clone())))
            }
        });
    }

    fn call_value(&mut self, id: NodeId, module: ModuleIdx, name: &Arc<str>) {
        let Some(call) = self.module(module).calls.get(name).map(|nodes| nodes.call) else { return self.fail(id) };
        if !self.is_done(call) {
            return self.wait(id, vec![call]);
        }
        let Some(expansion) = self.calls(call).map(Arc::clone) else { return self.fail(id) };
        let parts: Vec<NodeId> = expansion.keys.iter().map(|inst| self.module(*inst).object).collect();
        self.gather(id, &parts, Stands::ForMany, |table| {
            let value = |inst: &ModuleIdx| table.value(table.module(*inst).object).clone();
            match &expansion.keys {
                Keys::One(one) => value(one),
                Keys::Count(list) => Value::tuple(list.iter().map(value).collect()),
                Keys::Each(map) => Value::object(map.iter().map(|(key, inst)| (Arc::clone(key), value(inst)))),
            }
        });
    }

    fn call_done(&mut self, id: NodeId, module: ModuleIdx, name: &Arc<str>) {
        let Some(call) = self.module(module).calls.get(name).map(|nodes| nodes.call) else { return self.fail(id) };
        if !self.is_done(call) {
            return self.wait(id, vec![call]);
        }
        let Some(expansion) = self.calls(call).map(Arc::clone) else { return self.fail(id) };
        let mut parts = Vec::new();
        for inst in expansion.keys.iter() {
            let inst = self.module(*inst);
            parts.extend(inst.all_blocks().map(|nodes| nodes.whole));
            parts.extend(inst.calls.values().map(|nodes| nodes.done));
        }
        parts.sort_unstable();
        self.gather(id, &parts, Stands::Always, |_| Self::nothing());
    }

    /// Evaluates a condition.
    pub(in crate::plan) fn condition(
        &mut self,
        module: ModuleIdx,
        repeat: &Repeat,
        this: Option<&Value>,
        condition: &Condition,
        code: &'static str,
        subject: &str,
        touched: &mut Vec<Touched>,
    ) -> Verdict {
        self.judge(module, repeat, this, condition, code, (subject, Severity::Error), touched).0
    }

    /// Evaluates a condition of a subject; where it does not hold, that is reported with the severity, and the message is
    /// returned, unless it must not be seen.
    pub(super) fn judge(
        &mut self,
        module: ModuleIdx,
        repeat: &Repeat,
        this: Option<&Value>,
        condition: &Condition,
        code: &'static str,
        (subject, severity): (&str, Severity),
        touched: &mut Vec<Touched>,
    ) -> (Verdict, Option<String>) {
        let evaluated = self.evaluate(module, repeat, this, &condition.condition);
        if !evaluated.waits.is_empty() {
            return (Verdict::Waits(evaluated.waits), None);
        }
        let poisoned = evaluated.poisoned;
        touched.push(evaluated.touched.clone());
        let Some(value) = self.settle(evaluated, None) else { return (Verdict::Fails, None) };
        let value = crate::value::convert(&value, &Type::Bool).unwrap_or(value);
        match value.as_bool() {
            Some(true) => return (Verdict::Holds, None),
            Some(false) => {}
            None if !value.is_known() => return (if poisoned { Verdict::Fails } else { Verdict::Unknown }, None),
            None => {
                let what = if value.is_null() { "null".to_owned() } else { value.ty().friendly_name() };
                self.problems.push(
                    Diagnostic::error(code, format!("a condition of `{subject}` is {what}, neither true nor false"))
                        .at(condition.condition.span),
                );
                return (Verdict::Fails, None);
            }
        }
        let message = self.evaluate(module, repeat, this, &condition.error_message);
        if !message.waits.is_empty() {
            return (Verdict::Waits(message.waits), None);
        }
        let hidden = !message.value.marks_deep().is_empty();
        let text = crate::value::convert(&message.value, &Type::String).ok();
        // As Terraform has it: without the blanks around it, and one that is empty says nothing.
        let text = text.as_ref().and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
        let said = text.filter(|_| !hidden).map(ToOwned::to_owned);
        let text = match &said {
            Some(text) => text.clone(),
            None if hidden => "a condition does not hold (its message holds a sensitive value)".to_owned(),
            None => "a condition does not hold".to_owned(),
        };
        let help = match severity {
            Severity::Error => format!("the template demands it of `{subject}`"),
            Severity::Warning => format!("`{subject}` asserts it; it warns, and stops nothing"),
        };
        let problem =
            Diagnostic::error(code, text).label(condition.condition.span, "this is false").address(subject).help(help);
        self.problems.push(Diagnostic { severity, ..problem });
        (Verdict::Fails, said)
    }
}

/// An output says whether its value is ephemeral, and it is.
fn ephemeral_output(output: &Output, value: &Value) -> Option<Diagnostic> {
    match (output.ephemeral, ephemeral::is_ephemeral(value)) {
        (false, true) => Some(ephemeral::undeclared_output(output)),
        (true, false) => Some(ephemeral::plain_output(output)),
        _ => None,
    }
}

/// Converts a value to what a variable of a called module takes.
fn convert(variable: &Variable, value: &Value) -> Result<Value, String> {
    let marks = variable.marks();
    if value.is_null() && !variable.nullable {
        return match &variable.default {
            Some(default) => Ok(default.clone().with_marks(value.marks() | marks)),
            None => Err("it is null".to_owned()),
        };
    }
    let filled = variable.constraint.apply_defaults(value);
    let filled = filled.with_marks(marks);
    crate::value::convert(&filled, &variable.constraint.ty).map_err(|error| error.to_string())
}

impl Table {
    /// Returns the key of an instance node.
    pub(in crate::plan) fn key_of(&self, id: NodeId) -> Option<&InstanceKey> {
        match self.kind(id) {
            NodeKind::Instance { key, .. } => key.as_ref(),
            _ => None,
        }
    }
}
