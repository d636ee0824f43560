use serde_json::{Map, Value as Json, json};

use crate::value::{Kind, Path, Step, Type, Value, to_json_value};

/// Returns a value as JSON: sensitive parts are null, attributes that are not known yet are left out.
pub(super) fn shown(value: &Value) -> Json {
    if !value.marks().is_empty() {
        return Json::Null;
    }
    match value.kind() {
        Kind::Null(_) | Kind::Unknown(_) => Json::Null,
        Kind::Object(fields) | Kind::Map(fields) => {
            let known = fields.iter().filter(|(_, part)| part.is_known());
            Json::Object(known.map(|(name, part)| (name.to_string(), shown(part))).collect())
        }
        Kind::List(items) | Kind::Set(items) | Kind::Tuple(items) => Json::Array(items.iter().map(shown).collect()),
        // Numbers beyond what JSON can say are the only ones that cannot be converted.
        _ => to_json_value(value).unwrap_or(Json::Null),
    }
}

/// Returns where a value is not known: `true` there, and containers around it without what is known.
pub(super) fn unknown(value: &Value) -> Json {
    if value.is_wholly_known() {
        return json!({});
    }
    flags(value, &|part| !part.is_known())
}

/// Returns where a value is sensitive, in the same way; `false` for a null. A container that is not known yet stands as an
/// empty one.
pub(super) fn sensitive(value: Option<&Value>) -> Json {
    match value {
        Some(value) => flags(value, &|part| !part.marks().is_empty()),
        None => Json::Bool(false),
    }
}

/// Mirrors a value: `true` where the question is answered so, containers elsewhere; in objects `false` is left out.
fn flags(value: &Value, asked: &dyn Fn(&Value) -> bool) -> Json {
    if asked(value) {
        return Json::Bool(true);
    }
    match value.kind() {
        Kind::Object(fields) | Kind::Map(fields) => {
            let parts = fields.iter().map(|(name, part)| (name.to_string(), flags(part, asked)));
            Json::Object(parts.filter(|(_, flag)| *flag != Json::Bool(false)).collect::<Map<_, _>>())
        }
        Kind::List(items) | Kind::Set(items) | Kind::Tuple(items) => {
            Json::Array(items.iter().map(|part| flags(part, asked)).collect())
        }
        Kind::Unknown(_) => match value.ty() {
            Type::List(_) | Type::Set(_) | Type::Tuple(_) => json!([]),
            Type::Map(_) | Type::Object(_) => json!({}),
            _ => Json::Bool(false),
        },
        _ => Json::Bool(false),
    }
}

/// Returns a path as the list of its steps.
pub(super) fn path(path: &Path) -> Json {
    let step = |step: &Step| match step {
        Step::Attr(name) | Step::Key(name) => json!(name),
        Step::Index(idx) => json!(idx),
        // Elements of sets have no names.
        Step::Element(_) => Json::Null,
    };
    Json::Array(path.steps().iter().map(step).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Marks;

    #[test]
    fn what_is_not_known_has_flags_of_its_type() {
        let unknown = |ty: Type| sensitive(Some(&Value::unknown(ty)));
        assert_eq!(unknown(Type::String), json!(false));
        assert_eq!(unknown(Type::Any), json!(false));
        assert_eq!(unknown(Type::list(Type::String)), json!([]));
        assert_eq!(unknown(Type::tuple(vec![Type::String])), json!([]));
        assert_eq!(unknown(Type::map(Type::String)), json!({}));
        assert_eq!(
            sensitive(Some(&Value::object([
                ("a", Value::unknown(Type::set(Type::Bool))),
                ("b", Value::unknown(Type::set(Type::Bool)).with_marks(Marks::SENSITIVE)),
                ("c", Value::unknown(Type::Bool)),
            ]))),
            json!({ "a": [], "b": true })
        );
    }
}
