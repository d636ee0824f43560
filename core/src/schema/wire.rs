//! Schemas as JSON. A default is plain JSON that is read as the attribute's type.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::Value as Json;

use super::{Attribute, Check, Pattern};
use crate::value::{Number, Type, Value, convert, from_json_value, to_json_value};

/// Returns whether a field may be left out.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AttributeWire {
    #[serde(rename = "type")]
    ty: Type,
    #[serde(default, skip_serializing_if = "is_default")]
    required: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    optional: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    computed: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    sensitive: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    echoes: Option<std::sync::Arc<str>>,
    #[serde(default, skip_serializing_if = "is_default")]
    write_only: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    forces_replacement: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    takes_tags: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    default: Option<Json>,
    #[serde(default, skip_serializing_if = "is_default")]
    checks: Vec<CheckWire>,
    #[serde(default, skip_serializing_if = "is_default")]
    description: String,
    #[serde(default, skip_serializing_if = "is_default")]
    deprecated: Option<String>,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum CheckWire {
    OneOf(Vec<Json>),
    Range {
        #[serde(default, skip_serializing_if = "is_default")]
        min: Option<Json>,
        #[serde(default, skip_serializing_if = "is_default")]
        max: Option<Json>,
    },
    Length {
        #[serde(default, skip_serializing_if = "is_default")]
        min: u64,
        #[serde(default, skip_serializing_if = "is_default")]
        max: Option<u64>,
    },
    Pattern(Pattern),
}

/// Returns a value of the schema as JSON; a hidden one is refused, since a schema is shown to everybody.
pub(super) fn plain_json(value: &Value) -> Result<Json, String> {
    if !value.marks_deep().is_empty() {
        return Err("a schema cannot hold a sensitive or ephemeral value".to_owned());
    }
    to_json_value(value).map_err(|error| error.to_string())
}

/// Returns an attribute's default as JSON of its type.
pub(super) fn default_json(attribute: &Attribute) -> Result<Option<Json>, String> {
    let typed = |value: &Value| convert(value, &attribute.ty).unwrap_or_else(|_| value.clone());
    attribute.default.as_ref().map(|default| plain_json(&typed(default))).transpose()
}

fn number_from_json(json: &Json) -> Result<Number, String> {
    let value = from_json_value(json, &Type::Number).map_err(|error| error.to_string())?;
    value.as_number().cloned().ok_or_else(|| "a number is required".to_owned())
}

impl TryFrom<&Check> for CheckWire {
    type Error = String;

    fn try_from(check: &Check) -> Result<Self, String> {
        let number =
            |bound: &Option<Number>| bound.as_ref().map(|bound| plain_json(&Value::number(bound.clone()))).transpose();
        Ok(match check {
            Check::OneOf(values) => Self::OneOf(values.iter().map(plain_json).collect::<Result<_, _>>()?),
            Check::Range { min, max } => Self::Range { min: number(min)?, max: number(max)? },
            Check::Length { min, max } => Self::Length { min: *min, max: *max },
            Check::Pattern(pattern) => Self::Pattern(pattern.clone()),
        })
    }
}

impl TryFrom<CheckWire> for Check {
    type Error = String;

    fn try_from(wire: CheckWire) -> Result<Self, String> {
        let value = |json: &Json| from_json_value(json, &Type::Any).map_err(|error| error.to_string());
        let number = |json: Option<Json>| json.as_ref().map(number_from_json).transpose();
        Ok(match wire {
            CheckWire::OneOf(values) => Self::OneOf(values.iter().map(value).collect::<Result<_, _>>()?),
            CheckWire::Range { min, max } => Self::Range { min: number(min)?, max: number(max)? },
            CheckWire::Length { min, max } => Self::Length { min, max },
            CheckWire::Pattern(pattern) => Self::Pattern(pattern),
        })
    }
}

impl TryFrom<&Attribute> for AttributeWire {
    type Error = String;

    fn try_from(attribute: &Attribute) -> Result<Self, String> {
        Ok(Self {
            ty: attribute.ty.clone(),
            required: attribute.required,
            optional: attribute.optional,
            computed: attribute.computed,
            sensitive: attribute.sensitive,
            echoes: attribute.echoes.clone(),
            write_only: attribute.write_only,
            forces_replacement: attribute.forces_replacement,
            takes_tags: attribute.takes_tags,
            default: default_json(attribute)?,
            checks: attribute.checks.iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            description: attribute.description.clone(),
            deprecated: attribute.deprecated.clone(),
        })
    }
}

impl TryFrom<AttributeWire> for Attribute {
    type Error = String;

    fn try_from(wire: AttributeWire) -> Result<Self, String> {
        let default = |json: Json| {
            from_json_value(&json, &wire.ty).map_err(|error| format!("the default is not of its type: {error}"))
        };
        Ok(Self {
            default: wire.default.map(default).transpose()?,
            ty: wire.ty,
            required: wire.required,
            optional: wire.optional,
            computed: wire.computed,
            sensitive: wire.sensitive,
            echoes: wire.echoes,
            write_only: wire.write_only,
            forces_replacement: wire.forces_replacement,
            takes_tags: wire.takes_tags,
            checks: wire.checks.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            description: wire.description,
            deprecated: wire.deprecated,
        })
    }
}

impl Serialize for Attribute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        AttributeWire::try_from(self).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Attribute {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AttributeWire::deserialize(deserializer)?.try_into().map_err(de::Error::custom)
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        CheckWire::try_from(self).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Check {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        CheckWire::deserialize(deserializer)?.try_into().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        schema::{Block, NestedBlock, Schema, testing::secret},
        value::Type,
    };

    fn rich() -> Schema {
        let rule = Block::new()
            .attribute("port", Attribute::required(Type::Number).between(1, 65535))
            .describe("Lets traffic in.")
            .deprecated("use `policy`");
        Schema::new(3)
            .attribute(
                "name",
                Attribute::required(Type::String).pattern("^[a-z]+$").length(1, Some(20)).forces_replacement(),
            )
            .attribute("kind", Attribute::optional(Type::String).one_of(["tcp", "udp"]).default("tcp"))
            .attribute(
                "ports",
                Attribute::optional(Type::list(Type::Number)).default(Value::list(Type::Number, vec![])),
            )
            .attribute("limit", Attribute::optional(Type::Number).at_least(Number::parse("0.1").expect("a number")))
            .attribute("key", Attribute::optional(Type::String).sensitive().write_only().deprecated("use `name`"))
            .attribute("labels", Attribute::optional(Type::map(Type::String)).takes_tags())
            .attribute("id", Attribute::computed(Type::String).describe("Its id."))
            .block("rule", NestedBlock::set(rule).min_items(1).max_items(9).forces_replacement())
            .describe("A firewall.")
    }

    #[test]
    fn schemas_travel_as_json() {
        let json = serde_json::to_string_pretty(&rich()).expect("a schema is JSON");
        insta::assert_snapshot!(json);
        assert_eq!(serde_json::from_str::<Schema>(&json).expect("JSON is a schema"), rich());
    }

    fn refused(json: &str) -> String {
        serde_json::from_str::<Schema>(json).expect_err("a bad schema").to_string()
    }

    #[test]
    fn bad_json_is_refused() {
        let attribute =
            |rest: &str| refused(&format!(r#"{{"version":0,"block":{{"attributes":{{"a":{{{rest}}}}}}}}}"#));
        assert!(attribute(r#""type":"string","requird":true"#).starts_with("unknown field `requird`"));
        assert!(attribute(r#""required":true"#).starts_with("missing field `type`"));
        assert!(attribute(r#""type":"text""#).contains("`text` is not a primitive type"));
        assert!(
            attribute(r#""type":"number","optional":true,"default":"x""#).contains("the default is not of its type")
        );
        assert!(attribute(r#""type":"number","checks":[{"range":{"min":"x"}}]"#).contains("number"));
        assert!(attribute(r#""type":"number","checks":[{"prime":true}]"#).contains("unknown variant `prime`"));
        assert!(refused(r#"{"version":0}"#).starts_with("missing field `block`"));
        assert!(refused(r#"{"version":0,"block":{"nested":{}}}"#).starts_with("unknown field `nested`"));
    }

    #[test]
    fn a_secret_default_does_not_leave() {
        let schema = Schema::new(0).attribute("a", Attribute::optional(Type::String).default(secret("hunter2".into())));
        let error = serde_json::to_string(&schema).expect_err("a secret");
        assert_eq!(error.to_string(), "a schema cannot hold a sensitive or ephemeral value");
        let error = schema.check().expect_err("a secret");
        assert_eq!(
            error.to_string(),
            "the schema contradicts itself: `a` has a default that is sensitive or ephemeral"
        );
    }

    #[test]
    fn a_default_is_written_as_its_type() {
        let schema = Schema::new(0).attribute("a", Attribute::optional(Type::Number).default("5"));
        let json = serde_json::to_value(&schema).expect("a schema is JSON");
        assert_eq!(json["block"]["attributes"]["a"]["default"], serde_json::json!(5));
    }
}
