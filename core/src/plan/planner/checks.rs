use std::collections::BTreeMap;

use super::{Planner, entry::Entry};
use crate::{
    address::{Address, InstanceKey, Mode as AddressMode, ModuleInstance, ModulePath},
    plan::{
        Action, Mode, Reason,
        node::{ModuleIdx, ModuleInst, NodeId},
    },
    state::{CheckInstance, CheckKind, CheckResult, CheckStatus},
    template::Module,
};

impl Planner {
    /// Has the data sources of `check` blocks be read once more while the plan is carried out, where it does anything.
    pub(super) fn read_again(&self, entries: &mut [Entry]) {
        if !entries.iter().any(|entry| entry.makes() || entry.deletes()) {
            return;
        }
        for entry in entries.iter_mut().filter(|entry| entry.outcome.action == Action::NoOp) {
            let is_scoped =
                entry.node.and_then(|node| self.instances.get(node)).is_some_and(|it| it.block.check.is_some());
            if is_scoped {
                entry.outcome.action = Action::Read;
                entry.outcome.reasons = vec![Reason::CheckNested];
            }
        }
    }

    /// Returns what became of all conditions of the template.
    pub(super) fn checks(&self) -> Vec<CheckResult> {
        let mut results = Vec::new();
        for (path, module) in self.input.template.modules() {
            declared(path, module, &mut results, &|result| match self.input.options.mode {
                // Nothing is evaluated then.
                Mode::Destroy => result.status = CheckStatus::Unknown,
                _ => {
                    for inst in self.table.instances_of(path).map(|idx| (idx, self.table.module(idx))) {
                        self.instances_in(inst, result);
                    }
                    result.settle();
                }
            });
        }
        results
    }

    fn instances_in(&self, (idx, inst): (ModuleIdx, &ModuleInst), result: &mut CheckResult) {
        let name = result.name.as_str();
        let undecided = |node: Option<&NodeId>| match node {
            Some(node) if self.table.undecided.contains(node) => CheckStatus::Unknown,
            _ => CheckStatus::Pass,
        };
        let own = |prefix: &str| instance(&inst.address, &format!("{prefix}.{name}"));
        match result.kind {
            CheckKind::OutputValue => {
                let status = undecided(inst.outputs.get(name));
                result.instances.push(CheckInstance { status, ..own("output") });
            }
            CheckKind::Var => {
                let status = undecided(inst.validations.get(name));
                result.instances.push(CheckInstance { status, ..own("var") });
            }
            CheckKind::Check => {
                let Some(judged) = inst.checks.get(name).and_then(|node| self.table.judged(*node)) else { return };
                let mut judged = judged.clone();
                if let Some(message) = self.unread.get(&(idx, result.name.clone())) {
                    judged.status = CheckStatus::Fail;
                    judged.problems.insert(0, message.clone());
                }
                result.instances.push(CheckInstance {
                    status: judged.status,
                    problems: judged.problems,
                    ..own("check")
                });
            }
            CheckKind::Resource => {
                let type_name = result.type_name.as_deref().unwrap_or_default();
                let (mode, type_name) = match type_name.split_once('.') {
                    Some(("data", type_name)) => (AddressMode::Data, type_name),
                    Some((_, type_name)) => (AddressMode::Ephemeral, type_name),
                    None => (AddressMode::Managed, type_name),
                };
                let Some(nodes) = inst.block(mode, type_name, name) else { return };
                let Some(expansion) = self.table.expansion(nodes.block) else { return };
                for node in expansion.keys.iter() {
                    let Some(address) = self.table.address(*node) else { continue };
                    let planned = self.instances.get(*node);
                    let known = planned.is_some_and(|planned| !planned.undecided && !is_read_later(planned));
                    let status = if known { CheckStatus::Pass } else { CheckStatus::Unknown };
                    result.instances.push(of_address(&address, status));
                }
            }
        }
    }
}

fn is_read_later(instance: &super::instance::Instance) -> bool {
    let outcome = instance.outcome.as_ref();
    outcome.is_some_and(|outcome| outcome.action == Action::Read && !instance.block.lifecycle.postconditions.is_empty())
}

/// Collects everything in a module that has conditions, and has it filled in.
fn declared(path: &ModulePath, module: &Module, into: &mut Vec<CheckResult>, fill: &dyn Fn(&mut CheckResult)) {
    let result = |kind, type_name: Option<String>, name: &str| CheckResult {
        kind,
        module: (!path.is_root()).then(|| path.to_string()),
        type_name,
        name: name.to_owned(),
        status: CheckStatus::Pass,
        instances: Vec::new(),
    };
    let checks = module.checks.keys().map(|name| result(CheckKind::Check, None, name));
    let outputs = module.outputs.values().filter(|output| !output.preconditions.is_empty());
    let outputs = outputs.map(|output| result(CheckKind::OutputValue, None, &output.name));
    let resources = module.resources.values().filter(|resource| {
        !resource.lifecycle.preconditions.is_empty() || !resource.lifecycle.postconditions.is_empty()
    });
    let resources = resources.map(|resource| {
        let key = &resource.key;
        result(CheckKind::Resource, Some(format!("{}{}", key.mode.prefix(), key.type_name)), &key.name)
    });
    let variables = module.variables.values().filter(|variable| !variable.validations.is_empty());
    let variables = variables.map(|variable| result(CheckKind::Var, None, &variable.name));
    let all: BTreeMap<(CheckKind, Option<String>, String), CheckResult> = checks
        .chain(outputs)
        .chain(resources)
        .chain(variables)
        .map(|result| ((result.kind, result.type_name.clone(), result.name.clone()), result))
        .collect();
    into.extend(all.into_values().map(|mut result| {
        fill(&mut result);
        result
    }));
}

fn instance(module: &ModuleInstance, own: &str) -> CheckInstance {
    let is_root = module.is_root();
    CheckInstance {
        address: if is_root { own.to_owned() } else { format!("{module}.{own}") },
        module: (!is_root).then(|| module.to_string()),
        key: None,
        status: CheckStatus::Pass,
        problems: Vec::new(),
    }
}

fn of_address(address: &Address, status: CheckStatus) -> CheckInstance {
    let own = address.module();
    CheckInstance {
        address: address.to_string(),
        module: (!own.is_root()).then(|| own.to_string()),
        key: address.key.as_ref().map(|key| match key {
            InstanceKey::Int(idx) => serde_json::json!(idx),
            InstanceKey::Str(text) => serde_json::json!(text),
        }),
        status,
        problems: Vec::new(),
    }
}
