use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    sync::Arc,
};

use super::{Before, Calls, Drawing, Finalized, Finalizer};
use crate::{
    address::{Address, ResourcePath},
    error::{Diagnostic, Error, Result},
    plan::{Join, JoinId, Level, Need, Plan, Request, RowBase, RowUpdate, Step, StepAction, StepConfig, StepId},
    schema::Schema,
    state::{CheckResult, ObjectId, Row, RowStatus},
    value::{Kind, Type, Value},
};

/// What a run left, and what was there before: what is needed to undo it.
pub(super) struct Traces<'a> {
    /// What was carried out.
    pub(super) plan: &'a Plan,
    /// The rows that it touched, as they were.
    pub(super) before: &'a BTreeMap<ObjectId, Before>,
    /// The rows as they are.
    pub(super) rows: &'a HashMap<ObjectId, Row>,
    pub(super) calls: &'a dyn Calls,
}

/// How the work of a step is undone.
enum Undo<'a> {
    /// What it made is deleted.
    Delete,
    /// What it changed is changed back.
    Restore(&'a Before),
    /// What it deleted is made anew, as another object.
    Remake(&'a Before),
}

/// A step or a join of a plan, ordered so that whatever waits for it comes later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Place {
    after: u32,
    /// A join comes after the last step that it waits for, and before the next one.
    join: Option<u32>,
}

/// What stands for a place of the plan in the plan that undoes it.
#[derive(Clone, Copy, Debug)]
enum Link {
    Step(StepId),
    Join(JoinId),
}

impl Traces<'_> {
    /// Returns the plan that undoes what was done, last things first; without steps where there is nothing to undo.
    ///
    /// Its changes are those of the plan that it undoes, so that steps keep their types and providers.
    ///
    /// # Errors
    /// `registry.unknown_type` where a type is gone.
    ///
    /// # Complexity
    /// O((n + e) log n), n steps and joins, e needs, plus the attributes that are restored.
    pub(super) fn undo(&self) -> Result<Plan> {
        let mut plan = Plan {
            steps: Vec::new(),
            joins: Vec::new(),
            row_updates: self.row_updates(),
            base: self.rows.values().map(|row| RowBase { object_id: row.object_id, version: row.version }).collect(),
            warnings: Vec::new(),
            ..self.plan.clone()
        };
        plan.base.sort_unstable_by_key(|base| base.object_id);
        let users = self.users();
        let mut links: HashMap<Place, Link> = HashMap::new();
        let mut reborn = Reborn::new();
        for (place, users) in users.iter().rev() {
            let mut needs = Vec::new();
            let mut joins = Vec::new();
            for link in users.iter().filter_map(|user| links.get(user)) {
                match link {
                    Link::Step(step) => needs.push(Need { step: *step, level: Level::Done }),
                    Link::Join(join) => joins.push(*join),
                }
            }
            let step = place.join.is_none().then(|| self.plan.step(StepId(place.after))).flatten();
            let undo = step.and_then(|step| Some((step, self.how(step)?)));
            match undo {
                Some((step, undo)) => {
                    let mut step = self.step(step, &undo, &reborn)?;
                    step.id = StepId(plan.steps.len() as u32);
                    if let (Undo::Remake(before), Some(object_id)) = (&undo, step.object_id) {
                        reborn.insert(before.object_id, (object_id, step.id));
                    }
                    step.needs.extend(needs);
                    step.needs.sort_unstable();
                    step.needs.dedup();
                    step.joins = joins;
                    links.insert(*place, Link::Step(step.id));
                    plan.steps.push(step);
                }
                None if needs.is_empty() && joins.is_empty() => {}
                None => {
                    links.insert(*place, Link::Join(JoinId(plan.joins.len() as u32)));
                    plan.joins.push(Join { needs, joins });
                }
            }
        }
        Ok(plan)
    }

    /// Returns for each place, in order, what waits for it.
    fn users(&self) -> BTreeMap<Place, Vec<Place>> {
        let mut last: Vec<u32> = Vec::with_capacity(self.plan.joins.len());
        for join in &self.plan.joins {
            let steps = join.needs.iter().map(|need| need.step.0);
            let joins = join.joins.iter().filter_map(|join| last.get(join.0 as usize).copied());
            last.push(steps.chain(joins).max().unwrap_or_default());
        }
        let place_of =
            |join: u32| Place { after: last.get(join as usize).copied().unwrap_or_default(), join: Some(join) };
        let step_of = |step: StepId| Place { after: step.0, join: None };
        let mut users: BTreeMap<Place, Vec<Place>> = BTreeMap::new();
        let mut note = |user: Place, needs: &[Need], joins: &[JoinId]| {
            users.entry(user).or_default();
            let needed = needs.iter().map(|need| step_of(need.step)).chain(joins.iter().map(|join| place_of(join.0)));
            for needed in needed {
                users.entry(needed).or_default().push(user);
            }
        };
        for step in &self.plan.steps {
            note(step_of(step.id), &step.needs, &step.joins);
        }
        for (number, join) in (0..).zip(&self.plan.joins) {
            note(place_of(number), &join.needs, &join.joins);
        }
        users
    }

    /// Returns how a step is undone; `None` where it left nothing, or rows alone have to be mended.
    fn how(&self, step: &Step) -> Option<Undo<'_>> {
        let object_id = step.object_id?;
        let (before, now) = (self.before.get(&object_id), self.rows.get(&object_id));
        match (step.action, before, now) {
            (StepAction::Create, None, Some(_)) => Some(Undo::Delete),
            (StepAction::Update | StepAction::Delete, Some(before), Some(now))
                if before.attributes != now.attributes =>
            {
                Some(Undo::Restore(before))
            }
            (StepAction::Delete, Some(before), None) => Some(Undo::Remake(before)),
            _ => None,
        }
    }

    /// Returns what is mended in rows alone, before anything else: what was forgotten is known again, and what gave its
    /// address to a new object has it back.
    fn row_updates(&self) -> Vec<RowUpdate> {
        let mut updates = Vec::new();
        for step in &self.plan.steps {
            let Some(object_id) = step.object_id else { continue };
            match step.action {
                StepAction::Forget if !self.rows.contains_key(&object_id) => {
                    updates.extend(self.before.get(&object_id).map(|before| RowUpdate::Put(before.to_row())));
                }
                StepAction::Create => {
                    let change = self.plan.change(step.change);
                    let prior = step.prior.or_else(|| change.and_then(|change| change.prior_object));
                    let Some(before) = prior.and_then(|prior| self.before.get(&prior)) else { continue };
                    if let Some(row) = self.rows.get(&object_id) {
                        updates.push(RowUpdate::Put(Row { status: RowStatus::Deposed, ..row.clone() }));
                    }
                    let old = self.rows.get(&before.object_id);
                    if let Some(old) = old.filter(|old| old.status != before.status) {
                        updates.push(RowUpdate::Put(Row { status: before.status, ..old.clone() }));
                    }
                }
                _ => {}
            }
        }
        updates
    }

    fn step(&self, step: &Step, undo: &Undo<'_>, reborn: &Reborn) -> Result<Step> {
        let undone = Step {
            config: StepConfig::None,
            planned: None,
            planned_private: None,
            prior: step.object_id,
            needs: Vec::new(),
            joins: Vec::new(),
            prevent_destroy: false,
            has_conditions: false,
            ..step.clone()
        };
        let before = match undo {
            Undo::Delete => return Ok(Step { action: StepAction::Delete, ..undone }),
            Undo::Restore(before) | Undo::Remake(before) => before,
        };
        let schema = self.schema(before)?;
        let names = self.names(before, reborn);
        let open = open(&configured(&schema, &before.attributes), &names);
        let dependencies = before.dependencies.iter().map(|old| reborn.get(old).map_or(*old, |(new, _)| *new));
        let made_before = reborn.values().filter(|(new, _)| names.values().any(|(named, _)| named == new));
        let mut undone = Step {
            planned: Some(schema.planned_new(None, &open)),
            config: StepConfig::Residual(open),
            dependencies: dependencies.collect(),
            needs: made_before.map(|(_, step)| Need { step: *step, level: Level::Done }).collect(),
            wholes: before.wholes.clone(),
            create_before_destroy: before.create_before_destroy,
            prevent_destroy: before.prevent_destroy,
            ..undone
        };
        undone.dependencies.sort_unstable();
        Ok(match undo {
            Undo::Remake(_) => {
                Step { action: StepAction::Create, object_id: Some(ObjectId::mint()), prior: None, ..undone }
            }
            _ => Step { action: StepAction::Update, ..undone },
        })
    }

    fn schema(&self, before: &Before) -> Result<Arc<Schema>> {
        Ok(self.calls.resource(&before.type_name, &before.provider)?.schema())
    }

    /// Returns what an object may have called the ones that it depends on and that were made anew before it is restored:
    /// their old names, with where the new ones are found.
    ///
    /// What is made anew only later (the old one of a replacement that deletes first) keeps its old name here; the next
    /// plan sees that.
    fn names(&self, user: &Before, reborn: &Reborn) -> Names {
        let mut names = Names::new();
        let is_whole = |old: &ObjectId| {
            let before = self.before.get(old);
            before.is_some_and(|before| user.wholes.iter().any(|whole| whole.contains(&before.address)))
        };
        let by_whole = reborn.keys().filter(|old| !user.wholes.is_empty() && is_whole(old));
        for old in user.dependencies.iter().chain(by_whole) {
            let (Some((new, _)), Some(before)) = (reborn.get(old), self.before.get(old)) else { continue };
            let Ok(schema) = self.schema(before) else { continue };
            for (name, attribute) in &schema.block.attributes {
                let value = before.attributes.attribute(name).filter(|_| attribute.computed);
                if let Some(text) = value.and_then(|value| value.unmark_deep().0.as_str().map(str::to_owned)) {
                    names.insert(text, (*new, Arc::clone(name)));
                }
            }
        }
        names
    }
}

/// For each object that is made anew the new one, and the step that makes it.
type Reborn = HashMap<ObjectId, (ObjectId, StepId)>;

/// Old texts, and of which attribute of which new object they were.
type Names = BTreeMap<String, (ObjectId, Arc<str>)>;

/// Returns what the template could have said: attributes that it can set.
fn configured(schema: &Schema, attributes: &Value) -> Value {
    schema.block.map_attributes(attributes, &|attribute, part| {
        let is_kept = attribute.is_input() && !attribute.write_only;
        if is_kept { part.clone() } else { Value::null(attribute.ty.without_optional()).with_marks(part.marks()) }
    })
}

/// Returns the value with other texts for those that are names.
fn rename(value: &Value, names: &Names, new: impl Fn(&(ObjectId, Arc<str>)) -> Value) -> Value {
    if names.is_empty() {
        return value.clone();
    }
    let renamed = value.transform::<Infallible>(|_, part| {
        let name = match part.kind() {
            Kind::String(text) => names.get(&**text),
            _ => None,
        };
        Ok(name.map_or_else(|| part.clone(), |name| new(name).with_marks(part.marks())))
    });
    match renamed {
        Ok(renamed) => renamed,
        Err(never) => match never {},
    }
}

fn open(value: &Value, names: &Names) -> Value {
    rename(value, names, |_| Value::unknown(Type::String))
}

/// What a step that undoes something is made from.
#[derive(Debug)]
struct Source {
    config: Value,
    names: Names,
    prior: Option<Value>,
    schema: Arc<Schema>,
    order_lines: Vec<Arc<str>>,
}

/// Evaluates what a plan that undoes another left open; providers are configured as the plan that is undone says.
pub(super) struct Undoing {
    inner: Box<dyn Finalizer>,
    sources: HashMap<StepId, Source>,
    /// For each step one of the plan that is undone, for the same instance.
    origins: HashMap<StepId, Step>,
    made: HashMap<ObjectId, Value>,
}

impl Undoing {
    /// Returns what evaluates `plan`, which undoes what `traces` tells of. `inner` evaluates the plan that is undone.
    pub(super) fn new(traces: &Traces<'_>, plan: &Plan, inner: Box<dyn Finalizer>) -> Result<Self> {
        let mut forward: HashMap<_, &Step> = HashMap::new();
        for step in &traces.plan.steps {
            forward.entry(step.change).or_insert(step);
        }
        // A plan says what is made anew in the order in which it is made.
        let mut reborn = Reborn::new();
        let (mut sources, mut origins) = (HashMap::new(), HashMap::new());
        for step in &plan.steps {
            if let Some(origin) = forward.get(&step.change) {
                origins.insert(step.id, (*origin).clone());
            }
            let before = match step.action {
                StepAction::Update => step.object_id.and_then(|object| traces.before.get(&object)),
                StepAction::Create => traces.deleted(step.change, &reborn),
                _ => None,
            };
            let Some(before) = before else { continue };
            let schema = traces.schema(before)?;
            let prior = step.object_id.and_then(|object| traces.rows.get(&object));
            let source = Source {
                config: configured(&schema, &before.attributes),
                names: traces.names(before, &reborn),
                prior: prior.map(|row| row.attributes.clone()),
                schema,
                order_lines: before.order_lines.clone(),
            };
            sources.insert(step.id, source);
            if let (StepAction::Create, Some(new)) = (step.action, step.object_id) {
                reborn.insert(before.object_id, (new, step.id));
            }
        }
        Ok(Self { inner, sources, origins, made: HashMap::new() })
    }

    fn origin<'a>(&'a self, step: &'a Step) -> Step {
        self.origins.get(&step.id).unwrap_or(step).clone()
    }
}

impl Traces<'_> {
    /// Returns what a change had deleted and is made anew; the first that is not made yet.
    fn deleted(&self, change: crate::plan::ChangeIdx, made: &Reborn) -> Option<&Before> {
        let of_change = |step: &&Step| step.change == change && step.action == StepAction::Delete;
        let objects = self.plan.steps.iter().rev().filter(of_change).filter_map(|step| step.object_id);
        objects.filter(|object| !made.contains_key(object)).find_map(|object| self.before.get(&object))
    }
}

impl Finalizer for Undoing {
    fn paid_with(&self, step: &Step) -> Option<Vec<Arc<str>>> {
        self.sources.get(&step.id).map(|source| source.order_lines.clone())
    }

    fn finalize(&mut self, step: &Step) -> Result<Finalized> {
        let Some(source) = self.sources.get(&step.id) else {
            return Ok(Finalized { config: Value::null(Type::Any), planned: None, plan_again: false });
        };
        let made = |(object, name): &(ObjectId, Arc<str>)| {
            let value = self.made.get(object).and_then(|value| value.attribute(name));
            value.map_or_else(|| Value::unknown(Type::String), |value| value.unmark_deep().0)
        };
        let config = rename(&source.config, &source.names, made);
        let planned = source.schema.planned_new(source.prior.as_ref(), &config);
        Ok(Finalized { config, planned: Some(planned), plan_again: true })
    }

    fn missing(&mut self, step: &Step) -> Result<Vec<Request>> {
        let origin = self.origin(step);
        self.inner.missing(&origin)
    }

    fn opened(&mut self, address: &Address, value: &Value) -> Result<()> {
        self.inner.opened(address, value)
    }

    fn closed(&mut self, address: &Address) {
        self.inner.closed(address);
    }

    fn ephemeral_uses(&mut self, step: &Step) -> Vec<ResourcePath> {
        let origin = self.origin(step);
        self.inner.ephemeral_uses(&origin)
    }

    fn take_drawings(&mut self) -> Vec<Drawing> {
        self.inner.take_drawings()
    }

    fn drawn(&mut self, drawing: Drawing) {
        self.inner.drawn(drawing);
    }

    fn applied(&mut self, _: &Address, object_id: Option<ObjectId>, value: Value) {
        if let Some(object_id) = object_id {
            self.made.insert(object_id, value);
        }
    }

    fn checks(&mut self, unread: &BTreeMap<Address, String>) -> (Vec<CheckResult>, Vec<Diagnostic>) {
        self.inner.checks(unread)
    }

    fn provider_config(&mut self, step: &Step) -> Result<Option<Value>> {
        let origin = self.origin(step);
        self.inner.provider_config(&origin)
    }

    fn outputs(&mut self) -> Result<BTreeMap<String, Value>> {
        Err(Error::bug("a run that was undone has no outputs"))
    }
}
