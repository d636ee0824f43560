use serde_json::{Map, Value as Json, json};

use crate::value::{Type, Value};

use super::{
    Attribute, Block, Check, NestedBlock, Nesting, Schema,
    wire::{default_json, plain_json},
};

impl Schema {
    /// Returns a JSON Schema (draft 2020-12) of what a template sets: inputs, not what the resource decides.
    ///
    /// Beside the standard keywords it says `x-sensitive`, `x-forces-replacement` and `x-takes-tags`, all `true`; sensitive
    /// strings have the format `password`. Blocks of a list or set are arrays, labelled ones objects. Nulls are not
    /// described: what is null is left out. Lengths are near enough for a form: JSON Schema counts code points, the engine grapheme clusters.
    pub fn json_schema(&self) -> Json {
        let mut schema = Map::new();
        schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        schema.extend(self.block.json_schema());
        Json::Object(schema)
    }
}

impl Block {
    fn json_schema(&self) -> Map<String, Json> {
        let mut properties = Map::new();
        let mut required: Vec<&str> = Vec::new();
        for (name, attribute) in self.attributes.iter().filter(|(_, attribute)| attribute.is_input()) {
            properties.insert(name.to_string(), Json::Object(attribute.json_schema()));
            if attribute.required {
                required.push(name);
            }
        }
        for (name, nested) in &self.blocks {
            properties.insert(name.to_string(), Json::Object(nested.json_schema()));
            if nested.min_items > 0 {
                required.push(name);
            }
        }
        required.sort_unstable();
        let mut schema = object_schema(properties, &required);
        annotate(&mut schema, &self.description, self.deprecated.as_deref());
        schema
    }
}

impl NestedBlock {
    fn json_schema(&self) -> Map<String, Json> {
        let block = self.block.json_schema();
        let (mut schema, least, most) = match self.nesting {
            Nesting::Single | Nesting::Group => (block, None, None),
            Nesting::List | Nesting::Set => {
                let mut schema = of_type("array");
                schema.insert("items".to_owned(), Json::Object(block));
                if self.nesting == Nesting::Set {
                    schema.insert("uniqueItems".to_owned(), json!(true));
                }
                (schema, Some("minItems"), Some("maxItems"))
            }
            Nesting::Map => {
                let mut schema = of_type("object");
                schema.insert("additionalProperties".to_owned(), Json::Object(block));
                (schema, Some("minProperties"), Some("maxProperties"))
            }
        };
        if let Some(keyword) = least.filter(|_| self.min_items > 0) {
            schema.insert(keyword.to_owned(), json!(self.min_items));
        }
        if let (Some(keyword), Some(max_items)) = (most, self.max_items) {
            schema.insert(keyword.to_owned(), json!(max_items));
        }
        if self.forces_replacement {
            schema.insert("x-forces-replacement".to_owned(), json!(true));
        }
        schema
    }
}

impl Attribute {
    fn json_schema(&self) -> Map<String, Json> {
        let mut schema = type_schema(&self.ty, &self.checks);
        annotate(&mut schema, &self.description, self.deprecated.as_deref());
        if let Ok(Some(default)) = default_json(self) {
            schema.insert("default".to_owned(), default);
        }
        if self.write_only {
            schema.insert("writeOnly".to_owned(), json!(true));
        }
        if self.sensitive {
            schema.insert("x-sensitive".to_owned(), json!(true));
            if self.ty == Type::String {
                schema.insert("format".to_owned(), json!("password"));
            }
        }
        if self.forces_replacement {
            schema.insert("x-forces-replacement".to_owned(), json!(true));
        }
        if self.takes_tags {
            schema.insert("x-takes-tags".to_owned(), json!(true));
        }
        schema
    }
}

/// Returns the schema of a type; checks go to the strings and numbers in it, a length to the outermost.
fn type_schema(ty: &Type, checks: &[Check]) -> Map<String, Json> {
    let inner: Vec<Check> = checks.iter().filter(|check| !matches!(check, Check::Length { .. })).cloned().collect();
    let mut schema = match ty {
        Type::Any => Map::new(),
        Type::Bool => of_type("boolean"),
        Type::Number => of_type("number"),
        Type::String => of_type("string"),
        Type::List(element) | Type::Set(element) => {
            let mut schema = of_type("array");
            schema.insert("items".to_owned(), Json::Object(type_schema(element, &inner)));
            if matches!(ty, Type::Set(_)) {
                schema.insert("uniqueItems".to_owned(), json!(true));
            }
            schema
        }
        Type::Map(element) => {
            let mut schema = of_type("object");
            schema.insert("additionalProperties".to_owned(), Json::Object(type_schema(element, &inner)));
            schema
        }
        Type::Tuple(elements) => {
            let mut schema = of_type("array");
            let prefix: Vec<Json> = elements.iter().map(|element| Json::Object(type_schema(element, &[]))).collect();
            schema.insert("prefixItems".to_owned(), Json::Array(prefix));
            schema.insert("items".to_owned(), json!(false));
            schema.insert("minItems".to_owned(), json!(elements.len()));
            schema
        }
        Type::Object(object) => {
            let properties = object.attributes.iter();
            let properties = properties.map(|(name, ty)| (name.to_string(), Json::Object(type_schema(ty, &[]))));
            let required: Vec<&str> =
                object.attributes.keys().filter(|name| !object.optional.contains(*name)).map(|name| &**name).collect();
            object_schema(properties.collect(), &required)
        }
    };
    for check in checks {
        add_check(&mut schema, check, ty);
    }
    schema
}

fn add_check(schema: &mut Map<String, Json>, check: &Check, ty: &Type) {
    let number = |number: &crate::value::Number| plain_json(&Value::number(number.clone())).ok();
    match (check, ty) {
        (Check::OneOf(values), Type::String | Type::Number | Type::Bool) => {
            let values = values.iter().filter_map(|value| plain_json(value).ok()).collect();
            schema.insert("enum".to_owned(), Json::Array(values));
        }
        (Check::Range { min, max }, Type::Number) => {
            schema.extend(min.as_ref().and_then(number).map(|min| ("minimum".to_owned(), min)));
            schema.extend(max.as_ref().and_then(number).map(|max| ("maximum".to_owned(), max)));
        }
        (Check::Pattern(pattern), Type::String) => {
            schema.insert("pattern".to_owned(), json!(pattern.as_str()));
        }
        (Check::Length { min, max }, _) => {
            let (least, most) = match ty {
                Type::String => ("minLength", "maxLength"),
                Type::List(_) | Type::Set(_) => ("minItems", "maxItems"),
                Type::Map(_) => ("minProperties", "maxProperties"),
                _ => return,
            };
            schema.extend((*min > 0).then(|| (least.to_owned(), json!(min))));
            schema.extend(max.map(|max| (most.to_owned(), json!(max))));
        }
        _ => {}
    }
}

fn of_type(name: &str) -> Map<String, Json> {
    Map::from_iter([("type".to_owned(), json!(name))])
}

fn object_schema(properties: Map<String, Json>, required: &[&str]) -> Map<String, Json> {
    let mut schema = of_type("object");
    schema.insert("properties".to_owned(), Json::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema
}

fn annotate(schema: &mut Map<String, Json>, description: &str, deprecated: Option<&str>) {
    let text = [description, deprecated.unwrap_or_default()];
    let text: Vec<&str> = text.into_iter().filter(|text| !text.is_empty()).collect();
    if !text.is_empty() {
        schema.insert("description".to_owned(), json!(text.join("\n\n")));
    }
    if deprecated.is_some() {
        schema.insert("deprecated".to_owned(), json!(true));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::testing::s;

    #[test]
    fn a_form_can_be_drawn_from_it() {
        let rule = Block::new().attribute("port", Attribute::required(Type::Number).between(1, 65535));
        let ty = Type::object_with_optional([("a", Type::String), ("b", Type::Bool)], ["b"]);
        let schema = Schema::new(1)
            .attribute(
                "name",
                Attribute::required(Type::String).pattern("^[a-z]+$").length(1, Some(20)).forces_replacement(),
            )
            .attribute("kind", Attribute::optional(Type::String).one_of(["tcp", "udp"]).default("tcp"))
            .attribute("ports", Attribute::optional(Type::set(Type::Number)).at_least(1).length(1, Some(4)))
            .attribute(
                "tags",
                Attribute::optional(Type::map(Type::String)).length(0, Some(8)).takes_tags().describe("Tags."),
            )
            .attribute("pair", Attribute::optional(Type::tuple([Type::Bool, Type::Any])))
            .attribute("shape", Attribute::optional(ty))
            .attribute("key", Attribute::optional(Type::String).sensitive().write_only().deprecated("Use `name`."))
            .attribute("id", Attribute::computed(Type::String))
            .block("first", NestedBlock::single(rule.clone()).required())
            .block("rule", NestedBlock::list(rule.clone()).min_items(1).max_items(9).forces_replacement())
            .block("zone", NestedBlock::set(rule.clone()))
            .block("peer", NestedBlock::map(rule).max_items(2))
            .describe("A firewall.");
        assert_eq!(schema.check(), Ok(()));
        let json = serde_json::to_string_pretty(&schema.json_schema()).expect("JSON");
        insta::assert_snapshot!(json);
    }

    #[test]
    fn a_secret_default_is_left_out() {
        let secret = s("hunter2").with_marks(crate::value::Marks::SENSITIVE);
        let schema = Schema::new(0).attribute("a", Attribute::optional(Type::String).default(secret));
        assert!(!schema.json_schema().to_string().contains("hunter2"));
    }
}
