use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::{
    Check, CompareOp, Condition, Field, Fields, Form, Format, Text,
    resolve::{literal_default, literal_options},
    state::json as shown,
};
use crate::value::Type;

/// Returns a JSON Schema (draft 2020-12) of what a form binds: an object by name of the variable.
///
/// It says what can be said without a cloud: types, limits, patterns, formats, options that are written out, and, where a
/// condition is that another variable has a value, `if` and `then`. What it accepts may still be refused by
/// [`validate`](super::validate), which knows everything; what a ready form binds it always accepts. Beside the standard
/// keywords it says `x-widget` and `x-secret`.
///
/// # Complexity
/// Linear in the form.
pub fn json_schema(form: &Form, locale: &str) -> Json {
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    if let Some(title) = &form.title {
        schema.insert("title".to_owned(), json!(&**title.get(locale)));
    }
    let is_always = |field: &Field| {
        let group = field.group.and_then(|idx| form.groups.get(idx)).is_some_and(|group| group.when.is_some());
        let step = field.step.and_then(|idx| form.steps.get(idx)).is_some_and(|step| step.when.is_some());
        !group && !step
    };
    schema.extend(object(&form.fields, locale, &is_always, true));
    Json::Object(schema)
}

fn object(set: &Fields, locale: &str, is_always: &dyn Fn(&Field) -> bool, is_top: bool) -> Map<String, Json> {
    let name_of = |field: &Field| if is_top { field.variable.clone() } else { Some(Arc::clone(&field.name)) };
    let mut properties = Map::new();
    let mut required: Vec<Json> = Vec::new();
    let mut rules: Vec<Json> = Vec::new();
    for field in &set.list {
        let Some(name) = name_of(field) else { continue };
        let own = Json::Object(property(field, locale));
        match properties.get_mut(&*name) {
            None => drop(properties.insert(name.to_string(), own)),
            // Several declarations of one name: one of them holds.
            Some(Json::Object(known)) if known.len() == 1 && known.contains_key("anyOf") => {
                if let Some(Json::Array(list)) = known.get_mut("anyOf") {
                    list.push(own);
                }
            }
            Some(known) => *known = json!({ "anyOf": [known.take(), own] }),
        }
        let is_required = field.required.constant() == Some(true) && field.hidden.is_none() && is_always(field);
        match &field.when {
            None if is_required && set.indices(&field.name).len() == 1 => required.push(json!(&*name)),
            Some(when) if is_required => {
                // A default may be hidden in what is not bound; only what the schema sees can be asked about.
                if let Some(test) = test(when, set, is_top) {
                    rules.push(json!({ "if": test, "then": { "required": [&*name] } }));
                }
            }
            _ => {}
        }
    }
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Json::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), Json::Array(required));
    }
    schema.insert("additionalProperties".to_owned(), json!(!is_top));
    if !rules.is_empty() {
        schema.insert("allOf".to_owned(), Json::Array(rules));
    }
    schema
}

/// Returns a schema that holds exactly when a condition does; `None` where none can be sure to.
fn test(condition: &Condition, set: &Fields, is_top: bool) -> Option<Json> {
    match condition {
        Condition::Compare { op: CompareOp::Eq, a, b } => {
            let (path, value) = match (a.as_reference(), b.as_reference()) {
                (Some(path), None) => (path, b.constant()?),
                (None, Some(path)) => (path, a.constant()?),
                _ => return None,
            };
            let field = set.named(&path.field).next()?;
            let plain = path.target.as_ref().is_some_and(|target| target.level == 0) && !field.secret;
            let name = if is_top { field.variable.clone()? } else { Arc::clone(&field.name) };
            let mut schema = json!({ "const": shown(value) });
            for step in path.steps.iter().rev() {
                schema = json!({ "type": "object", "properties": { &**step: schema }, "required": [&**step] });
            }
            plain.then(|| json!({ "properties": { &*name: schema }, "required": [&*name] }))
        }
        Condition::All(list) => {
            let tests = list.iter().map(|inner| test(inner, set, is_top)).collect::<Option<Vec<_>>>()?;
            Some(json!({ "allOf": tests }))
        }
        Condition::Any(list) => {
            let tests = list.iter().map(|inner| test(inner, set, is_top)).collect::<Option<Vec<_>>>()?;
            Some(json!({ "anyOf": tests }))
        }
        _ => None,
    }
}

fn property(field: &Field, locale: &str) -> Map<String, Json> {
    let ty = if field.target.ty == Type::Any { &field.ty } else { &field.target.ty };
    let mut schema = match &field.list {
        Some(list) => {
            let items = Json::Object(object(&list.fields, locale, &|_| true, false));
            let mut schema = Map::from_iter([("type".to_owned(), json!("array")), ("items".to_owned(), items)]);
            if list.min > 0 {
                schema.insert("minItems".to_owned(), json!(list.min));
            }
            schema.extend(list.max.map(|max| ("maxItems".to_owned(), json!(max))));
            schema
        }
        None => of_type(ty),
    };
    let mut text = |key: &str, text: &Option<Text>| {
        schema.extend(text.iter().map(|text| (key.to_owned(), json!(&**text.get(locale)))));
    };
    text("title", &field.label);
    text("description", &field.description);
    schema.insert("x-widget".to_owned(), json!(&*field.widget.name));
    if field.secret {
        schema.insert("x-secret".to_owned(), json!(true));
        schema.insert("writeOnly".to_owned(), json!(true));
    } else if let Some(default) = literal_default(field).filter(|value| !value.is_null()) {
        schema.insert("default".to_owned(), shown(default));
    }
    let options =
        field.options.as_ref().filter(|options| !options.allow_other && options.on_stale != super::OnStale::Keep);
    if let Some(choices) = options.and_then(|_| literal_options(field)) {
        let values: Json = choices.iter().map(|(value, _)| shown(value)).collect();
        // A value left empty is bound as it is.
        let list =
            if field.widget.is_multiple { json!({ "items": { "enum": values } }) } else { json!({ "enum": values }) };
        if let Json::Object(list) = list {
            schema.extend(list);
        }
    }
    let is_text = *ty == Type::String;
    let is_optional = field.required.constant() != Some(true) || field.hidden.is_some();
    let mut rules: Vec<Json> = Vec::new();
    for validator in &field.validators {
        let is_certain = validator.when.is_none() && validator.severity == crate::error::Severity::Error;
        if is_certain && let Some(rule) = rule(&validator.check, ty, is_text && is_optional) {
            rules.push(rule);
        }
    }
    if let (Some(format), true) = (field.widget.format.and_then(standard_format), is_text && !is_optional) {
        schema.insert("format".to_owned(), json!(format));
    }
    match rules.pop() {
        Some(Json::Object(rule)) if rules.is_empty() && rule.keys().all(|key| !schema.contains_key(key)) => {
            schema.extend(rule);
        }
        Some(rule) => {
            rules.push(rule);
            schema.insert("allOf".to_owned(), Json::Array(rules));
        }
        None => {}
    }
    schema
}

/// Returns what a rule says of a value. Texts that may be left empty are looked at only if they are not.
fn rule(check: &Check, ty: &Type, may_be_empty: bool) -> Option<Json> {
    let rule = match check {
        Check::Range { min, max } if *ty == Type::Number => {
            let bound = |bound: &Option<super::Expression>| Some(shown(bound.as_ref()?.constant()?));
            let bounds = [("minimum", bound(min)), ("maximum", bound(max))];
            let bounds = bounds.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
            Json::Object(bounds.filter(|(_, value)| value.is_number()).collect())
        }
        Check::Length { min, max } => {
            let names = match ty {
                Type::String => ["minLength", "maxLength"],
                Type::List(_) | Type::Set(_) => ["minItems", "maxItems"],
                Type::Map(_) => ["minProperties", "maxProperties"],
                _ => return None,
            };
            let bounds =
                names.into_iter().zip([min, max]).filter_map(|(name, value)| Some((name.to_owned(), json!((*value)?))));
            Json::Object(bounds.collect())
        }
        // Patterns are written in another dialect than the one of JSON Schema; the plain ones are the same in both.
        Check::Pattern(regex) if *ty == Type::String && is_common(regex.as_str()) => {
            json!({ "pattern": regex.as_str() })
        }
        Check::Enum(list) if !matches!(ty, Type::List(_) | Type::Set(_) | Type::Any) => {
            json!({ "enum": shown(list.constant()?) })
        }
        Check::Format(format) if *ty == Type::String => json!({ "format": standard_format(*format)? }),
        Check::Unique(None) => json!({ "uniqueItems": true }),
        _ => return None,
    };
    Some(if may_be_empty { json!({ "anyOf": [{ "const": "" }, rule] }) } else { rule })
}

fn standard_format(format: Format) -> Option<&'static str> {
    Some(match format {
        Format::Ipv4 => "ipv4",
        Format::Ipv6 => "ipv6",
        Format::Email => "email",
        Format::Url => "uri",
        Format::Hostname => "hostname",
        Format::Uuid => "uuid",
        _ => return None,
    })
}

fn is_common(pattern: &str) -> bool {
    pattern.is_ascii() && !pattern.contains("(?") && !pattern.contains("[[:") && !pattern.contains(['\\', '&', '~'])
}

fn of_type(ty: &Type) -> Map<String, Json> {
    let schema = match ty {
        Type::Any => json!({}),
        Type::Bool => json!({ "type": "boolean" }),
        Type::Number => json!({ "type": "number" }),
        Type::String => json!({ "type": "string" }),
        Type::List(element) => json!({ "type": "array", "items": of_type(element) }),
        Type::Set(element) => json!({ "type": "array", "items": of_type(element), "uniqueItems": true }),
        Type::Map(element) => json!({ "type": "object", "additionalProperties": or_null(element) }),
        Type::Tuple(types) => {
            let items: Vec<Json> = types.iter().map(or_null).collect();
            json!({ "type": "array", "prefixItems": items, "minItems": types.len(), "maxItems": types.len() })
        }
        Type::Object(object) => {
            let properties: Map<String, Json> =
                object.attributes.iter().map(|(name, ty)| (name.to_string(), or_null(ty))).collect();
            json!({ "type": "object", "properties": properties })
        }
    };
    match schema {
        Json::Object(schema) => schema,
        _ => Map::new(),
    }
}

/// Inside of objects, what is not known is null.
fn or_null(ty: &Type) -> Json {
    match ty {
        Type::Any => json!({}),
        _ => json!({ "anyOf": [of_type(ty), { "type": "null" }] }),
    }
}
