//! Ids of the wrong kind.

use std::sync::Arc;

use crate::{
    form::{Field, FieldPath},
    value::Type,
};

/// Kinds of things whose ids templates pass along, beside those that widgets name.
pub(super) const KINDS: [&str; 12] = [
    "vpc",
    "subnet",
    "security_group",
    "route_table",
    "image",
    "certificate",
    "bucket",
    "instance_type",
    "zone",
    "region",
    "cluster",
    "key",
];

/// Returns what the id in an argument of that name must name: `security_group` for `security_groups`, `security_group_id`
/// and `orderly_security_group_ids`; `None` where the name does not say.
pub(super) fn kind_of_name(name: &str) -> Option<&'static str> {
    let name = name.strip_suffix("_ids").or_else(|| name.strip_suffix("_id")).unwrap_or(name);
    let matches = |name: &str| {
        let fits = |kind: &&&str| name == **kind || name.strip_suffix(**kind).is_some_and(|rest| rest.ends_with('_'));
        KINDS.iter().filter(fits).max_by_key(|kind| kind.len()).copied()
    };
    matches(name).or_else(|| name.strip_suffix('s').and_then(matches))
}

/// Returns what the id at a reference names; `None` where it is no id.
pub(super) fn kind_of_path<'a>(field: &'a Field, path: &FieldPath) -> Option<&'a Arc<str>> {
    kind_at(field, path.steps.iter().map(|step| &**step))
}

/// Returns what the id at these steps into a field's value names. Steps into lists do not count.
pub(super) fn kind_at<'a, 's>(field: &'a Field, steps: impl Iterator<Item = &'s str>) -> Option<&'a Arc<str>> {
    let names: Vec<&str> = steps.filter(|step| step.parse::<usize>().is_err()).collect();
    field.widget.id_kind(&names.join("."))
}

/// Returns the path that has the id of a kind in a field's value, and in the type of the variable that it sets.
pub(super) fn path_of_kind<'a>(field: &'a Field, kind: &str, ty: &Type) -> Option<&'a Arc<str>> {
    let is_there = |path: &str| {
        let part = |ty: Type, name: &str| match &ty {
            Type::Object(object) => object.attributes.get(name).cloned(),
            Type::Any => Some(Type::Any),
            _ => None,
        };
        path.split('.').filter(|name| !name.is_empty()).try_fold(ty.clone(), part).is_some()
    };
    field.widget.ids.iter().find(|(path, known)| &**known == kind && is_there(path)).map(|(path, _)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_ids_they_take() {
        for (name, kind) in [
            ("security_groups", Some("security_group")),
            ("security_group_id", Some("security_group")),
            ("orderly_security_group_ids", Some("security_group")),
            ("vpc_security_group_ids", Some("security_group")),
            ("subnet_id", Some("subnet")),
            ("service_subnet_id", Some("subnet")),
            ("vpc_id", Some("vpc")),
            ("availability_zone", Some("zone")),
            ("id", None),
            ("name", None),
            ("monkey", None),
        ] {
            assert_eq!(kind_of_name(name), kind, "{name}");
        }
    }
}
