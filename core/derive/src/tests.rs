use syn::{DeriveInput, parse_quote};

use crate::expand::expand;

/// Returns the tokens of what a struct or enum becomes, without spaces.
fn expanded(input: &DeriveInput) -> String {
    expand(input).expect("it has attributes").to_string().replace(' ', "")
}

fn problems(input: &DeriveInput) -> Vec<String> {
    let error = expand(input).expect_err("it has problems");
    error.into_iter().map(|problem| problem.to_string()).collect()
}

#[test]
fn fields_become_calls() {
    let text = expanded(&parse_quote! {
        /// A bucket
        /// of things.
        ///
        /// It holds them.
        #[serde(rename_all = "camelCase", deny_unknown_fields, bound(serialize = "T: X"))]
        struct Bucket {
            /// The name.
            #[attribute(force_new, pattern = "^a")]
            bucket_name: String,
            #[serde(rename = "kind", default = "x")]
            #[attribute(default = -5, min = -9, max = 0.5)]
            r#type: i64,
            #[attribute(default, max_length = 3)]
            tags: Vec<String>,
            #[attribute(block, min_items = 1)]
            rules: Vec<Rule>,
            #[serde(skip)]
            hidden: Cell,
        }
    });
    for expect in [
        r#"Field::attribute::<String>("bucketName").describe("Thename.").force_new().pattern("^a")"#,
        r#"Field::attribute::<i64>("kind").describe("").default(-5i128).min(-9i128).max(0.5)"#,
        r".default(<Vec<String>as::std::default::Default>::default()).length(0u64,::std::option::Option::Some(3u64))",
        r#"Field::block::<Vec<Rule>>("rules","").min_items(1u64)"#,
        r#""Abucketofthings.\n\nItholdsthem.""#,
    ] {
        assert!(text.contains(expect), "{expect} is not in {text}");
    }
    assert!(!text.contains("hidden"), "{text}");
}

#[test]
fn enums_become_texts() {
    let text = expanded(&parse_quote! {
        #[serde(rename_all = "kebab-case")]
        enum Tier {
            VerySmall,
            #[serde(rename = "XL")]
            Large,
            #[serde(skip)]
            Odd,
        }
    });
    assert!(text.contains(r#"Value::string("very-small"),::stackwright::value::Value::string("XL")"#), "{text}");
    assert!(!text.contains("odd"), "{text}");
}

#[test]
fn everything_wrong_is_reported_at_once() {
    let found = problems(&parse_quote! {
        #[serde(transparent)]
        struct Wrong {
            #[attribute(forcenew)]
            a: String,
            #[attribute(required, default = 1, write_only, force_new)]
            b: Option<u8>,
            #[attribute(block, sensitive)]
            c: Vec<Rule>,
            #[attribute(min_items = 1)]
            d: Vec<Rule>,
            #[attribute(min = "x")]
            e: u8,
            #[attribute(sensitive, sensitive)]
            f: u8,
            #[serde(flatten)]
            g: Rest,
            #[serde(rename(serialize = "x", deserialize = "y"))]
            h: u8,
            #[serde(skip_serializing)]
            i: u8,
            #[serde(rename = "k")]
            j: u8,
            k: u8,
            #[attribute(max_length = -1)]
            l: String,
            #[serde(skip)]
            #[attribute(sensitive)]
            m: String,
        }
    });
    let expect = [
        "with this, the data",
        "no such setting; there are `force_new`",
        "`default` contradicts `required`",
        "`force_new` contradicts `write_only`",
        "a block has no `sensitive`",
        "only a `block` has `min_items`",
        "a number is required",
        "`sensitive` is given twice",
        "a flattened field",
        "the same name when it is written",
        "both written and read",
        "another attribute `k`",
        "invalid digit",
        "a skipped field",
    ];
    assert_eq!(found.len(), expect.len(), "{found:#?}");
    for (found, expect) in found.iter().zip(expect) {
        assert!(found.contains(expect), "{found} is not about {expect}");
    }
}

#[test]
fn what_has_no_attributes() {
    assert_eq!(problems(&parse_quote! { struct A(u8); }), ["a struct needs named fields to have attributes"]);
    assert_eq!(problems(&parse_quote! { union A { a: u8 } }), ["a union has no attributes"]);
    assert_eq!(problems(&parse_quote! { enum A {} }), ["an enum without variants has no value"]);
    assert_eq!(
        problems(&parse_quote! { enum A { B(u8), #[attribute(sensitive)] C } }),
        ["a variant with data is no text; use a struct with options", "a variant has no settings"]
    );
}
