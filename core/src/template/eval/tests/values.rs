//! What expressions are worth, unknowns and marks included.

use super::*;

#[test]
fn operators_work_as_documented() {
    check("1 + 2 * 3 - 4 / 8", "6.5");
    check("-10 % 3", "-1");
    check("1 == \"1\"", "false");
    check("[1, 2] == [1, 2]", "true");
    check("true ? 1 : \"a\"", "\"1\"");
    check("true ? [] : [\"a\"]", "tolist([])");
    check("false ? tobool(\"x\") : 1", "1");
    check("5 % (1 / 0)", "eval.arithmetic: `5 % +Inf` has no result");
}

#[test]
fn long_sums_need_no_depth() {
    let text = vec!["1"; 400].join(" + ");
    check(&text, "400");
}

#[test]
fn unknowns_spread_no_further_than_they_must() {
    check("var.unknown == null", "false");
    check("\"x${var.unknown}\"", "(known after apply)");
    check("startswith(\"foo${var.unknown}\", \"fo\")", "true");
    check("startswith(\"foo${var.unknown}\", \"bar\")", "(known after apply)");
    check("length([var.unknown])", "1");
    check("length(toset([var.unknown, \"a\"]))", "(known after apply)");
    check("contains([var.unknown, \"a\"], \"a\")", "true");
    check("contains([var.unknown], \"a\")", "(known after apply)");
    check("keys({ a = var.unknown })", "[\n  \"a\",\n]");
    check("true ? 1 : var.unknown", "\"1\"");
    check("true ? [1] : var.open", "[\n  1,\n]");
    check("var.unknown == \"a\" ? null : null", "null");
    check("(var.unknown == \"a\" ? 1 : 2) > 0", "true");
    check("(var.unknown == \"a\" ? 1 : 2) > 1", "(known after apply)");
    check("false && var.open", "(known after apply)");
    check("length(var.unknown_list) >= 0", "(known after apply)");
    check("length(var.unknown_list) > -1", "true");
    check("[for x in var.unknown_list : x]", "(known after apply)");
    check("var.unknown_list[*]", "(known after apply)");
    check("{ (var.unknown) = 1 }", "(known after apply)");
    check("startswith(jsonencode({ a = var.unknown }), \"{\")", "true");
    check("timestamp()", "(known after apply)");
    check("try(var.open.a, 1)", "(known after apply)");
    check("can(var.unknown)", "(known after apply)");
    check("try(var.tags.nope, var.unknown)", "(known after apply)");
    check("try(var.tags.nope, 1)", "1");
    // Only the value of an argument decides, not what it was made of.
    check("try(length([var.unknown]), 2)", "1");
    check("try([var.unknown, 7][1], 2)", "7");
    check("try({ a = var.unknown }, 2)", "(known after apply)");
    check("try(var.unknown.a.b.c + {}, 2)", "2");
    check("can(length([var.unknown]))", "true");
    check("can(var.unknown + {})", "false");
    check("can([var.unknown])", "(known after apply)");
}

#[test]
fn marks_spread_wherever_a_secret_has_been() {
    for text in [
        "var.secret",
        "\"a${var.secret}\"",
        "upper(var.secret)",
        "sensitive(tolist([{ a = 1 }]))[*].a",
        "var.secret == \"x\"",
        "var.secret == \"x\" ? 1 : 2",
        "length(var.secret)",
        "toset([var.secret])",
        "jsonencode(var.secrets)",
        "[for x in [1] : x if var.secret == \"x\"]",
        "{ for x in [1] : var.secret => x }",
        "[1, 2][var.secret == \"x\" ? 0 : 1]",
        "{ (var.secret) = 1 }",
        "try(var.secret, 1)",
        "\"%{ if var.secret == \"x\" }a%{ endif }\"",
        "\"%{ for c in [var.secret] }${c}%{ endfor }\"",
        "join(\",\", [var.secret])",
        "coalesce(var.secret, \"x\")",
        "sensitive(1) + 1",
        "!sensitive(true)",
        "max(sensitive([1, 2])...)",
        "acme_a.b[var.secret].id",
        "sensitive([{ a = 1 }])[*].a",
        "coalesce(sensitive(\"\"), \"x\")",
        "merge(sensitive({ a = 1 }), { b = 2 })",
        "split(\",\", var.secret)",
        "regexall(\"a\", var.secret)",
    ] {
        check(text, "(sensitive value)");
    }
    check("var.secrets.b", "1");
    // Of what is inside, nothing can be told apart any more.
    check("one([{ a = var.secret, b = 2 }])", "(sensitive value)");
    check("one(toset([var.secret]))", "(sensitive value)");
    check("[var.secret, 1]", "[\n  (sensitive value),\n  1,\n]");
    check("length([var.secret])", "1");
    check("keys(var.secrets)", "[\n  \"a\",\n  \"b\",\n]");
    check("can(var.secret)", "true");
    check("nonsensitive(var.secret)", "\"hunter2\"");
}

#[test]
fn loops_shadow_and_group() {
    check("[for var in [1, 2] : var]", "[\n  1,\n  2,\n]");
    check("[for x in [1] : [for x in [2] : x]]", "[\n  [\n    2,\n  ],\n]");
    check(
        "{ for u in var.users : u.name => u.age... }",
        "{\n  \"ann\" = [\n    31,\n  ]\n  \"bob\" = [\n    27,\n  ]\n}",
    );
    check("var.users[*].name", "[\n  \"ann\",\n  \"bob\",\n]");
    check("[for k, v in { b = 1, a = 2 } : \"${k}${v}\"]", "[\n  \"a2\",\n  \"b1\",\n]");
}

#[test]
fn variables_come_before_the_scope() {
    let host = Host::new();
    let functions = Functions::standard();
    let mut evaluator = Evaluator::new(&host, &functions, Options::default());
    let value = evaluator
        .eval_with(&parsed("rule.value + count.index"), &[("rule", Value::object([("value", Value::number(40))]))]);
    assert_eq!(value, Value::number(42));
}

#[test]
fn texts_of_templates() {
    #[derive(Debug)]
    struct One;
    impl FileAccess for One {
        fn read(&self, path: &str) -> Result<std::sync::Arc<[u8]>, Problem> {
            let text: &str = match path {
                "hello" => "Hello ${name}!\n%{ for p in ports ~}\n${p};\n%{ endfor ~}\n",
                "typo" => "a\n  ${nmae}",
                "recursive" => "${templatefile(\"hello\", {})}",
                _ => return NoFiles.read(path),
            };
            Ok(text.as_bytes().into())
        }
        fn exists(&self, _: &str) -> Result<bool, Problem> {
            Ok(true)
        }
        fn list(&self, _: &str) -> Result<Vec<String>, Problem> {
            Ok(Vec::new())
        }
        fn absolute(&self, path: &str) -> Result<String, Problem> {
            Ok(path.to_owned())
        }
    }
    let host = Host::new();
    let functions = Functions::standard();
    let eval = |text: &str| {
        let mut evaluator = Evaluator::new(&host, &functions, Options { files: &One, ..Options::default() });
        let value = evaluator.eval(&parsed(text));
        let problems = evaluator.finish().diagnostics;
        problems.first().map_or_else(|| value.as_str().unwrap_or("?").to_owned(), |problem| problem.message.clone())
    };
    assert_eq!(eval("templatefile(\"hello\", { name = \"ann\", ports = [1, 2] })"), "Hello ann!\n1;\n2;\n");
    assert_eq!(
        eval("templatefile(\"typo\", { name = \"ann\" })"),
        "`templatefile`: typo, line 2, column 5: the template `typo` has no variable `nmae`"
    );
    assert_eq!(
        eval("templatefile(\"recursive\", {})"),
        "`templatefile`: recursive, line 1, column 3: `templatefile`: a template cannot render another one"
    );
    assert_eq!(eval("templatestring(var.name, {})"), "app");
}
