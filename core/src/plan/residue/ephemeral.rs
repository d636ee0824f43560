use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::Residue;
use crate::{
    address::{Address, Mode as AddressMode, ResourcePath},
    error::{Diagnostic, Diagnostics as _, Error, Result},
    graph::NodeIdx,
    plan::{
        Action, Ask, Mode, Request, Step, StepConfig,
        node::{Lookup, ModuleIdx, NodeId, Repeat, Touched, Verdict, held},
    },
    schema::Schema,
    state::CheckKind,
    template::{Condition, ProviderAddress, ResourceBlock, StaticKind, StaticNode, Template, static_graph},
    value::Value,
};

/// What a run borrows: ephemeral resources that are open, or have to be.
#[derive(Debug, Default)]
pub(super) struct Loans {
    /// Nodes that were found missing since somebody last asked.
    pub(super) wanted: BTreeSet<NodeId>,
    /// What has to be opened before anything that needs it goes on.
    missing: BTreeMap<NodeId, Missing>,
    /// What is open.
    open: BTreeMap<Address, NodeId>,
    /// What was open at some time, so that its conditions hold.
    opened: BTreeSet<String>,
    /// Who may use which blocks, by the text of the template.
    links: Option<Links>,
}

impl Loans {
    /// Returns whether what has that address was open at some time.
    pub(super) fn was_opened(&self, address: &str) -> bool {
        self.opened.contains(address)
    }
}

#[derive(Clone, Debug)]
struct Missing {
    request: Request,
    /// Marked.
    config: Value,
    schema: Arc<Schema>,
}

impl Residue {
    /// Returns the ephemeral resources that have to be open before a step is evaluated, and are not. To be asked again
    /// once they are open: what they hold may lead to others.
    ///
    /// # Errors
    /// The plan's own snapshot cannot be read. What else is wrong is told when the step is evaluated.
    pub fn missing(&mut self, step: &Step) -> Result<Vec<Request>> {
        if !self.is_evaluated(step) || self.ephemeral_uses(step)?.is_empty() {
            return Ok(Vec::new());
        }
        // What fails here fails again when it is evaluated for good.
        let _ = self.provider_config(step);
        if let Ok(node) = self.locate(&step.address) {
            let (module, key, declared) = self.block(node)?;
            let repeat = self.table()?.repeat_of(node);
            if let (Some(block), Some(schema)) =
                (declared.resources.get(&key), self.types.schema(key.mode, &key.type_name))
            {
                if matches!(step.config, StepConfig::Residual(_)) {
                    let _ =
                        self.evaluate(|table| table.evaluate_body(module, &repeat, &block.body, &schema, block.span));
                }
                if step.has_conditions {
                    self.look_at_conditions(module, &repeat, block);
                }
            }
        }
        self.take_missing()
    }

    /// Returns the ephemeral resources that outputs and conditions of what did not change need, and that are not open.
    ///
    /// # Errors
    /// As [`Residue::missing`].
    pub fn missing_at_end(&mut self) -> Result<Vec<Request>> {
        let plan = Arc::clone(&self.plan);
        let open = |value: &Option<Value>| value.as_ref().is_some_and(|value| !value.is_wholly_known());
        let outputs: Vec<&String> =
            plan.outputs.iter().filter(|(_, change)| open(&change.after)).map(|(name, _)| name).collect();
        if plan.mode != Mode::Normal || (outputs.is_empty() && plan.checks.is_empty()) || !self.has_ephemeral()? {
            return Ok(Vec::new());
        }
        let root = self.table()?.root();
        let mut nodes: Vec<NodeId> =
            outputs.iter().filter_map(|name| root.outputs.get(name.as_str()).copied()).collect();
        for check in plan.checks.iter().filter(|check| check.kind == CheckKind::Check) {
            for inst in &check.instances {
                let module = self.module_of(inst.module.as_deref())?;
                nodes.extend(self.table()?.module(module).checks.get(check.name.as_str()));
            }
        }
        for node in nodes {
            let _ = self.settle(&[node]);
        }
        let unchanged = plan.changes.iter().filter(|change| matches!(change.action, Action::NoOp | Action::Wait));
        let read = plan.reads.iter().filter(|read| read.value.is_some()).map(|read| &read.address);
        for address in unchanged.map(|change| &change.address).chain(read) {
            let Ok(node) = self.locate(address) else { continue };
            let (module, key, declared) = self.block(node)?;
            let repeat = self.table()?.repeat_of(node);
            if let Some(block) = declared.resources.get(&key) {
                self.look_at_conditions(module, &repeat, block);
            }
        }
        self.take_missing()
    }

    /// Takes what an ephemeral resource holds.
    ///
    /// # Errors
    /// `resource.inconsistent` for what does not follow the schema; `plan.condition_failed` where a postcondition does not
    /// hold. Nobody can use it then.
    pub fn opened(&mut self, address: &Address, value: &Value) -> Result<()> {
        let found = self.loans.missing.iter().find(|(_, missing)| missing.request.address == *address);
        let (&node, missing) = found.ok_or_else(|| Error::bug("nobody asked for what was opened"))?;
        let value = held(&missing.schema, &missing.config, value, address, address.type_name())?;
        let problems = self.conditions(node, |block| block.lifecycle.postconditions.clone(), Some(&value))?;
        if problems.has_errors() {
            return Err(Error::from_diagnostics("plan.condition_failed", problems));
        }
        self.loans.missing.remove(&node);
        self.loans.opened.insert(address.to_string());
        self.loans.open.insert(address.clone(), node);
        self.table()?.finish(node, value, Touched::one(node));
        Ok(())
    }

    /// Takes that an ephemeral resource is open no more: who needs it from now on has to have it opened again.
    pub fn closed(&mut self, address: &Address) {
        let (Some(node), Some(table)) = (self.loans.open.remove(address), self.table.as_mut()) else { return };
        let users = table.users_of(node);
        table.forget(&users);
    }

    /// Returns the ephemeral blocks that a step may use, by the text of the template.
    ///
    /// # Errors
    /// The plan's own snapshot cannot be read.
    pub fn ephemeral_uses(&mut self, step: &Step) -> Result<Vec<ResourcePath>> {
        if self.loans.links.is_none() {
            let links = Links::of(self.table()?.template());
            self.loans.links = Some(links);
        }
        let provider = self.provider_name(step);
        Ok(self.loans.links.as_ref().map(|links| links.of_step(&step.address, &provider)).unwrap_or_default())
    }

    /// Returns whether anything about a step is evaluated while the plan runs.
    fn is_evaluated(&self, step: &Step) -> bool {
        let config = self.plan.provider_configs.get(&self.provider_name(step));
        step.has_conditions
            || matches!(step.config, StepConfig::Residual(_))
            || config.is_some_and(|config| !config.is_wholly_known())
    }

    fn has_ephemeral(&mut self) -> Result<bool> {
        let template = self.table()?.template();
        Ok(template.modules().any(|(_, module)| module.resources.keys().any(|key| key.mode == AddressMode::Ephemeral)))
    }

    /// Has everything that conditions refer to be there, but for `self`.
    fn look_at_conditions(&mut self, module: ModuleIdx, repeat: &Repeat, block: &ResourceBlock) {
        for Condition { condition, error_message, .. } in conditions(block) {
            for expr in [condition, error_message] {
                let this = Value::unknown(crate::value::Type::Any);
                let _ = self.evaluate(|table| table.evaluate(module, repeat, Some(&this), expr));
            }
        }
    }

    fn take_missing(&mut self) -> Result<Vec<Request>> {
        let wanted = std::mem::take(&mut self.loans.wanted);
        Ok(wanted
            .iter()
            .filter_map(|node| self.loans.missing.get(node))
            .map(|missing| missing.request.clone())
            .collect())
    }

    /// Works out what an ephemeral resource is to be opened with, once everything that this needs is there.
    pub(super) fn supply_ephemeral(&mut self, node: NodeId, address: Address) -> Result<()> {
        let (module, key, declared) = self.block(node)?;
        let types = Arc::clone(&self.types);
        let (Some(block), Some(schema)) = (declared.resources.get(&key), types.schema(key.mode, &key.type_name)) else {
            self.table()?.fail(node);
            return Ok(());
        };
        let known_configs = self.plan.provider_configs.clone();
        let table = self.table()?;
        let repeat = table.repeat_of(node);
        let implied = types.provider_of(&key.type_name);
        let mut waits = Vec::new();
        let provider: Arc<str> =
            match table.provider_lookup(module, block.provider.as_ref(), &implied, &repeat, block.span) {
                Lookup::Found(found) if found.is_root_default() && found.provider == implied => implied,
                Lookup::Found(found) => found.to_string().into(),
                Lookup::Missing => {
                    table.fail(node);
                    return Ok(());
                }
                Lookup::Waits(on) => {
                    table.wait(node, on);
                    return Ok(());
                }
            };
        let mut provider_config = known_configs.get(&provider).cloned();
        if provider_config.as_ref().is_some_and(|config| !config.is_wholly_known()) {
            let config = table.provider_node(&provider);
            if table.is_done(config) {
                provider_config = Some(table.value(config).clone());
            } else {
                waits.push(config);
            }
        }
        let evaluated = table.evaluate_body(module, &repeat, &block.body, &schema, block.span);
        waits.extend_from_slice(&evaluated.waits);
        for Condition { condition, error_message, .. } in conditions(block) {
            let this = Value::unknown(crate::value::Type::Any);
            for expr in [condition, error_message] {
                waits.extend(table.evaluate(module, &repeat, Some(&this), expr).waits);
            }
        }
        if !waits.is_empty() {
            table.wait(node, waits);
            return Ok(());
        }
        let Some(config) = table.settle(evaluated, Some(&address)) else {
            table.fail(node);
            return Ok(());
        };
        let subject = address.to_string();
        for condition in &block.lifecycle.preconditions {
            let code = "plan.condition_failed";
            let verdict = table.condition(module, &repeat, None, condition, code, &subject, &mut Vec::new());
            if !matches!(verdict, Verdict::Holds) {
                table.fail(node);
                return Ok(());
            }
        }
        let known = config.is_wholly_known() && provider_config.as_ref().is_none_or(Value::is_wholly_known);
        if !known {
            let message = format!("what `{address}` is opened with is not known even now");
            table.problems.push(Diagnostic::error("run.unknown_value", message).at(block.span).address(subject));
            table.fail(node);
            return Ok(());
        }
        table.hold(node);
        let config = schema.mark_sensitive(&config);
        let request = Request {
            address,
            type_name: Arc::clone(&key.type_name),
            provider,
            provider_config: provider_config.map(|config| config.unmark_deep().0),
            object_id: None,
            ask: Ask::Open(config.unmark_deep().0),
        };
        self.loans.missing.insert(node, Missing { request, config, schema });
        Ok(())
    }
}

fn conditions(block: &ResourceBlock) -> impl Iterator<Item = &Condition> {
    block.lifecycle.preconditions.iter().chain(&block.lifecycle.postconditions)
}

/// Which blocks and configurations of providers may use which ephemeral blocks, directly or not.
#[derive(Debug, Default)]
struct Links {
    users: HashMap<StaticNode, Vec<ResourcePath>>,
    /// The text of a configuration's address → its node.
    template: Option<Arc<Template>>,
}

impl Links {
    /// O((n + e) × k): n declarations, e references between them, k ephemeral blocks.
    fn of(template: &Arc<Template>) -> Self {
        let mut links = Self::default();
        let is_ephemeral = |node: &StaticNode| match &node.kind {
            StaticKind::Resource(key) if key.mode == AddressMode::Ephemeral => Some(key.path(&node.module)),
            _ => None,
        };
        if !template.modules().any(|(_, module)| module.resources.keys().any(|key| key.mode == AddressMode::Ephemeral))
        {
            return links;
        }
        let graph = static_graph(template);
        for idx in graph.nodes() {
            let Some(path) = graph.get(idx).and_then(is_ephemeral) else { continue };
            let mut seen: BTreeSet<NodeIdx> = BTreeSet::from([idx]);
            let mut open = vec![idx];
            while let Some(at) = open.pop() {
                open.extend(graph.dependents(at).map(|(user, _)| user).filter(|user| seen.insert(*user)));
            }
            for user in seen.iter().filter_map(|user| graph.get(*user)) {
                if matches!(user.kind, StaticKind::Resource(_) | StaticKind::Provider(_)) {
                    links.users.entry(user.clone()).or_default().push(path.clone());
                }
            }
        }
        links.template = Some(Arc::clone(template));
        links
    }

    fn of_step(&self, address: &Address, provider: &str) -> Vec<ResourcePath> {
        if self.users.is_empty() {
            return Vec::new();
        }
        let path = address.resource.path();
        let key = crate::template::ResourceKey {
            mode: path.mode,
            type_name: Arc::clone(&path.type_name),
            name: Arc::clone(&path.name),
        };
        let own = StaticNode { module: path.module, kind: StaticKind::Resource(key) };
        let nodes = [Some(own), self.provider(provider)];
        let found: BTreeSet<&ResourcePath> =
            nodes.iter().flatten().filter_map(|node| self.users.get(node)).flatten().collect();
        found.into_iter().cloned().collect()
    }

    fn provider(&self, text: &str) -> Option<StaticNode> {
        let address: ProviderAddress = text.parse().ok()?;
        let module = self.template.as_ref()?.module(&address.module)?;
        let block = module.provider_block(&address.provider, address.alias.as_deref())?;
        Some(StaticNode { module: address.module, kind: StaticKind::Provider(Arc::from(block.name.to_string())) })
    }
}
