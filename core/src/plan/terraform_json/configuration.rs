use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{expression::expression, value::shown};
use crate::{
    address::ModulePath,
    plan::{Inputs, TypeSource},
    schema::{Block, Nesting},
    template::{
        Dependency, Files, Module, ModuleCall, Options, Output, Repetition, ResourceBlock, Template, Variable,
        syntax::{Body, Expr},
    },
};

/// Returns what the plan's template says, as Terraform tells it. Of constants that end up where something is sensitive only
/// null is told.
///
/// # Complexity
/// O(template), modules counted once per call.
pub(super) fn configuration(inputs: &Inputs, types: &dyn TypeSource) -> Json {
    let files = Files::from_texts(inputs.files.iter().map(|(path, text)| (path.as_str(), text.clone())));
    let (template, _) = Template::parse(&files, &Options::default());
    let writer = Writer { template: &template, types };
    let mut json = Map::new();
    put(&mut json, "provider_config", writer.providers());
    json.insert("root_module".into(), writer.module(&ModulePath::root()));
    Json::Object(json)
}

/// Adds an entry unless there is nothing in it.
fn put(json: &mut Map<String, Json>, name: &str, value: Json) {
    let empty = match &value {
        Json::Null | Json::Bool(false) => true,
        Json::Object(map) => map.is_empty(),
        Json::Array(list) => list.is_empty(),
        Json::String(text) => text.is_empty(),
        _ => false,
    };
    if !empty {
        json.insert(name.into(), value);
    }
}

struct Writer<'a> {
    template: &'a Template,
    types: &'a dyn TypeSource,
}

impl Writer<'_> {
    /// Every provider that something is of, and those that are configured.
    fn providers(&self) -> Json {
        let mut providers: BTreeMap<String, Json> = BTreeMap::new();
        for (path, module) in self.template.modules() {
            for resource in module.resources.values() {
                let name = self.provider_of(resource);
                providers.entry(name.clone()).or_insert_with(|| json!({ "name": name, "full_name": name }));
            }
            for (name, block) in &module.providers {
                let key = if path.is_root() { name.to_string() } else { format!("{path}:{name}") };
                let mut json = Map::new();
                let provider = module.provider_called(&name.name);
                json.insert("name".into(), json!(name.name));
                json.insert("full_name".into(), json!(provider));
                put(&mut json, "alias", json!(name.alias));
                let version =
                    module.settings.required_providers.get(&name.name).and_then(|required| required.version.as_ref());
                put(&mut json, "version_constraint", version.map_or(Json::Null, |version| json!(version.as_str())));
                put(&mut json, "module_address", json!(path.to_string()));
                if let Some(schema) = self.types.provider_schema(provider) {
                    put(&mut json, "expressions", expressions(&block.body, &schema.block));
                }
                providers.insert(key, Json::Object(json));
            }
        }
        json!(providers)
    }

    fn provider_of(&self, resource: &ResourceBlock) -> String {
        match &resource.provider {
            Some(provider) => provider.name.to_string(),
            None => self.types.provider_of(&resource.key.type_name).to_string(),
        }
    }

    fn module(&self, path: &ModulePath) -> Json {
        let Some(module) = self.template.module(path) else { return json!({}) };
        let mut json = Map::new();
        let outputs = module.outputs.iter().map(|(name, each)| (name.to_string(), output(each)));
        put(&mut json, "outputs", Json::Object(outputs.collect()));
        // Managed ones first, as Terraform lists them.
        let resources = module.resources.values().map(|resource| self.resource(resource));
        put(&mut json, "resources", Json::Array(resources.collect()));
        let calls = module.calls.iter().map(|(name, call)| (name.to_string(), self.call(path, call)));
        put(&mut json, "module_calls", Json::Object(calls.collect()));
        let variables = module.variables.iter().map(|(name, each)| (name.to_string(), variable(each)));
        put(&mut json, "variables", Json::Object(variables.collect()));
        Json::Object(json)
    }

    fn resource(&self, resource: &ResourceBlock) -> Json {
        let key = &resource.key;
        let schema = self.types.schema(key.mode, &key.type_name);
        let mut json = Map::new();
        json.insert("address".into(), json!(key.to_string()));
        json.insert("mode".into(), json!(key.mode.as_str()));
        json.insert("type".into(), json!(key.type_name));
        json.insert("name".into(), json!(key.name));
        json.insert("provider_config_key".into(), json!(self.provider_of(resource)));
        if let Some(schema) = &schema {
            put(&mut json, "expressions", expressions(&resource.body, &schema.block));
        }
        json.insert("schema_version".into(), json!(schema.map_or(0, |schema| schema.version)));
        repetition(&mut json, &resource.repetition);
        put(&mut json, "depends_on", depends_on(&resource.depends_on));
        Json::Object(json)
    }

    fn call(&self, path: &ModulePath, call: &ModuleCall) -> Json {
        let inner = path.child(call.name.clone());
        let child = self.template.module(&inner);
        let hides = |name: &str| {
            let variable = child.and_then(|child: &std::sync::Arc<Module>| child.variables.get(name));
            variable.is_some_and(|variable| variable.sensitive)
        };
        let inputs = call.inputs.iter().map(|(name, expr)| (name.to_string(), told(expr, hides(name))));
        let mut json = Map::new();
        json.insert("source".into(), json!(call.source));
        put(&mut json, "expressions", Json::Object(inputs.collect()));
        repetition(&mut json, &call.repetition);
        json.insert("module".into(), self.module(&inner));
        put(&mut json, "depends_on", depends_on(&call.depends_on));
        Json::Object(json)
    }
}

/// An expression; what is constant in it only where it may be seen.
fn told(expr: &Expr, is_hidden: bool) -> Json {
    let mut json = expression(expr);
    if let (true, Some(constant)) = (is_hidden, json.get_mut("constant_value")) {
        *constant = Json::Null;
    }
    Json::Object(json)
}

fn repetition(json: &mut Map<String, Json>, repetition: &Repetition) {
    match repetition {
        Repetition::One => {}
        Repetition::Count(expr) => put(json, "count_expression", told(expr, false)),
        Repetition::ForEach(expr) => put(json, "for_each_expression", told(expr, false)),
    }
}

fn depends_on(list: &[Dependency]) -> Json {
    Json::Array(list.iter().map(|dependency| json!(dependency.referent.to_string())).collect())
}

fn output(output: &Output) -> Json {
    let mut json = Map::new();
    put(&mut json, "sensitive", json!(output.sensitive));
    json.insert("expression".into(), told(&output.expr, output.sensitive));
    put(&mut json, "depends_on", depends_on(&output.depends_on));
    put(&mut json, "description", json!(output.description));
    Json::Object(json)
}

fn variable(variable: &Variable) -> Json {
    let mut json = Map::new();
    if let Some(default) = &variable.default {
        json.insert("default".into(), shown(default));
    }
    put(&mut json, "description", json!(variable.description));
    put(&mut json, "sensitive", json!(variable.sensitive));
    Json::Object(json)
}

/// The expressions of a body by name; blocks as their schema nests them. What `dynamic` blocks make is not told, as it is
/// not by Terraform.
fn expressions(body: &Body, schema: &Block) -> Json {
    let body = &*crate::template::with_schema_blocks(body, schema);
    let mut json = Map::new();
    for attribute in &body.attributes {
        let name = attribute.name.as_str();
        if let Some(known) = schema.attributes.get(name) {
            json.insert(name.to_owned(), told(&attribute.expr, known.sensitive || known.write_only));
        }
    }
    for block in &body.blocks {
        let name = block.kind.as_str();
        let Some(nested) = schema.blocks.get(name) else { continue };
        let inner = expressions(&block.body, &nested.block);
        match nested.nesting {
            Nesting::Single | Nesting::Group => {
                json.insert(name.to_owned(), inner);
            }
            Nesting::List | Nesting::Set => {
                if let Json::Array(list) = json.entry(name).or_insert_with(|| json!([])) {
                    list.push(inner);
                }
            }
            Nesting::Map => {
                if let (Json::Object(map), Some(label)) =
                    (json.entry(name).or_insert_with(|| json!({})), block.label(0))
                {
                    map.insert(label.to_owned(), inner);
                }
            }
        }
    }
    Json::Object(json)
}
