//! Reading and writing attributes of objects.

use std::{collections::BTreeMap, io, path::Path, sync::Arc};

use stackwright::{
    error::{Effect, Error, ErrorKind, Result, Retry},
    value::{Type, Value},
};

/// Returns a text; `None` where it is null or not known.
pub(crate) fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.attribute(name).and_then(Value::as_str)
}

/// Returns a text that the schema requires.
pub(crate) fn required<'a>(object: &'a Value, name: &str) -> Result<&'a str> {
    text(object, name).ok_or_else(|| Error::bug(format!("`{name}` was handed on without a value")))
}

/// Returns a switch; off where it is null.
pub(crate) fn flag(object: &Value, name: &str) -> bool {
    object.attribute(name).and_then(Value::as_bool).unwrap_or(false)
}

/// Returns a whole number.
pub(crate) fn number(object: &Value, name: &str) -> Option<u64> {
    object.attribute(name).and_then(Value::as_number).and_then(|number| number.to_u64())
}

/// Returns the texts of a list or set; empty where it is null.
pub(crate) fn texts(object: &Value, name: &str) -> Vec<String> {
    let Some(list) = object.attribute(name) else { return Vec::new() };
    list.elements().filter_map(|element| element.as_str().map(str::to_owned)).collect()
}

/// Returns the texts of a map, `None` where one is null; empty where the map is null.
pub(crate) fn variables(object: &Value, name: &str) -> BTreeMap<String, Option<String>> {
    let Some(map) = object.attribute(name) else { return BTreeMap::new() };
    map.entries().map(|(key, value)| (key.to_string(), value.as_str().map(str::to_owned))).collect()
}

/// Checks a command line as far as it is known: there is a program, and nothing is null or holds a zero byte.
///
/// # Errors
/// `code`.
pub(crate) fn check_words(config: &Value, name: &str, code: &'static str) -> Result<()> {
    let refuse = |message: String| Err(Error::new(ErrorKind::InvalidInput, code, message));
    let Some(words) = config.attribute(name).filter(|words| words.is_known() && !words.is_null()) else {
        return Ok(());
    };
    if words.elements().next().is_none_or(|program| program.as_str() == Some("")) {
        return refuse(format!("`{name}` is empty; its first element is the program"));
    }
    for (idx, word) in words.elements().enumerate() {
        if word.is_null() {
            return refuse(format!("element {idx} of `{name}` is null"));
        }
        if word.as_str().is_some_and(|word| word.contains('\0')) {
            return refuse(format!("element {idx} of `{name}` holds a zero byte"));
        }
    }
    Ok(())
}

/// Returns an attribute; null of any type where there is none.
pub(crate) fn get(object: &Value, name: &str) -> Value {
    object.attribute(name).cloned().unwrap_or_else(|| Value::null(Type::Any))
}

/// Returns whether an attribute is there and known, null included.
pub(crate) fn is_known(object: &Value, name: &str) -> bool {
    object.attribute(name).is_some_and(Value::is_wholly_known)
}

/// Returns the object with these attributes set to other values.
pub(crate) fn with<const N: usize>(object: &Value, changes: [(&str, Value); N]) -> Value {
    let mut attributes: BTreeMap<Arc<str>, Value> =
        object.entries().map(|(name, value)| (Arc::clone(name), value.clone())).collect();
    for (name, value) in changes {
        attributes.insert(Arc::from(name), value);
    }
    Value::object(attributes)
}

/// Returns whether any of these attributes differs.
pub(crate) fn differ(a: &Value, b: &Value, names: &[&str]) -> bool {
    names.iter().any(|name| get(a, name).unmark_deep().0 != get(b, name).unmark_deep().0)
}

/// Returns the error for a failed operation on a path.
pub(crate) fn io_error(what: &str, path: &Path, error: io::Error) -> Error {
    let (kind, code, retry) = match error.kind() {
        io::ErrorKind::PermissionDenied => (ErrorKind::Denied, "local.denied", Retry::No),
        io::ErrorKind::NotFound => (ErrorKind::NotFound, "local.io", Retry::No),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (ErrorKind::Unavailable, "local.io", Retry::WithBackoff)
        }
        _ => (ErrorKind::Unavailable, "local.io", Retry::No),
    };
    Error::new(kind, code, format!("cannot {what} `{}`", path.display()))
        .retry(retry)
        .effect(Effect::None)
        .because(error)
}

/// Runs blocking work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::bug("work on this machine ended early").effect(Effect::Unknown).because(error)),
    }
}

/// Parses a file mode such as `0644`.
pub(crate) fn mode(text: &str) -> Result<u32> {
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777).ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidInput,
            "local.mode",
            format!("`{text}` is not a file mode; write three or four octal digits, such as `0644`"),
        )
    })
}

/// Returns a mode as an attribute: in the spelling that it had, where that means the same.
pub(crate) fn octal(spelled: &Value, found: u32) -> Value {
    match spelled.as_str().and_then(|text| mode(text).ok()) == Some(found) {
        true => spelled.clone(),
        false => Value::string(format!("{found:04o}")),
    }
}
