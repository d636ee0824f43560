//! Bodies of blocks against schemas.

use super::*;
use crate::{
    error::{Severity, Sources},
    schema::{Attribute, Block, NestedBlock, Schema},
};

fn server() -> Schema {
    let rule = || {
        Block::new()
            .attribute("port", Attribute::required(Type::Number))
            .attribute("note", Attribute::optional(Type::String).default("-"))
    };
    Schema::new(0)
        .attribute("name", Attribute::required(Type::String))
        .attribute("size", Attribute::optional(Type::Number).at_most(9))
        .attribute("id", Attribute::computed(Type::String))
        .attribute("old", Attribute::optional(Type::String).deprecated("use `name`"))
        .block("rule", NestedBlock::list(rule()).max_items(3))
        .block("disk", NestedBlock::map(Block::new().attribute("gb", Attribute::required(Type::Number))))
        .block(
            "meta",
            NestedBlock::single(
                Block::new()
                    .attribute("team", Attribute::optional(Type::String))
                    .block("tag", NestedBlock::set(Block::new().attribute("k", Attribute::required(Type::String)))),
            ),
        )
}

/// The value, or `line:column code: message` for each problem.
fn body(text: &str) -> String {
    let mut sources = Sources::new();
    let id = sources.add("main.tf", text.to_owned());
    let (file, problems) = hcl::parse(id, text);
    assert_eq!(problems, []);
    let host = Host::new();
    let functions = Functions::standard();
    let mut evaluator = Evaluator::new(&host, &functions, Options::default());
    let value = evaluator.eval_body(&file, &server(), Span::new(id, 0, 0));
    let findings = evaluator.finish();
    let mut lines: Vec<String> = findings
        .diagnostics
        .iter()
        .map(|problem| {
            let place = sources.position(problem.span().unwrap_or_default());
            let word = if problem.severity == Severity::Warning { "warning " } else { "" };
            format!("{}:{} {word}{}: {}", place.line, place.column, problem.code, problem.message)
        })
        .collect();
    if !findings.diagnostics.iter().any(Diagnostic::is_error) {
        lines.push(format!("{value:?}"));
    }
    lines.join("\n")
}

fn check_body(text: &str, expect: &str) {
    assert_eq!(body(text), expect, "{text}");
}

#[test]
fn attributes_and_blocks() {
    check_body(
        "name = \"a\"\nsize = \"3\"\nrule {\n  port = 80\n}\nrule {\n  port = 81\n  note = \"x\"\n}\ndisk \"d\" {\n  gb = 1\n}\nmeta {\n  tag {\n    k = \"a\"\n  }\n  tag {\n    k = \"a\"\n  }\n}\n",
        r#"{"disk": map{"d": {"gb": 1}}, "id": null(string), "meta": {"tag": set[{"k": "a"}], "team": null(string)}, "name": "a", "old": null(string), "rule": list[{"note": "-", "port": 80}, {"note": "x", "port": 81}], "size": 3}"#,
    );
}

#[test]
fn everything_wrong_at_once_and_in_place() {
    check_body(
        "nmae = \"a\"\nsize = 10 + nope.x.y\nid = 1\nrule {\n  prt = 1\n}\nrules {\n}\nrule \"x\" {\n}\ndisk {\n}\nsize {\n}\nmeta = 1\n",
        "1:1 eval.argument: `nmae` is not expected here\n\
         2:19 eval.part: this object does not have an attribute named \"y\"\n\
         3:6 eval.argument: `id` is decided by the resource and cannot be set\n\
         5:3 eval.argument: `prt` is not expected here\n\
         7:1 eval.argument: a block `rules` is not expected here\n\
         9:6 eval.argument: a block `rule` has no labels\n\
         11:1 eval.argument: a block `disk` has one label, which tells it from the others\n\
         13:1 eval.argument: a block `size` is not expected here\n\
         15:1 eval.argument: `meta` is not expected here",
    );
    check_body(
        "name = \"a\"\nsize = 10\nold = \"x\"\n",
        "2:8 eval.argument: `size` must be at most 9\n3:7 warning eval.deprecated: `old` should not be used any more",
    );
    check_body("name = []\n", "1:8 eval.argument: string required");
    check_body("name = var.secret\nsize = [var.secret]\n", "2:8 eval.argument: number required");
}

#[test]
fn infinite_numbers_are_refused_in_place() {
    check_body("name = \"a\"\nsize = -1 / 0\n", "2:8 eval.infinite: an infinite number cannot be stored");
    check_body(
        "name = \"a\"\nsize = min(9, 1 / 0)\nrule {\n  port = 1 / 0 > 1 ? 1 : 2\n}\ndynamic \"rule\" {\n  for_each = [0, 1]\n  content {\n    port = 1 / rule.value\n  }\n}\ndisk \"d\" {\n  gb = 1 / 0\n}\n",
        "9:12 eval.infinite: an infinite number cannot be stored\n13:8 eval.infinite: an infinite number cannot be stored",
    );
    check_body(
        "name = var.secret\nsize = sensitive(-1 / 0)\n",
        "2:8 eval.infinite: an infinite number cannot be stored",
    );
}

#[test]
fn dynamic_blocks() {
    check_body(
        "name = \"a\"\ndynamic \"rule\" {\n  for_each = [80, 81]\n  content {\n    port = rule.value\n    note = \"n${rule.key}\"\n  }\n}\nrule {\n  port = 1\n}\n",
        r#"{"disk": map{}, "id": null(string), "meta": null(object({tag=set(object({k=string})),team=string})), "name": "a", "old": null(string), "rule": list[{"note": "n0", "port": 80}, {"note": "n1", "port": 81}, {"note": "-", "port": 1}], "size": null(number)}"#,
    );
    // Nested, with a label and an iterator of its own.
    let text = "name = \"a\"\ndynamic \"disk\" {\n  for_each = { x = 1 }\n  iterator = d\n  labels = [d.key]\n  content {\n    gb = d.value\n  }\n}\nmeta {\n  dynamic \"tag\" {\n    for_each = toset([\"p\", \"q\"])\n    content {\n      k = tag.value\n    }\n  }\n}\n";
    let shown = body(text);
    assert!(shown.contains(r#""disk": map{"x": {"gb": 1}}"#), "{shown}");
    assert!(shown.contains(r#"set[{"k": "p"}, {"k": "q"}]"#), "{shown}");
    // A collection that is not known, or is secret.
    let shown = body(
        "name = \"a\"\ndynamic \"rule\" {\n  for_each = var.unknown_list\n  content {\n    port = rule.value\n  }\n}\n",
    );
    assert!(shown.contains(r#""rule": unknown(list(object({note=string,port=number})))"#), "{shown}");
    let shown = body(
        "name = \"a\"\ndynamic \"rule\" {\n  for_each = sensitive([80])\n  content {\n    port = rule.value\n  }\n}\n",
    );
    assert!(shown.contains(r#""rule": list[(sensitive value)]"#), "{shown}");
}

#[test]
fn dynamic_blocks_gone_wrong() {
    check_body(
        "name = \"a\"\ndynamic \"rule\" {\n  for_eech = []\n}\ndynamic \"nope\" {\n}\ndynamic \"rule\" {\n  for_each = null\n  content {\n  }\n}\ndynamic \"rule\" {\n  for_each = [1, 2]\n  content {\n    port = rule.value.x\n  }\n}\n",
        "2:1 eval.dynamic: `for_each` is required\n\
         2:1 eval.dynamic: a `content` block is required\n\
         3:3 eval.dynamic: a `dynamic` block has `for_each`, `iterator` and `labels`\n\
         5:9 eval.argument: a block `nope` is not expected here\n\
         8:14 eval.dynamic: `for_each` must not be null\n\
         15:22 eval.part: can't access attributes on a primitive-typed value (number)",
    );
    check_body(
        "name = \"a\"\ndynamic \"rule\" {\n  for_each = [1, 2, 3, 4]\n  content {\n    port = 1\n  }\n}\n",
        "2:1 eval.argument: at most 3 `rule` blocks are allowed",
    );
}

/// JSON cannot tell blocks from arguments; the schema does, at every level.
#[test]
fn blocks_of_json() {
    let text = r#"{
        "name": "a",
        "rule": [{ "port": 80 }, { "port": "${40 + 41}" }],
        "disk": { "d": { "gb": 1 } },
        "meta": { "tag": { "k": "x" } }
    }"#;
    let (file, problems) =
        crate::template::json::parse_body(SourceId(0), &format!(r#"{{"resource": {{"t": {{"n": {text}}}}}}}"#));
    assert_eq!(problems, []);
    let body = &file.blocks.first().expect("the resource").body;
    let span = Span::new(SourceId(0), 0, 0);
    let host = Host::new();
    let functions = Functions::standard();
    let mut evaluator = Evaluator::new(&host, &functions, Options::default());
    let value = evaluator.eval_body(body, &server(), span);
    assert_eq!(evaluator.finish().diagnostics, []);
    assert_eq!(
        format!("{value:?}"),
        r#"{"disk": map{"d": {"gb": 1}}, "id": null(string), "meta": {"tag": set[{"k": "x"}], "team": null(string)}, "name": "a", "old": null(string), "rule": list[{"note": "-", "port": 80}, {"note": "-", "port": 81}], "size": null(number)}"#
    );
}
