//! Ids of objects that exist nowhere but in state, and so bring their settings along.
//!
//! ```text
//! 8080                          the id alone
//! 8080?min=8000&max=8100        and inputs that cannot be seen from it
//! 8080?keepers.release=7        and one key of a map
//! ```

use std::collections::BTreeMap;

use stackwright::{
    error::{Error, ErrorKind, Result},
    schema::Schema,
    value::{Type, Value},
};

use crate::attributes::with;

/// An id, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ImportId {
    /// What stands before the first `?`; percent signs are not decoded.
    pub(crate) id: String,
    settings: Vec<(String, String)>,
}

pub(crate) fn refuse(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, "resource.import_id", message)
}

impl ImportId {
    /// Takes an id apart.
    ///
    /// # Errors
    /// `resource.import_id` for settings that are not `name=value`. Nothing of the id is repeated: it may be secret.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (id, rest) = text.split_once('?').unwrap_or((text, ""));
        let mut settings = Vec::new();
        for pair in rest.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| refuse("behind the `?` of an id stands `name=value`, joined by `&`"))?;
            settings.push((name.to_owned(), decode(value)?));
        }
        Ok(Self { id: id.to_owned(), settings })
    }

    /// Returns an object with the settings in it; `allowed` are those that the type takes.
    ///
    /// # Errors
    /// `resource.import_id` for settings that the type does not take, or that are not of the right kind.
    pub(crate) fn set(&self, schema: &Schema, object: &Value, allowed: &[&str]) -> Result<Value> {
        let mut keepers = BTreeMap::new();
        let mut object = object.clone();
        for (name, value) in &self.settings {
            match name.split_once('.') {
                Some(("keepers", key)) if allowed.contains(&"keepers") && !key.is_empty() => {
                    keepers.insert(key.to_owned(), Value::string(value.as_str()));
                }
                _ if allowed.contains(&name.as_str()) && name != "keepers" => {
                    object = with(&object, [(name.as_str(), Value::string(value.as_str()))]);
                }
                _ => {
                    let known = allowed.iter().map(|name| match *name {
                        "keepers" => "`keepers.KEY`".to_owned(),
                        name => format!("`{name}`"),
                    });
                    let known = known.collect::<Vec<_>>().join(", ");
                    return Err(refuse(format!("an id has no setting `{name}`; there are {known}")));
                }
            }
        }
        if !keepers.is_empty() {
            object = with(&object, [("keepers", Value::map(Type::String, keepers))]);
        }
        let object = schema.conform(&object).map_err(|problems| wrong(&problems))?;
        let problems = schema.validate_values(&object);
        if problems.is_empty() { Ok(object) } else { Err(wrong(&problems)) }
    }
}

fn wrong(problems: &[(stackwright::value::Path, String)]) -> Error {
    let list: Vec<String> =
        problems.iter().map(|(path, what)| format!("`{}` {what}", path.to_string().trim_start_matches('.'))).collect();
    refuse(format!("the settings of an id do not fit: {}", list.join("; ")))
}

/// Decodes `%41` to `A`.
///
/// # Errors
/// `resource.import_id` where what follows a percent sign is not two hexadecimal digits, or the result is no text.
pub(crate) fn decode(text: &str) -> Result<String> {
    let broken = || refuse("in an id `%` begins two hexadecimal digits; write `%25` for the sign itself");
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let digits = part.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or_else(broken)?;
        bytes.push(byte);
        bytes.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| broken())
}

#[cfg(test)]
mod tests {
    use stackwright::schema::Attribute;

    use super::*;

    fn schema() -> Schema {
        Schema::new(1)
            .attribute("min", Attribute::optional(Type::Number).between(1, 10))
            .attribute("on", Attribute::optional(Type::Bool))
            .attribute("result", Attribute::computed(Type::String))
            .attribute("keepers", Attribute::optional(Type::map(Type::String)))
    }

    fn set(id: &str) -> Result<(String, Value)> {
        let id = ImportId::parse(id)?;
        let object = id.set(&schema(), &schema().block.empty_value(), &["min", "on", "keepers"])?;
        Ok((id.id, object))
    }

    #[test]
    fn settings_become_attributes() {
        let (id, object) = set("a/b,c?min=3&on=true&keepers.x=1%262&keepers.y.z=").expect("well formed");
        assert_eq!(id, "a/b,c");
        assert_eq!(object.attribute("min"), Some(&Value::number(3)));
        assert_eq!(object.attribute("on"), Some(&Value::bool(true)));
        let keepers = [("x", Value::string("1&2")), ("y.z", Value::string(""))];
        assert_eq!(object.attribute("keepers"), Some(&Value::map(Type::String, keepers)));
        let (id, object) = set("plain").expect("well formed");
        assert_eq!((id.as_str(), object), ("plain", schema().block.empty_value()));
    }

    #[test]
    fn what_does_not_fit_is_refused_without_repeating_values() {
        for id in [
            "x?min",
            "x?min=secret",
            "x?min=11",
            "x?result=secret",
            "x?keepers=secret",
            "x?keepers.=secret",
            "x?on=%zzsecret",
            "x?on=%",
            "x?on=%ff",
        ] {
            let error = set(id).expect_err(id);
            assert_eq!(error.code(), "resource.import_id", "{id}");
            assert!(!error.report().contains("secret"), "{id}: {}", error.report());
        }
    }

    #[test]
    fn percent_signs_are_decoded() {
        assert_eq!(decode("a%2Cb%3f%25%C3%A9").expect("well formed"), "a,b?%é");
    }
}
