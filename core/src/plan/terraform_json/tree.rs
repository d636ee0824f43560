use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::address::{Address, InstanceKey, ModuleInstance};

/// Objects by module, nested as Terraform nests them.
#[derive(Debug, Default)]
pub(super) struct Tree {
    modules: BTreeMap<ModuleInstance, Vec<Json>>,
}

impl Tree {
    /// Adds an object, and the modules that lead to it.
    pub(super) fn add(&mut self, address: &Address, object: Json) {
        let mut module = address.module().clone();
        self.modules.entry(module.clone()).or_default().push(object);
        while let Some(parent) = module.parent() {
            self.modules.entry(parent.clone()).or_default();
            module = parent;
        }
    }

    /// Returns the root module with everything in it. O(objects and modules, times the depth of modules).
    pub(super) fn root(&self) -> Json {
        self.module(&ModuleInstance::root())
    }

    fn module(&self, module: &ModuleInstance) -> Json {
        let mut json = Map::new();
        if let Some(resources) = self.modules.get(module).filter(|list| !list.is_empty()) {
            json.insert("resources".into(), Json::Array(resources.clone()));
        }
        if !module.is_root() {
            json.insert("address".into(), json!(module.to_string()));
        }
        let depth = module.steps().len() + 1;
        let below = self.modules.range(module.clone()..).skip(1).map(|(inner, _)| inner);
        let inside = below.take_while(|inner| module.contains(inner));
        let children: Vec<Json> =
            inside.filter(|inner| inner.steps().len() == depth).map(|inner| self.module(inner)).collect();
        if !children.is_empty() {
            json.insert("child_modules".into(), Json::Array(children));
        }
        Json::Object(json)
    }
}

/// Returns what names an instance: address, mode, type, name, and its key where it has one.
pub(super) fn identity(address: &Address) -> Map<String, Json> {
    let mut json = Map::new();
    json.insert("address".into(), json!(address.to_string()));
    json.insert("mode".into(), json!(address.mode().as_str()));
    json.insert("type".into(), json!(address.type_name()));
    json.insert("name".into(), json!(address.resource.name));
    match &address.key {
        Some(InstanceKey::Int(idx)) => json.insert("index".into(), json!(idx)),
        Some(InstanceKey::Str(key)) => json.insert("index".into(), json!(key)),
        None => None,
    };
    json
}
