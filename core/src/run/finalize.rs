use std::{collections::BTreeMap, sync::Arc};

pub use crate::plan::{Drawing, Finalized};
use crate::{
    address::{Address, ResourcePath},
    error::{Diagnostic, Error, Result},
    plan::{Plan, Request, Residue, Step, StepConfig},
    state::{CheckResult, ObjectId},
    value::Value,
};

/// Turns what a plan left open into values while the plan runs.
///
/// Pure: it sees the plan, what applied steps came to, and nothing else. The driver owns it and calls it from one
/// task; a call must not block. On resume the driver first replays [`Finalizer::drawn`] and [`Finalizer::applied`]
/// from the journal, in the order in which they happened.
pub trait Finalizer: Send {
    /// Evaluates a step's configuration right before it starts, preconditions included.
    ///
    /// # Errors
    /// What evaluation says, with diagnostics; the step then fails before any effect.
    fn finalize(&mut self, step: &Step) -> Result<Finalized>;

    /// Returns the ephemeral resources that have to be open before anything of a step is asked, and are not. Asked again
    /// once they are open.
    ///
    /// # Errors
    /// What is wrong with the plan; the step then fails before any effect.
    fn missing(&mut self, step: &Step) -> Result<Vec<Request>> {
        let _ = step;
        Ok(Vec::new())
    }

    /// Returns the same for outputs and conditions once the run has ended.
    ///
    /// # Errors
    /// As [`Finalizer::missing`].
    fn missing_at_end(&mut self) -> Result<Vec<Request>> {
        Ok(Vec::new())
    }

    /// Takes what an ephemeral resource holds.
    ///
    /// # Errors
    /// It does not follow its schema, or a postcondition does not hold; nobody can use it then.
    fn opened(&mut self, address: &Address, value: &Value) -> Result<()> {
        let (_, _) = (address, value);
        Ok(())
    }

    /// Takes that an ephemeral resource is open no more.
    fn closed(&mut self, address: &Address) {
        let _ = address;
    }

    /// Returns the ephemeral blocks that a step may use: they stay open until it has ended.
    fn ephemeral_uses(&mut self, step: &Step) -> Vec<ResourcePath> {
        let _ = step;
        Vec::new()
    }

    /// Takes what was drawn since the last call; it becomes durable before the step that needed it starts.
    fn take_drawings(&mut self) -> Vec<Drawing> {
        Vec::new()
    }

    /// Takes back what an earlier process drew.
    fn drawn(&mut self, drawing: Drawing) {
        let _ = drawing;
    }

    /// Takes what an instance came to: after its change, again when readiness changed it, and for each data source
    /// that was read (then without an object).
    fn applied(&mut self, address: &Address, object_id: Option<ObjectId>, value: Value);

    /// Checks the postconditions of a step whose object is ready. Errors fail the step; its row stays.
    fn check(&mut self, step: &Step, object: &Value) -> Vec<Diagnostic> {
        let (_, _) = (step, object);
        Vec::new()
    }

    /// Returns what became of all conditions once the run has ended, and what `check` blocks warn of. `unread` are their
    /// data sources that could not be read, and why.
    fn checks(&mut self, unread: &BTreeMap<Address, String>) -> (Vec<CheckResult>, Vec<Diagnostic>) {
        let _ = unread;
        (Vec::new(), Vec::new())
    }

    /// Returns the configuration of the provider that owns the step's instance; `None` where it has none. Marked.
    ///
    /// # Errors
    /// What evaluation says, with diagnostics; the step then fails before any effect.
    fn provider_config(&mut self, step: &Step) -> Result<Option<Value>> {
        let _ = step;
        Ok(None)
    }

    /// Returns the order lines that pay for what a step restores or makes anew; `None` where it does neither.
    fn paid_with(&self, step: &Step) -> Option<Vec<Arc<str>>> {
        let _ = step;
        None
    }

    /// Evaluates the root outputs once every step ended well. Marked.
    ///
    /// # Errors
    /// What evaluation says, with diagnostics; the run then ends as failed and the stored outputs stay.
    fn outputs(&mut self) -> Result<BTreeMap<String, Value>>;
}

impl Finalizer for Residue {
    fn finalize(&mut self, step: &Step) -> Result<Finalized> {
        Self::finalize(self, step)
    }

    fn missing(&mut self, step: &Step) -> Result<Vec<Request>> {
        Self::missing(self, step)
    }

    fn missing_at_end(&mut self) -> Result<Vec<Request>> {
        Self::missing_at_end(self)
    }

    fn opened(&mut self, address: &Address, value: &Value) -> Result<()> {
        Self::opened(self, address, value)
    }

    fn closed(&mut self, address: &Address) {
        Self::closed(self, address);
    }

    fn ephemeral_uses(&mut self, step: &Step) -> Vec<ResourcePath> {
        // What cannot be told is kept open to the end.
        Self::ephemeral_uses(self, step).unwrap_or_default()
    }

    fn take_drawings(&mut self) -> Vec<Drawing> {
        Self::take_drawings(self)
    }

    fn drawn(&mut self, drawing: Drawing) {
        Self::drawn(self, drawing);
    }

    fn applied(&mut self, address: &Address, object_id: Option<ObjectId>, value: Value) {
        Self::applied(self, address, object_id, value);
    }

    fn check(&mut self, step: &Step, object: &Value) -> Vec<Diagnostic> {
        Self::check(self, step, object)
    }

    fn checks(&mut self, unread: &BTreeMap<Address, String>) -> (Vec<CheckResult>, Vec<Diagnostic>) {
        Self::checks(self, unread)
    }

    fn provider_config(&mut self, step: &Step) -> Result<Option<Value>> {
        Self::provider_config(self, step)
    }

    fn outputs(&mut self) -> Result<BTreeMap<String, Value>> {
        Self::outputs(self)
    }
}

/// The finalizer of plans that leave nothing open: every configuration and every output is known.
#[derive(Clone, Debug)]
pub struct KnownFinalizer {
    plan: Arc<Plan>,
}

impl KnownFinalizer {
    /// Returns the finalizer of `plan`.
    pub fn new(plan: Arc<Plan>) -> Self {
        Self { plan }
    }
}

impl Finalizer for KnownFinalizer {
    fn finalize(&mut self, step: &Step) -> Result<Finalized> {
        let config = match &step.config {
            StepConfig::None => Value::null(crate::value::Type::Any),
            StepConfig::Known(config) => config.clone(),
            StepConfig::Residual(config) if config.is_wholly_known() => config.clone(),
            StepConfig::Residual(_) => {
                return Err(Error::bug("a plan that leaves something open needs a finalizer that evaluates it")
                    .context("address", &step.address));
            }
        };
        Ok(Finalized { config, planned: step.planned.clone(), plan_again: false })
    }

    fn applied(&mut self, _: &Address, _: Option<ObjectId>, _: Value) {}

    fn provider_config(&mut self, step: &Step) -> Result<Option<Value>> {
        let Some(change) = self.plan.change(step.change) else { return Ok(None) };
        let implied = change.type_name.split('_').next().unwrap_or_default();
        let name = if change.provider.is_empty() { implied } else { &change.provider };
        Ok(self.plan.provider_configs.get(name).cloned())
    }

    fn outputs(&mut self) -> Result<BTreeMap<String, Value>> {
        let known = self.plan.outputs.iter().filter_map(|(name, change)| Some((name, change.after.as_ref()?)));
        known
            .map(|(name, value)| {
                if !value.is_wholly_known() {
                    return Err(Error::bug("an output is not known and nothing evaluates it").context("output", name));
                }
                Ok((name.clone(), value.clone()))
            })
            .collect()
    }
}
