//! Locked tags: what the host wants on every object that can bear tags, whatever its template says.
//!
//! They are put into the *configuration* of an instance, once it is evaluated: where planning does that, and where a run
//! evaluates what planning left open. All that lies behind (what a type is asked, what an update is compared with, drift,
//! the plan's text and hash) then sees one truth and knows nothing of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    address::Mode,
    error::{Diagnostic, Error, ErrorKind, Result, Span},
    schema::{Attribute, Schema},
    template::{
        ResourceBlock, SchemaSource, Template,
        syntax::{Body, Expr, ExprKind, ObjectItem},
    },
    value::{Fields, Kind, Type, Value},
};

/// What the keys of tags begin with that nobody but the engine sets.
pub const RESERVED_TAG_PREFIX: &str = "stackwright-";

/// Tags by key.
pub(crate) type Tags = BTreeMap<String, String>;

/// Returns whether only the engine sets a key. Clouds that do not tell capitals apart would mistake one for the other.
fn is_reserved(key: &str) -> bool {
    key.get(..RESERVED_TAG_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED_TAG_PREFIX))
}

/// Refuses tags of a host that it cannot lock.
///
/// # Errors
/// `engine.tag_invalid` naming all of them.
pub(crate) fn check_keys<'a>(keys: impl Iterator<Item = &'a str>) -> Result<()> {
    let wrong: Vec<String> =
        keys.filter(|key| key.is_empty() || is_reserved(key)).map(|key| format!("`{key}`")).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let message = format!(
        "{} cannot be locked: a key is not empty, and those that begin with `{RESERVED_TAG_PREFIX}` are the engine's",
        wrong.join(", ")
    );
    Err(Error::new(ErrorKind::InvalidInput, "engine.tag_invalid", message))
}

/// Returns a configuration with the locked tags in the attribute that takes tags; as it is where there is none. Marks stay.
///
/// What is not known yet stays so: an unknown map as a whole, and a locked key whose value the template leaves open, which
/// is told to be right or wrong once it is known.
///
/// # Complexity
/// O(a + t), a attributes, t tags.
pub(in crate::plan) fn with_locked(tags: &Tags, schema: &Schema, config: &Value) -> Value {
    let (Some((name, _)), Kind::Object(_), false) = (schema.tags(), config.kind(), tags.is_empty()) else {
        return config.clone();
    };
    let part = |(field, value): (&Arc<str>, &Value)| {
        (Arc::clone(field), if field == name { merged(&locked(tags), value) } else { value.clone() })
    };
    Value::object(config.entries().map(part).collect::<Vec<_>>()).with_marks(config.marks())
}

/// Returns the locked tags in the form in which values hold them.
fn locked(tags: &Tags) -> Value {
    Value::map(Type::String, tags.iter().map(|(key, text)| (key.as_str(), Value::string(text.as_str()))))
}

fn merged(locked: &Value, own: &Value) -> Value {
    let all = match own.kind() {
        // What is known of the template's map alone says nothing of both.
        Kind::Unknown(_) => Value::unknown(Type::map(Type::String)),
        Kind::Map(fields) => both(locked, fields),
        _ => locked.clone(),
    };
    all.with_marks(own.marks())
}

fn both(locked: &Value, own: &Fields) -> Value {
    // Reserved ones can only be left from an object that was locked otherwise before: the template may not set them.
    let others = own.iter().filter(|(key, _)| locked.attribute(key).is_none() && !is_reserved(key));
    let ours = locked.entries().map(|(key, text)| match own.get(key) {
        Some(open) if !open.is_known() => (key, open.clone()),
        Some(same) => (key, text.clone().with_marks(same.marks())),
        None => (key, text.clone()),
    });
    let all = others.map(|(key, value)| (key, value.clone())).chain(ours);
    Value::map(Type::String, all.map(|(key, value)| (Arc::clone(key), value)).collect::<Vec<_>>())
}

/// Returns everything that the template says against the locked tags, as far as it is known.
///
/// `config` is evaluated, without the locked tags; `body` is where it is written, `span` all of its block.
///
/// # Complexity
/// O(t), t tags.
pub(in crate::plan) fn trespasses(
    tags: &Tags,
    schema: &Schema,
    config: &Value,
    body: &Body,
    span: Span,
) -> Vec<Diagnostic> {
    let Some((name, attribute)) = schema.tags().filter(|_| !tags.is_empty()) else { return Vec::new() };
    let Some(own) = config.attribute(name) else { return Vec::new() };
    let written = body.attribute(name);
    let whole = written.map_or(span, |written| written.span);
    let items = written.map_or(&[][..], |written| items(&written.expr));
    let at = |key: &str| items.iter().find(|item| item.key.as_str() == Some(key)).map_or(whole, item_span);
    let locked = locked(tags);
    let mut found = Vec::new();
    if let Kind::Map(fields) = own.kind() {
        // Of a secret map, not even the keys are told.
        let shown = |key: &Arc<str>| own.marks().is_empty().then(|| Arc::clone(key));
        for (key, value) in fields.iter() {
            match locked.attribute(key) {
                Some(text) if value.is_known() && !value.is_null() && value.as_str() != text.as_str() => {
                    found.push(taken(shown(key), tags).at(at(key)));
                }
                None if is_reserved(key) => found.push(reserved(shown(key)).at(at(key))),
                _ => {}
            }
        }
    }
    if found.is_empty() {
        found.extend(refusal(name, attribute, &merged(&locked, own)).map(|problem| problem.at(whole)));
    }
    found
}

fn taken(key: Option<Arc<str>>, tags: &Tags) -> Diagnostic {
    let (message, value) = match key {
        Some(key) => {
            let value = tags.get(&*key).map_or_else(String::new, |value| format!(", or set it to `{value}`"));
            (format!("the tag `{key}` is locked, and the template sets it to another value"), value)
        }
        None => ("a tag is locked, and the template sets it to another value".to_owned(), String::new()),
    };
    Diagnostic::error("plan.tag_locked", message)
        .help(format!("leave the tag out{value}: the host puts it on every object that takes tags"))
}

fn reserved(key: Option<Arc<str>>) -> Diagnostic {
    let what = key.map_or_else(|| "a tag".to_owned(), |key| format!("the tag `{key}`"));
    Diagnostic::error(
        "plan.tag_reserved",
        format!("{what} begins with `{RESERVED_TAG_PREFIX}`, which is reserved for the engine"),
    )
    .help("call the tag something else")
}

/// Holds the tags that an object is to bear against what the type allows.
fn refusal(name: &str, attribute: &Attribute, all: &Value) -> Option<Diagnostic> {
    let what = attribute.checks.iter().find_map(|check| check.verdict(all))?;
    let problem = Diagnostic::error("plan.tags_refused", format!("with the locked tags, `{name}` {what}"));
    Some(
        problem.help(
            "set fewer or other tags in the template; if it sets none, the host locks what this type cannot bear",
        ),
    )
}

fn items(expr: &Expr) -> &[ObjectItem] {
    match &expr.unparen().kind {
        ExprKind::Object(items) => items,
        _ => &[],
    }
}

fn item_span(item: &ObjectItem) -> Span {
    item.key.span().to(item.value.span)
}

/// Returns everything that a template says against the locked tags in so many words, without evaluating anything.
///
/// # Complexity
/// O(size of the template), modules counted once per folder.
pub(crate) fn check_template(tags: &Tags, template: &Template, schemas: &dyn SchemaSource) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let modules = template.modules().map(|(_, module)| module).filter(|module| seen.insert(Arc::clone(&module.dir)));
    for module in modules {
        for block in module.resources.values().filter(|block| block.key.mode == Mode::Managed) {
            if let Some(schema) = schemas.resource(&block.key.type_name) {
                found.extend(written_trespasses(tags, &schema, block));
            }
        }
    }
    found
}

fn written_trespasses(tags: &Tags, schema: &Schema, block: &ResourceBlock) -> Vec<Diagnostic> {
    let Some((name, _)) = schema.tags() else { return Vec::new() };
    let Some(written) = block.body.attribute(name) else { return Vec::new() };
    let literal = |item: &ObjectItem| {
        let key = item.key.as_str()?;
        let value = item.value.as_string().map_or_else(|| Value::unknown(Type::String), Value::string);
        Some((key.to_owned(), value))
    };
    let own = Value::map(Type::String, items(&written.expr).iter().filter_map(literal).collect::<Vec<_>>());
    // Limits of the type are left to planning, which knows all of the map.
    let bare = Schema::new(0).attribute(Arc::clone(name), Attribute::optional(Type::map(Type::String)).takes_tags());
    trespasses(tags, &bare, &Value::object([(Arc::clone(name), own)]), &block.body, block.span)
}

#[cfg(test)]
mod tests;
