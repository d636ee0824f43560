use serde_json::{Map, Value as Json, json};

use super::{
    TERRAFORM_VERSION,
    configuration::configuration,
    tree::{Tree, identity},
    value::{path, sensitive, shown, unknown},
};
use crate::{
    plan::{Action, Change, Drift, DriftKind, OutputChange, Plan, Reason, TypeSource},
    value::{Marks, Value},
};

/// Returns a plan in the shape of `terraform show -json`, format 1.2. No sensitive value is in it.
///
/// # Complexity
/// O(plan and template).
pub fn plan_json(plan: &Plan, types: &dyn TypeSource) -> Json {
    let variables: Map<String, Json> =
        plan.inputs.variables.iter().map(|(name, value)| (name.clone(), json!({ "value": shown(value) }))).collect();
    let outputs: Map<String, Json> =
        plan.outputs.iter().map(|(name, change)| (name.clone(), output_change(change))).collect();
    let mut json = json!({
        "format_version": "1.2",
        "terraform_version": TERRAFORM_VERSION,
        "variables": variables,
        "planned_values": planned_values(plan, types),
        "resource_drift": plan.drift.iter().map(|drift| drifted(drift, types)).collect::<Vec<_>>(),
        "resource_changes": plan.changes.iter().map(|change| changed(change, types)).collect::<Vec<_>>(),
        "output_changes": outputs,
        "prior_state": prior_state(plan, types),
        "configuration": configuration(&plan.inputs, types),
        "timestamp": crate::plan::planner::seconds(plan.inputs.timestamp),
        "applyable": !plan.is_empty(),
        "complete": plan.targets.is_empty(),
        "errored": false,
    });
    if let (false, Some(fields)) = (plan.checks.is_empty(), json.as_object_mut()) {
        fields.insert("checks".into(), super::checks_json(&plan.checks));
    }
    json
}

pub(super) fn provider_name(provider: &str, type_name: &str, types: &dyn TypeSource) -> String {
    match provider.parse::<crate::template::ProviderAddress>() {
        Ok(address) => address.provider.to_string(),
        Err(_) => types.provider_of(type_name).to_string(),
    }
}

fn schema_version(change: &Change, types: &dyn TypeSource) -> u64 {
    types.schema(change.address.mode(), &change.type_name).map_or(0, |schema| schema.version)
}

/// An instance with its values, as `planned_values` and `prior_state` hold it.
fn object(change: &Change, value: &Value, types: &dyn TypeSource) -> Json {
    let mut json = identity(&change.address);
    json.insert("provider_name".into(), json!(provider_name(&change.provider, &change.type_name, types)));
    json.insert("schema_version".into(), json!(schema_version(change, types)));
    json.insert("values".into(), shown(value));
    json.insert("sensitive_values".into(), sensitive(Some(value)));
    Json::Object(json)
}

fn planned_values(plan: &Plan, types: &dyn TypeSource) -> Json {
    let mut tree = Tree::default();
    for change in plan.changes.iter().filter(|change| !change.deposed) {
        if let Some(after) = &change.after {
            tree.add(&change.address, object(change, after, types));
        }
    }
    let outputs =
        plan.outputs.iter().filter_map(|(name, change)| Some((name.clone(), output(change, change.after.as_ref()?))));
    with_outputs(tree, outputs.collect())
}

fn prior_state(plan: &Plan, types: &dyn TypeSource) -> Json {
    let mut tree = Tree::default();
    for change in plan.changes.iter().filter(|change| !change.deposed) {
        if let Some(before) = &change.before {
            let address = change.previous_address.as_ref().unwrap_or(&change.address);
            tree.add(address, object(&Change { address: address.clone(), ..change.clone() }, before, types));
        }
    }
    for read in &plan.reads {
        if let Some(value) = &read.value {
            let mut json = identity(&read.address);
            json.insert("provider_name".into(), json!(types.provider_of(&read.type_name)));
            json.insert(
                "schema_version".into(),
                json!(types.data_source(&read.type_name).map_or(0, |schema| schema.version)),
            );
            json.insert("values".into(), shown(value));
            json.insert("sensitive_values".into(), sensitive(Some(value)));
            tree.add(&read.address, Json::Object(json));
        }
    }
    let outputs =
        plan.outputs.iter().filter_map(|(name, change)| Some((name.clone(), output(change, change.before.as_ref()?))));
    json!({
        "format_version": "1.0",
        "terraform_version": TERRAFORM_VERSION,
        "values": with_outputs(tree, outputs.collect()),
    })
}

fn with_outputs(tree: Tree, outputs: Map<String, Json>) -> Json {
    let mut json = Map::new();
    if !outputs.is_empty() {
        json.insert("outputs".into(), Json::Object(outputs));
    }
    json.insert("root_module".into(), tree.root());
    Json::Object(json)
}

/// An output's value, hidden where the template or the value itself says so.
fn marked(change: &OutputChange, value: &Value) -> Value {
    if change.sensitive { value.clone().with_marks(Marks::SENSITIVE) } else { value.clone() }
}

fn output(change: &OutputChange, value: &Value) -> Json {
    let value = marked(change, value);
    let mut json = Map::new();
    json.insert("sensitive".into(), json!(!value.marks_deep().is_empty()));
    if value.is_known() {
        json.insert("type".into(), value.ty().to_json());
        json.insert("value".into(), shown(&value));
    }
    Json::Object(json)
}

fn output_change(change: &OutputChange) -> Json {
    let before = change.before.as_ref().map(|value| marked(change, value));
    let after = change.after.as_ref().map(|value| marked(change, value));
    // What is null is not there, for Terraform.
    let there = [&before, &after].map(|value| value.as_ref().filter(|value| !value.is_null()));
    let actions = match there {
        [None, None] => ["no-op"],
        [None, Some(_)] => ["create"],
        [Some(_), None] => ["delete"],
        [Some(before), Some(after)] if before.same(after) => ["no-op"],
        [Some(_), Some(_)] => ["update"],
    };
    let after_unknown = after.as_ref().is_some_and(|after| !after.is_known());
    let unknown = match &after {
        Some(after) if !after.is_wholly_known() && !after_unknown => unknown(after),
        _ => Json::Bool(after_unknown),
    };
    let mut json = Map::new();
    json.insert("actions".into(), json!(actions));
    json.insert("before".into(), before.as_ref().map_or(Json::Null, shown));
    if !after_unknown {
        json.insert("after".into(), after.as_ref().map_or(Json::Null, shown));
    }
    json.insert("after_unknown".into(), unknown);
    json.insert("before_sensitive".into(), flag(change, before.as_ref()));
    json.insert("after_sensitive".into(), flag(change, after.as_ref()));
    Json::Object(json)
}

/// Of an output Terraform says whether it is declared sensitive, also where there was none or will be none, and `false` of
/// one without sensitive parts.
fn flag(change: &OutputChange, value: Option<&Value>) -> Json {
    match value {
        Some(value) if !value.marks_deep().is_empty() => sensitive(Some(value)),
        _ => Json::Bool(change.sensitive),
    }
}

fn actions(action: Action) -> &'static [&'static str] {
    match action {
        Action::Create => &["create"],
        Action::Read => &["read"],
        Action::Update => &["update"],
        Action::Replace => &["delete", "create"],
        Action::ReplaceCreateFirst => &["create", "delete"],
        Action::Delete => &["delete"],
        Action::Forget => &["forget"],
        // Terraform has no word for it; what is only waited for does not change.
        Action::NoOp | Action::Wait => &["no-op"],
    }
}

fn action_reason(reasons: &[Reason]) -> Option<&'static str> {
    reasons.first().and_then(|reason| match reason {
        Reason::ForcesReplacement { .. } => Some("replace_because_cannot_update"),
        Reason::Tainted => Some("replace_because_tainted"),
        Reason::Requested => Some("replace_by_request"),
        Reason::TriggeredBy { .. } => Some("replace_by_triggers"),
        Reason::NotInTemplate => Some("delete_because_no_resource_config"),
        Reason::NoMoveTarget => Some("delete_because_no_move_target"),
        Reason::ModuleRemoved => Some("delete_because_no_module"),
        Reason::CountTooSmall { .. } => Some("delete_because_count_index"),
        Reason::KeyRemoved => Some("delete_because_each_key"),
        Reason::WrongRepetition => Some("delete_because_wrong_repetition"),
        Reason::CheckNested => Some("read_because_check_nested"),
        Reason::ConfigUnknown => Some("read_because_config_unknown"),
        Reason::DependencyPending { .. } => Some("read_because_dependency_pending"),
        _ => None,
    })
}

fn difference(actions: &[&str], before: Option<&Value>, after: Option<&Value>) -> Map<String, Json> {
    let mut json = Map::new();
    json.insert("actions".into(), json!(actions));
    json.insert("before".into(), before.map_or(Json::Null, shown));
    json.insert("after".into(), after.map_or(Json::Null, shown));
    json.insert("after_unknown".into(), after.map_or_else(|| json!({}), unknown));
    json.insert("before_sensitive".into(), sensitive(before));
    json.insert("after_sensitive".into(), sensitive(after));
    json
}

fn changed(change: &Change, types: &dyn TypeSource) -> Json {
    let mut json = identity(&change.address);
    if let Some(previous) = &change.previous_address {
        json.insert("previous_address".into(), json!(previous.to_string()));
    }
    if !change.address.module().is_root() {
        json.insert("module_address".into(), json!(change.address.module().to_string()));
    }
    if let (true, Some(object)) = (change.deposed, change.prior_object) {
        json.insert("deposed".into(), json!(deposed_key(object)));
    }
    json.insert("provider_name".into(), json!(provider_name(&change.provider, &change.type_name, types)));
    let mut difference = difference(actions(change.action), change.before.as_ref(), change.after.as_ref());
    if !change.replace_paths.is_empty() {
        difference.insert("replace_paths".into(), Json::Array(change.replace_paths.iter().map(path).collect()));
    }
    if let Some(id) = &change.importing {
        difference.insert("importing".into(), json!({ "id": id }));
    }
    json.insert("change".into(), Json::Object(difference));
    if let Some(reason) = action_reason(&change.reasons) {
        json.insert("action_reason".into(), json!(reason));
    }
    Json::Object(json)
}

/// The short name of a deposed object.
pub(super) fn deposed_key(object: crate::state::ObjectId) -> String {
    object.to_string().chars().take(8).collect()
}

fn drifted(drift: &Drift, types: &dyn TypeSource) -> Json {
    let mut json = identity(&drift.address);
    if !drift.address.module().is_root() {
        json.insert("module_address".into(), json!(drift.address.module().to_string()));
    }
    json.insert("provider_name".into(), json!(types.provider_of(&drift.type_name)));
    let actions: &[&str] = if drift.kind == DriftKind::Vanished { &["delete"] } else { &["update"] };
    json.insert("change".into(), Json::Object(difference(actions, Some(&drift.before), drift.after.as_ref())));
    Json::Object(json)
}
