use serde_json::{Map, Value as Json, json};

use crate::{
    plan::residue::config_address,
    state::{CheckInstance, CheckKind, CheckResult},
};

/// Returns what became of conditions in the shape of `terraform show -json`: the array `checks` of plans and states.
pub fn checks_json(results: &[CheckResult]) -> Json {
    let mut sorted: Vec<(String, &CheckResult)> =
        results.iter().map(|result| (config_address(result), result)).collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    Json::Array(sorted.into_iter().map(|(address, result)| object(address, result)).collect())
}

fn object(display: String, result: &CheckResult) -> Json {
    let mut address = Map::new();
    let kind = match result.kind {
        CheckKind::Check => "check",
        CheckKind::OutputValue => "output_value",
        CheckKind::Resource => "resource",
        CheckKind::Var => "var",
    };
    address.insert("kind".into(), json!(kind));
    if let Some(module) = &result.module {
        address.insert("module".into(), json!(module));
    }
    if let Some(type_name) = &result.type_name {
        let (mode, type_name) = match type_name.strip_prefix("data.") {
            Some(type_name) => ("data", type_name),
            None => ("managed", type_name.as_str()),
        };
        address.insert("mode".into(), json!(mode));
        address.insert("type".into(), json!(type_name));
    }
    address.insert("name".into(), json!(result.name));
    address.insert("to_display".into(), json!(display));
    let mut json = Map::new();
    json.insert("address".into(), Json::Object(address));
    json.insert("status".into(), json!(result.status.as_str()));
    if !result.instances.is_empty() {
        json.insert("instances".into(), Json::Array(result.instances.iter().map(instance).collect()));
    }
    Json::Object(json)
}

fn instance(instance: &CheckInstance) -> Json {
    let mut address = Map::new();
    address.insert("to_display".into(), json!(instance.address));
    if let Some(module) = &instance.module {
        address.insert("module".into(), json!(module));
    }
    if let Some(key) = &instance.key {
        address.insert("instance_key".into(), key.clone());
    }
    let mut json = Map::new();
    json.insert("address".into(), Json::Object(address));
    json.insert("status".into(), json!(instance.status.as_str()));
    let problems: Vec<Json> = instance.problems.iter().map(|message| json!({ "message": message })).collect();
    if !problems.is_empty() {
        json.insert("problems".into(), Json::Array(problems));
    }
    Json::Object(json)
}
