use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value as Json, json};

use super::{
    TERRAFORM_VERSION,
    plan::deposed_key,
    tree::{Tree, identity},
    value::{sensitive, shown},
};
use crate::{
    plan::TypeSource,
    state::{ObjectId, Row, RowStatus},
    value::Value,
};

/// Returns what exists in the shape of `terraform show -json`, format 1.0. No sensitive value is in it.
///
/// # Complexity
/// O(rows, their attributes and dependencies, and outputs).
pub fn state_json(rows: &[Row], outputs: &BTreeMap<String, Value>, types: &dyn TypeSource) -> Json {
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by(|a, b| {
        (&a.address, a.status == RowStatus::Deposed, a.object_id).cmp(&(
            &b.address,
            b.status == RowStatus::Deposed,
            b.object_id,
        ))
    });
    let addresses: HashMap<ObjectId, String> =
        rows.iter().map(|row| (row.object_id, row.address.to_string())).collect();
    let mut tree = Tree::default();
    for row in sorted {
        let mut json = identity(&row.address);
        let provider = super::plan::provider_name(&row.provider, &row.type_name, types);
        json.insert("provider_name".into(), json!(provider));
        json.insert("schema_version".into(), json!(row.schema_version));
        json.insert("values".into(), shown(&row.attributes));
        json.insert("sensitive_values".into(), sensitive(Some(&row.attributes)));
        let wholes: Vec<String> = row.wholes.iter().map(ToString::to_string).collect();
        let mut needed: Vec<&String> = row.dependencies.iter().filter_map(|object| addresses.get(object)).collect();
        needed.extend(&wholes);
        needed.sort_unstable();
        needed.dedup();
        if !needed.is_empty() {
            json.insert("depends_on".into(), json!(needed));
        }
        match row.status {
            RowStatus::Tainted | RowStatus::Uncertain => json.insert("tainted".into(), json!(true)),
            RowStatus::Deposed => json.insert("deposed_key".into(), json!(deposed_key(row.object_id))),
            RowStatus::Current => None,
        };
        tree.add(&row.address, Json::Object(json));
    }
    // What is null is not there, for Terraform.
    let outputs: Map<String, Json> = outputs
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| {
            let hidden = !value.marks_deep().is_empty();
            (name.clone(), json!({ "sensitive": hidden, "type": value.ty().to_json(), "value": shown(value) }))
        })
        .collect();
    let mut values = Map::new();
    if !outputs.is_empty() {
        values.insert("outputs".into(), Json::Object(outputs));
    }
    values.insert("root_module".into(), tree.root());
    json!({ "format_version": "1.0", "terraform_version": TERRAFORM_VERSION, "values": values })
}
