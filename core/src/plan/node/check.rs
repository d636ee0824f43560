use std::sync::Arc;

use super::{ModuleIdx, NodeId, Repeat, Table, Touched, Verdict};
use crate::{error::Severity, state::CheckStatus};

/// What a `check` block of one module instance came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::plan) struct Judged {
    pub status: CheckStatus,
    /// What assertions say that do not hold.
    pub problems: Vec<String>,
}

impl Table {
    /// Works out whether the assertions of a `check` block hold.
    pub(super) fn check(&mut self, id: NodeId, module: ModuleIdx, name: &Arc<str>) {
        let inst = self.module(module);
        let Some(check) = inst.module.checks.get(name).cloned() else { return self.fail(id) };
        let own = format!("check.{name}");
        let label = if inst.address.is_root() { own } else { format!("{}.{own}", inst.address) };
        let mut judged = Judged { status: CheckStatus::Pass, problems: Vec::new() };
        let before = self.problems.len();
        let mut waits = Vec::new();
        for assert in &check.asserts {
            let none = Repeat::default();
            let subject = (label.as_str(), Severity::Warning);
            let (verdict, message) =
                self.judge(module, &none, None, assert, "plan.check_failed", subject, &mut Vec::new());
            match verdict {
                Verdict::Holds => {}
                Verdict::Unknown => judged.status = judged.status.max(CheckStatus::Unknown),
                Verdict::Fails => judged.status = CheckStatus::Fail,
                Verdict::Waits(on) => waits.extend(on),
            }
            judged.problems.extend(message);
        }
        if waits.is_empty() {
            self.checks.insert(id, judged);
            self.finish(id, Self::nothing(), Touched::default());
        } else {
            self.problems.truncate(before);
            self.wait(id, waits);
        }
    }

    /// Returns what a `check` block came to; nothing where it was not evaluated.
    pub(in crate::plan) fn judged(&self, id: NodeId) -> Option<&Judged> {
        self.checks.get(&id)
    }
}
