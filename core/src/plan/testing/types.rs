use std::sync::{Arc, OnceLock};

use crate::{
    error::{Error, ErrorKind, Result},
    plan::{ResourceInfo, TypeSource},
    resource::{PlanRequest, PlanResponse, Traits},
    schema::{Attribute, Block, NestedBlock, Schema},
    value::{Path, Refinement, Type, Value},
};

/// Types: `thing` (name, size in place; kind forces replacement; id, note computed; secret sensitive; rule blocks),
/// `free` (like `terraform_data`), data source `lookup` (query in, answer out), ephemeral `loan` (of in, value out),
/// provider `strict` with a region.
#[derive(Debug, Default)]
pub(in crate::plan) struct Types {
    /// The version of the schema of `thing`.
    pub thing_version: u64,
}

fn thing(version: u64) -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    let make = |version| {
        Arc::new(
            Schema::new(version)
                .attribute("id", Attribute::computed(Type::String))
                .attribute("name", Attribute::optional(Type::String))
                .attribute("size", Attribute::optional(Type::Number).default(1).at_least(0))
                .attribute("kind", Attribute::optional(Type::String).forces_replacement())
                .attribute("note", Attribute::optional_computed(Type::String))
                .attribute("secret", Attribute::optional(Type::String).sensitive())
                .attribute("token", Attribute::optional(Type::String).write_only())
                .attribute("tags", Attribute::optional(Type::map(Type::String)).takes_tags())
                .block("rule", NestedBlock::list(Block::new().attribute("port", Attribute::required(Type::Number)))),
        )
    };
    if version == 0 { Arc::clone(SCHEMA.get_or_init(|| make(0))) } else { make(version) }
}

fn free() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| {
        Arc::new(
            Schema::new(0)
                .attribute("id", Attribute::computed(Type::String))
                .attribute("input", Attribute::optional(Type::Any))
                .attribute("output", Attribute::computed(Type::Any))
                .attribute("pin", Attribute::optional(Type::String).write_only().sensitive())
                .attribute("replace", Attribute::optional(Type::Any)),
        )
    }))
}

fn lookup() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| {
        Arc::new(
            Schema::new(0)
                .attribute("query", Attribute::optional(Type::String))
                .attribute("answer", Attribute::computed(Type::String)),
        )
    }))
}

fn loan() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| {
        Arc::new(
            Schema::new(0)
                .attribute("of", Attribute::optional(Type::String))
                .attribute("value", Attribute::computed(Type::String)),
        )
    }))
}

impl TypeSource for Types {
    fn resource(&self, type_name: &str) -> Option<ResourceInfo> {
        let schema = match type_name {
            "thing" | "strict_thing" => thing(self.thing_version),
            "free" => free(),
            _ => return None,
        };
        Some(ResourceInfo { schema, traits: Traits::default() })
    }

    fn data_source(&self, type_name: &str) -> Option<Arc<Schema>> {
        (type_name == "lookup").then(lookup)
    }

    fn ephemeral(&self, type_name: &str) -> Option<Arc<Schema>> {
        matches!(type_name, "loan" | "strict_loan").then(loan)
    }

    fn provider_schema(&self, provider: &str) -> Option<Arc<Schema>> {
        (provider == "strict").then(|| Arc::new(Schema::new(0).attribute("region", Attribute::required(Type::String))))
    }

    fn provider_of(&self, type_name: &str) -> Arc<str> {
        Arc::from(type_name.split('_').next().unwrap_or(type_name))
    }

    fn nearest(&self, type_name: &str) -> Option<String> {
        crate::error::suggest(type_name, ["thing", "free", "lookup"]).map(str::to_owned)
    }
}

/// Checks and plans as the types do.
pub(in crate::plan) fn check_and_plan(type_name: &str, request: PlanRequest) -> Result<PlanResponse> {
    match request.config.attribute("name").and_then(Value::as_str) {
        Some("forbidden") => Err(Error::new(ErrorKind::InvalidInput, "thing.name", "the name is forbidden")),
        _ => Ok(plan_as_type(type_name, request)),
    }
}

/// Plans as the two types do.
pub(super) fn plan_as_type(type_name: &str, request: PlanRequest) -> PlanResponse {
    let PlanRequest { prior, proposed, .. } = request;
    if type_name != "free" {
        return PlanResponse { planned: proposed, requires_replace: Vec::new(), private: None };
    }
    let get = |value: &Value, name: &str| value.attribute(name).cloned().unwrap_or_else(|| Value::null(Type::Any));
    let before = |name: &str| prior.as_ref().map(|prior| get(&prior.attributes, name));
    let input = get(&proposed, "input");
    let replace = get(&proposed, "replace");
    let replaces = before("replace").is_some_and(|before| !before.same(&replace));
    let id = match before("id") {
        Some(id) if !replaces => id,
        _ => Value::unknown_with(Type::String, Refinement::not_null()),
    };
    let output = match before("output") {
        Some(output) if before("input").is_some_and(|before| before.same(&input)) => output,
        _ if input.is_null() => Value::null(Type::Any),
        _ => Value::unknown(input.ty()),
    };
    let pin = get(&proposed, "pin");
    let planned = Value::object([("id", id), ("input", input), ("output", output), ("pin", pin), ("replace", replace)]);
    let requires_replace = if replaces { vec![Path::root().attr("replace")] } else { Vec::new() };
    PlanResponse { planned, requires_replace, private: None }
}

/// Brings attributes into today's shape: the note says where they come from. Version 1 is forgotten.
pub(super) fn upgrade(version: u64, attributes: &Value) -> Result<Value> {
    if version == 1 {
        return Err(Error::new(ErrorKind::Unsupported, "resource.upgrade_unsupported", "nobody knows version 1"));
    }
    let parts = attributes.entries().map(|(name, value)| {
        let value = if &**name == "note" { Value::string(format!("from {version}")) } else { value.clone() };
        (Arc::clone(name), value)
    });
    Ok(Value::object(parts.collect::<Vec<_>>()))
}

/// Fills in what the types compute.
pub(in crate::plan) fn complete(planned: &Value, id: &str) -> Value {
    let parts = planned.entries().map(|(name, value)| {
        let value = match (&**name, value.is_known()) {
            ("id", false) => Value::string(id),
            ("note", false) => Value::string(format!("note of {id}")),
            ("output", false) => planned.attribute("input").cloned().expect("an input"),
            _ => value.clone(),
        };
        (Arc::clone(name), value)
    });
    Value::object(parts.collect::<Vec<_>>())
}
