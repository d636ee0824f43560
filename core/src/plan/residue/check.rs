use std::collections::BTreeMap;

use super::Residue;
use crate::{
    address::{Address, Target},
    error::{Diagnostic, Result, Severity},
    plan::{Mode, node::ModuleIdx},
    state::{CheckKind, CheckResult, CheckStatus},
};

impl Residue {
    /// Returns what became of all conditions, now that the plan was carried out, and what `check` blocks warn of.
    /// `unread` are the data sources of such blocks that could not be read, and why.
    ///
    /// Nothing here stops anything: what cannot be evaluated is a warning, too.
    pub fn checks(&mut self, unread: &BTreeMap<Address, String>) -> (Vec<CheckResult>, Vec<Diagnostic>) {
        let mut results = self.plan.checks.clone();
        let mut warnings = Vec::new();
        if self.plan.mode == Mode::Destroy {
            return (results, warnings);
        }
        for result in &mut results {
            for instance in &mut result.instances {
                if result.kind != CheckKind::Check {
                    // What does not hold ended the run. But an ephemeral resource that nobody needed was never judged.
                    let is_ephemeral = result.type_name.as_deref().is_some_and(|name| name.starts_with("ephemeral."));
                    if !is_ephemeral || self.loans.was_opened(&instance.address) {
                        instance.status = CheckStatus::Pass;
                    }
                    continue;
                }
                match self.judge(instance.module.as_deref(), &result.name, unread) {
                    Ok((status, problems)) => (instance.status, instance.problems) = (status, problems),
                    Err(error) => {
                        instance.status = CheckStatus::Unknown;
                        let message = format!("`{}` could not be worked out: {}", instance.address, error.message());
                        warnings.push(Diagnostic::warning("plan.check_failed", message));
                    }
                }
            }
            result.settle();
        }
        if let Some(table) = self.table.as_mut() {
            warnings.append(&mut table.problems);
        }
        for warning in &mut warnings {
            warning.severity = Severity::Warning;
        }
        (results, warnings)
    }

    fn judge(
        &mut self,
        module: Option<&str>,
        name: &str,
        unread: &BTreeMap<Address, String>,
    ) -> Result<(CheckStatus, Vec<String>)> {
        let idx = self.module_of(module)?;
        let module = self.table()?.module(idx).address.clone();
        let inst = self.table()?.module(idx);
        let data = inst.module.checks.get(name).and_then(|check| check.data.clone());
        let node = inst.checks.get(name).copied();
        let node = node.ok_or_else(|| crate::Error::bug("a check is not in the plan's snapshot"))?;
        self.settle(&[node])?;
        let judged = self.table()?.judged(node).cloned();
        let mut judged = judged.ok_or_else(|| crate::Error::bug("a check was not evaluated"))?;
        let address = data.map(|key| key.path(&module.path()).within(module).instance(None));
        if let Some(message) = address.and_then(|address| unread.get(&address)) {
            judged.status = CheckStatus::Fail;
            judged.problems.insert(0, message.clone());
        }
        Ok((judged.status, judged.problems))
    }

    /// Finds the instance of a module that a text names; the root where there is none.
    pub(super) fn module_of(&mut self, module: Option<&str>) -> Result<ModuleIdx> {
        match module.map(str::parse::<Target>) {
            Some(Ok(Target::Module(module))) => self.locate_module(&module),
            _ => Ok(ModuleIdx::ROOT),
        }
    }

    /// Returns whether a data source belongs to a `check` block, so that it may fail.
    pub(crate) fn is_scoped(plan: &crate::plan::Plan, address: &Address) -> bool {
        let found = plan.reads.binary_search_by(|read| read.address.cmp(address));
        found.ok().and_then(|at| plan.reads.get(at)).is_some_and(|read| read.check.is_some())
    }
}

/// Names a thing in JSON: the address of what is declared.
pub(in crate::plan) fn config_address(result: &CheckResult) -> String {
    let own = match result.kind {
        CheckKind::Check => format!("check.{}", result.name),
        CheckKind::OutputValue => format!("output.{}", result.name),
        CheckKind::Var => format!("var.{}", result.name),
        CheckKind::Resource => format!("{}.{}", result.type_name.as_deref().unwrap_or_default(), result.name),
    };
    match &result.module {
        Some(module) => format!("{module}.{own}"),
        None => own,
    }
}
