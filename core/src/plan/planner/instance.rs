use std::sync::Arc;

use super::{Ask, Planner, Request, outcome::Outcome};
use crate::{
    address::{Address, Mode as AddressMode},
    error::{Diagnostic, Result},
    plan::{
        Mode, Reason,
        node::{Lookup, ModuleIdx, NodeId, Repeat, Touched, Verdict},
    },
    resource::Object,
    schema::Schema,
    state::{ObjectId, RowStatus},
    template::{ResourceBlock, ResourceKey},
    value::Value,
};

/// How far an instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its row is looked at, or its object is looked for.
    Look,
    /// Its block is evaluated.
    Configure,
    /// What was there is compared with what is wanted.
    Plan,
    /// The same once more, for a new object in place of the old one.
    PlanNew,
    /// Its type has answered; its postconditions are left.
    Check,
}

/// One instance of the template under way.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub node: NodeId,
    pub address: Address,
    pub module: ModuleIdx,
    pub block: Arc<ResourceBlock>,
    pub key: ResourceKey,
    pub repeat: Repeat,
    pub schema: Arc<Schema>,
    /// The text of the address of the provider's configuration.
    pub provider: Arc<str>,
    /// The same as rows have it: empty where it follows from the type.
    pub named_provider: Arc<str>,
    pub stage: Stage,
    /// The row of the object that is there.
    pub row: Option<u32>,
    /// The object that is adopted, by the id that people use, once it was found.
    pub import: Option<(String, Option<Object>)>,
    /// What everything it refers to was made with.
    pub touched: Vec<Touched>,
    /// What the template says; marked.
    pub config: Option<Value>,
    /// The same with what is ignored taken from the object that is there.
    pub kept: Option<Value>,
    /// Conditions could not be decided yet.
    pub undecided: bool,
    /// Why a new object is needed whatever the type says.
    pub forced: Vec<Reason>,
    pub outcome: Option<Outcome>,
}

impl Instance {
    /// Returns the provider's configuration as rows have it: empty where it follows from the type.
    pub(super) fn named_provider(&self) -> Arc<str> {
        Arc::clone(&self.named_provider)
    }
}

/// Instances by their nodes, whose numbers are dense.
#[derive(Debug, Default)]
pub(super) struct Instances(Vec<Option<Box<Instance>>>);

impl Instances {
    pub(super) fn get(&self, node: NodeId) -> Option<&Instance> {
        self.0.get(node.index())?.as_deref()
    }

    pub(super) fn take(&mut self, node: NodeId) -> Option<Box<Instance>> {
        self.0.get_mut(node.index())?.take()
    }

    pub(super) fn put(&mut self, instance: Box<Instance>) {
        let idx = instance.node.index();
        if self.0.len() <= idx {
            self.0.resize_with(idx + 1, || None);
        }
        if let Some(place) = self.0.get_mut(idx) {
            *place = Some(instance);
        }
    }

    /// Returns all of them, in order of their nodes.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Instance> {
        self.0.iter().filter_map(Option::as_deref)
    }
}

impl Planner {
    /// Goes on with an instance.
    pub(super) fn work(&mut self, node: NodeId) {
        let instance = match self.instances.take(node) {
            Some(instance) => Ok(instance),
            None => self.instance(node),
        };
        let mut instance = match instance {
            Ok(instance) => instance,
            Err(Go::Wait(on)) => return self.table.wait(node, on),
            Err(_) => return self.table.fail(node),
        };
        if self.outputs_only && instance.stage == Stage::Look && instance.row.is_none() {
            return self.leave_alone(node, &instance.address);
        }
        let result = match (instance.key.mode, self.input.options.mode) {
            (AddressMode::Data, _) => self.work_on_data(&mut instance),
            (AddressMode::Ephemeral, _) => self.work_on_ephemeral(&mut instance),
            (AddressMode::Managed, Mode::Normal) => self.work_on_managed(&mut instance),
            (AddressMode::Managed, _) => self.take_as_it_is(&mut instance),
        };
        match result {
            // It is no change of the plan: who uses it uses what it was made with.
            Go::On(value) if instance.key.mode == AddressMode::Ephemeral => {
                let touched = Touched::union(&instance.touched);
                self.table.finish_with(node, value, touched);
            }
            Go::On(value) => self.table.finish(node, value, Touched::one(node)),
            Go::Wait(on) => self.table.wait(node, on),
            Go::Asked => {}
            Go::Fail => self.table.fail(node),
        }
        self.instances.put(instance);
    }

    fn instance(&mut self, node: NodeId) -> Result<Box<Instance>, Go> {
        let address = self.table.address(node).ok_or(Go::Fail)?;
        let (module, key, _) = self.table.block_of(node).ok_or(Go::Fail)?;
        let key = key.clone();
        let block = self.table.module(module).module.resources.get(&key).map(Arc::clone).ok_or(Go::Fail)?;
        let Some(schema) = self.input.types.schema(key.mode, &key.type_name) else {
            let kind = match key.mode {
                AddressMode::Managed => "resource type",
                AddressMode::Data => "data source",
                AddressMode::Ephemeral => "ephemeral resource type",
            };
            let near = self.input.types.nearest(&key.type_name).map(|near| format!("did you mean `{near}`?"));
            let problem =
                Diagnostic::error("plan.type_unknown", format!("no {kind} `{}` is registered", key.type_name))
                    .at(block.span)
                    .help(near.unwrap_or_else(|| "register the provider that has it, or correct the name".to_owned()));
            // One problem for a block, however many instances it has.
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
            return Err(Go::Fail);
        };
        let repeat = self.table.repeat_of(node);
        let implied = self.input.types.provider_of(&key.type_name);
        let span = block.provider.as_ref().map_or(block.span, |named| named.span);
        let found = self.table.provider_lookup(module, block.provider.as_ref(), &implied, &repeat, span);
        let (provider, named_provider): (Arc<str>, Arc<str>) = match found {
            Lookup::Found(found) if found.is_root_default() && found.provider == implied => (implied, Arc::default()),
            Lookup::Found(found) => {
                let text: Arc<str> = found.to_string().into();
                (Arc::clone(&text), text)
            }
            Lookup::Missing => return Err(Go::Fail),
            Lookup::Waits(on) => return Err(Go::Wait(on)),
        };
        Ok(Box::new(Instance {
            node,
            address,
            module,
            block,
            key,
            repeat,
            schema,
            provider,
            named_provider,
            stage: Stage::Look,
            row: None,
            import: None,
            touched: Vec::new(),
            config: None,
            kept: None,
            undecided: false,
            forced: Vec::new(),
            outcome: None,
        }))
    }

    /// An instance that the targets do not mean stays as state has it.
    fn leave_alone(&mut self, node: NodeId, address: &Address) {
        let value =
            self.rows.at(address).and_then(|number| self.rows.get(number)).map(|known| known.row.attributes.clone());
        match value {
            Some(value) => self.table.finish(node, value, Touched::default()),
            None => self.table.fail(node),
        }
    }

    /// Where nothing is to be made, an instance is what its row says.
    fn take_as_it_is(&mut self, instance: &mut Instance) -> Go {
        let Some(number) = self.rows.at(&instance.address) else {
            if self.input.options.imports.contains_key(&instance.address) {
                return self.adopt_only(instance).unwrap_or_else(|go| go);
            }
            let value = Value::unknown(instance.schema.block.implied_type());
            return if self.input.options.mode == Mode::Destroy { Go::Fail } else { Go::On(value) };
        };
        instance.row = Some(number);
        let Some(known) = self.rows.get_mut(number) else { return Go::Fail };
        let task = known.task;
        if !self.table.is_done(task) {
            return Go::Wait(vec![task]);
        }
        if self.table.has_failed(task) {
            return Go::Fail;
        }
        known.claimed = true;
        if known.gone {
            return Go::On(Value::unknown(instance.schema.block.implied_type()));
        }
        let value = known.row.attributes.clone();
        if self.input.options.mode == Mode::RefreshOnly {
            instance.outcome = Some(Outcome::unchanged(value.clone()));
        }
        Go::On(value)
    }
    /// Returns the object that is there, not marked: the row's, or the one that is adopted.
    pub(super) fn prior(&self, instance: &Instance) -> Option<Object> {
        if let Some((_, found)) = &instance.import {
            return found
                .as_ref()
                .map(|object| Object { attributes: object.attributes.unmark_deep().0, ..object.clone() });
        }
        let known = self.rows.get(instance.row?).filter(|known| !known.gone)?;
        Some(Object {
            id: known.row.remote_id.clone().unwrap_or_default(),
            attributes: known.row.attributes.unmark_deep().0,
            private: known.row.private.clone(),
        })
    }

    /// Returns the same object with its marks.
    pub(super) fn prior_marked(&self, instance: &Instance) -> Option<Value> {
        if let Some((_, found)) = &instance.import {
            return found.as_ref().map(|object| object.attributes.clone());
        }
        self.rows.get(instance.row?).filter(|known| !known.gone).map(|known| known.row.attributes.clone())
    }

    /// Returns the status of the object that is there.
    pub(super) fn status(&self, instance: &Instance) -> Option<RowStatus> {
        self.rows.get(instance.row?).filter(|known| !known.gone).map(|known| known.row.status)
    }

    /// Asks something about an instance.
    pub(super) fn request(&mut self, instance: &Instance, object_id: Option<ObjectId>, ask: Ask) -> Go {
        let provider_config = self.provider_config(&instance.provider);
        if ask.touches_world() && provider_config.as_ref().is_some_and(|config| !config.is_wholly_known()) {
            let problem = Diagnostic::error(
                "plan.provider_unknown",
                format!(
                    "the configuration of provider `{}` is not known before apply, so `{}` cannot be looked up",
                    instance.provider, instance.address
                ),
            )
            .address(instance.address.to_string())
            .help("apply what the provider's configuration depends on first (`-target`)")
            .at(instance.block.span);
            self.problems.push(problem);
            return Go::Fail;
        }
        let object_id = object_id.or_else(|| Some(self.rows.get(instance.row?)?.row.object_id));
        let request = Request {
            address: instance.address.clone(),
            type_name: Arc::clone(&instance.key.type_name),
            provider: Arc::clone(&instance.provider),
            provider_config,
            object_id,
            ask,
        };
        self.ask(instance.node, request);
        Go::Asked
    }

    /// Evaluates a list of conditions; whether all of them hold or are left for later.
    pub(super) fn hold(
        &mut self,
        instance: &mut Instance,
        conditions: &[crate::template::Condition],
        this: Option<&Value>,
    ) -> Result<bool, Go> {
        if conditions.is_empty() {
            return Ok(true);
        }
        let mut all = true;
        let mut waits = Vec::new();
        let subject = instance.address.to_string();
        for condition in conditions {
            let mut touched = Vec::new();
            let verdict = self.table.condition(
                instance.module,
                &instance.repeat,
                this,
                condition,
                "plan.condition_failed",
                &subject,
                &mut touched,
            );
            instance.touched.append(&mut touched);
            match verdict {
                Verdict::Holds => {}
                Verdict::Fails => all = false,
                Verdict::Unknown => instance.undecided = true,
                Verdict::Waits(on) => waits.extend(on),
            }
        }
        if waits.is_empty() { Ok(all) } else { Err(Go::Wait(waits)) }
    }
}

/// What an attempt to go on with an instance came to.
#[derive(Clone, Debug)]
pub(super) enum Go {
    /// It is done, and this is its value.
    On(Value),
    /// These nodes have to be there first.
    Wait(Vec<NodeId>),
    /// A request was made.
    Asked,
    /// It failed; a problem was reported.
    Fail,
}
