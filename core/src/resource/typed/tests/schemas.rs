use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::bucket::{Bucket, Rule};
use crate::{
    resource::{Resource as _, typed::*},
    schema::{Attribute, Block, Check, NestedBlock, Schema},
    value::{Number, Type},
};

fn range(min: u64, max: u64) -> Check {
    Check::Range { min: Some(Number::from(min)), max: Some(Number::from(max)) }
}

#[test]
fn the_schema_follows_from_the_structs() {
    let source = Type::object_with_optional([("first", Type::Number), ("last", Type::Number)], ["last"]);
    let rule = Block::new()
        .describe("What may come in.")
        .attribute("port", Attribute::required(Type::Number).check(range(0, 1024)))
        .attribute("protocol", Attribute::optional(Type::String).default("tcp").one_of(["tcp", "udp"]))
        .attribute("from", Attribute::optional(source));
    let expect = Schema::new(2)
        .describe("A bucket.")
        .attribute(
            "name",
            Attribute::required(Type::String)
                .describe("The name.")
                .forces_replacement()
                .pattern("^[a-z]+$")
                .length(0, Some(9)),
        )
        .attribute("versioned", Attribute::optional(Type::Bool).default(false))
        .attribute(
            "price",
            Attribute::optional(Type::Number).default("1.5".parse::<Number>().expect("a number")).between(0, 100),
        )
        .attribute(
            "tags",
            Attribute::optional(Type::map(Type::String))
                .default(crate::value::Value::map(Type::String, std::iter::empty::<(String, _)>())),
        )
        .attribute("token", Attribute::optional(Type::String).write_only().sensitive())
        .attribute("region", Attribute::optional_computed(Type::String))
        .attribute("tier", Attribute::optional(Type::String).one_of(["hot", "very_cold"]))
        .block("rule", NestedBlock::list(rule).max_items(2))
        .attribute("url", Attribute::computed(Type::String).describe("Where it is reached."))
        .attribute("revision", Attribute::computed(Type::Number).check(range(0, u64::MAX)))
        .attribute("secret", Attribute::computed(Type::String).sensitive());
    let schema = typed(Bucket::default()).schema();
    assert_eq!(*schema, expect);
    assert_eq!(schema.check(), Ok(()));
}

fn check_type<T: AttributeType>(expect: &str, optional: bool, checks: &[Check]) {
    assert_eq!(T::ty().to_string(), expect);
    assert_eq!((T::OPTIONAL, T::checks().as_slice()), (optional, checks), "{expect}");
}

#[test]
fn rust_types_have_types() {
    check_type::<String>("string", false, &[]);
    check_type::<Option<Box<f64>>>("number", true, &[]);
    check_type::<Vec<u8>>("list(number)", false, &[range(0, 255)]);
    check_type::<BTreeSet<String>>("set(string)", false, &[]);
    check_type::<Option<BTreeMap<String, Vec<bool>>>>("map(list(bool))", true, &[]);
    check_type::<serde_json::Value>("any", false, &[]);
    let bound = |bound: i64| Some(Number::from(bound));
    check_type::<i64>("number", false, &[Check::Range { min: bound(i64::MIN), max: bound(i64::MAX) }]);
    check_type::<Vec<Rule>>(
        "list(object({from=optional(object({first=number,last=optional(number)})),port=number,protocol=string}))",
        false,
        &[],
    );
}

#[derive(Serialize, Deserialize, Attributes)]
#[serde(rename_all = "kebab-case")]
struct Odd {
    #[attribute(required, write_only)]
    pass_word: Option<String>,
    #[attribute(default = "x", min_length = 2)]
    short: String,
    #[attribute(default = "many")]
    number: u8,
    #[attribute(deprecated = "use `short`")]
    count: Option<u8>,
    #[serde(skip)]
    _hidden: Option<BTreeMap<u8, u8>>,
}

#[derive(Serialize, Deserialize, Attributes)]
struct Echo {
    /// Told by the output.
    #[attribute(sensitive)]
    short: String,
    number: String,
}

#[derive(Debug)]
struct Strange;

#[async_trait::async_trait]
impl TypedDataSource for Strange {
    type Inputs = Odd;
    type Outputs = Echo;

    async fn read(&self, _: &crate::resource::Context, inputs: Odd) -> crate::Result<Echo> {
        Ok(Echo { short: inputs.short, number: "not one".to_owned() })
    }
}

#[tokio::test]
async fn contradictions_come_out_when_the_type_is_registered_or_called() {
    use crate::resource::DataSource as _;
    let strange = typed_data(Strange);
    let schema = strange.schema();
    assert_eq!(
        schema.check().expect_err("it contradicts itself").to_string(),
        "the schema contradicts itself: `count` is a name that the engine keeps for itself; \
         `number` has a default of the wrong type: a number is required; `short` has a default that its own checks refuse",
    );
    let short = &schema.block.attributes["short"];
    assert_eq!((short.computed, short.sensitive, short.description.as_str()), (false, true, "Told by the output."));
    assert!(schema.block.attributes["pass-word"].required);
    assert_eq!(schema.block.attributes["count"].deprecated.as_deref(), Some("use `short`"));
    assert!(!schema.block.attributes.contains_key("_hidden"));

    let config = crate::value::Value::object([
        ("short", super::bucket::s("hello")),
        ("number", 5.into()),
        ("pass-word", super::bucket::s("p")),
        ("count", crate::value::Value::null(Type::Number)),
    ]);
    let error = strange.read(&super::bucket::context(), config).await.expect_err("the types differ");
    assert_eq!(error.code(), "resource.inconsistent");
}
