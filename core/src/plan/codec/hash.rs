use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::{self, Arguments},
};

use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::{
    doc::RowUpdateDoc,
    pack::{Pack, pack},
};
use crate::{
    error::{Error, Result},
    event::Timestamp,
    plan::{Plan, RowUpdate},
    state::ObjectId,
    value::{self, Encoded, Value},
};

/// A digest of what a plan does: SHA-256, printed as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlanHash([u8; 32]);

impl fmt::Display for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plan:{self}")
    }
}

/// Returns the digest of what a plan does.
///
/// The same template, variables, state and answers give the same hash, in whatever order they came: the ids of new
/// objects are numbered in the order of the changes, and the moment of planning is left out (what it made different
/// shows in the values).
///
/// # Errors
/// `engine.bug` where something in the plan has no JSON form.
pub fn hash(plan: &Plan) -> Result<PlanHash> {
    let plan = renumbered(plan);
    let doc = pack(&plan, String::new(), &Bare)?;
    let text = serde_json::to_vec(&doc).map_err(|error| Error::bug("a plan has a JSON form").because(error))?;
    Ok(PlanHash(Sha256::digest(&text).into()))
}

/// Returns the plan as if the ids of new objects had been counted.
fn renumbered(plan: &Plan) -> Plan {
    let existing: HashSet<ObjectId> = plan.base.iter().map(|base| base.object_id).collect();
    let mut numbers: HashMap<ObjectId, ObjectId> = HashMap::new();
    for change in &plan.changes {
        for object in [change.prior_object, change.object].into_iter().flatten().filter(|id| !existing.contains(id)) {
            let next = ObjectId::from_u128(numbers.len() as u128);
            numbers.entry(object).or_insert(next);
        }
    }
    let number = |id: &mut ObjectId| {
        if let Some(counted) = numbers.get(id) {
            *id = *counted;
        }
    };
    let number_all = |ids: &mut Vec<ObjectId>| {
        ids.iter_mut().for_each(number);
        ids.sort_unstable();
    };
    let mut plan = plan.clone();
    for change in &mut plan.changes {
        change.prior_object.iter_mut().chain(&mut change.object).for_each(number);
    }
    for step in &mut plan.steps {
        step.object_id.iter_mut().chain(&mut step.prior).for_each(number);
        number_all(&mut step.dependencies);
    }
    for update in &mut plan.row_updates {
        if let RowUpdate::Put(row) = update {
            number(&mut row.object_id);
            number_all(&mut row.dependencies);
        }
    }
    plan.row_updates.sort_by_key(|update| match update {
        RowUpdate::Put(row) => row.object_id,
        RowUpdate::Remove(object) => *object,
    });
    plan.inputs.timestamp = Timestamp::default();
    plan
}

/// Nothing is sealed: what is packed so goes into a digest and nowhere else.
struct Bare;

impl Pack for Bare {
    fn value<'v>(&self, _: Arguments<'_>, value: &'v Value) -> Result<Encoded<'v>> {
        Ok(Encoded::new(value))
    }

    fn bytes(&self, _: &str, bytes: &[u8]) -> Result<Json> {
        let digest = Sha256::digest(bytes);
        Ok(Json::String(digest.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    fn row(&self, update: &RowUpdate) -> Result<RowUpdateDoc> {
        Ok(match update {
            RowUpdate::Remove(object) => RowUpdateDoc::Remove(*object),
            RowUpdate::Put(row) => {
                let private = row.private.as_ref().map(|bytes| self.bytes("private", bytes)).transpose()?;
                let parts: BTreeMap<&str, Json> = BTreeMap::from([
                    ("status", json!(row.status)),
                    ("type_name", json!(row.type_name)),
                    ("provider", json!(row.provider)),
                    ("schema_version", json!(row.schema_version)),
                    ("remote_id", json!(row.remote_id)),
                    ("attributes", value::encode(&row.attributes)),
                    ("private", json!(private)),
                    ("dependencies", json!(row.dependencies)),
                    ("wholes", json!(row.wholes)),
                    ("create_before_destroy", json!(row.create_before_destroy)),
                    ("prevent_destroy", json!(row.prevent_destroy)),
                    ("ready", json!(row.ready)),
                ]);
                RowUpdateDoc::Put {
                    object_id: row.object_id,
                    address: row.address.to_string().into(),
                    version: row.version,
                    body: json!(parts).to_string(),
                }
            }
        })
    }
}
