use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value as Json;

use super::doc::{ConfigDoc, InputsDoc, PlanDoc, PlannedDoc, RowUpdateDoc, StepDoc};
use crate::{
    error::{Error, ErrorKind, Result},
    plan::{Change, Drift, Inputs, OutputChange, Plan, PlannedReadOf, RowUpdate, Step, StepConfig},
    state::{
        RowRecord,
        codec::{RecordSealer, Sealer, decode_row},
    },
    template::Edition,
    value::{self, Value},
};

/// Makes a plan of its document.
pub(super) struct Unpack<'a> {
    pub sealer: &'a Sealer,
    pub record: RecordSealer,
}

impl Unpack<'_> {
    fn value(&self, field: &str, json: &Json) -> Result<Value> {
        self.record.decode_value(field, json)
    }

    fn optional(&self, field: &str, json: Option<&Json>) -> Result<Option<Value>> {
        json.map(|json| self.value(field, json)).transpose()
    }

    pub(super) fn plan(&self, doc: PlanDoc<Json>) -> Result<Plan> {
        let changes = doc.changes.into_iter().enumerate().map(|(idx, change)| {
            Ok(Change {
                before: self.optional(&format!("changes/{idx}/before"), change.before.as_ref())?,
                after: self.optional(&format!("changes/{idx}/after"), change.after.as_ref())?,
                address: change.address,
                previous_address: change.previous_address,
                type_name: change.type_name,
                provider: change.provider,
                action: change.action,
                reasons: change.reasons,
                replace_paths: change.replace_paths,
                prior_object: change.prior_object,
                object: change.object,
                deposed: change.deposed,
                importing: change.importing,
            })
        });
        let changes: Vec<Change> = changes.collect::<Result<_>>()?;
        let steps = doc.steps.into_iter().enumerate().map(|(idx, step)| self.step(idx, step, &changes));
        let steps = steps.collect::<Result<_>>()?;
        let outputs = doc.outputs.into_iter().map(|(name, output)| {
            let output = OutputChange {
                before: self.optional(&format!("outputs/{name}/before"), output.before.as_ref())?,
                after: self.optional(&format!("outputs/{name}/after"), output.after.as_ref())?,
                sensitive: output.sensitive,
            };
            Ok((name, output))
        });
        let outputs = outputs.collect::<Result<_>>()?;
        let drift = doc.drift.into_iter().enumerate().map(|(idx, drift)| {
            Ok(Drift {
                before: self.value(&format!("drift/{idx}/before"), &drift.before)?,
                after: self.optional(&format!("drift/{idx}/after"), drift.after.as_ref())?,
                address: drift.address,
                type_name: drift.type_name,
                object_id: drift.object_id,
                kind: drift.kind,
                paths: drift.paths,
            })
        });
        let drift = drift.collect::<Result<_>>()?;
        let reads = doc.reads.into_iter().enumerate().map(|(idx, read)| {
            let value = self.optional(&format!("reads/{idx}"), read.value.as_ref())?;
            Ok(PlannedReadOf { address: read.address, type_name: read.type_name, value, check: read.check })
        });
        let reads = reads.collect::<Result<_>>()?;
        let configs = doc.provider_configs.into_iter().map(|(name, json)| {
            let value = self.value(&format!("providers/{name}"), &json)?;
            Ok((name, value))
        });
        Ok(Plan {
            provider_configs: configs.collect::<Result<_>>()?,
            stack: doc.stack,
            lineage: doc.lineage,
            mode: doc.mode,
            targets: doc.targets,
            changes,
            steps,
            joins: doc.joins,
            row_updates: doc.row_updates.into_iter().map(|update| self.row(update)).collect::<Result<_>>()?,
            base: doc.base,
            outputs,
            checks: doc.checks,
            drift,
            reads,
            inputs: self.inputs(doc.inputs)?,
            warnings: doc.warnings,
        })
    }

    fn step(&self, idx: usize, step: StepDoc<Json>, changes: &[Change]) -> Result<Step> {
        let field = format!("steps/{idx}/config");
        let private = step.planned_private.map(|json| self.record.open_bytes(&format!("steps/{idx}/private"), &json));
        Ok(Step {
            config: match step.config {
                ConfigDoc::None => StepConfig::None,
                ConfigDoc::Known(json) => StepConfig::Known(self.value(&field, &json)?),
                ConfigDoc::Residual(json) => StepConfig::Residual(self.value(&field, &json)?),
            },
            planned: match step.planned {
                None => None,
                Some(PlannedDoc::AsChanged) => {
                    changes.get(step.change.0 as usize).and_then(|change| change.after.clone())
                }
                Some(PlannedDoc::Value(json)) => Some(self.value(&format!("steps/{idx}/planned"), &json)?),
            },
            planned_private: private.transpose()?.map(|bytes| Arc::from(bytes.as_slice())),
            id: step.id,
            change: step.change,
            action: step.action,
            address: step.address,
            object_id: step.object_id,
            prior: step.prior,
            needs: step.needs,
            joins: step.joins,
            dependencies: step.dependencies,
            wholes: step.wholes,
            create_before_destroy: step.create_before_destroy,
            prevent_destroy: step.prevent_destroy,
            has_conditions: step.has_conditions,
            cost: step.cost,
        })
    }

    fn row(&self, update: RowUpdateDoc) -> Result<RowUpdate> {
        Ok(match update {
            RowUpdateDoc::Remove(object) => RowUpdate::Remove(object),
            RowUpdateDoc::Put { object_id, address, version, body } => {
                let record = RowRecord { object_id, address, version, body: Arc::from(body.into_bytes()) };
                RowUpdate::Put(decode_row(&record, self.sealer)?)
            }
        })
    }

    fn inputs(&self, doc: InputsDoc) -> Result<Inputs> {
        let files = self.record.open_bytes("files", &doc.files)?;
        // What went wrong may quote the text; that it did is enough.
        let files = serde_json::from_slice(&files).map_err(|_| strange("files"))?;
        let read = doc.read_files.into_iter().map(|(path, json)| {
            let bytes = self.record.open_bytes(&format!("read/{path}"), &json)?;
            Ok((path, Arc::from(bytes.as_slice())))
        });
        let read_files = read.collect::<Result<_>>()?;
        let variables = self.record.open_bytes("variables", &doc.variables)?;
        let variables: BTreeMap<String, Json> = serde_json::from_slice(&variables).map_err(|_| strange("variables"))?;
        let variables = variables.into_iter().map(|(name, json)| Ok((name, value::decode(&json)?)));
        let edition = match doc.edition.as_str() {
            "" => Edition::default(),
            name => name.parse().map_err(|_| strange("edition"))?,
        };
        Ok(Inputs {
            edition,
            files,
            read_files,
            existing_files: doc.existing_files,
            listed_files: doc.listed_files,
            absolute_paths: doc.absolute_paths,
            variables: variables.collect::<Result<_>>()?,
            ephemeral: BTreeMap::new(),
            ephemeral_given: doc.ephemeral_given,
            tags: doc.tags,
            workspace: doc.workspace,
            root: doc.root,
            timestamp: doc.timestamp,
        })
    }
}

fn strange(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, "store.corrupt", format!("the {what} of a stored plan cannot be read"))
}
