use std::borrow::Cow;

use crate::value::{Type, Value};

pub(super) fn lines(text: &str) -> Vec<&str> {
    text.strip_suffix('\n').unwrap_or(text).split('\n').collect()
}

/// Replaces control characters, which could play tricks on a terminal.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if text.chars().any(|letter| letter.is_control() && letter != '\t') {
        let clean =
            |letter: char| if letter.is_control() && letter != '\t' { char::REPLACEMENT_CHARACTER } else { letter };
        Cow::Owned(text.chars().map(clean).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Returns a text in quotes, as a template would write it.
pub(super) fn quoted(text: &str) -> Cow<'static, str> {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if letters.peek() == Some(&'{') => {
                out.push(letter);
                out.push(letter);
            }
            letter if letter.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter => out.push(letter),
        }
    }
    out.push('"');
    Cow::Owned(out)
}

/// Returns the value of a text that is a JSON object or array with something in it.
pub(super) fn json_value(text: &str) -> Option<Value> {
    let trimmed = text.trim_start();
    if !trimmed.starts_with(['{', '[']) {
        return None;
    }
    let json: serde_json::Value = serde_json::from_str(trimmed).ok()?;
    let filled =
        json.as_array().is_some_and(|list| !list.is_empty()) || json.as_object().is_some_and(|map| !map.is_empty());
    filled.then(|| from_json(&json)).flatten()
}

fn from_json(json: &serde_json::Value) -> Option<Value> {
    Some(match json {
        serde_json::Value::Null => Value::null(Type::Any),
        serde_json::Value::Bool(value) => Value::bool(*value),
        serde_json::Value::Number(number) => Value::number(number.to_string().parse::<crate::value::Number>().ok()?),
        serde_json::Value::String(text) => Value::string(text.as_str()),
        serde_json::Value::Array(list) => Value::tuple(list.iter().map(from_json).collect::<Option<_>>()?),
        serde_json::Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| Some((key.as_str(), from_json(value)?)));
            Value::object(entries.collect::<Option<Vec<_>>>()?)
        }
    })
}
