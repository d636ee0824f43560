//! What differs between the editions of the language.

use super::*;
use crate::template::Edition;

fn check_in(edition: Edition, text: &str, expect: &str) {
    let functions = Functions::standard();
    let host = Host::new();
    let mut evaluator = Evaluator::new(&host, &functions, Options { edition, ..Options::default() });
    let value = evaluator.eval(&parsed(text));
    let problems = evaluator.finish().diagnostics;
    let shown = problems.first().map_or_else(|| console_print(&value), |problem| problem.code.to_string());
    assert_eq!(shown, expect, "{edition}: {text}");
}

#[test]
fn the_right_side_counts_in_the_first_edition_and_not_later() {
    for (text, first, later) in [
        ("false && tobool(\"x\")", "eval.function", "false"),
        ("true || tobool(\"x\")", "eval.function", "true"),
        ("\"false\" && null", "eval.null", "false"),
        ("false && (true && tobool(\"x\")) && nosuch()", "eval.function", "false"),
        ("true && tobool(\"x\")", "eval.function", "eval.function"),
        ("null && true", "eval.null", "eval.null"),
        ("1 && true", "eval.operand", "eval.operand"),
        ("false && var.open", "(known after apply)", "false"),
        ("var.open && false", "(known after apply)", "false"),
        ("var.open || true", "(known after apply)", "true"),
        ("var.open && true", "(known after apply)", "(known after apply)"),
        ("var.open || tobool(\"x\")", "eval.function", "(known after apply)"),
    ] {
        check_in(Edition::V1_11, text, first);
        check_in(Edition::V1_12, text, later);
        check_in(Edition::Stackwright, text, later);
    }
}

#[test]
fn extensions_belong_to_our_own_edition() {
    for (text, expect) in [
        ("urldecode(\"a%20b\")", "\"a b\""),
        ("core::cidrcontains(\"10.0.0.0/8\", \"10.0.0.1\")", "true"),
        ("convert([1, 1], set(string))", "toset([\n  \"1\",\n])"),
        ("convert({ a = 1 }, object({ a = string, b = optional(number, 2) }))", "{\n  \"a\" = \"1\"\n  \"b\" = 2\n}"),
        ("convert(\"x\", number)", "eval.type"),
        ("convert(1, house)", "template.type"),
        ("convert(1)", "eval.function"),
        ("assumenotnull(var.unknown) == null", "false"),
    ] {
        check_in(Edition::Stackwright, text, expect);
        check_in(Edition::V1_12, text, "eval.function_unsupported");
        check_in(Edition::V1_11, text, "eval.function_unsupported");
    }
}

#[test]
fn the_type_in_a_conversion_is_no_reference() {
    assert_eq!(parsed("convert(var.a, string)").references().len(), 1);
    assert_eq!(parsed("concat(var.a, string)").references().len(), 2);
}
