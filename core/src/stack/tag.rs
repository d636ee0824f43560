use super::Stack;
use crate::plan::{Plan, Tags};

impl Stack {
    /// Returns the locked tags of the stack: those of the engine, others that count more, and whose it is, which nobody can
    /// say otherwise.
    pub(super) fn locked_tags(&self, others: &Tags) -> Tags {
        let mut tags = self.engine.inner.tags.clone();
        tags.extend(others.iter().map(|(key, value)| (key.clone(), value.clone())));
        tags.insert("stackwright-tenant".to_owned(), self.key.tenant.to_string());
        tags.insert("stackwright-stack".to_owned(), self.key.name.to_string());
        tags
    }

    /// Returns the locked tags that a plan was made with. Plans of versions that had none bear those of today.
    pub(super) fn tags_of(&self, plan: &Plan) -> Tags {
        if plan.inputs.tags.is_empty() { self.locked_tags(&Tags::new()) } else { plan.inputs.tags.clone() }
    }
}
