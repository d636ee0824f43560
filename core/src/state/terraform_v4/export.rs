use std::collections::{BTreeMap, BTreeSet, HashMap};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value as Json, json};

use super::{
    document::{self, Document, IndexKey, Instance, PathStep, Resource, VERSION},
    provider,
};
use crate::{
    address::{Address, InstanceKey, ModuleInstance, ResourceAddress},
    error::{Error, ErrorKind, Result},
    state::{ObjectId, Row, RowStatus, Wholes, codec::Output},
    value::{Marks, Step, Value, to_json_value},
};

/// The version that is written into the file: what other programs judge the file by. Ours says nothing to them.
const TERRAFORM_VERSION: &str = "1.11.4";

/// A state file of Terraform.
///
/// It holds every secret in the open, as Terraform's always do: not for logs.
pub struct Exported {
    /// The file's text, indented.
    pub text: String,
    /// Objects that nobody knows whether they exist; the format has no word for that.
    pub left_out: Vec<Address>,
}

impl std::fmt::Debug for Exported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exported").field("left_out", &self.left_out).finish_non_exhaustive()
    }
}

/// Writes a state file that Terraform and OpenTofu read.
///
/// `source` returns where a provider comes from, such as `registry.terraform.io/hashicorp/aws` for `aws`; where it
/// returns `None`, HashiCorp's registry is assumed, as Terraform does.
///
/// # Errors
/// `state.export` where a value has no form in JSON, such as an infinite number.
///
/// # Complexity
/// O(rows + blocks · what each needs): indirect dependencies are written out for each instance, as Terraform does.
pub fn export(
    rows: &[Row],
    outputs: &BTreeMap<String, Output>,
    serial: u64,
    lineage: &str,
    source: &dyn Fn(&str) -> Option<String>,
) -> Result<Exported> {
    let needs = Needs::new(rows);
    let mut blocks: BTreeMap<(ResourceAddress, String), Vec<&Row>> = BTreeMap::new();
    let mut left_out = Vec::new();
    for row in rows {
        if row.status == RowStatus::Uncertain {
            left_out.push(row.address.clone());
            continue;
        }
        let provider = provider::to_terraform(&row.provider, &row.type_name, source);
        blocks.entry((row.address.resource.clone(), provider)).or_default().push(row);
    }
    let mut resources = Vec::with_capacity(blocks.len());
    for ((address, provider), mut rows) in blocks {
        rows.sort_by_key(|row| (row.address.key.clone(), row.status == RowStatus::Deposed, row.object_id));
        let instances = rows
            .into_iter()
            .map(|row| write_instance(row, &needs).map_err(|error| error.context("address", &row.address)));
        resources.push(Resource {
            module: if address.module == ModuleInstance::root() { String::new() } else { address.module.to_string() },
            mode: "managed".to_owned(),
            type_name: address.type_name.to_string(),
            name: address.name.to_string(),
            provider,
            instances: instances.collect::<Result<_>>()?,
        });
    }
    let mut written = Map::new();
    for (name, output) in outputs {
        let json = write_output(output).map_err(|error| error.context("output", name))?;
        written.insert(name.clone(), json);
    }
    let document = Document {
        version: VERSION,
        terraform_version: TERRAFORM_VERSION.to_owned(),
        serial,
        lineage: lineage.to_owned(),
        outputs: written,
        resources,
        check_results: None,
    };
    let text = serde_json::to_string_pretty(&document).map_err(|_| refuse())?;
    Ok(Exported { text: text + "\n", left_out })
}

fn refuse() -> Error {
    Error::new(ErrorKind::Unsupported, "state.export", "a value has no form in a state file of Terraform")
}

fn plain(value: &Value) -> Result<Json> {
    // The cause names a place, never a value.
    to_json_value(value).map_err(|error| refuse().because(error.to_string()))
}

fn write_output(output: &Output) -> Result<Json> {
    let (value, marks) = output.value.unmark_deep();
    let sensitive = output.sensitive || marks.contains(Marks::SENSITIVE);
    let output = document::Output { value: plain(&value)?, ty: value.ty().to_json(), sensitive };
    serde_json::to_value(output).map_err(|_| refuse())
}

fn write_instance(row: &Row, needs: &Needs) -> Result<Instance> {
    let (value, marks) = row.attributes.unmark_deep_with_paths();
    let sensitive = marks.iter().filter(|(_, marks)| marks.contains(Marks::SENSITIVE));
    Ok(Instance {
        index_key: row.address.key.as_ref().map(|key| match key {
            InstanceKey::Int(index) => json!(index),
            InstanceKey::Str(text) => json!(text),
        }),
        status: (row.status == RowStatus::Tainted).then(|| "tainted".to_owned()),
        deposed: (row.status == RowStatus::Deposed).then(|| format!("{:08x}", row.object_id.as_u128() >> 96)),
        schema_version: row.schema_version,
        attributes: Some(plain(&value)?),
        sensitive_attributes: sensitive.map(|(path, _)| path.steps().iter().map_while(write_step).collect()).collect(),
        private: row.private.as_ref().map(|private| STANDARD.encode(private)),
        dependencies: needs.of(row.object_id),
        create_before_destroy: row.create_before_destroy,
    })
}

fn write_step(step: &Step) -> Option<PathStep> {
    let index = |value, ty: &str| Some(PathStep::Index(IndexKey { value, ty: ty.to_owned() }));
    match step {
        Step::Attr(name) => Some(PathStep::GetAttr(name.to_string())),
        Step::Key(key) => index(json!(key), "string"),
        Step::Index(idx) => index(json!(idx), "number"),
        // Elements of a set carry no marks.
        Step::Element(_) => None,
    }
}

/// What each object needs, directly or not, by block: as Terraform wants it.
struct Needs {
    block_of: HashMap<ObjectId, String>,
    /// Blocks that an object needs directly.
    direct: HashMap<ObjectId, BTreeSet<String>>,
    /// Blocks that a block needs directly.
    blocks: HashMap<String, BTreeSet<String>>,
}

impl Needs {
    fn new(rows: &[Row]) -> Self {
        let block_of: HashMap<_, _> =
            rows.iter().map(|row| (row.object_id, row.address.resource.path().to_string())).collect();
        let mut direct: HashMap<ObjectId, BTreeSet<String>> = HashMap::new();
        for row in rows {
            let needed = row.dependencies.iter().filter_map(|id| block_of.get(id)).cloned();
            direct.insert(row.object_id, needed.collect());
        }
        for whole in Wholes::of_rows(rows.iter()).list() {
            let members = whole.members.iter().filter_map(|at| block_of.get(&rows.get(*at)?.object_id));
            let members: BTreeSet<&String> = members.collect();
            for user in whole.users.iter().filter_map(|at| rows.get(*at)) {
                direct.entry(user.object_id).or_default().extend(members.iter().map(|block| (*block).clone()));
            }
        }
        let mut blocks: HashMap<String, BTreeSet<String>> = HashMap::new();
        for (object, needed) in &mut direct {
            if let Some(block) = block_of.get(object) {
                needed.remove(block);
                blocks.entry(block.clone()).or_default().extend(needed.iter().cloned());
            }
        }
        Self { block_of, direct, blocks }
    }

    /// Returns the blocks that an object needs, sorted.
    fn of(&self, object: ObjectId) -> Vec<String> {
        let own = self.block_of.get(&object);
        let mut todo: Vec<&String> = self.direct.get(&object).into_iter().flatten().collect();
        let mut seen: BTreeSet<&String> = BTreeSet::new();
        while let Some(block) = todo.pop() {
            if seen.insert(block) {
                todo.extend(self.blocks.get(block).into_iter().flatten().filter(|block| Some(*block) != own));
            }
        }
        seen.into_iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{state::terraform_v4::import, value::Type};

    const FILE: &str = include_str!("sample.tfstate");

    fn source(name: &str) -> Option<String> {
        (name == "acme").then(|| "registry.terraform.io/acme/acme".to_owned())
    }

    fn types(name: &str) -> Option<Type> {
        let [tags, zones] = [Type::map(Type::String), Type::list(Type::String)];
        let names = [("id", Type::String), ("name", Type::String), ("password", Type::String), ("size", Type::Number)];
        (name == "acme_db").then(|| Type::object(names.into_iter().chain([("tags", tags), ("zones", zones)])))
    }

    /// What was read is written as it was, but for what is not kept and what depends on object ids.
    #[test]
    fn writes_what_it_read() {
        let imported = import(FILE.as_bytes(), &types).expect("a state file");
        let exported =
            export(&imported.rows, &imported.outputs, imported.serial, &imported.lineage, &source).expect("has a form");
        let mut expected: Json = serde_json::from_str(FILE).expect("JSON");
        let mut found: Json = serde_json::from_str(&exported.text).expect("JSON");
        let resources = expected["resources"].as_array_mut().expect("resources");
        resources.retain(|resource| resource["mode"] == "managed");
        for resource in resources.iter_mut() {
            for instance in resource["instances"].as_array_mut().expect("instances") {
                let instance = instance.as_object_mut().expect("an instance");
                instance.remove("identity_schema_version");
                if let Some(deposed) = instance.get_mut("deposed") {
                    *deposed = json!("…");
                }
                if let Some(needs) = instance.get_mut("dependencies").and_then(Json::as_array_mut) {
                    needs.retain(|need| need != "data.acme_zone.all");
                }
            }
        }
        resources.sort_by_key(|resource| resource["module"].as_str().map(str::to_owned));
        for resource in found["resources"].as_array_mut().expect("resources") {
            for instance in resource["instances"].as_array_mut().expect("instances") {
                if let Some(deposed) = instance.get_mut("deposed") {
                    assert!(deposed.as_str().is_some_and(|key| key.len() == 8), "{deposed}");
                    *deposed = json!("…");
                }
            }
        }
        assert_eq!(found, expected);
        assert_eq!(exported.left_out, []);
        assert!(!format!("{exported:?}").contains("hunter2"));
    }

    #[test]
    fn uncertain_rows_are_named_and_left_out() {
        let mut rows = import(FILE.as_bytes(), &types).expect("a state file").rows;
        rows[0].status = RowStatus::Uncertain;
        let exported = export(&rows, &BTreeMap::new(), 1, "", &source).expect("has a form");
        assert_eq!(exported.left_out, [rows[0].address.clone()]);
        assert!(!exported.text.contains("net-1"));
    }

    #[test]
    fn what_has_no_form_is_refused() {
        let infinite = "1e999999999999".parse::<crate::value::Number>().ok().map(Value::number);
        let value = infinite.unwrap_or_else(|| Value::unknown(Type::Number));
        let outputs = BTreeMap::from([("a".to_owned(), Output { value, sensitive: false })]);
        let error = export(&[], &outputs, 1, "", &source).expect_err("no form");
        assert_eq!(error.code(), "state.export");
        assert!(error.report().contains("output=a"), "{error:?}");
    }
}
