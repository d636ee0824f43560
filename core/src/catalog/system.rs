use std::{collections::BTreeMap, sync::Arc};

use crate::{
    template::{Module, Variable},
    value::{Type, Value},
};

/// What the platform knows of an installation. A template gets those parts that it declares variables for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct System {
    /// The id of the installation: `stackwright_app_id`, or `cloudapp_id` in templates of CloudApp.
    pub app_id: Arc<str>,
    /// What people call it: `stackwright_app_name`, `cloudapp_name`.
    pub name: Arc<str>,
    /// The tags that everything it has must bear: `stackwright_app_tags`, `cloudapp_tags`.
    pub tags: BTreeMap<Arc<str>, Arc<str>>,
    /// The plan that was chosen; null where none was: `stackwright_app_plan`, `cloudapp_spec`.
    pub plan: Option<Arc<str>>,
    /// The role that it runs in; null where it has none: `stackwright_app_role`, `cloudapp_cam_role`.
    pub role: Option<Arc<str>>,
}

/// Names of variables, the part that each gets, and CloudApp's name for it.
const NAMES: [(&str, &str); 5] = [
    ("stackwright_app_id", "cloudapp_id"),
    ("stackwright_app_name", "cloudapp_name"),
    ("stackwright_app_tags", "cloudapp_tags"),
    ("stackwright_app_plan", "cloudapp_spec"),
    ("stackwright_app_role", "cloudapp_cam_role"),
];

impl System {
    /// Returns the names that variables may have, ours.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().map(|(own, _)| own)
    }

    /// Returns whether a variable is one that the platform sets, or says that it is.
    pub fn is_system(name: &str) -> bool {
        name.starts_with("stackwright_") || name.starts_with("cloudapp_")
    }

    /// Returns the type of what a variable of that name gets; `None` where there is none.
    pub fn type_of(name: &str) -> Option<Type> {
        let (own, _) = NAMES.into_iter().find(|(own, theirs)| *own == name || *theirs == name)?;
        Some(if own == "stackwright_app_tags" { Type::map(Type::String) } else { Type::String })
    }

    /// Returns the values of those variables that a template declares, by name.
    pub fn values(&self, module: &Module) -> BTreeMap<Arc<str>, Value> {
        let of = |variable: &Variable| Some((Arc::clone(&variable.name), self.value(&variable.name)?));
        module.variables.values().filter_map(of).collect()
    }

    /// Returns the value of a variable as it is today: tags are, all else stays as it was given.
    pub(crate) fn renewed(&self, name: &str, given: &Value) -> Value {
        match Self::type_of(name) {
            Some(Type::Map(_)) => self.value(name).unwrap_or_else(|| given.clone()),
            _ => given.clone(),
        }
    }

    fn value(&self, name: &str) -> Option<Value> {
        let (own, _) = NAMES.into_iter().find(|(own, theirs)| *own == name || *theirs == name)?;
        let text = |text: &Arc<str>| Value::string(&**text);
        let optional = |value: &Option<Arc<str>>| value.as_ref().map_or_else(|| Value::null(Type::String), text);
        Some(match own {
            "stackwright_app_id" => text(&self.app_id),
            "stackwright_app_name" => text(&self.name),
            "stackwright_app_plan" => optional(&self.plan),
            "stackwright_app_role" => optional(&self.role),
            _ => Value::map(Type::String, self.tags.iter().map(|(name, value)| (Arc::clone(name), text(value)))),
        })
    }
}
