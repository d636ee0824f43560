use std::sync::Arc;

use super::{
    Planner,
    instance::{Instance, Stage},
    outcome::Outcome,
    rows::present,
};
use crate::{
    error::Diagnostic,
    plan::{Action, Reason},
    resource::PlanResponse,
    schema::{Block, NestedBlock, Nesting, Schema},
    state::RowStatus,
    value::{Kind, Path, Step, Value},
};

impl Planner {
    /// Decides from a type's answer what becomes of an instance: the stage that comes next, or nothing where it failed.
    pub(super) fn decide(&mut self, instance: &mut Instance, response: PlanResponse) -> Option<Stage> {
        let kept = instance.kept.clone()?;
        let (plain, marks) = kept.unmark_deep_with_paths();
        // What is adopted is as secret as the template says.
        if let Some((_, Some(object))) = &mut instance.import {
            object.attributes = object.attributes.mark_with_paths(&present(&object.attributes, marks.clone()));
        }
        let prior = if instance.stage == Stage::Plan { self.prior(instance) } else { None };
        let before = prior.as_ref().map(|object| &object.attributes);
        let planned = self.accept(instance, &plain, before, &response.planned)?;
        if let Some(before) = before {
            let forces = forcing(&instance.schema, before, &planned, &response.requires_replace);
            if !forces.is_empty() {
                instance.forced = vec![Reason::ForcesReplacement { paths: forces }];
                return Some(Stage::PlanNew);
            }
        }
        // What is write-only is null from here on, and only as secret as the schema says, as it will be in state.
        let after = instance.schema.storable(&planned.mark_with_paths(&marks));
        let planned = after.unmark_deep().0;
        let was = self.prior_marked(instance);
        let mut outcome = Outcome {
            action: Action::NoOp,
            reasons: Vec::new(),
            before: was.clone(),
            after: Some(after.clone()),
            replace_paths: Vec::new(),
            config: kept,
            private: response.private,
            marks_only: false,
            checks: false,
        };
        match (before, was) {
            (Some(before), Some(was)) => {
                let paths = instance.schema.changed_paths(before, &planned);
                if !paths.is_empty() {
                    outcome.action = Action::Update;
                    outcome.reasons = vec![Reason::Changed { paths }];
                } else if !after.same(&was) && after.unmark_deep().0.same(before) {
                    outcome.action = Action::Update;
                    outcome.reasons = vec![Reason::SensitivityChanged];
                    outcome.marks_only = true;
                }
                if !outcome.needs_step() && self.is_unready(instance) {
                    outcome.action = Action::Wait;
                    outcome.reasons.insert(0, Reason::NotReady);
                }
            }
            (_, Some(_)) => {
                outcome.action = Action::Replace;
                for reason in &instance.forced {
                    if let Reason::ForcesReplacement { paths } = reason {
                        outcome.replace_paths.clone_from(paths);
                    }
                }
                outcome.reasons.clone_from(&instance.forced);
                if !self.may_go(instance) {
                    return None;
                }
            }
            (_, None) => {
                outcome.action = Action::Create;
                outcome.reasons = vec![if instance.row.is_some() { Reason::Vanished } else { Reason::NotInState }];
            }
        }
        instance.outcome = Some(outcome);
        Some(Stage::Check)
    }

    /// Returns whether nobody saw the object of an instance work since it was last changed.
    fn is_unready(&self, instance: &Instance) -> bool {
        instance.row.and_then(|number| self.rows.get(number)).is_some_and(|known| !known.gone && !known.row.ready)
    }

    /// Returns whether the object of an instance may be deleted; reports it where not.
    fn may_go(&mut self, instance: &Instance) -> bool {
        let Some(span) = instance.block.lifecycle.prevent_destroy else { return true };
        self.problems.push(
            Diagnostic::error(
                "plan.prevent_destroy",
                format!("`{}` would have to be replaced, which `prevent_destroy` forbids", instance.address),
            )
            .label(span, "set here")
            .address(instance.address.to_string())
            .help(format!("{}; or take `prevent_destroy` away, if the object may go", why(&instance.forced))),
        );
        false
    }

    /// Checks a type's answer; returns it as an object of the schema.
    fn accept(&mut self, instance: &Instance, config: &Value, prior: Option<&Value>, planned: &Value) -> Option<Value> {
        let type_name = &instance.key.type_name;
        let problems = match held_against(&instance.schema, config, prior, planned) {
            Ok(planned) => return Some(planned),
            Err(problems) => problems,
        };
        let list: Vec<String> = problems
            .iter()
            .map(|(path, what)| format!("`{}` {what}", path.to_string().trim_start_matches('.')))
            .collect();
        let problem = Diagnostic::error(
            "resource.plan_invalid",
            format!(
                "the resource type `{type_name}` planned `{}` against its contract: {}",
                instance.address,
                list.join("; ")
            ),
        )
        .address(instance.address.to_string())
        .help("this is a mistake in the resource type; report it to whoever maintains that")
        .at(instance.block.span);
        self.problems.push(problem);
        None
    }

    /// Returns why a new object is needed in any case; nothing where there is no old one.
    pub(super) fn forced(&mut self, instance: &mut Instance) -> Result<Vec<Reason>, super::instance::Go> {
        // Whatever it names is used, also where there is nothing to replace yet.
        let references = self.triggers(instance)?;
        let mut reasons = Vec::new();
        if self.prior_marked(instance).is_none() {
            return Ok(reasons);
        }
        if self.status(instance) == Some(RowStatus::Tainted) {
            reasons.push(Reason::Tainted);
        }
        if self.input.options.replace.contains(&instance.address) {
            reasons.push(Reason::Requested);
        }
        if !references.is_empty() {
            reasons.push(Reason::TriggeredBy { references });
        }
        Ok(reasons)
    }
}

/// Holds what a type planned against its schema, the configuration and the object as it is; returns it in its schema's
/// shape, without marks.
///
/// # Errors
/// Every place where they disagree, and how.
pub(crate) fn held_against(
    schema: &Schema,
    config: &Value,
    prior: Option<&Value>,
    planned: &Value,
) -> Result<Value, Vec<(Path, String)>> {
    let planned = schema.conform(&planned.unmark_deep().0)?;
    let mut problems = Vec::new();
    Judge { path: Path::root(), problems: &mut problems }.block(&schema.block, config, prior, &planned);
    if problems.is_empty() { Ok(planned) } else { Err(problems) }
}

/// Returns the paths that differ and can only be set when an object is made.
fn forcing(schema: &Schema, before: &Value, planned: &Value, by_type: &[Path]) -> Vec<Path> {
    let mut paths = schema.forces_replacement(before, planned);
    if !by_type.is_empty() {
        let changed = schema.changed_paths(before, planned);
        let differs = |path: &&Path| changed.iter().any(|other| other.starts_with(path) || path.starts_with(other));
        paths.extend(by_type.iter().filter(differs).cloned());
        paths.sort();
        paths.dedup();
    }
    paths
}

fn why(reasons: &[Reason]) -> String {
    match reasons.first() {
        Some(Reason::ForcesReplacement { paths }) => {
            let list: Vec<String> =
                paths.iter().map(|path| format!("`{}`", path.to_string().trim_start_matches('.'))).collect();
            format!("leave {} as it is", list.join(", "))
        }
        Some(Reason::Tainted) => "settle the tainted object (`stackwright untaint`)".to_owned(),
        Some(Reason::Requested) => "do not ask for a new one".to_owned(),
        _ => "leave what triggers it as it is".to_owned(),
    }
}

/// Holds a planned object against what the template says.
struct Judge<'a> {
    path: Path,
    problems: &'a mut Vec<(Path, String)>,
}

impl Judge<'_> {
    fn complain(&mut self, what: &str) {
        self.problems.push((self.path.clone(), what.to_owned()));
    }

    fn block(&mut self, block: &Block, config: &Value, prior: Option<&Value>, planned: &Value) {
        let Kind::Object(fields) = planned.kind() else {
            if !config.is_null() && config.is_known() {
                self.complain("is not planned as the object that the template says");
            }
            return;
        };
        for (name, value) in fields.iter() {
            let Some(wanted) = config.attribute(name) else { continue };
            let before = prior.and_then(|prior| prior.attribute(name));
            self.path.push(Step::Attr(Arc::clone(name)));
            if let Some(attribute) = block.attributes.get(name) {
                if attribute.write_only {
                    // It passes through the type's hands and is kept nowhere.
                } else if wanted.is_null() {
                    if !attribute.computed && !value.is_null() {
                        self.complain(
                            "is planned although the template does not set it and the resource does not decide it",
                        );
                    }
                } else {
                    self.attribute(wanted, before, value);
                }
            } else if let Some(nested) = block.blocks.get(name) {
                self.nested(nested, wanted, before, value);
            }
            self.path.pop();
        }
    }

    fn attribute(&mut self, wanted: &Value, before: Option<&Value>, planned: &Value) {
        if wanted.is_wholly_known() {
            let normalised = before.is_some_and(|before| !before.is_null() && before.same(planned));
            if !wanted.same(planned) && !normalised {
                self.complain("is planned otherwise than the template says");
            }
        } else if planned.is_wholly_known() {
            self.complain("is planned as known although what the template says is not known yet");
        }
    }

    fn nested(&mut self, nested: &NestedBlock, wanted: &Value, before: Option<&Value>, planned: &Value) {
        match nested.nesting {
            _ if !wanted.is_known() || !planned.is_known() => {
                if wanted.is_known() {
                    self.complain("is planned as unknown although the template says what it is");
                }
            }
            Nesting::Single | Nesting::Group if wanted.is_null() || planned.is_null() => {
                if wanted.is_null() != planned.is_null() {
                    self.complain("is planned otherwise than the template says");
                }
            }
            Nesting::Single | Nesting::Group => self.block(&nested.block, wanted, before, planned),
            _ if wanted.len() != planned.len() => self.complain("has another number of blocks than the template says"),
            // Blocks of a set have no names by which they could be held against each other.
            Nesting::Set => {}
            Nesting::List | Nesting::Map => {
                let pairs: Vec<(Step, &Value)> = match planned.kind() {
                    Kind::List(items) | Kind::Tuple(items) => {
                        items.iter().enumerate().map(|(idx, value)| (Step::Index(idx), value)).collect()
                    }
                    Kind::Map(fields) => {
                        fields.iter().map(|(key, value)| (Step::Key(Arc::clone(key)), value)).collect()
                    }
                    Kind::Object(fields) => {
                        fields.iter().map(|(key, value)| (Step::Attr(Arc::clone(key)), value)).collect()
                    }
                    _ => Vec::new(),
                };
                for (step, value) in pairs {
                    let wanted = wanted.part(&step).cloned();
                    let before = before.and_then(|before| before.part(&step));
                    self.path.push(step);
                    match wanted {
                        Some(wanted) => self.block(&nested.block, &wanted, before, value),
                        None => self.complain("is planned although the template does not say so"),
                    }
                    self.path.pop();
                }
            }
        }
    }
}

/// Returns a value (a configuration, or what was planned with it) as a plan may hold it: what is write-only is not known,
/// where `config` sets it.
pub(super) fn storable(schema: &Schema, value: &Value, config: &Value) -> Value {
    if !schema.block.any_attribute(&|attribute| attribute.write_only) {
        return value.clone();
    }
    let stripped = schema.strip_write_only(value);
    let Kind::Object(fields) = stripped.kind() else { return stripped };
    let parts = fields.iter().map(|(name, kept)| {
        let write_only = schema.block.attributes.get(name).is_some_and(|attribute| attribute.write_only);
        let set = config.attribute(name).filter(|set| write_only && !set.is_null());
        let kept = match set {
            Some(set) => Value::unknown(kept.ty()).with_marks(set.marks()),
            None => kept.clone(),
        };
        (Arc::clone(name), kept)
    });
    Value::object(parts.collect::<Vec<_>>()).with_marks(value.marks())
}
