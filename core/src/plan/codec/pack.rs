use std::{
    collections::BTreeMap,
    fmt::{self, Arguments},
    sync::Arc,
};

use serde_json::Value as Json;

use super::doc::{
    ChangeDoc, ConfigDoc, DriftDoc, InputsDoc, OutputDoc, PlanDoc, PlannedDoc, ReadDoc, RowUpdateDoc, StepDoc,
};
use crate::{
    error::{Error, Result},
    plan::{Inputs, Plan, RowUpdate, Step, StepConfig},
    state::{
        RowRecord,
        codec::{RecordSealer, Sealer, encode_row},
    },
    template::Edition,
    value::{Encoded, Marks, Value},
};

/// How the parts of a plan become JSON: sealed for a store, or bare for a hash.
pub(super) trait Pack {
    fn value<'v>(&self, field: Arguments<'_>, value: &'v Value) -> Result<Encoded<'v>>;
    fn bytes(&self, field: &str, bytes: &[u8]) -> Result<Json>;
    fn row(&self, update: &RowUpdate) -> Result<RowUpdateDoc>;
}

pub(super) struct Sealed<'a> {
    pub sealer: &'a Sealer,
    pub record: RecordSealer,
}

impl Pack for Sealed<'_> {
    fn value<'v>(&self, field: Arguments<'_>, value: &'v Value) -> Result<Encoded<'v>> {
        // The field binds a seal to its place, and names the place of a problem.
        match value.marks_deep() {
            Marks::NONE => Ok(Encoded::new(value)),
            _ => self.record.stored(&fmt::format(field), value),
        }
    }

    fn bytes(&self, field: &str, bytes: &[u8]) -> Result<Json> {
        self.record.seal_bytes(field, bytes)
    }

    fn row(&self, update: &RowUpdate) -> Result<RowUpdateDoc> {
        Ok(match update {
            RowUpdate::Remove(object) => RowUpdateDoc::Remove(*object),
            RowUpdate::Put(row) => {
                let RowRecord { object_id, address, version, body } = encode_row(row, self.sealer)?;
                let body =
                    String::from_utf8(body.to_vec()).map_err(|error| Error::bug("a row is text").because(error))?;
                RowUpdateDoc::Put { object_id, address, version, body }
            }
        })
    }
}

/// Returns a plan as a document. `id` names it.
pub(super) fn pack<'p>(plan: &'p Plan, id: String, how: &dyn Pack) -> Result<PlanDoc<Encoded<'p>>> {
    let optional = |field: Arguments<'_>, value: Option<&'p Value>| -> Result<Option<Encoded<'p>>> {
        value.map(|value| how.value(field, value)).transpose()
    };
    let changes = plan.changes.iter().enumerate().map(|(idx, change)| {
        Ok(ChangeDoc {
            address: change.address.clone(),
            previous_address: change.previous_address.clone(),
            type_name: Arc::clone(&change.type_name),
            provider: Arc::clone(&change.provider),
            action: change.action,
            reasons: change.reasons.clone(),
            before: optional(format_args!("changes/{idx}/before"), change.before.as_ref())?,
            after: optional(format_args!("changes/{idx}/after"), change.after.as_ref())?,
            replace_paths: change.replace_paths.clone(),
            prior_object: change.prior_object,
            object: change.object,
            deposed: change.deposed,
            importing: change.importing.clone(),
        })
    });
    let after_of = |step: &Step| plan.change(step.change).and_then(|change| change.after.as_ref());
    let steps = plan.steps.iter().enumerate().map(|(idx, step)| {
        let config = |config| how.value(format_args!("steps/{idx}/config"), config);
        let private = step.planned_private.as_ref().map(|bytes| how.bytes(&format!("steps/{idx}/private"), bytes));
        Ok(StepDoc {
            id: step.id,
            change: step.change,
            action: step.action,
            address: step.address.clone(),
            object_id: step.object_id,
            prior: step.prior,
            config: match &step.config {
                StepConfig::None => ConfigDoc::None,
                StepConfig::Known(value) => ConfigDoc::Known(config(value)?),
                StepConfig::Residual(value) => ConfigDoc::Residual(config(value)?),
            },
            planned: match &step.planned {
                None => None,
                Some(planned) if after_of(step) == Some(planned) => Some(PlannedDoc::AsChanged),
                Some(planned) => Some(PlannedDoc::Value(how.value(format_args!("steps/{idx}/planned"), planned)?)),
            },
            planned_private: private.transpose()?,
            needs: step.needs.clone(),
            joins: step.joins.clone(),
            dependencies: step.dependencies.clone(),
            wholes: step.wholes.clone(),
            create_before_destroy: step.create_before_destroy,
            prevent_destroy: step.prevent_destroy,
            has_conditions: step.has_conditions,
            cost: step.cost,
        })
    });
    let outputs = plan.outputs.iter().map(|(name, output)| {
        let doc = OutputDoc {
            before: optional(format_args!("outputs/{name}/before"), output.before.as_ref())?,
            after: optional(format_args!("outputs/{name}/after"), output.after.as_ref())?,
            sensitive: output.sensitive,
        };
        Ok((name.clone(), doc))
    });
    let drift = plan.drift.iter().enumerate().map(|(idx, drift)| {
        Ok(DriftDoc {
            address: drift.address.clone(),
            type_name: Arc::clone(&drift.type_name),
            object_id: drift.object_id,
            kind: drift.kind,
            before: how.value(format_args!("drift/{idx}/before"), &drift.before)?,
            after: optional(format_args!("drift/{idx}/after"), drift.after.as_ref())?,
            paths: drift.paths.clone(),
        })
    });
    let reads = plan.reads.iter().enumerate().map(|(idx, read)| {
        let value = optional(format_args!("reads/{idx}"), read.value.as_ref())?;
        let (address, check) = (read.address.clone(), read.check.clone());
        Ok(ReadDoc { address, type_name: Arc::clone(&read.type_name), value, check })
    });
    let configs = plan.provider_configs.iter();
    let configs =
        configs.map(|(name, value)| Ok((Arc::clone(name), how.value(format_args!("providers/{name}"), value)?)));
    Ok(PlanDoc {
        id,
        provider_configs: configs.collect::<Result<_>>()?,
        stack: plan.stack.clone(),
        lineage: plan.lineage,
        mode: plan.mode,
        targets: plan.targets.clone(),
        changes: changes.collect::<Result<_>>()?,
        steps: steps.collect::<Result<_>>()?,
        joins: plan.joins.clone(),
        row_updates: plan.row_updates.iter().map(|update| how.row(update)).collect::<Result<_>>()?,
        base: plan.base.clone(),
        outputs: outputs.collect::<Result<_>>()?,
        drift: drift.collect::<Result<_>>()?,
        checks: plan.checks.clone(),
        reads: reads.collect::<Result<_>>()?,
        inputs: pack_inputs(&plan.inputs, how)?,
        warnings: plan.warnings.clone(),
    })
}

fn pack_inputs(inputs: &Inputs, how: &dyn Pack) -> Result<InputsDoc> {
    let files =
        serde_json::to_vec(&inputs.files).map_err(|error| Error::bug("files have a JSON form").because(error))?;
    let read =
        inputs.read_files.iter().map(|(path, bytes)| Ok((path.clone(), how.bytes(&format!("read/{path}"), bytes)?)));
    let variables: BTreeMap<&String, Encoded<'_>> =
        inputs.variables.iter().map(|(name, value)| (name, Encoded::new(value))).collect();
    let variables =
        serde_json::to_vec(&variables).map_err(|error| Error::bug("variables have a JSON form").because(error))?;
    Ok(InputsDoc {
        files: how.bytes("files", &files)?,
        read_files: read.collect::<Result<_>>()?,
        existing_files: inputs.existing_files.clone(),
        listed_files: inputs.listed_files.clone(),
        absolute_paths: inputs.absolute_paths.clone(),
        variables: how.bytes("variables", &variables)?,
        ephemeral_given: inputs.ephemeral_given.clone(),
        edition: match inputs.edition {
            edition if edition == Edition::default() => String::new(),
            edition => edition.to_string(),
        },
        tags: inputs.tags.clone(),
        workspace: inputs.workspace.clone(),
        root: inputs.root.clone(),
        timestamp: inputs.timestamp,
    })
}
